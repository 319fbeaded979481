//! What a transaction writes, column by column, as the statements take it.

use std::collections::BTreeMap;

use crate::domain::change::Answer;
use crate::domain::delivery::{DeliveryId, Hold};
use crate::domain::receipt::{Cause, ReceiptKind};
use crate::domain::status::{Request, Status};
use crate::domain::time::Timestamp;
use crate::ledger::codes::{Coded, bounded};
use crate::ledger::{Acceptance, Effected, MessageKey, Ready, reports};

use super::cells::OrganRef;
use super::sheet::Row;

/// New messages.
#[derive(Debug, Default)]
pub(super) struct Messages<'a> {
    pub key: Vec<i64>,
    pub sender: Vec<OrganRef>,
    pub message_id: Vec<&'a str>,
    pub lane: Vec<i16>,
    pub accepted_at: Vec<i64>,
    pub expires_at: Vec<i64>,
    pub first_delivery: Vec<i64>,
    pub last_delivery: Vec<i64>,
    pub content_hash: Vec<&'a [u8]>,
    pub payload_hash: Vec<&'a [u8]>,
    pub payload_bytes: Vec<i64>,
    pub document_id: Vec<Option<&'a str>>,
    pub header: Vec<&'a [u8]>,
    /// Kept apart.
    pub payload: Vec<&'a [u8]>,
}

impl<'a> Messages<'a> {
    pub fn push(
        &mut self,
        key: MessageKey,
        sender: OrganRef,
        new: &'a Acceptance,
        (deliveries, document_id): (&[DeliveryId], Option<&'a str>),
    ) {
        let message = &new.message;
        let id = |delivery: Option<&DeliveryId>| delivery.map_or(0, |id| bounded(id.0));
        self.key.push(bounded(key.0));
        self.sender.push(sender);
        self.message_id.push(message.message_id.as_str());
        self.lane.push(new.lane.code());
        self.accepted_at.push(message.accepted_at.as_micros());
        self.expires_at.push(message.expires_at.as_micros());
        self.first_delivery.push(id(deliveries.first()));
        self.last_delivery.push(id(deliveries.last()));
        self.content_hash.push(message.content_hash.as_bytes());
        self.payload_hash.push(message.payload_hash.as_bytes());
        self.payload_bytes.push(bounded(message.payload.len() as u64));
        self.document_id.push(document_id);
        self.header.push(&message.header);
        self.payload.push(&message.payload);
    }
}

/// New deliveries.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    pub id: Vec<i64>,
    pub message: Vec<i64>,
    pub sender: Vec<OrganRef>,
    pub recipient: Vec<OrganRef>,
    pub addressed_to: Vec<Option<OrganRef>>,
    pub origin: Vec<Option<i64>>,
    pub lane: Vec<i16>,
    pub payload_bytes: Vec<i64>,
    pub expires_at: Vec<i64>,
    pub acknowledge_by: Vec<i64>,
    pub receipt_sequence: Vec<Option<i64>>,
    pub receipt_time: Vec<Option<i64>>,
    pub carries: Vec<i16>,
}

/// New receipts.
#[derive(Debug, Default)]
pub(super) struct Receipts<'a> {
    pub sender: Vec<OrganRef>,
    pub sender_sequence: Vec<i64>,
    pub message: Vec<i64>,
    pub message_sequence: Vec<i64>,
    pub delivery: Vec<Option<i64>>,
    pub kind: Vec<ReceiptKind>,
    pub time: Vec<i64>,
    pub asserted_by: Vec<Option<OrganRef>>,
    pub attempt: Vec<i64>,
    pub cause: Vec<Option<i16>>,
    pub reason: Vec<Option<Reason<'a>>>,
    pub retry_time: Vec<Option<i64>>,
    pub status: Vec<Option<i16>>,
    pub noted: Vec<Option<String>>,
    pub change: Vec<Option<i64>>,
    pub asked: Vec<Option<i16>>,
}

