//! Point 3: in the order in which they were handed over.

use std::sync::Arc;

use tokio::sync::Mutex;
use truc::domain::delivery::{Event, Outcome, State, StepRefused};
use truc::ledger::{Accepted, StepError};

use super::inspect::assert_gapless;
use super::{LedgerUnderTest, Open};
use crate::support::{letter, offer, organ, settle, soon, step, t};

/// Callers hand over one after the other, and await the answers all at once: the order is of the handing over.
pub async fn as_handed_over_by_many_callers<L: LedgerUnderTest>() {
    let open = Open::<L>::unheard().await;
    let turn = Arc::new(Mutex::new(0));
    let callers: Vec<_> = (0..8)
        .map(|caller| {
            let (ledger, turn) = (Arc::clone(&open.ledger), Arc::clone(&turn));
            tokio::spawn(async move {
                let mut accepted: Vec<(usize, Accepted)> = Vec::new();
                for batch in 0..20 {
                    let ids = (0..=caller % 3).map(|n| format!("{caller}.{batch}.{n}"));
                    let letters = ids.map(|id| letter("G22", &id, &["H49", "H05"])).collect();
                    let (place, pending) = {
                        let mut turn = turn.lock().await;
                        let pending = ledger.accept(letters).await.unwrap();
                        *turn += 1;
                        (*turn, pending)
                    };
                    accepted
                        .extend(pending.await.unwrap().into_iter().map(|answer| (place, answer.unwrap())));
                }
                accepted
            })
        })
        .collect();
    let mut accepted = Vec::new();
    for caller in callers {
        accepted.extend(soon(caller).await.unwrap());
    }
    // Stable: the order within a batch is that of its answers.
    accepted.sort_by_key(|(place, _)| *place);
    let ids: Vec<_> = accepted.iter().flat_map(|(_, one)| one.deliveries.iter().map(|d| d.id)).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "delivery ids rise");
    let numbers: Vec<_> = accepted.iter().map(|(_, one)| one.receipt.sender_sequence).collect();
    assert_eq!(numbers, (1..=accepted.len() as u64).collect::<Vec<_>>());
    let mut sent = soon(open.ledger.sent(&organ("G22"), None, usize::MAX)).await.unwrap();
    sent.reverse();
    assert!(sent.is_sorted_by(|a, b| a.key < b.key), "message keys rise");
    let sent: Vec<_> = sent.into_iter().map(|record| record.message.message_id).collect();
    assert_eq!(sent, accepted.into_iter().map(|(_, one)| one.receipt.message_id).collect::<Vec<_>>());
}

/// More than the queue holds is handed over, and no answer is awaited but that of the last.
pub async fn what_nobody_awaits_takes_effect<L: LedgerUnderTest>() {
    let open = Open::<L>::unheard().await;
    for n in 0..200 {
        drop(soon(open.ledger.accept(vec![letter("G22", &format!("m{n}"), &["H49"])])).await.unwrap());
    }
    let last = open.accepted(letter("G22", "last", &["H49"])).await;
    assert_eq!(last.receipt.sender_sequence, 201);
    let receipts = open.receipts("G22").await;
    assert_eq!(receipts.len(), 201);
    assert_gapless(&receipts);
    drop(soon(open.ledger.step(vec![offer(last.deliveries[0].id, t(2))])).await.unwrap());
    soon(open.ledger.probe()).await.unwrap();
    let (record, _) = open.track("G22", "last").await.unwrap();
    assert_eq!(record.deliveries[0].progress.state, State::InFlight);
    // Closed in good order, it finishes what it was given.
    for n in 0..10 {
        drop(soon(open.ledger.accept(vec![letter("G22", &format!("end{n}"), &["H49"])])).await.unwrap());
    }
    let open = open.reopened().await;
    assert_eq!(open.receipts("G22").await.len(), 212);
}

/// Operations of both kinds handed over without waiting: each sees what those before it did.
pub async fn acceptances_and_steps_share_one_order<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let delivery = open.accepted(letter("G22", "one", &["H49"])).await.deliveries[0].id;
    let ledger = &open.ledger;
    let first = soon(ledger.step(vec![offer(delivery, t(2))])).await.unwrap();
    let between = soon(ledger.accept(vec![letter("G22", "two", &["H49"])])).await.unwrap();
    let early =
        soon(ledger.step(vec![step(delivery, Event::Due, t(3)), offer(delivery, t(3))])).await.unwrap();
    let settled = vec![settle(delivery, "H49", 1, Outcome::Delivered, t(4))];
    let settled = soon(ledger.step(settled)).await.unwrap();
    let late = soon(ledger.step(vec![offer(delivery, t(5))])).await.unwrap();
    // The answers are there in any order of asking.
    assert_eq!(soon(late).await.unwrap(), [Err(StepError::Refused(StepRefused::NotReady))]);
    assert_eq!(soon(settled).await.unwrap()[0].as_ref().unwrap().progress.state, State::Delivered);
    assert_eq!(
        soon(early).await.unwrap(),
        [Err(StepRefused::NotDue.into()), Err(StepRefused::NotReady.into())]
    );
    // Accepted 1, offered 2, accepted 3, delivered 4.
    assert_eq!(soon(between).await.unwrap()[0].as_ref().unwrap().receipt.sender_sequence, 3);
    assert_eq!(soon(first).await.unwrap()[0].as_ref().unwrap().progress.attempt, 1);
    assert_eq!(open.receipts("G22").await.len(), 4);
}
