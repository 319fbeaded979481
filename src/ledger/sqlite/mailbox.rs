//! What is open: ready deliveries, due ones, held ones, and how many of each.

use rusqlite::{Connection, OptionalExtension};

use super::codes::{Code, at_most, bounded};
use super::organs::{Names, number};
use crate::domain::delivery::{DeliveryId, Hold, State};
use crate::domain::message::Lane;
use crate::domain::organ_id::OrganId;
use crate::domain::time::Timestamp;
use crate::ledger::{MailboxTally, MessageKey, Ready, Tally, Unheld};

/// Ready deliveries of one lane, in order.
pub(super) fn ready(
    db: &Connection,
    organ: &OrganId,
    lane: Lane,
    after: DeliveryId,
    limit: usize,
) -> rusqlite::Result<Vec<Ready>> {
    let Some(organ) = number(db, organ)? else { return Ok(Vec::new()) };
    // delivery.ready
    let mut statement = db.prepare_cached(
        "SELECT id, message, payload_bytes, attempt FROM delivery
         WHERE recipient = ?1 AND lane = ?2 AND id > ?3 AND state = 0 ORDER BY id LIMIT ?4",
    )?;
    let rows = statement.query_map((organ, Code(lane), bounded(after.0), at_most(limit)), |row| {
        Ok(Ready {
            delivery: DeliveryId(row.get(0)?),
            message: MessageKey(row.get(1)?),
            payload_bytes: row.get(2)?,
            attempt: row.get(3)?,
        })
    })?;
    rows.collect()
}

/// Ready deliveries of all lanes, as they are served.
pub(super) fn ready_in_lanes(
    db: &Connection,
    organ: &OrganId,
    limit: usize,
) -> rusqlite::Result<Vec<(Lane, Ready)>> {
    let Some(organ) = number(db, organ)? else { return Ok(Vec::new()) };
    // delivery.ready_in_lanes
    let mut statement = db.prepare_cached(
        "SELECT id, message, payload_bytes, attempt, lane FROM delivery
         WHERE recipient = ?1 AND state = 0 ORDER BY lane, id LIMIT ?2",
    )?;
    let rows = statement.query_map((organ, at_most(limit)), |row| {
        let ready = Ready {
            delivery: DeliveryId(row.get(0)?),
            message: MessageKey(row.get(1)?),
            payload_bytes: row.get(2)?,
            attempt: row.get(3)?,
        };
        Ok((row.get::<_, Code<Lane>>(4)?.0, ready))
    })?;
    rows.collect()
}

/// Due deliveries, the longest due first.
pub(super) fn due(db: &Connection, now: Timestamp, limit: usize) -> rusqlite::Result<Vec<DeliveryId>> {
    // delivery.due
    let mut statement =
        db.prepare_cached("SELECT id FROM delivery WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2")?;
    let rows = statement.query_map((Code(now), at_most(limit)), |row| row.get(0).map(DeliveryId))?;
    rows.collect()
}

/// The earliest due time.
pub(super) fn next_due(db: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    // delivery.next_due
    let due: Option<Code<Timestamp>> = db
        .prepare_cached("SELECT min(due_at) FROM delivery WHERE due_at IS NOT NULL")?
        .query_row([], |row| row.get(0))?;
    Ok(due.map(|code| code.0))
}

/// Deliveries in flight on a stream.
pub(super) fn held_by_streams(db: &Connection, limit: usize) -> rusqlite::Result<Vec<(DeliveryId, u32)>> {
    // delivery.held_by_streams
    let mut statement = db.prepare_cached(
        "SELECT id, attempt FROM delivery WHERE due_at IS NOT NULL AND state = ?1 AND hold = ?2 LIMIT ?3",
    )?;
    let rows = statement.query_map((Code(State::InFlight), Code(Hold::Stream), at_most(limit)), |row| {
        Ok((DeliveryId(row.get(0)?), row.get(1)?))
    })?;
    rows.collect()
}

