//! Point 5: what is refused and what is repeated changes nothing, and only one of many gets a delivery.

use std::sync::Arc;

use truc::domain::delivery::{DeliveryId, Event, Hold, Lease, Outcome, State, StepRefused, Then};
use truc::domain::receipt::{Cause, ReceiptKind};
use truc::ledger::{Accepted, StepError, StepRequest};

use super::inspect::seen;
use super::{LedgerUnderTest, Open};
use crate::support::{dropped, letter, offer, organ, redirected, settle, soon, step, t};

const ORGANS: [&str; 4] = ["G22", "H49", "H05", "H57"];

fn refused(why: StepRefused) -> StepError {
    StepError::Refused(why)
}

fn rejected() -> Outcome {
    Outcome::Rejected { reason: "no".into() }
}

fn later() -> Outcome {
    Outcome::Deferred { reason: "busy".into(), retry_at: None }
}

async fn three<L: LedgerUnderTest>(open: &Open<L>) -> Accepted {
    open.accepted(redirected(letter("G22", "one", &["H49", "H57"]), "H02", "H05", "decision")).await
}

/// Each request is refused so, alone and all in one batch, and nothing that can be read has changed.
async fn assert_refused<L: LedgerUnderTest>(open: &mut Open<L>, requests: Vec<(StepRequest, StepError)>) {
    let before = seen(&*open.ledger, &ORGANS, t(50), 9).await;
    open.told();
    let (batch, expected): (Vec<_>, Vec<_>) = requests.into_iter().unzip();
    for (request, why) in batch.iter().zip(&expected) {
        assert_eq!(open.step(request.clone()).await, Err(why.clone()), "{request:?}");
    }
    assert_eq!(open.steps(batch).await, expected.into_iter().map(Err).collect::<Vec<_>>());
    assert_eq!(seen(&*open.ledger, &ORGANS, t(50), 9).await, before);
    for commit in open.told() {
        assert!(commit.ready.is_empty() && commit.receipt_heads.is_empty() && commit.due.is_none());
    }
}

pub async fn another_recipient_sees_no_delivery<L: LedgerUnderTest>() {
    let mut open = Open::<L>::new().await;
    let accepted = three(&open).await;
    let [a, _, c] = [0, 1, 2].map(|n| accepted.deliveries[n].id);
    open.step(offer(a, t(2))).await.unwrap();
    open.step(offer(c, t(2))).await.unwrap();
    let on_behalf = |id: &str| StepRequest { recipient: Some(organ(id)), ..offer(a, t(3)) };
    assert_refused(
        &mut open,
        vec![
            (settle(a, "H57", 1, Outcome::Delivered, t(3)), StepError::NotFound),
            (settle(a, "G22", 1, Outcome::Delivered, t(3)), StepError::NotFound),
            (settle(a, "H60", 1, Outcome::Delivered, t(3)), StepError::NotFound),
            // The closed organ it was written to has no say either.
            (settle(c, "H02", 1, rejected(), t(3)), StepError::NotFound),
            (settle(DeliveryId(c.0 + 1_000), "H49", 1, rejected(), t(3)), StepError::NotFound),
            (offer(DeliveryId(0), t(3)), StepError::NotFound),
            (on_behalf("H57"), StepError::NotFound),
            (on_behalf("H49"), refused(StepRefused::NotReady)),
        ],
    )
    .await;
    let stepped = open.step(settle(c, "H05", 1, Outcome::Delivered, t(4))).await.unwrap();
    assert_eq!((stepped.recipient, stepped.addressed_to), (organ("H05"), Some(organ("H02"))));
}