/// Words for people: the sender's or decided on the way.
pub(super) type Reason<'a> = std::borrow::Cow<'a, [u8]>;

/// One receipt to be appended.
pub(super) struct NewReceipt<'a> {
    pub sender: OrganRef,
    pub sender_sequence: u64,
    pub message: MessageKey,
    pub message_sequence: u32,
    pub delivery: Option<DeliveryId>,
    pub kind: ReceiptKind,
    pub time: Timestamp,
    /// An organ's number, or an operator's below zero.
    pub asserted_by: Option<OrganRef>,
    pub attempt: u32,
    pub cause: Option<Cause>,
    pub reason: Reason<'a>,
    pub retry_time: Option<Timestamp>,
    pub status: Option<&'a Status>,
    /// The change it belongs to, and what that asks.
    pub change: Option<(MessageKey, Request)>,
}

impl<'a> Receipts<'a> {
    pub fn push(&mut self, new: NewReceipt<'a>) {
        self.sender.push(new.sender);
        self.sender_sequence.push(bounded(new.sender_sequence));
        self.message.push(bounded(new.message.0));
        self.message_sequence.push(new.message_sequence.into());
        self.delivery.push(new.delivery.map(|id| bounded(id.0)));
        self.kind.push(new.kind);
        self.time.push(new.time.as_micros());
        self.asserted_by.push(new.asserted_by);
        self.attempt.push(new.attempt.into());
        self.cause.push(new.cause.map(Coded::code));
        self.reason.push((!new.reason.is_empty()).then_some(new.reason));
        self.retry_time.push(new.retry_time.map(Timestamp::as_micros));
        self.status.push(new.status.map(|status| status.code.code()));
        self.noted.push(new.status.and_then(reports::noted));
        self.change.push(new.change.map(|(key, _)| bounded(key.0)));
        self.asked.push(new.change.map(|(_, asked)| asked.code()));
    }
}

/// Which messages are changed.
#[derive(Debug, Default)]
pub(super) struct Targets<'a> {
    pub message: Vec<i64>,
    pub place: Vec<i16>,
    pub named: Vec<&'a str>,
    pub target: Vec<Option<i64>>,
}

impl<'a> Targets<'a> {
    pub fn push(&mut self, message: MessageKey, named: &'a str, target: Option<MessageKey>) {
        let message = bounded(message.0);
        let place = self.message.iter().filter(|known| **known == message).count();
        self.message.push(message);
        self.place.push(i16::try_from(place).unwrap_or(i16::MAX));
        self.named.push(named);
        self.target.push(target.map(|target| bounded(target.0)));
    }
}

/// What changes do.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub message: Vec<i64>,
    pub delivery: Vec<i64>,
    pub target: Vec<i64>,
    pub carrier: Vec<Option<i64>>,
    pub asked: Vec<i16>,
    pub effect: Vec<i16>,
    pub state: Vec<i16>,
}

impl Effects {
    pub fn push(&mut self, message: MessageKey, target: MessageKey, effected: &Effected) {
        self.message.push(bounded(message.0));
        self.delivery.push(bounded(effected.delivery.0));
        self.target.push(bounded(target.0));
        self.carrier.push(effected.carrier.map(|carrier| bounded(carrier.0)));
        self.asked.push(effected.asked.code());
        self.effect.push(effected.effect.code());
        self.state.push(effected.state.code());
    }
}

/// What became of what was asked.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub message: Vec<i64>,
    pub delivery: Vec<i64>,
    pub answer: Vec<i16>,
}

impl Answers {
    pub fn push(&mut self, message: MessageKey, delivery: DeliveryId, answer: Answer) {
        self.message.push(bounded(message.0));
        self.delivery.push(bounded(delivery.0));
        self.answer.push(answer.code());
    }
}

/// Deliveries whose requests others carry on.
#[derive(Debug, Default)]
pub(super) struct Carriers {
    pub from: Vec<i64>,
    pub to: Vec<i64>,
}

