//! The one writer of a node: gathers what waits, writes it in one transaction, answers all. What it cannot know to be committed it does
//! again, which every operation allows.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::try_join;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_postgres::Row as Record;
use tokio_postgres::types::ToSql;

use super::rows::{self, column};
use super::statements::Link;
use super::{Options, places, put};
use crate::domain::dossier::StepRefused;
use crate::domain::time::Timestamp;
use crate::dossiers::commands::{Command, Done, gather};
use crate::dossiers::sheet::{Heads, Held, Row, Sheet};
use crate::dossiers::{Commit, NewStep, Published};
use crate::ledger::Error;
use crate::ledger::postgres::cells::Cells;
use crate::ledger::postgres::fault::Fault;
use crate::ledger::postgres::server::Server;
use crate::metrics::Metrics;

/// Dossiers released at a time.
const RELEASE_MAX: i64 = 512;
/// Between two attempts of one batch; doubled each time.
const RETRY_DELAY: Duration = Duration::from_millis(10);
const RETRY_DELAY_MAX: Duration = Duration::from_millis(500);
/// The answer to a statement comes a little after the time the server gives it.
const MARGIN: Duration = Duration::from_secs(1);

/// The writer.
pub(super) struct Writer {
    server: Server,
    options: Options,
    metrics: Arc<Metrics>,
    told: mpsc::Sender<Commit>,
    link: Option<Box<Link>>,
}

impl Writer {
    pub fn new(server: Server, options: Options, metrics: Arc<Metrics>, told: mpsc::Sender<Commit>) -> Self {
        Self { server, options, metrics, told, link: None }
    }

    /// Works until every sender of commands is gone and all is done.
    pub async fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        while let Some(first) = queue.recv().await {
            let (batch, steps) = gather(first, &mut queue, self.options.database.commit_batch_max);
            self.metrics.dossier_commit_batch_size.record(steps as f64);
            self.commit(batch).await;
        }
    }

    /// Commits a batch, trying again where that may help, for a while.
    async fn commit(&mut self, batch: Vec<Command>) {
        let started = Instant::now();
        let until = started + self.options.database.retry_max;
        let mut delay = RETRY_DELAY;
        let mut tried_again = false;
        let fault = loop {
            match self.attempt(&batch).await {
                Ok((done, commit)) => {
                    self.metrics.dossier_commit_seconds.record(started.elapsed().as_secs_f64());
                    // An attempt before this one may have been committed without anybody's knowledge.
                    let commit = Commit { missed: tried_again, ..commit };
                    if commit != Commit::default() {
                        // The reader of commits is gone only while the gateway stops; the rows are there all the same.
                        let _stopping = self.told.send(commit).await.is_err();
                    }
                    batch.into_iter().zip(done).for_each(|(command, done)| command.answer(done));
                    return;
                }
                Err(fault) if !fault.passes() || Instant::now() >= until => break fault,
                Err(fault) => tracing::debug!(%fault, "a commit of the log of dossiers is tried again"),
            }
            tried_again = true;
            self.metrics.ledger_retries.increment(1);
            tokio::time::sleep(delay.mul_f64(0.5 + fastrand::f64())).await;
            delay = (delay * 2).min(RETRY_DELAY_MAX);
        };
        tracing::error!(%fault, commands = batch.len(), "a commit of the log of dossiers failed");
        self.metrics.dossier_commit_failures.increment(1);
        let error = Error::Failed(fault.to_string().into());
        batch.into_iter().for_each(|command| command.fail(&error));
    }

    /// One transaction for the whole batch. The connection is used again only where it is known how it stands.
    async fn attempt(&mut self, batch: &[Command]) -> Result<(Vec<Done>, Commit), Fault> {
        let limit = self.options.database.statement_timeout + MARGIN;
        let link = match self.link.take().filter(|link| !link.client.is_closed()) {
            Some(link) => link,
            None => Box::new(within(limit, Link::open(&self.server)).await?),
        };
        match within(limit, write(&link, self.options.hold, batch)).await {
            Ok(written) => {
                self.link = Some(link);
                Ok(written)
            }
            Err(fault) => {
                let undone = async { Ok(link.client.batch_execute("ROLLBACK").await?) };
                if !fault.ends_connection() && within(limit, undone).await.is_ok() {
                    self.link = Some(link);
                }
                Err(fault)
            }
        }
    }
}

