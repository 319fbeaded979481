//! Reads the rows of directory files and checks each by itself. What rows say of each other is checked in `link`.

use std::collections::HashSet;
use std::sync::Arc;

use csv::StringRecord;
use time::Date;
use time::macros::format_description;
use unicode_normalization::UnicodeNormalization;

use super::error::{Error, Why};
use super::organ::{Binding, Link, Organ, Rename};
use crate::domain::limits::{CERTIFICATE_BINDINGS_MAX, ORGAN_NAME_CHARS_MAX, SUCCESSORS_MAX};
use crate::domain::organ_id::OrganId;

/// The columns of a directory file; those from [`REQUIRED`] on may be missing.
pub(super) const COLUMNS: [&str; 12] = [
    "organ_id",
    "name",
    "open_date",
    "close_date",
    "successors",
    "legal_basis",
    "acts_for_below",
    "link",
    "default_successor",
    "rename_date",
    "new_name",
    "certificates",
];
/// How many of [`COLUMNS`] every file has.
const REQUIRED: usize = 7;

/// Where a row was read.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) file: Arc<str>,
    pub(super) line: u64,
}

impl Place {
    pub(super) fn error(&self, field: &str, why: Why) -> Error {
        Error { file: self.file.to_string(), line: self.line, field: field.to_owned(), why }
    }
}

/// An organ and where it was read.
pub(super) struct Row {
    pub(super) organ: Organ,
    pub(super) place: Place,
}

/// The text of a file's bytes.
pub(super) fn text(file: &str, bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|err| {
        let good = &err.as_bytes()[..err.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count() as u64;
        Place { file: file.into(), line }.error("", Why::NotUtf8)
    })
}

/// Reads files one after the other; equal legal bases share their text.
#[derive(Default)]
pub(super) struct Reader {
    rows: Vec<Row>,
    legal_bases: HashSet<Arc<str>>,
}

impl Reader {
    /// Adds the rows of one file.
    pub(super) fn read(&mut self, file: &str, text: &str) -> Result<(), Error> {
        let file: Arc<str> = file.into();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut csv =
            csv::ReaderBuilder::new().comment(Some(b'#')).trim(csv::Trim::All).from_reader(text.as_bytes());
        let mut lines = Lines { file, text: text.as_bytes(), byte: 0, line: 1 };
        let header = csv.headers().map_err(|err| csv_error(&mut lines, err))?.clone();
        let columns = Columns::of(&header, &lines.place(header.position()))?;
        for record in csv.records() {
            let record = record.map_err(|err| csv_error(&mut lines, err))?;
            let place = lines.place(record.position());
            let organ = self.organ(&Fields { record: &record, columns: &columns, place: &place })?;
            self.rows.push(Row { organ, place });
        }
        Ok(())
    }

    /// All rows read, in the order of the files.
    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows
    }

    /// The same, with the rows of `changes` in place of those of the same organs.
    pub(super) fn into_rows_changed_by(mut self, changes: Self) -> Vec<Row> {
        let changed: HashSet<OrganId> = changes.rows.iter().map(|row| row.organ.id.clone()).collect();
        self.rows.retain(|row| !changed.contains(&row.organ.id));
        self.rows.extend(changes.rows);
        self.rows
    }

    fn organ(&mut self, fields: &Fields<'_>) -> Result<Organ, Error> {
        let id = fields.organ_id()?;
        let name = fields.name("name")?;
        let open_date = fields.date("open_date")?;
        let close_date = fields.date("close_date")?;
        if let (Some(open), Some(close)) = (open_date, close_date)
            && close <= open
        {
            return Err(fields.error("close_date", Why::CloseNotAfterOpen));
        }
        let successors = fields.successors()?;
        if !successors.is_empty() && close_date.is_none() {
            return Err(fields.error("successors", Why::SuccessorsWithoutClose));
        }
        let default_successor = fields.default_successor(&successors)?;
        let acts_for_below = fields.flag("acts_for_below")?;
        let link = fields.link()?;
        let rename = fields.rename()?;
        let certificates = fields.certificates()?;
        let legal_basis = self.legal_basis(fields.text("legal_basis"));
        Ok(Organ {
            id,
            name,
            rename,
            open_date,
            close_date,
            successors,
            default_successor,
            legal_basis,
            acts_for_below,
            certificates,
            link,
        })
    }

    fn legal_basis(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.legal_bases.get(text) {
            return known.clone();
        }
        let new: Arc<str> = text.into();
        self.legal_bases.insert(new.clone());
        new
    }
}

/// Where each of [`COLUMNS`] stands in a row.
struct Columns([Option<usize>; COLUMNS.len()]);

impl Columns {
    fn of(header: &StringRecord, place: &Place) -> Result<Self, Error> {
        for (at, column) in header.iter().enumerate() {
            if !COLUMNS.contains(&column) {
                return Err(place.error(column, Why::UnknownColumn));
            }
            if header.iter().take(at).any(|earlier| earlier == column) {
                return Err(place.error(column, Why::RepeatedColumn));
            }
        }
        let places = COLUMNS.map(|column| header.iter().position(|name| name == column));
        match COLUMNS.iter().zip(places).take(REQUIRED).find(|(_, place)| place.is_none()) {
            Some((column, _)) => Err(place.error(column, Why::MissingColumn)),
            None => Ok(Self(places)),
        }
    }
}

/// The fields of one row.
struct Fields<'a> {
    record: &'a StringRecord,
    columns: &'a Columns,
    place: &'a Place,
}

