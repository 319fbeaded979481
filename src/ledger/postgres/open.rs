//! Opening the ledger: tables, the node's place among the others, and the thread on which its writer works.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::fault::Fault;
use super::link::Link;
use super::names::Names;
use super::node::{Membership, Presence};
use super::readers::Readers;
use super::server::Server;
use super::tls::TlsError;
use super::writer::Writer;
use super::{Options, PostgresLedger, schema};
use crate::ledger::writer_thread::WriterThread;
use crate::ledger::{Commit, Commits};
use crate::metrics::Metrics;

/// Commits told and not yet taken; beyond it the writer waits.
const COMMITS_MAX: usize = 1_024;

/// Why a ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Nothing protects the connection.
    #[error(
        "the connection to the database at {host} would not be encrypted; only one to this machine may be"
    )]
    Plaintext {
        /// Where the database is.
        host: String,
    },
    /// The password cannot be read.
    #[error("cannot read the database's password in {path}: {source}")]
    Password {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It was written by a later version.
    #[error(
        "the ledger in database {database} has schema version {found}, this program knows up to {known}; use the newer program"
    )]
    TooNew {
        /// The database.
        database: String,
        /// Its version.
        found: usize,
        /// The latest this program knows.
        known: usize,
    },
    /// Another process has this node's name.
    #[error("a gateway node named {node} is at work on this ledger; each node needs a name of its own")]
    InUse {
        /// The name.
        node: String,
    },
    /// The database says no, or cannot be reached.
    #[error("cannot open the ledger in database {database} at {hosts}: {why}")]
    Failed {
        /// The database.
        database: String,
        /// Where it may be.
        hosts: String,
        /// What it says.
        why: String,
    },
    /// The writer cannot be started.
    #[error("cannot start the ledger's writer: {0}")]
    Writer(#[source] std::io::Error),
}

impl OpenError {
    pub(crate) fn failed(options: &Options, fault: &Fault) -> Self {
        let hosts: Vec<_> = options.hosts.iter().map(ToString::to_string).collect();
        Self::Failed { database: options.database.clone(), hosts: hosts.join(", "), why: fault.to_string() }
    }
}

/// Opens the ledger. Its writer has a thread and a runtime of its own, so that whoever closes it can wait for it.
pub(super) async fn open(
    options: &Options,
    metrics: Arc<Metrics>,
) -> Result<(PostgresLedger, Commits), OpenError> {
    let server = Server::new(options)?;
    let names = Arc::new(Names::default());
    let readers = Readers::new(server.clone(), options, Arc::clone(&names));
    let (commands, queue) = mpsc::channel(options.queue_max);
    let (told, commits) = mpsc::channel(COMMITS_MAX);
    let (opened, outcome) = oneshot::channel();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(OpenError::Writer)?;
    let start = start(server, options.clone(), names, metrics, told.clone());
    let work = async move {
        let (writer, link, presence) = match start.await {
            Ok(started) => started,
            // Whoever asked may have gone.
            Err(error) => {
                let _gone = opened.send(Err(error)).is_err();
                return;
            }
        };
        let _gone = opened.send(Ok(Arc::clone(&presence.membership))).is_err();
        let leave = CancellationToken::new();
        let keeping = tokio::spawn(presence.keep(told, leave.clone()));
        writer.run(Box::new(link), queue).await;
        leave.cancel();
        if keeping.await.is_err() {
            tracing::error!("the task that keeps this node among the others had panicked");
        }
    };
    let writer = std::thread::Builder::new()
        .name("ledger-writer".to_owned())
        .spawn(move || runtime.block_on(work))
        .map_err(OpenError::Writer)?;
    let membership = outcome.await.unwrap_or_else(|_| Err(OpenError::failed(options, &Fault::Timeout)))?;
    Ok((PostgresLedger { writer: WriterThread::new(commands, writer), readers, membership }, commits))
}

async fn start(
    server: Server,
    options: Options,
    names: Arc<Names>,
    metrics: Arc<Metrics>,
    told: mpsc::Sender<Commit>,
) -> Result<(Writer, Link, Presence), OpenError> {
    schema::prepare(&server, &options).await?;
    let presence = Presence::join(server.clone(), &options, Arc::clone(&metrics)).await?;
    let link = Link::open(&server, None).await.map_err(|fault| OpenError::failed(&options, &fault))?;
    let (membership, heard): (Arc<Membership>, _) =
        (Arc::clone(&presence.membership), Arc::clone(&presence.heard));
    let writer = Writer { server, options, names, membership, heard, metrics, told, number: 0 };
    Ok((writer, link, presence))
}
