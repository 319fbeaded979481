//! The checker checked: a run in which all is well passes, and for each promise a run that breaks it is found out.

use std::collections::BTreeMap;
use std::sync::Arc;

use truc::proto::v1::{self, DeliveryCause, DeliveryState, ErrorReason, ReceiptKind, settlement};

use crate::checker::{Ending, Rule, check};
use crate::document::{Author, Document};
use crate::journal::{Call, Fact, Offer};

/// What was seen and what is said at the end.
struct Scene {
    facts: Vec<Fact>,
    ending: Ending,
}

const ID: &str = "G22-proof-1";
/// One delivery put off once and then delivered, and one rejected by the successor of a closed organ.
const TO: [(&str, &str, &str); 2] = [("d1", "H49", ""), ("d2", "H05", "H02")];

fn written() -> Arc<Document> {
    let mut document = Author::new("G22", "G22-proof", fastrand::Rng::with_seed(7)).write();
    Arc::make_mut(&mut document).to = TO.iter().map(|&(_, organ, closed)| (organ, closed)).collect();
    document
}

fn receipt(document: &Document, number: u32, kind: ReceiptKind, about: usize, attempt: u32) -> v1::Receipt {
    let (delivery_id, recipient, addressed_to) = match kind {
        ReceiptKind::Accepted => ("", "", ""),
        _ => TO[about],
    };
    let (cause, reason) = match kind {
        ReceiptKind::Deferred => (DeliveryCause::RecipientDeferred, "not now"),
        ReceiptKind::Rejected => (DeliveryCause::Unspecified, "not ours"),
        _ => (DeliveryCause::Unspecified, ""),
    };
    let said = matches!(kind, ReceiptKind::Deferred | ReceiptKind::Delivered | ReceiptKind::Rejected);
    v1::Receipt {
        sender_sequence: number.into(),
        message_sequence: number,
        kind: kind.into(),
        sender: document.sender.into(),
        message_id: document.message_id.clone(),
        content_sha256: vec![1; 32].into(),
        payload_sha256: document.payload_sha256.to_vec().into(),
        time: Some(prost_types::Timestamp { seconds: number.into(), nanos: 0 }),
        asserted_by: if said { recipient } else { "gateway" }.into(),
        recipient: recipient.into(),
        addressed_to: addressed_to.into(),
        delivery_id: delivery_id.into(),
        attempt,
        cause: cause.into(),
        reason: reason.into(),
        ..Default::default()
    }
}

fn log(document: &Document) -> Vec<v1::Receipt> {
    use ReceiptKind::{Accepted, Deferred, Delivered, Offered, Redirected, Rejected};
    let rungs = [
        (Accepted, 0, 0),
        (Redirected, 1, 0),
        (Offered, 0, 1),
        (Deferred, 0, 1),
        (Offered, 1, 1),
        (Rejected, 1, 1),
        (Offered, 0, 2),
        (Delivered, 0, 2),
    ];
    let numbered = (1..).zip(rungs);
    numbered.map(|(number, (kind, about, attempt))| receipt(document, number, kind, about, attempt)).collect()
}

fn envelope(document: &Document) -> v1::Envelope {
    v1::Envelope {
        message_id: document.message_id.clone(),
        sender: document.sender.into(),
        payload_bytes: document.payload_bytes as u64,
        payload_sha256: document.payload_sha256.to_vec().into(),
        header: Some(v1::DocumentHeader { urgency: document.urgency.into(), ..Default::default() }),
        ..Default::default()
    }
}

fn acceptance(document: &Document, repeated_submission: bool) -> Fact {
    let deliveries = TO.map(|(delivery_id, recipient, addressed_to)| v1::AcceptedDelivery {
        delivery_id: delivery_id.into(),
        recipient: recipient.into(),
        addressed_to: addressed_to.into(),
    });
    let receipt = Some(receipt(document, 1, ReceiptKind::Accepted, 0, 0));
    let acceptance =
        v1::Acceptance { receipt, deliveries: deliveries.into(), repeated_submission, changed: None };
    Fact::Accepted { message_id: document.message_id.clone(), acceptance }
}

