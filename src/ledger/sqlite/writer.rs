//! The one writer: gathers what waits, writes it in one transaction, syncs once, answers all.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::mpsc;

use super::organs::Accounts;
use super::{Options, accept, custody, duty, links, outbox, report, step};
use crate::domain::delivery::DeliveryId;
use crate::domain::organ_id::OrganId;
use crate::domain::time::Timestamp;
use crate::ledger::custody::{Work, Worked};
use crate::ledger::writer_thread::Answer;
use crate::ledger::{
    AcceptAnswers, Acceptance, Commit, Error, LinkChange, Ready, ReportAnswers, ReportRequest, StepAnswers,
    StepRequest,
};
use crate::metrics::Metrics;

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Accept(Vec<Acceptance>, Answer<AcceptAnswers>),
    Step(Vec<StepRequest>, Answer<StepAnswers>),
    Report(Vec<ReportRequest>, Answer<ReportAnswers>),
    NoteOverdue(Vec<DeliveryId>, Timestamp, Answer<Vec<bool>>),
    CountDuty { after: DeliveryId, from: Timestamp, by: Timestamp, answer: Answer<()> },
    Published(Vec<Ready>, Answer<()>),
    PublishAgain(Option<OrganId>, Answer<u64>),
    AdvanceMark(String, u64, u64, Answer<bool>),
    Custody(Work),
    ChangeLink(LinkChange, Answer<bool>),
    Probe(Answer<()>),
}

impl Command {
    fn operations(&self) -> usize {
        match self {
            Self::Accept(batch, _) => batch.len(),
            Self::Step(batch, _) => batch.len(),
            Self::Report(batch, _) => batch.len(),
            Self::Published(batch, _) => batch.len(),
            Self::Custody(work) => work.operations(),
            Self::NoteOverdue(batch, ..) => batch.len(),
            Self::CountDuty { .. }
            | Self::PublishAgain(..)
            | Self::AdvanceMark(..)
            | Self::ChangeLink(..)
            | Self::Probe(_) => 1,
        }
    }

    fn payload_bytes(&self) -> usize {
        match self {
            Self::Accept(batch, _) => batch.iter().map(|a| a.message.payload.len()).sum(),
            Self::Report(batch, _) => batch.iter().filter_map(|r| r.file.as_ref()).map(Bytes::len).sum(),
            _ => 0,
        }
    }

    fn fail(self, error: &Error) {
        // Whoever asked may have gone; then nobody is told.
        let _gone = match self {
            Self::Accept(_, answer) => answer.send(Err(error.clone())).is_err(),
            Self::Step(_, answer) => answer.send(Err(error.clone())).is_err(),
            Self::Report(_, answer) => answer.send(Err(error.clone())).is_err(),
            Self::NoteOverdue(.., answer) => answer.send(Err(error.clone())).is_err(),
            Self::Published(_, answer) | Self::Probe(answer) | Self::CountDuty { answer, .. } => {
                answer.send(Err(error.clone())).is_err()
            }
            Self::PublishAgain(_, answer) => answer.send(Err(error.clone())).is_err(),
            Self::Custody(work) => return work.fail(error.clone()),
            Self::AdvanceMark(.., answer) | Self::ChangeLink(_, answer) => {
                answer.send(Err(error.clone())).is_err()
            }
        };
    }
}

/// What a command came to; told once it is durable.
enum Done {
    Accept(AcceptAnswers),
    Step(StepAnswers),
    Report(ReportAnswers),
    NoteOverdue(Vec<bool>),
    PublishAgain(u64),
    AdvanceMark(bool),
    Custody(Worked),
    ChangeLink(bool),
    Nothing,
}

/// What the writer knows while it writes.
pub(super) struct Book {
    pub accounts: Accounts,
    /// The next message's key and the next delivery's id.
    pub next_message: u64,
    pub next_delivery: u64,
    pub options: Options,
    pub metrics: Arc<Metrics>,
    pub chance: fastrand::Rng,
    /// What the commit in the making changes.
    pub commit: Commit,
}

/// The writer.
pub(super) struct Writer {
    db: Connection,
    book: Book,
    told: mpsc::Sender<Commit>,
}

impl Writer {
    pub fn new(
        db: Connection,
        options: Options,
        metrics: Arc<Metrics>,
        told: mpsc::Sender<Commit>,
    ) -> rusqlite::Result<Self> {
        let book = load(&db, options, metrics)?;
        Ok(Self { db, book, told })
    }

