//! The ledger on SQLite: one writer thread with group commit, a few readers beside it (WAL).
//!
//! Whatever has gathered while one commit was being synced goes into the next: under load many operations share
//! one fsync, alone one has its own.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, watch};

use super::{
    AcceptAnswers, Acceptance, BecameReady, Between, Commits, Custody, DeadFilter, DeadLetter, DutyBounds,
    DutyFigures, Error, Hold, HoldError, HoldRequest, KeptBody, KeyedMessage, Ledger, Link, LinkChange,
    MailboxTally, MessageKey, MessageRecord, Nodes, OverdueOf, Pending, PurgeAnswers, PurgeRequest, Ready,
    ReleaseRequest, ReportAnswers, ReportRequest, StatusFile, StepAnswers, StepRequest, Story, Tally, Unheld,
};
use crate::domain::calendar::Day;
use crate::domain::delivery::{DeliveryId, Policy};
use crate::domain::link::LinkRecord;
use crate::domain::message::{Lane, MessageId};
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::Receipt;
use crate::domain::retention::HoldId;
use crate::domain::time::Timestamp;
use crate::metrics::Metrics;

mod accept;
mod change;
mod codes;
mod custody;
mod dead;
mod duty;
mod history;
mod holds;
mod lineage;
mod links;
mod mailbox;
mod organs;
mod outbox;
mod readers;
mod receipts;
mod redirect;
mod report;
mod schema;
mod step;
mod writer;

use super::custody::Work;
use readers::Readers;
use writer::Command;

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

/// The ledger on SQLite.
#[derive(Debug)]
pub struct SqliteLedger {
    commands: mpsc::Sender<Command>,
    readers: Readers,
    writer: Option<JoinHandle<()>>,
    nodes: watch::Sender<Nodes>,
    // Held for as long as the ledger is open.
    _lock: File,
}

impl SqliteLedger {
    /// Opens or makes the ledger and starts its writer.
    pub fn open(options: &Options, metrics: Arc<Metrics>) -> Result<(Self, Commits), OpenError> {
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
        Ok((Self { commands, readers, writer: Some(writer), nodes, _lock: lock }, commits))
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

/// Commits told and not yet taken; beyond it the writer waits.
const COMMITS_MAX: usize = 1_024;

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

impl Ledger for SqliteLedger {
    fn accept(&self, batch: Vec<Acceptance>) -> BoxFuture<'_, Result<Pending<AcceptAnswers>, Error>> {
        Box::pin(self.hand_over(|answer| Command::Accept(batch, answer)))
    }

    fn step(&self, batch: Vec<StepRequest>) -> BoxFuture<'_, Result<Pending<StepAnswers>, Error>> {
        Box::pin(self.hand_over(|answer| Command::Step(batch, answer)))
    }

