//! Changes as the contract writes them.

use bytes::Bytes;

use super::super::v1;
use super::{delivery_status, envelope, optional, state, timestamp};
use crate::domain::change::{Answer, ChangeKind, Effect};
use crate::domain::message::Hash;
use crate::domain::status::Request;
use crate::ledger::{About, Changed, Effected, Link, Message};

/// What a message does to earlier ones.
pub fn change_kind(kind: ChangeKind) -> v1::MessageKind {
    request(kind.request())
}

/// What is asked.
pub(super) fn request(request: Request) -> v1::MessageKind {
    match request {
        Request::Recall => v1::MessageKind::Recall,
        Request::Update => v1::MessageKind::Update,
        Request::Replacement => v1::MessageKind::Replacement,
    }
}

fn effect(effect: Effect) -> v1::ChangeEffect {
    match effect {
        Effect::Cancelled => v1::ChangeEffect::Cancelled,
        Effect::Asked => v1::ChangeEffect::Asked,
        Effect::Nothing => v1::ChangeEffect::Nothing,
    }
}

fn answer(answer: Answer) -> v1::ChangeAnswer {
    match answer {
        Answer::Agreed => v1::ChangeAnswer::Agreed,
        Answer::Refused => v1::ChangeAnswer::Refused,
        Answer::Lapsed => v1::ChangeAnswer::Lapsed,
    }
}

fn changed(effected: &Effected) -> v1::ChangedDelivery {
    v1::ChangedDelivery {
        message_id: effected.message_id.to_string(),
        delivery_id: effected.delivery.to_string(),
        recipient: effected.recipient.to_string(),
        addressed_to: optional(effected.addressed_to.as_ref()),
        effect: effect(effected.effect).into(),
        asked: request(effected.asked).into(),
        found_state: state(effected.state).into(),
        request_delivery_id: optional(effected.carrier.as_ref()),
        answer: v1::ChangeAnswer::Unspecified.into(),
    }
}

/// What a change did.
pub(super) fn outcome(outcome: &Changed) -> v1::ChangeOutcome {
    v1::ChangeOutcome {
        deliveries: outcome.effects.iter().map(changed).collect(),
        unknown_documents: outcome.unknown.clone(),
    }
}

/// What a delivery asks about.
pub(super) fn about(about: &About) -> v1::About {
    v1::About {
        message_id: about.message_id.to_string(),
        document_id: optional(about.document_id.as_ref()),
        delivery_id: about.delivery.to_string(),
        asked: request(about.asked).into(),
    }
}

/// One message of a chain of changes.
pub fn link(link: &Link) -> v1::LineageLink {
    let envelope = envelope(&link.record.message, link.record.payload_bytes);
    let answered = |(effected, given): &(Effected, Option<Answer>)| v1::ChangedDelivery {
        answer: given.map_or(v1::ChangeAnswer::Unspecified, answer).into(),
        ..changed(effected)
    };
    v1::LineageLink {
        kind: envelope.kind,
        message_id: envelope.message_id,
        document_id: envelope.header.map(|header| header.document_id).unwrap_or_default(),
        changes_message_ids: link.targets.iter().map(ToString::to_string).collect(),
        accept_time: Some(timestamp(link.record.message.accepted_at)),
        deliveries: link.record.deliveries.iter().map(delivery_status).collect(),
        changed: link.effects.iter().map(answered).collect(),
    }
}

/// What one is handed who is asked to give something back by a document that is for others: why, and nothing of that document.
pub fn notice(message: &Message) -> (v1::Envelope, Bytes) {
    let whole = envelope(message, 0);
    let change = whole.change.unwrap_or_default();
    let payload = Bytes::from(change.reason.clone());
    let envelope = v1::Envelope {
        kind: v1::MessageKind::Recall.into(),
        format: v1::PayloadFormat::Opaque.into(),
        media_type: "text/plain; charset=utf-8".to_owned(),
        payload_bytes: payload.len() as u64,
        payload_sha256: Hash::of(&payload).as_bytes().to_vec().into(),
        header: None,
        change: Some(v1::Change {
            kind: v1::MessageKind::Recall.into(),
            reason: change.reason,
            ..Default::default()
        }),
        ..whole
    };
    (envelope, payload)
}
