//! What the ledger tells of messages, deliveries and mailboxes when it is asked.

use std::sync::Arc;

use bytes::Bytes;

use super::Message;
use crate::domain::delivery::{DeliveryId, Progress, State};
use crate::domain::duty::Duty;
use crate::domain::message::MessageId;
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::Receipt;
use crate::domain::status::{Request, StatusCode};
use crate::domain::time::Timestamp;

/// The ledger's own number for a message. Rises in the order of acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey(pub u64);

/// A message and the ledger's number for it.
pub type KeyedMessage = (MessageKey, Arc<Message>);

/// Where one delivery stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// Its id.
    pub id: DeliveryId,
    /// The organ it is for.
    pub recipient: OrganId,
    /// The closed organ the sender wrote.
    pub addressed_to: Option<OrganId>,
    /// Its progress.
    pub progress: Progress,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Where it stands in its recipient's business; none while nothing was reported.
    pub status: Option<StatusCode>,
    /// What its recipient is asked, and has not answered.
    pub request: Option<Request>,
    /// True where it is for nothing but a request about an earlier delivery: its message is for others.
    pub is_notice: bool,
    /// Until when it is to be acknowledged, and whether it was.
    pub duty: Duty,
}

/// A message without its payload, and where its deliveries stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRecord {
    /// The ledger's number for it.
    pub key: MessageKey,
    /// The message; its payload is empty here.
    pub message: Message,
    /// How long the payload is, or was.
    pub payload_bytes: u64,
    /// When the payload was removed; none while it is kept.
    pub purged_at: Option<Timestamp>,
    /// Its deliveries, in the order of the addressees. In a list of what an organ received: that organ's only.
    pub deliveries: Vec<DeliveryRecord>,
}

/// A message as it stands, and its receipts in order.
pub type Story = (MessageRecord, Vec<Receipt>);

/// The sender of a delivery, its id for the message, and the recipient.
pub type Between = (OrganId, MessageId, OrganId);

/// The file a report of business status came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusFile {
    /// The file.
    Kept(Bytes),
    /// It was removed with its message's payload.
    Purged,
}

/// How much is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Open deliveries by state.
    pub open: Vec<(State, u64)>,
    /// When the oldest message with an open delivery was accepted.
    pub oldest_open: Option<Timestamp>,
    /// When the newest message was accepted.
    pub newest: Option<Timestamp>,
    /// Open deliveries that were noted as overdue and are still not acknowledged.
    pub overdue: u64,
}

/// How much of one mailbox is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxTally {
    /// Whose.
    pub organ: OrganId,
    /// Ready to be offered.
    pub ready: u64,
    /// Held by somebody.
    pub in_flight: u64,
    /// Waiting for another attempt.
    pub waiting: u64,
    /// Those that cannot go on by themselves.
    pub dead: u64,
    /// Those that were noted as overdue and are still not acknowledged.
    pub overdue: u64,
    /// When the message of the oldest open delivery was accepted.
    pub oldest: Option<Timestamp>,
}
