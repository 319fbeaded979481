//! The ledger on SQLite: one writer thread with group commit, a few readers beside it (WAL).
//!
//! Whatever has gathered while one commit was being synced goes into the next: under load many operations share
//! one fsync, alone one has its own.

use std::fs::File;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::watch;

use super::writer_thread::WriterThread;
use super::{Commits, Error, Nodes};
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
    // Before the rest: it has ended then.
    writer: WriterThread<Command>,
    readers: Readers,
    names: Arc<Names>,
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
}
