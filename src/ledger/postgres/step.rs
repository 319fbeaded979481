//! One step of a delivery: decided on the row under the locks, written at the end of the transaction.

use super::columns::NewReceipt;
use super::fault::Fault;
use super::redirect;
use super::sheet::Sheet;
use crate::domain::delivery::{self, Entry, Event, Hold, Progress, State, Step};
use crate::domain::duty::Duty;
use crate::ledger::codes::bounded;
use crate::ledger::{BecameReady, Ready, StepError, StepRequest, Stepped};

/// Takes one step, or says why not.
pub(super) fn step(
    sheet: &mut Sheet<'_>,
    request: &StepRequest,
) -> Result<Result<Stepped, StepError>, Fault> {
    let Some(row) = sheet.deliveries.get(&bounded(request.delivery.0)) else {
        return Ok(Err(StepError::NotFound));
    };
    let recipient = sheet.account(row.recipient)?.id.clone();
    if request.recipient.as_ref().is_some_and(|organ| *organ != recipient) {
        return Ok(Err(StepError::NotFound));
    }
    let (message, addressed_to, was, mut duty) =
        (row.message, row.addressed_to.clone(), row.progress, row.duty);
    let chance = sheet.chance.f64();
    let progress = match delivery::step(&was, &request.event, request.at, &sheet.options.policy, chance) {
        Err(refused) => return Ok(Err(refused.into())),
        Ok(Step::Unchanged) => was,
        Ok(Step::Moved(next, entry)) => {
            duty = moved(sheet, request, next, entry)?;
            next
        }
    };
    Ok(Ok(Stepped { delivery: request.delivery, message, recipient, addressed_to, progress, duty }))
}

fn moved(
    sheet: &mut Sheet<'_>,
    request: &StepRequest,
    next: Progress,
    entry: Option<Entry>,
) -> Result<Duty, Fault> {
    let row = sheet.deliveries.get_mut(&bounded(request.delivery.0)).ok_or(Fault::Unfamiliar)?;
    let last = sheet.last_receipts.get_mut(&row.message).ok_or(Fault::Invalid("receipt of a message"))?;
    // Handed over late, or by a clock that was set back: it happens after what has happened.
    let time = request.at.max(last.1);
    row.progress = next;
    row.ended_at = next.state.is_end().then_some(time);
    if sheet.options.policy.acknowledged_by.is_met_by_state(next.state) {
        row.duty = row.duty.acknowledged(time);
    }
    let duty = row.duty;
    if let Event::Offer { hold, .. } = request.event {
        row.holder = (hold == Hold::Stream).then_some(sheet.node);
    }
    let (message, message_sequence) = (row.message, last.0 + 1);
    let (recipient, sender, lane, payload_bytes) = (row.recipient, row.sender, row.lane, row.payload_bytes);
    let successor = redirect::replace(sheet, request, (message_sequence, time))?;
    let last = sheet.last_receipts.get_mut(&message).ok_or(Fault::Invalid("receipt of a message"))?;
    if let Some(entry) = entry {
        *last = (message_sequence, time);
        let sender_sequence = sheet.next_receipt(sender)?;
        let asserted_by = sheet.asserter(&request.by)?;
        sheet.new_receipts.push(NewReceipt {
            sender,
            sender_sequence,
            message,
            message_sequence,
            delivery: Some(successor.unwrap_or(request.delivery)),
            kind: entry.kind,
            time,
            asserted_by,
            attempt: if successor.is_some() { 0 } else { next.attempt },
            cause: entry.cause,
            reason: entry.reason.into_bytes().into(),
            retry_time: entry.retry_time,
            status: None,
        });
    }
    if next.state.is_end() {
        let account = sheet.change(recipient)?;
        account.open_deliveries = account.open_deliveries.saturating_sub(1);
    }
    if next.state == State::Queued {
        let organ = sheet.account(recipient)?.id.clone();
        let ready = Ready { delivery: request.delivery, message, payload_bytes, attempt: next.attempt };
        sheet.became_ready(BecameReady { organ, lane, ready, message: None });
    }
    sheet.due(next.due_at);
    Ok(duty)
}
