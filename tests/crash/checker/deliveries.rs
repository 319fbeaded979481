//! At least once to the recipient, and never again once its settlement was answered.

use truc::proto::v1::{DeliveryState, ErrorReason, ReceiptKind, Settlement, settlement::Outcome};

use super::evidence::{Course, Offered, Settled};
use super::{Rule, Verdict};
use crate::document::Document;
use crate::journal::end_of;

/// Checks one delivery of a message.
pub fn check(id: &str, course: &Course<'_>, document: Option<&Document>, verdict: &mut Verdict) {
    ended(id, course, verdict);
    offers(id, course, document, verdict);
    for settled in &course.settled {
        answer(id, course, settled, verdict);
        after(id, course, settled, verdict);
    }
}

fn state(course: &Course<'_>) -> DeliveryState {
    course.status.map(|status| status.state()).unwrap_or_default()
}

/// The attempt a settlement is about: that of the offer whose lease it names.
fn attempt_of(course: &Course<'_>, settlement: &Settlement) -> Option<u32> {
    let held = course.offers.iter().find(|seen| seen.offer.delivery.lease == settlement.lease);
    held.map(|seen| seen.offer.delivery.attempt)
}

/// It ended, as a recipient said of the attempt it held.
fn ended(id: &str, course: &Course<'_>, verdict: &mut Verdict) {
    let end = match state(course) {
        end @ (DeliveryState::Delivered | DeliveryState::Rejected) => end,
        other => return verdict.accuse(Rule::NotEnded, id, format!("{other:?}")),
    };
    let last = course.receipts.last();
    let kind = match end {
        DeliveryState::Delivered => ReceiptKind::Delivered,
        _ => ReceiptKind::Rejected,
    };
    let founded = last.is_some_and(|receipt| {
        receipt.kind() == kind
            && course.settling.iter().any(|s| {
                let told = (end_of(s), attempt_of(course, s), reason(s));
                told == (Some(end), Some(receipt.attempt), &*receipt.reason)
            })
    });
    if !founded {
        verdict.accuse(Rule::OutcomeUnfounded, id, format!("{end:?}, the last receipt is {last:?}"));
    }
}

fn reason(settlement: &Settlement) -> &str {
    match &settlement.outcome {
        Some(Outcome::Rejected(rejected)) => &rejected.reason,
        Some(Outcome::Deferred(deferred)) => &deferred.reason,
        Some(Outcome::Delivered(_)) | None => "",
    }
}

fn offers(id: &str, course: &Course<'_>, document: Option<&Document>, verdict: &mut Verdict) {
    for (place, seen) in course.offers.iter().enumerate() {
        let offer = seen.offer;
        let attempt = offer.delivery.attempt;
        if !course.receipts.iter().any(|r| r.kind() == ReceiptKind::Offered && r.attempt == attempt) {
            verdict.accuse(Rule::OfferUnrecorded, id, format!("attempt {attempt} has no receipt"));
        }
        if course.offers[..place].iter().any(|earlier| !rises(earlier, seen)) {
            verdict.accuse(Rule::AttemptsNotRising, id, format!("attempt {attempt} in {:?}", seen.call));
        }
        if let Some(document) = document {
            content(id, course, seen, document, verdict);
        }
    }
}

/// What comes on one call, or on a call begun after the other had come, is a later attempt. Between calls that
/// overlap nobody can tell what came first, but no attempt comes twice.
fn rises(earlier: &Offered<'_>, later: &Offered<'_>) -> bool {
    let (before, after) = (earlier.offer.delivery.attempt, later.offer.delivery.attempt);
    let in_order = earlier.call.number == later.call.number || earlier.order < later.call.begun;
    if in_order { before < after } else { before != after }
}

fn content(id: &str, course: &Course<'_>, seen: &Offered<'_>, document: &Document, verdict: &mut Verdict) {
    let offer = seen.offer;
    let envelope = offer.delivery.envelope.clone().unwrap_or_default();
    if offer.payload_sha256 != document.payload_sha256
        || offer.payload_bytes != document.payload_bytes
        || envelope.payload_sha256[..] != document.payload_sha256
        || envelope.message_id != document.message_id
        || envelope.sender != document.sender
    {
        verdict.accuse(Rule::ContentChanged, id, format!("offered as {offer:?}"));
    }
    let Some(status) = course.status else { return };
    let told = (&offer.delivery.recipient, &offer.delivery.addressed_to);
    if offer.collector != status.recipient || told != (&status.recipient, &status.addressed_to) {
        verdict.accuse(Rule::Misrouted, id, format!("offered to {} as {offer:?}", offer.collector));
    }
}

/// The answer is one this settlement can have.
fn answer(id: &str, course: &Course<'_>, settled: &Settled<'_>, verdict: &mut Verdict) {
    let Settled { settlement, result, .. } = settled;
    let later_attempt = || {
        let held = attempt_of(course, settlement);
        course.receipts.iter().any(|r| r.kind() == ReceiptKind::Offered && Some(r.attempt) > held)
    };
    let fits = match (&result.refusal, end_of(settlement)) {
        (None, Some(end)) => result.state() == end,
        (None, None) => {
            matches!(result.state(), DeliveryState::Waiting | DeliveryState::Queued | DeliveryState::InFlight)
        }
        (Some(refusal), end) => match refusal.reason() {
            ErrorReason::LeaseLost => later_attempt(),
            ErrorReason::AlreadySettled => end != Some(state(course)),
            _ => false,
        },
    };
    if !fits {
        verdict.accuse(Rule::SettlementMisjudged, id, format!("{settlement:?}: {result:?}"));
    }
}

/// Once a settlement that ends the delivery is answered, it stays ended so and is never offered again.
fn after(id: &str, course: &Course<'_>, settled: &Settled<'_>, verdict: &mut Verdict) {
    let Some(end) = end_of(settled.settlement).filter(|_| settled.result.refusal.is_none()) else { return };
    if state(course) != end {
        let words = format!("answered as {end:?}, now {:?}", state(course));
        verdict.accuse(Rule::OutcomeForgotten, id, words);
    }
    let held = attempt_of(course, settled.settlement);
    for seen in &course.offers {
        let same_call = seen.call.number == settled.call.number && seen.order > settled.order;
        let begun_after = seen.call.begun > settled.order;
        // No attempt follows the one that was settled, whenever it is seen.
        let later_attempt = held.is_some_and(|held| seen.offer.delivery.attempt > held);
        if same_call || begun_after || later_attempt {
            let words = format!("attempt {} in {:?}", seen.offer.delivery.attempt, seen.call);
            verdict.accuse(Rule::OfferedAfterEnd, id, words);
        }
    }
}
