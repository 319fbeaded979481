//! What all stores share of changes: what is handed over, decided and answered. What a change does is decided by
//! [`crate::domain::change::plan`] on what the ledger holds at that moment, and written with the acceptance of its message.

use std::borrow::Cow;

use super::{AcceptRefused, Acceptance, Addressee, MessageKey, MessageRecord};
use crate::domain::change::{self, Answer, Change, ChangeKind, Effect, Found, NotPlanned};
use crate::domain::delivery::{DeliveryId, Event, State};
use crate::domain::message::MessageId;
use crate::domain::organ_id::OrganId;
use crate::domain::status::Request;

/// Messages a chain of changes is followed to.
pub const LINEAGE_MAX: usize = 100;

/// What a change did when it was accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// What it did to which delivery, in the order of their ids.
    pub effects: Vec<Effected>,
    /// Targets no message of the sender is known by, as it named them.
    pub unknown: Vec<String>,
}

/// What a change did to one delivery of an earlier message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effected {
    /// The earlier message.
    pub message_id: MessageId,
    /// The delivery.
    pub delivery: DeliveryId,
    /// The organ it is for.
    pub recipient: OrganId,
    /// The closed organ the sender wrote.
    pub addressed_to: Option<OrganId>,
    /// What the change wanted of it.
    pub asked: Request,
    /// What it did.
    pub effect: Effect,
    /// The state it found the delivery in.
    pub state: State,
    /// The delivery of the change by which the recipient is asked.
    pub carrier: Option<DeliveryId>,
}

/// What a delivery of a change asks about: a delivery its recipient was handed earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The earlier message.
    pub message_id: MessageId,
    /// The id its sender's system gives the document.
    pub document_id: Option<String>,
    /// The delivery of it.
    pub delivery: DeliveryId,
    /// What is asked.
    pub asked: Request,
}

/// One message of a chain of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The message, and where its deliveries stand.
    pub record: MessageRecord,
    /// The earlier messages it changes.
    pub targets: Vec<MessageId>,
    /// What it did to their deliveries, each with what became of what it asked.
    pub effects: Vec<(Effected, Option<Answer>)>,
}

/// What a delivery of a change carries to its recipient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Carries {
    /// Nothing but its message.
    #[default]
    Message,
    /// Its message, and requests about earlier ones.
    Requests,
    /// Requests only: the message itself is for others.
    Notice,
}

/// Who gets a message.
#[derive(Clone, Debug)]
pub(super) struct Receiver<'a> {
    pub addressee: Cow<'a, Addressee>,
    pub carries: Carries,
}

/// What a change does to one delivery that was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decision {
    /// Its place among those found.
    pub found: usize,
    pub asked: Request,
    pub effect: Effect,
    /// The place of the receiver who is asked.
    pub carrier: Option<usize>,
}

/// The earlier messages of a change, as a store found them.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Each with the place of its target.
    pub messages: Vec<(usize, MessageKey)>,
    /// Their deliveries, in the order of the ids.
    pub deliveries: Vec<Found>,
    /// The message of each.
    pub of: Vec<(MessageKey, MessageId)>,
}

impl Findings {
    /// Places of targets no message is known by.
    pub fn unknown<'s>(&'s self, change: &'s Change) -> impl Iterator<Item = usize> + 's {
        (0..change.targets.len()).filter(|place| !self.messages.iter().any(|(of, _)| of == place))
    }
}

/// All that a change comes to.
#[derive(Debug)]
pub(super) struct Decided<'a> {
    pub receivers: Vec<Receiver<'a>>,
    pub decisions: Vec<Decision>,
    /// The document id the message is known by. A recall repeats that of its target, and stands for no document of its own.
    pub document_id: Option<&'a str>,
}

/// Everybody a message that changes nothing goes to.
pub(super) fn receivers(new: &Acceptance) -> Vec<Receiver<'_>> {
    let receiver = |addressee| Receiver { addressee: Cow::Borrowed(addressee), carries: Carries::Message };
    new.addressees.iter().map(receiver).collect()
}

/// Decides what a change does.
pub(super) fn decide<'a>(
    new: &'a Acceptance,
    change: &Change,
    findings: &Findings,
) -> Result<Decided<'a>, AcceptRefused> {
    if change.known_only
        && let Some(place) = findings.unknown(change).next()
    {
        return Err(AcceptRefused::TargetUnknown(change.targets[place].document.clone()));
    }
    let written = |addressee: &'a Addressee| addressee.redirected.as_ref().map(|(organ, _)| organ);
    let addressees: Vec<_> = new.addressees.iter().map(|a| (&a.recipient, written(a))).collect();
    let found = &findings.deliveries;
    let plan = change::plan(change, &addressees, found)?;
    let asked_at = |place: usize| {
        plan.effects
            .iter()
            .any(|(f, _, effect)| *effect == Effect::Asked && is_same(&new.addressees[place], &found[*f]))
    };
    let mut receivers: Vec<Receiver<'a>> = plan
        .addressed
        .iter()
        .map(|place| Receiver {
            addressee: Cow::Borrowed(&new.addressees[*place]),
            carries: if asked_at(*place) { Carries::Requests } else { Carries::Message },
        })
        .collect();
    let notice = if change.kind == ChangeKind::Recall { Carries::Requests } else { Carries::Notice };
    receivers.extend(plan.notices.iter().map(|place| Receiver {
        addressee: Cow::Owned(Addressee {
            recipient: found[*place].recipient.clone(),
            redirected: None,
            mailbox_max: None,
        }),
        carries: notice,
    }));
    let carrier = |place: usize| receivers.iter().position(|r| is_same(&r.addressee, &found[place]));
    let decisions = plan.effects.iter().map(|(place, asked, effect)| Decision {
        found: *place,
        asked: *asked,
        effect: *effect,
        carrier: (*effect == Effect::Asked).then(|| carrier(*place)).flatten(),
    });
    let decisions = decisions.collect();
    let is_recall = change.kind == ChangeKind::Recall;
    let document_id = new.document_id.as_deref().filter(|_| !is_recall);
    Ok(Decided { receivers, decisions, document_id })
}

/// Whether a message to this addressee reaches who was sent that delivery.
fn is_same(addressee: &Addressee, delivery: &Found) -> bool {
    let is_for =
        |organ: &OrganId| delivery.recipient == *organ || delivery.addressed_to.as_ref() == Some(organ);
    is_for(&addressee.recipient) || addressee.redirected.as_ref().is_some_and(|(organ, _)| is_for(organ))
}

/// What really happens where an event meets a delivery about which something is asked: what its sender takes back is handed to nobody
/// else.
pub(super) fn overruled(event: &Event, request: Option<Request>) -> Cow<'_, Event> {
    match (event, request) {
        (Event::Redirect { .. }, Some(_)) => {
            Cow::Owned(Event::Cancel { agreed: true, reason: String::new() })
        }
        _ => Cow::Borrowed(event),
    }
}

impl Effected {
    pub(super) fn of(decision: &Decision, findings: &Findings, carrier: Option<DeliveryId>) -> Self {
        let found = &findings.deliveries[decision.found];
        Self {
            message_id: findings.of[decision.found].1.clone(),
            delivery: found.delivery,
            recipient: found.recipient.clone(),
            addressed_to: found.addressed_to.clone(),
            asked: decision.asked,
            effect: decision.effect,
            state: found.progress.state,
            carrier,
        }
    }
}

impl From<NotPlanned> for AcceptRefused {
    fn from(why: NotPlanned) -> Self {
        Self::NotPossible(why)
    }
}
