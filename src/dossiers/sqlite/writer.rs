//! The one writer: gathers what waits, writes it in one transaction, syncs once, answers all.

use std::sync::Arc;
use std::time::Instant;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::mpsc;

use super::read::{bounded, head};
use super::{Options, places, rows};
use crate::domain::time::Timestamp;
use crate::dossiers::commands::{Command, Done, gather};
use crate::dossiers::packed;
use crate::dossiers::sheet::{Heads, Sheet};
use crate::dossiers::{Commit, NewStep, PublishAnswers};
use crate::ledger::Error;
use crate::metrics::Metrics;

/// Dossiers released at a time.
const RELEASE_MAX: i64 = 512;

/// The writer.
pub(super) struct Writer {
    db: Connection,
    options: Options,
    heads: Heads,
    metrics: Arc<Metrics>,
    told: mpsc::Sender<Commit>,
}

impl Writer {
    pub fn new(
        db: Connection,
        options: Options,
        metrics: Arc<Metrics>,
        told: mpsc::Sender<Commit>,
    ) -> rusqlite::Result<Self> {
        // dossier.last_key
        let key = db.query_row("SELECT ifnull(max(key), 0) FROM dossier", [], |row| row.get(0))?;
        let heads = Heads { position: head(&db)?, key };
        Ok(Self { db, options, heads, metrics, told })
    }

    /// Works until every sender of commands is gone and all is done.
    pub fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        while let Some(first) = queue.blocking_recv() {
            let (batch, steps) = gather(first, &mut queue, self.options.commit_batch_max);
            self.metrics.dossier_commit_batch_size.record(steps as f64);
            self.commit(batch);
        }
    }

    fn commit(&mut self, batch: Vec<Command>) {
        let started = Instant::now();
        match self.write(&batch) {
            Ok((done, heads, commit)) => {
                self.metrics.dossier_commit_seconds.record(started.elapsed().as_secs_f64());
                self.heads = heads;
                if commit != Commit::default() {
                    // The reader of commits is gone only while the gateway stops; the rows are there all the same.
                    let _stopping = self.told.blocking_send(commit).is_err();
                }
                batch.into_iter().zip(done).for_each(|(command, done)| command.answer(done));
            }
            Err(error) => {
                tracing::error!(%error, commands = batch.len(), "a commit of the log of dossiers failed");
                self.metrics.dossier_commit_failures.increment(1);
                let error = Error::Failed(error.to_string().into());
                batch.into_iter().for_each(|command| command.fail(&error));
            }
        }
    }

    /// One transaction for the whole batch.
    fn write(&mut self, batch: &[Command]) -> rusqlite::Result<(Vec<Done>, Heads, Commit)> {
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut sheet = Sheet::new(self.heads, self.options.hold);
        let mut done = Vec::with_capacity(batch.len());
        for command in batch {
            done.push(match command {
                Command::Publish(steps, _) => Done::Publish(publish(&tx, &mut sheet, steps)?),
                Command::Release(at, _) => Done::Release(release(&tx, &mut sheet, *at)?),
                Command::Enrol(enrolment, _) => Done::Enrol(places::enrol(&tx, enrolment)?),
                Command::Advance(place, _) => Done::Advance(places::advance(&tx, place)?),
                Command::Dismiss(consumer, _) => Done::Dismiss(places::dismiss(&tx, consumer)?),
                Command::Probe(_) => {
                    probe(&tx)?;
                    Done::Nothing
                }
            });
        }
        put(&tx, &sheet)?;
        tx.commit()?;
        Ok((done, sheet.heads, sheet.into_commit()))
    }
}

fn publish(db: &Connection, sheet: &mut Sheet, steps: &[NewStep]) -> rusqlite::Result<PublishAnswers> {
    let answers = steps.iter().map(|new| {
        if !sheet.rows.contains_key(&new.dossier) {
            let found = rows::find(db, &new.dossier)?;
            let found = found.map(|found| rows::row(db, found)).transpose()?;
            sheet.enter(new, found.map(|(_, row)| row));
        }
        Ok(sheet.take(new))
    });
    answers.collect()
}

fn release(db: &Connection, sheet: &mut Sheet, at: Timestamp) -> rusqlite::Result<u64> {
    // held.due
    let mut due = db.prepare_cached(
        "SELECT d.key, d.code, d.procedure, d.due_at, d.course
         FROM (SELECT dossier FROM held WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2) h
         JOIN dossier d ON d.key = h.dossier GROUP BY d.key",
    )?;
    let found = due.query_map((at.as_micros(), RELEASE_MAX), rows::dossier)?;
    let mut released = 0;
    for dossier in found {
        let (code, row) = rows::row(db, dossier?)?;
        sheet.rows.entry(code.clone()).or_insert(row);
        released += sheet.release(&code, at);
    }
    Ok(released)
}

/// Writes what the transaction has come to.
fn put(db: &Connection, sheet: &Sheet) -> rusqlite::Result<()> {
    // dossier.enter
    let mut enter = db.prepare_cached(
        "INSERT INTO dossier (key, code, owner, procedure, due_at, open_due_at, course, digest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    // dossier.change
    let mut change = db.prepare_cached(
        "UPDATE dossier SET procedure = ?2, due_at = ?3, open_due_at = ?4, course = ?5, digest = ?6 WHERE key = ?1",
    )?;
    // dossier.go_on: leaves the indexes alone
    let mut go_on = db.prepare_cached("UPDATE dossier SET course = ?2, digest = ?3 WHERE key = ?1")?;
    let micros = |time: Option<Timestamp>| time.map(Timestamp::as_micros);
    let mut changed: Vec<_> = sheet.changed().collect();
    // Pages are filled and visited in order.
    changed.sort_unstable_by_key(|(_, row)| row.key);
    for (code, row) in changed {
        let digest = row.course.digest().to_bytes();
        let (course, outline) = (packed::pack(&row.course), row.outline());
        let (procedure, due_at) = (outline.procedure.as_str(), micros(outline.due_at));
        let open_due_at = micros(outline.open_due_at);
        match &row.stored {
            None => {
                let (text, owner) = (code.as_str(), code.owner().as_str());
                enter.execute((row.key, text, owner, procedure, due_at, open_due_at, course, digest))?
            }
            Some(stored) if *stored == outline => go_on.execute((row.key, course, digest))?,
            Some(_) => change.execute((row.key, procedure, due_at, open_due_at, course, digest))?,
        };
    }
    // event.append
    let mut append = db.prepare_cached(
        "INSERT INTO event (position, dossier, step, flags, gap_from, shown_at, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for new in &sheet.events {
        let (flags, at) = (new.flags.bits(), new.at.as_micros());
        append.execute((
            bounded(new.position),
            new.dossier,
            new.step,
            flags,
            new.gap_from,
            at,
            new.body.as_ref(),
        ))?;
    }
    // held.put
    let mut hold = db.prepare_cached(
        "INSERT INTO held (dossier, step, held_at, due_at, body) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for new in sheet.held.values() {
        let (at, due_at) = (new.at.as_micros(), new.due_at.as_micros());
        hold.execute((new.dossier, new.step, at, due_at, new.body.as_ref()))?;
    }
    // held.let_go
    let mut let_go = db.prepare_cached("DELETE FROM held WHERE dossier = ?1 AND step = ?2")?;
    sheet.let_go.iter().try_for_each(|held| let_go.execute(*held).map(drop))
}

fn probe(db: &Connection) -> rusqlite::Result<()> {
    // probe.write
    db.prepare_cached(
        "INSERT INTO probe (id, count) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET count = count + 1",
    )?
    .execute([])
    .map(drop)
}
