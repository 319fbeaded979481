//! The domain's values as the contract writes them, and back.

use std::time::Duration;

use prost::Message as _;

use super::v1;
use crate::domain::delivery::Lease;
use crate::domain::organ_id::OrganId;
use crate::domain::time::Timestamp;
use crate::ledger::{DeliveryRecord, Message, MessageRecord, Stepped};

mod changes;
mod codes;
mod operations;
mod receipts;
mod refusals;

pub use changes::{change_kind, link, notice};
pub use codes::{cause_of, state, status_code, status_code_of, urgency, urgency_of};
pub use operations::{dead_letter, dead_letter_result, hold, outage, push_link};
pub use receipts::{acceptance, receipt, reported};
pub use refusals::{ERROR_DOMAIN, ERROR_PAGES, reason_of, refusal, status};

/// A time.
pub fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    let micros = time.as_micros();
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: (micros.rem_euclid(1_000_000) * 1_000) as i32,
    }
}

/// A time given by a caller; none when it is not one.
pub fn time_of(time: &prost_types::Timestamp) -> Option<Timestamp> {
    let nanos = i64::from(time.nanos);
    if !(0..1_000_000_000).contains(&nanos) {
        return None;
    }
    time.seconds.checked_mul(1_000_000)?.checked_add(nanos / 1_000).map(Timestamp::from_micros)
}

/// A duration given by a caller; none when it is negative or not one.
pub fn duration_of(duration: &prost_types::Duration) -> Option<Duration> {
    (*duration).try_into().ok()
}

/// The envelope of a message: what was kept of it by [`kept_header`], and what the ledger knows.
pub fn envelope(message: &Message, payload_bytes: u64) -> v1::Envelope {
    // Written by kept_header, so it decodes; were it not so, the rest of the envelope is still true.
    let kept = v1::Envelope::decode(message.header.clone()).unwrap_or_default();
    v1::Envelope {
        message_id: message.message_id.to_string(),
        sender: message.sender.to_string(),
        payload_bytes,
        payload_sha256: message.payload_hash.as_bytes().to_vec().into(),
        accept_time: Some(timestamp(message.accepted_at)),
        expire_time: Some(timestamp(message.expires_at)),
        ..kept
    }
}

/// The envelope of a message as the ledger has it now.
pub fn kept_envelope(record: &MessageRecord) -> v1::Envelope {
    let purge_time = record.purged_at.map(timestamp);
    v1::Envelope { purge_time, ..envelope(&record.message, record.payload_bytes) }
}

/// What the ledger keeps of an envelope as an opaque header: the fields it has no columns for.
pub fn kept_header(
    header: Option<v1::DocumentHeader>,
    format: v1::PayloadFormat,
    media_type: String,
    change: Option<v1::Change>,
) -> bytes::Bytes {
    let kept = v1::Envelope {
        kind: change.as_ref().map_or(v1::MessageKind::Document, v1::Change::kind).into(),
        format: format.into(),
        media_type,
        header,
        change,
        ..Default::default()
    };
    kept.encode_to_vec().into()
}

/// A delivery that was offered, and its message.
pub fn delivery(stepped: &Stepped, message: &Message) -> v1::Delivery {
    let (envelope, payload) = match stepped.is_notice {
        true => notice(message),
        false => (envelope(message, message.payload.len() as u64), message.payload.clone()),
    };
    v1::Delivery {
        delivery_id: stepped.delivery.to_string(),
        lease: Lease(stepped.progress.attempt).to_string(),
        attempt: stepped.progress.attempt,
        recipient: stepped.recipient.to_string(),
        addressed_to: optional(stepped.addressed_to.as_ref()),
        lease_expire_time: stepped.progress.due_at.map(timestamp),
        envelope: Some(envelope),
        payload,
        about: stepped.about.iter().map(changes::about).collect(),
        acknowledge_due_time: Some(timestamp(stepped.duty.acknowledge_by)),
        overdue_time: stepped.duty.overdue_at.map(timestamp),
    }
}

/// Where a delivery stands.
pub fn delivery_status(record: &DeliveryRecord) -> v1::DeliveryStatus {
    v1::DeliveryStatus {
        delivery_id: record.id.to_string(),
        recipient: record.recipient.to_string(),
        addressed_to: optional(record.addressed_to.as_ref()),
        state: state(record.progress.state).into(),
        attempts: record.progress.attempt,
        due_time: record.progress.due_at.map(timestamp),
        status: record.status.map_or(v1::BusinessStatus::Unspecified, status_code).into(),
        request: record.request.map_or(v1::MessageKind::Unspecified, changes::request).into(),
        push_outage: None,
        acknowledge_due_time: Some(timestamp(record.duty.acknowledge_by)),
        acknowledge_time: record.duty.acknowledged_at.map(timestamp),
        overdue_time: record.duty.overdue_at.map(timestamp),
    }
}

/// A delivery that is overdue, and its message.
pub fn overdue(record: &MessageRecord) -> v1::OverdueDelivery {
    v1::OverdueDelivery {
        envelope: Some(envelope(&record.message, record.payload_bytes)),
        delivery: record.deliveries.first().map(delivery_status),
    }
}

/// A notice of what is overdue.
pub fn overdue_notice(
    organ: &OrganId,
    day_end: Timestamp,
    deliveries: &[MessageRecord],
) -> v1::OverdueNotice {
    v1::OverdueNotice {
        organ: organ.to_string(),
        day_end_time: Some(timestamp(day_end)),
        deliveries: deliveries.iter().map(overdue).collect(),
    }
}

/// The text of something that may not be there; empty when it is not.
pub fn optional(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_way_there_and_back() {
        for micros in [0, 1, 1_700_000_000_123_456, -5] {
            let time = Timestamp::from_micros(micros);
            assert_eq!(time_of(&timestamp(time)), Some(time));
        }
        assert_eq!(time_of(&prost_types::Timestamp { seconds: 1, nanos: -1 }), None);
        assert_eq!(time_of(&prost_types::Timestamp { seconds: i64::MAX, nanos: 0 }), None);
    }
}
