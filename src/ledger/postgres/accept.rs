//! Accepting a message: the message, its deliveries and its first receipts.

use std::sync::Arc;

use super::cells::OrganRef;
use super::columns::NewReceipt;
use super::facts::{DeliveryFacts, MessageFacts};
use super::fault::Fault;
use super::sheet::{Known, Sheet};
use crate::domain::delivery::{DeliveryId, Progress};
use crate::domain::receipt::{Asserter, Receipt, ReceiptDelivery, ReceiptKind};
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
    let mut recipients = Vec::with_capacity(new.addressees.len());
    for addressee in &new.addressees {
        recipients.push(sheet.number(&addressee.recipient)?);
    }
    if let Some(full) = full_mailbox(sheet, &recipients, &new.addressees)? {
        return Ok(Err(full));
    }
    let key = sheet.message_keys.pop_front().ok_or(Fault::Invalid("sequence"))?;
    let ids: Vec<DeliveryId> = sheet.delivery_ids.drain(..recipients.len()).collect();
    sheet.new_messages.push(key, sender, new, &ids);
    sheet.new_facts.messages.push((
        bounded(key.0),
        MessageFacts {
            message_id: new.message.message_id.clone(),
            content_hash: new.message.content_hash,
            payload_hash: new.message.payload_hash,
        },
    ));
    let mut accepted = Accepted {
        receipt: append(sheet, key, sender, new, 1, None)?,
        deliveries: Vec::with_capacity(recipients.len()),
        repeated: false,
    };
    for ((addressee, recipient), id) in new.addressees.iter().zip(recipients).zip(ids) {
        accepted.deliveries.push(deliver(sheet, key, sender, recipient, id, new, addressee)?);
    }
    let mut message_sequence = 1;
    for (delivery, addressee) in accepted.deliveries.iter().zip(&new.addressees) {
        if let Some((_, legal_basis)) = &addressee.redirected {
            message_sequence += 1;
            append(sheet, key, sender, new, message_sequence, Some((delivery, legal_basis)))?;
        }
    }
    let again = Accepted { repeated: true, ..accepted.clone() };
    let known = Known { content_hash: new.message.content_hash, accepted: again };
    sheet.known.insert((sender, &new.message.message_id), known);
    Ok(Ok(accepted))
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
    addressees: &[Addressee],
) -> Result<Option<AcceptRefused>, Fault> {
    for (organ, addressee) in recipients.iter().zip(addressees) {
        let max = addressee.mailbox_max.unwrap_or(u64::MAX).min(sheet.options.mailbox_deliveries_max);
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
    key: MessageKey,
    sender: OrganRef,
    recipient: OrganRef,
    id: DeliveryId,
    new: &Acceptance,
    addressee: &Addressee,
) -> Result<AcceptedDelivery, Fault> {
    let addressed_to = addressee.redirected.as_ref().map(|(organ, _)| organ);
    let addressed_ref = addressed_to.map(|organ| sheet.number(organ)).transpose()?;
    let Progress { attempt, due_at, expires_at, .. } = Progress::accepted(new.message.expires_at);
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
    let receipts = (new.addressees.len() == 1).then(|| 1 + i64::from(addressed_to.is_some()));
    columns.receipt_sequence.push(receipts);
    columns.receipt_time.push(receipts.map(|_| new.message.accepted_at.as_micros()));
    let facts = DeliveryFacts { sender, recipient, addressed_to: addressed_ref, origin: None };
    sheet.new_facts.deliveries.push((bounded(id.0), facts));
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
    })
}
