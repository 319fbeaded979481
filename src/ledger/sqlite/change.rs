//! Changes: the deliveries of earlier messages as a change finds them, what it does to them, and what becomes of what it asks.

use rusqlite::{Connection, OptionalExtension, Row as SqlRow};

use super::codes::{Code, at_most};
use super::organs::OrganRef;
use super::receipts::{self, NewReceipt};
use super::step::{self, Row};
use super::writer::Book;
use crate::domain::change::{Answer, Change, DocumentRef, Effect, Found};
use crate::domain::delivery::{DeliveryId, Entry, Event, State};
use crate::domain::message::MessageId;
use crate::domain::receipt::ReceiptKind;
use crate::domain::status::Request;
use crate::domain::time::Timestamp;
use crate::ledger::changes::{Decision, Effected, Findings};
use crate::ledger::reports::MESSAGES_OF_DOCUMENT_MAX;
use crate::ledger::{About, Acceptance, Accepted, Changed, MessageKey};

/// The change behind a receipt or a request.
#[derive(Clone, Debug)]
pub(super) struct Behind {
    pub key: MessageKey,
    pub message_id: MessageId,
    pub asked: Request,
    /// Who got the message that asks.
    pub told: Option<OrganRef>,
}

/// What a change is about, as it stands.
pub(super) fn find(
    db: &Connection,
    book: &Book,
    sender: OrganRef,
    change: &Change,
) -> rusqlite::Result<Findings> {
    let mut findings = Findings::default();
    for (place, target) in change.targets.iter().enumerate() {
        for (key, message_id) in messages(db, sender, &target.document)? {
            if findings.messages.iter().any(|(_, known)| *known == key) {
                continue;
            }
            findings.messages.push((place, key));
            // delivery.ids_of_message
            let mut statement = db.prepare_cached(
                "SELECT d.id FROM message m JOIN delivery d
                     ON d.id >= m.first_delivery AND d.id < m.first_delivery + m.deliveries WHERE m.key = ?1
                 UNION ALL SELECT d.id FROM delivery d WHERE d.message = ?1 AND d.origin IS NOT NULL",
            )?;
            let ids = statement.query_map([key.0], |row| row.get(0).map(DeliveryId))?;
            for id in ids.collect::<rusqlite::Result<Vec<_>>>()? {
                findings.deliveries.push(found(db, book, place, id)?);
                findings.of.push((key, message_id.clone()));
            }
        }
    }
    sort(&mut findings);
    Ok(findings)
}

fn sort(findings: &mut Findings) {
    let mut order: Vec<_> = (0..findings.deliveries.len()).collect();
    order.sort_by_key(|place| findings.deliveries[*place].delivery);
    findings.of = order.iter().map(|place| findings.of[*place].clone()).collect();
    findings.deliveries.sort_by_key(|found| found.delivery);
}

fn messages(
    db: &Connection,
    sender: OrganRef,
    document: &DocumentRef,
) -> rusqlite::Result<Vec<(MessageKey, MessageId)>> {
    let one = |row: &SqlRow<'_>| Ok((MessageKey(row.get(0)?), receipts::message_id(row, 1)?));
    match document {
        DocumentRef::Message(id) => {
            // message.key_by_id
            let mut statement = db.prepare_cached(
                "SELECT key, message_id FROM message WHERE sender = ?1 AND message_id = ?2",
            )?;
            statement.query_map((sender, id.as_str()), one)?.collect()
        }
        DocumentRef::Document(id) => {
            // message.keys_by_document
            let mut statement = db.prepare_cached(
                "SELECT key, message_id FROM message WHERE sender = ?1 AND document_id = ?2
                 ORDER BY key DESC LIMIT ?3",
            )?;
            statement.query_map((sender, id, at_most(MESSAGES_OF_DOCUMENT_MAX)), one)?.collect()
        }
    }
}

