//! Messages and their deliveries as they stand: tracking one, listing those sent and received.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row};

use super::codes::{Code, at_most, bounded};
use super::organs::{Names, OrganRef, number};
use super::receipts;
use super::step;
use crate::domain::delivery::{DeliveryId, Progress};
use crate::domain::message::MessageId;
use crate::domain::organ_id::OrganId;
use crate::ledger::changes::Carries;
use crate::ledger::{DeliveryRecord, KeyedMessage, Message, MessageKey, MessageRecord, OverdueOf, Story};

const MESSAGE: &str =
    "m.key, m.sender, m.message_id, m.content_hash, m.payload_hash, m.header, m.accepted_at,
    m.expires_at, m.payload_bytes, m.first_delivery, m.deliveries, m.purged_at";
/// What [`delivery`] reads, of a table `d`.
pub(super) const DELIVERY: &str =
    "d.id, d.recipient, d.addressed_to, d.state, d.attempt, d.hold, d.due_at, d.expires_at,
    d.ended_at, d.status, d.request, d.carries, d.spared, d.acknowledge_by, d.acknowledged_at, d.overdue_at,
    d.unsent";

/// Messages with their payloads.
pub(super) fn messages(
    db: &Connection,
    names: &Names,
    keys: &[MessageKey],
) -> rusqlite::Result<Vec<KeyedMessage>> {
    // message.with_payload
    let mut statement = db.prepare_cached(&format!(
        "SELECT {MESSAGE}, b.payload FROM message m JOIN body b ON b.message = m.key WHERE m.key = ?1"
    ))?;
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        let message = statement
            .query_row([bounded(key.0)], |row| {
                let mut message = message(db, names, row)?;
                message.payload = row.get::<_, Vec<u8>>(12)?.into();
                Ok(message)
            })
            .optional()?;
        found.extend(message.map(|message| (*key, Arc::new(message))));
    }
    Ok(found)
}

/// One message and all its receipts, as of one moment.
pub(super) fn track(
    db: &Connection,
    names: &Names,
    sender: &OrganId,
    message_id: &MessageId,
) -> rusqlite::Result<Option<Story>> {
    let snapshot = db.unchecked_transaction()?;
    let Some(sender) = number(&snapshot, sender)? else { return Ok(None) };
    // message.track
    let found = snapshot
        .prepare_cached(&format!(
            "SELECT {MESSAGE} FROM message m WHERE m.sender = ?1 AND m.message_id = ?2"
        ))?
        .query_row((sender, message_id.as_str()), |row| record(&snapshot, names, row))
        .optional()?;
    let Some(found) = found else { return Ok(None) };
    let receipts = receipts::of_message(&snapshot, names, found.key, usize::MAX)?;
    Ok(Some((found, receipts)))
}

/// One message by the ledger's number.
pub(super) fn by_key(
    db: &Connection,
    names: &Names,
    key: MessageKey,
) -> rusqlite::Result<Option<MessageRecord>> {
    // message.by_key
    db.prepare_cached(&format!("SELECT {MESSAGE} FROM message m WHERE m.key = ?1"))?
        .query_row([bounded(key.0)], |row| record(db, names, row))
        .optional()
}

/// What an organ sent, the newest first.
pub(super) fn sent(
    db: &Connection,
    names: &Names,
    sender: &OrganId,
    before: Option<MessageKey>,
    limit: usize,
) -> rusqlite::Result<Vec<MessageRecord>> {
    let Some(sender) = number(db, sender)? else { return Ok(Vec::new()) };
    // message.sent
    let mut statement = db.prepare_cached(&format!(
        "SELECT {MESSAGE} FROM message m WHERE m.sender = ?1 AND m.key < ?2 ORDER BY m.key DESC LIMIT ?3"
    ))?;
    let before = before.map_or(i64::MAX, |key| bounded(key.0));
    let rows = statement.query_map((sender, before, at_most(limit)), |row| record(db, names, row))?;
    rows.collect()
}

/// What was sent to an organ, the newest first.
pub(super) fn received(
    db: &Connection,
    names: &Names,
    recipient: &OrganId,
    before: Option<DeliveryId>,
    open_only: bool,
    limit: usize,
) -> rusqlite::Result<Vec<MessageRecord>> {
    let Some(recipient) = number(db, recipient)? else { return Ok(Vec::new()) };
    // delivery.received
    let mut statement = db.prepare_cached(&format!(
        "SELECT {MESSAGE}, {DELIVERY} FROM delivery d JOIN message m ON m.key = d.message
         WHERE d.recipient = ?1 AND d.id < ?2 AND (NOT ?3 OR d.due_at IS NOT NULL)
         ORDER BY d.id DESC LIMIT ?4"
    ))?;
    let before = before.map_or(i64::MAX, |id| bounded(id.0));
    let rows =
        statement.query_map((recipient, before, open_only, at_most(limit)), |row| single(db, names, row))?;
    rows.collect()
}

