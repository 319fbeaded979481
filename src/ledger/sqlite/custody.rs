//! Payloads that go when their time has come.

use rusqlite::{Connection, OptionalExtension};

use super::codes::{Code, at_most, bounded};
use super::holds;
use super::organs::{Names, OrganRef};
use super::receipts::{self, NewReceipt};
use super::writer::Book;
use crate::domain::receipt::ReceiptKind;
use crate::domain::retention::{Fate, HoldId, Kept, fate};
use crate::domain::time::Timestamp;
use crate::ledger::custody::{Work, Worked};
use crate::ledger::{KeptBody, MessageKey, PurgeRequest, Purged};

/// Does what is asked.
pub(super) fn work(db: &Connection, book: &mut Book, work: &Work) -> rusqlite::Result<Worked> {
    Ok(match work {
        Work::Purge(batch, _) => {
            let purged = batch.iter().map(|request| purge(db, book, request));
            Worked::Purged(purged.collect::<rusqlite::Result<_>>()?)
        }
        Work::Hold(request, _) => Worked::Hold(holds::hold(db, book, request)?),
        Work::Release(request, ..) => Worked::Hold(holds::release(db, book, request)?),
        Work::LetGo(limit, _) => Worked::LetGo(holds::let_go(db, *limit)?),
    })
}

/// A message of which something is kept.
struct Row {
    sender: OrganRef,
    first: u64,
    end: u64,
    payload_bytes: u64,
    since: Timestamp,
    is_purged: bool,
}

fn purge(db: &Connection, book: &mut Book, request: &PurgeRequest) -> rusqlite::Result<Purged> {
    let key = bounded(request.message.0);
    let Some(row) = read(db, key)? else { return Ok(Purged::Nothing) };
    let ends = ends(db, key, &row)?;
    let hold = holds::keeping(db, key, row.sender, row.first..row.end)?;
    let kept = Kept { since: row.since, is_purged: row.is_purged, ends: ends.into_iter(), hold };
    match fate(kept, request.ended_until, request.at) {
        Fate::Since(since) => {
            set(db, key, Some(since), None)?;
            Ok(Purged::Stays)
        }
        Fate::Held(hold) => {
            set(db, key, None, Some(hold))?;
            Ok(Purged::Held)
        }
        Fate::Purge => {
            let bytes = remove(db, key)? + if row.is_purged { 0 } else { row.payload_bytes };
            let (last_sequence, last_time) = receipts::last(db, request.message)?;
            let time = request.at.max(last_time);
            let receipt = NewReceipt {
                sender: row.sender,
                message: request.message,
                message_sequence: last_sequence + 1,
                delivery: None,
                kind: ReceiptKind::Purged,
                time,
                asserted_by: None,
                attempt: 0,
                cause: None,
                reason: "",
                retry_time: None,
                status: None,
                change: None,
            };
            receipts::append(db, book, &receipt)?;
            // message.purged
            db.prepare_cached(
                "UPDATE message SET kept_since = NULL, purged_at = ifnull(purged_at, ?2) WHERE key = ?1",
            )?
            .execute((key, Code(time)))?;
            Ok(Purged::Gone(bytes))
        }
    }
}

fn read(db: &Connection, key: i64) -> rusqlite::Result<Option<Row>> {
    // message.to_purge
    db.prepare_cached(
        "SELECT sender, first_delivery, deliveries, payload_bytes, kept_since, purged_at IS NOT NULL
         FROM message WHERE key = ?1 AND kept_since IS NOT NULL",
    )?
    .query_row([key], |row| {
        let (first, count): (u64, u64) = (row.get(1)?, row.get(2)?);
        Ok(Row {
            sender: row.get(0)?,
            first,
            end: first + count,
            payload_bytes: row.get(3)?,
            since: row.get::<_, Code<_>>(4)?.0,
            is_purged: row.get(5)?,
        })
    })
    .optional()
}