    /// Works until every sender of commands is gone and all is done.
    pub fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        while let Some(first) = queue.blocking_recv() {
            let batch = self.gather(first, &mut queue);
            self.commit(batch);
        }
    }

    fn gather(&self, first: Command, queue: &mut mpsc::Receiver<Command>) -> Vec<Command> {
        let (mut operations, mut bytes) = (first.operations(), first.payload_bytes());
        let mut batch = vec![first];
        while operations < self.book.options.commit_batch_max && bytes < self.book.options.commit_bytes_max {
            let Ok(next) = queue.try_recv() else { break };
            operations += next.operations();
            bytes += next.payload_bytes();
            batch.push(next);
        }
        self.book.metrics.ledger_queue.set(queue.len() as f64);
        self.book.metrics.commit_batch_size.record(operations as f64);
        batch
    }

    fn commit(&mut self, batch: Vec<Command>) {
        let started = Instant::now();
        match self.write(&batch) {
            Ok(done) => {
                self.book.metrics.commit_seconds.record(started.elapsed().as_secs_f64());
                let commit = std::mem::take(&mut self.book.commit);
                // The reader of commits is gone only while the gateway stops; the rows are there all the same.
                let _stopping = self.told.blocking_send(commit).is_err();
                batch.into_iter().zip(done).for_each(answer);
            }
            Err(error) => self.roll_back(batch, &error),
        }
    }

    /// One transaction for the whole batch.
    fn write(&mut self, batch: &[Command]) -> rusqlite::Result<Vec<Done>> {
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let book = &mut self.book;
        let mut done = Vec::with_capacity(batch.len());
        for command in batch {
            done.push(perform(&tx, book, command)?);
        }
        book.commit.receipt_heads = book.accounts.write_back(&tx)?;
        tx.commit()?;
        Ok(done)
    }

    /// Nothing of the batch was written: forget what was counted on, tell everybody.
    fn roll_back(&mut self, batch: Vec<Command>, error: &rusqlite::Error) {
        tracing::error!(%error, commands = batch.len(), "a commit of the ledger failed");
        self.book.metrics.commit_failures.increment(1);
        match load(&self.db, self.book.options.clone(), Arc::clone(&self.book.metrics)) {
            Ok(book) => self.book = book,
            // What is in memory may be ahead of the disk, so nothing more can be written.
            Err(error) => {
                tracing::error!(%error, "the ledger cannot be read back after a failed commit; stopping");
                std::process::abort();
            }
        }
        let error = Error::Failed(error.to_string().into());
        batch.into_iter().for_each(|command| command.fail(&error));
    }
}

fn perform(tx: &Connection, book: &mut Book, command: &Command) -> rusqlite::Result<Done> {
    Ok(match command {
        Command::Accept(batch, _) => {
            let answers = batch.iter().map(|a| accept::accept(tx, book, a));
            Done::Accept(answers.collect::<rusqlite::Result<_>>()?)
        }
        Command::Step(batch, _) => {
            let answers = batch.iter().map(|s| step::step(tx, book, s));
            Done::Step(answers.collect::<rusqlite::Result<_>>()?)
        }
        Command::Report(batch, _) => {
            let answers = batch.iter().map(|r| report::report(tx, book, r));
            Done::Report(answers.collect::<rusqlite::Result<_>>()?)
        }
        Command::NoteOverdue(batch, at, _) => {
            let answers = batch.iter().map(|delivery| duty::note(tx, book, *delivery, *at));
            Done::NoteOverdue(answers.collect::<rusqlite::Result<_>>()?)
        }
        Command::CountDuty { after, from, by, .. } => {
            duty::count(tx, *after, *from, *by)?;
            Done::Nothing
        }
        Command::Published(batch, _) => {
            outbox::published(tx, batch)?;
            Done::Nothing
        }
        Command::PublishAgain(organ, _) => {
            Done::PublishAgain(outbox::publish_again(tx, book, organ.as_ref())? as u64)
        }
        Command::AdvanceMark(name, from, to, _) => {
            Done::AdvanceMark(outbox::advance_mark(tx, name, *from, *to)?)
        }
        Command::Custody(work) => Done::Custody(custody::work(tx, book, work)?),
        Command::ChangeLink(change, _) => Done::ChangeLink(links::change(tx, book, change)?),
        Command::Probe(_) => {
            probe(tx)?;
            Done::Nothing
        }
    })
}

fn load(db: &Connection, options: Options, metrics: Arc<Metrics>) -> rusqlite::Result<Book> {
    // ledger.next_numbers
    let (next_message, next_delivery) = db.query_row(
        "SELECT (SELECT ifnull(max(key), 0) + 1 FROM message), (SELECT ifnull(max(id), 0) + 1 FROM delivery)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(Book {
        accounts: Accounts::load(db)?,
        next_message,
        next_delivery,
        options,
        metrics,
        chance: fastrand::Rng::new(),
        commit: Commit::default(),
    })
}

fn probe(db: &Connection) -> rusqlite::Result<()> {
    // fact.probe
    db.prepare_cached(
        "INSERT INTO fact (name, value) VALUES ('probe', '1')
         ON CONFLICT (name) DO UPDATE SET value = value + 1",
    )?
    .execute([])
    .map(drop)
}

fn answer((command, done): (Command, Done)) {
    let _gone = match (command, done) {
        (Command::Accept(_, answer), Done::Accept(answers)) => answer.send(Ok(answers)).is_err(),
        (Command::Step(_, answer), Done::Step(answers)) => answer.send(Ok(answers)).is_err(),
        (Command::Report(_, answer), Done::Report(answers)) => answer.send(Ok(answers)).is_err(),
        (Command::NoteOverdue(.., answer), Done::NoteOverdue(noted)) => answer.send(Ok(noted)).is_err(),
        (Command::CountDuty { answer, .. } | Command::Published(_, answer) | Command::Probe(answer), _) => {
            answer.send(Ok(())).is_err()
        }
        (Command::PublishAgain(_, answer), Done::PublishAgain(count)) => answer.send(Ok(count)).is_err(),
        (Command::AdvanceMark(.., answer), Done::AdvanceMark(was)) => answer.send(Ok(was)).is_err(),
        (Command::Custody(work), Done::Custody(worked)) => return work.answer(worked),
        (Command::ChangeLink(_, answer), Done::ChangeLink(was)) => answer.send(Ok(was)).is_err(),
        _ => {
            unreachable!("each command is answered by what it came to, in the order of the batch")
        }
    };
}
