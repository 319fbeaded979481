//! `[ledger]`: the durable store.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::check::{self, Flaw};

/// Smallest bound on bytes that still lets small messages share a commit or a window.
const BYTES_BOUND_MIN: usize = 65_536;

/// In what the ledger is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Store {
    /// A file of this node.
    Sqlite,
    /// A database that nodes share, reached as `[postgres]` says.
    Postgres,
}

/// The ledger.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// In what it is kept.
    pub store: Store,
    /// The database file, for SQLite.
    pub path: PathBuf,
    /// Changes in one transaction.
    pub commit_batch_max: usize,
    /// Payload bytes in one transaction.
    pub commit_bytes_max: usize,
    /// Changes waiting for the writer.
    pub queue_max: usize,
    /// Connections that read.
    pub readers: usize,
    /// Free disk space under which the gateway is not ready, bytes.
    pub disk_free_bytes_min: u64,
}

impl Ledger {
    pub(super) fn check(&self) -> Result<(), Flaw> {
        check::path("ledger.path", &self.path)?;
        check::number("ledger.commit_batch_max", self.commit_batch_max, 1..=100_000)?;
        check::number("ledger.commit_bytes_max", self.commit_bytes_max, BYTES_BOUND_MIN..=usize::MAX >> 1)?;
        check::number("ledger.queue_max", self.queue_max, self.commit_batch_max..=1_000_000)?;
        check::number("ledger.readers", self.readers, 1..=64)
    }
}
