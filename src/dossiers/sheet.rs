//! What one transaction does to dossiers, worked out before anything is written: the same for every store.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use bytes::Bytes;

use super::{Commit, Dossier, Event, NewStep, Published};
use crate::domain::dossier::{Course, DossierCode, Flags, ProcedureCode, StepRefused};
use crate::domain::time::Timestamp;

/// The last numbers given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heads {
    /// Of positions in the log.
    pub position: u64,
    /// Of dossiers.
    pub key: u64,
}

/// A held step.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub body: Bytes,
    /// When it is released.
    pub due_at: Timestamp,
}

/// A dossier while it is worked on.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub key: u64,
    pub procedure: ProcedureCode,
    pub due_at: Option<Timestamp>,
    pub course: Course,
    /// Of what the store has it with: all but the course. Only that changes with most steps.
    pub stored: Option<Outline>,
    /// Its held steps.
    pub held: HashMap<u32, Held>,
    pub is_changed: bool,
}

/// What of a dossier changes seldom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outline {
    pub procedure: ProcedureCode,
    pub due_at: Option<Timestamp>,
    pub open_due_at: Option<Timestamp>,
}

impl Row {
    /// A dossier of the store, with nothing held.
    pub fn of(dossier: Dossier) -> (DossierCode, Self) {
        let Dossier { key, code, procedure, due_at, course } = dossier;
        let held = HashMap::new();
        let mut row = Self { key, procedure, due_at, course, stored: None, held, is_changed: false };
        row.stored = Some(row.outline());
        (code, row)
    }

    /// What of it changes seldom.
    pub fn outline(&self) -> Outline {
        Outline { procedure: self.procedure.clone(), due_at: self.due_at, open_due_at: self.open_due_at() }
    }

    /// When it is to be done; none when it is.
    fn open_due_at(&self) -> Option<Timestamp> {
        self.due_at.filter(|_| !self.course.status().is_some_and(|status| status.is_done()))
    }
}

/// An event that becomes visible.
#[derive(Clone, Debug)]
pub(super) struct NewEvent {
    pub position: u64,
    pub dossier: u64,
    pub step: u32,
    pub flags: Flags,
    pub gap_from: u32,
    pub at: Timestamp,
    pub body: Bytes,
}

/// A step that is held.
#[derive(Clone, Debug)]
pub(super) struct NewHeld {
    pub dossier: u64,
    pub step: u32,
    pub at: Timestamp,
    pub due_at: Timestamp,
    pub body: Bytes,
}

/// One transaction's work.
#[derive(Debug)]
pub(super) struct Sheet {
    hold: Duration,
    pub heads: Heads,
    pub rows: HashMap<DossierCode, Row>,
    pub events: Vec<NewEvent>,
    /// To be kept as held. What is let go in the same transaction is never written.
    pub held: HashMap<(u64, u32), NewHeld>,
    /// Held before, visible now.
    pub let_go: Vec<(u64, u32)>,
    before: Heads,
}

impl Sheet {
    /// A transaction that begins after these numbers.
    pub fn new(heads: Heads, hold: Duration) -> Self {
        Self {
            hold,
            heads,
            rows: HashMap::new(),
            events: Vec::new(),
            held: HashMap::new(),
            let_go: Vec::new(),
            before: heads,
        }
    }

    /// Enters a dossier as the store has it; one that it does not have gets a number.
    pub fn enter(&mut self, new: &NewStep, stored: Option<Row>) {
        if let Entry::Vacant(place) = self.rows.entry(new.dossier.clone()) {
            let heads = &mut self.heads;
            place.insert(stored.unwrap_or_else(|| {
                heads.key += 1;
                Row {
                    key: heads.key,
                    procedure: new.procedure.clone(),
                    due_at: None,
                    course: Course::default(),
                    stored: None,
                    held: HashMap::new(),
                    is_changed: false,
                }
            }));
        }
    }