fn offered(document: &Document, about: usize, attempt: u32, call: Call) -> Fact {
    let (delivery_id, recipient, addressed_to) = TO[about];
    let delivery = v1::Delivery {
        delivery_id: delivery_id.into(),
        lease: format!("lease {attempt}"),
        attempt,
        recipient: recipient.into(),
        addressed_to: addressed_to.into(),
        envelope: Some(envelope(document)),
        ..Default::default()
    };
    let (payload_sha256, payload_bytes) = (document.payload_sha256, document.payload_bytes);
    let offer = Offer { collector: recipient, delivery, payload_sha256, payload_bytes };
    Fact::Offered { offer: Box::new(offer), call }
}

fn settlement(about: usize, attempt: u32, outcome: settlement::Outcome) -> v1::Settlement {
    let delivery_id = TO[about].0.into();
    v1::Settlement { delivery_id, lease: format!("lease {attempt}"), outcome: Some(outcome) }
}

fn settled(settlement: v1::Settlement, state: DeliveryState, call: Call) -> [Fact; 2] {
    let delivery_id = settlement.delivery_id.clone();
    let result = v1::SettleResult { delivery_id, state: state.into(), refusal: None };
    [Fact::Settling(settlement.clone()), Fact::Settled { settlement, result, call }]
}

impl Scene {
    /// A run in which all is well.
    fn well() -> Self {
        let document = written();
        let call = |number, begun| Call { number, begun };
        let reason = |reason: &str| reason.to_owned();
        let deferred =
            settlement::Outcome::Deferred(v1::Deferred { reason: reason("not now"), retry_time: None });
        let rejected = settlement::Outcome::Rejected(v1::Rejected { reason: reason("not ours") });
        let delivered = settlement::Outcome::Delivered(v1::Delivered {});
        let mut facts = vec![Fact::Submitting(Arc::clone(&document)), acceptance(&document, false)];
        facts.extend([Fact::Submitting(Arc::clone(&document)), acceptance(&document, true)]);
        facts.push(offered(&document, 0, 1, call(1, 0)));
        facts.extend(settled(settlement(0, 1, deferred), DeliveryState::Waiting, call(1, 0)));
        facts.push(offered(&document, 1, 1, call(2, 0)));
        facts.extend(settled(settlement(1, 1, rejected), DeliveryState::Rejected, call(2, 0)));
        facts.push(offered(&document, 0, 2, call(1, 0)));
        facts.extend(settled(settlement(0, 2, delivered), DeliveryState::Delivered, call(1, 0)));
        let log = log(&document);
        let watched = |receipt: &v1::Receipt| Fact::Watched { watcher: "w".into(), receipt: receipt.clone() };
        facts.extend(log.iter().map(watched));
        let status = |about: usize, state: DeliveryState, attempts| v1::DeliveryStatus {
            delivery_id: TO[about].0.into(),
            recipient: TO[about].1.into(),
            addressed_to: TO[about].2.into(),
            state: state.into(),
            attempts,
            ..Default::default()
        };
        let deliveries = vec![status(0, DeliveryState::Delivered, 2), status(1, DeliveryState::Rejected, 1)];
        let story = v1::TrackResponse {
            envelope: Some(envelope(&document)),
            deliveries,
            receipts: log.clone(),
            ..Default::default()
        };
        let ending = Ending {
            logs: BTreeMap::from([("G22".to_owned(), log)]),
            stories: BTreeMap::from([(ID.to_owned(), story)]),
            open: Vec::new(),
        };
        Self { facts, ending }
    }

    fn story(&mut self) -> &mut v1::TrackResponse {
        self.ending.stories.get_mut(ID).unwrap()
    }

    fn acceptances(&mut self) -> impl Iterator<Item = &mut v1::Acceptance> {
        self.facts.iter_mut().filter_map(|fact| match fact {
            Fact::Accepted { acceptance, .. } => Some(acceptance),
            _ => None,
        })
    }

    fn offers(&mut self) -> impl Iterator<Item = (&mut Offer, &mut Call)> {
        self.facts.iter_mut().filter_map(|fact| match fact {
            Fact::Offered { offer, call } => Some((&mut **offer, call)),
            _ => None,
        })
    }

