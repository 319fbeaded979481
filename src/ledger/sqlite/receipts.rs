//! The receipts: appending to a sender's log, reading it by sender and by message.

use rusqlite::{Connection, Row};

use super::codes::{Code, at_most, bounded};
use super::organs::{Names, OrganRef, number};
use super::writer::Book;
use crate::domain::delivery::DeliveryId;
use crate::domain::message::MessageId;
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::{Cause, Receipt, ReceiptChange, ReceiptDelivery, ReceiptKind};
use crate::domain::status::{Request, Status, StatusCode};
use crate::domain::time::Timestamp;
use crate::ledger::{MessageKey, reports};

/// A receipt to be appended.
pub(super) struct NewReceipt<'a> {
    pub sender: OrganRef,
    pub message: MessageKey,
    /// Its number among those of its message.
    pub message_sequence: u32,
    pub delivery: Option<DeliveryId>,
    pub kind: ReceiptKind,
    pub time: Timestamp,
    /// An organ's number, or an operator's below zero.
    pub asserted_by: Option<OrganRef>,
    pub attempt: u32,
    pub cause: Option<Cause>,
    pub reason: &'a str,
    pub retry_time: Option<Timestamp>,
    pub status: Option<&'a Status>,
    /// The change it belongs to, and what that asks.
    pub change: Option<(MessageKey, Request)>,
}

/// Appends a receipt; gives its number in the sender's log.
pub(super) fn append(db: &Connection, book: &mut Book, new: &NewReceipt<'_>) -> rusqlite::Result<u64> {
    book.metrics.receipts.of(new.kind).increment(1);
    let account = book.accounts.change(new.sender);
    account.receipt_head += 1;
    let sender_sequence = account.receipt_head;
    // receipt.append
    db.prepare_cached(
        "INSERT INTO receipt (sender, sender_sequence, message, message_sequence, delivery, kind, time,
             asserted_by, attempt, cause, reason, retry_time, status, noted, change, asked)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?
    .execute((
        new.sender,
        sender_sequence,
        new.message.0,
        new.message_sequence,
        new.delivery.map(|d| d.0),
        Code(new.kind),
        Code(new.time),
        new.asserted_by,
        new.attempt,
        new.cause.map(Code),
        (!new.reason.is_empty()).then_some(new.reason),
        new.retry_time.map(Code),
        new.status.map(|status| Code(status.code)),
        new.status.and_then(reports::noted),
        new.change.map(|(key, _)| key.0),
        new.change.map(|(_, asked)| Code(asked)),
    ))?;
    Ok(sender_sequence)
}

/// The number and the time of a message's last receipt.
pub(super) fn last(db: &Connection, message: MessageKey) -> rusqlite::Result<(u32, Timestamp)> {
    // receipt.last_of_message
    db.prepare_cached(
        "SELECT message_sequence, time FROM receipt WHERE message = ?1 ORDER BY message_sequence DESC LIMIT 1",
    )?
    .query_row([message.0], |row| Ok((row.get(0)?, row.get::<_, Code<_>>(1)?.0)))
}

const COLUMNS: &str = "r.sender, r.sender_sequence, r.message_sequence, r.delivery, r.kind, r.time,
    r.asserted_by, r.attempt, r.cause, r.reason, r.retry_time, m.message_id, m.content_hash, m.payload_hash,
    d.recipient, d.addressed_to, r.status, r.noted, d.origin, c.message_id, r.asked
    FROM receipt r JOIN message m ON m.key = r.message LEFT JOIN delivery d ON d.id = r.delivery
    LEFT JOIN message c ON c.key = r.change";