    fn report(&self, batch: Vec<ReportRequest>) -> BoxFuture<'_, Result<Pending<ReportAnswers>, Error>> {
        Box::pin(self.hand_over(|answer| Command::Report(batch, answer)))
    }

    fn ready<'a>(
        &'a self,
        organ: &'a OrganId,
        lane: Lane,
        after: DeliveryId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Ready>, Error>> {
        let organ = organ.clone();
        Box::pin(self.readers.read(move |db, _| mailbox::ready(db, &organ, lane, after, limit)))
    }

    fn ready_in_lanes<'a>(
        &'a self,
        organ: &'a OrganId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Lane, Ready)>, Error>> {
        let organ = organ.clone();
        Box::pin(self.readers.read(move |db, _| mailbox::ready_in_lanes(db, &organ, limit)))
    }

    fn messages(&self, keys: Vec<MessageKey>) -> BoxFuture<'_, Result<Vec<KeyedMessage>, Error>> {
        Box::pin(self.readers.read(move |db, names| history::messages(db, names, &keys)))
    }

    fn due(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<DeliveryId>, Error>> {
        Box::pin(self.readers.read(move |db, _| mailbox::due(db, now, limit)))
    }

    fn next_due(&self) -> BoxFuture<'_, Result<Option<Timestamp>, Error>> {
        Box::pin(self.readers.read(|db, _| mailbox::next_due(db)))
    }

    fn held_by_streams(&self, limit: usize) -> BoxFuture<'_, Result<Vec<(DeliveryId, u32)>, Error>> {
        Box::pin(self.readers.read(move |db, _| mailbox::held_by_streams(db, limit)))
    }

    fn track<'a>(
        &'a self,
        sender: &'a OrganId,
        message_id: &'a MessageId,
    ) -> BoxFuture<'a, Result<Option<Story>, Error>> {
        let (sender, message_id) = (sender.clone(), message_id.clone());
        Box::pin(self.readers.read(move |db, names| history::track(db, names, &sender, &message_id)))
    }

    fn receipts<'a>(
        &'a self,
        sender: &'a OrganId,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Receipt>, Error>> {
        let sender = sender.clone();
        Box::pin(self.readers.read(move |db, names| receipts::of_sender(db, names, &sender, after, limit)))
    }

    fn delivery_of<'a>(
        &'a self,
        sender: &'a OrganId,
        document_id: &'a str,
        recipient: &'a OrganId,
        answers: bool,
    ) -> BoxFuture<'a, Result<Option<DeliveryId>, Error>> {
        let (sender, document_id, recipient) = (sender.clone(), document_id.to_owned(), recipient.clone());
        Box::pin(
            self.readers
                .read(move |db, _| report::delivery_of(db, &sender, &document_id, &recipient, answers)),
        )
    }

    fn between(&self, delivery: DeliveryId) -> BoxFuture<'_, Result<Option<Between>, Error>> {
        Box::pin(self.readers.read(move |db, names| report::between(db, names, delivery)))
    }

    fn lineage(&self, message: MessageKey) -> BoxFuture<'_, Result<Vec<Link>, Error>> {
        Box::pin(self.readers.read(move |db, names| lineage::lineage(db, names, message)))
    }

    fn status_file<'a>(
        &'a self,
        sender: &'a OrganId,
        sender_sequence: u64,
    ) -> BoxFuture<'a, Result<Option<StatusFile>, Error>> {
        let sender = sender.clone();
        Box::pin(self.readers.read(move |db, _| report::file(db, &sender, sender_sequence)))
    }

    fn sent<'a>(
        &'a self,
        sender: &'a OrganId,
        before: Option<MessageKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<MessageRecord>, Error>> {
        let sender = sender.clone();
        Box::pin(self.readers.read(move |db, names| history::sent(db, names, &sender, before, limit)))
    }

    fn received<'a>(
        &'a self,
        recipient: &'a OrganId,
        before: Option<DeliveryId>,
        open_only: bool,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<MessageRecord>, Error>> {
        let recipient = recipient.clone();
        Box::pin(
            self.readers
                .read(move |db, names| history::received(db, names, &recipient, before, open_only, limit)),
        )
    }

    fn note_overdue(
        &self,
        deliveries: Vec<DeliveryId>,
        at: Timestamp,
    ) -> BoxFuture<'_, Result<Pending<Vec<bool>>, Error>> {
        Box::pin(self.hand_over(move |answer| Command::NoteOverdue(deliveries, at, answer)))
    }

    fn unacknowledged(
        &self,
        by: Timestamp,
        after: DeliveryId,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<DeliveryId>, Error>> {
        Box::pin(self.readers.read(move |db, _| duty::unacknowledged(db, by, after, limit)))
    }

    fn duty_bounds(&self, by: Timestamp, after: DeliveryId) -> BoxFuture<'_, Result<DutyBounds, Error>> {
        Box::pin(self.readers.read(move |db, _| duty::bounds(db, by, after)))
    }

    fn count_duty(
        &self,
        after: DeliveryId,
        from: Timestamp,
        by: Timestamp,
    ) -> BoxFuture<'_, Result<Pending<()>, Error>> {
        Box::pin(self.hand_over(move |answer| Command::CountDuty { after, from, by, answer }))
    }

    fn overdue<'a>(
        &'a self,
        of: &'a OverdueOf,
        before: Option<DeliveryId>,
        open_only: bool,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<MessageRecord>, Error>> {
        let of = of.clone();
        Box::pin(
            self.readers.read(move |db, names| history::overdue(db, names, &of, before, open_only, limit)),
        )
    }

    fn overdue_recipients(&self) -> BoxFuture<'_, Result<Vec<OrganId>, Error>> {
        Box::pin(self.readers.read(duty::recipients))
    }

    fn duty_figures<'a>(
        &'a self,
        organ: Option<&'a OrganId>,
        days: (Day, Day),
        after: Option<&'a OrganId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<DutyFigures>, Error>> {
        let (organ, after) = (organ.cloned(), after.cloned());
        Box::pin(
            self.readers
                .read(move |db, names| duty::figures(db, names, organ.as_ref(), days, after.as_ref(), limit)),
        )
    }

    fn held_in_queue<'a>(
        &'a self,
        organ: &'a OrganId,
        before: Timestamp,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(DeliveryId, u32)>, Error>> {
        let organ = organ.clone();
        Box::pin(self.readers.read(move |db, _| mailbox::held_in_queue(db, &organ, before, limit)))
    }

    fn unheld<'a>(
        &'a self,
        organ: &'a OrganId,
        after: DeliveryId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Unheld>, Error>> {
        let organ = organ.clone();
        Box::pin(self.readers.read(move |db, _| mailbox::unheld(db, &organ, after, limit)))
    }

    fn unpublished(&self, after: DeliveryId, limit: usize) -> BoxFuture<'_, Result<Vec<BecameReady>, Error>> {
        Box::pin(self.readers.read(move |db, names| outbox::unpublished(db, names, after, limit)))
    }

    fn published(&self, ready: Vec<Ready>) -> BoxFuture<'_, Result<Pending<()>, Error>> {
        Box::pin(self.hand_over(|answer| Command::Published(ready, answer)))
    }

    fn publish_again<'a>(&'a self, organ: Option<&'a OrganId>) -> BoxFuture<'a, Result<Pending<u64>, Error>> {
        let organ = organ.cloned();
        Box::pin(self.hand_over(|answer| Command::PublishAgain(organ, answer)))
    }

    fn mark<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<u64, Error>> {
        let name = name.to_owned();
        Box::pin(self.readers.read(move |db, _| outbox::mark(db, &name)))
    }

    fn advance_mark<'a>(
        &'a self,
        name: &'a str,
        from: u64,
        to: u64,
    ) -> BoxFuture<'a, Result<Pending<bool>, Error>> {
        let name = name.to_owned();
        Box::pin(self.hand_over(move |answer| Command::AdvanceMark(name, from, to, answer)))
    }

    fn links(&self, of: Option<Vec<OrganId>>) -> BoxFuture<'_, Result<Vec<LinkRecord>, Error>> {
        Box::pin(self.readers.read(move |db, _| links::read(db, of.as_deref())))
    }

    fn change_link(&self, change: LinkChange) -> BoxFuture<'_, Result<Pending<bool>, Error>> {
        Box::pin(self.hand_over(|answer| Command::ChangeLink(change, answer)))
    }

    fn nodes(&self) -> watch::Receiver<Nodes> {
        self.nodes.subscribe()
    }

    fn mailboxes(&self) -> BoxFuture<'_, Result<Vec<MailboxTally>, Error>> {
        Box::pin(self.readers.read(mailbox::mailboxes))
    }

    fn tally(&self) -> BoxFuture<'_, Result<Tally, Error>> {
        Box::pin(self.readers.read(mailbox::tally))
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { self.hand_over(Command::Probe).await?.await })
    }
}