    /// Takes a step of a dossier that was entered.
    pub fn take(&mut self, new: &NewStep) -> Result<Published, StepRefused> {
        let row = self.rows.get_mut(&new.dossier).expect("dossiers are entered before their steps are taken");
        let number = new.offer.number;
        let taken = row.course.take(&new.offer)?;
        if !taken.repeated {
            row.is_changed = true;
            if row.course.last().is_some_and(|last| last.number == number) {
                row.procedure = new.procedure.clone();
                row.due_at = new.due_at.or(row.due_at);
            }
            if !taken.shown.contains(&number) {
                let (due_at, body) = (new.at.plus(self.hold), new.body.clone());
                row.held.insert(number, Held { body: body.clone(), due_at });
                let held = NewHeld { dossier: row.key, step: number, at: new.at, due_at, body };
                self.held.insert((row.key, number), held);
            }
        }
        self.show(&new.dossier, &taken.shown, new.at, Some((number, &new.body)));
        let row = &self.rows[&new.dossier];
        let mark = row.course.mark(number).expect("it was taken");
        Ok(Published {
            position: mark.position,
            repeated: taken.repeated,
            flags: mark.flags,
            missing: taken.missing,
            held_until: row.held.get(&number).map(|held| held.due_at),
        })
    }

    /// Releases what a dossier that was entered holds beyond its time. Gives how many steps are visible now.
    pub fn release(&mut self, dossier: &DossierCode, at: Timestamp) -> u64 {
        let Some(row) = self.rows.get_mut(dossier) else { return 0 };
        let due = row.held.iter().filter(|(_, held)| held.due_at <= at).map(|(number, _)| *number).max();
        let Some(up_to) = due else { return 0 };
        let released = row.course.release(up_to);
        row.is_changed = true;
        self.show(dossier, &released, at, None);
        released.len() as u64
    }

    /// What other nodes are told of it, once it is committed.
    pub fn commit(&self) -> Commit {
        Commit {
            events: Vec::new(),
            head: (self.heads.position > self.before.position).then_some(self.heads.position),
            due: self.held.values().map(|held| held.due_at).min(),
            missed: false,
        }
    }

    /// What this node is told of it then.
    pub fn into_commit(self) -> Commit {
        let commit = self.commit();
        let events = self.events.into_iter().map(|new| Event {
            position: Some(new.position),
            step: new.step,
            flags: new.flags,
            gap_from: new.gap_from,
            at: new.at,
            body: new.body,
        });
        Commit { events: events.collect(), ..commit }
    }

    /// The dossiers to be written.
    pub fn changed(&self) -> impl Iterator<Item = (&DossierCode, &Row)> {
        self.rows.iter().filter(|(_, row)| row.is_changed)
    }

    /// Whether there is nothing to write.
    pub fn is_blank(&self) -> bool {
        self.changed().next().is_none()
    }

    /// Shows steps of a dossier: what is held, or what has just come.
    fn show(&mut self, dossier: &DossierCode, numbers: &[u32], at: Timestamp, come: Option<(u32, &Bytes)>) {
        let row = self.rows.get_mut(dossier).expect("what is shown is of a dossier that was entered");
        for number in numbers {
            let body = match come {
                Some((come, body)) if come == *number => body.clone(),
                _ => {
                    let held =
                        row.held.remove(number).expect("what is visible now and has not just come was held");
                    if self.held.remove(&(row.key, *number)).is_none() {
                        self.let_go.push((row.key, *number));
                    }
                    held.body
                }
            };
            self.heads.position += 1;
            row.course.place(*number, self.heads.position);
            let mark = row.course.mark(*number).expect("it is shown");
            self.events.push(NewEvent {
                position: self.heads.position,
                dossier: row.key,
                step: *number,
                flags: mark.flags,
                gap_from: if mark.flags.has(Flags::AFTER_GAP) { row.course.gap_from(*number) } else { 0 },
                at,
                body,
            });
        }
    }
}
