//! What changes do in the model.

use std::collections::BTreeMap;

use truc::domain::change::{Change, ChangeKind, DocumentRef, Effect, Found, Plan, plan};
use truc::domain::delivery::{self, DeliveryId, Entry, Event, Progress, State, Step};
use truc::domain::message::MessageId;
use truc::domain::organ_id::OrganId;
use truc::domain::receipt::{Asserter, ReceiptChange, ReceiptKind};
use truc::domain::status::Request;
use truc::domain::time::Timestamp;
use truc::ledger::{About, AcceptRefused, Acceptance, Addressee, Changed, Effected};

use super::Model;

/// Who gets a message, and whether it is only a notice.
pub type Receiver = (Addressee, bool);

/// What is wanted of one earlier delivery.
#[derive(Debug)]
pub struct Wanted {
    /// The place of its letter.
    letter: usize,
    found: Found,
    asked: Request,
    effect: Effect,
    /// The place of the receiver who is asked.
    carrier: Option<usize>,
}

#[derive(Debug)]
pub struct Open {
    pub change: ReceiptChange,
    carrier: DeliveryId,
}

/// What the model keeps of changes.
#[derive(Debug, Default)]
pub struct Changes {
    pub open: BTreeMap<DeliveryId, Open>,
    pub carried: BTreeMap<DeliveryId, Vec<About>>,
    superseded: BTreeMap<DeliveryId, MessageId>,
}

fn is_for(organ: &OrganId, found: &Found) -> bool {
    found.recipient == *organ || found.addressed_to.as_ref() == Some(organ)
}

fn reaches(addressee: &Addressee, found: &Found) -> bool {
    let written = addressee.redirected.as_ref().map(|(organ, _)| organ);
    is_for(&addressee.recipient, found) || written.is_some_and(|organ| is_for(organ, found))
}

impl Model {
    /// Who gets a letter, and what it does to earlier ones.
    pub fn receivers(&self, given: &Acceptance) -> Result<(Vec<Receiver>, Vec<Wanted>), AcceptRefused> {
        let Some(change) = &given.change else {
            return Ok((given.addressees.iter().map(|a| (a.clone(), false)).collect(), Vec::new()));
        };
        let targets = self.targets(&given.message.sender, change)?;
        let mut found: Vec<(usize, Found)> = Vec::new();
        for (target, letter) in &targets {
            let its = self.deliveries.values().filter(|(n, _)| n == letter);
            found.extend(its.map(|(n, record)| (*n, self.found(*target, record))));
        }
        found.sort_by_key(|(_, found)| found.delivery);
        let (letters, found): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let written = |a: &'_ Addressee| a.redirected.as_ref().map(|(organ, _)| organ.clone());
        let closed: Vec<_> = given.addressees.iter().map(written).collect();
        let addressees: Vec<_> =
            given.addressees.iter().zip(&closed).map(|(a, closed)| (&a.recipient, closed.as_ref())).collect();
        let Plan { effects, addressed, notices } =
            plan(change, &addressees, &found).map_err(AcceptRefused::NotPossible)?;
        let mut receivers: Vec<Receiver> =
            addressed.iter().map(|place| (given.addressees[*place].clone(), false)).collect();
        receivers.extend(notices.iter().map(|place| {
            let addressee =
                Addressee { recipient: found[*place].recipient.clone(), redirected: None, mailbox_max: None };
            (addressee, change.kind != ChangeKind::Recall)
        }));
        let wanted = effects.into_iter().map(|(place, asked, effect)| {
            let found = found[place].clone();
            let carrier = receivers.iter().position(|(addressee, _)| reaches(addressee, &found));
            let carrier = carrier.filter(|_| effect == Effect::Asked);
            Wanted { letter: letters[place], found, asked, effect, carrier }
        });
        let wanted = wanted.collect();
        Ok((receivers, wanted))
    }

    /// The letters a change is about, each with the place of its target.
    fn targets(&self, sender: &OrganId, change: &Change) -> Result<Vec<(usize, usize)>, AcceptRefused> {
        let mut letters: Vec<(usize, usize)> = Vec::new();
        for (target, named) in change.targets.iter().enumerate() {
            let mut is_known = false;
            for (n, letter) in self.letters.iter().enumerate().filter(|(_, l)| l.message.sender == *sender) {
                let is_meant = match &named.document {
                    DocumentRef::Message(id) => letter.message.message_id == *id,
                    DocumentRef::Document(id) => letter.document_id() == Some(id),
                };
                if is_meant && !letters.iter().any(|(_, known)| *known == n) {
                    is_known = true;
                    letters.push((target, n));
                }
            }
            if !is_known && change.known_only {
                return Err(AcceptRefused::TargetUnknown(named.document.clone()));
            }
        }
        Ok(letters)
    }

    fn found(&self, target: usize, record: &truc::ledger::DeliveryRecord) -> Found {
        Found {
            delivery: record.id,
            target,
            recipient: record.recipient.clone(),
            addressed_to: record.addressed_to.clone(),
            progress: record.progress,
            status: record.status,
            asked_by: self.changes.open.get(&record.id).map(|open| open.change.message_id.clone()),
            superseded_by: self.changes.superseded.get(&record.id).cloned(),
        }
    }

