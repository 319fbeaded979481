//! Changes: messages by which a sender takes back, updates or replaces what it has sent. [`plan`] decides what one does to each delivery of
//! the earlier messages and who is told; the ledger performs it, whole, with the acceptance of the message.

use super::delivery::{DeliveryId, Progress, State};
use super::message::MessageId;
use super::organ_id::OrganId;
use super::status::{Request, StatusCode};

mod plan;

pub use plan::{Found, NotPlanned, Plan, plan};

/// What a message does to earlier ones of the same sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// Thu hồi: it takes them back.
    Recall,
    /// Cập nhật: it is a newer form of one, with other recipients perhaps.
    Update,
    /// Thay thế: it takes the place of one or several.
    Replacement,
}

impl ChangeKind {
    /// What is asked of a recipient who has the earlier message and gets this one.
    pub fn request(self) -> Request {
        match self {
            Self::Recall => Request::Recall,
            Self::Update => Request::Update,
            Self::Replacement => Request::Replacement,
        }
    }
}

/// An earlier message as its sender names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DocumentRef {
    /// By its message id.
    Message(MessageId),
    /// By the id the sender's system gives the document; all messages of it are meant.
    Document(String),
}

impl DocumentRef {
    /// The id, whichever it is.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Message(id) => id.as_str(),
            Self::Document(id) => id,
        }
    }
}

/// An earlier message that is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which.
    pub document: DocumentRef,
    /// For whom; nobody named means for all who were sent it.
    pub recipients: Vec<OrganId>,
}

/// What a message changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it does.
    pub kind: ChangeKind,
    /// Why, in the sender's words.
    pub reason: String,
    /// The earlier messages.
    pub targets: Vec<Target>,
    /// Recipients an update takes the document away from.
    pub removed: Vec<OrganId>,
    /// Whether it is refused where a target is not known. A file that is its own statement travels all the same.
    pub known_only: bool,
    /// The organ whose certificate spoke.
    pub by: OrganId,
}

/// What a change does to one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It ends as cancelled: its recipient cannot know of it.
    Cancelled,
    /// Its recipient has been handed it, and is asked.
    Asked,
    /// Nothing: it ended otherwise, or was given back before.
    Nothing,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The recipient agreed (15).
    Agreed,
    /// The recipient refused (16).
    Refused,
    /// The recipient refused the document itself (02), or what the request was about or came by ended without it.
    Lapsed,
}

/// What a change does to a delivery that stands so. Pure; the caller has looked that no request is open.
pub fn effect(progress: &Progress, status: Option<StatusCode>) -> Effect {
    let is_over = matches!(status, Some(StatusCode::Refused | StatusCode::ChangeAgreed));
    match progress.state {
        State::Rejected | State::Expired | State::Cancelled | State::Redirected => Effect::Nothing,
        _ if is_over => Effect::Nothing,
        _ if !progress.may_be_known() => Effect::Cancelled,
        State::Queued | State::InFlight | State::Waiting | State::Delivered | State::Dead => Effect::Asked,
    }
}

/// A request that is open on a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRequest {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its recipient.
    pub recipient: OrganId,
    /// The message that asks.
    pub by: MessageId,
}

#[cfg(test)]
mod tests;
