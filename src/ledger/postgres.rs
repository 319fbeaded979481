//! The ledger on PostgreSQL, for several nodes at once: one writer a node with group commit, a pool of readers beside it.
//!
//! Nodes stay out of each other's way by the locks each transaction takes first, on the accounts of the senders and
//! recipients it concerns. Only then are numbers given, so that a log is never seen with a hole in it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, watch};

use super::codes::bounded;
use super::custody::Work;
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
pub use tls::{Tls, TlsError};

use command::Command;
use node::Membership;
use readers::Readers;

/// A place where the database may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// A name, an address, or the folder of a Unix socket, which begins with `/`.
    pub name: String,
    /// The port.
    pub port: u16,
}

impl Host {
    /// True when it is this machine.
    pub fn is_local(&self) -> bool {
        let address: Option<IpAddr> = self.name.parse().ok();
        self.name.starts_with('/') || self.name == "localhost" || address.is_some_and(|a| a.is_loopback())
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.name, self.port)
    }
}

/// How a PostgreSQL ledger is reached and kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// This node's name; no other node at work may have it.
    pub node: String,
    /// Where the database may be. The one that can be written is used.
    pub hosts: Vec<Host>,
    /// The database.
    pub database: String,
    /// Its user; the tables are this user's.
    pub user: String,
    /// The file of the password, where one is asked for.
    pub password_file: Option<PathBuf>,
    /// How connections are protected.
    pub tls: Tls,
    /// How many readers work at a time.
    pub pool_max: usize,
    /// How long a reader waits for its turn.
    pub pool_wait_timeout: Duration,
    /// What connecting to one host may take.
    pub connect_timeout: Duration,
    /// What one statement may take.
    pub statement_timeout: Duration,
    /// How long one statement waits for other nodes' locks.
    pub lock_timeout: Duration,
    /// What was sent and is not acknowledged in this time ends a connection.
    pub tcp_user_timeout: Duration,
    /// How long a commit is tried again before its callers are told that it failed.
    pub retry_max: Duration,
    /// A node that is silent this long counts as gone.
    pub node_timeout: Duration,
    /// Most operations in one commit.
    pub commit_batch_max: usize,
    /// Most payload bytes in one commit, beyond which it takes no further operation.
    pub commit_bytes_max: usize,
    /// Most operations waiting for a commit; beyond it callers wait.
    pub queue_max: usize,
    /// Most open deliveries of one recipient.
    pub mailbox_deliveries_max: u64,
    /// How retries go.
    pub policy: Policy,
    /// Keeps what becomes ready until [`Ledger::published`] says the broker has it.
    pub outbox: bool,
}

/// The ledger on PostgreSQL.
#[derive(Debug)]
pub struct PostgresLedger {
    commands: mpsc::Sender<Command>,
    readers: Readers,
    membership: Arc<Membership>,
    writer: Option<JoinHandle<()>>,
}

impl PostgresLedger {
    /// Joins the nodes at work on the ledger, making or changing its tables where needed, and starts this node's writer.
    pub async fn open(options: &Options, metrics: Arc<Metrics>) -> Result<(Self, Commits), OpenError> {
        open::open(options, metrics).await
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

impl Drop for PostgresLedger {
    /// Lets the writer finish what it was given and the node leave, and waits for it.
    fn drop(&mut self) {
        self.readers.close();
        let (closed, _) = mpsc::channel(1);
        self.commands = closed;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the ledger's writer had panicked");
        }
    }
}

impl Ledger for PostgresLedger {
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
        Box::pin(
            self.readers.read(move |db, _| Box::pin(mailbox::ready(db, organ.clone(), lane, after, limit))),
        )
    }

