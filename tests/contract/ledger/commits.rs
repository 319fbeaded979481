//! Point 7: commits are told, before the answers, and what they tell of can be read.

use std::collections::HashMap;
use std::sync::Arc;

use truc::domain::delivery::{DeliveryId, Event, Outcome};
use truc::domain::message::Lane;
use truc::domain::time::Timestamp;
use truc::ledger::{Commit, Commits, Ledger};

use super::{LedgerUnderTest, Open};
use crate::support::{dropped, forged, letter, offer, organ, settle, soon, step, t, urgent, with};

/// What was told since the last look, the commits taken together.
#[derive(Debug, Default, PartialEq)]
struct Told {
    ready: Vec<DeliveryId>,
    heads: Vec<(&'static str, u64)>,
    due: Option<Timestamp>,
}

const SENDERS: [&str; 3] = ["G22", "H49", "H05"];

fn told<L: LedgerUnderTest>(open: &mut Open<L>) -> Told {
    let mut told = Told::default();
    for commit in open.told() {
        told.ready.extend(commit.ready.iter().map(|became| became.ready.delivery));
        let name = |id| SENDERS.into_iter().find(|name| organ(name) == id).unwrap();
        told.heads.extend(commit.receipt_heads.into_iter().map(|(id, head)| (name(id), head)));
        told.due = [told.due, commit.due].into_iter().flatten().min();
    }
    told.heads.sort();
    told
}

pub async fn told_before_the_answer<L: LedgerUnderTest>() {
    let mut open = Open::<L>::new().await;
    for n in 1..=50 {
        let accepted = open.accepted(letter("G22", &format!("m{n}"), &["H49", "H05"])).await;
        let ids: Vec<_> = accepted.deliveries.iter().map(|delivery| delivery.id).collect();
        let now = told(&mut open);
        assert_eq!((now.ready, now.heads), (ids.clone(), vec![("G22", accepted.receipt.sender_sequence)]));
        open.step(offer(ids[0], t(2))).await.unwrap();
        assert_eq!(told(&mut open).heads, [("G22", accepted.receipt.sender_sequence + 1)]);
    }
}

pub async fn heads_and_due_times<L: LedgerUnderTest>() {
    let mut open = Open::<L>::new().await;
    let expiring = |letter, at| with(letter, |message| message.expires_at = at);
    let batch = vec![
        expiring(letter("G22", "one", &["H49"]), t(5_000)),
        expiring(letter("H49", "two", &["G22", "H05"]), t(3_000)),
        expiring(letter("G22", "three", &["H05"]), t(4_000)),
    ];
    let answers = open.accept(batch.clone()).await;
    let ids: Vec<_> =
        answers.iter().flat_map(|answer| &answer.as_ref().unwrap().deliveries).map(|d| d.id).collect();
    let heads = vec![("G22", 2), ("H49", 1)];
    assert_eq!(told(&mut open), Told { ready: ids.clone(), heads, due: Some(t(3_000)) });
    // Repeats and refusals change nothing that anybody waits for.
    open.accept(vec![batch[0].clone(), forged(batch[1].clone())]).await;
    open.step(offer(DeliveryId(1 << 40), t(9))).await.unwrap_err();
    soon(open.ledger.probe()).await.unwrap();
    assert_eq!(told(&mut open), Told::default());
    open.steps(vec![offer(ids[0], t(20)), offer(ids[1], t(10))]).await;
    let heads = vec![("G22", 3), ("H49", 2)];
    assert_eq!(told(&mut open), Told { ready: vec![], heads, due: Some(t(70)) });
    open.step(settle(ids[1], "G22", 1, Outcome::Delivered, t(30))).await.unwrap();
    assert_eq!(told(&mut open), Told { ready: vec![], heads: vec![("H49", 3)], due: None });
}

pub async fn an_old_delivery_is_told_when_ready_again<L: LedgerUnderTest>() {
    let mut open = Open::<L>::new().await;
    let accepted = open.accepted(urgent(letter("G22", "one", &["H49"]))).await;
    let d = accepted.deliveries[0].id;
    open.told();
    open.step(offer(d, t(2))).await.unwrap();
    open.step(dropped(d, 1, t(3))).await.unwrap();
    let commits = open.told();
    let became: Vec<_> = commits.iter().flat_map(|commit| &commit.ready).collect();
    assert_eq!(became.len(), 1, "ready at once: {became:?}");
    let ready = soon(open.ledger.ready(&organ("H49"), Lane::Urgent, DeliveryId(0), 9)).await.unwrap();
    assert_eq!((&became[0].organ, became[0].lane), (&organ("H49"), Lane::Urgent));
    assert_eq!([became[0].ready], ready[..]);
    assert_eq!(became[0].ready.payload_bytes, "payload of one".len() as u64);
    let later = Outcome::Deferred { reason: "busy".into(), retry_at: Some(t(100)) };
    open.step(offer(d, t(4))).await.unwrap();
    open.step(settle(d, "H49", 2, later, t(5))).await.unwrap();
    let now = told(&mut open);
    assert_eq!((now.ready, now.due), (vec![], Some(t(64))), "waiting is not ready");
    open.step(step(d, Event::Due, t(100))).await.unwrap();
    let now = told(&mut open);
    assert_eq!((now.ready, now.heads), (vec![d], vec![]), "ready again, which leaves no receipt");
}

/// Senders race; the commits are collected as they come.
async fn race<L: LedgerUnderTest>(
    open: &mut Open<L>,
    each: usize,
) -> (Vec<tokio::task::JoinHandle<()>>, Commits) {
    let commits = std::mem::replace(&mut open.commits, tokio::sync::mpsc::channel(1).1);
    let send = |sender: &'static str| {
        let ledger = Arc::clone(&open.ledger);
        tokio::spawn(async move {
            for n in 0..each {
                let one = letter(sender, &format!("n{n}"), &["H57", "H49"]);
                let two = urgent(letter(sender, &format!("u{n}"), &["H57"]));
                ledger.accept(vec![one, two]).await.unwrap().await.unwrap();
            }
        })
    };
    (SENDERS.into_iter().map(send).collect(), commits)
}

