//! The log of dossiers on PostgreSQL, for several nodes at once, in the ledger's database. Commits of all nodes take turns: each locks the
//! one row that has the last position before it reads anything, so that positions are seen in order and decisions are made on what is there.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::commands::Command;
use super::{
    Advanced, After, Commits, Consumer, Digested, Dossier, DossierLog, Enrolled, Enrolment, Event, Extent,
    Follower, History, NewStep, Place, PublishAnswers, Selection, Tally,
};
use crate::domain::dossier::DossierCode;
use crate::domain::time::Timestamp;
use crate::ledger::postgres::names::Names;
use crate::ledger::postgres::readers::Readers;
use crate::ledger::postgres::server::Server;
use crate::ledger::postgres::{self as ledger, OpenError};
use crate::ledger::writer_thread::WriterThread;
use crate::ledger::{Error, Pending};
use crate::metrics::Metrics;

mod digests;
mod listener;
mod places;
mod put;
mod read;
mod rows;
mod schema;
mod statements;
mod writer;

use writer::Writer;

/// Commits told and not yet taken, with their events; beyond it the writer waits.
const COMMITS_MAX: usize = 256;

/// How a log on PostgreSQL is reached and kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// The database, as the ledger reaches it.
    pub database: ledger::Options,
    /// How long a step waits for its predecessors.
    pub hold: Duration,
}

/// The log on PostgreSQL.
#[derive(Debug)]
pub struct PostgresDossiers {
    // Before the rest: it has ended then.
    writer: WriterThread<Command>,
    readers: Readers,
}

impl PostgresDossiers {
    /// Makes or changes the tables where needed, and starts this node's writer. It has a thread and a runtime of its own, so that
    /// whoever closes the log can wait for it.
    pub async fn open(options: &Options, metrics: Arc<Metrics>) -> Result<(Self, Commits), OpenError> {
        let database = &options.database;
        let server = Server::new(database)?;
        schema::prepare(&server, database).await?;
        let readers = Readers::new(server.clone(), database, Arc::new(Names::default()));
        let (commands, queue) = mpsc::channel(database.queue_max);
        let (told, commits) = mpsc::channel(COMMITS_MAX);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(OpenError::Writer)?;
        let writer = Writer::new(server.clone(), options.clone(), metrics, told.clone());
        let work = async move {
            let stop = CancellationToken::new();
            let listening =
                tokio::spawn(stop.clone().run_until_cancelled_owned(listener::listen(server, told)));
            writer.run(queue).await;
            stop.cancel();
            if listening.await.is_err() {
                tracing::error!("the task that hears of other nodes' commits had panicked");
            }
        };
        let writer = std::thread::Builder::new()
            .name("dossiers-writer".to_owned())
            .spawn(move || runtime.block_on(work))
            .map_err(OpenError::Writer)?;
        Ok((Self { readers, writer: WriterThread::new(commands, writer) }, commits))
    }
}

impl Drop for PostgresDossiers {
    fn drop(&mut self) {
        self.readers.close();
    }
}

impl DossierLog for PostgresDossiers {
    fn publish(&self, batch: Vec<NewStep>) -> BoxFuture<'_, Result<Pending<PublishAnswers>, Error>> {
        Box::pin(self.writer.ask(|answer| Command::Publish(batch, answer)))
    }

    fn release(&self, at: Timestamp) -> BoxFuture<'_, Result<Pending<u64>, Error>> {
        Box::pin(self.writer.ask(move |answer| Command::Release(at, answer)))
    }

    fn next_due(&self) -> BoxFuture<'_, Result<Option<Timestamp>, Error>> {
        Box::pin(self.readers.read(|db, _| Box::pin(read::next_due(db))))
    }

    fn head(&self) -> BoxFuture<'_, Result<u64, Error>> {
        Box::pin(self.readers.read(|db, _| Box::pin(read::head(db))))
    }

    fn events(&self, after: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Event>, Error>> {
        Box::pin(self.readers.read(move |db, _| Box::pin(read::events(db, after, limit))))
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<u64, Error>> {
        Box::pin(self.readers.read(move |db, _| Box::pin(read::position_at(db, time))))
    }

    fn history<'a>(&'a self, code: &'a DossierCode) -> BoxFuture<'a, Result<Option<History>, Error>> {
        let code = code.clone();
        Box::pin(self.readers.read(move |db, _| Box::pin(read::history(db, code.clone()))))
    }

    fn dossiers<'a>(
        &'a self,
        selection: &'a Selection,
        after: Option<&'a After>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Dossier>, Error>> {
        let (selection, after) = (selection.clone(), after.cloned());
        Box::pin(
            self.readers
                .read(move |db, _| Box::pin(read::dossiers(db, selection.clone(), after.clone(), limit))),
        )
    }

    fn digests<'a>(
        &'a self,
        extent: &'a Extent,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Digested>, Error>> {
        let (extent, after) = (extent.clone(), after.map(str::to_owned));
        Box::pin(
            self.readers.read(move |db, _| Box::pin(digests::page(db, extent.clone(), after.clone(), limit))),
        )
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
        Box::pin(self.readers.read(|db, _| Box::pin(places::all(db))))
    }

    fn tally(&self) -> BoxFuture<'_, Result<Tally, Error>> {
        Box::pin(self.readers.read(|db, _| Box::pin(read::tally(db))))
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { self.writer.ask(Command::Probe).await?.await })
    }
}
