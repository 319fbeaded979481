//! Accepting a message: the message, its deliveries and its first receipts.

use rusqlite::{Connection, OptionalExtension};

use super::codes::Code;
use super::organs::{Names, OrganRef};
use super::receipts::{self, NewReceipt};
use super::writer::Book;
use super::{change, lineage, outbox};
use crate::domain::delivery::{DeliveryId, Progress};
use crate::domain::message::Hash;
use crate::domain::receipt::{Receipt, ReceiptDelivery, ReceiptKind};
use crate::ledger::changes::{self, Receiver};
use crate::ledger::{AcceptRefused, Acceptance, Accepted, AcceptedDelivery, BecameReady, MessageKey, Ready};

type Outcome = Result<Accepted, AcceptRefused>;

/// Accepts one message, or says why not.
pub(super) fn accept(db: &Connection, book: &mut Book, new: &Acceptance) -> rusqlite::Result<Outcome> {
    let sender = book.accounts.number(db, &new.message.sender)?;
    let Some(change) = &new.change else {
        return take_in(db, book, sender, new, changes::receivers(new), new.document_id.as_deref());
    };
    if let Some(outcome) = repeated(db, book, sender, new)? {
        return Ok(outcome);
    }
    let findings = change::find(db, book, sender, change)?;
    let decided = match changes::decide(new, change, &findings) {
        Ok(decided) => decided,
        Err(refused) => return Ok(Err(refused)),
    };
    let key = MessageKey(book.next_message);
    let outcome = take_in(db, book, sender, new, decided.receivers, decided.document_id)?;
    let Ok(mut accepted) = outcome else { return Ok(outcome) };
    let changed = change::perform(db, book, (key, new, change), &findings, &decided.decisions, &accepted)?;
    accepted.changed = Some(Box::new(changed));
    Ok(Ok(accepted))
}

/// Writes a message and its deliveries, where there is room for them.
fn take_in(
    db: &Connection,
    book: &mut Book,
    sender: OrganRef,
    new: &Acceptance,
    receivers: Vec<Receiver<'_>>,
    document_id: Option<&str>,
) -> rusqlite::Result<Outcome> {
    let mut recipients = Vec::with_capacity(receivers.len());
    for receiver in &receivers {
        recipients.push(book.accounts.number(db, &receiver.addressee.recipient)?);
    }
    if let Some(full) = full_mailbox(book, &recipients, &receivers) {
        // A repeated submission is answered even then.
        return Ok(match repeated(db, book, sender, new)? {
            Some(outcome) => outcome,
            None => Err(full),
        });
    }
    let key = MessageKey(book.next_message);
    if !insert_message(db, book, key, sender, new, (receivers.len(), document_id))? {
        let outcome = repeated(db, book, sender, new)?;
        return outcome.ok_or(rusqlite::Error::QueryReturnedNoRows);
    }
    book.next_message += 1;
    let mut accepted = Accepted {
        receipt: append(db, book, key, sender, new, 1, None)?,
        deliveries: Vec::with_capacity(recipients.len()),
        changed: None,
        repeated: false,
    };
    for (receiver, recipient) in receivers.iter().zip(recipients) {
        accepted.deliveries.push(insert_delivery(db, book, key, sender, recipient, new, receiver)?);
    }
    let mut message_sequence = 1;
    for (delivery, receiver) in accepted.deliveries.iter().zip(&receivers) {
        if let Some((_, legal_basis)) = &receiver.addressee.redirected {
            message_sequence += 1;
            append(db, book, key, sender, new, message_sequence, Some((delivery, legal_basis)))?;
        }
    }
    Ok(Ok(accepted))
}

/// The first mailbox that has no room for what of this message goes to it: two deliveries where a closed organ was
/// redirected to another addressee.
fn full_mailbox(book: &Book, recipients: &[OrganRef], receivers: &[Receiver<'_>]) -> Option<AcceptRefused> {
    recipients.iter().zip(receivers).find_map(|(organ, receiver)| {
        let max = receiver.addressee.mailbox_max.unwrap_or(u64::MAX).min(book.options.mailbox_deliveries_max);
        let account = book.accounts.account(*organ);
        if account.open_deliveries + recipients.len() as u64 <= max {
            return None;
        }
        let more = recipients.iter().filter(|other| *other == organ).count() as u64;
        (account.open_deliveries + more > max)
            .then(|| AcceptRefused::MailboxFull { organ: account.id.clone(), open: account.open_deliveries })
    })
}

/// False when the sender has used the id before.
fn insert_message(
    db: &Connection,
    book: &Book,
    key: MessageKey,
    sender: OrganRef,
    new: &Acceptance,
    (deliveries, document_id): (usize, Option<&str>),
) -> rusqlite::Result<bool> {
    let message = &new.message;
    // message.insert
    let inserted = db
        .prepare_cached(
            "INSERT INTO message (key, sender, message_id, lane, accepted_at, expires_at, first_delivery,
                 deliveries, content_hash, payload_hash, payload_bytes, document_id, header, kept_since)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?5)
             ON CONFLICT (sender, message_id) DO NOTHING",
        )?
        .execute((
            key.0,
            sender,
            message.message_id.as_str(),
            Code(new.lane),
            Code(message.accepted_at),
            Code(message.expires_at),
            book.next_delivery,
            deliveries,
            Code(message.content_hash),
            Code(message.payload_hash),
            message.payload.len(),
            document_id,
            message.header.as_ref(),
        ))?;
    if inserted == 1 {
        // body.insert
        db.prepare_cached("INSERT INTO body (message, payload) VALUES (?1, ?2)")?
            .execute((key.0, message.payload.as_ref()))?;
    }
    Ok(inserted == 1)
}

