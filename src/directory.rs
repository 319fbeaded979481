//! The directory of organs: who takes part, who took over from whom, who may act for whom.
//!
//! A [`Directory`] is an immutable snapshot; a change of the directory is another snapshot. It is read from CSV
//! files whose columns `config/directory/README.md` explains.

mod error;
mod forecast;
mod link;
mod load;
mod name;
mod near;
mod organ;
pub mod reform;
mod resolve;
mod versions;
mod write;

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use time::Date;

pub use self::error::{Error, Why};
pub use self::forecast::{Forecast, Mail};
pub use self::organ::{Binding, Link, Organ, Rename, vietnam_day, vietnam_time};
pub use self::resolve::{Ambiguity, Resolution};
pub use self::versions::{Changes, Versions};
use crate::domain::organ_id::OrganId;

const EMBEDDED: [(&str, &str); 2] = [
    ("config/directory/central.csv", include_str!("../config/directory/central.csv")),
    ("config/directory/provinces.csv", include_str!("../config/directory/provinces.csv")),
];

/// The organs of the exchange, as of one reading of the files.
#[derive(Debug)]
pub struct Directory {
    /// In the order of their ids, so that an organ stands before those below it and they stand together.
    organs: Box<[Organ]>,
    by_id: HashMap<OrganId, u32>,
    /// The level-1 codes that occur, in order.
    level_ones: Box<[Box<str>]>,
    names: name::Index,
}

/// Which organs to list.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// Only this organ and those below it.
    pub at_or_below: Option<&'a OrganId>,
    /// Also organs that are not open on `day`.
    pub include_closed: bool,
    /// The day in Vietnam time.
    pub day: Date,
}

impl Directory {
    /// The directory that ships with the gateway: 22 central bodies and 63 provinces.
    pub fn embedded() -> Self {
        Self::from_csv_texts(&EMBEDDED).expect("the embedded directory is valid: a test loads it")
    }

    /// Reads files; together they are one directory.
    pub fn from_csv_files(paths: &[impl AsRef<Path>]) -> Result<Self, Error> {
        Self::from_rows(files(paths)?.into_rows())
    }

    /// Reads files, the built-in directory where there are none; the rows of the file of changes, if there is one, stand in place
    /// of those of the same organs.
    pub fn read(paths: &[impl AsRef<Path>], changes: &Path) -> Result<Self, Error> {
        Self::changed(paths, changes_in(changes)?)
    }

    /// The same, with the text of a file of changes that is not written yet.
    pub fn read_with(paths: &[impl AsRef<Path>], changes: &Path, text: &str) -> Result<Self, Error> {
        let mut reader = load::Reader::default();
        reader.read(&changes.display().to_string(), text)?;
        Self::changed(paths, reader)
    }

    fn changed(paths: &[impl AsRef<Path>], changes: load::Reader) -> Result<Self, Error> {
        let mut base = files(paths)?;
        if paths.is_empty() {
            for (file, text) in &EMBEDDED {
                base.read(file, text)?;
            }
        }
        Self::from_rows(base.into_rows_changed_by(changes))
    }

    /// The organs in a file of changes; none when there is no such file.
    pub fn changes(path: &Path) -> Result<Vec<Organ>, Error> {
        Ok(changes_in(path)?.into_rows().into_iter().map(|row| row.organ).collect())
    }

    /// Organs as a directory file.
    pub fn to_csv<'a>(organs: impl IntoIterator<Item = &'a Organ>) -> String {
        write::csv(organs)
    }

    /// All organs, open or closed, in the order of their ids.
    pub fn organs(&self) -> &[Organ] {
        &self.organs
    }

    /// Reads the texts of files, each after its name; together they are one directory.
    pub fn from_csv_texts(texts: &[(&str, &str)]) -> Result<Self, Error> {
        let mut reader = load::Reader::default();
        for (file, text) in texts {
            reader.read(file, text)?;
        }
        Self::from_rows(reader.into_rows())
    }

    fn from_rows(rows: Vec<load::Row>) -> Result<Self, Error> {
        let link::Linked { organs, by_id } = link::link(rows)?;
        let mut level_ones: Vec<Box<str>> = organs.iter().map(|organ| organ.id.level_one().into()).collect();
        level_ones.dedup();
        let names = name::Index::of(&organs);
        Ok(Self { organs, by_id, level_ones: level_ones.into(), names })
    }

    /// How many organs there are, open or closed.
    pub fn len(&self) -> usize {
        self.organs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.organs.is_empty()
    }

    /// One organ. One hash look-up, no allocation.
    pub fn get(&self, id: &OrganId) -> Option<&Organ> {
        self.by_id.get(id).map(|index| &self.organs[*index as usize])
    }

    /// The organs attached to RabbitMQ, open or closed, in the order of their ids.
    pub fn attached_by_amqp(&self) -> impl Iterator<Item = &Organ> {
        self.organs.iter().filter(|organ| organ.link.is_amqp())
    }

    /// Up to `limit` of the organs selected, in the order of their ids, those after `after`.
    pub fn list(&self, selection: &Selection<'_>, after: Option<&OrganId>, limit: usize) -> Vec<&Organ> {
        let among = match selection.at_or_below {
            Some(top) => &self.organs[self.at_or_below(top.as_str())],
            None => &self.organs,
        };
        let start = after.map_or(0, |after| among.partition_point(|organ| organ.id <= *after));
        among[start..]
            .iter()
            .filter(|organ| selection.include_closed || organ.is_open_on(selection.day))
            .take(limit)
            .collect()
    }

    /// Whether a certificate of `holder` may speak for `other` on that day of Vietnam time: for itself always, for an organ it is
    /// bound to on that day, for an organ below it when the directory lets `holder` act for those below and no organ
    /// between the two forbids it.
    pub fn acts_for(&self, holder: &OrganId, other: &OrganId, day: Date) -> bool {
        let rule = |id: &OrganId| self.get(id).and_then(|organ| organ.acts_for_below);
        let binds =
            |binding: &Binding| binding.organ == *holder && binding.from <= day && day < binding.until;
        holder == other
            || self.get(other).is_some_and(|organ| organ.certificates.iter().any(binds))
            || other.is_below(holder)
                && rule(holder) == Some(true)
                && other.above().take_while(|between| between != holder).all(|id| rule(&id) != Some(false))
    }

    /// Where the organs stand whose id is `top` or starts with `top` and a dot.
    fn at_or_below(&self, top: &str) -> Range<usize> {
        let from = self.organs.partition_point(|organ| organ.id.as_str() < top);
        let inside = |organ: &Organ| {
            organ.id.as_str().strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        from..from + self.organs[from..].partition_point(inside)
    }
}

fn changes_in(path: &Path) -> Result<load::Reader, Error> {
    if path.exists() { files(&[path]) } else { Ok(load::Reader::default()) }
}

fn files(paths: &[impl AsRef<Path>]) -> Result<load::Reader, Error> {
    let mut reader = load::Reader::default();
    for path in paths {
        let path = path.as_ref();
        let file = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|err| Error {
            file: file.clone(),
            line: 0,
            field: String::new(),
            why: Why::Unreadable(err.kind()),
        })?;
        reader.read(&file, &load::text(&file, bytes)?)?;
    }
    Ok(reader)
}

#[cfg(test)]
mod tests;