pub async fn refused_leaves_nothing<L: LedgerUnderTest>() {
    let mut open = Open::<L>::new().await;
    let accepted = three(&open).await;
    let [held, queued, done] = [0, 1, 2].map(|n| accepted.deliveries[n].id);
    open.step(offer(held, t(2))).await.unwrap();
    open.step(offer(done, t(2))).await.unwrap();
    open.step(settle(done, "H05", 1, Outcome::Delivered, t(3))).await.unwrap();
    assert_refused(
        &mut open,
        vec![
            (offer(held, t(4)), refused(StepRefused::NotReady)),
            (offer(done, t(4)), refused(StepRefused::NotReady)),
            (step(held, Event::Due, t(4)), refused(StepRefused::NotDue)),
            (step(queued, Event::Due, t(4)), refused(StepRefused::NotDue)),
            (step(done, Event::Due, t(10_000_000)), refused(StepRefused::NotDue)),
            (offer(queued, t(10_000_000)), refused(StepRefused::NotReady)),
            (settle(held, "H49", 2, Outcome::Delivered, t(4)), refused(StepRefused::LeaseLost)),
            (settle(queued, "H57", 0, Outcome::Delivered, t(4)), refused(StepRefused::LeaseLost)),
            (settle(queued, "H57", 1, rejected(), t(4)), refused(StepRefused::LeaseLost)),
            (settle(done, "H05", 1, rejected(), t(4)), refused(StepRefused::Ended(State::Delivered))),
            (settle(done, "H05", 1, later(), t(4)), refused(StepRefused::Ended(State::Delivered))),
            (dropped(queued, 0, t(4)), refused(StepRefused::LeaseLost)),
            (dropped(held, 2, t(4)), refused(StepRefused::LeaseLost)),
            (dropped(done, 1, t(4)), refused(StepRefused::LeaseLost)),
        ],
    )
    .await;
}

pub async fn settled_again_is_unchanged<L: LedgerUnderTest>() {
    let mut open = Open::<L>::new().await;
    let accepted = three(&open).await;
    let [a, b, c] = [0, 1, 2].map(|n| accepted.deliveries[n].id);
    for (delivery, by, outcome) in
        [(a, "H49", Outcome::Delivered), (b, "H57", rejected()), (c, "H05", later())]
    {
        open.step(offer(delivery, t(2))).await.unwrap();
        let first = open.step(settle(delivery, by, 1, outcome.clone(), t(3))).await.unwrap();
        let before = seen(&*open.ledger, &ORGANS, t(50), 9).await;
        open.told();
        let again = settle(delivery, by, 1, outcome, t(4));
        let answers = open.steps(vec![again.clone(), again.clone()]).await;
        assert_eq!(answers, [Ok(first.clone()), Ok(first.clone())]);
        let commits = open.told();
        assert!(commits.iter().all(|commit| commit.ready.is_empty() && commit.receipt_heads.is_empty()));
        open = open.killed().await;
        assert_eq!(open.step(again).await, Ok(first));
        assert_eq!(seen(&*open.ledger, &ORGANS, t(50), 9).await, before);
    }
}

pub async fn an_ended_attempt_is_fenced<L: LedgerUnderTest>() {
    let mut open = Open::<L>::new().await;
    let d = open.accepted(letter("G22", "one", &["H49"])).await.deliveries[0].id;
    open.step(offer(d, t(2))).await.unwrap();
    open.step(dropped(d, 1, t(3))).await.unwrap();
    open.step(offer(d, t(4))).await.unwrap();
    assert_refused(
        &mut open,
        vec![
            (settle(d, "H49", 1, Outcome::Delivered, t(5)), refused(StepRefused::LeaseLost)),
            (settle(d, "H49", 1, later(), t(5)), refused(StepRefused::LeaseLost)),
            (dropped(d, 1, t(5)), refused(StepRefused::LeaseLost)),
        ],
    )
    .await;
    // A lease that ended without another attempt counts: the recipient has the document.
    let waiting = open.step(step(d, Event::Due, t(64))).await.unwrap();
    assert_eq!(waiting.progress.state, State::Waiting);
    let settled = open.step(settle(d, "H49", 2, Outcome::Delivered, t(65))).await.unwrap();
    assert_eq!(settled.progress.state, State::Delivered);
}

