//! Accepting a message: the message, its deliveries and its first receipts.

use std::borrow::Cow;
use std::sync::Arc;

use super::cells::OrganRef;
use super::change;
use super::columns::NewReceipt;
use super::facts::{DeliveryFacts, MessageFacts};
use super::fault::Fault;
use super::sheet::{Known, Row, Sheet};
use crate::domain::delivery::{DeliveryId, Progress};
use crate::domain::receipt::{Asserter, Receipt, ReceiptDelivery, ReceiptKind};
use crate::ledger::changes::{self, Receiver};
use crate::ledger::codes::{Coded, bounded};
use crate::ledger::{
    AcceptRefused, Acceptance, Accepted, AcceptedDelivery, Addressee, BecameReady, MessageKey, Ready,
};

type Outcome = Result<Accepted, AcceptRefused>;

/// Accepts one message, or says why not.
pub(super) fn accept<'a>(sheet: &mut Sheet<'a>, new: &'a Acceptance) -> Result<Outcome, Fault> {
    let sender = sheet.number(&new.message.sender)?;
    if let Some(known) = sheet.known.get(&(sender, &new.message.message_id)) {
        return Ok(repeated(known, new));
    }
    let Some(change) = &new.change else {
        let outcome = take_in(sheet, sender, new, changes::receivers(new), new.document_id.as_deref())?;
        return Ok(outcome.map(|(_, accepted)| known(sheet, sender, new, accepted)));
    };
    let findings = change::find(sheet, sender, change)?;
    let decided = match changes::decide(new, change, &findings) {
        Ok(decided) => decided,
        Err(refused) => return Ok(Err(refused)),
    };
    let (key, mut accepted) = match take_in(sheet, sender, new, decided.receivers, decided.document_id)? {
        Ok(taken) => taken,
        Err(refused) => return Ok(Err(refused)),
    };
    let changed = change::perform(sheet, (key, new, change), &findings, &decided.decisions, &accepted)?;
    accepted.changed = Some(Box::new(changed));
    Ok(Ok(known(sheet, sender, new, accepted)))
}

/// The same again is answered so.
fn known<'a>(sheet: &mut Sheet<'a>, sender: OrganRef, new: &'a Acceptance, accepted: Accepted) -> Accepted {
    let again = Accepted { repeated: true, ..accepted.clone() };
    let known = Known { content_hash: new.message.content_hash, accepted: again };
    sheet.known.insert((sender, &new.message.message_id), known);
    accepted
}

/// Enters a message and its deliveries, where there is room for them.
fn take_in<'a>(
    sheet: &mut Sheet<'a>,
    sender: OrganRef,
    new: &'a Acceptance,
    receivers: Vec<Receiver<'a>>,
    document_id: Option<&'a str>,
) -> Result<Result<(MessageKey, Accepted), AcceptRefused>, Fault> {
    let mut recipients = Vec::with_capacity(receivers.len());
    for receiver in &receivers {
        recipients.push(sheet.number(&receiver.addressee.recipient)?);
    }
    if let Some(full) = full_mailbox(sheet, &recipients, &receivers)? {
        return Ok(Err(full));
    }
    let key = sheet.message_keys.pop_front().ok_or(Fault::Invalid("sequence"))?;
    if sheet.delivery_ids.len() < recipients.len() {
        return Err(Fault::Invalid("sequence"));
    }
    let ids: Vec<DeliveryId> = sheet.delivery_ids.drain(..recipients.len()).collect();
    sheet.new_messages.push(key, sender, new, (&ids, document_id));
    sheet.new_facts.messages.push((
        bounded(key.0),
        MessageFacts {
            message_id: new.message.message_id.clone(),
            content_hash: new.message.content_hash,
            payload_hash: new.message.payload_hash,
        },
    ));
    sheet.changes.note(sender, key, new, document_id);
    let mut accepted = Accepted {
        receipt: append(sheet, key, sender, new, 1, None)?,
        deliveries: Vec::with_capacity(recipients.len()),
        changed: None,
        repeated: false,
    };
    for ((receiver, recipient), id) in receivers.iter().zip(recipients).zip(ids) {
        let alone = receivers.len() == 1;
        accepted.deliveries.push(deliver(sheet, (key, sender), recipient, id, new, (receiver, alone))?);
    }
    let mut message_sequence = 1;
    for (delivery, receiver) in accepted.deliveries.iter().zip(receivers) {
        let Cow::Borrowed(Addressee { redirected: Some((_, legal_basis)), .. }) = receiver.addressee else {
            continue;
        };
        message_sequence += 1;
        append(sheet, key, sender, new, message_sequence, Some((delivery, legal_basis)))?;
    }
    if sheet.changes.any {
        sheet.last_receipts.insert(key, (message_sequence, new.message.accepted_at));
    }
    Ok(Ok((key, accepted)))
}

/// What is to be said of an id the sender has used before.
fn repeated(known: &Known, new: &Acceptance) -> Outcome {
    if known.content_hash == new.message.content_hash {
        return Ok(known.accepted.clone());
    }
    Err(AcceptRefused::Conflict {
        sender: new.message.sender.clone(),
        message_id: new.message.message_id.clone(),
        accepted: known.content_hash,
    })
}

