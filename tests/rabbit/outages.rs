//! RabbitMQ itself full, killed, stopped, and tampered with.

use std::sync::Arc;
use std::time::Duration;

use crate::node::Node;
use crate::place::Place;

const RESUMED: Duration = Duration::from_secs(10);

async fn blocking<T: Send + 'static>(node: &Arc<Node>, what: impl FnOnce(&Node) -> T + Send + 'static) -> T {
    let node = Arc::clone(node);
    tokio::task::spawn_blocking(move || what(&node)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_accepted_while_rabbitmq_is_away_arrives_when_it_is_back() {
    let node = Arc::new(tokio::task::spawn_blocking(Node::start).await.unwrap());
    let mut place = Place::start(node.options()).await;
    place.collect("H49");
    place.accept("H49", 100).await;
    place.all_taken(Duration::from_secs(20)).await;

    blocking(&node, |node| node.ctl(&["set_vm_memory_high_watermark", "absolute", "1MB"])).await;
    // The first that is published makes RabbitMQ block the connection.
    place.accept("H49", 1).await;
    let told = place.healthy(false, Duration::from_secs(10)).await;
    assert!(told.contains("takes no messages"), "{told}");
    for _ in 0..20 {
        place.accept("H49", 100).await;
    }
    blocking(&node, |node| node.ctl(&["set_vm_memory_high_watermark", "0.6"])).await;
    let resumed = place.all_taken(RESUMED).await;
    println!("memory alarm: 2,001 accepted, all taken {} ms after its end", resumed.as_millis());

    for how in ["killed", "stopped"] {
        match how {
            "killed" => blocking(&node, Node::kill).await,
            _ => blocking(&node, Node::stop).await,
        }
        let told = place.healthy(false, Duration::from_secs(10)).await;
        assert!(told.contains("not reached"), "{told}");
        for _ in 0..20 {
            place.accept("H49", 50).await;
        }
        assert!(blocking(&node, Node::run_again).await);
        let resumed = place.all_taken(RESUMED).await;
        println!("{how}: 1,000 accepted, all taken {} ms after it is up", resumed.as_millis());
    }

    // Nobody serves H05 yet; an operator deletes its queue with all that is in it.
    place.accept("H05", 300).await;
    place.broker.settled().await;
    for organ in ["H05", "H49"] {
        let queue = place.names.mailbox(&crate::place::organ(organ), truc::domain::message::Lane::Normal);
        blocking(&node, move |node| node.ctl(&["delete_queue", &queue])).await;
    }
    place.collect("H05");
    place.accept("H49", 100).await;
    let resumed = place.all_taken(RESUMED).await;
    println!("queues deleted: all taken {} ms later", resumed.as_millis());
    place.stop().await;
    tokio::task::spawn_blocking(move || drop(node)).await.unwrap();
}
