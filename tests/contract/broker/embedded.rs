//! The embedded broker under test, and what only it promises.

use std::sync::Arc;

use truc::broker::Broker;
use truc::broker::embedded::EmbeddedBroker;
use truc::domain::delivery::DeliveryId;
use truc::domain::message::Lane;
use truc::ledger::{Ledger, MessageKey, Ready};

use super::{BrokerUnderTest, Exchange, ids, take};
use crate::support::organ;

mod gate;
mod paging;

/// It lives in memory alone.
pub struct Embedded;

impl BrokerUnderTest for Embedded {
    async fn create() -> Self {
        Self
    }

    async fn start(&self, ledger: Arc<dyn Ledger>) -> Arc<dyn Broker> {
        Arc::new(EmbeddedBroker::new(ledger))
    }

    async fn settled(&self) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_is_served_as_long_as_somebody_is_there() {
    let exchange = Exchange::<Embedded>::new().await;
    let served = |id| exchange.broker.has_consumer(&organ(id));
    assert!(!served("H49"));
    let (first, second) = (exchange.consume("H49"), exchange.consume("H49"));
    assert!(served("H49") && !served("H05"));
    drop(first);
    assert!(served("H49"));
    drop(second);
    assert!(!served("H49"));
}

/// Point 5, by what it hands over: of what is published to nobody it keeps nothing, and pages what the ledger has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_without_a_consumer_is_in_the_ledger_alone() {
    let mut exchange = Exchange::<Embedded>::new().await;
    let h49 = organ("H49");
    let publish = |numbers: std::ops::Range<u64>| {
        for n in numbers {
            let ready =
                Ready { delivery: DeliveryId(n), message: MessageKey(n), payload_bytes: 2_048, attempt: 0 };
            exchange.broker.publish(&h49, Lane::Normal, ready);
        }
    };
    publish(1_000..1_000_000);
    let mut consumer = exchange.consume("H49");
    assert!(consumer.look(10, u64::MAX).await.unwrap().is_empty());
    drop(consumer);
    // Likewise when somebody was there and had seen all there was.
    let mut consumer = exchange.consume("H49");
    assert!(consumer.look(10, u64::MAX).await.unwrap().is_empty());
    publish(1_000_000..2_000_000);
    drop(consumer);
    let letters = exchange.letters("H49", 3);
    let sent = exchange.send(letters).await;
    let mut consumer = exchange.consume("H49");
    assert_eq!(ids(&take(&mut *consumer, 3).await), sent);
    assert!(consumer.look(10, u64::MAX).await.unwrap().is_empty());
}