impl<'a> Fields<'a> {
    fn text(&self, column: &str) -> &'a str {
        let at = COLUMNS.iter().position(|name| *name == column).and_then(|at| self.columns.0[at]);
        at.and_then(|at| self.record.get(at)).unwrap_or_default()
    }

    fn error(&self, column: &str, why: Why) -> Error {
        self.place.error(column, why)
    }

    fn organ_id(&self) -> Result<OrganId, Error> {
        OrganId::parse(self.text("organ_id")).map_err(|err| self.error("organ_id", Why::BadOrganId(err)))
    }

    fn name(&self, column: &str) -> Result<Box<str>, Error> {
        let name: String = self.text(column).nfc().collect();
        match name.chars().count() {
            0 => Err(self.error(column, Why::EmptyName)),
            chars if chars > ORGAN_NAME_CHARS_MAX => Err(self.error(column, Why::NameTooLong(chars))),
            _ => Ok(name.into()),
        }
    }

    fn date(&self, column: &str) -> Result<Option<Date>, Error> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(None);
        }
        self.day(column, text).map(Some)
    }

    fn day(&self, column: &str, text: &str) -> Result<Date, Error> {
        day(text).ok_or_else(|| self.error(column, Why::BadDate(text.to_owned())))
    }

    /// The name it will bear, and from when.
    fn rename(&self) -> Result<Option<Box<Rename>>, Error> {
        match (self.date("rename_date")?, self.text("new_name")) {
            (None, "") => Ok(None),
            (None, _) => Err(self.error("rename_date", Why::NewNameWithoutDay)),
            (Some(from), _) => Ok(Some(Box::new(Rename { from, name: self.name("new_name")? }))),
        }
    }

    fn default_successor(&self, successors: &[OrganId]) -> Result<Option<OrganId>, Error> {
        let text = self.text("default_successor");
        if text.is_empty() {
            return Ok(None);
        }
        let id = OrganId::parse(text).map_err(|err| self.error("default_successor", Why::BadOrganId(err)))?;
        match successors.contains(&id) {
            true => Ok(Some(id)),
            false => Err(self.error("default_successor", Why::NoSuccessor(id))),
        }
    }

    /// `H02:2025-07-01:2026-01-01`, separated by `;`.
    fn certificates(&self) -> Result<Box<[Binding]>, Error> {
        const COLUMN: &str = "certificates";
        let text = self.text(COLUMN);
        let mut bindings = Vec::new();
        for part in text.split(';').filter(|_| !text.is_empty()) {
            let fields: Vec<&str> = part.split(':').map(str::trim).collect();
            let [organ, from, until] = fields[..] else {
                return Err(self.error(COLUMN, Why::BadBinding(part.to_owned())));
            };
            let organ = OrganId::parse(organ).map_err(|err| self.error(COLUMN, Why::BadOrganId(err)))?;
            let (from, until) = (self.day(COLUMN, from)?, self.day(COLUMN, until)?);
            if until <= from {
                return Err(self.error(COLUMN, Why::BadBinding(part.to_owned())));
            }
            bindings.push(Binding { organ, from, until });
        }
        match bindings.len() {
            count if count > CERTIFICATE_BINDINGS_MAX => Err(self.error(COLUMN, Why::TooManyBindings(count))),
            _ => Ok(bindings.into()),
        }
    }

    fn flag(&self, column: &str) -> Result<Option<bool>, Error> {
        match self.text(column) {
            "" => Ok(None),
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            other => Err(self.error(column, Why::BadFlag(other.to_owned()))),
        }
    }

    fn link(&self) -> Result<Link, Error> {
        let text = self.text("link");
        let known = Link::ALL.into_iter().find(|link| link.as_str() == text);
        match known {
            Some(link) => Ok(link),
            None if text.is_empty() => Ok(Link::default()),
            None => Err(self.error("link", Why::BadLink(text.to_owned()))),
        }
    }

    fn successors(&self) -> Result<Box<[OrganId]>, Error> {
        let text = self.text("successors");
        if text.is_empty() {
            return Ok(Box::default());
        }
        let mut successors: Vec<OrganId> = Vec::new();
        for part in text.split(';') {
            let id = OrganId::parse(part).map_err(|err| self.error("successors", Why::BadOrganId(err)))?;
            if successors.contains(&id) {
                return Err(self.error("successors", Why::RepeatedSuccessor(id)));
            }
            successors.push(id);
        }
        if successors.len() > SUCCESSORS_MAX {
            return Err(self.error("successors", Why::TooManySuccessors(successors.len())));
        }
        Ok(successors.into())
    }
}

/// A day as the files write it, `YYYY-MM-DD`.
pub(super) fn day(text: &str) -> Option<Date> {
    Date::parse(text, format_description!("[year]-[month]-[day]")).ok()
}

/// Tells the line of a row. The reader's own count stops before the comments and blank lines above a row.
struct Lines<'a> {
    file: Arc<str>,
    text: &'a [u8],
    byte: usize,
    line: u64,
}

impl Lines<'_> {
    fn place(&mut self, row: Option<&csv::Position>) -> Place {
        let byte = row.and_then(|row| usize::try_from(row.byte()).ok()).unwrap_or(self.byte);
        self.go_to(byte);
        while let Some(end) = self.text[self.byte..].iter().position(|byte| *byte == b'\n') {
            if !matches!(self.text[self.byte..self.byte + end], [] | [b'\r'] | [b'#', ..]) {
                break;
            }
            self.go_to(self.byte + end + 1);
        }
        Place { file: self.file.clone(), line: self.line }
    }

    fn go_to(&mut self, byte: usize) {
        if let Some(passed) = self.text.get(self.byte..byte) {
            self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
            self.byte = byte;
        }
    }
}

fn csv_error(lines: &mut Lines<'_>, err: csv::Error) -> Error {
    let place = lines.place(err.position());
    let why = match err.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            Why::FieldCount { expected: *expected_len, found: *len }
        }
        _ => Why::NotCsv(err.to_string()),
    };
    place.error("", why)
}
