//! What a change does to all that it is about, decided as a whole before anything is written.

use super::{Change, ChangeKind, Effect, OpenRequest, effect};
use crate::domain::delivery::{DeliveryId, Progress, State};
use crate::domain::message::MessageId;
use crate::domain::organ_id::OrganId;
use crate::domain::status::{Request, StatusCode};

/// A delivery of an earlier message, as a change finds it.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its id.
    pub delivery: DeliveryId,
    /// The place of its target in the change.
    pub target: usize,
    /// The organ it is for.
    pub recipient: OrganId,
    /// The closed organ the sender wrote.
    pub addressed_to: Option<OrganId>,
    /// Where its transport stands.
    pub progress: Progress,
    /// Where it stands in its recipient's business.
    pub status: Option<StatusCode>,
    /// The message whose request is open on it.
    pub asked_by: Option<MessageId>,
    /// The update or replacement that took its place before it was offered.
    pub superseded_by: Option<MessageId>,
}

impl Found {
    /// Whether an organ the sender names is meant by it.
    fn is_for(&self, organ: &OrganId) -> bool {
        self.recipient == *organ || self.addressed_to.as_ref() == Some(organ)
    }

    fn is_open_request(&self) -> Option<OpenRequest> {
        let by = self.asked_by.clone()?;
        Some(OpenRequest { delivery: self.delivery, recipient: self.recipient.clone(), by })
    }
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What happens to which of the deliveries found, and what is asked where something is.
    pub effects: Vec<(usize, Request, Effect)>,
    /// The addressees who get the message.
    pub addressed: Vec<usize>,
    /// Of the deliveries found, one for each recipient who is asked and is no addressee: it gets a notice.
    pub notices: Vec<usize>,
}

/// Why a change cannot be; nothing of it is done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPlanned {
    /// Something is asked already.
    #[error("{} asks {} about delivery {}, and is not answered", .0.by, .0.recipient, .0.delivery)]
    Asked(OpenRequest),
    /// Another change was first.
    #[error("{by} has taken the place of delivery {delivery} to {recipient}")]
    Superseded {
        /// The delivery.
        delivery: DeliveryId,
        /// Its recipient.
        recipient: OrganId,
        /// The message that was first.
        by: MessageId,
    },
    /// There is nothing left to take back.
    #[error("there is nothing to take back: {}", listed(.0))]
    NothingLeft(Vec<(OrganId, State)>),
}

fn listed(states: &[(OrganId, State)]) -> String {
    match states {
        [] => "no such recipient".to_owned(),
        states => {
            states.iter().map(|(o, state)| format!("{o} {}", state.as_str())).collect::<Vec<_>>().join(", ")
        }
    }
}

/// Decides what a change does. `addressees` are who the message goes to, each with the closed organ the sender wrote; `found` the deliveries
/// of its targets, in the order of their ids.
pub fn plan(
    change: &Change,
    addressees: &[(&OrganId, Option<&OrganId>)],
    found: &[Found],
) -> Result<Plan, NotPlanned> {
    let addressee_of = |delivery: &Found| {
        addressees.iter().position(|(organ, written)| {
            delivery.is_for(organ) || written.is_some_and(|w| delivery.is_for(w))
        })
    };
    let is_removed = |organ: &OrganId| change.removed.contains(organ);
    let mut plan = Plan::default();
    let mut asked: Vec<(usize, &OrganId)> = Vec::new();
    let mut left: Vec<(OrganId, State)> = Vec::new();
    // The newest first: of several deliveries of one document only the last one handed over is asked for.
    for (place, delivery) in found.iter().enumerate().rev() {
        let Some(request) = request_for(change, delivery, addressee_of(delivery).is_some()) else { continue };
        if let Some(open) = delivery.is_open_request() {
            return Err(NotPlanned::Asked(open));
        }
        if let (Some(by), true) = (&delivery.superseded_by, change.kind != ChangeKind::Recall) {
            let (delivery, recipient) = (delivery.delivery, delivery.recipient.clone());
            return Err(NotPlanned::Superseded { delivery, recipient, by: by.clone() });
        }
        if delivery.progress.state == State::Redirected {
            continue;
        }
        let effect = effect(&delivery.progress, delivery.status);
        match effect {
            Effect::Asked if asked.contains(&(delivery.target, &delivery.recipient)) => continue,
            Effect::Asked => asked.push((delivery.target, &delivery.recipient)),
            Effect::Nothing => left.push((delivery.recipient.clone(), delivery.progress.state)),
            Effect::Cancelled => {}
        }
        plan.effects.push((place, request, effect));
    }
    plan.effects.reverse();
    left.reverse();
    for (place, (organ, written)) in addressees.iter().enumerate() {
        let of = |delivery: &Found| addressee_of(delivery) == Some(place);
        let is_asked = plan.effects.iter().any(|(f, _, effect)| *effect == Effect::Asked && of(&found[*f]));
        let is_known = found.iter().any(of);
        let gets = match change.kind {
            ChangeKind::Recall => is_asked || !is_known,
            _ if is_removed(organ) || written.is_some_and(is_removed) => is_asked || found.is_empty(),
            ChangeKind::Update | ChangeKind::Replacement => true,
        };
        if gets {
            plan.addressed.push(place);
        }
    }
    for (place, _, effect) in &plan.effects {
        let delivery = &found[*place];
        let is_noticed = plan.notices.iter().any(|other| found[*other].recipient == delivery.recipient);
        if *effect == Effect::Asked && addressee_of(delivery).is_none() && !is_noticed {
            plan.notices.push(*place);
        }
    }
    let does_nothing = plan.effects.iter().all(|(.., effect)| *effect == Effect::Nothing);
    if change.kind == ChangeKind::Recall && does_nothing && plan.addressed.is_empty() {
        return Err(NotPlanned::NothingLeft(left));
    }
    Ok(plan)
}

/// What the recipient of a delivery is asked for, if the change concerns it.
fn request_for(change: &Change, delivery: &Found, is_addressee: bool) -> Option<Request> {
    let named = &change.targets[delivery.target].recipients;
    if !named.is_empty() && !named.iter().any(|organ| delivery.is_for(organ)) {
        return None;
    }
    let is_removed = change.removed.iter().any(|organ| delivery.is_for(organ));
    match change.kind {
        ChangeKind::Recall => Some(Request::Recall),
        _ if is_removed => Some(Request::Recall),
        ChangeKind::Update => is_addressee.then_some(Request::Update),
        ChangeKind::Replacement if is_addressee => Some(Request::Replacement),
        ChangeKind::Replacement => Some(Request::Recall),
    }
}
