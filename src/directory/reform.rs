//! Reforms: files of changes to the directory - organs opened, renamed, moved, merged, split, closed - applied to it as a whole.

use std::collections::BTreeMap;
use std::path::Path;

use time::Date;

use super::Directory;
use super::organ::{Binding, Organ, Rename};
use crate::domain::limits::SUCCESSORS_MAX;
use crate::domain::organ_id::OrganId;

mod error;
mod read;

pub use self::error::{Error, Why};
pub use self::read::{Change, Kind, Reform};

/// What a reform makes of a directory.
#[derive(Debug)]
pub struct Outcome {
    /// The directory afterwards.
    pub directory: Directory,
    /// The text of the file of changes afterwards.
    pub changes: String,
    /// What each change did to each organ, in the order of the file.
    pub effects: Vec<Effect>,
}

/// What one change does to one organ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The number of the change in the file, from 1.
    pub change: usize,
    /// What is changed.
    pub kind: Kind,
    /// The organ.
    pub organ: OrganId,
    /// From which day on.
    pub day: Date,
    /// By which law.
    pub legal_basis: String,
    /// The organs that take over, or whose certificates it is about.
    pub others: Vec<OrganId>,
    /// How the organ's system is attached.
    pub link: super::Link,
}

impl Reform {
    /// Works out what the reform makes of the directory of these files. Writes nothing.
    pub fn apply(&self, files: &[impl AsRef<Path>], changes: &Path) -> Result<Outcome, Error> {
        let before = Directory::read(files, changes)?;
        let mut desk = Desk { before: &before, touched: BTreeMap::new(), effects: Vec::new() };
        for (number, change) in (1..).zip(&self.changes) {
            let place =
                |why| Error::Change { file: self.file.clone(), change: number, kind: change.kind, why };
            desk.make(number, change).map_err(place)?;
        }
        let Desk { mut touched, effects, .. } = desk;
        for organ in Directory::changes(changes)? {
            touched.entry(organ.id.clone()).or_insert(organ);
        }
        let text = Directory::to_csv(touched.values());
        let directory = Directory::read_with(files, changes, &text)?;
        Ok(Outcome { directory, changes: text, effects })
    }
}

/// The rows in the making.
struct Desk<'a> {
    before: &'a Directory,
    touched: BTreeMap<OrganId, Organ>,
    effects: Vec<Effect>,
}

