//! Point 6: receipts are append-only, numbered without a gap, and visible in the order of their numbers.

use std::sync::Arc;

use truc::domain::delivery::Outcome;
use truc::domain::receipt::Receipt;
use truc::ledger::Ledger;

use super::inspect::{self, assert_gapless};
use super::{LedgerUnderTest, Open};
use crate::support::{dropped, letter, offer, organ, redirected, settle, soon, t};

const SENDERS: [&str; 4] = ["G22", "H49", "H57.12", "H05"];

/// Sends letters to H01 and brings each delivery on its way: six receipts a letter.
async fn send(ledger: Arc<dyn Ledger>, sender: &'static str, name: &'static str, letters: usize) {
    for n in 0..letters {
        let letter = redirected(letter(sender, &format!("{name}{n}"), &["H01"]), "H02", "H05", "decision");
        let accepted = ledger.accept(vec![letter]).await.unwrap().await.unwrap().remove(0).unwrap();
        let [a, b] = [0, 1].map(|n| accepted.deliveries[n].id);
        let steps = vec![
            offer(a, t(2)),
            dropped(a, 1, t(3)),
            offer(b, t(4)),
            settle(b, "H05", 1, Outcome::Delivered, t(5)),
        ];
        assert!(ledger.step(steps).await.unwrap().await.unwrap().iter().all(Result::is_ok));
    }
}

const EACH: usize = 6;

/// Two tasks for each sender, all at once.
async fn race<L: LedgerUnderTest>(open: &Open<L>, name: [&'static str; 2], letters: usize) {
    let tasks: Vec<_> = SENDERS
        .iter()
        .flat_map(|sender| name.map(|name| (sender, name)))
        .map(|(sender, name)| tokio::spawn(send(Arc::clone(&open.ledger), sender, name, letters)))
        .collect();
    for task in tasks {
        soon(task).await.unwrap();
    }
}

pub async fn gapless_per_sender_and_per_message<L: LedgerUnderTest>() {
    let open = Open::<L>::unheard().await;
    race(&open, ["a", "b"], 15).await;
    for sender in SENDERS {
        let receipts = open.receipts(sender).await;
        assert_eq!(receipts.len(), 2 * 15 * EACH);
        assert_gapless(&receipts);
        assert!(receipts.iter().all(|receipt| receipt.sender == organ(sender)));
        for name in ["a0", "b14"] {
            let of_message = receipts.iter().filter(|receipt| receipt.message_id.as_str() == name);
            let (_, tracked) = open.track(sender, name).await.unwrap();
            assert_eq!(tracked, of_message.cloned().collect::<Vec<_>>());
        }
    }
}

pub async fn paged_in_order<L: LedgerUnderTest>() {
    let open = Open::<L>::unheard().await;
    race(&open, ["a", "b"], 5).await;
    let whole = open.receipts("G22").await;
    for page in [1, 7, whole.len() - 1, whole.len(), whole.len() + 1] {
        assert_eq!(inspect::receipts(&*open.ledger, &organ("G22"), page).await, whole, "by {page}");
    }
    for after in [whole.len() as u64, whole.len() as u64 + 1, 1 << 40] {
        assert!(soon(open.ledger.receipts(&organ("G22"), after, 9)).await.unwrap().is_empty());
    }
    assert!(open.receipts("H60").await.is_empty(), "who never sent anything has none");
    assert!(open.receipts("H01").await.is_empty(), "who only received has none");
}

/// Follows a log by its cursor until it has so many, as fast as it can.
async fn follow(ledger: Arc<dyn Ledger>, sender: &'static str, until: usize) -> Vec<Receipt> {
    let mut read: Vec<Receipt> = Vec::new();
    while read.len() < until {
        let next = ledger.receipts(&organ(sender), read.len() as u64, 5).await.unwrap();
        for receipt in next {
            assert_eq!(receipt.sender_sequence, read.len() as u64 + 1, "none is skipped");
            read.push(receipt);
        }
        tokio::task::yield_now().await;
    }
    read
}

pub async fn visible_in_order_while_senders_race<L: LedgerUnderTest>() {
    let open = Open::<L>::unheard().await;
    let readers: Vec<_> = SENDERS
        .iter()
        .map(|sender| tokio::spawn(follow(Arc::clone(&open.ledger), sender, 2 * 15 * EACH)))
        .collect();
    race(&open, ["a", "b"], 15).await;
    for (reader, sender) in readers.into_iter().zip(SENDERS) {
        assert_eq!(soon(reader).await.unwrap(), open.receipts(sender).await, "what was read stays");
    }
}

pub async fn gapless_across_a_kill<L: LedgerUnderTest>() {
    let open = Open::<L>::unheard().await;
    race(&open, ["a", "b"], 3).await;
    let before = open.receipts("G22").await;
    let mut open = open.killed().await;
    open.commits.close();
    race(&open, ["c", "d"], 3).await;
    let mut open = open.reopened().await;
    open.commits.close();
    race(&open, ["e", "f"], 3).await;
    for sender in SENDERS {
        let receipts = open.receipts(sender).await;
        assert_eq!(receipts.len(), 3 * 2 * 3 * EACH);
        assert_gapless(&receipts);
    }
    assert_eq!(open.receipts("G22").await[..before.len()], before);
}

pub async fn a_late_step_does_not_go_back_in_time<L: LedgerUnderTest>() {
    let open = Open::<L>::unheard().await;
    let accepted = open.accepted(letter("G22", "one", &["H49", "H05"])).await;
    let [a, b] = [0, 1].map(|n| accepted.deliveries[n].id);
    open.step(offer(a, t(20))).await.unwrap();
    // Decided by its own time, recorded after what has happened.
    let offered = open.step(offer(b, t(19))).await.unwrap();
    assert_eq!(offered.progress.due_at, Some(t(79)));
    open.step(settle(a, "H49", 1, Outcome::Delivered, t(18))).await.unwrap();
    let open = open.killed().await;
    open.step(settle(b, "H05", 1, Outcome::Delivered, t(21))).await.unwrap();
    let (record, receipts) = open.track("G22", "one").await.unwrap();
    let times: Vec<_> = receipts.iter().map(|receipt| receipt.time).collect();
    assert_eq!(times, [t(1), t(20), t(20), t(20), t(21)]);
    let ended: Vec<_> = record.deliveries.iter().map(|delivery| delivery.ended_at).collect();
    assert_eq!(ended, [Some(t(20)), Some(t(21))]);
    // Another message has its own time.
    let other = open.accepted(letter("G22", "two", &["H49"])).await.deliveries[0].id;
    open.step(offer(other, t(2))).await.unwrap();
    let (_, receipts) = open.track("G22", "two").await.unwrap();
    assert_eq!(receipts[1].time, t(2));
}
