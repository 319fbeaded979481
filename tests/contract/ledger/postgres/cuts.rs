//! What became of a commit is known, however the connection was cut.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use truc::domain::delivery::{DeliveryId, Outcome};
use truc::domain::receipt::ReceiptKind;
use truc::ledger::Ledger;

use super::proxy::Proxy;
use super::{Node, Postgres};
use crate::ledger::inspect::{assert_gapless, receipts, sent};
use crate::ledger::{LedgerUnderTest, Terms};
use crate::support::{letter, offer, organ, settle, t};

const TASKS: usize = 4;
const SENDERS: [&str; TASKS] = ["G22", "H49", "H05", "H57.12"];

/// Accepts, offers and settles `letters` one after the other: each answer is the first there is.
async fn work(ledger: Arc<dyn Ledger>, sender: &'static str, letters: usize) -> Vec<DeliveryId> {
    let mut ids = Vec::new();
    for n in 0..letters {
        let accepted = ledger.accept(vec![letter(sender, &format!("m{n}"), &["H01"])]).await.unwrap().await;
        let accepted = accepted.unwrap().remove(0).unwrap();
        assert!(!accepted.repeated, "the answer to {n} of {sender} was lost");
        let id = accepted.deliveries[0].id;
        ledger
            .step(vec![offer(id, t(2))])
            .await
            .unwrap()
            .await
            .unwrap()
            .remove(0)
            .expect("offered for the first time");
        let end = settle(id, "H01", 1, Outcome::Delivered, t(3));
        ledger.step(vec![end]).await.unwrap().await.unwrap().remove(0).unwrap();
        ids.push(id);
    }
    ids
}

/// All of them, at once; then looks whether each was done once.
async fn all_done_once(node: &Node, letters: usize) {
    let tasks = SENDERS.map(|sender| tokio::spawn(work(Arc::clone(&node.ledger), sender, letters)));
    let mut ids = HashSet::new();
    for task in tasks {
        let done = tokio::time::timeout(Duration::from_secs(90), task).await.unwrap().unwrap();
        assert!(done.into_iter().all(|id| ids.insert(id)));
    }
    for sender in SENDERS.map(organ) {
        let log = receipts(&*node.ledger, &sender, 500).await;
        assert_gapless(&log);
        for kind in [ReceiptKind::Accepted, ReceiptKind::Offered, ReceiptKind::Delivered] {
            assert_eq!(log.iter().filter(|receipt| receipt.kind == kind).count(), letters, "{kind:?}");
        }
        assert_eq!(sent(&*node.ledger, &sender, 500).await.len(), letters);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_cut_off_before_or_behind_is_done_once() {
    let place = Postgres::create(Terms::default()).await;
    let proxy = Proxy::start(place.server.port).await;
    let mut options = place.options("cut").await;
    options.hosts[0].port = proxy.port;
    options.retry_max = Duration::from_secs(20);
    let mut node = Node::open(options).await;
    node.commits.close();
    proxy.cuts.begun.store(true, Ordering::Relaxed);
    all_done_once(&node, 20).await;
    let cuts = [&proxy.cuts.before, &proxy.cuts.behind].map(|cuts| cuts.load(Ordering::Relaxed));
    assert!(cuts.iter().all(|cuts| *cuts >= 5), "{cuts:?} commits were cut off before and behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_ended_at_random_lose_and_double_nothing() {
    let place = Postgres::create(Terms::default()).await;
    let mut options = place.options("ended").await;
    options.retry_max = Duration::from_secs(20);
    let mut node = Node::open(options).await;
    node.commits.close();
    let (server, role) = (place.server, node.role.clone());
    let ending = tokio::spawn(async move {
        loop {
            let one = format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}' ORDER BY random() LIMIT 1"
            );
            server.say("postgres", &one).await;
            tokio::time::sleep(Duration::from_millis(fastrand::u64(30..300))).await;
        }
    });
    all_done_once(&node, 50).await;
    ending.abort();
}
