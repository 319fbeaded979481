//! Steps of deliveries, what is answered, and what is ready for one.

use super::{About, MessageKey};
use crate::domain::delivery::{DeliveryId, Event, Progress, State, StepRefused};
use crate::domain::duty::Duty;
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::Asserter;
use crate::domain::time::Timestamp;

/// Something that happens to one delivery.
#[derive(Clone, Debug)]
pub struct StepRequest {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The recipient on whose behalf it happens: a delivery of another one is [`StepError::NotFound`]. None when the
    /// gateway itself acts.
    pub recipient: Option<OrganId>,
    /// What happens.
    pub event: Event,
    /// When.
    pub at: Timestamp,
    /// Who stands behind it.
    pub by: Asserter,
}

/// A delivery after a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stepped {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The message it carries.
    pub message: MessageKey,
    /// The organ it is for.
    pub recipient: OrganId,
    /// The closed organ the sender wrote.
    pub addressed_to: Option<OrganId>,
    /// Where it stands now.
    pub progress: Progress,
    /// What it asks its recipient about, where its message is a change.
    pub about: Vec<About>,
    /// True where it is for nothing but that: the message itself is for others.
    pub is_notice: bool,
    /// Until when it is to be acknowledged, and whether it was.
    pub duty: Duty,
}

/// Why one step was not taken; nothing of it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// The recipient has no such delivery.
    #[error("no such delivery")]
    NotFound,
    /// The state machine says no.
    #[error(transparent)]
    Refused(#[from] StepRefused),
}

/// Answers of one batch of steps, in its order.
pub type StepAnswers = Vec<Result<Stepped, StepError>>;

/// A delivery ready to be offered: all a broker needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The message it carries.
    pub message: MessageKey,
    /// How many bytes its payload has.
    pub payload_bytes: u64,
    /// How often it was offered before.
    pub attempt: u32,
}

/// An open delivery that nobody holds.
pub type Unheld = (DeliveryId, State);
