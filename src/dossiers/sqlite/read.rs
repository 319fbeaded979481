//! What is read beside the writer.

use bytes::{Bytes, BytesMut};
use rusqlite::{Connection, OptionalExtension, Row as Record};

use super::rows::{self, COLUMNS};
use crate::domain::dossier::{DossierCode, Flags};
use crate::domain::time::Timestamp;
use crate::dossiers::{After, Dossier, Event, History, Selection, Tally};

/// Room for the body of an event, as most are.
const BODY_BYTES: usize = 384;
/// Events room is made for at once.
const ROOM_MAX: usize = 1_000;

/// A number from outside as a column can be compared with it.
pub(super) fn bounded(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// An event of the columns `position, step, flags, gap_from, shown_at, body`.
fn event(row: &Record<'_>) -> rusqlite::Result<Event> {
    event_with(row, Bytes::copy_from_slice(row.get_ref(5)?.as_blob()?))
}

fn event_with(row: &Record<'_>, body: Bytes) -> rusqlite::Result<Event> {
    Ok(Event {
        position: Some(row.get(0)?),
        step: row.get(1)?,
        flags: Flags::from_bits(row.get(2)?),
        gap_from: row.get(3)?,
        at: Timestamp::from_micros(row.get(4)?),
        body,
    })
}

/// The last position.
pub(super) fn head(db: &Connection) -> rusqlite::Result<u64> {
    // event.head
    db.prepare_cached("SELECT ifnull(max(position), 0) FROM event")?.query_row([], |row| row.get(0))
}

/// Events above a position. Their bodies share one buffer.
pub(super) fn events(db: &Connection, after: u64, limit: usize) -> rusqlite::Result<Vec<Event>> {
    // event.page
    let mut statement = db.prepare_cached(
        "SELECT position, step, flags, gap_from, shown_at, body FROM event
         WHERE position > ?1 ORDER BY position LIMIT ?2",
    )?;
    let mut rows = statement.query((bounded(after), at_most(limit)))?;
    let room = limit.min(ROOM_MAX);
    let (mut events, mut bodies) = (Vec::with_capacity(room), BytesMut::with_capacity(room * BODY_BYTES));
    while let Some(row) = rows.next()? {
        let body = row.get_ref(5)?.as_blob()?;
        bodies.extend_from_slice(body);
        events.push((event_with(row, Bytes::new())?, body.len()));
    }
    let mut bodies = bodies.freeze();
    Ok(events.into_iter().map(|(event, length)| Event { body: bodies.split_to(length), ..event }).collect())
}

/// Halves the log until the place is found: events become visible in the order of their times.
pub(super) fn position_at(db: &Connection, time: Timestamp) -> rusqlite::Result<u64> {
    let (mut before, mut end) = (0, head(db)? + 1);
    while end - before > 1 {
        let middle = before + (end - before) / 2;
        // event.shown_at
        let shown_at: i64 = db
            .prepare_cached("SELECT shown_at FROM event WHERE position = ?1")?
            .query_row([middle], |row| row.get(0))?;
        match Timestamp::from_micros(shown_at) < time {
            true => before = middle,
            false => end = middle,
        }
    }
    Ok(before)
}

/// A dossier and its steps.
pub(super) fn history(db: &Connection, code: &DossierCode) -> rusqlite::Result<Option<History>> {
    // One view of the rows, whatever is written meanwhile.
    let tx = db.unchecked_transaction()?;
    let Some(dossier) = rows::find(&tx, code)? else { return Ok(None) };
    let mut held = rows::held(&tx, dossier.key)?.into_iter();
    let mut events = Vec::with_capacity(dossier.course.marks().len());
    // event.one
    let mut one = tx.prepare_cached(
        "SELECT position, step, flags, gap_from, shown_at, body FROM event WHERE position = ?1",
    )?;
    for mark in dossier.course.marks() {
        match mark.position {
            Some(position) => events.push(one.query_row([position], event)?),
            None => events.extend(held.next().map(|(step, at, held)| Event {
                position: None,
                step,
                flags: mark.flags,
                gap_from: 0,
                at,
                body: held.body,
            })),
        }
    }
    drop(one);
    tx.finish()?;
    Ok(Some((dossier, events)))
}

/// Dossiers of an organ and those below it.
pub(super) fn dossiers(
    db: &Connection,
    selection: &Selection,
    after: Option<&After>,
    limit: usize,
) -> rusqlite::Result<Vec<Dossier>> {
    let top = selection.at_or_below.as_str();
    let (owner, key) = after.map_or((top, 0), |(owner, key)| (owner.as_str(), bounded(*key)));
    // '/' is the character after '.': all ids below the organ's lie in between.
    let end = format!("{top}/");
    let overdue = match selection.overdue_at {
        Some(_) => "AND open_due_at < ?5",
        None => "AND ?5 IS NULL",
    };
    let at = selection.overdue_at.map(Timestamp::as_micros);
    // dossier.list
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM dossier WHERE (owner, key) > (?1, ?2) AND owner >= ?1 AND owner < ?3 {overdue}
         ORDER BY owner, key LIMIT ?4"
    ))?;
    let rows = statement.query_map((owner, key, end, at_most(limit), at), rows::dossier)?;
    rows.collect()
}

/// The earliest due time.
pub(super) fn next_due(db: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    // held.next_due
    let due: Option<i64> = db
        .prepare_cached("SELECT due_at FROM held ORDER BY due_at LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(due.map(Timestamp::from_micros))
}

/// How much there is.
pub(super) fn tally(db: &Connection) -> rusqlite::Result<Tally> {
    // held.tally
    let tally = "SELECT count(*), min(held_at), (SELECT ifnull(max(position), 0) FROM event) FROM held";
    db.prepare_cached(tally)?.query_row([], |row| {
        let oldest_held = row.get::<_, Option<i64>>(1)?.map(Timestamp::from_micros);
        Ok(Tally { head: row.get(2)?, held: row.get(0)?, oldest_held })
    })
}
