//! The ledger on PostgreSQL, for several nodes at once: one writer a node with group commit, a pool of readers beside it.
//!
//! Nodes stay out of each other's way by the locks each transaction takes first, on the accounts of the senders and
//! recipients it concerns. Only then are numbers given, so that a log is never seen with a hole in it.

use std::sync::Arc;

use super::Commits;
use super::codes::bounded;
use super::writer_thread::WriterThread;
use crate::metrics::Metrics;

mod accept;
mod calls;
pub(crate) mod cells;
mod change;
mod columns;
mod command;
mod custody;
mod dead;
mod duty;
mod facts;
pub(crate) mod fault;
mod history;
mod holds;
mod lineage;
mod link;
mod links;
mod mailbox;
pub(crate) mod names;
mod node;
mod notes;
mod open;
mod options;
mod put;
mod read;
pub(crate) mod readers;
mod receipts;
mod redirect;
mod report;
mod schema;
pub(crate) mod server;
mod sheet;
mod statements;
mod step;
mod targets;
mod tls;
mod transaction;
mod writer;

pub use open::OpenError;
pub use options::{Host, Options};
pub use tls::{Tls, TlsError};

use command::Command;
use node::Membership;
use readers::Readers;

/// The ledger on PostgreSQL.
#[derive(Debug)]
pub struct PostgresLedger {
    // Before the rest: it has ended then.
    writer: WriterThread<Command>,
    readers: Readers,
    membership: Arc<Membership>,
}

impl PostgresLedger {
    /// Joins the nodes at work on the ledger, making or changing its tables where needed, and starts this node's writer.
    pub async fn open(options: &Options, metrics: Arc<Metrics>) -> Result<(Self, Commits), OpenError> {
        open::open(options, metrics).await
    }
}

impl Drop for PostgresLedger {
    fn drop(&mut self) {
        self.readers.close();
    }
}
