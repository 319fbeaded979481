//! The ledger on SQLite: one writer thread with group commit, a few readers beside it (WAL).
//!
//! Whatever has gathered while one commit was being synced goes into the next: under load many operations share
//! one fsync, alone one has its own.

use std::fs::File;
use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, watch};

use super::{Commits, Error, Nodes, Pending};
use crate::metrics::Metrics;

mod accept;
mod calls;
mod change;
mod codes;
mod custody;
mod dead;
mod duty;
pub(crate) mod file;
mod history;
mod holds;
mod lineage;
mod links;
mod mailbox;
mod open;
mod organs;
mod outbox;
pub(crate) mod readers;
mod receipts;
mod redirect;
mod report;
mod step;
mod writer;

pub use file::OpenError;
pub use open::Options;

use organs::Names;
use readers::Readers;
use writer::Command;

/// The ledger on SQLite.
#[derive(Debug)]
pub struct SqliteLedger {
    commands: mpsc::Sender<Command>,
    readers: Readers,
    names: Arc<Names>,
    writer: Option<JoinHandle<()>>,
    nodes: watch::Sender<Nodes>,
    // Held for as long as the ledger is open.
    _lock: File,
}

impl SqliteLedger {
    /// Opens or makes the ledger and starts its writer.
    pub fn open(options: &Options, metrics: Arc<Metrics>) -> Result<(Self, Commits), OpenError> {
        open::open(options, metrics)
    }

    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection, &Names) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let names = Arc::clone(&self.names);
        self.readers.read(move |db| query(db, &names)).await
    }

    async fn hand_over<T>(
        &self,
        command: impl FnOnce(tokio::sync::oneshot::Sender<Result<T, Error>>) -> Command,
    ) -> Result<Pending<T>, Error> {
        let (answer, pending) = Pending::new();
        self.commands.send(command(answer)).await.map_err(|_| Error::Closed)?;
        Ok(pending)
    }
}

impl Drop for SqliteLedger {
    /// Lets the writer finish what it was given, and waits for it.
    fn drop(&mut self) {
        let (closed, _) = mpsc::channel(1);
        self.commands = closed;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the ledger's writer had panicked");
        }
    }
}