async fn within<T>(limit: Duration, what: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    timeout(limit, what).await.unwrap_or(Err(Fault::Timeout))
}

async fn write(link: &Link, hold: Duration, batch: &[Command]) -> Result<(Vec<Done>, Commit), Fault> {
    let mut sheet = begin(link, hold, batch).await?;
    let mut done = Vec::with_capacity(batch.len());
    for command in batch {
        done.push(match command {
            Command::Publish(steps, _) => {
                Done::Publish(steps.iter().map(|new| publish(&mut sheet, new)).collect())
            }
            Command::Release(at, _) => Done::Release(release(link, &mut sheet, *at).await?),
            Command::Enrol(enrolment, _) => Done::Enrol(places::enrol(link, enrolment).await?),
            Command::Advance(place, _) => Done::Advance(places::advance(link, place).await?),
            Command::Dismiss(consumer, _) => Done::Dismiss(places::dismiss(link, consumer).await?),
            Command::Probe(_) => {
                link.client.execute(&link.statements.probe, &[]).await?;
                Done::Nothing
            }
        });
    }
    Box::pin(put::put(link, &sheet)).await?;
    Ok((done, sheet.into_commit()))
}

/// Waits for this node's turn and reads what the steps are about, in one round trip.
async fn begin(link: &Link, hold: Duration, batch: &[Command]) -> Result<Sheet, Fault> {
    let (client, statements) = (&link.client, &link.statements);
    let codes: BTreeSet<&str> = batch
        .iter()
        .flat_map(|command| match command {
            Command::Publish(steps, _) => steps.as_slice(),
            _ => &[],
        })
        .map(|new| new.dossier.as_str())
        .collect();
    let codes: Vec<&str> = codes.into_iter().collect();
    let wanted: [&(dyn ToSql + Sync); 1] = [&codes];
    let ((), head, found) = try_join!(
        client.batch_execute("BEGIN"),
        client.query_one(&statements.lock, &[]),
        client.query(&statements.find, &wanted),
    )?;
    let mut cells = Cells::of(&head);
    let heads = Heads { position: cells.number()?, key: cells.number()? };
    let mut sheet = Sheet::new(heads, hold);
    enter(link, &mut sheet, &found).await?;
    Ok(sheet)
}

/// Enters dossiers that were found, with what they hold.
async fn enter(link: &Link, sheet: &mut Sheet, found: &[Record]) -> Result<(), Fault> {
    let mut holding = HashMap::new();
    for record in found {
        let (code, row) = Row::of(rows::dossier(record)?);
        if sheet.rows.contains_key(&code) {
            continue;
        }
        if row.course.is_holding() {
            holding.insert(row.key, code.clone());
        }
        sheet.rows.insert(code, row);
    }
    if holding.is_empty() {
        return Ok(());
    }
    let keys: Vec<i64> = holding.keys().map(|key| column(*key)).collect();
    for record in &link.client.query(&link.statements.held, &[&keys]).await? {
        let mut cells = Cells::of(record);
        let (key, number) = (cells.number()?, cells.plain::<i32>()?);
        let held = Held { due_at: cells.time()?, body: cells.bytes()? };
        let row = holding.get(&key).and_then(|code| sheet.rows.get_mut(code));
        let number = u32::try_from(number).map_err(|_| Fault::Invalid("step"))?;
        row.ok_or(Fault::Invalid("held step"))?.held.insert(number, held);
    }
    Ok(())
}

fn publish(sheet: &mut Sheet, new: &NewStep) -> Result<Published, StepRefused> {
    sheet.enter(new, None);
    sheet.take(new)
}

async fn release(link: &Link, sheet: &mut Sheet, at: Timestamp) -> Result<u64, Fault> {
    let found = link.client.query(&link.statements.due, &[&at.as_micros(), &RELEASE_MAX]).await?;
    enter(link, sheet, &found).await?;
    let mut released = 0;
    for record in &found {
        let dossier = rows::dossier(record)?;
        released += sheet.release(&dossier.code, at);
    }
    Ok(released)
}
