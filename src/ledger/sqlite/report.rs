//! One report of business status: read, decide, write if it is still so, leave the receipt.

use rusqlite::Connection;

use super::codes::Code;
use super::organs::Names;
use super::receipts::{self, NewReceipt};
use super::step;
use super::writer::Book;
use crate::domain::delivery::DeliveryId;
use crate::domain::receipt::ReceiptKind;
use crate::domain::status::{Decided, StatusCode};
use crate::ledger::reports::Reportable;
use crate::ledger::{ReportError, ReportRequest, Reported};

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
    let found = Reportable {
        sender: &book.accounts.account(row.sender).id,
        recipient: &book.accounts.account(row.recipient).id,
        progress: &row.progress,
        status: row.status,
        earlier: &earlier,
    };
    let next = match found.decide(request) {
        Err(refused) => return Ok(Err(refused)),
        Ok(Decided::Repeated(first)) => {
            return Ok(Ok(Reported { receipt: earlier.swap_remove(first), repeated: true }));
        }
        Ok(Decided::Recorded(next)) => next,
    };
    if next.status != row.status {
        update(db, request.delivery, row.status, next.status)?;
    }
    let (last_sequence, last_time) = receipts::last(db, row.message)?;
    let receipt = NewReceipt {
        sender: row.sender,
        message: row.message,
        message_sequence: last_sequence + 1,
        delivery: Some(request.delivery),
        kind: ReceiptKind::Status,
        time: request.at.max(last_time),
        asserted_by: Some(book.accounts.number(db, &request.by)?),
        attempt: row.progress.attempt,
        cause: None,
        reason: &request.report.reason,
        retry_time: None,
        status: Some(&request.report.status),
    };
    receipts::append(db, book, &receipt)?;
    let recorded = receipts::of_reports(db, &names, request.delivery)?.pop();
    let receipt = recorded.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    Ok(Ok(Reported { receipt, repeated: false }))
}

fn update(
    db: &Connection,
    delivery: DeliveryId,
    from: Option<StatusCode>,
    to: Option<StatusCode>,
) -> rusqlite::Result<()> {
    // delivery.report
    let moved = db
        .prepare_cached("UPDATE delivery SET status = ?3 WHERE id = ?1 AND status IS ?2")?
        .execute((delivery.0, from.map(Code), to.map(Code)))?;
    if moved == 1 { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(moved)) }
}
