//! Points 1 and 2: durable before answered, all or nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use truc::domain::delivery::{Outcome, State};
use truc::ledger::{AcceptAnswers, Pending};

use super::inspect::{assert_gapless, seen};
use super::{LedgerUnderTest, Open};
use crate::support::{dropped, letter, offer, organ, redirected, settle, soon, t, urgent};

const ORGANS: [&str; 5] = ["G22", "H49", "H05", "H02", "H57.12"];

/// Something of everything: several recipients, a redirection, both lanes, open and ended deliveries.
async fn some_history<L: LedgerUnderTest>(open: &Open<L>) {
    let first = open.accepted(letter("G22", "first", &["H49", "H57.12"])).await;
    let second = redirected(letter("G22", "second", &["H49"]), "H02", "H05", "09/2025/QĐ-TTg");
    let second = open.accepted(second).await;
    open.accepted(urgent(letter("H49", "third", &["G22", "H57.12"]))).await;
    let [a, b] = [first.deliveries[0].id, first.deliveries[1].id];
    let c = second.deliveries[1].id;
    for request in [
        offer(a, t(2)),
        offer(b, t(3)),
        offer(c, t(3)),
        settle(a, "H49", 1, Outcome::Delivered, t(4)),
        dropped(b, 1, t(5)),
        settle(c, "H05", 1, Outcome::Rejected { reason: "sai nơi nhận".into() }, t(6)),
        offer(b, t(7)),
    ] {
        open.step(request).await.unwrap();
    }
}

pub async fn answered_survives_a_reopen<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    some_history(&open).await;
    let before = seen(&*open.ledger, &ORGANS, t(70), 2).await;
    let open = open.reopened().await;
    assert_eq!(seen(&*open.ledger, &ORGANS, t(70), 3).await, before);
    assert_eq!(before.due.len(), 1, "the lease of one delivery has ended by then");
}

pub async fn answered_survives_a_kill<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    some_history(&open).await;
    let before = seen(&*open.ledger, &ORGANS, t(70), 2).await;
    let open = open.killed().await;
    assert_eq!(seen(&*open.ledger, &ORGANS, t(70), 3).await, before);
}

pub async fn numbers_go_on_after_a_kill<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    some_history(&open).await;
    let before = open.receipts("G22").await;
    let last = open.track("H49", "third").await.unwrap().0;
    let open = open.killed().await;
    let next = open.accepted(letter("G22", "next", &["H49"])).await;
    assert_eq!(next.receipt.sender_sequence, before.len() as u64 + 1);
    assert!(next.deliveries[0].id > last.deliveries[1].id);
    assert!(open.track("G22", "next").await.unwrap().0.key > last.key);
    let after = open.receipts("G22").await;
    assert_eq!(after[..before.len()], before);
    assert_gapless(&after);
}

/// Letters are handed over by the batch while others are being written; the kill comes when some are answered.
pub async fn a_kill_under_load_leaves_whole_operations_in_order<L: LedgerUnderTest>() {
    const BATCHES: usize = 120;
    const BATCH: usize = 5;
    let open = Open::<L>::unheard().await;
    let ledger = Arc::clone(&open.ledger);
    let (handed, mut pending) = tokio::sync::mpsc::channel::<Pending<AcceptAnswers>>(BATCHES);
    let caller = tokio::spawn(async move {
        for batch in 0..BATCHES {
            let letters =
                (0..BATCH).map(|n| letter("G22", &format!("m{}", batch * BATCH + n), &["H49", "H05"]));
            handed.send(ledger.accept(letters.collect()).await.unwrap()).await.unwrap();
        }
    });
    let mut answered = 0;
    while answered < BATCHES / 3 {
        let answers = soon(soon(pending.recv()).await.unwrap()).await.unwrap();
        assert!(answers.iter().all(Result::is_ok));
        answered += 1;
    }
    let rest: VecDeque<_> = {
        soon(caller).await.unwrap();
        std::iter::from_fn(|| pending.try_recv().ok()).collect()
    };
    let open = open.killed().await;
    drop(rest);
    let mut sent = soon(open.ledger.sent(&organ("G22"), None, usize::MAX)).await.unwrap();
    sent.reverse();
    assert!(sent.len() >= answered * BATCH, "{} of {answered} answered batches are there", sent.len());
    for (n, record) in sent.iter().enumerate() {
        assert_eq!(record.message.message_id.as_str(), format!("m{n}"), "none is left out");
        assert_eq!(record.deliveries.len(), 2, "each is there wholly");
        assert!(record.deliveries.iter().all(|delivery| delivery.progress.state == State::Queued));
    }
    let receipts = open.receipts("G22").await;
    assert_eq!(receipts.len(), sent.len());
    assert_gapless(&receipts);
}
