//! The one writer of a node: gathers what waits, writes it in one transaction, answers all. It knows of each commit whether it
//! was done, also when the answer was lost, and goes on by itself when the database is back.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::Options;
use super::command::Command;
use super::fault::Fault;
use super::link::{Backend, Link};
use super::names::Names;
use super::node::Membership;
use super::notes::{self, Heard};
use super::server::Server;
use super::transaction::{CommitId, Context, Written, write};
use crate::ledger::{Commit, Error};
use crate::metrics::Metrics;

/// Between two attempts of one batch, or to connect; doubled each time up to the second.
const RETRY_DELAY: Duration = Duration::from_millis(10);
const RETRY_DELAY_MAX: Duration = Duration::from_millis(500);
/// The answer to a statement comes a little after the time the server gives it.
const MARGIN: Duration = Duration::from_secs(1);
/// A batch that publishes all again may take this long.
const PUBLISH_AGAIN_TIMEOUT: Duration = Duration::from_secs(600);

/// Whether the database can be written.
enum State {
    Linked(Box<Link>),
    /// It could not for too long. Whoever asks is told so at once; meanwhile this connects.
    Away(BoxFuture<'static, Box<Link>>),
}

/// Why a batch was not committed.
enum Failed {
    /// Nothing of it was.
    Nothing(Fault),
    /// It was, or not: the commit had no answer.
    Unknown(CommitId, Box<Written>, Fault),
}

/// What became of a commit that had no answer.
enum Fate {
    Committed,
    Undone,
    /// The node was taken off meanwhile, and its last number with it.
    Unknowable,
}

/// The writer.
pub(super) struct Writer {
    pub server: Server,
    pub options: Options,
    pub names: Arc<Names>,
    pub membership: Arc<Membership>,
    pub heard: Arc<Heard>,
    pub metrics: Arc<Metrics>,
    pub told: mpsc::Sender<Commit>,
    /// The number of the last commit.
    pub number: i64,
}

impl Writer {
    /// Works until every sender of commands is gone and all is done.
    pub async fn run(mut self, link: Box<Link>, mut queue: mpsc::Receiver<Command>) {
        let mut state = State::Linked(link);
        loop {
            state = match state {
                State::Linked(link) => {
                    let Some(first) = queue.recv().await else { return };
                    let batch = self.gather(first, &mut queue);
                    self.commit(link, batch).await
                }
                State::Away(mut connecting) => tokio::select! {
                    link = &mut connecting => {
                        tracing::info!("the database is back");
                        self.look_around(&link).await;
                        State::Linked(link)
                    }
                    command = queue.recv() => {
                        let Some(command) = command else { return };
                        command.fail(&Error::Failed("the database is away".into()));
                        State::Away(connecting)
                    }
                },
            };
        }
    }

    fn gather(&self, first: Command, queue: &mut mpsc::Receiver<Command>) -> Vec<Command> {
        let (mut operations, mut bytes) = (first.operations(), first.payload_bytes());
        let mut batch = vec![first];
        while operations < self.options.commit_batch_max && bytes < self.options.commit_bytes_max {
            let Ok(next) = queue.try_recv() else { break };
            operations += next.operations();
            bytes += next.payload_bytes();
            batch.push(next);
        }
        self.metrics.ledger_queue.set(queue.len() as f64);
        self.metrics.commit_batch_size.record(operations as f64);
        batch
    }

    /// Commits a batch, trying again where that may help, for a while.
    async fn commit(&mut self, mut link: Box<Link>, batch: Vec<Command>) -> State {
        let started = Instant::now();
        let until = started + self.options.retry_max;
        let mut delay = RETRY_DELAY;
        loop {
            let (fault, unknown) = match self.attempt(&link, &batch).await {
                Ok(written) => {
                    self.metrics.commit_seconds.record(started.elapsed().as_secs_f64());
                    self.done(&link, batch, *written).await;
                    return State::Linked(link);
                }
                Err(Failed::Nothing(fault)) => (fault, None),
                Err(Failed::Unknown(commit, written, fault)) => (fault, Some((commit, written))),
            };
            if !fault.passes() || Instant::now() >= until {
                self.fail(batch, &fault);
                return State::Linked(link);
            }
            tracing::debug!(%fault, "a commit of the ledger is tried again");
            self.metrics.ledger_retries.increment(1);
            if unknown.is_some() || fault.ends_connection() || link.client.is_closed() {
                let before = link.backend;
                drop(link);
                let asked = unknown.as_ref().map(|(commit, _)| *commit);
                let recovered = recover(self.server.clone(), before, asked, Arc::clone(&self.metrics));
                let Ok((again, fate)) = timeout_at(until, recovered).await else {
                    self.fail(batch, &fault);
                    return away(&self.server, before, &self.metrics);
                };
                link = again;
                self.look_around(&link).await;
                match (fate, unknown) {
                    (Fate::Committed, Some((_, written))) => {
                        self.done(&link, batch, *written).await;
                        return State::Linked(link);
                    }
                    (Fate::Unknowable, Some(_)) => {
                        self.fail(batch, &fault);
                        return State::Linked(link);
                    }
                    _ => {}
                }
            }
            tokio::time::sleep(delay.mul_f64(0.5 + fastrand::f64())).await;
            delay = (delay * 2).min(RETRY_DELAY_MAX);
        }
    }