/// The first mailbox that has no room for what of this message goes to it: two deliveries where a closed organ was
/// redirected to another addressee.
fn full_mailbox(
    sheet: &Sheet<'_>,
    recipients: &[OrganRef],
    receivers: &[Receiver<'_>],
) -> Result<Option<AcceptRefused>, Fault> {
    for (organ, receiver) in recipients.iter().zip(receivers) {
        let max =
            receiver.addressee.mailbox_max.unwrap_or(u64::MAX).min(sheet.options.mailbox_deliveries_max);
        let account = sheet.account(*organ)?;
        let more = recipients.iter().filter(|other| *other == organ).count() as u64;
        if account.open_deliveries + more > max {
            let open = account.open_deliveries;
            return Ok(Some(AcceptRefused::MailboxFull { organ: account.id.clone(), open }));
        }
    }
    Ok(None)
}

fn deliver(
    sheet: &mut Sheet<'_>,
    (key, sender): (MessageKey, OrganRef),
    recipient: OrganRef,
    id: DeliveryId,
    new: &Acceptance,
    (receiver, alone): (&Receiver<'_>, bool),
) -> Result<AcceptedDelivery, Fault> {
    let addressee = &*receiver.addressee;
    let addressed_to = addressee.redirected.as_ref().map(|(organ, _)| organ);
    let addressed_ref = addressed_to.map(|organ| sheet.number(organ)).transpose()?;
    let progress = Progress::accepted(new.message.expires_at);
    let Progress { attempt, due_at, expires_at, .. } = progress;
    let payload_bytes = new.message.payload.len() as u64;
    let columns = &mut sheet.new_deliveries;
    columns.id.push(bounded(id.0));
    columns.message.push(bounded(key.0));
    columns.sender.push(sender);
    columns.recipient.push(recipient);
    columns.addressed_to.push(addressed_ref);
    columns.origin.push(None);
    columns.lane.push(new.lane.code());
    columns.payload_bytes.push(bounded(payload_bytes));
    columns.expires_at.push(expires_at.as_micros());
    columns.acknowledge_by.push(new.acknowledge_by.as_micros());
    // The acceptance has one, and each redirection.
    let receipts = alone.then(|| 1 + i64::from(addressed_to.is_some()));
    columns.receipt_sequence.push(receipts);
    columns.receipt_time.push(receipts.map(|_| new.message.accepted_at.as_micros()));
    columns.carries.push(receiver.carries.code());
    let facts = DeliveryFacts { sender, recipient, addressed_to: addressed_ref, origin: None };
    sheet.new_facts.deliveries.push((bounded(id.0), facts));
    let row = Row {
        recipient,
        addressed_to: addressed_to.cloned(),
        addressed_ref,
        ..Row::accepted(
            key,
            sender,
            (new.lane, payload_bytes),
            progress,
            (alone, receiver.carries, new.acknowledge_by),
        )
    };
    sheet.keep(id, row);
    sheet.change(recipient)?.open_deliveries += 1;
    sheet.due(due_at);
    sheet.became_ready(BecameReady {
        organ: addressee.recipient.clone(),
        lane: new.lane,
        ready: Ready { delivery: id, message: key, payload_bytes, attempt },
        message: Some(Arc::clone(&new.message)),
    });
    Ok(AcceptedDelivery { id, recipient: addressee.recipient.clone(), addressed_to: addressed_to.cloned() })
}

/// The receipt of the acceptance, or of one redirection.
fn append<'a>(
    sheet: &mut Sheet<'a>,
    key: MessageKey,
    sender: OrganRef,
    new: &'a Acceptance,
    message_sequence: u32,
    redirected: Option<(&AcceptedDelivery, &'a String)>,
) -> Result<Receipt, Fault> {
    let kind = if redirected.is_some() { ReceiptKind::Redirected } else { ReceiptKind::Accepted };
    let reason = redirected.map_or("", |(_, legal_basis)| legal_basis);
    let delivery = redirected.map(|(delivery, _)| delivery);
    let sender_sequence = sheet.next_receipt(sender)?;
    sheet.new_receipts.push(NewReceipt {
        sender,
        sender_sequence,
        message: key,
        message_sequence,
        delivery: delivery.map(|d| d.id),
        kind,
        time: new.message.accepted_at,
        asserted_by: None,
        attempt: 0,
        cause: None,
        reason: reason.as_bytes().into(),
        retry_time: None,
        status: None,
        change: None,
    });
    Ok(Receipt {
        sender_sequence,
        message_sequence,
        kind,
        sender: new.message.sender.clone(),
        message_id: new.message.message_id.clone(),
        content_hash: new.message.content_hash,
        payload_hash: new.message.payload_hash,
        time: new.message.accepted_at,
        asserted_by: Asserter::Gateway,
        delivery: delivery.map(|d| ReceiptDelivery {
            id: d.id,
            recipient: d.recipient.clone(),
            addressed_to: d.addressed_to.clone(),
            replaces: None,
            attempt: 0,
        }),
        cause: None,
        reason: reason.to_owned(),
        retry_time: None,
        status: None,
        change: None,
    })
}
