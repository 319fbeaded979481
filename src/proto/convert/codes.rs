//! The closed lists of the contract, and back.

use super::super::v1;
use crate::domain::delivery::State;
use crate::domain::message::Urgency;
use crate::domain::receipt::{Cause, ReceiptKind};
use crate::domain::status::StatusCode;

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

pub(super) fn kind(kind: ReceiptKind) -> v1::ReceiptKind {
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

pub(super) fn cause(cause: Cause) -> v1::DeliveryCause {
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
