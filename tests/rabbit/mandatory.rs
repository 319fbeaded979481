//! A hundred thousand mandatory messages, a third of them unroutable: each is told right.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use lapin::BasicProperties;
use truc::amqp::topology::{Topology, declare, declare_queue};
use truc::amqp::{Link, Names, Outgoing, Publisher, Settled, Tasks};
use truc::domain::message::Lane;
use truc::metrics::Metrics;

use crate::node::Node;
use crate::place::organ;

const ALL: usize = 100_000;
const BATCH: usize = 250;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_one_is_told_right() {
    let node = tokio::task::spawn_blocking(Node::start).await.unwrap();
    let (tasks, metrics) = (Tasks::default(), Arc::new(Metrics::unobserved()));
    let link = Link::start(node.options(), "publish", Arc::clone(&metrics), &tasks).unwrap();
    let topology = Topology { names: Names::with_prefix("m."), ..Topology::default() };
    assert_eq!(declare(&link, &topology).await.unwrap(), Vec::<String>::new());
    let queue = topology.mailbox(&organ("H49"), Lane::Normal);
    declare_queue(&link, &queue).await.unwrap();
    let publisher = Publisher::start(&link, metrics, &tasks);
    let unroutable = |n: usize| n % 3 == 2;
    let began = Instant::now();
    let mut settling = Vec::new();
    for first in (0..ALL).step_by(BATCH) {
        let batch = (first..first + BATCH).map(|n| Outgoing {
            exchange: topology.names.deliveries(),
            routing_key: if unroutable(n) { "nobody".to_owned() } else { queue.name.clone() },
            properties: BasicProperties::default()
                .with_message_id(format!("m{n}").into())
                .with_delivery_mode(2),
            body: Bytes::from_static(b"{}"),
        });
        settling.push(publisher.publish(batch.collect()).await);
    }
    let (mut confirmed, mut returned, mut wrong) = (0, 0, 0);
    let mut n = 0;
    for settling in settling {
        for settled in settling.await {
            match (settled, unroutable(n)) {
                (Settled::Confirmed, false) => confirmed += 1,
                (Settled::Returned { code: 312, .. }, true) => returned += 1,
                _ => wrong += 1,
            }
            n += 1;
        }
    }
    let took = began.elapsed();
    println!(
        "{ALL} mandatory: {confirmed} confirmed, {returned} returned, {wrong} told wrong, in {} ms",
        took.as_millis()
    );
    assert_eq!((confirmed, returned, wrong), (66_667, 33_333, 0));
    assert_eq!(declare_queue(&link, &queue).await.unwrap().messages, 66_667, "what is in the queue");
    // A message RabbitMQ will not have closes the channel; the others of its batch are told right all the same.
    let odd = (0..9).map(|n| Outgoing {
        exchange: if n == 4 { "m.no-such".to_owned() } else { String::new() },
        routing_key: queue.name.clone(),
        properties: BasicProperties::default(),
        body: Bytes::new(),
    });
    let settled = publisher.publish(odd.collect()).await.await;
    assert!(matches!(&settled[4], Settled::Refused { code: 404, .. }), "{settled:?}");
    assert_eq!(settled.iter().filter(|settled| **settled == Settled::Confirmed).count(), 8, "{settled:?}");
    tasks.stopped().await;
    tokio::task::spawn_blocking(move || drop(node)).await.unwrap();
}
