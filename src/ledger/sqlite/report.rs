//! One report of business status: read, decide, write if it is still so, leave the receipt. And what a file of one refers to.

use rusqlite::{Connection, OptionalExtension};

use super::change::Behind;
use super::codes::{Code, at_most, bounded};
use super::custody;
use super::organs::{Names, OrganRef, number};
use super::receipts::{self, NewReceipt};
use super::writer::Book;
use super::{change, step};
use crate::domain::change::Answer;
use crate::domain::delivery::{DeliveryId, Event};
use crate::domain::duty::Duty;
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::ReceiptKind;
use crate::domain::status::{Decided, Request, Standing, StatusCode};
use crate::ledger::reports::{self, MESSAGES_OF_DOCUMENT_MAX, Reportable};
use crate::ledger::{Between, ReportError, ReportRequest, Reported, StatusFile};

/// Records one report, or says why not.
pub(super) fn report(
    db: &Connection,
    book: &mut Book,
    request: &ReportRequest,
) -> rusqlite::Result<Result<Reported, ReportError>> {
    let Some(row) = step::read(db, request.delivery)? else { return Ok(Err(ReportError::NotFound)) };
    // Rows of this very transaction may name organs no reader can know yet.
    let names = Names::default();
    let mut earlier = receipts::of_reports(db, &names, request.delivery)?;
    let behind = match row.request {
        Some(_) => change::open(db, request.delivery)?,
        None => None,
    };
    let asked = behind.as_ref().and_then(|behind| behind.told);
    let found = Reportable {
        sender: &book.accounts.account(row.sender).id,
        recipient: &book.accounts.account(row.recipient).id,
        progress: &row.progress,
        status: row.status,
        request: row.request,
        asked: asked.map(|organ| &book.accounts.account(organ).id),
        earlier: &earlier,
    };
    let next = match found.decide(request) {
        Err(refused) => return Ok(Err(refused)),
        Ok(Decided::Repeated(first)) => {
            return Ok(Ok(Reported { receipt: earlier.swap_remove(first), repeated: true }));
        }
        Ok(Decided::Recorded(next)) => next,
    };
    let answer = reports::answer(row.request, &next, request.report.status.code);
    if let Some(answer) = answer {
        change::answered(db, request.delivery, answer)?;
    }
    let behind = behind.filter(|_| answer.is_some());
    let by = book.accounts.number(db, &request.by)?;
    record(db, book, (request, by), (&row, next), behind.as_ref())?;
    let recorded = receipts::of_reports(db, &names, request.delivery)?.pop();
    let receipt = recorded.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    if answer == Some(Answer::Agreed) && !row.progress.state.is_end() {
        let event = Event::Cancel { agreed: true, reason: request.report.reason.clone() };
        step::take(db, book, request.delivery, &event, (request.at, Some(by)), behind.as_ref())?;
    }
    Ok(Ok(Reported { receipt, repeated: false }))
}

/// Writes where the delivery stands now, and the receipt.
fn record(
    db: &Connection,
    book: &mut Book,
    (request, by): (&ReportRequest, OrganRef),
    (row, next): (&step::Row, Standing),
    behind: Option<&Behind>,
) -> rusqlite::Result<()> {
    let (last_sequence, last_time) = receipts::last(db, row.message)?;
    let time = request.at.max(last_time);
    let acknowledges = book.options.policy.acknowledged_by.is_met_by_status(request.report.status.code);
    let duty = if acknowledges { row.duty.acknowledged(time) } else { row.duty };
    let (was, stands) = ((row.status, row.request), (next.status, next.request));
    if stands != was || duty != row.duty {
        update(db, request.delivery, (was, stands), duty)?;
    }
    let receipt = NewReceipt {
        sender: row.sender,
        message: row.message,
        message_sequence: last_sequence + 1,
        delivery: Some(request.delivery),
        kind: ReceiptKind::Status,
        time,
        asserted_by: Some(by),
        attempt: row.progress.attempt,
        cause: None,
        reason: &request.report.reason,
        retry_time: None,
        status: Some(&request.report.status),
        change: behind.map(|behind| (behind.key, behind.asked)),
    };
    let sender_sequence = receipts::append(db, book, &receipt)?;
    if let Some(file) = &request.file {
        // status_file.insert
        db.prepare_cached("INSERT INTO status_file (sender, sender_sequence, file) VALUES (?1, ?2, ?3)")?
            .execute((row.sender, sender_sequence, file.as_ref()))?;
        custody::file_came(db, row.message, receipt.time)?;
    }
    Ok(())
}

