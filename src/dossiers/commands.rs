//! What the writer of a log is asked to do, the same for each store.

use tokio::sync::mpsc;

use super::{Advanced, Consumer, Enrolled, Enrolment, NewStep, Place, PublishAnswers};
use crate::domain::time::Timestamp;
use crate::ledger::Error;
use crate::ledger::writer_thread::Answer;

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Publish(Vec<NewStep>, Answer<PublishAnswers>),
    Release(Timestamp, Answer<u64>),
    Enrol(Enrolment, Answer<Enrolled>),
    Advance(Place, Answer<Advanced>),
    Dismiss(Consumer, Answer<bool>),
    Probe(Answer<()>),
}

/// What a command came to; told once it is durable.
pub(super) enum Done {
    Publish(PublishAnswers),
    Release(u64),
    Enrol(Enrolled),
    Advance(Advanced),
    Dismiss(bool),
    Nothing,
}

impl Command {
    /// How much of a commit it makes up.
    pub fn steps(&self) -> usize {
        match self {
            Self::Publish(batch, _) => batch.len(),
            Self::Release(..) | Self::Enrol(..) | Self::Advance(..) | Self::Dismiss(..) | Self::Probe(_) => 1,
        }
    }

    /// It could not be done.
    pub fn fail(self, error: &Error) {
        // Whoever asked may have gone; then nobody is told.
        let _gone = match self {
            Self::Publish(_, answer) => answer.send(Err(error.clone())).is_err(),
            Self::Release(_, answer) => answer.send(Err(error.clone())).is_err(),
            Self::Enrol(_, answer) => answer.send(Err(error.clone())).is_err(),
            Self::Advance(_, answer) => answer.send(Err(error.clone())).is_err(),
            Self::Dismiss(_, answer) => answer.send(Err(error.clone())).is_err(),
            Self::Probe(answer) => answer.send(Err(error.clone())).is_err(),
        };
    }

    /// It is done.
    pub fn answer(self, done: Done) {
        let _gone = match (self, done) {
            (Self::Publish(_, answer), Done::Publish(answers)) => answer.send(Ok(answers)).is_err(),
            (Self::Release(_, answer), Done::Release(count)) => answer.send(Ok(count)).is_err(),
            (Self::Enrol(_, answer), Done::Enrol(enrolled)) => answer.send(Ok(enrolled)).is_err(),
            (Self::Advance(_, answer), Done::Advance(advanced)) => answer.send(Ok(advanced)).is_err(),
            (Self::Dismiss(_, answer), Done::Dismiss(was_there)) => answer.send(Ok(was_there)).is_err(),
            (Self::Probe(answer), Done::Nothing) => answer.send(Ok(())).is_err(),
            _ => unreachable!("each command is answered by what it came to, in the order of the batch"),
        };
    }
}

/// A command and what waits behind it, up to so many steps; how many they are.
pub(super) fn gather(
    first: Command,
    queue: &mut mpsc::Receiver<Command>,
    steps_max: usize,
) -> (Vec<Command>, usize) {
    let mut steps = first.steps();
    let mut batch = vec![first];
    while steps < steps_max {
        let Ok(next) = queue.try_recv() else { break };
        steps += next.steps();
        batch.push(next);
    }
    (batch, steps)
}