/// Eight collectors ask for each of many deliveries at once.
pub async fn one_of_many_collectors_gets_it<L: LedgerUnderTest>() {
    let open = Open::<L>::unheard().await;
    let letters = (0..50).map(|n| letter("G22", &format!("m{n}"), &["H49"])).collect();
    let accepted = open.accept(letters).await;
    let deliveries: Vec<_> = accepted.iter().map(|one| one.as_ref().unwrap().deliveries[0].id).collect();
    let collectors: Vec<_> = (0..8)
        .map(|collector| {
            let (ledger, mut wanted) = (Arc::clone(&open.ledger), deliveries.clone());
            wanted.rotate_left(collector * 6);
            tokio::spawn(async move {
                let mut got = Vec::new();
                for chunk in wanted.chunks(5) {
                    let offers = chunk.iter().map(|id| offer(*id, t(2))).collect();
                    let answers = ledger.step(offers).await.unwrap().await.unwrap();
                    got.extend(answers.into_iter().flatten().map(|stepped| stepped.delivery));
                }
                got
            })
        })
        .collect();
    let mut got = Vec::new();
    for collector in collectors {
        got.extend(soon(collector).await.unwrap());
    }
    got.sort();
    assert_eq!(got, deliveries);
    let offered = open.receipts("G22").await.into_iter().filter(|r| r.kind == ReceiptKind::Offered).count();
    assert_eq!(offered, 50);
}

pub async fn a_batch_is_answered_one_by_one<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let accepted = three(&open).await;
    let [a, b, _] = [0, 1, 2].map(|n| accepted.deliveries[n].id);
    let fetch = Event::Offer { hold: Hold::Fetch, until: t(30) };
    let answers = open
        .steps(vec![
            offer(a, t(2)),
            offer(a, t(2)),
            settle(b, "H57", 1, Outcome::Delivered, t(2)),
            step(b, fetch, t(2)),
            settle(a, "H49", 1, rejected(), t(3)),
            settle(a, "H49", 1, Outcome::Delivered, t(3)),
        ])
        .await;
    let states: Vec<_> = answers.iter().map(|answer| answer.as_ref().map(|s| s.progress.state)).collect();
    assert_eq!(
        states,
        [
            Ok(State::InFlight),
            Err(&refused(StepRefused::NotReady)),
            Err(&refused(StepRefused::LeaseLost)),
            Ok(State::InFlight),
            Ok(State::Rejected),
            Err(&refused(StepRefused::Ended(State::Rejected))),
        ]
    );
    assert_eq!(answers[3].as_ref().unwrap().progress.hold, Some(Hold::Fetch));
    assert_eq!(open.receipts("G22").await.len(), 2 + 3);
}

pub async fn an_attempt_that_is_spared_does_not_count<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let id = open.accepted(letter("G22", "m1", &["H49"])).await.deliveries[0].id;
    let not_taken = |lease, then| {
        let event = Event::NotTaken {
            lease: Lease(lease),
            cause: Cause::PushUnreachable,
            reason: "why".into(),
            then,
        };
        step(id, event, t(3))
    };
    for attempt in 1..=7 {
        open.step(offer(id, t(2))).await.unwrap();
        let spared = open
            .step(not_taken(attempt, Then::Spare { retry_at: t(50), unsent: false }))
            .await
            .unwrap()
            .progress;
        assert_eq!((spared.state, spared.attempt, spared.spared), (State::Queued, attempt, attempt));
    }
    let open = open.killed().await;
    open.step(offer(id, t(2))).await.unwrap();
    let retried = open.step(not_taken(8, Then::Retry { not_before: t(0) })).await.unwrap().progress;
    assert_eq!((retried.state, retried.counted(), retried.due_at), (State::Waiting, 1, Some(t(4))));
    let (record, receipts) = open.track("G22", "m1").await.unwrap();
    assert_eq!(record.deliveries[0].progress, retried);
    let deferred = &receipts[2];
    assert_eq!((deferred.cause, deferred.reason.as_str()), (Some(Cause::PushUnreachable), "why"));
    assert_eq!(deferred.retry_time, Some(t(50)));
}
