//! What the writer of a log is asked to do, and the way to it: the same for each store.

use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::{Advanced, Consumer, Enrolled, Enrolment, NewStep, Place, PublishAnswers};
use crate::domain::time::Timestamp;
use crate::ledger::{Error, Pending};

type Answer<T> = oneshot::Sender<Result<T, Error>>;

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

/// A writer on a thread of its own. Dropped, it finishes what it was given first.
#[derive(Debug)]
pub(super) struct WriterThread {
    commands: mpsc::Sender<Command>,
    thread: Option<JoinHandle<()>>,
}

impl WriterThread {
    /// One that takes what is sent here.
    pub fn new(commands: mpsc::Sender<Command>, thread: JoinHandle<()>) -> Self {
        Self { commands, thread: Some(thread) }
    }

    /// Hands it a command; waits where too many wait already.
    pub async fn ask<T>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Result<Pending<T>, Error> {
        let (answer, pending) = Pending::new();
        self.commands.send(command(answer)).await.map_err(|_| Error::Closed)?;
        Ok(pending)
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        let (closed, _) = mpsc::channel(1);
        self.commands = closed;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer of the log of dossiers had panicked");
        }
    }
}