    fn ready_in_lanes<'a>(
        &'a self,
        organ: &'a OrganId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Lane, Ready)>, Error>> {
        let organ = organ.clone();
        Box::pin(self.readers.read(move |db, _| Box::pin(mailbox::ready_in_lanes(db, organ.clone(), limit))))
    }

    fn messages(&self, keys: Vec<MessageKey>) -> BoxFuture<'_, Result<Vec<KeyedMessage>, Error>> {
        Box::pin(self.readers.read(move |db, names| Box::pin(history::messages(db, names, keys.clone()))))
    }

    fn due(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<DeliveryId>, Error>> {
        Box::pin(self.readers.read(move |db, _| Box::pin(mailbox::due(db, now, limit))))
    }

    fn next_due(&self) -> BoxFuture<'_, Result<Option<Timestamp>, Error>> {
        Box::pin(self.readers.read(|db, _| Box::pin(mailbox::next_due(db))))
    }

    fn held_by_streams(&self, limit: usize) -> BoxFuture<'_, Result<Vec<(DeliveryId, u32)>, Error>> {
        Box::pin(self.readers.read(move |db, _| Box::pin(mailbox::held_by_streams(db, limit))))
    }

    fn track<'a>(
        &'a self,
        sender: &'a OrganId,
        message_id: &'a MessageId,
    ) -> BoxFuture<'a, Result<Option<Story>, Error>> {
        let (sender, id) = (sender.clone(), message_id.clone());
        Box::pin(
            self.readers
                .read(move |db, names| Box::pin(history::track(db, names, sender.clone(), id.clone()))),
        )
    }

    fn receipts<'a>(
        &'a self,
        sender: &'a OrganId,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Receipt>, Error>> {
        let sender = sender.clone();
        Box::pin(
            self.readers.read(move |db, names| {
                Box::pin(receipts::of_sender(db, names, sender.clone(), after, limit))
            }),
        )
    }

    fn delivery_of<'a>(
        &'a self,
        sender: &'a OrganId,
        document_id: &'a str,
        recipient: &'a OrganId,
        answers: bool,
    ) -> BoxFuture<'a, Result<Option<DeliveryId>, Error>> {
        let (sender, id, recipient) = (sender.clone(), document_id.to_owned(), recipient.clone());
        Box::pin(self.readers.read(move |db, _| {
            Box::pin(report::delivery_of(db, sender.clone(), id.clone(), recipient.clone(), answers))
        }))
    }

    fn between(&self, delivery: DeliveryId) -> BoxFuture<'_, Result<Option<Between>, Error>> {
        Box::pin(self.readers.read(move |db, _| Box::pin(report::between(db, delivery))))
    }

    fn lineage(&self, message: MessageKey) -> BoxFuture<'_, Result<Vec<Link>, Error>> {
        Box::pin(self.readers.read(move |db, names| Box::pin(lineage::lineage(db, names, message))))
    }

    fn status_file<'a>(
        &'a self,
        sender: &'a OrganId,
        sender_sequence: u64,
    ) -> BoxFuture<'a, Result<Option<StatusFile>, Error>> {
        let sender = sender.clone();
        Box::pin(self.readers.read(move |db, _| Box::pin(report::file(db, sender.clone(), sender_sequence))))
    }

    fn sent<'a>(
        &'a self,
        sender: &'a OrganId,
        before: Option<MessageKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<MessageRecord>, Error>> {
        let sender = sender.clone();
        Box::pin(
            self.readers
                .read(move |db, names| Box::pin(history::sent(db, names, sender.clone(), before, limit))),
        )
    }

    fn received<'a>(
        &'a self,
        recipient: &'a OrganId,
        before: Option<DeliveryId>,
        open_only: bool,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<MessageRecord>, Error>> {
        let recipient = recipient.clone();
        Box::pin(self.readers.read(move |db, names| {
            Box::pin(history::received(db, names, recipient.clone(), before, open_only, limit))
        }))
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
        Box::pin(self.readers.read(move |db, _| Box::pin(duty::unacknowledged(db, by, after, limit))))
    }

    fn duty_bounds(&self, by: Timestamp, after: DeliveryId) -> BoxFuture<'_, Result<DutyBounds, Error>> {
        Box::pin(self.readers.read(move |db, _| Box::pin(duty::bounds(db, by, after))))
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
        Box::pin(self.readers.read(move |db, names| {
            Box::pin(history::overdue(db, names, of.clone(), before, open_only, limit))
        }))
    }

    fn overdue_recipients(&self) -> BoxFuture<'_, Result<Vec<OrganId>, Error>> {
        Box::pin(self.readers.read(|db, names| Box::pin(duty::recipients(db, names))))
    }

    fn duty_figures<'a>(
        &'a self,
        organ: Option<&'a OrganId>,
        days: (Day, Day),
        after: Option<&'a OrganId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<DutyFigures>, Error>> {
        let (organ, after) = (organ.cloned(), after.cloned());
        Box::pin(self.readers.read(move |db, names| {
            Box::pin(duty::figures(db, names, organ.clone(), days, after.clone(), limit))
        }))
    }

    fn held_in_queue<'a>(
        &'a self,
        organ: &'a OrganId,
        before: Timestamp,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(DeliveryId, u32)>, Error>> {
        let organ = organ.clone();
        Box::pin(
            self.readers
                .read(move |db, _| Box::pin(mailbox::held_in_queue(db, organ.clone(), before, limit))),
        )
    }

    fn unheld<'a>(
        &'a self,
        organ: &'a OrganId,
        after: DeliveryId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Unheld>, Error>> {
        let organ = organ.clone();
        Box::pin(self.readers.read(move |db, _| Box::pin(mailbox::unheld(db, organ.clone(), after, limit))))
    }

    fn unpublished(&self, after: DeliveryId, limit: usize) -> BoxFuture<'_, Result<Vec<BecameReady>, Error>> {
        Box::pin(self.readers.read(move |db, names| {
            Box::pin(mailbox::unpublished(db, names, self.membership.id(), after, limit))
        }))
    }

    fn published(&self, ready: Vec<Ready>) -> BoxFuture<'_, Result<Pending<()>, Error>> {
        Box::pin(self.hand_over(|answer| Command::Published(ready, answer)))
    }

    fn publish_again<'a>(&'a self, organ: Option<&'a OrganId>) -> BoxFuture<'a, Result<Pending<u64>, Error>> {
        Box::pin(self.hand_over(move |answer| Command::PublishAgain(organ.cloned(), answer)))
    }

    fn mark<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<u64, Error>> {
        let name = name.to_owned();
        Box::pin(self.readers.read(move |db, _| Box::pin(mailbox::mark(db, name.clone()))))
    }

    fn advance_mark<'a>(
        &'a self,
        name: &'a str,
        from: u64,
        to: u64,
    ) -> BoxFuture<'a, Result<Pending<bool>, Error>> {
        Box::pin(self.hand_over(move |answer| Command::AdvanceMark(name.to_owned(), from, to, answer)))
    }

    fn links(&self, of: Option<Vec<OrganId>>) -> BoxFuture<'_, Result<Vec<LinkRecord>, Error>> {
        Box::pin(self.readers.read(move |db, _| Box::pin(links::read(db, of.clone()))))
    }

    fn change_link(&self, change: LinkChange) -> BoxFuture<'_, Result<Pending<bool>, Error>> {
        Box::pin(self.hand_over(|answer| Command::ChangeLink(change, answer)))
    }

    fn nodes(&self) -> watch::Receiver<Nodes> {
        self.membership.nodes.subscribe()
    }

    fn mailboxes(&self) -> BoxFuture<'_, Result<Vec<MailboxTally>, Error>> {
        Box::pin(self.readers.read(|db, names| Box::pin(mailbox::mailboxes(db, names))))
    }

    fn tally(&self) -> BoxFuture<'_, Result<Tally, Error>> {
        Box::pin(self.readers.read(|db, _| Box::pin(mailbox::tally(db))))
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { self.hand_over(Command::Probe).await?.await })
    }
}