/// Commits until they told of so many deliveries.
async fn until_told(commits: &mut Commits, deliveries: usize) -> Vec<Commit> {
    let mut told = Vec::new();
    let mut seen = 0;
    while seen < deliveries {
        let commit = soon(commits.recv()).await.unwrap();
        seen += commit.ready.len();
        told.push(commit);
    }
    told
}

pub async fn in_the_order_of_the_mailboxes<L: LedgerUnderTest>() {
    const EACH: usize = 40;
    let mut open = Open::<L>::new().await;
    let (senders, mut commits) = race(&mut open, EACH).await;
    let told = until_told(&mut commits, SENDERS.len() * EACH * 3).await;
    for sender in senders {
        soon(sender).await.unwrap();
    }
    let mut lanes: HashMap<_, Vec<_>> = HashMap::new();
    let mut heads: HashMap<_, Vec<u64>> = HashMap::new();
    for commit in told {
        for became in commit.ready {
            lanes.entry((became.organ, became.lane)).or_default().push(became.ready);
        }
        for (sender, head) in commit.receipt_heads {
            heads.entry(sender).or_default().push(head);
        }
    }
    for id in ["H57", "H49"] {
        for lane in Lane::ALL {
            let told = lanes.remove(&(organ(id), lane)).unwrap_or_default();
            let ready = soon(open.ledger.ready(&organ(id), lane, DeliveryId(0), usize::MAX)).await.unwrap();
            assert_eq!(told, ready, "each once, in order, in lane {lane:?} of {id}");
        }
    }
    assert!(lanes.is_empty());
    for heads in heads.into_values() {
        assert!(heads.is_sorted_by(|a, b| a < b), "{heads:?}");
        assert_eq!(heads.last(), Some(&(2 * EACH as u64)));
    }
}

pub async fn whoever_is_told_can_read_it<L: LedgerUnderTest>() {
    const EACH: usize = 20;
    let mut open = Open::<L>::new().await;
    let (senders, mut commits) = race(&mut open, EACH).await;
    let mut left = SENDERS.len() * EACH * 3;
    while left > 0 {
        let commit = soon(commits.recv()).await.unwrap();
        left -= commit.ready.len();
        read_back(&*open.ledger, commit).await;
    }
    for sender in senders {
        soon(sender).await.unwrap();
    }
}

async fn read_back(ledger: &dyn Ledger, commit: Commit) {
    for (sender, head) in commit.receipt_heads {
        let receipts = soon(ledger.receipts(&sender, head - 1, 1)).await.unwrap();
        assert_eq!(receipts.first().map(|receipt| receipt.sender_sequence), Some(head));
    }
    for became in commit.ready {
        let before = DeliveryId(became.ready.delivery.0 - 1);
        let ready = soon(ledger.ready(&became.organ, became.lane, before, 1)).await.unwrap();
        assert_eq!(ready, [became.ready]);
        let messages = soon(ledger.messages(vec![became.ready.message])).await.unwrap();
        assert_eq!(messages.len(), 1);
        if let Some(at_hand) = became.message {
            assert_eq!(messages[0].1, at_hand);
        }
    }
    if let Some(due) = commit.due {
        assert!(soon(ledger.next_due()).await.unwrap().is_some_and(|next| next <= due));
    }
}