/// What was noted as overdue, the newest first.
pub(super) fn overdue(
    db: &Connection,
    names: &Names,
    of: &OverdueOf,
    before: Option<DeliveryId>,
    open_only: bool,
    limit: usize,
) -> rusqlite::Result<Vec<MessageRecord>> {
    let (whose, organ) = match of {
        OverdueOf::Recipient(organ) => ("d.recipient = ?1", Some(organ)),
        OverdueOf::Sender(organ) => ("d.sender = ?1", Some(organ)),
        OverdueOf::Everybody => ("?1 IS NULL", None),
    };
    let organ = organ.map(|organ| number(db, organ)).transpose()?;
    let organ = match organ {
        Some(None) => return Ok(Vec::new()),
        organ => organ.flatten(),
    };
    // delivery.overdue
    let mut statement = db.prepare_cached(&format!(
        "SELECT {MESSAGE}, {DELIVERY} FROM delivery d JOIN message m ON m.key = d.message
         WHERE {whose} AND d.overdue_at IS NOT NULL AND d.id < ?2
             AND (NOT ?3 OR (d.due_at IS NOT NULL AND d.acknowledged_at IS NULL))
         ORDER BY d.id DESC LIMIT ?4"
    ))?;
    let before = before.map_or(i64::MAX, |id| bounded(id.0));
    let rows =
        statement.query_map((organ, before, open_only, at_most(limit)), |row| single(db, names, row))?;
    rows.collect()
}

/// A message with one of its deliveries.
fn single(db: &Connection, names: &Names, row: &Row<'_>) -> rusqlite::Result<MessageRecord> {
    Ok(MessageRecord {
        key: MessageKey(row.get(0)?),
        message: message(db, names, row)?,
        payload_bytes: row.get(8)?,
        purged_at: row.get::<_, Option<Code<_>>>(11)?.map(|code| code.0),
        deliveries: vec![delivery(db, names, row, 12)?],
    })
}

fn record(db: &Connection, names: &Names, row: &Row<'_>) -> rusqlite::Result<MessageRecord> {
    let (first, count): (u64, u64) = (row.get(9)?, row.get(10)?);
    // delivery.of_message
    let mut statement = db.prepare_cached(&format!(
        "SELECT {DELIVERY} FROM delivery d WHERE d.id >= ?1 AND d.id < ?2
         UNION ALL SELECT {DELIVERY} FROM delivery d WHERE d.message = ?3 AND d.origin IS NOT NULL ORDER BY 1"
    ))?;
    let key: u64 = row.get(0)?;
    let deliveries = statement
        .query_map((first, first + count, key), |row| delivery(db, names, row, 0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(MessageRecord {
        key: MessageKey(row.get(0)?),
        message: message(db, names, row)?,
        payload_bytes: row.get(8)?,
        purged_at: row.get::<_, Option<Code<_>>>(11)?.map(|code| code.0),
        deliveries,
    })
}

fn message(db: &Connection, names: &Names, row: &Row<'_>) -> rusqlite::Result<Message> {
    Ok(Message {
        sender: names.name(db, row.get(1)?)?,
        message_id: receipts::message_id(row, 2)?,
        content_hash: row.get::<_, Code<_>>(3)?.0,
        payload_hash: row.get::<_, Code<_>>(4)?.0,
        header: row.get::<_, Vec<u8>>(5)?.into(),
        payload: Bytes::new(),
        accepted_at: row.get::<_, Code<_>>(6)?.0,
        expires_at: row.get::<_, Code<_>>(7)?.0,
    })
}

/// A delivery, from one column on.
pub(super) fn delivery(
    db: &Connection,
    names: &Names,
    row: &Row<'_>,
    from: usize,
) -> rusqlite::Result<DeliveryRecord> {
    let addressed_to: Option<OrganRef> = row.get(from + 2)?;
    Ok(DeliveryRecord {
        id: DeliveryId(row.get(from)?),
        recipient: names.name(db, row.get(from + 1)?)?,
        addressed_to: addressed_to.map(|organ| names.name(db, organ)).transpose()?,
        progress: Progress {
            state: row.get::<_, Code<_>>(from + 3)?.0,
            attempt: row.get(from + 4)?,
            hold: row.get::<_, Option<Code<_>>>(from + 5)?.map(|code| code.0),
            due_at: row.get::<_, Option<Code<_>>>(from + 6)?.map(|code| code.0),
            expires_at: row.get::<_, Code<_>>(from + 7)?.0,
            spared: row.get(from + 12)?,
            unsent: row.get(from + 16)?,
        },
        ended_at: row.get::<_, Option<Code<_>>>(from + 8)?.map(|code| code.0),
        status: row.get::<_, Option<Code<_>>>(from + 9)?.map(|code| code.0),
        request: row.get::<_, Option<Code<_>>>(from + 10)?.map(|code| code.0),
        is_notice: row.get::<_, Code<Carries>>(from + 11)?.0 == Carries::Notice,
        duty: step::duty(row, from + 13)?,
    })
}
