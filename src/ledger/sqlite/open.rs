//! Opening the ledger: the lock on its file, its readers, and the thread on which its writer works.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::readers::Readers;
use super::{SqliteLedger, outbox, schema, writer};
use crate::domain::delivery::Policy;
use crate::ledger::{Commits, Nodes};
use crate::metrics::Metrics;

/// Commits told and not yet taken; beyond it the writer waits.
const COMMITS_MAX: usize = 1_024;

/// How a SQLite ledger is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// The database file; made when it is not there.
    pub path: PathBuf,
    /// Most operations in one commit.
    pub commit_batch_max: usize,
    /// Most payload bytes in one commit, beyond which it takes no further operation.
    pub commit_bytes_max: usize,
    /// Most operations waiting for a commit; beyond it callers wait.
    pub queue_max: usize,
    /// How many readers work at a time.
    pub readers: usize,
    /// Most open deliveries of one recipient.
    pub mailbox_deliveries_max: u64,
    /// How retries go.
    pub policy: Policy,
    /// Whether to keep what the broker has not confirmed: true where the broker is outside the gateway.
    pub outbox: bool,
}

/// Why a ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or the lock file cannot be made.
    #[error("cannot open the ledger {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error("the ledger {path} is open in another process; one gateway at a time may serve it")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It was written by a later version.
    #[error(
        "the ledger {path} has schema version {found}, this program knows up to {known}; use the newer program"
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The latest this program knows.
        known: u32,
    },
    /// SQLite says no.
    #[error("cannot open the ledger {path}: {source}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

/// Opens or makes the ledger and starts its writer.
pub(super) fn open(options: &Options, metrics: Arc<Metrics>) -> Result<(SqliteLedger, Commits), OpenError> {
    let lock = lock(options)?;
    let sqlite = |source| OpenError::Sqlite { path: options.path.clone(), source };
    let connection = schema::open_writer(&options.path)?;
    outbox::keep(&connection, options.outbox).map_err(sqlite)?;
    let readers = Readers::open(&options.path, options.readers).map_err(sqlite)?;
    let (commands, queue) = mpsc::channel(options.queue_max);
    let (told, commits) = mpsc::channel(COMMITS_MAX);
    let writer = writer::Writer::new(connection, options.clone(), metrics, told).map_err(sqlite)?;
    let writer = std::thread::Builder::new()
        .name("ledger-writer".to_owned())
        .spawn(move || writer.run(queue))
        .map_err(|source| OpenError::Io { path: options.path.clone(), source })?;
    let nodes = watch::Sender::new(Nodes::alone());
    Ok((SqliteLedger { commands, readers, writer: Some(writer), nodes, _lock: lock }, commits))
}

fn lock(options: &Options) -> Result<File, OpenError> {
    let io = |source| OpenError::Io { path: options.path.clone(), source };
    if let Some(folder) = options.path.parent() {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    let mut name = options.path.clone().into_os_string();
    name.push(".lock");
    let file = File::create(name).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: options.path.clone() }),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}
