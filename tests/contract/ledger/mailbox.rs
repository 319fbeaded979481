//! Points 2 and 4: a mailbox has its bound, exactly, and what goes beyond it leaves nothing.

use std::sync::Arc;

use truc::domain::delivery::{Event, Outcome, State};
use truc::ledger::{AcceptRefused, Acceptance};

use super::inspect::seen;
use super::{LedgerUnderTest, Open, Terms};
use crate::support::{EXPIRY, dropped, forged, letter, offer, organ, redirected, settle, soon, step, t};

async fn bounded<L: LedgerUnderTest>(deliveries: u64) -> Open<L> {
    Open::on(Terms { mailbox_deliveries_max: deliveries, ..Terms::default() }).await
}

fn full(organ_id: &str, open: u64) -> AcceptRefused {
    AcceptRefused::MailboxFull { organ: organ(organ_id), open }
}

fn numbered(n: usize, to: &[&str]) -> Acceptance {
    letter("G22", &format!("m{n}"), to)
}

async fn refused<L: LedgerUnderTest>(open: &Open<L>, letter: Acceptance) -> AcceptRefused {
    open.accept(vec![letter]).await.remove(0).unwrap_err()
}

pub async fn full_is_typed_and_leaves_nothing<L: LedgerUnderTest>() {
    let open = bounded::<L>(2).await;
    for n in 0..2 {
        open.accepted(numbered(n, &["H49"])).await;
    }
    let before = seen(&*open.ledger, &["G22", "H49", "H05"], t(1), 9).await;
    assert_eq!(refused(&open, numbered(2, &["H05", "H49", "H57"])).await, full("H49", 2));
    assert_eq!(seen(&*open.ledger, &["G22", "H49", "H05"], t(1), 9).await, before);
    assert_eq!(open.track("G22", "m2").await, None);
    // Others are served as before, and what was refused may come again, to others.
    let later = open.accepted(numbered(2, &["H05", "H57"])).await;
    assert!(!later.repeated);
    assert_eq!(later.receipt.sender_sequence, 3);
}

pub async fn a_repeat_is_answered_even_when_it_is_full<L: LedgerUnderTest>() {
    let open = bounded::<L>(1).await;
    let given = numbered(0, &["H49"]);
    let first = open.accepted(given.clone()).await;
    let again = open.accepted(given.clone()).await;
    assert_eq!(
        (again.repeated, &again.receipt, &again.deliveries),
        (true, &first.receipt, &first.deliveries)
    );
    let conflict = refused(&open, forged(given)).await;
    assert!(matches!(conflict, AcceptRefused::Conflict { .. }), "{conflict:?}");
}

pub async fn full_is_exact_under_a_race<L: LedgerUnderTest>() {
    let open = bounded::<L>(100).await;
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let ledger = Arc::clone(&open.ledger);
            tokio::spawn(async move {
                let mut answers = Vec::new();
                for batch in 0..10 {
                    let numbers = (0..3).map(|n| task * 1_000 + batch * 10 + n);
                    let letters = numbers.map(|n| numbered(n, &["H49"])).collect();
                    answers.extend(ledger.accept(letters).await.unwrap().await.unwrap());
                }
                answers
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.extend(soon(task).await.unwrap());
    }
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 100);
    assert!(answers.iter().flat_map(|answer| answer.as_ref().err()).all(|why| *why == full("H49", 100)));
    assert_eq!(open.receipts("G22").await.len(), 100);
}

/// Two addressees may come to one organ, where a closed one was redirected to the other.
pub async fn two_deliveries_of_one_message_are_two<L: LedgerUnderTest>() {
    let open = bounded::<L>(3).await;
    open.accepted(redirected(numbered(0, &["H05"]), "H02", "H05", "09/2025/QĐ-TTg")).await;
    let both = redirected(numbered(1, &["H05"]), "H02", "H05", "09/2025/QĐ-TTg");
    assert_eq!(refused(&open, both).await, full("H05", 2));
    open.accepted(numbered(1, &["H05"])).await;
    assert_eq!(refused(&open, numbered(2, &["H05"])).await, full("H05", 3));
}

pub async fn only_an_end_makes_room<L: LedgerUnderTest>() {
    let open = bounded::<L>(1).await;
    let delivery = open.accepted(numbered(0, &["H49"])).await.deliveries[0].id;
    let mut now = t(10);
    // In flight, waiting and dead ones are open still.
    for attempt in 1..=5 {
        open.step(offer(delivery, now)).await.unwrap();
        assert_eq!(refused(&open, numbered(1, &["H49"])).await, full("H49", 1));
        let stands = open.step(dropped(delivery, attempt, now)).await.unwrap().progress;
        assert_eq!(refused(&open, numbered(1, &["H49"])).await, full("H49", 1), "{:?}", stands.state);
        if stands.state == State::Waiting {
            now = stands.due_at.unwrap();
            open.step(step(delivery, Event::Due, now)).await.unwrap();
        }
    }
    let expired = open.step(step(delivery, Event::Due, t(EXPIRY))).await.unwrap();
    assert_eq!(expired.progress.state, State::Expired);
    let next = open.accepted(numbered(1, &["H49"])).await.deliveries[0].id;
    assert_eq!(refused(&open, numbered(2, &["H49"])).await, full("H49", 1));
    open.step(offer(next, t(10))).await.unwrap();
    for _ in 0..2 {
        // Said twice, it makes room once.
        open.step(settle(next, "H49", 1, Outcome::Delivered, t(11))).await.unwrap();
    }
    open.accepted(numbered(2, &["H49"])).await;
    assert_eq!(refused(&open, numbered(3, &["H49"])).await, full("H49", 1));
}

pub async fn the_bound_holds_across_a_kill<L: LedgerUnderTest>() {
    let open = bounded::<L>(2).await;
    let first = open.accepted(numbered(0, &["H49"])).await.deliveries[0].id;
    open.accepted(numbered(1, &["H49"])).await;
    let open = open.killed().await;
    assert_eq!(refused(&open, numbered(2, &["H49"])).await, full("H49", 2));
    open.step(offer(first, t(10))).await.unwrap();
    let no = Outcome::Rejected { reason: "no".into() };
    open.step(settle(first, "H49", 1, no, t(11))).await.unwrap();
    let open = open.reopened().await;
    open.accepted(numbered(2, &["H49"])).await;
    assert_eq!(refused(&open, numbered(3, &["H49"])).await, full("H49", 2));
}