    fn results(&mut self) -> impl Iterator<Item = &mut v1::SettleResult> {
        self.facts.iter_mut().filter_map(|fact| match fact {
            Fact::Settled { result, .. } => Some(result),
            _ => None,
        })
    }

    fn repeat(&mut self, which: impl Fn(&Fact) -> bool) {
        let again = self.facts.iter().find(|fact| which(fact)).unwrap().clone();
        self.facts.push(again);
    }

    /// Changes a receipt everywhere it is kept and was seen.
    fn rewrite(&mut self, number: u64, change: impl Fn(&mut v1::Receipt)) {
        let seen = self.facts.iter_mut().filter_map(|fact| match fact {
            Fact::Watched { receipt, .. } => Some(receipt),
            _ => None,
        });
        let stories = self.ending.stories.values_mut().flat_map(|story| &mut story.receipts);
        let logs = self.ending.logs.values_mut().flatten();
        seen.chain(stories).chain(logs).filter(|r| r.sender_sequence == number).for_each(change);
    }

    fn rules(&self) -> Vec<Rule> {
        check(&self.facts, &self.ending).violations.into_iter().map(|violation| violation.rule).collect()
    }
}

fn watched(fact: &Fact, number: u64) -> bool {
    matches!(fact, Fact::Watched { receipt, .. } if receipt.sender_sequence == number)
}

type Breach = fn(&mut Scene);

