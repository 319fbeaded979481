//! Holds: setting, releasing, listing them, and what they keep.

use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, Row};

use super::codes::{Code, at_most, bounded};
use super::organs::{self, OrganRef};
use super::receipts::{self, NewReceipt};
use super::writer::Book;
use crate::domain::message::MessageId;
use crate::domain::receipt::ReceiptKind;
use crate::domain::retention::{Held, HoldId};
use crate::domain::time::Timestamp;
use crate::ledger::{Decision, Hold, HoldError, HoldRequest, MessageKey, ReleaseRequest};

/// Sets a hold, or says why not.
pub(super) fn hold(
    db: &Connection,
    book: &mut Book,
    request: &HoldRequest,
) -> rusqlite::Result<Result<Hold, HoldError>> {
    let (message, organ) = match &request.held {
        Held::Organ(organ) => (None, Some(book.accounts.number(db, organ)?)),
        Held::Message { sender, message_id } => {
            let sender = book.accounts.number(db, sender)?;
            // message.to_hold
            let found: Option<(i64, bool)> = db
                .prepare_cached(
                    "SELECT key, purged_at IS NOT NULL FROM message WHERE sender = ?1 AND message_id = ?2",
                )?
                .query_row((sender, message_id.as_str()), |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            match found {
                None => return Ok(Err(HoldError::NoMessage)),
                Some((_, true)) => return Ok(Err(HoldError::Purged)),
                Some((key, false)) => (Some(key), None),
            }
        }
    };
    // hold.same
    let same: Option<i64> = db
        .prepare_cached(
            "SELECT id FROM hold WHERE message IS ?1 AND organ IS ?2 AND released_at IS NULL AND set_by = ?3 AND reason = ?4",
        )?
        .query_row((message, organ, &request.by, &request.reason), |row| row.get(0))
        .optional()?;
    let id = match same {
        Some(id) => id,
        None => {
            let at = note(db, book, message, ReceiptKind::Held, &request.by, &request.reason, request.at)?;
            // hold.set
            db.prepare_cached(
                "INSERT INTO hold (message, organ, set_at, set_by, reason) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((message, organ, Code(at), &request.by, &request.reason))?;
            db.last_insert_rowid()
        }
    };
    read(db, id).map(|hold| hold.ok_or(HoldError::NoHold))
}

/// Releases a hold, or says why not.
pub(super) fn release(
    db: &Connection,
    book: &mut Book,
    request: &ReleaseRequest,
) -> rusqlite::Result<Result<Hold, HoldError>> {
    let id = bounded(request.hold.0);
    // hold.to_release
    let found: Option<(Option<i64>, bool)> = db
        .prepare_cached("SELECT message, released_at IS NOT NULL FROM hold WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((message, false)) = found {
        let at = note(db, book, message, ReceiptKind::Released, &request.by, &request.reason, request.at)?;
        // hold.release
        db.prepare_cached(
            "UPDATE hold SET released_at = ?2, released_by = ?3, release_reason = ?4 WHERE id = ?1",
        )?
        .execute((id, Code(at), &request.by, &request.reason))?;
    }
    read(db, id).map(|hold| hold.ok_or(HoldError::NoHold))
}

/// Leaves a receipt where the hold is of one message; gives when it happened.
fn note(
    db: &Connection,
    book: &mut Book,
    message: Option<i64>,
    kind: ReceiptKind,
    by: &str,
    reason: &str,
    at: Timestamp,
) -> rusqlite::Result<Timestamp> {
    let Some(key) = message else { return Ok(at) };
    // message.sender
    let (key, sender): (u64, OrganRef) = db
        .prepare_cached("SELECT key, sender FROM message WHERE key = ?1")?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (last_sequence, last_time) = receipts::last(db, MessageKey(key))?;
    let time = at.max(last_time);
    let receipt = NewReceipt {
        sender,
        message: MessageKey(key),
        message_sequence: last_sequence + 1,
        delivery: None,
        kind,
        time,
        asserted_by: Some(organs::operator(db, by)?),
        attempt: 0,
        cause: None,
        reason,
        retry_time: None,
        status: None,
        change: None,
    };
    receipts::append(db, book, &receipt)?;
    Ok(time)
}

/// The first hold that keeps a message: on itself, on its sender, or on an organ one of its deliveries is for.
pub(super) fn keeping(
    db: &Connection,
    message: i64,
    sender: OrganRef,
    deliveries: Range<u64>,
) -> rusqlite::Result<Option<HoldId>> {
    // hold.keeping
    let hold: Option<u64> = db
        .prepare_cached(
            "SELECT min(id) FROM (
                 SELECT id FROM hold WHERE message = ?1 AND released_at IS NULL
                 UNION ALL SELECT id FROM hold WHERE organ = ?2 AND released_at IS NULL
                 UNION ALL SELECT h.id FROM delivery d JOIN hold h ON h.organ IN (d.recipient, d.addressed_to)
                     WHERE d.id >= ?3 AND d.id < ?4 AND h.released_at IS NULL
                 UNION ALL SELECT h.id FROM delivery d JOIN hold h ON h.organ IN (d.recipient, d.addressed_to)
                     WHERE d.message = ?1 AND d.origin IS NOT NULL AND h.released_at IS NULL)",
        )?
        .query_row((message, sender, deliveries.start, deliveries.end), |row| row.get(0))?;
    Ok(hold.map(HoldId))
}

/// Gives what released holds have kept its time again.
pub(super) fn let_go(db: &Connection, limit: usize) -> rusqlite::Result<u64> {
    // message.let_go
    let changed = db
        .prepare_cached(
            "UPDATE message SET kept_since = accepted_at, parked = NULL WHERE key IN (
                 SELECT m.key FROM message m JOIN hold h ON h.id = m.parked
                 WHERE m.parked IS NOT NULL AND h.released_at IS NOT NULL LIMIT ?1)",
        )?
        .execute([at_most(limit)])?;
    Ok(changed as u64)
}

