//! Several nodes on one ledger: whoever does something, it is done once, and all see it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use truc::domain::delivery::{DeliveryId, Outcome, StepRefused};
use truc::domain::message::Lane;
use truc::domain::receipt::ReceiptKind;
use truc::ledger::{Ledger, StepError};

use super::{Node, Postgres};
use crate::ledger::inspect::{assert_gapless, ready, receipts};
use crate::ledger::{LedgerUnderTest, Terms};
use crate::support::{EXPIRY, dropped, letter, offer, organ, settle, soon, t};

async fn place() -> Postgres {
    Postgres::create(Terms::default()).await
}

async fn ids_of(node: &Node, letters: usize) -> Vec<DeliveryId> {
    let letters = (0..letters).map(|n| letter("G22", &format!("m{n}"), &["H49"])).collect();
    node.accepted(letters).await.iter().map(|accepted| accepted.deliveries[0].id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_offer_is_granted_at_one_node() {
    let place = place().await;
    let (mut a, mut b) = tokio::join!(place.node("a"), place.node("b"));
    a.commits.close();
    b.commits.close();
    let ids = ids_of(&a, 300).await;
    let collect = |ledger: &Arc<dyn Ledger>, shift: usize| {
        let (ledger, mut wanted) = (Arc::clone(ledger), ids.clone());
        wanted.rotate_left(shift);
        tokio::spawn(async move {
            let mut got = Vec::new();
            for chunk in wanted.chunks(7) {
                let offers = chunk.iter().map(|id| offer(*id, t(2))).collect();
                let answers = ledger.step(offers).await.unwrap().await.unwrap();
                got.extend(answers.into_iter().flatten().map(|stepped| stepped.delivery));
            }
            got
        })
    };
    let collectors =
        [collect(&a.ledger, 0), collect(&b.ledger, 20), collect(&a.ledger, 100), collect(&b.ledger, 0)];
    let mut got = Vec::new();
    for collector in collectors {
        got.extend(soon(collector).await.unwrap());
    }
    got.sort();
    assert_eq!(got, ids);
    let log = receipts(&*b.ledger, &organ("G22"), 500).await;
    assert_gapless(&log);
    assert_eq!(log.iter().filter(|receipt| receipt.kind == ReceiptKind::Offered).count(), 300);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_taken_over_by_another_node_is_lost() {
    let place = place().await;
    let (a, b) = tokio::join!(place.node("a"), place.node("b"));
    let id = ids_of(&a, 1).await[0];
    a.steps(vec![offer(id, t(2))]).await.remove(0).unwrap();
    for answer in b.steps(vec![dropped(id, 1, t(3)), offer(id, t(4))]).await {
        answer.unwrap();
    }
    let late = a.steps(vec![settle(id, "H49", 1, Outcome::Delivered, t(5))]).await;
    assert_eq!(late, [Err(StepError::Refused(StepRefused::LeaseLost))]);
    a.steps(vec![settle(id, "H49", 2, Outcome::Delivered, t(6))]).await.remove(0).expect("any node takes it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_message_sent_to_two_nodes_is_accepted_once() {
    let place = place().await;
    let (mut a, mut b) = tokio::join!(place.node("a"), place.node("b"));
    a.commits.close();
    b.commits.close();
    let send = async |node: &Node| {
        let mut all = Vec::new();
        for batch in 0..40 {
            let letters = (0..5).map(|n| letter("G22", &format!("m{batch}.{n}"), &["H49", "H05"])).collect();
            all.extend(node.accepted(letters).await);
        }
        all
    };
    let (at_a, at_b) = tokio::join!(send(&a), send(&b));
    for (one, other) in at_a.iter().zip(&at_b) {
        assert_ne!(one.repeated, other.repeated);
        assert_eq!((&one.receipt, &one.deliveries), (&other.receipt, &other.deliveries));
    }
    assert_eq!(receipts(&*a.ledger, &organ("G22"), 500).await.len(), 200);
}

/// So long nothing stands still, however much else the machine does: how long all of it takes is that machine's matter.
const STILL_MAX: Duration = Duration::from_secs(60);
/// Readers who found nothing leave the database to the writers for so long.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Waits a moment after a look in vain, but not for ever.
async fn look_again(since: Instant) {
    assert!(since.elapsed() < STILL_MAX, "nothing has come for {STILL_MAX:?}");
    tokio::time::sleep(LOOK_AGAIN).await;
}

/// Follows a log by its cursor until it has so many: what is read is never preceded by what comes later.
async fn follow(ledger: Arc<dyn Ledger>, sender: &'static str, until: usize) {
    let (mut read, mut moved) = (0, Instant::now());
    while read < until {
        let page = ledger.receipts(&organ(sender), read as u64, 200).await.unwrap();
        match page.is_empty() {
            true => look_again(moved).await,
            false => moved = Instant::now(),
        }
        for receipt in page {
            read += 1;
            assert_eq!(receipt.sender_sequence, read as u64, "a hole in the log of {sender}");
        }
    }
}

/// Follows a lane likewise; its numbers rise, with others in between.
async fn follow_lane(ledger: Arc<dyn Ledger>, recipient: &'static str, until: usize) -> Vec<DeliveryId> {
    let (mut seen, mut moved): (Vec<DeliveryId>, _) = (Vec::new(), Instant::now());
    while seen.len() < until {
        let after = seen.last().copied().unwrap_or(DeliveryId(0));
        let page = ledger.ready(&organ(recipient), Lane::Normal, after, 200).await.unwrap();
        match page.is_empty() {
            true => look_again(moved).await,
            false => moved = Instant::now(),
        }
        seen.extend(page.iter().map(|ready| ready.delivery));
    }
    seen
}

/// 24,000 receipts, by two senders at two nodes, read at both and at a third.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_cursor_passes_what_commits_late() {
    const BATCHES: usize = 60;
    const BATCH: usize = 50;
    const EACH: usize = 4 * BATCHES * BATCH;
    let place = place().await;
    let (mut a, mut b) = tokio::join!(place.node("a"), place.node("b"));
    let mut c = place.node("c").await;
    for node in [&mut a, &mut b, &mut c] {
        node.commits.close();
    }
    let send = |ledger: &Arc<dyn Ledger>, sender: &'static str, to: &'static str, task: &'static str| {
        let ledger = Arc::clone(ledger);
        tokio::spawn(async move {
            for batch in 0..BATCHES {
                let letters =
                    (0..BATCH).map(|n| letter(sender, &format!("{task}.{batch}.{n}"), &[to])).collect();
                let accepting = async { ledger.accept(letters).await.unwrap().await.unwrap() };
                let answers = tokio::time::timeout(STILL_MAX, accepting).await.unwrap();
                assert!(answers.iter().all(Result::is_ok));
            }
        })
    };
    let mut tasks = Vec::new();
    for (name, node) in [("a1", &a), ("b1", &b), ("a2", &a), ("b2", &b)] {
        tasks.push(send(&node.ledger, "G22", "H01", name));
        tasks.push(send(&node.ledger, "H49", "H01", name));
    }
    for (node, sender) in [(&a, "G22"), (&b, "H49"), (&c, "G22")] {
        tasks.push(tokio::spawn(follow(Arc::clone(&node.ledger), sender, EACH)));
    }
    let lane = tokio::spawn(follow_lane(Arc::clone(&c.ledger), "H01", 2 * EACH));
    for task in tasks {
        task.await.unwrap();
    }
    let seen = lane.await.unwrap();
    let all = ready(&*a.ledger, &organ("H01"), Lane::Normal, 10_000).await;
    assert_eq!(seen, all.iter().map(|ready| ready.delivery).collect::<Vec<_>>(), "each, in order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_node_leaves_its_work_to_the_others() {
    let place = place().await;
    let mut options = [place.options("a").await, place.options("b").await];
    options.iter_mut().for_each(|options| options.node_timeout = Duration::from_secs(1));
    let [a, b] = options.map(Node::open);
    let (a, mut b) = tokio::join!(a, b);
    let ids = ids_of(&a, 20).await;
    a.steps(ids[..5].iter().map(|id| offer(*id, t(2))).collect()).await;
    let unpublished = async |node: &Node| soon(node.ledger.unpublished(DeliveryId(0), 100)).await.unwrap();
    let held = async |node: &Node| soon(node.ledger.held_by_streams(100)).await.unwrap();
    let mine: Vec<_> = unpublished(&a).await.iter().map(|became| became.ready).collect();
    assert_eq!(mine.len(), 20);
    soon(soon(a.ledger.published(mine[..8].to_vec())).await.unwrap()).await.unwrap();
    while let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(300), b.commits.recv()).await {}
    assert_eq!((unpublished(&b).await.len(), held(&b).await.len()), (0, 0), "it is at work");
    place.cut_off(&a.role).await;
    b.told_to_look().await;
    let left: Vec<_> = unpublished(&b).await.iter().map(|became| became.ready).collect();
    assert_eq!(left, mine[8..]);
    let held: HashSet<_> = held(&b).await.into_iter().collect();
    assert_eq!(held, ids[..5].iter().map(|id| (*id, 1)).collect());
    soon(soon(b.ledger.published(left)).await.unwrap()).await.unwrap();
    assert!(unpublished(&b).await.is_empty());
    std::thread::spawn(move || drop(a));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_leaves_says_so() {
    let place = place().await;
    let (a, mut b) = tokio::join!(place.node("a"), place.node("b"));
    ids_of(&a, 3).await;
    while let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(300), b.commits.recv()).await {}
    assert!(soon(b.ledger.unpublished(DeliveryId(0), 10)).await.unwrap().is_empty());
    drop(a);
    tokio::time::timeout(Duration::from_secs(2), b.told_to_look()).await.expect("not only when it is missed");
    assert_eq!(soon(b.ledger.unpublished(DeliveryId(0), 10)).await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_taken_off_joins_anew_and_goes_on() {
    let place = place().await;
    let mut a = place.node("a").await;
    let ids = ids_of(&a, 3).await;
    a.steps(vec![offer(ids[0], t(2))]).await.remove(0).unwrap();
    place.server.say(&place.database, "DELETE FROM node").await;
    let next = a.accepted(vec![letter("G22", "next", &["H49"])]).await.remove(0);
    assert!(!next.repeated);
    a.told_to_look().await;
    assert_eq!(soon(a.ledger.unpublished(DeliveryId(0), 10)).await.unwrap().len(), 4, "old and new");
    let held = soon(a.ledger.held_by_streams(10)).await.unwrap();
    assert_eq!(held, [(ids[0], 1)], "others may have taken it over meanwhile");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_commits_the_others_are_told() {
    let place = place().await;
    let (a, mut b) = tokio::join!(place.node("a"), place.node("b"));
    ids_of(&a, 3).await;
    let (mut head, mut due) = (0, None);
    while head < 3 || due.is_none() {
        let commit = soon(b.commits.recv()).await.unwrap();
        assert!(commit.ready.is_empty(), "that is the other's to publish");
        head = commit.receipt_heads.into_iter().map(|(_, head)| head).max().unwrap_or(head);
        due = due.or(commit.due);
    }
    assert_eq!((head, due), (3, Some(t(EXPIRY))));
}