/// Each promise and a run that breaks it.
const BREACHES: &[(Rule, Breach)] = &[
    (Rule::AcceptedLost, |scene| scene.ending.stories.clear()),
    (Rule::AcceptanceChanged, |scene| {
        scene.acceptances().nth(1).unwrap().receipt.as_mut().unwrap().sender_sequence = 9;
    }),
    (Rule::AcceptanceChanged, |scene| {
        scene.acceptances().for_each(|a| a.receipt.as_mut().unwrap().message_id.push('x'));
    }),
    (Rule::AcceptanceChanged, |scene| {
        scene.acceptances().for_each(|a| a.deliveries[0].delivery_id = "d9".into());
    }),
    (Rule::AcceptedTwice, |scene| scene.acceptances().for_each(|a| a.repeated_submission = false)),
    (Rule::AcceptedTwice, |scene| drop(scene.facts.drain(..2))),
    (Rule::HalfThere, |scene| drop(scene.story().deliveries.pop())),
    (Rule::HalfThere, |scene| {
        scene.facts.retain(|fact| !matches!(fact, Fact::Accepted { .. }));
        scene.ending.stories.clear();
    }),
    (Rule::NeverSubmitted, |scene| scene.facts.retain(|fact| !matches!(fact, Fact::Submitting(_)))),
    (Rule::ContentChanged, |scene| scene.offers().next().unwrap().0.payload_sha256[0] ^= 1),
    (Rule::ContentChanged, |scene| scene.rewrite(3, |r| r.payload_sha256 = vec![0; 32].into())),
    (Rule::ContentChanged, |scene| scene.story().envelope.as_mut().unwrap().payload_bytes += 1),
    (Rule::Misrouted, |scene| scene.offers().next().unwrap().0.collector = "H05"),
    (Rule::NotEnded, |scene| scene.story().deliveries[0].state = DeliveryState::Waiting.into()),
    (Rule::NotEnded, |scene| scene.ending.open.push("d1".into())),
    (Rule::OutcomeForgotten, |scene| {
        scene.story().deliveries[0].state = DeliveryState::Rejected.into();
    }),
    (Rule::OutcomeUnfounded, |scene| {
        scene.facts.retain(|fact| !matches!(fact, Fact::Settling(s) if s.lease == "lease 2"));
    }),
    (Rule::OutcomeUnfounded, |scene| scene.rewrite(6, |receipt| receipt.reason = "another".into())),
    (Rule::OfferedAfterEnd, |scene| {
        scene.repeat(|fact| matches!(fact, Fact::Offered { offer, .. } if offer.delivery.attempt == 2));
    }),
    (Rule::OfferedAfterEnd, |scene| {
        let facts = scene.facts.len();
        scene.repeat(|fact| matches!(fact, Fact::Offered { .. }));
        let (offer, call) = scene.offers().last().unwrap();
        *call = Call { number: 3, begun: facts };
        offer.delivery.attempt = 3;
    }),
    (Rule::AttemptsNotRising, |scene| {
        let (offer, _) = scene.offers().last().unwrap();
        offer.delivery.attempt = 1;
    }),
    (Rule::AttemptsNotRising, |scene| {
        scene.repeat(|fact| matches!(fact, Fact::Offered { .. }));
        *scene.offers().last().unwrap().1 = Call { number: 3, begun: 0 };
    }),
    (Rule::OfferUnrecorded, |scene| scene.offers().last().unwrap().0.delivery.attempt = 3),
    (Rule::SettlementMisjudged, |scene| {
        let refusal = v1::Refusal { reason: ErrorReason::LeaseLost.into(), ..Default::default() };
        scene.results().last().unwrap().refusal = Some(refusal);
    }),
    (Rule::SettlementMisjudged, |scene| {
        scene.results().next().unwrap().state = DeliveryState::Delivered.into();
    }),
    (Rule::LogGap, |scene| drop(scene.ending.logs.get_mut("G22").unwrap().remove(4))),
    (Rule::WatchGap, |scene| scene.facts.retain(|fact| !watched(fact, 5))),
    (Rule::WatchGap, |scene| scene.repeat(|fact| watched(fact, 8))),
    (Rule::WatchGap, |scene| scene.facts.retain(|fact| !watched(fact, 8))),
    (Rule::WatchDiffers, |scene| scene.ending.logs.get_mut("G22").unwrap()[6].reason.push('x')),
    (Rule::TrackDiffers, |scene| scene.story().receipts.swap(3, 4)),
    (Rule::LadderBroken, |scene| scene.rewrite(4, |receipt| receipt.message_sequence = 5)),
    (Rule::LadderBroken, |scene| scene.rewrite(7, |receipt| receipt.attempt = 3)),
    (Rule::LadderBroken, |scene| {
        scene.rewrite(4, |receipt| receipt.set_kind(ReceiptKind::Offered));
    }),
    (Rule::LadderBroken, |scene| scene.story().deliveries[1].attempts = 2),
    (Rule::ReceiptMistold, |scene| scene.rewrite(8, |receipt| receipt.asserted_by = "H05".into())),
    (Rule::ReceiptMistold, |scene| scene.rewrite(3, |receipt| receipt.recipient = "H05".into())),
    (Rule::TimeBackwards, |scene| scene.rewrite(5, |receipt| receipt.time.as_mut().unwrap().seconds = 2)),
    (Rule::CallBroken, |scene| {
        scene.facts.push(Fact::Broken { client: "c".into(), what: "INVALID_CURSOR".into() });
    }),
];

#[test]
fn a_run_in_which_all_is_well_passes() {
    let scene = Scene::well();
    let verdict = check(&scene.facts, &scene.ending);
    assert!(verdict.violations.is_empty(), "{}", verdict.told(&scene.facts, &scene.ending));
    let counts = verdict.counts;
    assert_eq!((counts.documents, counts.accepted, counts.repeated), (1, 1, 1));
    assert_eq!((counts.deliveries, counts.redirected), (2, 1));
    assert_eq!((counts.offers, counts.redeliveries, counts.settlements_answered), (3, 1, 3));
    assert_eq!((counts.receipts, counts.watched), (8, 8));
}

#[test]
fn every_broken_promise_is_found_out() {
    for (number, (rule, breach)) in BREACHES.iter().enumerate() {
        let mut scene = Scene::well();
        breach(&mut scene);
        let rules = scene.rules();
        assert!(rules.contains(rule), "breach {number} of {rule:?} was taken for {rules:?}");
        let told = check(&scene.facts, &scene.ending).told(&scene.facts, &scene.ending);
        assert!(told.contains(&format!("{rule:?}")), "{told}");
    }
    for rule in Rule::ALL {
        assert!(BREACHES.iter().any(|(broken, _)| broken == rule), "no run breaks {rule:?}");
    }
}
