//! The topology: exported, imported, declared, and found different.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use truc::amqp::topology::{Topology, declare, exists};
use truc::amqp::{Link, Names, Tasks};
use truc::broker::Broker;
use truc::metrics::Metrics;

use crate::node::Node;
use crate::place::Place;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn definitions_are_what_is_declared_and_differences_are_named() {
    let node = Arc::new(tokio::task::spawn_blocking(Node::start).await.unwrap());
    let (tasks, metrics) = (Tasks::default(), Arc::new(Metrics::unobserved()));
    let link = Link::start(node.options(), "consume", metrics, &tasks).unwrap();
    let topology = Topology::default();
    assert!(!exists(&link, &topology).await.unwrap());
    let imported = Arc::clone(&node);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config/rabbitmq.definitions.json");
    tokio::task::spawn_blocking(move || imported.ctl(&["import_definitions", file])).await.unwrap();
    assert!(exists(&link, &topology).await.unwrap());
    assert_eq!(declare(&link, &topology).await.unwrap(), Vec::<String>::new());

    // Somebody has set up two queues in another way.
    let names = Names::with_prefix("other.");
    let channel = link.channel().await.unwrap();
    let mailbox = names.mailbox(&crate::place::organ("H49"), truc::domain::message::Lane::Normal);
    for name in [names.parked(), mailbox.clone()] {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(5));
        arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(name.into(), options, arguments).await.unwrap();
    }
    let mut place = Place::start_named(node.options(), names.clone()).await;
    place.broker.settled().await;
    let told = place.healthy(false, Duration::from_secs(10)).await;
    println!("{told}");
    assert!(told.contains(&names.parked()) && told.contains("x-max-length"), "{told}");
    // It works all the same, also with a mailbox that is different and small.
    place.collect("H49");
    place.accept("H49", 30).await;
    place.all_taken(Duration::from_secs(20)).await;
    let told = place.broker.health().unwrap_err();
    assert!(told.contains(&mailbox), "{told}");
    place.stop().await;
    tasks.stopped().await;
    tokio::task::spawn_blocking(move || drop(node)).await.unwrap();
}