fn found(db: &Connection, book: &Book, target: usize, id: DeliveryId) -> rusqlite::Result<Found> {
    let row = step::read(db, id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let organ = |number| book.accounts.account(number).id.clone();
    let asked_by = match row.request {
        Some(_) => open(db, id)?.map(|behind| behind.message_id),
        None => None,
    };
    let superseded_by = match row.progress.state {
        State::Cancelled => superseded_by(db, id)?,
        _ => None,
    };
    Ok(Found {
        delivery: id,
        target,
        recipient: organ(row.recipient),
        addressed_to: row.addressed_to.map(organ),
        progress: row.progress,
        status: row.status,
        asked_by,
        superseded_by,
    })
}

/// The request that is open on a delivery.
pub(super) fn open(db: &Connection, delivery: DeliveryId) -> rusqlite::Result<Option<Behind>> {
    // effect.open
    db.prepare_cached(
        "SELECT e.message, m.message_id, e.asked, d.recipient FROM effect e JOIN message m ON m.key = e.message
         LEFT JOIN delivery d ON d.id = e.carrier
         WHERE e.delivery = ?1 AND e.effect = 2 AND e.answer IS NULL",
    )?
    .query_row([delivery.0], |row| {
        Ok(Behind {
            key: MessageKey(row.get(0)?),
            message_id: receipts::message_id(row, 1)?,
            asked: row.get::<_, Code<Request>>(2)?.0,
            told: row.get(3)?,
        })
    })
    .optional()
}

fn superseded_by(db: &Connection, delivery: DeliveryId) -> rusqlite::Result<Option<MessageId>> {
    // effect.superseding
    db.prepare_cached(
        "SELECT m.message_id FROM effect e JOIN message m ON m.key = e.message
         WHERE e.delivery = ?1 AND e.effect = 1 AND e.asked IN (2, 3) LIMIT 1",
    )?
    .query_row([delivery.0], |row| receipts::message_id(row, 0))
    .optional()
}

/// Does to the earlier messages what was decided; gives what is answered.
pub(super) fn perform(
    db: &Connection,
    book: &mut Book,
    (key, new, change): (MessageKey, &Acceptance, &Change),
    findings: &Findings,
    decisions: &[Decision],
    accepted: &Accepted,
) -> rusqlite::Result<Changed> {
    let mut changed = Changed::default();
    for (place, target) in change.targets.iter().enumerate() {
        let mut keys =
            findings.messages.iter().filter(|(of, _)| *of == place).map(|(_, key)| *key).peekable();
        if keys.peek().is_none() {
            changed.unknown.push(target.document.as_str().to_owned());
            insert_target(db, key, target.document.as_str(), None)?;
        }
        for target_key in keys {
            insert_target(db, key, target.document.as_str(), Some(target_key))?;
        }
    }
    for decision in decisions {
        let carrier = decision.carrier.map(|place| accepted.deliveries[place].id);
        let effected = Effected::of(decision, findings, carrier);
        insert_effect(db, key, findings.of[decision.found].0, &effected)?;
        let behind =
            Behind { key, message_id: new.message.message_id.clone(), asked: decision.asked, told: None };
        let at = new.message.accepted_at;
        match decision.effect {
            Effect::Cancelled => cancel(db, book, effected.delivery, false, (change, at), &behind)?,
            Effect::Asked => ask(db, book, effected.delivery, (change, at), &behind)?,
            Effect::Nothing => {}
        }
        changed.effects.push(effected);
    }
    Ok(changed)
}

fn insert_target(
    db: &Connection,
    key: MessageKey,
    named: &str,
    target: Option<MessageKey>,
) -> rusqlite::Result<()> {
    // change.insert
    db.prepare_cached(
        "INSERT INTO change (message, place, named, target)
         SELECT ?1, (SELECT count(*) FROM change WHERE message = ?1), ?2, ?3",
    )?
    .execute((key.0, named, target.map(|target| target.0)))
    .map(drop)
}

fn insert_effect(
    db: &Connection,
    key: MessageKey,
    target: MessageKey,
    effected: &Effected,
) -> rusqlite::Result<()> {
    // effect.insert
    db.prepare_cached(
        "INSERT INTO effect (message, delivery, target, asked, effect, state, carrier)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute((
        key.0,
        effected.delivery.0,
        target.0,
        Code(effected.asked),
        Code(effected.effect),
        Code(effected.state),
        effected.carrier.map(|carrier| carrier.0),
    ))
    .map(drop)
}

/// Ends a delivery its sender takes back.
pub(super) fn cancel(
    db: &Connection,
    book: &mut Book,
    delivery: DeliveryId,
    agreed: bool,
    (change, at): (&Change, Timestamp),
    behind: &Behind,
) -> rusqlite::Result<()> {
    let event = Event::Cancel { agreed, reason: change.reason.clone() };
    let by = Some(book.accounts.number(db, &change.by)?);
    step::take(db, book, delivery, &event, (at, by), Some(behind))
}

