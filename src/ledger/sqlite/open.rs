//! Opening the ledger: the lock on its file, its readers, and the thread on which its writer works.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::file::{self, Form, OpenError};
use super::readers::Readers;
use super::{SqliteLedger, outbox, writer};
use crate::domain::delivery::Policy;
use crate::ledger::writer_thread::WriterThread;
use crate::ledger::{Commits, Nodes};
use crate::metrics::Metrics;

/// Commits told and not yet taken; beyond it the writer waits.
const COMMITS_MAX: usize = 1_024;

const FORM: Form = Form {
    name: "the ledger",
    migrations: &[include_str!("0001_init.sql"), include_str!("0002_outbox.sql")],
    // Several 2 KB documents share a page, and one that changes in many places is not too much to write again.
    page_bytes: 16_384,
    // 128 MB, so that pages changed over and over are copied once.
    wal_pages_max: 8_192,
    writer_cache_kib: 65_536,
    reader_cache_kib: 4_096,
    statements_max: 64,
};

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

/// Opens or makes the ledger and starts its writer.
pub(super) fn open(options: &Options, metrics: Arc<Metrics>) -> Result<(SqliteLedger, Commits), OpenError> {
    let lock = file::lock(&options.path)?;
    let sqlite = OpenError::sqlite(&options.path);
    let connection = file::open_writer(&options.path, &FORM)?;
    outbox::keep(&connection, options.outbox).map_err(sqlite)?;
    let readers = Readers::open(&options.path, &FORM, options.readers).map_err(sqlite)?;
    let (commands, queue) = mpsc::channel(options.queue_max);
    let (told, commits) = mpsc::channel(COMMITS_MAX);
    let writer = writer::Writer::new(connection, options.clone(), metrics, told).map_err(sqlite)?;
    let writer = std::thread::Builder::new()
        .name("ledger-writer".to_owned())
        .spawn(move || writer.run(queue))
        .map_err(OpenError::io(&options.path))?;
    let nodes = watch::Sender::new(Nodes::alone());
    let names = Arc::default();
    let writer = WriterThread::new(commands, writer);
    Ok((SqliteLedger { writer, readers, names, nodes, _lock: lock }, commits))
}
