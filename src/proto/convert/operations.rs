//! What operators and owners of endpoints look at, as the contract writes it.

use super::super::v1;
use super::codes::cause;
use super::{delivery_status, refusal, state, timestamp};
use crate::domain::delivery::State;
use crate::domain::link::{LinkRecord, Outage, Server};
use crate::domain::refusal::Refusal;
use crate::domain::retention::Held;
use crate::ledger::{DeadLetter, Hold};

/// How the endpoint of a link does.
pub fn outage(outage: &Outage) -> v1::PushOutage {
    v1::PushOutage {
        since_time: Some(timestamp(outage.since)),
        failures: outage.failures,
        cause: cause(outage.cause).into(),
        reason: outage.reason.clone(),
        next_attempt_time: Some(timestamp(outage.retry_at)),
    }
}

/// A push link, and the last receipt its endpoint has taken.
pub fn push_link(record: &LinkRecord, receipts_taken: u64) -> v1::PushLink {
    let LinkRecord { link, outage: out } = record;
    v1::PushLink {
        organ: link.organ.to_string(),
        endpoint: link.endpoint.clone(),
        server: Some(match &link.server {
            Server::Organ(organ) => v1::push_link::Server::ServerOrgan(organ.to_string()),
            Server::Certificate(hash) => v1::push_link::Server::ServerSha256(hash.as_bytes().to_vec().into()),
        }),
        max_in_flight: link.window,
        timeout: link.timeout.try_into().ok(),
        push_receipts: link.receipts,
        paused: !link.enabled,
        set_time: Some(timestamp(link.set_at)),
        set_by: link.set_by.clone(),
        outage: out.as_ref().map(outage),
        receipts_taken,
    }
}

/// A dead letter.
pub fn dead_letter(letter: &DeadLetter) -> v1::DeadLetter {
    v1::DeadLetter {
        delivery: Some(delivery_status(&letter.delivery)),
        sender: letter.sender.to_string(),
        message_id: letter.message_id.to_string(),
        payload_bytes: letter.payload_bytes,
        accept_time: Some(timestamp(letter.accepted_at)),
        dead_time: Some(timestamp(letter.dead_since)),
        cause: letter.cause.map_or(v1::DeliveryCause::Unspecified, cause).into(),
        reason: letter.reason.clone(),
    }
}

/// What became of a dead letter.
pub fn dead_letter_result(delivery_id: String, decided: &Result<State, Refusal>) -> v1::DeadLetterResult {
    v1::DeadLetterResult {
        delivery_id,
        state: decided.as_ref().map_or(v1::DeliveryState::Unspecified, |now| state(*now)).into(),
        refusal: decided.as_ref().err().map(refusal),
    }
}

/// A hold.
pub fn hold(hold: &Hold) -> v1::Hold {
    let held = match &hold.held {
        Held::Organ(organ) => v1::hold::Held::Organ(organ.to_string()),
        Held::Message { sender, message_id } => v1::hold::Held::Message(v1::HeldMessage {
            sender: sender.to_string(),
            message_id: message_id.to_string(),
        }),
    };
    let released = hold.released.as_ref();
    v1::Hold {
        hold_id: hold.id.to_string(),
        held: Some(held),
        set_by: hold.set.by.clone(),
        set_time: Some(timestamp(hold.set.at)),
        reason: hold.set.reason.clone(),
        released_by: released.map(|released| released.by.clone()).unwrap_or_default(),
        release_time: released.map(|released| timestamp(released.at)),
        release_reason: released.map(|released| released.reason.clone()).unwrap_or_default(),
    }
}
