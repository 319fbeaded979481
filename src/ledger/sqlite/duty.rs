//! The duty to acknowledge: what was not is noted, counted by day, and listed.

use rusqlite::{Connection, OptionalExtension};

use super::codes::{Code, at_most, bounded};
use super::organs::{Names, OrganRef, number};
use super::receipts::{self, NewReceipt};
use super::step;
use super::writer::Book;
use crate::domain::calendar::Day;
use crate::domain::delivery::DeliveryId;
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::ReceiptKind;
use crate::domain::time::Timestamp;
use crate::ledger::{DutyBounds, DutyDay, DutyFigures};

/// Notes that a delivery was not acknowledged in time; whether that was so and is noted now.
pub(super) fn note(
    db: &Connection,
    book: &mut Book,
    delivery: DeliveryId,
    at: Timestamp,
) -> rusqlite::Result<bool> {
    let Some(row) = step::read(db, delivery)? else { return Ok(false) };
    if !row.duty.is_to_be_noted(row.ended_at, at) {
        return Ok(false);
    }
    let (last_sequence, last_time) = receipts::last(db, row.message)?;
    let time = at.max(last_time);
    // delivery.note_overdue
    let noted = db
        .prepare_cached("UPDATE delivery SET overdue_at = ?2 WHERE id = ?1 AND overdue_at IS NULL")?
        .execute((delivery.0, Code(time)))?;
    if noted != 1 {
        return Err(rusqlite::Error::StatementChangedRows(noted));
    }
    let receipt = NewReceipt {
        sender: row.sender,
        message: row.message,
        message_sequence: last_sequence + 1,
        delivery: Some(delivery),
        kind: ReceiptKind::Overdue,
        time,
        asserted_by: None,
        attempt: row.progress.attempt,
        cause: None,
        reason: "",
        retry_time: None,
        status: None,
        change: None,
    };
    receipts::append(db, book, &receipt)?;
    Ok(true)
}

/// Deliveries to be noted.
pub(super) fn unacknowledged(
    db: &Connection,
    by: Timestamp,
    after: DeliveryId,
    limit: usize,
) -> rusqlite::Result<Vec<DeliveryId>> {
    // delivery.unacknowledged
    let mut statement = db.prepare_cached(
        "SELECT id FROM delivery WHERE id > ?1 AND acknowledge_by <= ?2 AND overdue_at IS NULL
             AND (acknowledged_at IS NULL OR acknowledged_at > acknowledge_by)
             AND (ended_at IS NULL OR ended_at > acknowledge_by)
         ORDER BY id LIMIT ?3",
    )?;
    let rows = statement
        .query_map((bounded(after.0), Code(by), at_most(limit)), |row| row.get(0).map(DeliveryId))?;
    rows.collect()
}

/// Where those of a span lie.
pub(super) fn bounds(db: &Connection, by: Timestamp, after: DeliveryId) -> rusqlite::Result<DutyBounds> {
    // delivery.first_later
    let first_later = db
        .prepare_cached("SELECT id FROM delivery WHERE id > ?1 AND acknowledge_by > ?2 ORDER BY id LIMIT 1")?
        .query_row((bounded(after.0), Code(by)), |row| row.get(0).map(DeliveryId))
        .optional()?;
    // delivery.last
    let last = db
        .prepare_cached("SELECT id FROM delivery WHERE id > ?1 ORDER BY id DESC LIMIT 1")?
        .query_row([bounded(after.0)], |row| row.get(0).map(DeliveryId))
        .optional()?;
    Ok(DutyBounds { first_later, last })
}

/// Counts by recipient and day.
pub(super) fn count(
    db: &Connection,
    after: DeliveryId,
    from: Timestamp,
    by: Timestamp,
) -> rusqlite::Result<()> {
    // duty_day.count: a day is 86,400 s, and begins 7 h earlier than in UTC
    db.prepare_cached(
        "INSERT INTO duty_day (recipient, day, due, overdue)
         SELECT recipient, (acknowledge_by + 25200000000) / 86400000000 AS day, count(*), sum(overdue_at IS NOT NULL)
         FROM delivery
         WHERE id > ?1 AND acknowledge_by > ?2 AND acknowledge_by <= ?3
             AND (ended_at IS NULL OR ended_at > acknowledge_by OR acknowledged_at IS NOT NULL)
         GROUP BY recipient, day
         ON CONFLICT (recipient, day) DO UPDATE SET due = excluded.due, overdue = excluded.overdue",
    )?
    .execute((bounded(after.0), Code(from), Code(by)))
    .map(drop)
}

/// Whose overdue deliveries are open and not acknowledged.
pub(super) fn recipients(db: &Connection, names: &Names) -> rusqlite::Result<Vec<OrganId>> {
    // delivery.overdue_recipients
    let mut statement = db.prepare_cached(
        "SELECT DISTINCT recipient FROM delivery
         WHERE overdue_at IS NOT NULL AND acknowledged_at IS NULL AND due_at IS NOT NULL",
    )?;
    let rows = statement.query_map([], |row| names.name(db, row.get(0)?))?;
    rows.collect()
}

/// How organs meet their duty, in the order of their numbers.
pub(super) fn figures(
    db: &Connection,
    names: &Names,
    organ: Option<&OrganId>,
    (first, last): (Day, Day),
    after: Option<&OrganId>,
    limit: usize,
) -> rusqlite::Result<Vec<DutyFigures>> {
    let numbered = |organ: Option<&OrganId>| organ.map(|organ| number(db, organ)).transpose();
    let after = numbered(after)?.flatten().unwrap_or(0);
    let (low, high) = match numbered(organ)? {
        None => (after, i64::MAX),
        Some(None) => return Ok(Vec::new()),
        Some(Some(organ)) => (after.max(organ - 1), organ),
    };
    // duty_day.figures
    let mut statement = db.prepare_cached(
        "SELECT recipient, sum(due), sum(overdue) FROM duty_day WHERE recipient > ?1 AND recipient <= ?2
         GROUP BY recipient ORDER BY recipient LIMIT ?3",
    )?;
    let totals = statement.query_map((low, high, at_most(limit)), |row| {
        Ok((row.get::<_, OrganRef>(0)?, row.get::<_, u64>(1)?, row.get::<_, u64>(2)?))
    })?;
    let mut figures = Vec::new();
    for total in totals {
        let (organ, due, overdue) = total?;
        // delivery.overdue_now_of
        let overdue_now = db
            .prepare_cached(
                "SELECT count(*) FROM delivery WHERE recipient = ?1 AND overdue_at IS NOT NULL
                     AND acknowledged_at IS NULL AND due_at IS NOT NULL",
            )?
            .query_row([organ], |row| row.get(0))?;
        let days = days(db, organ, first, last)?;
        figures.push(DutyFigures { organ: names.name(db, organ)?, due, overdue, overdue_now, days });
    }
    Ok(figures)
}

fn days(db: &Connection, organ: OrganRef, first: Day, last: Day) -> rusqlite::Result<Vec<DutyDay>> {
    // duty_day.days
    let mut statement = db.prepare_cached(
        "SELECT day, due, overdue FROM duty_day WHERE recipient = ?1 AND day BETWEEN ?2 AND ?3 ORDER BY day",
    )?;
    let rows = statement.query_map((organ, first.0, last.0), |row| {
        Ok(DutyDay { day: Day(row.get(0)?), due: row.get(1)?, overdue: row.get(2)? })
    })?;
    rows.collect()
}
