//! The domain's values as the contract writes them, and back.

use std::time::Duration;

use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::v1;
use crate::domain::delivery::{Lease, State};
use crate::domain::link::{LinkRecord, Outage, Server};
use crate::domain::message::Urgency;
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::{Asserter, Cause, Receipt, ReceiptKind};
use crate::domain::refusal::{Class, Reason, Refusal};
use crate::domain::retention::Held;
use crate::domain::status::{Staff, StatusCode};
use crate::domain::time::Timestamp;
use crate::ledger::{Accepted, DeadLetter, DeliveryRecord, Hold, Message, MessageRecord, Reported, Stepped};

mod changes;

pub use changes::{change_kind, link, notice};

/// The domain of [`tonic_types::ErrorInfo`] in every error.
pub const ERROR_DOMAIN: &str = "truc";
/// Where the pages of the reasons are, relative to the project.
pub const ERROR_PAGES: &str = "docs/errors";

/// A refusal as a gRPC status with its details.
pub fn status(refusal: &Refusal) -> Status {
    let code = match refusal.reason().class() {
        Class::Invalid => Code::InvalidArgument,
        Class::TooLarge => Code::OutOfRange,
        Class::Unauthenticated => Code::Unauthenticated,
        Class::Denied => Code::PermissionDenied,
        Class::NotFound => Code::NotFound,
        Class::Conflict => Code::AlreadyExists,
        Class::Precondition => Code::FailedPrecondition,
        Class::Aborted => Code::Aborted,
        Class::Exhausted => Code::ResourceExhausted,
        Class::Unavailable => Code::Unavailable,
        Class::Internal => Code::Internal,
    };
    let reason = refusal.reason().as_str();
    let mut facts: std::collections::HashMap<String, String> =
        refusal.metadata().iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    if !refusal.hint_text().is_empty() {
        facts.insert("hint".to_owned(), refusal.hint_text().to_owned());
    }
    let mut details = ErrorDetails::new();
    details.set_error_info(reason, ERROR_DOMAIN, facts);
    if !refusal.field_path().is_empty() {
        details.add_bad_request_violation(refusal.field_path(), refusal.message());
    }
    if let Some(delay) = refusal.retry_delay() {
        details.set_retry_info(Some(delay));
    }
    details.add_help_link("What it means and what to do", format!("{ERROR_PAGES}/{reason}.md"));
    Status::with_error_details(code, refusal.message(), details)
}

/// A refusal where a status cannot stand.
pub fn refusal(refusal: &Refusal) -> v1::Refusal {
    let reason = format!("ERROR_REASON_{}", refusal.reason().as_str());
    v1::Refusal {
        reason: v1::ErrorReason::from_str_name(&reason).unwrap_or_default().into(),
        message: refusal.message().to_owned(),
        field: refusal.field_path().to_owned(),
        hint: refusal.hint_text().to_owned(),
        metadata: refusal.metadata().iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        retry_delay: refusal.retry_delay().and_then(|delay| delay.try_into().ok()),
    }
}

/// The reason of a refusal in the contract's form.
pub fn reason_of(refusal: &v1::Refusal) -> Option<Reason> {
    let name = refusal.reason().as_str_name().strip_prefix("ERROR_REASON_")?;
    Reason::ALL.iter().copied().find(|reason| reason.as_str() == name)
}

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

/// An urgency.
pub fn urgency(urgency: Urgency) -> v1::Urgency {
    match urgency {
        Urgency::Normal => v1::Urgency::Normal,
        Urgency::Urgent => v1::Urgency::Urgent,
        Urgency::VeryUrgent => v1::Urgency::VeryUrgent,
        Urgency::Express => v1::Urgency::Express,
        Urgency::TimedExpress => v1::Urgency::TimedExpress,
    }
}

/// An urgency given by a caller; none when the number is none of the contract's.
pub fn urgency_of(number: i32) -> Option<Urgency> {
    Some(match v1::Urgency::try_from(number).ok()? {
        v1::Urgency::Unspecified | v1::Urgency::Normal => Urgency::Normal,
        v1::Urgency::Urgent => Urgency::Urgent,
        v1::Urgency::VeryUrgent => Urgency::VeryUrgent,
        v1::Urgency::Express => Urgency::Express,
        v1::Urgency::TimedExpress => Urgency::TimedExpress,
    })
}