impl Custody for PostgresLedger {
    fn kept(&self, until: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<KeptBody>, Error>> {
        Box::pin(self.readers.read(move |db, names| Box::pin(custody::kept(db, names, until, limit))))
    }

    fn kept_since(&self) -> BoxFuture<'_, Result<Option<Timestamp>, Error>> {
        Box::pin(self.readers.read(|db, _| Box::pin(custody::kept_since(db))))
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
        Box::pin(async move {
            // Whoever sent a message that is held gets the receipt, so that its account has to be locked.
            let hold = request.hold;
            let sender = self.readers.read(|db, _| Box::pin(holds::sender(db, hold))).await?;
            self.hand_over(|answer| Command::Custody(Work::Release(request, sender, answer))).await
        })
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
        Box::pin(self.readers.read(move |db, _| Box::pin(holds::holds(db, released, before, limit))))
    }

    fn dead<'a>(
        &'a self,
        filter: &'a DeadFilter,
        after: DeliveryId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<DeadLetter>, Error>> {
        Box::pin(
            self.readers.read(move |db, names| Box::pin(dead::dead(db, names, filter.clone(), after, limit))),
        )
    }

    fn open_deliveries<'a>(&'a self, organ: &'a OrganId) -> BoxFuture<'a, Result<u64, Error>> {
        let organ = organ.clone();
        Box::pin(self.readers.read(move |db, _| Box::pin(mailbox::open_deliveries(db, organ.clone()))))
    }

    fn bytes(&self) -> BoxFuture<'_, Result<u64, Error>> {
        Box::pin(self.readers.read(|db, _| Box::pin(custody::bytes(db))))
    }
}