    /// One transaction for the whole batch.
    async fn attempt(&mut self, link: &Link, batch: &[Command]) -> Result<Box<Written>, Failed> {
        self.number += 1;
        let commit = CommitId { node: self.membership.id(), number: self.number };
        let context = Context { options: &self.options, names: &self.names, commit };
        let limit = match batch.iter().any(|command| matches!(command, Command::PublishAgain(..))) {
            true => PUBLISH_AGAIN_TIMEOUT,
            false => self.options.statement_timeout + MARGIN,
        };
        let written = match within(limit, write(link, &context, batch).boxed()).await {
            Ok(written) => Box::new(written),
            Err(fault) => return Err(Failed::Nothing(self.undo(link, commit, fault).await)),
        };
        let end = if written.changed { "COMMIT" } else { "ROLLBACK" };
        let ended = async { Ok(link.client.batch_execute(end).await?) };
        match within(limit, ended).await {
            Ok(()) => Ok(written),
            Err(fault) => Err(Failed::Unknown(commit, written, fault)),
        }
    }

    /// Undoes a transaction that failed, and what can be done about why. Gives what is still wrong.
    async fn undo(&self, link: &Link, commit: CommitId, fault: Fault) -> Fault {
        if fault.ends_connection() {
            return fault;
        }
        let undone = async {
            link.client.batch_execute("ROLLBACK").await?;
            match fault {
                Fault::Unfamiliar => self.names.forget(),
                Fault::TakenOff => {
                    tracing::warn!(
                        "this node was silent too long and had been taken off the list; it joins anew"
                    );
                    self.membership.join(&link.client, commit.node).await?;
                    self.heard.missed();
                }
                _ => {}
            }
            Ok::<_, Fault>(())
        };
        match within(self.options.statement_timeout + MARGIN, undone).await {
            Ok(()) => fault,
            // Nobody knows what this connection is in the middle of.
            Err(_) => Fault::Timeout,
        }
    }

    /// Tells of a commit, then answers.
    async fn done(&self, link: &Link, batch: Vec<Command>, written: Written) {
        let Written { done, commit, receipts, changed } = written;
        receipts.into_iter().for_each(|kind| self.metrics.receipts.of(kind).increment(1));
        let notes = notes::of_commit(self.membership.id(), &commit);
        if changed {
            // The reader of commits is gone only while the gateway stops; the rows are there all the same.
            let _stopping = self.told.send(commit).await.is_err();
        }
        batch.into_iter().zip(done).for_each(|(command, done)| command.answer(done));
        self.say(link, &notes).await;
    }

    /// Nothing of the batch was done, or nobody knows.
    fn fail(&self, batch: Vec<Command>, fault: &Fault) {
        tracing::error!(%fault, commands = batch.len(), "a commit of the ledger failed");
        self.metrics.commit_failures.increment(1);
        let error = Error::Failed(fault.to_string().into());
        batch.into_iter().for_each(|command| command.fail(&error));
    }

    /// After the connection was lost: this may be another server, commits may have gone untold, here and elsewhere.
    async fn look_around(&self, link: &Link) {
        self.names.forget();
        self.heard.missed();
        self.say(link, &[notes::of_anything(self.membership.id())]).await;
    }

    /// Tells the other nodes. Apart from the commit, since transactions that tell something wait for each other until they
    /// are on disk; these need not be.
    async fn say(&self, link: &Link, notes: &[String]) {
        if notes.is_empty() {
            return;
        }
        let mut statements = String::from("BEGIN; SET LOCAL synchronous_commit = off;");
        for note in notes {
            // Of digits, organ ids and separators: nothing that could end the text.
            statements.push_str(&format!("SELECT pg_notify('{}', '{note}');", notes::CHANNEL));
        }
        statements.push_str("COMMIT");
        let said = async { Ok(link.client.batch_execute(&statements).await?) };
        if let Err(fault) = within(self.options.statement_timeout + MARGIN, said).await {
            // The next commit finds the connection as it is; once there is another one, all are told to look.
            tracing::debug!(%fault, "the other nodes were not told of a commit");
        }
    }
}

async fn within<T>(limit: Duration, what: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    timeout(limit, what).await.unwrap_or(Err(Fault::Timeout))
}

/// Connects again, for as long as it takes; what became of a commit, where one is asked for.
async fn recover(
    server: Server,
    before: Backend,
    asked: Option<CommitId>,
    metrics: Arc<Metrics>,
) -> (Box<Link>, Fate) {
    let mut delay = RETRY_DELAY;
    loop {
        let connected = async {
            let link = Box::new(Link::open(&server, Some(before)).await?);
            let fate = match asked {
                None => Fate::Undone,
                Some(commit) => match link.last_batch(commit.node).await? {
                    Some(last) if last == commit.number => Fate::Committed,
                    Some(_) => Fate::Undone,
                    None => Fate::Unknowable,
                },
            };
            Ok::<_, Fault>((link, fate))
        };
        match connected.await {
            Ok(recovered) => {
                metrics.ledger_reconnects.increment(1);
                return recovered;
            }
            Err(fault) => tracing::debug!(%fault, "the database cannot be reached"),
        }
        tokio::time::sleep(delay.mul_f64(0.5 + fastrand::f64())).await;
        delay = (delay * 2).min(RETRY_DELAY_MAX);
    }
}

fn away(server: &Server, before: Backend, metrics: &Arc<Metrics>) -> State {
    tracing::error!("the database is away; changes are refused until it is back");
    let connecting = recover(server.clone(), before, None, Arc::clone(metrics));
    State::Away(connecting.map(|(link, _)| link).boxed())
}