/// A transport state.
pub fn state(state: State) -> v1::DeliveryState {
    match state {
        State::Queued => v1::DeliveryState::Queued,
        State::InFlight => v1::DeliveryState::InFlight,
        State::Waiting => v1::DeliveryState::Waiting,
        State::Delivered => v1::DeliveryState::Delivered,
        State::Rejected => v1::DeliveryState::Rejected,
        State::Expired => v1::DeliveryState::Expired,
        State::Cancelled => v1::DeliveryState::Cancelled,
        State::Dead => v1::DeliveryState::Dead,
        State::Redirected => v1::DeliveryState::Redirected,
    }
}

fn kind(kind: ReceiptKind) -> v1::ReceiptKind {
    match kind {
        ReceiptKind::Accepted => v1::ReceiptKind::Accepted,
        ReceiptKind::Redirected => v1::ReceiptKind::Redirected,
        ReceiptKind::Offered => v1::ReceiptKind::Offered,
        ReceiptKind::Deferred => v1::ReceiptKind::Deferred,
        ReceiptKind::Delivered => v1::ReceiptKind::Delivered,
        ReceiptKind::Rejected => v1::ReceiptKind::Rejected,
        ReceiptKind::Expired => v1::ReceiptKind::Expired,
        ReceiptKind::Cancelled => v1::ReceiptKind::Cancelled,
        ReceiptKind::Dead => v1::ReceiptKind::Dead,
        ReceiptKind::Status => v1::ReceiptKind::Status,
        ReceiptKind::Requested => v1::ReceiptKind::Requested,
        ReceiptKind::Lapsed => v1::ReceiptKind::Lapsed,
        ReceiptKind::Purged => v1::ReceiptKind::Purged,
        ReceiptKind::Held => v1::ReceiptKind::Held,
        ReceiptKind::Released => v1::ReceiptKind::Released,
        ReceiptKind::Replayed => v1::ReceiptKind::Replayed,
        ReceiptKind::Overdue => v1::ReceiptKind::Overdue,
    }
}

fn cause(cause: Cause) -> v1::DeliveryCause {
    match cause {
        Cause::RecipientDeferred => v1::DeliveryCause::RecipientDeferred,
        Cause::LeaseExpired => v1::DeliveryCause::LeaseExpired,
        Cause::Disconnected => v1::DeliveryCause::Disconnected,
        Cause::GatewayRestarted => v1::DeliveryCause::GatewayRestarted,
        Cause::AttemptsExhausted => v1::DeliveryCause::AttemptsExhausted,
        Cause::QueueRefused => v1::DeliveryCause::QueueRefused,
        Cause::RecipientClosed => v1::DeliveryCause::RecipientClosed,
        Cause::Discarded => v1::DeliveryCause::Discarded,
        Cause::PushUnreachable => v1::DeliveryCause::PushUnreachable,
        Cause::PushTimedOut => v1::DeliveryCause::PushTimedOut,
        Cause::PushFailed => v1::DeliveryCause::PushFailed,
        Cause::PushRefused => v1::DeliveryCause::PushRefused,
        Cause::PushLinkRefused => v1::DeliveryCause::PushLinkRefused,
    }
}

/// A cause given by a caller; none when the number is none of the contract's.
pub fn cause_of(number: i32) -> Option<Cause> {
    let asked = v1::DeliveryCause::try_from(number).ok()?;
    Cause::ALL.into_iter().find(|known| cause(*known) == asked)
}

/// A business status.
pub fn status_code(code: StatusCode) -> v1::BusinessStatus {
    match code {
        StatusCode::Arrived => v1::BusinessStatus::Arrived,
        StatusCode::Refused => v1::BusinessStatus::Refused,
        StatusCode::Accepted => v1::BusinessStatus::Accepted,
        StatusCode::Assigned => v1::BusinessStatus::Assigned,
        StatusCode::InProcess => v1::BusinessStatus::InProcess,
        StatusCode::Done => v1::BusinessStatus::Done,
        StatusCode::RecallAsked => v1::BusinessStatus::RecallAsked,
        StatusCode::ChangeAgreed => v1::BusinessStatus::ChangeAgreed,
        StatusCode::ChangeRefused => v1::BusinessStatus::ChangeRefused,
    }
}

/// A business status given by a caller; none where it is unspecified.
pub fn status_code_of(status: v1::BusinessStatus) -> Option<StatusCode> {
    u8::try_from(i32::from(status)).ok().and_then(StatusCode::from_number)
}