/// Deliveries in their recipient's own queue whose lease ends soon.
pub(super) fn held_in_queue(
    db: &Connection,
    organ: &OrganId,
    before: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<(DeliveryId, u32)>> {
    let Some(organ) = number(db, organ)? else { return Ok(Vec::new()) };
    // delivery.held_in_queue
    let mut statement = db.prepare_cached(
        "SELECT id, attempt FROM delivery WHERE recipient = ?1 AND hold = 2 AND due_at < ?2 ORDER BY due_at LIMIT ?3",
    )?;
    let rows = statement
        .query_map((organ, Code(before), at_most(limit)), |row| Ok((DeliveryId(row.get(0)?), row.get(1)?)))?;
    rows.collect()
}

/// Open deliveries of one mailbox that nobody holds.
pub(super) fn unheld(
    db: &Connection,
    organ: &OrganId,
    after: DeliveryId,
    limit: usize,
) -> rusqlite::Result<Vec<Unheld>> {
    let Some(organ) = number(db, organ)? else { return Ok(Vec::new()) };
    // delivery.unheld
    let mut statement = db.prepare_cached(
        "SELECT id, state FROM delivery WHERE recipient = ?1 AND id > ?2 AND state IN (0, 2, 7) ORDER BY id LIMIT ?3",
    )?;
    let rows = statement.query_map((organ, bounded(after.0), at_most(limit)), |row| {
        Ok((DeliveryId(row.get(0)?), row.get::<_, Code<State>>(1)?.0))
    })?;
    rows.collect()
}

/// Open deliveries of each mailbox.
pub(super) fn mailboxes(db: &Connection, names: &Names) -> rusqlite::Result<Vec<MailboxTally>> {
    // delivery.mailboxes
    let mut statement = db.prepare_cached(
        "SELECT o.recipient, o.ready, o.in_flight, o.waiting, o.dead, m.accepted_at, o.overdue
         FROM (SELECT recipient, sum(state = 0) AS ready, sum(state = 1) AS in_flight, sum(state = 2) AS waiting,
                   sum(state = 7) AS dead, min(message) AS oldest,
                   sum(overdue_at IS NOT NULL AND acknowledged_at IS NULL) AS overdue
               FROM delivery WHERE due_at IS NOT NULL GROUP BY recipient) o
         JOIN message m ON m.key = o.oldest ORDER BY o.recipient",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(MailboxTally {
            organ: names.name(db, row.get(0)?)?,
            ready: row.get(1)?,
            in_flight: row.get(2)?,
            waiting: row.get(3)?,
            dead: row.get(4)?,
            oldest: row.get::<_, Option<Code<Timestamp>>>(5)?.map(|code| code.0),
            overdue: row.get(6)?,
        })
    })?;
    rows.collect()
}

/// Open deliveries by state, and when the oldest of them was accepted.
pub(super) fn tally(db: &Connection, _: &Names) -> rusqlite::Result<Tally> {
    // delivery.tally
    let mut statement = db.prepare_cached(
        "SELECT state, count(*) FROM delivery WHERE due_at IS NOT NULL GROUP BY state ORDER BY state",
    )?;
    let open = statement
        .query_map([], |row| Ok((row.get::<_, Code<State>>(0)?.0, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    // delivery.oldest_open
    let oldest_open: Option<Code<Timestamp>> = db
        .prepare_cached(
            "SELECT m.accepted_at FROM delivery d JOIN message m ON m.key = d.message
             WHERE d.id = (SELECT min(id) FROM delivery WHERE due_at IS NOT NULL)",
        )?
        .query_row([], |row| row.get(0))
        .optional()?;
    // message.newest
    let newest: Option<Code<Timestamp>> = db
        .prepare_cached("SELECT accepted_at FROM message ORDER BY key DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    // delivery.overdue_now
    let overdue = db
        .prepare_cached(
            "SELECT count(*) FROM delivery
             WHERE overdue_at IS NOT NULL AND acknowledged_at IS NULL AND due_at IS NOT NULL",
        )?
        .query_row([], |row| row.get(0))?;
    let (oldest_open, newest) = (oldest_open.map(|code| code.0), newest.map(|code| code.0));
    Ok(Tally { open, oldest_open, newest, overdue })
}
