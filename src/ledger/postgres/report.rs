//! One report of business status: decided on the row under the locks, written at the end of the transaction. And what a file of one
//! refers to.

use bytes::Bytes;
use deadpool_postgres::ClientWrapper;

use super::cells::Cells;
use super::change::{self, Behind};
use super::columns::NewReceipt;
use super::fault::Fault;
use super::sheet::Sheet;
use super::step;
use crate::domain::change::Answer;
use crate::domain::delivery::{DeliveryId, Event};
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::{Asserter, Receipt, ReceiptChange, ReceiptDelivery, ReceiptKind};
use crate::domain::status::{Decided, Standing};
use crate::ledger::codes::{at_most, bounded};
use crate::ledger::reports::{self, MESSAGES_OF_DOCUMENT_MAX, Reportable};
use crate::ledger::{Between, ReportError, ReportRequest, Reported, StatusFile};

/// Records one report, or says why not.
pub(super) fn report<'a>(
    sheet: &mut Sheet<'a>,
    request: &'a ReportRequest,
) -> Result<Result<Reported, ReportError>, Fault> {
    let id = bounded(request.delivery.0);
    let Some(row) = sheet.deliveries.get(&id) else { return Ok(Err(ReportError::NotFound)) };
    let earlier = sheet.reports.get(&id).map_or(&[][..], Vec::as_slice);
    let found = Reportable {
        sender: &sheet.account(row.sender)?.id,
        recipient: &sheet.account(row.recipient)?.id,
        progress: &row.progress,
        status: row.status,
        request: row.request,
        asked: sheet.changes.open.get(&id).and_then(|behind| behind.told.as_ref()),
        earlier,
    };
    match found.decide(request) {
        Err(refused) => Ok(Err(refused)),
        Ok(Decided::Repeated(first)) => Ok(Ok(Reported { receipt: earlier[first].clone(), repeated: true })),
        Ok(Decided::Recorded(next)) => {
            let answer = reports::answer(row.request, &next, request.report.status.code);
            let is_open = !row.progress.state.is_end();
            let behind = answer.and_then(|answer| change::answered(sheet, request.delivery, answer));
            let receipt = record(sheet, request, next, behind.as_ref())?;
            sheet.reports.entry(id).or_default().push(receipt.clone());
            if answer == Some(Answer::Agreed) && is_open {
                let event = Event::Cancel { agreed: true, reason: request.report.reason.clone() };
                let said = (request.at, Some(sheet.number(&request.by)?));
                step::take(sheet, request.delivery, &event, said, behind.as_ref())?;
            }
            Ok(Ok(Reported { receipt, repeated: false }))
        }
    }
}

fn record<'a>(
    sheet: &mut Sheet<'a>,
    request: &'a ReportRequest,
    next: Standing,
    behind: Option<&Behind>,
) -> Result<Receipt, Fault> {
    let row = sheet.deliveries.get_mut(&bounded(request.delivery.0)).ok_or(Fault::Unfamiliar)?;
    let last = sheet.last_receipts.get_mut(&row.message).ok_or(Fault::Invalid("receipt of a message"))?;
    // Handed over late, or by a clock that was set back: it happens after what has happened.
    let (message_sequence, time) = (last.0 + 1, request.at.max(last.1));
    *last = (message_sequence, time);
    row.status = next.status;
    row.request = next.request;
    row.is_changed = true;
    if sheet.options.policy.acknowledged_by.is_met_by_status(request.report.status.code) {
        row.duty = row.duty.acknowledged(time);
    }
    let (sender, recipient, message) = (row.sender, row.recipient, row.message);
    let (attempt, addressed_to, replaces) = (row.progress.attempt, row.addressed_to.clone(), row.replaces);
    let sender_sequence = sheet.next_receipt(sender)?;
    if let Some(file) = &request.file {
        sheet.new_files.sender.push(sender);
        sheet.new_files.sender_sequence.push(bounded(sender_sequence));
        sheet.new_files.file.push(file);
        sheet.new_files.message.push(bounded(message.0));
        sheet.new_files.time.push(time.as_micros());
    }
    sheet.new_receipts.push(NewReceipt {
        sender,
        sender_sequence,
        message,
        message_sequence,
        delivery: Some(request.delivery),
        kind: ReceiptKind::Status,
        time,
        asserted_by: Some(sheet.number(&request.by)?),
        attempt,
        cause: None,
        reason: request.report.reason.as_bytes().into(),
        retry_time: None,
        status: Some(&request.report.status),
        change: behind.map(|behind| (behind.key, behind.asked)),
    });
    let facts = sheet.messages.get(&bounded(message.0)).ok_or(Fault::Invalid("message of a report"))?;
    Ok(Receipt {
        sender_sequence,
        message_sequence,
        kind: ReceiptKind::Status,
        sender: sheet.account(sender)?.id.clone(),
        message_id: facts.message_id.clone(),
        content_hash: facts.content_hash,
        payload_hash: facts.payload_hash,
        time,
        asserted_by: Asserter::Organ(request.by.clone()),
        delivery: Some(ReceiptDelivery {
            id: request.delivery,
            recipient: sheet.account(recipient)?.id.clone(),
            addressed_to,
            replaces,
            attempt,
        }),
        cause: None,
        reason: request.report.reason.clone(),
        retry_time: None,
        status: Some(Box::new(request.report.status.clone())),
        change: behind
            .map(|behind| ReceiptChange { message_id: behind.message_id.clone(), asked: behind.asked }),
    })
}

