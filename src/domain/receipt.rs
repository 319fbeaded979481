//! Receipts: who asserted what about a message, when.

use super::delivery::DeliveryId;
use super::message::{Hash, MessageId};
use super::organ_id::OrganId;
use super::status::{Report, Request, Status};
use super::time::Timestamp;

/// The rung of a message's life a receipt is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReceiptKind {
    /// The gateway has the message on disk.
    Accepted,
    /// The addressed organ is closed; the delivery goes to the organ that took over.
    Redirected,
    /// Leased to a collector of the recipient.
    Offered,
    /// The attempt ended without an end; it is offered again.
    Deferred,
    /// End: the recipient has it.
    Delivered,
    /// End: the recipient refused it.
    Rejected,
    /// End: the deadline passed.
    Expired,
    /// End: taken back before it was fetched.
    Cancelled,
    /// Cannot go on by itself.
    Dead,
    /// A business status was reported of the delivery.
    Status,
    /// The recipient, who was handed the document, is asked to give it back or to take another in its place.
    Requested,
    /// What was asked has no answer any more: the document or the request ended without one.
    Lapsed,
    /// The payload was removed, a set time after the message's last delivery ended.
    Purged,
    /// An operator holds the message: its payload is not removed.
    Held,
    /// An operator ended a hold.
    Released,
    /// An operator sent a dead delivery on its way again.
    Replayed,
    /// It was not acknowledged on the working day it was to be.
    Overdue,
}

impl ReceiptKind {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Accepted,
        Self::Redirected,
        Self::Offered,
        Self::Deferred,
        Self::Delivered,
        Self::Rejected,
        Self::Expired,
        Self::Cancelled,
        Self::Dead,
        Self::Status,
        Self::Requested,
        Self::Lapsed,
        Self::Purged,
        Self::Held,
        Self::Released,
        Self::Replayed,
        Self::Overdue,
    ];

    /// The name used in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Redirected => "redirected",
            Self::Offered => "offered",
            Self::Deferred => "deferred",
            Self::Delivered => "delivered",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Dead => "dead",
            Self::Status => "status",
            Self::Requested => "requested",
            Self::Lapsed => "lapsed",
            Self::Purged => "purged",
            Self::Held => "held",
            Self::Released => "released",
            Self::Replayed => "replayed",
            Self::Overdue => "overdue",
        }
    }
}

/// Why a delivery was deferred, is dead or was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The recipient asked for a later attempt.
    RecipientDeferred,
    /// The collector did not settle within its lease.
    LeaseExpired,
    /// The collector's connection ended before it settled.
    Disconnected,
    /// The gateway restarted while the delivery was on a connection.
    GatewayRestarted,
    /// Offered as often as the policy allows.
    AttemptsExhausted,
    /// The recipient's own queue at the broker did not take it.
    QueueRefused,
    /// The recipient has closed and it is not known who took over.
    RecipientClosed,
    /// It was dead, and an operator gave it up.
    Discarded,
    /// The recipient's endpoint cannot be reached, or takes nothing now.
    PushUnreachable,
    /// The recipient's endpoint did not answer in time.
    PushTimedOut,
    /// The recipient's endpoint failed with the delivery.
    PushFailed,
    /// The recipient's endpoint will never take the delivery.
    PushRefused,
    /// The recipient's endpoint is not who it should be, or takes nothing from this gateway.
    PushLinkRefused,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::RecipientDeferred,
        Self::LeaseExpired,
        Self::Disconnected,
        Self::GatewayRestarted,
        Self::AttemptsExhausted,
        Self::QueueRefused,
        Self::RecipientClosed,
        Self::Discarded,
        Self::PushUnreachable,
        Self::PushTimedOut,
        Self::PushFailed,
        Self::PushRefused,
        Self::PushLinkRefused,
    ];
}

/// Who stands behind a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asserter {
    /// The gateway itself.
    Gateway,
    /// The organ whose certificate spoke.
    Organ(OrganId),
    /// The operator of the gateway of this name.
    Operator(String),
}

impl Asserter {
    /// The operator's name, where it is one.
    pub fn operator(&self) -> Option<&str> {
        match self {
            Self::Operator(name) => Some(name),
            Self::Gateway | Self::Organ(_) => None,
        }
    }
}

/// One entry of a message's evidence. Never changed once appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its number in the sender's log: 1, 2, 3, ... without a gap.
    pub sender_sequence: u64,
    /// Its number among those of its message: 1, 2, 3, ... without a gap.
    pub message_sequence: u32,
    /// What happened.
    pub kind: ReceiptKind,
    /// The sending organ.
    pub sender: OrganId,
    /// The sender's id for the message.
    pub message_id: MessageId,
    /// The value by which a repeated submission is known.
    pub content_hash: Hash,
    /// SHA-256 of the payload.
    pub payload_hash: Hash,
    /// When it happened, by the gateway's clock.
    pub time: Timestamp,
    /// Who asserts it.
    pub asserted_by: Asserter,
    /// The delivery it is about; none where it is about the whole message.
    pub delivery: Option<ReceiptDelivery>,
    /// Why, for deferred and dead, and where an operator cancelled it.
    pub cause: Option<Cause>,
    /// Words for people: the recipient's reason, the legal basis of a redirection, why a status came about.
    pub reason: String,
    /// For deferred: when it is offered again at the earliest.
    pub retry_time: Option<Timestamp>,
    /// For status: what was reported, beside the reason.
    pub status: Option<Box<Status>>,
    /// The change it comes from, asks for, or answers.
    pub change: Option<ReceiptChange>,
}

/// The change a receipt belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptChange {
    /// The sender's id for the message that makes it.
    pub message_id: MessageId,
    /// What it asks of this delivery's recipient, or would have.
    pub asked: Request,
}

impl Receipt {
    /// The report it records; none where it is about something else.
    pub fn report(&self) -> Option<Report> {
        let status = self.status.as_deref()?.clone();
        Some(Report { status, reason: self.reason.clone() })
    }
}

/// The delivery a receipt is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// The organ it is for.
    pub recipient: OrganId,
    /// The closed organ the sender wrote, where it was redirected.
    pub addressed_to: Option<OrganId>,
    /// The delivery whose place it took when that one's recipient closed.
    pub replaces: Option<DeliveryId>,
    /// The attempt; 0 where the entry is about none.
    pub attempt: u32,
}
