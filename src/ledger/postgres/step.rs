//! One step of a delivery: decided on the row under the locks, written at the end of the transaction.

use super::cells::OrganRef;
use super::change::{self, Behind};
use super::columns::NewReceipt;
use super::fault::Fault;
use super::redirect;
use super::sheet::Sheet;
use crate::domain::delivery::{self, DeliveryId, Entry, Event, Hold, Progress, State, Step};
use crate::domain::duty::Duty;
use crate::domain::time::Timestamp;
use crate::ledger::changes::{Carries, overruled};
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
    let (asked, carries) = (row.request, row.carries);
    let chance = sheet.chance.f64();
    let event = overruled(&request.event, asked);
    let progress = match delivery::step(&was, &event, request.at, &sheet.options.policy, chance) {
        Err(refused) => return Ok(Err(refused.into())),
        Ok(Step::Unchanged) => was,
        Ok(Step::Moved(next, entry)) => {
            let by = sheet.asserter(&request.by)?;
            let behind = match (&*event, asked) {
                (Event::Cancel { .. }, Some(_)) => {
                    sheet.changes.open.get(&bounded(request.delivery.0)).cloned()
                }
                _ => None,
            };
            let moved = Moved { next, entry, behind: behind.as_ref() };
            duty = record(sheet, (request.delivery, &event), moved, (request.at, by))?;
            next
        }
    };
    let about = match carries {
        Carries::Message => Vec::new(),
        Carries::Requests | Carries::Notice => change::about(sheet, request.delivery),
    };
    let is_notice = carries == Carries::Notice;
    Ok(Ok(Stepped {
        delivery: request.delivery,
        message,
        recipient,
        addressed_to,
        progress,
        about,
        is_notice,
        duty,
    }))
}

/// Takes a step that has been found to be possible.
pub(super) fn take(
    sheet: &mut Sheet<'_>,
    delivery: DeliveryId,
    event: &Event,
    said: (Timestamp, Option<OrganRef>),
    behind: Option<&Behind>,
) -> Result<(), Fault> {
    let row = sheet.deliveries.get(&bounded(delivery.0)).ok_or(Fault::Unfamiliar)?;
    match delivery::step(&row.progress, event, said.0, &sheet.options.policy, 0.0) {
        Ok(Step::Moved(next, entry)) => {
            record(sheet, (delivery, event), Moved { next, entry, behind }, said).map(drop)
        }
        Ok(Step::Unchanged) | Err(_) => Err(Fault::Invalid("step")),
    }
}

/// What a step comes to.
struct Moved<'b> {
    next: Progress,
    entry: Option<Entry>,
    behind: Option<&'b Behind>,
}

/// Writes a step, its receipt, and what follows from it.
fn record(
    sheet: &mut Sheet<'_>,
    (delivery, event): (DeliveryId, &Event),
    Moved { next, entry, behind }: Moved<'_>,
    (at, asserted_by): (Timestamp, Option<OrganRef>),
) -> Result<Duty, Fault> {
    let row = sheet.deliveries.get_mut(&bounded(delivery.0)).ok_or(Fault::Unfamiliar)?;
    let last = sheet.last_receipts.get_mut(&row.message).ok_or(Fault::Invalid("receipt of a message"))?;
    // Handed over late, or by a clock that was set back: it happens after what has happened.
    let time = at.max(last.1);
    row.progress = next;
    row.ended_at = next.state.is_end().then_some(time);
    if sheet.options.policy.acknowledged_by.is_met_by_state(next.state) {
        row.duty = row.duty.acknowledged(time);
    }
    let duty = row.duty;
    if let Event::Offer { hold, .. } = event {
        row.holder = (*hold == Hold::Stream).then_some(sheet.node);
    }
    let (message, message_sequence) = (row.message, last.0 + 1);
    let (recipient, sender, lane, payload_bytes) = (row.recipient, row.sender, row.lane, row.payload_bytes);
    let (was_attempt, asked, carries) = (row.was.attempt, row.request, row.carries);
    let successor = redirect::replace(sheet, (delivery, event), (message_sequence, time))?;
    let last = sheet.last_receipts.get_mut(&message).ok_or(Fault::Invalid("receipt of a message"))?;
    if let Some(entry) = entry {
        *last = (message_sequence, time);
        let sender_sequence = sheet.next_receipt(sender)?;
        sheet.new_receipts.push(NewReceipt {
            sender,
            sender_sequence,
            message,
            message_sequence,
            delivery: Some(successor.unwrap_or(delivery)),
            kind: entry.kind,
            time,
            asserted_by,
            attempt: if successor.is_some() { 0 } else { next.attempt },
            cause: entry.cause,
            reason: entry.reason.into_bytes().into(),
            retry_time: entry.retry_time,
            status: None,
            change: behind.map(|behind| (behind.key, behind.asked)),
        });
    }
    if next.state.is_end() {
        let account = sheet.change(recipient)?;
        account.open_deliveries = account.open_deliveries.saturating_sub(1);
    }
    if next.state == State::Cancelled {
        sheet.withdraw(&Ready { delivery, message, payload_bytes, attempt: was_attempt });
    }
    if next.state == State::Queued {
        let organ = sheet.account(recipient)?.id.clone();
        let ready = Ready { delivery, message, payload_bytes, attempt: next.attempt };
        sheet.became_ready(BecameReady { organ, lane, ready, message: None });
    }
    sheet.due(next.due_at);
    if next.state.is_end() && next.state != State::Delivered {
        if asked.is_some() {
            change::lapse(sheet, delivery, at)?;
        }
        if carries != Carries::Message && next.state != State::Redirected {
            change::lapse_carried(sheet, delivery, at)?;
        }
    }
    Ok(duty)
}
