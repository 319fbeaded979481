//! Accepted is durable, once, whole and unchanged; what was never answered is wholly there or not at all.

use truc::proto::v1::{Acceptance, TrackResponse};

use super::evidence::Case;
use super::{Rule, Verdict};
use crate::document::Document;

/// Checks one message.
pub fn check(id: &str, case: &Case<'_>, verdict: &mut Verdict) {
    let Some(document) = case.document else {
        return verdict.accuse(Rule::NeverSubmitted, id, "the gateway has it");
    };
    acceptances(id, case, verdict);
    for receipt in &case.receipts {
        if receipt.payload_sha256[..] != document.payload_sha256 || receipt.sender != document.sender {
            verdict.accuse(Rule::ContentChanged, id, format!("{receipt:?}"));
        }
    }
    match case.story {
        Some(story) => there(id, case, document, story, verdict),
        None if !case.acceptances.is_empty() => {
            verdict.accuse(Rule::AcceptedLost, id, "it was accepted, and Track does not know it");
        }
        None if !case.receipts.is_empty() => {
            verdict.accuse(Rule::HalfThere, id, "it has receipts, and Track does not know it");
        }
        None => {}
    }
}

fn acceptances(id: &str, case: &Case<'_>, verdict: &mut Verdict) {
    let Some(first) = case.acceptances.first() else { return };
    let same = |a: &Acceptance| (&first.receipt, &first.deliveries) == (&a.receipt, &a.deliveries);
    if !case.acceptances.iter().all(|acceptance| same(acceptance)) {
        verdict.accuse(Rule::AcceptanceChanged, id, format!("{:?}", case.acceptances));
    }
    if first.receipt.as_ref() != case.receipts.first().copied() {
        let words = format!("answered {:?}, in the log {:?}", first.receipt, case.receipts.first());
        verdict.accuse(Rule::AcceptanceChanged, id, words);
    }
    let anew = case.acceptances.iter().filter(|acceptance| !acceptance.repeated_submission).count();
    if anew > 1 {
        verdict.accuse(Rule::AcceptedTwice, id, format!("accepted anew {anew} times"));
    }
    if case.submitted == 1 && anew == 0 {
        verdict.accuse(Rule::AcceptedTwice, id, "submitted once, and answered as a repetition");
    }
}

fn there(id: &str, case: &Case<'_>, document: &Document, story: &TrackResponse, verdict: &mut Verdict) {
    let expected: Vec<_> = document.to.iter().map(|&(organ, closed)| (organ, closed)).collect();
    let to: Vec<_> = story.deliveries.iter().map(|d| (&*d.recipient, &*d.addressed_to)).collect();
    if to != expected {
        verdict.accuse(Rule::HalfThere, id, format!("deliveries to {to:?}, submitted to {expected:?}"));
    }
    let ids: Vec<_> =
        story.deliveries.iter().map(|d| (&d.delivery_id, &*d.recipient, &*d.addressed_to)).collect();
    for acceptance in &case.acceptances {
        let answered = acceptance.deliveries.iter();
        let answered: Vec<_> = answered.map(|d| (&d.delivery_id, &*d.recipient, &*d.addressed_to)).collect();
        if answered != ids {
            verdict.accuse(Rule::AcceptanceChanged, id, format!("answered {answered:?}, there are {ids:?}"));
        }
    }
    let envelope = story.envelope.clone().unwrap_or_default();
    if envelope.payload_sha256[..] != document.payload_sha256
        || envelope.payload_bytes != document.payload_bytes as u64
        || envelope.sender != document.sender
        || envelope.message_id != document.message_id
        || envelope.header.as_ref().map(|header| header.urgency()) != Some(document.urgency)
    {
        verdict.accuse(Rule::ContentChanged, id, format!("{envelope:?}"));
    }
    if !story.receipts.iter().eq(case.receipts.iter().copied()) {
        verdict.accuse(Rule::TrackDiffers, id, format!("{:?}", story.receipts));
    }
}
