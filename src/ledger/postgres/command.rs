//! What the writer is asked to do, and what became of it.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::domain::delivery::{DeliveryId, Event};
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::Asserter;
use crate::domain::time::Timestamp;
use crate::ledger::custody::{Work, Worked};
use crate::ledger::writer_thread::Answer;
use crate::ledger::{
    AcceptAnswers, Acceptance, Error, LinkChange, Ready, ReportAnswers, ReportRequest, StepAnswers,
    StepRequest,
};

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Accept(Vec<Acceptance>, Answer<AcceptAnswers>),
    Step(Vec<StepRequest>, Answer<StepAnswers>),
    Report(Vec<ReportRequest>, Answer<ReportAnswers>),
    NoteOverdue(Vec<DeliveryId>, Timestamp, Answer<Vec<bool>>),
    CountDuty { after: DeliveryId, from: Timestamp, by: Timestamp, answer: Answer<()> },
    Published(Vec<Ready>, Answer<()>),
    PublishAgain(Option<OrganId>, Answer<u64>),
    AdvanceMark(String, u64, u64, Answer<bool>),
    Custody(Work),
    ChangeLink(LinkChange, Answer<bool>),
    Probe(Answer<()>),
}

/// What a command came to; told once it is durable.
#[derive(Debug)]
pub(super) enum Done {
    Accept(AcceptAnswers),
    Step(StepAnswers),
    Report(ReportAnswers),
    NoteOverdue(Vec<bool>),
    PublishAgain(u64),
    AdvanceMark(bool),
    Custody(Worked),
    ChangeLink(bool),
    Nothing,
}

impl Command {
    pub fn operations(&self) -> usize {
        match self {
            Self::Accept(batch, _) => batch.len(),
            Self::Step(batch, _) => batch.len(),
            Self::Report(batch, _) => batch.len(),
            Self::Published(batch, _) => batch.len(),
            Self::Custody(work) => work.operations(),
            Self::NoteOverdue(batch, ..) => batch.len(),
            Self::CountDuty { .. }
            | Self::PublishAgain(..)
            | Self::AdvanceMark(..)
            | Self::ChangeLink(..)
            | Self::Probe(_) => 1,
        }
    }

    pub fn payload_bytes(&self) -> usize {
        match self {
            Self::Accept(batch, _) => batch.iter().map(|a| a.message.payload.len()).sum(),
            Self::Report(batch, _) => batch.iter().filter_map(|r| r.file.as_ref()).map(Bytes::len).sum(),
            _ => 0,
        }
    }

    /// The organs that must have a number before it can be done, beside those of the deliveries it is about.
    pub fn organs<'a>(&'a self, into: &mut BTreeSet<&'a OrganId>) {
        match self {
            Self::Accept(batch, _) => {
                for new in batch {
                    into.insert(&new.message.sender);
                    for addressee in &new.addressees {
                        into.insert(&addressee.recipient);
                        into.extend(addressee.redirected.as_ref().map(|(closed, _)| closed));
                    }
                    into.extend(new.change.as_ref().map(|change| &change.by));
                }
            }
            Self::Step(batch, _) => {
                into.extend(batch.iter().filter_map(|request| match &request.by {
                    Asserter::Gateway | Asserter::Operator(_) => None,
                    Asserter::Organ(organ) => Some(organ),
                }));
                into.extend(self.successors());
            }
            Self::Report(batch, _) => into.extend(batch.iter().map(|request| &request.by)),
            Self::Custody(work) => into.extend(work.organs()),
            Self::NoteOverdue(..)
            | Self::CountDuty { .. }
            | Self::Published(..)
            | Self::PublishAgain(..)
            | Self::AdvanceMark(..)
            | Self::ChangeLink(..)
            | Self::Probe(_) => {}
        }
    }

    /// The operators that must have a number before it can be done.
    pub fn operators(&self) -> Vec<&str> {
        match self {
            Self::Step(batch, _) => batch.iter().filter_map(|request| request.by.operator()).collect(),
            Self::Custody(work) => work.operator().into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// What it asks about what is kept.
    pub fn custody(&self) -> Option<&Work> {
        match self {
            Self::Custody(work) => Some(work),
            _ => None,
        }
    }

    /// The organs deliveries are redirected to, one for each redirection.
    pub fn successors(&self) -> impl Iterator<Item = &OrganId> {
        let steps = match self {
            Self::Step(batch, _) => batch.as_slice(),
            _ => &[],
        };
        steps.iter().filter_map(|request| match &request.event {
            Event::Redirect { to, .. } => Some(to),
            _ => None,
        })
    }

    /// Answers; the answer is of the kind that was asked for.
    pub fn answer(self, done: Done) {
        // Whoever asked may have gone; then nobody is told.
        let _gone = match (self, done) {
            (Self::Accept(_, answer), Done::Accept(answers)) => answer.send(Ok(answers)).is_err(),
            (Self::Step(_, answer), Done::Step(answers)) => answer.send(Ok(answers)).is_err(),
            (Self::Report(_, answer), Done::Report(answers)) => answer.send(Ok(answers)).is_err(),
            (Self::NoteOverdue(.., answer), Done::NoteOverdue(noted)) => answer.send(Ok(noted)).is_err(),
            (Self::PublishAgain(_, answer), Done::PublishAgain(count)) => answer.send(Ok(count)).is_err(),
            (Self::AdvanceMark(.., answer), Done::AdvanceMark(was)) => answer.send(Ok(was)).is_err(),
            (Self::Custody(work), Done::Custody(worked)) => return work.answer(worked),
            (Self::ChangeLink(_, answer), Done::ChangeLink(was)) => answer.send(Ok(was)).is_err(),
            (
                Self::Published(_, answer) | Self::Probe(answer) | Self::CountDuty { answer, .. },
                Done::Nothing,
            ) => answer.send(Ok(())).is_err(),
            _ => unreachable!("each command is answered by what it came to, in the order of the batch"),
        };
    }

    /// Nothing of it was done, or nobody knows.
    pub fn fail(self, error: &Error) {
        let error = error.clone();
        let _gone = match self {
            Self::Accept(_, answer) => answer.send(Err(error)).is_err(),
            Self::Step(_, answer) => answer.send(Err(error)).is_err(),
            Self::Report(_, answer) => answer.send(Err(error)).is_err(),
            Self::NoteOverdue(.., answer) => answer.send(Err(error)).is_err(),
            Self::Published(_, answer) | Self::Probe(answer) | Self::CountDuty { answer, .. } => {
                answer.send(Err(error)).is_err()
            }
            Self::PublishAgain(_, answer) => answer.send(Err(error)).is_err(),
            Self::Custody(work) => return work.fail(error),
            Self::AdvanceMark(.., answer) | Self::ChangeLink(_, answer) => answer.send(Err(error)).is_err(),
        };
    }
}