impl Custody for SqliteLedger {
    fn kept(&self, until: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<KeptBody>, Error>> {
        Box::pin(self.readers.read(move |db, names| custody::kept(db, names, until, limit)))
    }

    fn kept_since(&self) -> BoxFuture<'_, Result<Option<Timestamp>, Error>> {
        Box::pin(self.readers.read(|db, _| custody::kept_since(db)))
    }

    fn purge(&self, batch: Vec<PurgeRequest>) -> BoxFuture<'_, Result<Pending<PurgeAnswers>, Error>> {
        Box::pin(self.hand_over(|answer| Command::Custody(Work::Purge(batch, answer))))
    }

    fn hold(&self, request: HoldRequest) -> BoxFuture<'_, Result<Pending<Result<Hold, HoldError>>, Error>> {
        Box::pin(self.hand_over(|answer| Command::Custody(Work::Hold(request, answer))))
    }

    fn release(
        &self,
        request: ReleaseRequest,
    ) -> BoxFuture<'_, Result<Pending<Result<Hold, HoldError>>, Error>> {
        Box::pin(self.hand_over(|answer| Command::Custody(Work::Release(request, None, answer))))
    }

    fn let_go(&self, limit: usize) -> BoxFuture<'_, Result<Pending<u64>, Error>> {
        Box::pin(self.hand_over(move |answer| Command::Custody(Work::LetGo(limit, answer))))
    }

    fn holds(
        &self,
        released: bool,
        before: Option<HoldId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Hold>, Error>> {
        Box::pin(self.readers.read(move |db, _| holds::holds(db, released, before, limit)))
    }

    fn dead<'a>(
        &'a self,
        filter: &'a DeadFilter,
        after: DeliveryId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<DeadLetter>, Error>> {
        let filter = filter.clone();
        Box::pin(self.readers.read(move |db, names| dead::dead(db, names, &filter, after, limit)))
    }

    fn open_deliveries<'a>(&'a self, organ: &'a OrganId) -> BoxFuture<'a, Result<u64, Error>> {
        let organ = organ.clone();
        Box::pin(self.readers.read(move |db, _| organs::open_deliveries(db, &organ)))
    }

    fn bytes(&self) -> BoxFuture<'_, Result<u64, Error>> {
        Box::pin(self.readers.read(|db, _| custody::bytes(db)))
    }
}
