//! Several deliveries in one message: it is done with when all of them are, and what of it was not taken comes again.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use truc::broker::Broker;
use truc::broker::rabbit::RabbitBroker;
use truc::domain::message::Lane;
use truc::ledger::Ready;

use crate::node::Node;
use crate::place::{Place, organ};

const WITHIN: Duration = Duration::from_secs(20);

/// Messages in an organ's normal queue that nobody has.
async fn depth(place: &Place, id: &str) -> u32 {
    let (_, link, declared) = place.broker.shared();
    let channel = link.channel().await.unwrap();
    let queue = declared.mailbox(&organ(id), Lane::Normal).name;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap().message_count()
}

async fn depth_becomes(place: &Place, id: &str, expected: u32) {
    let waiting = async {
        while depth(place, id).await != expected {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(WITHIN, waiting).await.is_ok(), "{} in the queue", depth(place, id).await);
}

/// Forty deliveries for H49, in two messages of its queue.
async fn with_two_messages() -> (Node, Place) {
    let node = tokio::task::spawn_blocking(Node::start).await.unwrap();
    let place = Place::start(node.options()).await;
    place.healthy(true, WITHIN).await;
    let mut declares = Arc::<RabbitBroker>::clone(&place.broker).consume(&organ("H49"));
    assert!(declares.look(1, u64::MAX).await.unwrap().is_empty());
    drop(declares);
    place.accept("H49", 40).await;
    depth_becomes(&place, "H49", 2).await;
    (node, place)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_did_not_take_of_a_message_the_next_one_gets() {
    let (node, place) = with_two_messages().await;
    let serve = || Arc::<RabbitBroker>::clone(&place.broker).consume(&organ("H49"));

    // One takes a few of the first message, tells of some, and leaves.
    let mut first = serve();
    let taken = first.look(5, u64::MAX).await.unwrap();
    assert_eq!(taken.len(), 5);
    let (decided, left): (Vec<_>, Vec<_>) = taken.into_iter().partition(|ready| ready.delivery.0 % 2 == 0);
    decided.iter().for_each(|ready| first.decided(ready.delivery));
    assert_eq!(depth(&place, "H49").await, 1, "the message it has is not in the queue");
    drop(first);
    depth_becomes(&place, "H49", 2).await;

    // The next one gets everything of both, in order; what was decided comes along, since the message is one.
    let mut next = serve();
    let mut all: Vec<Ready> = Vec::new();
    while all.len() < 40 {
        all.extend(tokio::time::timeout(WITHIN, next.take(64, u64::MAX)).await.unwrap().unwrap());
    }
    assert!(all.is_sorted_by_key(|ready| ready.delivery));
    assert!(left.iter().all(|ready| all.contains(ready)));

    // Only when the last one is decided, the message is gone for good.
    let (last, others) = all.split_last().unwrap();
    others.iter().for_each(|ready| next.decided(ready.delivery));
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(next);
    depth_becomes(&place, "H49", 1).await;
    let mut third = serve();
    let again = tokio::time::timeout(WITHIN, third.take(64, u64::MAX)).await.unwrap().unwrap();
    assert!(again.contains(last));
    again.iter().for_each(|ready| third.decided(ready.delivery));
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(third);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(depth(&place, "H49").await, 0);
    place.stop().await;
    tokio::task::spawn_blocking(move || drop(node)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_that_asks_for_one_at_a_time_gets_each_of_them() {
    let (node, place) = with_two_messages().await;
    let serve = || Arc::<RabbitBroker>::clone(&place.broker).consume(&organ("H49"));
    let mut seen: Vec<Ready> = Vec::new();
    while seen.len() < 40 {
        let mut consumer = serve();
        let taken = consumer.look(1, u64::MAX).await.unwrap();
        assert_eq!(taken.len(), 1, "after {}", seen.len());
        consumer.decided(taken[0].delivery);
        seen.extend(taken);
    }
    assert!(seen.is_sorted_by(|a, b| a.delivery < b.delivery), "each once, in order");
    depth_becomes(&place, "H49", 0).await;
    place.stop().await;
    tokio::task::spawn_blocking(move || drop(node)).await.unwrap();
}
