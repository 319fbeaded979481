//! Faults of the network between the gateway and RabbitMQ: acceptance goes on, and the rest resumes.

use std::time::Duration;

use truc::amqp::Options;

use crate::node::Node;
use crate::place::Place;
use crate::proxy::{Fault, Proxy};

/// How soon everything is to flow again after a fault.
const RESUMED: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_through_a_fault_arrives_after_it() {
    let node = tokio::task::spawn_blocking(Node::start).await.unwrap();
    let proxy = Proxy::before(node.port).await;
    let heartbeat = Duration::from_secs(2);
    let options = Options { uris: vec![proxy.uri()], heartbeat, ..node.options() };
    let mut place = Place::start(options).await;
    place.collect("H49");
    place.accept("H49", 50).await;
    place.all_taken(Duration::from_secs(20)).await;
    let faults = [
        (Fault::Late(Duration::from_millis(500)), 6),
        (Fault::Trickle(1_000), 6),
        (Fault::Reset, 4),
        (Fault::BlackHole, 8),
        (Fault::HalfOpen, 8),
    ];
    for (fault, seconds) in faults {
        proxy.set(fault);
        for _ in 0..seconds * 5 {
            place.accept("H49", 10).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let during = (place.taken(), place.sent());
        proxy.set(Fault::None);
        let resumed = place.all_taken(RESUMED).await;
        println!(
            "{fault:?} for {seconds} s: {during:?} taken of accepted; all {} ms after it",
            resumed.as_millis()
        );
    }
    place.stop().await;
    tokio::task::spawn_blocking(move || drop(node)).await.unwrap();
}