const COLUMNS: &str =
    "SELECT h.id, s.id, m.message_id, o.id, h.set_by, h.set_at, h.reason, h.released_by, h.released_at,
        h.release_reason
    FROM hold h LEFT JOIN message m ON m.key = h.message LEFT JOIN organ s ON s.ref = m.sender
    LEFT JOIN organ o ON o.ref = h.organ";

fn read(db: &Connection, id: i64) -> rusqlite::Result<Option<Hold>> {
    // hold.read
    db.prepare_cached(&format!("{COLUMNS} WHERE h.id = ?1"))?.query_row([id], one).optional()
}

/// Holds, the newest first.
pub(super) fn holds(
    db: &Connection,
    released: bool,
    before: Option<HoldId>,
    limit: usize,
) -> rusqlite::Result<Vec<Hold>> {
    // hold.list
    let mut statement = db.prepare_cached(&format!(
        "{COLUMNS} WHERE h.id < ?1 AND (?2 OR h.released_at IS NULL) ORDER BY h.id DESC LIMIT ?3"
    ))?;
    let before = before.map_or(i64::MAX, |id| bounded(id.0));
    let rows = statement.query_map((before, released, at_most(limit)), one)?;
    rows.collect()
}

fn one(row: &Row<'_>) -> rusqlite::Result<Hold> {
    let held = match row.get_ref(3)?.as_str_or_null()? {
        Some(organ) => Held::Organ(organs::parsed(organ)?),
        None => Held::Message {
            sender: organs::parsed(row.get_ref(1)?.as_str()?)?,
            message_id: MessageId::parse(row.get_ref(2)?.as_str()?).map_err(|why| {
                rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, Box::new(why))
            })?,
        },
    };
    let decision = |by: Option<String>, at: Option<Code<Timestamp>>, reason: Option<String>| {
        Some(Decision { by: by?, at: at?.0, reason: reason? })
    };
    Ok(Hold {
        id: HoldId(row.get(0)?),
        held,
        set: Decision { by: row.get(4)?, at: row.get::<_, Code<_>>(5)?.0, reason: row.get(6)? },
        released: decision(row.get(7)?, row.get(8)?, row.get(9)?),
    })
}