/// The delivery to a recipient of the document a sender knows by an id.
pub(super) async fn delivery_of(
    client: &ClientWrapper,
    sender: OrganId,
    document_id: String,
    recipient: OrganId,
    answers: bool,
) -> Result<Option<DeliveryId>, Fault> {
    // delivery.of_document
    let statement = client
        .prepare_cached(
            "SELECT d.id FROM (SELECT key, first_delivery, last_delivery FROM message
                 WHERE sender = (SELECT ref FROM organ WHERE id = $1) AND document_id = $2
                 ORDER BY key DESC LIMIT $4) m
             JOIN delivery d ON d.id BETWEEN m.first_delivery AND m.last_delivery AND d.message = m.key
             WHERE d.recipient = (SELECT ref FROM organ WHERE id = $3)
             ORDER BY ($5 AND d.request IS NOT NULL) DESC, d.attempt > d.unsent DESC, d.id DESC LIMIT 1",
        )
        .await?;
    let limit = at_most(MESSAGES_OF_DOCUMENT_MAX);
    let (sender, recipient) = (sender.as_str(), recipient.as_str());
    let row = client.query_opt(&statement, &[&sender, &document_id, &recipient, &limit, &answers]).await?;
    row.map(|row| Cells::of(&row).delivery()).transpose()
}

/// Between whom a delivery is.
pub(super) async fn between(client: &ClientWrapper, delivery: DeliveryId) -> Result<Option<Between>, Fault> {
    // delivery.between
    let statement = client
        .prepare_cached(
            "SELECT s.id, m.message_id, r.id FROM delivery d JOIN message m ON m.key = d.message
             JOIN organ s ON s.ref = d.sender JOIN organ r ON r.ref = d.recipient WHERE d.id = $1",
        )
        .await?;
    let Some(row) = client.query_opt(&statement, &[&bounded(delivery.0)]).await? else { return Ok(None) };
    let mut cells = Cells::of(&row);
    Ok(Some((cells.organ()?, cells.message_id()?, cells.organ()?)))
}

/// The file a report came in.
pub(super) async fn file(
    client: &ClientWrapper,
    sender: OrganId,
    sender_sequence: u64,
) -> Result<Option<StatusFile>, Fault> {
    // status_file.read
    let statement = client
        .prepare_cached(
            "SELECT file FROM status_file
             WHERE sender = (SELECT ref FROM organ WHERE id = $1) AND sender_sequence = $2
             UNION ALL SELECT NULL FROM status_file_purged
             WHERE sender = (SELECT ref FROM organ WHERE id = $1) AND sender_sequence = $2",
        )
        .await?;
    let row = client.query_opt(&statement, &[&sender.as_str(), &bounded(sender_sequence)]).await?;
    let Some(row) = row else { return Ok(None) };
    let file: Option<&[u8]> = Cells::of(&row).plain()?;
    Ok(Some(file.map_or(StatusFile::Purged, |file| StatusFile::Kept(Bytes::copy_from_slice(file)))))
}
