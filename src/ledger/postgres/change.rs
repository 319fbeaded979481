//! Changes: the deliveries of earlier messages as a change finds them under the locks, what it does to them, and what becomes of what it
//! asks.

use std::borrow::Cow;
use std::collections::HashMap;

use super::cells::OrganRef;
use super::columns::NewReceipt;
use super::fault::Fault;
use super::sheet::{Row, Sheet};
use super::step;
use crate::domain::change::{Answer, Change, DocumentRef, Effect, Found};
use crate::domain::delivery::{DeliveryId, Event};
use crate::domain::message::MessageId;
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::ReceiptKind;
use crate::domain::status::Request;
use crate::domain::time::Timestamp;
use crate::ledger::changes::{Decision, Effected, Findings};
use crate::ledger::codes::bounded;
use crate::ledger::{About, Acceptance, Accepted, Changed, MessageKey};

/// The change behind a receipt or a request.
#[derive(Clone, Debug)]
pub(super) struct Behind {
    pub key: MessageKey,
    pub message_id: MessageId,
    pub asked: Request,
    /// Who got the message that asks.
    pub told: Option<OrganId>,
}

/// What is carried by a delivery of a change: the change, what it asks about, and whether that is open.
#[derive(Clone, Debug)]
pub(super) struct Carried {
    pub about: About,
    pub is_open: bool,
}

/// What a transaction knows of changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Whether the batch has any: then what is new in it is kept at hand for them.
    pub any: bool,
    /// Messages by their sender and how it names them.
    pub targets: HashMap<(OrganRef, DocumentRef), Vec<(MessageKey, MessageId)>>,
    /// The deliveries of those messages.
    pub deliveries: HashMap<MessageKey, Vec<i64>>,
    /// The requests that are open, by their deliveries.
    pub open: HashMap<i64, Behind>,
    /// What took the place of deliveries before they were offered.
    pub superseded: HashMap<i64, MessageId>,
    /// What deliveries carry.
    pub carried: HashMap<i64, Vec<Carried>>,
}

impl Changes {
    /// A message that was accepted just now can be changed by what follows.
    pub fn note(&mut self, sender: OrganRef, key: MessageKey, new: &Acceptance, document_id: Option<&str>) {
        if !self.any {
            return;
        }
        let id = &new.message.message_id;
        let named = document_id.map(|id| DocumentRef::Document(id.to_owned()));
        for document in [Some(DocumentRef::Message(id.clone())), named].into_iter().flatten() {
            self.targets.entry((sender, document)).or_default().push((key, id.clone()));
        }
    }

    /// A delivery that is new, likewise.
    pub fn keep(&mut self, key: MessageKey, id: DeliveryId) {
        if self.any {
            self.deliveries.entry(key).or_default().push(bounded(id.0));
        }
    }
}

/// What a change is about, as it stands.
pub(super) fn find(sheet: &Sheet<'_>, sender: OrganRef, change: &Change) -> Result<Findings, Fault> {
    let mut findings = Findings::default();
    let mut found = Vec::new();
    for (place, target) in change.targets.iter().enumerate() {
        let named = (sender, target.document.clone());
        for (key, message_id) in sheet.changes.targets.get(&named).into_iter().flatten() {
            if findings.messages.iter().any(|(_, known)| known == key) {
                continue;
            }
            findings.messages.push((place, *key));
            for id in sheet.changes.deliveries.get(key).into_iter().flatten() {
                found.push((one(sheet, place, *id)?, (*key, message_id.clone())));
            }
        }
    }
    found.sort_by_key(|(found, _)| found.delivery);
    (findings.deliveries, findings.of) = found.into_iter().unzip();
    Ok(findings)
}

fn one(sheet: &Sheet<'_>, target: usize, id: i64) -> Result<Found, Fault> {
    let row = sheet.deliveries.get(&id).ok_or(Fault::Unfamiliar)?;
    Ok(Found {
        delivery: DeliveryId(u64::try_from(id).map_err(|_| Fault::Invalid("delivery"))?),
        target,
        recipient: sheet.account(row.recipient)?.id.clone(),
        addressed_to: row.addressed_to.clone(),
        progress: row.progress,
        status: row.status,
        asked_by: sheet.changes.open.get(&id).map(|behind| behind.message_id.clone()),
        superseded_by: sheet.changes.superseded.get(&id).cloned(),
    })
}

/// Does to the earlier messages what was decided; gives what is answered.
pub(super) fn perform<'a>(
    sheet: &mut Sheet<'a>,
    (key, new, change): (MessageKey, &'a Acceptance, &'a Change),
    findings: &Findings,
    decisions: &[Decision],
    accepted: &Accepted,
) -> Result<Changed, Fault> {
    let mut changed = Changed::default();
    for (place, target) in change.targets.iter().enumerate() {
        let named = target.document.as_str();
        let keys: Vec<_> =
            findings.messages.iter().filter(|(of, _)| *of == place).map(|(_, key)| Some(*key)).collect();
        if keys.is_empty() {
            changed.unknown.push(named.to_owned());
            sheet.new_targets.push(key, named, None);
        }
        keys.into_iter().for_each(|target| sheet.new_targets.push(key, named, target));
    }
    for decision in decisions {
        let carrier = decision.carrier.map(|place| accepted.deliveries[place].id);
        let effected = Effected::of(decision, findings, carrier);
        sheet.new_effects.push(key, findings.of[decision.found].0, &effected);
        let told = decision.carrier.map(|place| accepted.deliveries[place].recipient.clone());
        let message_id = new.message.message_id.clone();
        let behind = Behind { key, message_id, asked: decision.asked, told };
        match decision.effect {
            Effect::Cancelled => cancel(sheet, &effected, (new, change), &behind)?,
            Effect::Asked => ask(sheet, &effected, (new, change), behind)?,
            Effect::Nothing => {}
        }
        changed.effects.push(effected);
    }
    Ok(changed)
}

