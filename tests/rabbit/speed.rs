//! Pointers through the broker, beside the same through bare lapin on the same node.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Confirmation};
use truc::amqp::topology::{Topology, declare_queue};
use truc::amqp::{Link, Names, Tasks};
use truc::broker::Broker;
use truc::broker::rabbit::RabbitBroker;
use truc::domain::delivery::DeliveryId;
use truc::domain::message::Lane;
use truc::ledger::{MessageKey, Ready};
use truc::metrics::Metrics;

use crate::node::Node;
use crate::place::{Place, organ};

const ORGANS: usize = 16;
const ALL: usize = 48_000;

fn ready(n: usize) -> Ready {
    Ready { delivery: DeliveryId(n as u64), message: MessageKey(n as u64), payload_bytes: 2_048, attempt: 0 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pointers_beside_bare_lapin() {
    let node = tokio::task::spawn_blocking(Node::start).await.unwrap();
    let ours = ours(&node).await;
    let bare = bare(&node).await;
    let per_s = |took: Duration| (ALL as f64 / took.as_secs_f64()) as u64;
    println!(
        "{ALL} pointers to {ORGANS} organs: {} /s through the broker, {} /s through bare lapin, ratio {:.2}",
        per_s(ours),
        per_s(bare),
        bare.as_secs_f64() / ours.as_secs_f64()
    );
    tokio::task::spawn_blocking(move || drop(node)).await.unwrap();
}

async fn ours(node: &Node) -> Duration {
    let place = Place::start(node.options()).await;
    let (done, mut told) = tokio::sync::mpsc::unbounded_channel();
    let mut consumers = tokio::task::JoinSet::new();
    for n in 0..ORGANS {
        let mut consumer = Arc::<RabbitBroker>::clone(&place.broker).consume(&organ(&format!("H49.{n}")));
        // Declares the mailbox.
        consumer.look(1, u64::MAX).await.unwrap();
        let done = done.clone();
        consumers.spawn(async move {
            loop {
                let taken = consumer.take(256, u64::MAX).await.unwrap();
                taken.iter().for_each(|ready| consumer.decided(ready.delivery));
                if done.send(taken.len()).is_err() {
                    return;
                }
            }
        });
    }
    place.broker.settled().await;
    let began = Instant::now();
    let mut taken = 0;
    for n in 1..=ALL {
        place.broker.publish(&organ(&format!("H49.{}", n % ORGANS)), Lane::Normal, ready(n));
        // As many on their way as a busy gateway has.
        while n - taken > 8_000 {
            taken += told.recv().await.unwrap();
        }
    }
    while taken < ALL {
        let count = tokio::time::timeout(Duration::from_secs(20), told.recv()).await;
        taken += count.expect("they come").unwrap();
    }
    let took = began.elapsed();
    consumers.shutdown().await;
    place.stop().await;
    took
}

async fn bare(node: &Node) -> Duration {
    let tasks = Tasks::default();
    let link = |role| Link::start(node.options(), role, Arc::new(Metrics::unobserved()), &tasks).unwrap();
    let (publish, consume) = (link("publish"), link("consume"));
    let topology = Topology { names: Names::with_prefix("bare."), ..Topology::default() };
    truc::amqp::topology::declare(&consume, &topology).await.unwrap();
    let (done, mut told) = tokio::sync::mpsc::unbounded_channel();
    let mut consumers = tokio::task::JoinSet::new();
    for n in 0..ORGANS {
        let queue = topology.mailbox(&organ(&format!("H49.{n}")), Lane::Normal);
        declare_queue(&consume, &queue).await.unwrap();
        let channel = consume.channel().await.unwrap();
        channel.basic_qos(512, BasicQosOptions::default()).await.unwrap();
        let options = BasicConsumeOptions::default();
        let consumer = channel.basic_consume(queue.name.into(), "".into(), options, FieldTable::default());
        let mut batches = consumer.await.unwrap().ready_chunks(256);
        let done = done.clone();
        consumers.spawn(async move {
            while let Some(batch) = batches.next().await {
                let count = batch.len();
                let last = batch.into_iter().next_back().unwrap().unwrap();
                last.ack(BasicAckOptions { multiple: true }).await.unwrap();
                if done.send(count).is_err() {
                    return;
                }
            }
        });
    }
    let channel = publish.channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let began = Instant::now();
    let (confirms, mut waiting) = tokio::sync::mpsc::channel(1_024);
    let confirming = tokio::spawn(async move {
        while let Some(confirm) = waiting.recv().await {
            let confirm: lapin::PublisherConfirm = confirm;
            assert!(matches!(confirm.await.unwrap(), Confirmation::Ack(None)));
        }
    });
    let body = br#"{"delivery_id":"d42","message":17,"payload_bytes":2048,"attempt":0}"#;
    for n in 1..=ALL {
        let key = topology.names.mailbox(&organ(&format!("H49.{}", n % ORGANS)), Lane::Normal);
        let properties =
            BasicProperties::default().with_delivery_mode(2).with_message_id(format!("d{n}").into());
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let exchange = topology.names.deliveries();
        let sent = channel.basic_publish(exchange.into(), key.into(), options, body, properties).await;
        confirms.send(sent.unwrap()).await.unwrap();
    }
    drop(confirms);
    confirming.await.unwrap();
    let mut taken = 0;
    while taken < ALL {
        taken += told.recv().await.unwrap();
    }
    let took = began.elapsed();
    consumers.shutdown().await;
    tasks.stopped().await;
    took
}
