//! The broker on RabbitMQ under test. One node serves all tests of the process; each has names of its own there.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use truc::amqp::Names;
use truc::amqp::topology::Topology;
use truc::broker::Broker;
use truc::broker::rabbit::{Options, Pointers, RabbitBroker};
use truc::domain::turns::Turns;
use truc::ledger::Ledger;
use truc::metrics::Metrics;

use super::BrokerUnderTest;
use crate::node::Node;
use crate::support::soon;

fn node() -> &'static Node {
    static NODE: OnceLock<Node> = OnceLock::new();
    NODE.get_or_init(Node::start)
}

/// Names of its own on the node.
pub struct Rabbit {
    names: Names,
    broker: Mutex<Option<Arc<RabbitBroker>>>,
}

impl BrokerUnderTest for Rabbit {
    async fn create() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("t{}.", NEXT.fetch_add(1, Ordering::Relaxed));
        Self { names: Names::with_prefix(&prefix), broker: Mutex::new(None) }
    }

    async fn start(&self, ledger: Arc<dyn Ledger>) -> Arc<dyn Broker> {
        let node = tokio::task::spawn_blocking(node).await.unwrap();
        let before = self.broker.lock().unwrap().take();
        if let Some(before) = before {
            soon(before.stop()).await;
        }
        let options = Options {
            connection: node.options(),
            topology: Topology { names: self.names.clone(), ..Topology::default() },
            // Tests take thousands before they decide.
            prefetch: 20_000,
            retry_delay: Duration::from_millis(500),
            urgent_run_max: Turns::URGENT_RUN_MAX,
        };
        let metrics = Arc::new(Metrics::unobserved());
        let broker = Arc::new(RabbitBroker::start(options, ledger, Arc::new(Pointers), metrics).unwrap());
        soon(broker.settled()).await;
        *self.broker.lock().unwrap() = Some(Arc::clone(&broker));
        broker
    }

    async fn settled(&self) {
        let broker = self.broker.lock().unwrap().clone();
        if let Some(broker) = broker {
            soon(broker.settled()).await;
        }
    }
}
