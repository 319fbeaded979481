//! Redirecting a delivery: another one takes its place in the mailbox of the organ that took over.

use rusqlite::Connection;

use super::codes::Code;
use super::step::Row;
use super::writer::Book;
use super::{change, outbox};
use crate::domain::delivery::{DeliveryId, Event, Progress};
use crate::ledger::changes::Carries;
use crate::ledger::{BecameReady, Ready};

/// Inserts the delivery that takes the place of one that is being redirected; nothing for any other step.
pub(super) fn replace(
    db: &Connection,
    book: &mut Book,
    (delivery, event): (DeliveryId, &Event),
    old: &Row,
) -> rusqlite::Result<Option<DeliveryId>> {
    let Event::Redirect { to, acknowledge_by, .. } = event else { return Ok(None) };
    let recipient = book.accounts.number(db, to)?;
    let id = DeliveryId(book.next_delivery);
    let progress = Progress::accepted(old.progress.expires_at);
    // delivery.replace
    db.prepare_cached(
        "INSERT INTO delivery (id, message, sender, recipient, addressed_to, origin, lane, payload_bytes, expires_at,
             state, attempt, due_at, carries, acknowledge_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .execute((
        id.0,
        old.message.0,
        old.sender,
        recipient,
        // What the sender wrote, however many closings ago.
        old.addressed_to.unwrap_or(old.recipient),
        delivery.0,
        Code(old.lane),
        old.payload_bytes,
        Code(progress.expires_at),
        Code(progress.state),
        progress.attempt,
        progress.due_at.map(Code),
        Code(old.carries),
        Code(*acknowledge_by),
    ))?;
    if old.carries != Carries::Message {
        change::carry_on(db, delivery, id)?;
    }
    book.next_delivery += 1;
    outbox::withdraw(db, delivery)?;
    let Row { message, payload_bytes, lane, .. } = *old;
    let ready = Ready { delivery: id, message, payload_bytes, attempt: progress.attempt };
    outbox::put(db, book, ready)?;
    book.accounts.change(recipient).open_deliveries += 1;
    book.commit.due = [book.commit.due, progress.due_at].into_iter().flatten().min();
    book.commit.ready.retain(|became| became.ready.delivery != delivery);
    book.commit.ready.push(BecameReady { organ: to.clone(), lane, ready, message: None });
    Ok(Some(id))
}