fn ask(
    db: &Connection,
    book: &mut Book,
    delivery: DeliveryId,
    (change, at): (&Change, Timestamp),
    behind: &Behind,
) -> rusqlite::Result<()> {
    let row = step::read(db, delivery)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    set_request(db, delivery, row.request, Some(behind.asked))?;
    let by = Some(book.accounts.number(db, &change.by)?);
    let entry =
        Entry { kind: ReceiptKind::Requested, cause: None, reason: change.reason.clone(), retry_time: None };
    append(db, book, (delivery, &row), &entry, (at, by), behind)
}

/// A request ends without an answer.
pub(super) fn lapse(
    db: &Connection,
    book: &mut Book,
    delivery: DeliveryId,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let (Some(row), Some(behind)) = (step::read(db, delivery)?, open(db, delivery)?) else { return Ok(()) };
    set_request(db, delivery, row.request, None)?;
    answered(db, delivery, Answer::Lapsed)?;
    let entry = Entry { kind: ReceiptKind::Lapsed, cause: None, reason: String::new(), retry_time: None };
    append(db, book, (delivery, &row), &entry, (at, None), &behind)
}

/// What was asked through a delivery that ends without its recipient ends with it.
pub(super) fn lapse_carried(
    db: &Connection,
    book: &mut Book,
    carrier: DeliveryId,
    at: Timestamp,
) -> rusqlite::Result<()> {
    // effect.carried_open
    let mut statement = db.prepare_cached(
        "SELECT delivery FROM effect WHERE carrier = ?1 AND effect = 2 AND answer IS NULL ORDER BY delivery",
    )?;
    let open = statement.query_map([carrier.0], |row| row.get(0).map(DeliveryId))?;
    for delivery in open.collect::<rusqlite::Result<Vec<_>>>()? {
        lapse(db, book, delivery, at)?;
    }
    Ok(())
}

/// Requests go with the delivery that carries them.
pub(super) fn carry_on(db: &Connection, from: DeliveryId, to: DeliveryId) -> rusqlite::Result<()> {
    // effect.carry_on
    db.prepare_cached("UPDATE effect SET carrier = ?2 WHERE carrier = ?1")?.execute((from.0, to.0)).map(drop)
}

/// The open request on a delivery has this answer.
pub(super) fn answered(db: &Connection, delivery: DeliveryId, answer: Answer) -> rusqlite::Result<()> {
    // effect.answer
    let answered = db
        .prepare_cached(
            "UPDATE effect SET answer = ?2 WHERE delivery = ?1 AND effect = 2 AND answer IS NULL",
        )?
        .execute((delivery.0, Code(answer)))?;
    if answered == 1 { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(answered)) }
}

fn set_request(
    db: &Connection,
    delivery: DeliveryId,
    from: Option<Request>,
    to: Option<Request>,
) -> rusqlite::Result<()> {
    // delivery.ask
    let set = db
        .prepare_cached("UPDATE delivery SET request = ?3 WHERE id = ?1 AND request IS ?2")?
        .execute((delivery.0, from.map(Code), to.map(Code)))?;
    if set == 1 { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(set)) }
}

fn append(
    db: &Connection,
    book: &mut Book,
    (delivery, row): (DeliveryId, &Row),
    entry: &Entry,
    (at, by): (Timestamp, Option<OrganRef>),
    behind: &Behind,
) -> rusqlite::Result<()> {
    let (last_sequence, last_time) = receipts::last(db, row.message)?;
    let receipt = NewReceipt {
        sender: row.sender,
        message: row.message,
        message_sequence: last_sequence + 1,
        delivery: Some(delivery),
        kind: entry.kind,
        time: at.max(last_time),
        asserted_by: by,
        attempt: row.progress.attempt,
        cause: entry.cause,
        reason: &entry.reason,
        retry_time: entry.retry_time,
        status: None,
        change: Some((behind.key, behind.asked)),
    };
    receipts::append(db, book, &receipt).map(drop)
}

/// What a delivery asks its recipient about.
pub(super) fn about(db: &Connection, carrier: DeliveryId) -> rusqlite::Result<Vec<About>> {
    // effect.about
    let mut statement = db.prepare_cached(
        "SELECT m.message_id, m.document_id, e.delivery, e.asked FROM effect e JOIN message m ON m.key = e.target
         WHERE e.carrier = ?1 ORDER BY e.delivery",
    )?;
    let rows = statement.query_map([carrier.0], |row| {
        Ok(About {
            message_id: receipts::message_id(row, 0)?,
            document_id: row.get(1)?,
            delivery: DeliveryId(row.get(2)?),
            asked: row.get::<_, Code<Request>>(3)?.0,
        })
    })?;
    rows.collect()
}
