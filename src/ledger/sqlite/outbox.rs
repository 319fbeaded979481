//! What a broker outside the gateway has not confirmed to have, and the durable numbers beside it.

use rusqlite::{Connection, OptionalExtension};

use super::codes::{Code, at_most, bounded};
use super::organs::{Names, number};
use super::writer::Book;
use crate::domain::delivery::{DeliveryId, State};
use crate::domain::message::Lane;
use crate::domain::organ_id::OrganId;
use crate::ledger::{BecameReady, MessageKey, Ready};

/// The fact that says whether an outbox is kept.
const KEPT: &str = "outbox";

/// A delivery has become ready.
pub(super) fn put(db: &Connection, book: &Book, ready: Ready) -> rusqlite::Result<()> {
    if !book.options.outbox {
        return Ok(());
    }
    // outbox.put
    db.prepare_cached(
        "INSERT INTO outbox (delivery, attempt) VALUES (?1, ?2)
         ON CONFLICT (delivery) DO UPDATE SET attempt = excluded.attempt",
    )?
    .execute((ready.delivery.0, ready.attempt))
    .map(drop)
}

/// A delivery is no longer to be published.
pub(super) fn withdraw(db: &Connection, delivery: DeliveryId) -> rusqlite::Result<()> {
    // outbox.withdraw
    db.prepare_cached("DELETE FROM outbox WHERE delivery = ?1")?.execute([delivery.0]).map(drop)
}

/// The broker has these. One that became ready anew meanwhile stays.
pub(super) fn published(db: &Connection, batch: &[Ready]) -> rusqlite::Result<()> {
    // outbox.published
    let mut statement = db.prepare_cached("DELETE FROM outbox WHERE delivery = ?1 AND attempt = ?2")?;
    for ready in batch {
        statement.execute((bounded(ready.delivery.0), ready.attempt))?;
    }
    Ok(())
}

/// What is ready is unpublished again, of one organ or of all. Gives how many.
pub(super) fn publish_again(
    db: &Connection,
    book: &Book,
    organ: Option<&OrganId>,
) -> rusqlite::Result<usize> {
    if !book.options.outbox {
        return Ok(0);
    }
    match organ {
        None => refill(db),
        Some(organ) => {
            let Some(organ) = number(db, organ)? else { return Ok(0) };
            // outbox.publish_again
            db.prepare_cached(
                "INSERT OR REPLACE INTO outbox (delivery, attempt)
                 SELECT id, attempt FROM delivery WHERE recipient = ?1 AND lane BETWEEN 0 AND 4 AND state = 0",
            )?
            .execute([organ])
        }
    }
}

fn refill(db: &Connection) -> rusqlite::Result<usize> {
    // outbox.refill
    db.prepare_cached(
        "INSERT OR REPLACE INTO outbox (delivery, attempt)
         SELECT id, attempt FROM delivery WHERE due_at IS NOT NULL AND state = ?1",
    )?
    .execute([Code(State::Queued)])
}

/// At opening: from the day an outbox is kept, it holds all that is ready; without one it is empty.
pub(super) fn keep(db: &Connection, wanted: bool) -> rusqlite::Result<()> {
    // outbox.kept
    let kept: Option<String> =
        db.query_row("SELECT value FROM fact WHERE name = ?1", [KEPT], |row| row.get(0)).optional()?;
    if kept.as_deref().unwrap_or("0") == if wanted { "1" } else { "0" } {
        return Ok(());
    }
    let tx = db.unchecked_transaction()?;
    match wanted {
        true => refill(&tx)?,
        false => tx.execute("DELETE FROM outbox", [])?,
    };
    tx.execute(
        "INSERT INTO fact (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (KEPT, if wanted { "1" } else { "0" }),
    )?;
    tx.commit()
}

/// Unpublished deliveries in order.
pub(super) fn unpublished(
    db: &Connection,
    names: &Names,
    after: DeliveryId,
    limit: usize,
) -> rusqlite::Result<Vec<BecameReady>> {
    // outbox.unpublished
    let mut statement = db.prepare_cached(
        "SELECT o.delivery, o.attempt, d.message, d.payload_bytes, d.lane, d.recipient
         FROM outbox o JOIN delivery d ON d.id = o.delivery WHERE o.delivery > ?1 ORDER BY o.delivery LIMIT ?2",
    )?;
    let rows = statement.query_map((bounded(after.0), at_most(limit)), |row| {
        Ok(BecameReady {
            organ: names.name(db, row.get(5)?)?,
            lane: row.get::<_, Code<Lane>>(4)?.0,
            ready: Ready {
                delivery: DeliveryId(row.get(0)?),
                message: MessageKey(row.get(2)?),
                payload_bytes: row.get(3)?,
                attempt: row.get(1)?,
            },
            message: None,
        })
    })?;
    rows.collect()
}

/// A durable number.
pub(super) fn mark(db: &Connection, name: &str) -> rusqlite::Result<u64> {
    // mark.read
    let value = db
        .prepare_cached("SELECT value FROM mark WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(value.unwrap_or(0))
}

/// Sets it if it still is `from`.
pub(super) fn advance_mark(db: &Connection, name: &str, from: u64, to: u64) -> rusqlite::Result<bool> {
    if mark(db, name)? != from {
        return Ok(false);
    }
    // mark.set
    db.prepare_cached(
        "INSERT INTO mark (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )?
    .execute((name, bounded(to)))?;
    Ok(true)
}