/// Receipts of a sender with numbers above `after`, in order.
pub(super) fn of_sender(
    db: &Connection,
    names: &Names,
    sender: &OrganId,
    after: u64,
    limit: usize,
) -> rusqlite::Result<Vec<Receipt>> {
    let Some(sender) = number(db, sender)? else { return Ok(Vec::new()) };
    // receipt.of_sender
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} WHERE r.sender = ?1 AND r.sender_sequence > ?2 ORDER BY r.sender_sequence LIMIT ?3"
    ))?;
    let rows =
        statement.query_map((sender, bounded(after), at_most(limit)), |row| receipt(db, names, row))?;
    rows.collect()
}

/// The first receipts of a message, in order.
pub(super) fn of_message(
    db: &Connection,
    names: &Names,
    message: MessageKey,
    limit: usize,
) -> rusqlite::Result<Vec<Receipt>> {
    // receipt.of_message
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} WHERE r.message = ?1 ORDER BY r.message_sequence LIMIT ?2"
    ))?;
    let rows = statement.query_map((message.0, at_most(limit)), |row| receipt(db, names, row))?;
    rows.collect()
}

/// The receipts of a delivery's reports, in order.
pub(super) fn of_reports(
    db: &Connection,
    names: &Names,
    delivery: DeliveryId,
) -> rusqlite::Result<Vec<Receipt>> {
    // receipt.of_reports
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} WHERE r.delivery = ?1 AND r.kind = 10 ORDER BY r.message_sequence"
    ))?;
    let rows = statement.query_map([bounded(delivery.0)], |row| receipt(db, names, row))?;
    rows.collect()
}

fn receipt(db: &Connection, names: &Names, row: &Row<'_>) -> rusqlite::Result<Receipt> {
    let organ = |number: Option<OrganRef>| number.map(|n| names.name(db, n)).transpose();
    let delivery: Option<u64> = row.get(3)?;
    let delivery = match delivery {
        None => None,
        Some(id) => Some(ReceiptDelivery {
            id: DeliveryId(id),
            recipient: names.name(db, row.get(14)?)?,
            addressed_to: organ(row.get(15)?)?,
            replaces: row.get::<_, Option<u64>>(18)?.map(DeliveryId),
            attempt: row.get(7)?,
        }),
    };
    let asked = row.get::<_, Option<Code<Request>>>(20)?;
    let change = asked
        .map(|Code(asked)| {
            Ok::<_, rusqlite::Error>(ReceiptChange { message_id: message_id(row, 19)?, asked })
        })
        .transpose()?;
    Ok(Receipt {
        sender_sequence: row.get(1)?,
        message_sequence: row.get(2)?,
        kind: row.get::<_, Code<_>>(4)?.0,
        sender: names.name(db, row.get(0)?)?,
        message_id: message_id(row, 11)?,
        content_hash: row.get::<_, Code<_>>(12)?.0,
        payload_hash: row.get::<_, Code<_>>(13)?.0,
        time: row.get::<_, Code<_>>(5)?.0,
        asserted_by: names.asserter(db, row.get(6)?)?,
        delivery,
        cause: row.get::<_, Option<Code<_>>>(8)?.map(|code| code.0),
        reason: row.get::<_, Option<String>>(9)?.unwrap_or_default(),
        retry_time: row.get::<_, Option<Code<_>>>(10)?.map(|code| code.0),
        status: status(row)?,
        change,
    })
}

/// A message id in a column.
pub(super) fn message_id(row: &Row<'_>, column: usize) -> rusqlite::Result<MessageId> {
    MessageId::parse(row.get_ref(column)?.as_str()?).map_err(|why| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(why))
    })
}

fn status(row: &Row<'_>) -> rusqlite::Result<Option<Box<Status>>> {
    let Some(Code(code)) = row.get::<_, Option<Code<StatusCode>>>(16)? else { return Ok(None) };
    let noted: Option<String> = row.get(17)?;
    let status = reports::status(code, noted.as_deref());
    let invalid = || rusqlite::Error::InvalidColumnType(17, "noted".to_owned(), rusqlite::types::Type::Text);
    status.map(|status| Some(Box::new(status))).ok_or_else(invalid)
}
