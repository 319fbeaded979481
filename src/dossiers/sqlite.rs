//! The log of dossiers on SQLite, in a file of its own beside the ledger's: its writer and its syncs wait for nobody else's.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use super::commands::Command;
use super::{
    Advanced, After, Commits, Consumer, Digested, Dossier, DossierLog, Enrolled, Enrolment, Event, Extent,
    Follower, History, NewStep, Place, PublishAnswers, Selection, Tally,
};
use crate::domain::dossier::DossierCode;
use crate::domain::time::Timestamp;
use crate::ledger::sqlite::OpenError;
use crate::ledger::sqlite::file::{self, Form};
use crate::ledger::sqlite::readers::Readers;
use crate::ledger::writer_thread::WriterThread;
use crate::ledger::{Error, Pending};
use crate::metrics::Metrics;

mod digests;
mod places;
mod read;
mod rows;
mod writer;

/// Commits told and not yet taken, with their events; beyond it the writer waits.
const COMMITS_MAX: usize = 256;

const FORM: Form = Form {
    name: "the log of dossiers",
    migrations: &[include_str!("sqlite/0001_init.sql")],
    // Steps change dossiers all over the table, and each of them writes a page again: pages are small.
    page_bytes: 4_096,
    // 128 MB.
    wal_pages_max: 32_768,
    writer_cache_kib: 131_072,
    reader_cache_kib: 2_048,
    statements_max: 32,
};

/// How a log on SQLite is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// The database file; made when it is not there.
    pub path: PathBuf,
    /// Most steps in one commit.
    pub commit_batch_max: usize,
    /// Most commands waiting for a commit; beyond it callers wait.
    pub queue_max: usize,
    /// How many readers work at a time.
    pub readers: usize,
    /// How long a step waits for its predecessors.
    pub hold: Duration,
}

/// The log on SQLite.
#[derive(Debug)]
pub struct SqliteDossiers {
    // Before the rest: it has ended then.
    writer: WriterThread<Command>,
    readers: Readers,
    // Held for as long as the log is open.
    _lock: File,
}

impl SqliteDossiers {
    /// Opens or makes the log and starts its writer.
    pub fn open(options: &Options, metrics: Arc<Metrics>) -> Result<(Self, Commits), OpenError> {
        let lock = file::lock(&options.path)?;
        let sqlite = OpenError::sqlite(&options.path);
        let connection = file::open_writer(&options.path, &FORM)?;
        let readers = Readers::open(&options.path, &FORM, options.readers).map_err(sqlite)?;
        let (commands, queue) = mpsc::channel(options.queue_max);
        let (told, commits) = mpsc::channel(COMMITS_MAX);
        let writer = writer::Writer::new(connection, options.clone(), metrics, told).map_err(sqlite)?;
        let writer = std::thread::Builder::new()
            .name("dossiers-writer".to_owned())
            .spawn(move || writer.run(queue))
            .map_err(OpenError::io(&options.path))?;
        Ok((Self { readers, writer: WriterThread::new(commands, writer), _lock: lock }, commits))
    }
}

impl DossierLog for SqliteDossiers {
    fn publish(&self, batch: Vec<NewStep>) -> BoxFuture<'_, Result<Pending<PublishAnswers>, Error>> {
        Box::pin(self.writer.ask(|answer| Command::Publish(batch, answer)))
    }

    fn release(&self, at: Timestamp) -> BoxFuture<'_, Result<Pending<u64>, Error>> {
        Box::pin(self.writer.ask(move |answer| Command::Release(at, answer)))
    }

    fn next_due(&self) -> BoxFuture<'_, Result<Option<Timestamp>, Error>> {
        Box::pin(self.readers.read(read::next_due))
    }

    fn head(&self) -> BoxFuture<'_, Result<u64, Error>> {
        Box::pin(self.readers.read(read::head))
    }

    fn events(&self, after: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Event>, Error>> {
        Box::pin(self.readers.read(move |db| read::events(db, after, limit)))
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<u64, Error>> {
        Box::pin(self.readers.read(move |db| read::position_at(db, time)))
    }

    fn history<'a>(&'a self, code: &'a DossierCode) -> BoxFuture<'a, Result<Option<History>, Error>> {
        let code = code.clone();
        Box::pin(self.readers.read(move |db| read::history(db, &code)))
    }

    fn dossiers<'a>(
        &'a self,
        selection: &'a Selection,
        after: Option<&'a After>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Dossier>, Error>> {
        let (selection, after) = (selection.clone(), after.cloned());
        Box::pin(self.readers.read(move |db| read::dossiers(db, &selection, after.as_ref(), limit)))
    }

    fn digests<'a>(
        &'a self,
        extent: &'a Extent,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Digested>, Error>> {
        let (extent, after) = (extent.clone(), after.map(str::to_owned));
        Box::pin(self.readers.read(move |db| digests::page(db, &extent, after.as_deref(), limit)))
    }

    fn enrol(&self, enrolment: Enrolment) -> BoxFuture<'_, Result<Pending<Enrolled>, Error>> {
        Box::pin(self.writer.ask(|answer| Command::Enrol(enrolment, answer)))
    }

    fn advance(&self, place: Place) -> BoxFuture<'_, Result<Pending<Advanced>, Error>> {
        Box::pin(self.writer.ask(|answer| Command::Advance(place, answer)))
    }

    fn dismiss(&self, consumer: Consumer) -> BoxFuture<'_, Result<Pending<bool>, Error>> {
        Box::pin(self.writer.ask(|answer| Command::Dismiss(consumer, answer)))
    }

    fn followers(&self) -> BoxFuture<'_, Result<Vec<Follower>, Error>> {
        Box::pin(self.readers.read(places::all))
    }

    fn tally(&self) -> BoxFuture<'_, Result<Tally, Error>> {
        Box::pin(self.readers.read(read::tally))
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { self.writer.ask(Command::Probe).await?.await })
    }
}