/// The delivery to a recipient of the document a sender knows by an id.
pub(super) fn delivery_of(
    db: &Connection,
    sender: &OrganId,
    document_id: &str,
    recipient: &OrganId,
    answers: bool,
) -> rusqlite::Result<Option<DeliveryId>> {
    let (Some(sender), Some(recipient)) = (number(db, sender)?, number(db, recipient)?) else {
        return Ok(None);
    };
    // delivery.of_document
    db.prepare_cached(
        "SELECT d.id FROM (SELECT key, first_delivery, deliveries FROM message
             WHERE sender = ?1 AND document_id = ?2 ORDER BY key DESC LIMIT ?4) m
         JOIN delivery d ON d.id >= m.first_delivery AND d.id < m.first_delivery + m.deliveries
         WHERE d.recipient = ?3 ORDER BY (?5 AND d.request IS NOT NULL) DESC, d.attempt > d.unsent DESC, d.id DESC LIMIT 1",
    )?
    .query_row((sender, document_id, recipient, at_most(MESSAGES_OF_DOCUMENT_MAX), answers), |row| {
        row.get(0).map(DeliveryId)
    })
    .optional()
}

/// Between whom a delivery is.
pub(super) fn between(
    db: &Connection,
    names: &Names,
    delivery: DeliveryId,
) -> rusqlite::Result<Option<Between>> {
    // delivery.between
    db.prepare_cached(
        "SELECT d.sender, m.message_id, d.recipient FROM delivery d JOIN message m ON m.key = d.message
         WHERE d.id = ?1",
    )?
    .query_row([bounded(delivery.0)], |row| {
        let sender = names.name(db, row.get(0)?)?;
        Ok((sender, receipts::message_id(row, 1)?, names.name(db, row.get(2)?)?))
    })
    .optional()
}

/// The file a report came in.
pub(super) fn file(
    db: &Connection,
    sender: &OrganId,
    sender_sequence: u64,
) -> rusqlite::Result<Option<StatusFile>> {
    let Some(sender) = number(db, sender)? else { return Ok(None) };
    // status_file.read
    db.prepare_cached(
        "SELECT file FROM status_file WHERE sender = ?1 AND sender_sequence = ?2
         UNION ALL SELECT NULL FROM status_file_purged WHERE sender = ?1 AND sender_sequence = ?2",
    )?
    .query_row((sender, bounded(sender_sequence)), |row| {
        let file: Option<Vec<u8>> = row.get(0)?;
        Ok(file.map_or(StatusFile::Purged, |file| StatusFile::Kept(file.into())))
    })
    .optional()
}

/// The last status, and what is asked.
type Stands = (Option<StatusCode>, Option<Request>);

fn update(
    db: &Connection,
    delivery: DeliveryId,
    (from, to): (Stands, Stands),
    duty: Duty,
) -> rusqlite::Result<()> {
    // delivery.report
    let moved = db
        .prepare_cached(
            "UPDATE delivery SET status = ?4, request = ?5, acknowledged_at = ?6
             WHERE id = ?1 AND status IS ?2 AND request IS ?3",
        )?
        .execute((
            delivery.0,
            from.0.map(Code),
            from.1.map(Code),
            to.0.map(Code),
            to.1.map(Code),
            duty.acknowledged_at.map(Code),
        ))?;
    if moved == 1 { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(moved)) }
}
