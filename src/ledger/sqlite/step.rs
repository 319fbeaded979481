//! One step of a delivery: read, decide, write if it is still so, leave the receipt.

use rusqlite::{Connection, OptionalExtension};

use super::change::{self, Behind};
use super::codes::{Code, bounded};
use super::organs::{self, OrganRef};
use super::receipts::{self, NewReceipt};
use super::writer::Book;
use super::{outbox, redirect};
use crate::domain::delivery::{self, DeliveryId, Entry, Event, Progress, State, Step};
use crate::domain::duty::Duty;
use crate::domain::message::Lane;
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::Asserter;
use crate::domain::status::{Request, StatusCode};
use crate::domain::time::Timestamp;
use crate::ledger::changes::{Carries, overruled};
use crate::ledger::{BecameReady, MessageKey, Ready, StepError, StepRequest, Stepped};

/// A delivery as it stands.
pub(super) struct Row {
    pub message: MessageKey,
    pub sender: OrganRef,
    pub recipient: OrganRef,
    pub addressed_to: Option<OrganRef>,
    pub lane: Lane,
    pub payload_bytes: u64,
    pub progress: Progress,
    pub status: Option<StatusCode>,
    pub request: Option<Request>,
    pub carries: Carries,
    pub ended_at: Option<Timestamp>,
    pub duty: Duty,
}

/// Takes one step, or says why not.
pub(super) fn step(
    db: &Connection,
    book: &mut Book,
    request: &StepRequest,
) -> rusqlite::Result<Result<Stepped, StepError>> {
    let Some(row) = read(db, request.delivery)? else { return Ok(Err(StepError::NotFound)) };
    let recipient = book.accounts.account(row.recipient).id.clone();
    if request.recipient.as_ref().is_some_and(|organ| *organ != recipient) {
        return Ok(Err(StepError::NotFound));
    }
    let chance = book.chance.f64();
    let event = overruled(&request.event, row.request);
    let decided = delivery::step(&row.progress, &event, request.at, &book.options.policy, chance);
    let mut duty = row.duty;
    let progress = match decided {
        Err(refused) => return Ok(Err(refused.into())),
        Ok(Step::Unchanged) => row.progress,
        Ok(Step::Moved(next, entry)) => {
            let asserted_by = match &request.by {
                Asserter::Gateway => None,
                Asserter::Organ(organ) => Some(book.accounts.number(db, organ)?),
                Asserter::Operator(name) => Some(organs::operator(db, name)?),
            };
            let behind = match (&*event, row.request) {
                (Event::Cancel { .. }, Some(_)) => change::open(db, request.delivery)?,
                _ => None,
            };
            let moved = Moved { next, entry, behind: behind.as_ref() };
            duty = record(db, book, (request.delivery, &event), &row, moved, (request.at, asserted_by))?;
            next
        }
    };
    let about = match row.carries {
        Carries::Message => Vec::new(),
        Carries::Requests | Carries::Notice => change::about(db, request.delivery)?,
    };
    let addressed_to = row.addressed_to.map(|organ| book.accounts.account(organ).id.clone());
    Ok(Ok(Stepped {
        delivery: request.delivery,
        message: row.message,
        recipient,
        addressed_to,
        progress,
        about,
        is_notice: row.carries == Carries::Notice,
        duty,
    }))
}