/// When the message's deliveries ended, those that took another's place among them.
fn ends(db: &Connection, key: i64, row: &Row) -> rusqlite::Result<Vec<Option<Timestamp>>> {
    // delivery.ends
    let mut statement = db.prepare_cached(
        "SELECT ended_at FROM delivery WHERE id >= ?1 AND id < ?2
         UNION ALL SELECT ended_at FROM delivery WHERE message = ?3 AND origin IS NOT NULL",
    )?;
    let ends = statement.query_map((row.first, row.end, key), |row| {
        Ok(row.get::<_, Option<Code<Timestamp>>>(0)?.map(|code| code.0))
    })?;
    ends.collect()
}

fn set(db: &Connection, key: i64, since: Option<Timestamp>, hold: Option<HoldId>) -> rusqlite::Result<()> {
    // message.keep
    db.prepare_cached("UPDATE message SET kept_since = ?2, parked = ?3 WHERE key = ?1")?
        .execute((key, since.map(Code), hold.map(|hold| bounded(hold.0))))
        .map(drop)
}

/// Removes the payload and the files reported of the message; gives the bytes of the files.
fn remove(db: &Connection, key: i64) -> rusqlite::Result<u64> {
    const FILES: &str = "(sender, sender_sequence) IN
        (SELECT sender, sender_sequence FROM receipt WHERE message = ?1 AND kind = 10)";
    // body.remove
    db.prepare_cached("DELETE FROM body WHERE message = ?1")?.execute([key])?;
    // status_file.bytes
    let bytes = db
        .prepare_cached(&format!("SELECT ifnull(sum(length(file)), 0) FROM status_file WHERE {FILES}"))?
        .query_row([key], |row| row.get(0))?;
    if bytes > 0 {
        // status_file.purged
        db.prepare_cached(&format!(
            "INSERT INTO status_file_purged SELECT sender, sender_sequence FROM status_file WHERE {FILES}"
        ))?
        .execute([key])?;
        // status_file.remove
        db.prepare_cached(&format!("DELETE FROM status_file WHERE {FILES}"))?.execute([key])?;
    }
    Ok(bytes)
}

/// A file was reported of a message: where the payload is gone already, the file's time begins.
pub(super) fn file_came(db: &Connection, message: MessageKey, at: Timestamp) -> rusqlite::Result<()> {
    // message.keep_again
    db.prepare_cached(
        "UPDATE message SET kept_since = ?2 WHERE key = ?1 AND kept_since IS NULL AND parked IS NULL",
    )?
    .execute((bounded(message.0), Code(at)))
    .map(drop)
}

/// Messages with something kept that may be to go.
pub(super) fn kept(
    db: &Connection,
    names: &Names,
    until: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<KeptBody>> {
    // message.kept
    let mut statement = db.prepare_cached(
        "SELECT key, sender, payload_bytes FROM message WHERE kept_since <= ?1 ORDER BY kept_since LIMIT ?2",
    )?;
    let rows = statement.query_map((Code(until), at_most(limit)), |row| {
        Ok(KeptBody {
            message: MessageKey(row.get(0)?),
            sender: names.name(db, row.get(1)?)?,
            payload_bytes: row.get(2)?,
        })
    })?;
    rows.collect()
}

/// Since when the oldest of them is kept.
pub(super) fn kept_since(db: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    // message.kept_since
    let since: Option<Code<Timestamp>> = db
        .prepare_cached("SELECT min(kept_since) FROM message WHERE kept_since IS NOT NULL")?
        .query_row([], |row| row.get(0))?;
    Ok(since.map(|code| code.0))
}

/// Bytes of the database and of its log, free pages included.
pub(super) fn bytes(db: &Connection) -> rusqlite::Result<u64> {
    // ledger.bytes
    let pages: u64 =
        db.query_row("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", [], |row| {
            row.get(0)
        })?;
    let log = db.path().and_then(|path| std::fs::metadata(format!("{path}-wal")).ok());
    Ok(pages + log.map_or(0, |log| log.len()))
}
