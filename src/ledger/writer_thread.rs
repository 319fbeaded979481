//! The way to a writer on a thread of its own: the same for the ledger and the log of dossiers, on each store.

use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::{Error, Pending};

/// Where a command is answered.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, Error>>;

/// A writer that takes such commands. Dropped, it finishes what it was given first.
#[derive(Debug)]
pub(crate) struct WriterThread<C> {
    commands: mpsc::Sender<C>,
    thread: Option<JoinHandle<()>>,
}

impl<C> WriterThread<C> {
    /// The one that takes what is sent here.
    pub fn new(commands: mpsc::Sender<C>, thread: JoinHandle<()>) -> Self {
        Self { commands, thread: Some(thread) }
    }

    /// Hands it a command; waits where too many wait already.
    pub async fn ask<T>(&self, command: impl FnOnce(Answer<T>) -> C) -> Result<Pending<T>, Error> {
        let (answer, pending) = Pending::new();
        self.commands.send(command(answer)).await.map_err(|_| Error::Closed)?;
        Ok(pending)
    }
}

impl<C> Drop for WriterThread<C> {
    fn drop(&mut self) {
        let (closed, _) = mpsc::channel(1);
        self.commands = closed;
        let Some(thread) = self.thread.take() else { return };
        let name = thread.thread().name().unwrap_or_default().to_owned();
        if thread.join().is_err() {
            tracing::error!(name, "a writer had panicked");
        }
    }
}