impl Carriers {
    pub fn push(&mut self, from: DeliveryId, to: DeliveryId) {
        self.from.push(bounded(from.0));
        self.to.push(bounded(to.0));
    }
}

/// Files reports came in.
#[derive(Debug, Default)]
pub(super) struct Files<'a> {
    pub sender: Vec<OrganRef>,
    pub sender_sequence: Vec<i64>,
    pub file: Vec<&'a [u8]>,
    pub message: Vec<i64>,
    pub time: Vec<i64>,
}

/// Deliveries that have moved on, from what they were to what they are.
#[derive(Debug, Default)]
pub(super) struct Moves {
    pub id: Vec<i64>,
    pub was_state: Vec<i16>,
    pub was_attempt: Vec<i64>,
    pub state: Vec<i16>,
    pub attempt: Vec<i64>,
    pub hold: Vec<Option<i16>>,
    pub holder: Vec<Option<i64>>,
    pub due_at: Vec<Option<i64>>,
    pub ended_at: Vec<Option<i64>>,
    pub receipt_sequence: Vec<Option<i64>>,
    pub receipt_time: Vec<Option<i64>>,
    pub was_status: Vec<Option<i16>>,
    pub status: Vec<Option<i16>>,
    pub was_request: Vec<Option<i16>>,
    pub request: Vec<Option<i16>>,
    pub spared: Vec<i64>,
    pub acknowledged_at: Vec<Option<i64>>,
    pub overdue_at: Vec<Option<i64>>,
    pub unsent: Vec<i64>,
}

impl Moves {
    /// One delivery, and the last receipt of its message, if that is known by it.
    pub fn push(&mut self, id: i64, row: &Row, last: Option<(u32, Timestamp)>) {
        let (was, now) = (&row.was, &row.progress);
        self.id.push(id);
        self.was_state.push(was.state.code());
        self.was_attempt.push(was.attempt.into());
        self.state.push(now.state.code());
        self.attempt.push(now.attempt.into());
        self.hold.push(now.hold.map(Coded::code));
        self.holder.push(row.holder.filter(|_| now.hold == Some(Hold::Stream)));
        self.due_at.push(now.due_at.map(Timestamp::as_micros));
        self.ended_at.push(row.ended_at.map(Timestamp::as_micros));
        self.receipt_sequence.push(last.map(|(sequence, _)| sequence.into()));
        self.receipt_time.push(last.map(|(_, time)| time.as_micros()));
        self.was_status.push(row.was_status.map(Coded::code));
        self.status.push(row.status.map(Coded::code));
        self.was_request.push(row.was_request.map(Coded::code));
        self.request.push(row.request.map(Coded::code));
        self.spared.push(now.spared.into());
        self.acknowledged_at.push(row.duty.acknowledged_at.map(Timestamp::as_micros));
        self.overdue_at.push(row.duty.overdue_at.map(Timestamp::as_micros));
        self.unsent.push(now.unsent.into());
    }
}

/// Accounts of organs.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    pub organ: Vec<OrganRef>,
    pub receipt_head: Vec<i64>,
    pub open_deliveries: Vec<i64>,
}

/// Deliveries and attempts, as the outbox knows them, in the order of the deliveries.
#[derive(Debug, Default)]
pub(super) struct Attempts(BTreeMap<i64, i64>);

impl Attempts {
    /// The last attempt of a delivery stands for all before.
    pub fn put(&mut self, ready: &Ready) {
        let attempt = self.0.entry(bounded(ready.delivery.0)).or_default();
        *attempt = ready.attempt.max(u32::try_from(*attempt).unwrap_or(0)).into();
    }

    /// A delivery is left out.
    pub fn forget(&mut self, delivery: DeliveryId) {
        self.0.remove(&bounded(delivery.0));
    }

    /// Those of another too.
    pub fn absorb(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub fn columns(&self) -> (Vec<i64>, Vec<i64>) {
        self.0.iter().unzip()
    }
}
