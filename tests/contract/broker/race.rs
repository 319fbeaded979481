//! Point 1 under races: consumers wait, give up, come and go while others publish, and nothing is left lying.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use truc::broker::{Broker, Consumer};
use truc::domain::delivery::DeliveryId;
use truc::ledger::Ledger;

use super::{ANY, BrokerUnderTest, Exchange, a_while, decide};
use crate::support::{Seed, letter, organ, soon, urgent};

/// Takes for ever, and tells what it was handed.
async fn stay(mut consumer: Box<dyn Consumer>, limit: usize, got: UnboundedSender<DeliveryId>) {
    loop {
        for ready in consumer.take(limit, ANY).await.unwrap() {
            got.send(ready.delivery).unwrap();
        }
    }
}

/// Consumers who have seen that there is nothing, and then letters in the ledger: they come by being published only.
async fn prepared<B: BrokerUnderTest>(
    exchange: &mut Exchange<B>,
    consumers: usize,
) -> Vec<Box<dyn Consumer>> {
    let mut consumers: Vec<_> = (0..consumers).map(|_| exchange.consume("H49")).collect();
    for consumer in &mut consumers {
        assert!(soon(consumer.look(1, ANY)).await.unwrap().is_empty());
    }
    for _ in 0..ROUNDS / 100 {
        let letters = [exchange.letters("H49", 200), exchange.urgent_letters("H49", 50)];
        exchange.accept(letters.concat()).await;
        exchange.hear();
    }
    consumers
}

const ROUNDS: usize = 3_000;

/// Publishes a few at a time, each time only when all before have come: one wake-up lost, and the rest never comes.
async fn publish_and_wait<B: BrokerUnderTest>(
    exchange: &mut Exchange<B>,
    got: &mut UnboundedReceiver<DeliveryId>,
) {
    let mut told = std::mem::take(&mut exchange.told).into_iter();
    for round in 0..ROUNDS {
        let mut left = HashSet::new();
        for became in told.by_ref().take(1 + round % 4) {
            left.insert(became.ready.delivery);
            exchange.broker.publish(&became.organ, became.lane, became.ready);
        }
        // What was told of has been heard; the ledger waits for those who do not listen.
        exchange.hear();
        while !left.is_empty() {
            let id = soon(got.recv()).await.unwrap();
            assert!(left.remove(&id), "{id} in round {round}");
        }
    }
    assert_eq!(told.len(), 0);
}

pub async fn no_wake_up_is_lost_on_those_who_stay<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let (got_one, mut got) = unbounded_channel();
    let mut consumers = JoinSet::new();
    for (consumer, limit) in prepared(&mut exchange, 3).await.into_iter().zip(1..) {
        consumers.spawn(stay(consumer, limit, got_one.clone()));
    }
    publish_and_wait(&mut exchange, &mut got).await;
}

/// One stays; the others come, wait a little or take something, and leave without a word.
pub async fn no_wake_up_is_lost_on_those_who_leave<B: BrokerUnderTest>() {
    let seed = Seed::new();
    let mut exchange = Exchange::<B>::new().await;
    let (got_one, mut got) = unbounded_channel();
    let mut consumers = JoinSet::new();
    let stayer = prepared(&mut exchange, 1).await.remove(0);
    consumers.spawn(stay(stayer, 2, got_one));
    for leaver in 0..3 {
        let broker = Arc::clone(&exchange.broker);
        let mut rng = fastrand::Rng::with_seed(seed.0 ^ leaver);
        consumers.spawn(async move {
            loop {
                let mut consumer = Arc::clone(&broker).consume(&organ("H49"));
                tokio::select! {
                    taken = consumer.take(1, ANY) => assert_eq!(taken.unwrap().len(), 1),
                    () = a_while(rng.usize(..30)) => {}
                }
                drop(consumer);
                a_while(rng.usize(..30)).await;
            }
        });
    }
    publish_and_wait(&mut exchange, &mut got).await;
}

/// Those who serve a mailbox never stay as long as it takes to take it up.
pub async fn consumers_who_hardly_stay_are_served<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let letters = exchange.letters("H49", 20);
    let sent = exchange.send(letters).await;
    let mut taken = HashSet::new();
    soon(async {
        while taken.len() < sent.len() {
            let mut consumer = exchange.consume("H49");
            let at_hand = tokio::select! {
                biased;
                at_hand = consumer.take(3, ANY) => at_hand.unwrap(),
                () = a_while(1) => continue,
            };
            taken.extend(decide(&*exchange.ledger.ledger, &mut *consumer, &at_hand).await);
        }
    })
    .await;
    assert_eq!(taken, HashSet::from_iter(sent));
}

const ORGANS: [&str; 2] = ["H49", "H05"];

/// Comes, takes now and then, decides of some, and goes; for ever.
async fn come_and_go(
    ledger: Arc<dyn Ledger>,
    broker: Arc<dyn Broker>,
    mut rng: fastrand::Rng,
    got: UnboundedSender<DeliveryId>,
) {
    loop {
        let mut consumer = Arc::clone(&broker).consume(&organ(ORGANS[rng.usize(..2)]));
        for _ in 0..rng.usize(1..4) {
            let (limit, patience) = (rng.usize(1..20), rng.usize(..300));
            let taken = tokio::select! {
                taken = consumer.take(limit, rng.u64(..400)) => taken.unwrap(),
                () = a_while(patience) => continue,
            };
            let wanted = rng.usize(..=taken.len());
            for id in decide(&*ledger, &mut *consumer, &taken[..wanted]).await {
                got.send(id).unwrap();
            }
        }
    }
}

/// Senders race, commits are published as they are told, and there is not always somebody to take them.
pub async fn consumers_come_and_go_while_others_publish<B: BrokerUnderTest>() {
    const SENDERS: usize = 3;
    const EACH: usize = 400;
    let seed = Seed::new();
    let mut exchange = Exchange::<B>::new().await;
    let (ledger, broker) = (Arc::clone(&exchange.ledger.ledger), Arc::clone(&exchange.broker));
    let (got_one, mut got) = unbounded_channel();
    let mut tasks = JoinSet::new();
    let mut commits = std::mem::replace(&mut exchange.ledger.commits, tokio::sync::mpsc::channel(1).1);
    let router = Arc::clone(&broker);
    tasks.spawn(async move {
        while let Some(commit) = commits.recv().await {
            for became in commit.ready {
                router.publish(&became.organ, became.lane, became.ready);
            }
        }
    });
    for consumer in 0..4 {
        let rng = fastrand::Rng::with_seed(seed.0 ^ consumer);
        tasks.spawn(come_and_go(Arc::clone(&ledger), Arc::clone(&broker), rng, got_one.clone()));
    }
    for sender in 0..SENDERS {
        let ledger = Arc::clone(&ledger);
        tasks.spawn(async move {
            for n in 0..EACH {
                let one = letter("G22", &format!("{sender}.{n}"), &ORGANS);
                let one = if n % 3 == 0 { urgent(one) } else { one };
                ledger.accept(vec![one]).await.unwrap().await.unwrap();
            }
        });
    }
    let mut offered = HashSet::new();
    while offered.len() < SENDERS * EACH * ORGANS.len() {
        let id = soon(got.recv()).await.unwrap();
        assert!(offered.insert(id), "{id} was offered before");
    }
}