fn staff(staff: &Staff) -> Option<v1::Staff> {
    (*staff != Staff::default()).then(|| v1::Staff {
        department: staff.department.clone(),
        department_id: staff.department_id.clone(),
        name: staff.name.clone(),
        staff_id: staff.id.clone(),
        email: staff.email.clone(),
        mobile: staff.mobile.clone(),
    })
}

/// A receipt.
pub fn receipt(receipt: &Receipt) -> v1::Receipt {
    let delivery = receipt.delivery.as_ref();
    v1::Receipt {
        sender_sequence: receipt.sender_sequence,
        message_sequence: receipt.message_sequence,
        kind: kind(receipt.kind).into(),
        sender: receipt.sender.to_string(),
        message_id: receipt.message_id.to_string(),
        content_sha256: receipt.content_hash.as_bytes().to_vec().into(),
        payload_sha256: receipt.payload_hash.as_bytes().to_vec().into(),
        time: Some(timestamp(receipt.time)),
        asserted_by: match &receipt.asserted_by {
            Asserter::Gateway => "gateway".to_owned(),
            Asserter::Organ(organ) => organ.to_string(),
            Asserter::Operator(name) => format!("operator:{name}"),
        },
        recipient: delivery.map(|d| d.recipient.to_string()).unwrap_or_default(),
        addressed_to: optional(delivery.and_then(|d| d.addressed_to.as_ref())),
        delivery_id: optional(delivery.map(|d| &d.id)),
        attempt: delivery.map_or(0, |d| d.attempt),
        cause: receipt.cause.map_or(v1::DeliveryCause::Unspecified, cause).into(),
        reason: receipt.reason.clone(),
        retry_time: receipt.retry_time.map(timestamp),
        status: receipt
            .status
            .as_ref()
            .map_or(v1::BusinessStatus::Unspecified, |s| status_code(s.code))
            .into(),
        status_time: receipt.status.as_ref().and_then(|status| status.stated_at).map(timestamp),
        staff: receipt.status.as_ref().and_then(|status| staff(&status.staff)),
        replaces_delivery_id: optional(delivery.and_then(|d| d.replaces.as_ref())),
        change_message_id: optional(receipt.change.as_ref().map(|change| &change.message_id)),
        asked: receipt
            .change
            .as_ref()
            .map_or(v1::MessageKind::Unspecified, |c| changes::request(c.asked))
            .into(),
    }
}

/// An acceptance.
pub fn acceptance(accepted: &Accepted) -> v1::Acceptance {
    v1::Acceptance {
        receipt: Some(receipt(&accepted.receipt)),
        deliveries: accepted
            .deliveries
            .iter()
            .map(|d| v1::AcceptedDelivery {
                delivery_id: d.id.to_string(),
                recipient: d.recipient.to_string(),
                addressed_to: optional(d.addressed_to.as_ref()),
            })
            .collect(),
        repeated_submission: accepted.repeated,
        changed: accepted.changed.as_deref().map(changes::outcome),
    }
}

/// The acceptance of a report that came as a file.
pub fn reported(reported: &Reported) -> v1::Acceptance {
    let delivery = reported.receipt.delivery.iter().map(|d| v1::AcceptedDelivery {
        delivery_id: d.id.to_string(),
        recipient: d.recipient.to_string(),
        addressed_to: optional(d.addressed_to.as_ref()),
    });
    v1::Acceptance {
        receipt: Some(receipt(&reported.receipt)),
        deliveries: delivery.collect(),
        repeated_submission: reported.repeated,
        changed: None,
    }
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
    fn every_reason_is_in_the_contract() {
        for reason in Reason::ALL {
            let sent = refusal(&Refusal::new(*reason, "m"));
            assert_eq!(reason_of(&sent), Some(*reason));
        }
    }

    #[test]
    fn a_status_carries_all_that_is_known() {
        let refusal = Refusal::new(Reason::UnknownRecipient, "no such organ")
            .field("submission.document.header.recipients[1]")
            .hint("ask")
            .fact("near_matches", "H49")
            .retry_after(Duration::from_secs(3));
        let status = status(&refusal);
        assert_eq!(status.code(), Code::NotFound);
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("UNKNOWN_RECIPIENT", "truc"));
        assert_eq!(info.metadata["near_matches"], "H49");
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_secs(3)));
        assert_eq!(
            details.bad_request().unwrap().field_violations[0].field,
            "submission.document.header.recipients[1]"
        );
    }

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
