//! A message's receipts are a ladder: accepted, redirections, and for each delivery offers and deferrals up to its end.

use truc::proto::v1::{DeliveryCause, DeliveryStatus, Receipt, ReceiptKind};

use super::evidence::Case;
use super::{Rule, Verdict};
use crate::journal::told;

/// Checks the receipts of one message.
pub fn check(id: &str, case: &Case<'_>, verdict: &mut Verdict) {
    let Some(story) = case.story else { return };
    let mut last = (0, 0);
    for (number, receipt) in (1..).zip(&case.receipts) {
        if receipt.message_sequence != number {
            verdict.accuse(Rule::LadderBroken, id, format!("at {number}: {}", told(receipt)));
        }
        let time = receipt.time.as_ref().map_or((0, 0), |time| (time.seconds, time.nanos));
        if time < last {
            verdict.accuse(Rule::TimeBackwards, id, format!("{last:?} before {time:?} of {}", told(receipt)));
        }
        last = time;
        let content = case.receipts[0].content_sha256 != receipt.content_sha256;
        if content || !names_its_delivery(receipt, &story.deliveries) || !asserted(receipt) {
            verdict.accuse(Rule::ReceiptMistold, id, told(receipt));
        }
    }
    let head: Vec<_> = case.receipts.iter().map(|receipt| receipt.kind()).collect();
    let redirected = story.deliveries.iter().filter(|d| !d.addressed_to.is_empty()).count();
    let expected = std::iter::once(ReceiptKind::Accepted)
        .chain(std::iter::repeat_n(ReceiptKind::Redirected, redirected))
        .collect::<Vec<_>>();
    if !head.starts_with(&expected) {
        verdict.accuse(Rule::LadderBroken, id, format!("{head:?} does not begin with {expected:?}"));
    }
    for status in &story.deliveries {
        let rungs: Vec<_> = case.receipts.iter().filter(|r| r.delivery_id == status.delivery_id).collect();
        if let Err(place) = climb(&rungs, status) {
            let kinds: Vec<_> = rungs.iter().map(|r| (r.kind(), r.attempt)).collect();
            let words = format!("{} at {place} of {kinds:?}", status.delivery_id);
            verdict.accuse(Rule::LadderBroken, id, words);
        }
    }
}

fn names_its_delivery(receipt: &Receipt, deliveries: &[DeliveryStatus]) -> bool {
    let told = (&*receipt.delivery_id, &*receipt.recipient, &*receipt.addressed_to);
    match receipt.kind() {
        ReceiptKind::Accepted => told == ("", "", ""),
        _ => deliveries.iter().any(|d| told == (&*d.delivery_id, &*d.recipient, &*d.addressed_to)),
    }
}

fn asserted(receipt: &Receipt) -> bool {
    match (receipt.kind(), receipt.cause()) {
        (ReceiptKind::Delivered | ReceiptKind::Rejected, _)
        | (ReceiptKind::Deferred, DeliveryCause::RecipientDeferred) => {
            receipt.asserted_by == receipt.recipient
        }
        _ => receipt.asserted_by == "gateway",
    }
}

/// Climbs one delivery's ladder: redirected at most once and first, then attempts 1, 2, 3, ..., each offered once and ended once.
/// A recipient may still settle an attempt that was deferred, as long as no other has begun. Fails with the place of
/// the rung that does not fit.
fn climb(rungs: &[&&Receipt], status: &DeliveryStatus) -> Result<(), usize> {
    let mut place = usize::from(!status.addressed_to.is_empty());
    if place == 1 && rungs.first().map(|rung| rung.kind()) != Some(ReceiptKind::Redirected) {
        return Err(0);
    }
    let (mut attempt, mut in_flight, mut ended) = (0, false, false);
    for rung in &rungs[place..] {
        let fits = match rung.kind() {
            ReceiptKind::Offered => {
                attempt += 1;
                !std::mem::replace(&mut in_flight, true)
            }
            ReceiptKind::Deferred => std::mem::replace(&mut in_flight, false),
            ReceiptKind::Delivered | ReceiptKind::Rejected => {
                in_flight = false;
                attempt > 0 && !std::mem::replace(&mut ended, true)
            }
            _ => false,
        };
        if !fits || rung.attempt != attempt || (ended && place + 1 < rungs.len()) {
            return Err(place);
        }
        place += 1;
    }
    // A delivery that has not ended is told by its state.
    if status.attempts == attempt { Ok(()) } else { Err(place) }
}