/// Takes a step that has been found to be possible.
pub(super) fn take(
    db: &Connection,
    book: &mut Book,
    delivery: DeliveryId,
    event: &Event,
    said: (Timestamp, Option<OrganRef>),
    behind: Option<&Behind>,
) -> rusqlite::Result<()> {
    let row = read(db, delivery)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let chance = book.chance.f64();
    match delivery::step(&row.progress, event, said.0, &book.options.policy, chance) {
        Ok(Step::Moved(next, entry)) => {
            record(db, book, (delivery, event), &row, Moved { next, entry, behind }, said).map(drop)
        }
        Ok(Step::Unchanged) | Err(_) => Err(rusqlite::Error::StatementChangedRows(0)),
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
    db: &Connection,
    book: &mut Book,
    (delivery, event): (DeliveryId, &Event),
    row: &Row,
    Moved { next, entry, behind }: Moved<'_>,
    (at, asserted_by): (Timestamp, Option<OrganRef>),
) -> rusqlite::Result<Duty> {
    let (last_sequence, last_time) = receipts::last(db, row.message)?;
    // Handed over late, or by a clock that was set back: it happens after what has happened.
    let time = at.max(last_time);
    let duty = match book.options.policy.acknowledged_by.is_met_by_state(next.state) {
        true => row.duty.acknowledged(time),
        false => row.duty,
    };
    update(db, delivery, (&row.progress, &next), time, duty)?;
    let successor = redirect::replace(db, book, (delivery, event), row)?;
    if let Some(entry) = &entry {
        let receipt = NewReceipt {
            sender: row.sender,
            message: row.message,
            message_sequence: last_sequence + 1,
            delivery: Some(successor.unwrap_or(delivery)),
            kind: entry.kind,
            time,
            asserted_by,
            attempt: if successor.is_some() { 0 } else { next.attempt },
            cause: entry.cause,
            reason: &entry.reason,
            retry_time: entry.retry_time,
            status: None,
            change: behind.map(|behind| (behind.key, behind.asked)),
        };
        receipts::append(db, book, &receipt)?;
    }
    let recipient = book.accounts.account(row.recipient).id.clone();
    tell(db, book, delivery, row, &recipient, &next)?;
    if next.state.is_end() && next.state != State::Delivered {
        if row.request.is_some() {
            change::lapse(db, book, delivery, at)?;
        }
        if row.carries != Carries::Message && next.state != State::Redirected {
            change::lapse_carried(db, book, delivery, at)?;
        }
    }
    Ok(duty)
}

/// Reads a delivery.
pub(super) fn read(db: &Connection, delivery: DeliveryId) -> rusqlite::Result<Option<Row>> {
    // delivery.read
    db.prepare_cached(
        "SELECT message, sender, recipient, addressed_to, lane, payload_bytes, state, attempt, hold, due_at,
             expires_at, status, request, carries, spared, ended_at, acknowledge_by, acknowledged_at, overdue_at,
             unsent
         FROM delivery WHERE id = ?1",
    )?
    .query_row([bounded(delivery.0)], |row| {
        Ok(Row {
            message: MessageKey(row.get(0)?),
            sender: row.get(1)?,
            recipient: row.get(2)?,
            addressed_to: row.get(3)?,
            lane: row.get::<_, Code<Lane>>(4)?.0,
            payload_bytes: row.get(5)?,
            progress: Progress {
                state: row.get::<_, Code<State>>(6)?.0,
                attempt: row.get(7)?,
                hold: row.get::<_, Option<Code<_>>>(8)?.map(|code| code.0),
                due_at: row.get::<_, Option<Code<_>>>(9)?.map(|code| code.0),
                expires_at: row.get::<_, Code<_>>(10)?.0,
                spared: row.get(14)?,
                unsent: row.get(19)?,
            },
            status: row.get::<_, Option<Code<_>>>(11)?.map(|code| code.0),
            request: row.get::<_, Option<Code<_>>>(12)?.map(|code| code.0),
            carries: row.get::<_, Code<_>>(13)?.0,
            ended_at: row.get::<_, Option<Code<_>>>(15)?.map(|code| code.0),
            duty: duty(row, 16)?,
        })
    })
    .optional()
}

/// The duty of a delivery, from the column that says until when it is to be acknowledged on.
pub(super) fn duty(row: &rusqlite::Row<'_>, from: usize) -> rusqlite::Result<Duty> {
    Ok(Duty {
        acknowledge_by: row.get::<_, Code<_>>(from)?.0,
        acknowledged_at: row.get::<_, Option<Code<_>>>(from + 1)?.map(|code| code.0),
        overdue_at: row.get::<_, Option<Code<_>>>(from + 2)?.map(|code| code.0),
    })
}

fn update(
    db: &Connection,
    delivery: DeliveryId,
    (from, to): (&Progress, &Progress),
    time: Timestamp,
    duty: Duty,
) -> rusqlite::Result<()> {
    let ended_at = to.state.is_end().then_some(Code(time));
    // delivery.move
    let moved = db
        .prepare_cached(
            "UPDATE delivery SET state = ?4, attempt = ?5, hold = ?6, due_at = ?7, ended_at = ?8, spared = ?9,
                 acknowledged_at = ?10, unsent = ?11
             WHERE id = ?1 AND state = ?2 AND attempt = ?3",
        )?
        .execute((
            delivery.0,
            Code(from.state),
            from.attempt,
            Code(to.state),
            to.attempt,
            to.hold.map(Code),
            to.due_at.map(Code),
            ended_at,
            to.spared,
            duty.acknowledged_at.map(Code),
            to.unsent,
        ))?;
    if moved == 1 { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(moved)) }
}

fn tell(
    db: &Connection,
    book: &mut Book,
    delivery: DeliveryId,
    row: &Row,
    recipient: &OrganId,
    next: &Progress,
) -> rusqlite::Result<()> {
    if next.state.is_end() {
        let account = book.accounts.change(row.recipient);
        account.open_deliveries = account.open_deliveries.saturating_sub(1);
    }
    if next.state == State::Cancelled {
        outbox::withdraw(db, delivery)?;
        book.commit.ready.retain(|became| became.ready.delivery != delivery);
    }
    if next.state == State::Queued {
        let Row { message, payload_bytes, lane, .. } = *row;
        let ready = Ready { delivery, message, payload_bytes, attempt: next.attempt };
        outbox::put(db, book, ready)?;
        book.commit.ready.push(BecameReady { organ: recipient.clone(), lane, ready, message: None });
    }
    book.commit.due = [book.commit.due, next.due_at].into_iter().flatten().min();
    Ok(())
}
