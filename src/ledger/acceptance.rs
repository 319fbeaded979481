//! Messages to be accepted, and what is answered.

use std::sync::Arc;

use bytes::Bytes;

use super::Changed;
use crate::domain::change::{Change, DocumentRef, NotPlanned};
use crate::domain::delivery::DeliveryId;
use crate::domain::message::{Hash, Lane, MessageId};
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::Receipt;
use crate::domain::time::Timestamp;

/// A message as it is kept. Immutable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The sending organ.
    pub sender: OrganId,
    /// The sender's id for it.
    pub message_id: MessageId,
    /// By which a repeated submission is known.
    pub content_hash: Hash,
    /// SHA-256 of the payload.
    pub payload_hash: Hash,
    /// The header in the contract's encoding; the ledger does not look into it.
    pub header: Bytes,
    /// The payload.
    pub payload: Bytes,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When its open deliveries expire.
    pub expires_at: Timestamp,
}

/// One recipient of a message to be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressee {
    /// The organ it goes to.
    pub recipient: OrganId,
    /// The closed organ the sender wrote and the legal basis of the redirection.
    pub redirected: Option<(OrganId, String)>,
    /// Most open deliveries of it, where that is less than for all.
    pub mailbox_max: Option<u64>,
}

/// A message to be accepted.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// The message.
    pub message: Arc<Message>,
    /// The lane its deliveries travel in.
    pub lane: Lane,
    /// Who it goes to.
    pub addressees: Vec<Addressee>,
    /// Until when its recipients are to acknowledge it.
    pub acknowledge_by: Timestamp,
    /// The id the sender's system gives the document, by which edXML refers to it.
    pub document_id: Option<String>,
    /// What it does to earlier messages of its sender.
    pub change: Option<Box<Change>>,
}

/// A message that was accepted, now or before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The receipt of its acceptance.
    pub receipt: Receipt,
    /// Its deliveries, in the order of the addressees; for a change without those who need not be told, and with those who are asked beside.
    pub deliveries: Vec<AcceptedDelivery>,
    /// What it did to earlier messages, where it is a change.
    pub changed: Option<Box<Changed>>,
    /// True when it had been accepted before.
    pub repeated: bool,
}

/// One delivery of an accepted message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// The organ it goes to.
    pub recipient: OrganId,
    /// The closed organ the sender wrote.
    pub addressed_to: Option<OrganId>,
}

/// Why one acceptance was refused; nothing of it was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcceptRefused {
    /// The id was used for other content.
    #[error("message id {message_id} of {sender} was used for other content")]
    Conflict {
        /// The sender.
        sender: OrganId,
        /// The id.
        message_id: MessageId,
        /// The content it stands for.
        accepted: Hash,
    },
    /// A recipient has as many open deliveries as it may.
    #[error("the mailbox of {organ} is full: {open} open deliveries")]
    MailboxFull {
        /// The recipient.
        organ: OrganId,
        /// How many it has.
        open: u64,
    },
    /// The sender has sent no such message, and the change is of none that is not known.
    #[error("no message {:?} to change", .0.as_str())]
    TargetUnknown(DocumentRef),
    /// What it would change cannot be changed so.
    #[error(transparent)]
    NotPossible(NotPlanned),
}

/// Answers of one batch of acceptances, in its order.
pub type AcceptAnswers = Vec<Result<Accepted, AcceptRefused>>;