    /// Does what the n-th letter wants.
    pub fn change(&mut self, n: usize, wanted: &[Wanted]) {
        let given = self.letters[n].given.clone();
        let Some(change) = given.change else { return };
        let targets = self.targets(&given.message.sender, &change);
        let of_others = targets.unwrap_or_default().into_iter().filter(|(_, letter)| *letter != n);
        let known: Vec<_> = of_others.map(|(target, _)| target).collect();
        let unknown = change.targets.iter().enumerate().filter(|(place, _)| !known.contains(place));
        let unknown = unknown.map(|(_, target)| target.document.as_str().to_owned()).collect();
        let by = Asserter::Organ(change.by.clone());
        let at = given.message.accepted_at;
        let mut effects = Vec::new();
        for one in wanted {
            let asked = ReceiptChange { message_id: given.message.message_id.clone(), asked: one.asked };
            let carrier = one.carrier.map(|place| self.letters[n].deliveries[place].id);
            let id = one.found.delivery;
            match one.effect {
                Effect::Cancelled => {
                    self.cancel(id, false, &change.reason, at, &by, Some(asked));
                    if one.asked != Request::Recall {
                        self.changes.superseded.insert(id, given.message.message_id.clone());
                    }
                }
                Effect::Asked => self.ask(one, (asked, carrier.expect("somebody carries it")), (&change, at)),
                Effect::Nothing => {}
            }
            effects.push(Effected {
                message_id: self.letters[one.letter].message.message_id.clone(),
                delivery: id,
                recipient: one.found.recipient.clone(),
                addressed_to: one.found.addressed_to.clone(),
                asked: one.asked,
                effect: one.effect,
                state: one.found.progress.state,
                carrier,
            });
        }
        self.letters[n].changed = Some(Box::new(Changed { effects, unknown }));
    }

    fn ask(
        &mut self,
        one: &Wanted,
        (asked, carrier): (ReceiptChange, DeliveryId),
        (change, at): (&Change, Timestamp),
    ) {
        let id = one.found.delivery;
        self.deliveries.get_mut(&id).expect("it was found").1.request = Some(one.asked);
        let letter = &self.letters[one.letter];
        let time = at.max(letter.evidence.last().expect("its acceptance is there").time);
        let about = About {
            message_id: letter.message.message_id.clone(),
            document_id: letter.document_id().cloned(),
            delivery: id,
            asked: one.asked,
        };
        self.changes.carried.entry(carrier).or_default().push(about);
        let kind = ReceiptKind::Requested;
        let entry = Entry { kind, cause: None, reason: change.reason.clone(), retry_time: None };
        self.append(one.letter, Some(id), entry, time, Asserter::Organ(change.by.clone()));
        self.mark(one.letter, Some(asked.clone()));
        self.changes.open.insert(id, Open { change: asked, carrier });
    }

    /// Ends a delivery its sender takes back.
    pub fn cancel(
        &mut self,
        id: DeliveryId,
        agreed: bool,
        reason: &str,
        at: Timestamp,
        by: &Asserter,
        change: Option<ReceiptChange>,
    ) {
        let (n, record) = &self.deliveries[&id];
        let (n, event) = (*n, Event::Cancel { agreed, reason: reason.to_owned() });
        let decided = delivery::step(&record.progress, &event, at, &self.terms.policy, 0.5);
        let Ok(Step::Moved(next, entry)) = decided else {
            unreachable!("{id} can be cancelled: {decided:?}")
        };
        self.moved(n, id, (next, entry), at, by, change);
    }

    /// A delivery has taken a step.
    pub fn moved(
        &mut self,
        n: usize,
        id: DeliveryId,
        (next, entry): (Progress, Option<Entry>),
        at: Timestamp,
        by: &Asserter,
        change: Option<ReceiptChange>,
    ) {
        let time = at.max(self.letters[n].evidence.last().expect("its acceptance is there").time);
        let record = &mut self.deliveries.get_mut(&id).expect("it took a step").1;
        record.progress = next;
        record.ended_at = next.state.is_end().then_some(time);
        if self.terms.policy.acknowledged_by.is_met_by_state(next.state) {
            record.duty = record.duty.acknowledged(time);
        }
        self.tell(id, next.state == State::Queued);
        if let Some(entry) = entry {
            self.append(n, Some(id), entry, time, by.clone());
            self.mark(n, change);
        }
        if next.state.is_end() && next.state != State::Delivered {
            self.lapse(id, at);
            let carried = self.changes.open.iter().filter(|(_, open)| open.carrier == id);
            let carried: Vec<_> = carried.map(|(id, _)| *id).collect();
            carried.into_iter().for_each(|asked| self.lapse(asked, at));
        }
    }

    fn lapse(&mut self, id: DeliveryId, at: Timestamp) {
        let Some(open) = self.changes.open.remove(&id) else { return };
        let (n, record) = self.deliveries.get_mut(&id).expect("something was asked about it");
        record.request = None;
        let n = *n;
        let time = at.max(self.letters[n].evidence.last().expect("its acceptance is there").time);
        let entry = Entry { kind: ReceiptKind::Lapsed, cause: None, reason: String::new(), retry_time: None };
        self.append(n, Some(id), entry, time, Asserter::Gateway);
        self.mark(n, Some(open.change));
    }

    /// The last receipt belongs to a change.
    pub fn mark(&mut self, n: usize, change: Option<ReceiptChange>) {
        let sender = &self.letters[n].message.sender;
        let log = self.receipts.get_mut(sender).expect("it was just appended to");
        for kept in [log.last_mut(), self.letters[n].evidence.last_mut()].into_iter().flatten() {
            kept.change = change.clone();
        }
    }
}

impl super::Letter {
    /// The id its document is known by; a recall has none.
    fn document_id(&self) -> Option<&String> {
        let is_recall = self.given.change.as_ref().is_some_and(|change| change.kind == ChangeKind::Recall);
        self.given.document_id.as_ref().filter(|_| !is_recall)
    }
}