impl Desk<'_> {
    fn make(&mut self, number: usize, change: &Change) -> Result<(), Why> {
        match change.kind {
            Kind::Open => self.open(number, change, &change.organ()?, change.name()?, None),
            Kind::Rename => self.rename(number, change),
            Kind::Move => self.relocate(number, change),
            Kind::Merge => self.merge(number, change),
            Kind::Split => self.split(number, change),
            Kind::Close => self.close(number, change, &change.organ()?, &[], None),
            Kind::Successor => self.succeed(number, change),
            Kind::Rebind => self.rebind(number, change),
        }
    }

    fn find(&self, id: &OrganId) -> Option<&Organ> {
        self.touched.get(id).or_else(|| self.before.get(id))
    }

    fn known(&self, id: &OrganId) -> Result<Organ, Why> {
        self.find(id).cloned().ok_or_else(|| Why::UnknownOrgan(id.clone()))
    }

    fn put(&mut self, number: usize, change: &Change, organ: Organ, others: &[OrganId]) -> Result<(), Why> {
        self.effects.push(Effect {
            change: number,
            kind: change.kind,
            organ: organ.id.clone(),
            day: change.day()?,
            legal_basis: change.legal_basis.clone(),
            others: others.to_vec(),
            link: organ.link,
        });
        self.touched.insert(organ.id.clone(), organ);
        Ok(())
    }

    fn open(
        &mut self,
        number: usize,
        change: &Change,
        id: &OrganId,
        name: &str,
        like: Option<&Organ>,
    ) -> Result<(), Why> {
        if self.find(id).is_some() {
            return Err(Why::AlreadyThere(id.clone()));
        }
        let organ = Organ {
            id: id.clone(),
            name: name.into(),
            rename: None,
            open_date: Some(change.day()?),
            close_date: None,
            successors: Box::default(),
            default_successor: None,
            legal_basis: change.legal_basis.as_str().into(),
            acts_for_below: change.acts_for_below.or(like.and_then(|like| like.acts_for_below)),
            certificates: Box::default(),
            link: change.link.or(like.map(|like| like.link)).unwrap_or_default(),
        };
        self.put(number, change, organ, &[])
    }

    fn rename(&mut self, number: usize, change: &Change) -> Result<(), Why> {
        let (mut organ, from) = (self.known(&change.organ()?)?, change.day()?);
        if organ.is_closed_on(from) {
            return Err(Why::AlreadyClosed(organ.id));
        }
        if let Some(earlier) = organ.rename.take() {
            if earlier.from > from {
                return Err(Why::LaterRename(earlier.from));
            }
            organ.name = earlier.name;
        }
        organ.rename = Some(Box::new(Rename { from, name: change.name()?.into() }));
        organ.legal_basis = change.legal_basis.as_str().into();
        self.put(number, change, organ, &[])
    }

    /// The id says where an organ belongs: one that moves has another from then on.
    fn relocate(&mut self, number: usize, change: &Change) -> Result<(), Why> {
        let (old, to, day) = (self.known(&change.organ()?)?, change.to()?, change.day()?);
        let name = change.name().map_or_else(|_| old.name_on(day).to_owned(), str::to_owned);
        self.open(number, change, &to, &name, Some(&old))?;
        self.close(number, change, &old.id, std::slice::from_ref(&to), None)
    }

    fn merge(&mut self, number: usize, change: &Change) -> Result<(), Why> {
        let [into] = change.into.as_slice() else { return Err(Why::OneInto(change.into.len())) };
        if change.organs.is_empty() {
            return Err(Why::Missing("organs"));
        }
        for organ in &change.organs {
            self.close(number, change, organ, &change.into, None)?;
        }
        self.known(into).map(drop)
    }

    fn split(&mut self, number: usize, change: &Change) -> Result<(), Why> {
        if change.into.len() < 2 {
            return Err(Why::SeveralInto(change.into.len()));
        }
        self.close(number, change, &change.organ()?, &change.into, change.handler.clone())
    }

    fn close(
        &mut self,
        number: usize,
        change: &Change,
        id: &OrganId,
        successors: &[OrganId],
        handler: Option<OrganId>,
    ) -> Result<(), Why> {
        let mut organ = self.known(id)?;
        if organ.close_date.is_some() {
            return Err(Why::AlreadyClosed(organ.id));
        }
        let day = change.day()?;
        if organ.open_date.is_some_and(|open| open >= day) {
            return Err(Why::NotOpenYet(organ.id));
        }
        organ.close_date = Some(day);
        organ.legal_basis = change.legal_basis.as_str().into();
        self.follow(&mut organ, successors, handler)?;
        self.put(number, change, organ, successors)
    }

    fn succeed(&mut self, number: usize, change: &Change) -> Result<(), Why> {
        let mut organ = self.known(&change.organ()?)?;
        if organ.close_date.is_none() {
            return Err(Why::NotClosed(organ.id));
        }
        organ.legal_basis = change.legal_basis.as_str().into();
        self.follow(&mut organ, &change.into, change.handler.clone())?;
        self.put(number, change, organ, &change.into)
    }

    fn follow(&self, organ: &mut Organ, successors: &[OrganId], handler: Option<OrganId>) -> Result<(), Why> {
        if successors.len() > SUCCESSORS_MAX {
            return Err(Why::TooManySuccessors(successors.len()));
        }
        for successor in successors {
            self.known(successor)?;
        }
        if let Some(handler) = handler.as_ref().filter(|handler| !successors.contains(handler)) {
            return Err(Why::HandlerNotNamed(handler.clone()));
        }
        organ.successors = successors.into();
        organ.default_successor = handler;
        Ok(())
    }

    fn rebind(&mut self, number: usize, change: &Change) -> Result<(), Why> {
        let (mut organ, of) = (self.known(&change.organ()?)?, change.certificate_of()?);
        self.known(&of)?;
        let (from, until) = (change.day()?, change.until()?);
        if until <= from {
            return Err(Why::UntilNotLater);
        }
        let mut bindings: Vec<Binding> = organ.certificates.into_vec();
        bindings.retain(|binding| binding.organ != of);
        bindings.push(Binding { organ: of.clone(), from, until });
        organ.certificates = bindings.into();
        self.put(number, change, organ, &[of])
    }
}

#[cfg(test)]
mod tests;