fn insert_delivery(
    db: &Connection,
    book: &mut Book,
    key: MessageKey,
    sender: OrganRef,
    recipient: OrganRef,
    new: &Acceptance,
    receiver: &Receiver<'_>,
) -> rusqlite::Result<AcceptedDelivery> {
    let addressee = &*receiver.addressee;
    let addressed_to = addressee.redirected.as_ref().map(|(organ, _)| organ);
    let addressed_ref = addressed_to.map(|organ| book.accounts.number(db, organ)).transpose()?;
    let id = DeliveryId(book.next_delivery);
    let progress = Progress::accepted(new.message.expires_at);
    let payload_bytes = new.message.payload.len() as u64;
    // delivery.insert
    db.prepare_cached(
        "INSERT INTO delivery (id, message, sender, recipient, addressed_to, lane, payload_bytes, expires_at,
             state, attempt, due_at, carries, acknowledge_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?
    .execute((
        id.0,
        key.0,
        sender,
        recipient,
        addressed_ref,
        Code(new.lane),
        payload_bytes,
        Code(progress.expires_at),
        Code(progress.state),
        progress.attempt,
        progress.due_at.map(Code),
        Code(receiver.carries),
        Code(new.acknowledge_by),
    ))?;
    book.next_delivery += 1;
    let ready = Ready { delivery: id, message: key, payload_bytes, attempt: progress.attempt };
    outbox::put(db, book, ready)?;
    book.accounts.change(recipient).open_deliveries += 1;
    book.commit.due = [book.commit.due, progress.due_at].into_iter().flatten().min();
    book.commit.ready.push(BecameReady {
        organ: addressee.recipient.clone(),
        lane: new.lane,
        ready,
        message: Some(std::sync::Arc::clone(&new.message)),
    });
    Ok(AcceptedDelivery { id, recipient: addressee.recipient.clone(), addressed_to: addressed_to.cloned() })
}

/// The receipt of the acceptance, or of one redirection.
fn append(
    db: &Connection,
    book: &mut Book,
    key: MessageKey,
    sender: OrganRef,
    new: &Acceptance,
    message_sequence: u32,
    redirected: Option<(&AcceptedDelivery, &String)>,
) -> rusqlite::Result<Receipt> {
    let kind = if redirected.is_some() { ReceiptKind::Redirected } else { ReceiptKind::Accepted };
    let reason = redirected.map_or("", |(_, legal_basis)| legal_basis);
    let delivery = redirected.map(|(delivery, _)| delivery);
    let row = NewReceipt {
        sender,
        message: key,
        message_sequence,
        delivery: delivery.map(|d| d.id),
        kind,
        time: new.message.accepted_at,
        asserted_by: None,
        attempt: 0,
        cause: None,
        reason,
        retry_time: None,
        status: None,
        change: None,
    };
    let sender_sequence = receipts::append(db, book, &row)?;
    Ok(Receipt {
        sender_sequence,
        message_sequence,
        kind,
        sender: new.message.sender.clone(),
        message_id: new.message.message_id.clone(),
        content_hash: new.message.content_hash,
        payload_hash: new.message.payload_hash,
        time: new.message.accepted_at,
        asserted_by: crate::domain::receipt::Asserter::Gateway,
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

/// What is to be said of an id the sender has used before; none when it has not.
fn repeated(
    db: &Connection,
    book: &Book,
    sender: OrganRef,
    new: &Acceptance,
) -> rusqlite::Result<Option<Outcome>> {
    // message.by_id
    let found: Option<(u64, Code<Hash>, u64, u64)> = db
        .prepare_cached(
            "SELECT key, content_hash, first_delivery, deliveries FROM message
             WHERE sender = ?1 AND message_id = ?2",
        )?
        .query_row((sender, new.message.message_id.as_str()), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((key, Code(content_hash), first, count)) = found else { return Ok(None) };
    if content_hash != new.message.content_hash {
        return Ok(Some(Err(AcceptRefused::Conflict {
            sender: new.message.sender.clone(),
            message_id: new.message.message_id.clone(),
            accepted: content_hash,
        })));
    }
    // Rows of this very transaction may name organs no reader can know yet.
    let names = Names::default();
    let receipts = receipts::of_message(db, &names, MessageKey(key), 1)?;
    let receipt = receipts.into_iter().next().ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    // delivery.of_message_addresses
    let mut statement = db.prepare_cached(
        "SELECT id, recipient, addressed_to FROM delivery WHERE id >= ?1 AND id < ?2 ORDER BY id",
    )?;
    let rows = statement.query_map((first, first + count), |row| {
        Ok(AcceptedDelivery {
            id: DeliveryId(row.get(0)?),
            recipient: book.accounts.account(row.get(1)?).id.clone(),
            addressed_to: row
                .get::<_, Option<OrganRef>>(2)?
                .map(|organ| book.accounts.account(organ).id.clone()),
        })
    })?;
    let deliveries = rows.collect::<rusqlite::Result<_>>()?;
    let changed = lineage::changed(db, &names, MessageKey(key))?.map(Box::new);
    Ok(Some(Ok(Accepted { receipt, deliveries, changed, repeated: true })))
}
