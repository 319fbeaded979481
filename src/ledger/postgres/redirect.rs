//! Redirecting a delivery: another one takes its place in the mailbox of the organ that took over.

use super::change;
use super::facts::DeliveryFacts;
use super::fault::Fault;
use super::sheet::{Row, Sheet};
use crate::domain::delivery::{DeliveryId, Event, Progress};
use crate::domain::time::Timestamp;
use crate::ledger::changes::Carries;
use crate::ledger::codes::{Coded, bounded};
use crate::ledger::{BecameReady, Ready};

/// Enters the delivery that takes the place of one that is being redirected; nothing for any other step. `last` is the receipt
/// that will tell of it.
pub(super) fn replace(
    sheet: &mut Sheet<'_>,
    (delivery, event): (DeliveryId, &Event),
    (sequence, time): (u32, Timestamp),
) -> Result<Option<DeliveryId>, Fault> {
    let Event::Redirect { to, acknowledge_by, .. } = event else { return Ok(None) };
    let recipient = sheet.number(to)?;
    let id = sheet.delivery_ids.pop_front().ok_or(Fault::Invalid("sequence"))?;
    let closed = sheet
        .account(sheet.deliveries.get(&bounded(delivery.0)).ok_or(Fault::Unfamiliar)?.recipient)?
        .id
        .clone();
    let old = sheet.deliveries.get(&bounded(delivery.0)).ok_or(Fault::Unfamiliar)?;
    let (message, sender, lane, payload_bytes) = (old.message, old.sender, old.lane, old.payload_bytes);
    // What the sender wrote, however many closings ago.
    let addressed_to = Some(old.addressed_ref.unwrap_or(old.recipient));
    let origin = Some(bounded(delivery.0));
    let (attempt, alone) = (old.was.attempt, old.alone);
    let progress = Progress::accepted(old.progress.expires_at);
    let carries = old.carries;
    let row = Row {
        recipient,
        addressed_to: Some(old.addressed_to.clone().unwrap_or_else(|| closed.clone())),
        addressed_ref: addressed_to,
        replaces: Some(delivery),
        ..Row::accepted(message, sender, (lane, payload_bytes), progress, (alone, carries, *acknowledge_by))
    };
    let columns = &mut sheet.new_deliveries;
    columns.id.push(bounded(id.0));
    columns.message.push(bounded(message.0));
    columns.sender.push(sender);
    columns.recipient.push(recipient);
    columns.addressed_to.push(addressed_to);
    columns.origin.push(origin);
    columns.lane.push(lane.code());
    columns.payload_bytes.push(bounded(payload_bytes));
    columns.expires_at.push(progress.expires_at.as_micros());
    columns.acknowledge_by.push(acknowledge_by.as_micros());
    // The old one has ended: where it was its message's only one, from now on this one is.
    columns.receipt_sequence.push(alone.then(|| i64::from(sequence)));
    columns.receipt_time.push(alone.then(|| time.as_micros()));
    columns.carries.push(carries.code());
    let facts = DeliveryFacts { sender, recipient, addressed_to, origin };
    sheet.new_facts.deliveries.push((bounded(id.0), facts));
    let gone = Ready { delivery, message, payload_bytes, attempt };
    sheet.withdraw(&gone);
    sheet.change(recipient)?.open_deliveries += 1;
    sheet.due(progress.due_at);
    let ready = Ready { delivery: id, attempt: progress.attempt, ..gone };
    sheet.became_ready(BecameReady { organ: to.clone(), lane, ready, message: None });
    if carries != Carries::Message {
        change::carry_on(sheet, delivery, id);
    }
    sheet.keep(id, row);
    Ok(Some(id))
}