fn cancel(
    sheet: &mut Sheet<'_>,
    effected: &Effected,
    (new, change): (&Acceptance, &Change),
    behind: &Behind,
) -> Result<(), Fault> {
    let event = Event::Cancel { agreed: false, reason: change.reason.clone() };
    let by = Some(sheet.number(&change.by)?);
    step::take(sheet, effected.delivery, &event, (new.message.accepted_at, by), Some(behind))?;
    if behind.asked != Request::Recall {
        sheet.changes.superseded.insert(bounded(effected.delivery.0), behind.message_id.clone());
    }
    Ok(())
}

fn ask<'a>(
    sheet: &mut Sheet<'a>,
    effected: &Effected,
    (new, change): (&'a Acceptance, &'a Change),
    behind: Behind,
) -> Result<(), Fault> {
    let by = Some(sheet.number(&change.by)?);
    let id = bounded(effected.delivery.0);
    sheet.deliveries.get_mut(&id).ok_or(Fault::Unfamiliar)?.request = Some(behind.asked);
    let reason = Cow::Borrowed(change.reason.as_bytes());
    let at = new.message.accepted_at;
    append(sheet, effected.delivery, (ReceiptKind::Requested, reason), (at, by), &behind)?;
    if let Some(carrier) = effected.carrier {
        let about = About {
            message_id: effected.message_id.clone(),
            document_id: None,
            delivery: effected.delivery,
            asked: effected.asked,
        };
        let carried = Carried { about, is_open: true };
        sheet.changes.carried.entry(bounded(carrier.0)).or_default().push(carried);
    }
    sheet.changes.open.insert(id, behind);
    Ok(())
}

/// A request ends without an answer.
pub(super) fn lapse(sheet: &mut Sheet<'_>, delivery: DeliveryId, at: Timestamp) -> Result<(), Fault> {
    let id = bounded(delivery.0);
    let Some(behind) = answered(sheet, delivery, Answer::Lapsed) else { return Ok(()) };
    sheet.deliveries.get_mut(&id).ok_or(Fault::Unfamiliar)?.request = None;
    append(sheet, delivery, (ReceiptKind::Lapsed, Cow::Borrowed(&[])), (at, None), &behind)
}

/// The open request on a delivery has this answer; gives the change behind it.
pub(super) fn answered(sheet: &mut Sheet<'_>, delivery: DeliveryId, answer: Answer) -> Option<Behind> {
    let behind = sheet.changes.open.remove(&bounded(delivery.0))?;
    sheet.answers.push(behind.key, delivery, answer);
    for carried in sheet.changes.carried.values_mut().flatten() {
        carried.is_open &= carried.about.delivery != delivery;
    }
    Some(behind)
}

/// What was asked through a delivery that ends without its recipient ends with it.
pub(super) fn lapse_carried(sheet: &mut Sheet<'_>, carrier: DeliveryId, at: Timestamp) -> Result<(), Fault> {
    let carried = sheet.changes.carried.get(&bounded(carrier.0)).into_iter().flatten();
    let open: Vec<_> = carried.filter(|carried| carried.is_open).map(|c| c.about.delivery).collect();
    open.into_iter().try_for_each(|delivery| lapse(sheet, delivery, at))
}

/// Requests go with the delivery that carries them.
pub(super) fn carry_on(sheet: &mut Sheet<'_>, from: DeliveryId, to: DeliveryId) {
    sheet.carriers.push(from, to);
    if let Some(carried) = sheet.changes.carried.remove(&bounded(from.0)) {
        sheet.changes.carried.insert(bounded(to.0), carried);
    }
}

/// What a delivery asks its recipient about.
pub(super) fn about(sheet: &Sheet<'_>, carrier: DeliveryId) -> Vec<About> {
    let carried = sheet.changes.carried.get(&bounded(carrier.0)).into_iter().flatten();
    carried.map(|carried| carried.about.clone()).collect()
}

fn append<'a>(
    sheet: &mut Sheet<'a>,
    delivery: DeliveryId,
    (kind, reason): (ReceiptKind, Cow<'a, [u8]>),
    (at, by): (Timestamp, Option<OrganRef>),
    behind: &Behind,
) -> Result<(), Fault> {
    let row = sheet.deliveries.get_mut(&bounded(delivery.0)).ok_or(Fault::Unfamiliar)?;
    row.is_changed = true;
    let Row { sender, message, progress, .. } = *row;
    let last = sheet.last_receipts.get_mut(&message).ok_or(Fault::Invalid("receipt of a message"))?;
    // Handed over late, or by a clock that was set back: it happens after what has happened.
    let (message_sequence, time) = (last.0 + 1, at.max(last.1));
    *last = (message_sequence, time);
    let sender_sequence = sheet.next_receipt(sender)?;
    sheet.new_receipts.push(NewReceipt {
        sender,
        sender_sequence,
        message,
        message_sequence,
        delivery: Some(delivery),
        kind,
        time,
        asserted_by: by,
        attempt: progress.attempt,
        cause: None,
        reason,
        retry_time: None,
        status: None,
        change: Some((behind.key, behind.asked)),
    });
    Ok(())
}
