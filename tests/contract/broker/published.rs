//! Point 1: what is published is handed over, whenever it was.

use futures_util::FutureExt;
use truc::domain::delivery::DeliveryId;
use truc::domain::turns::Turns;

use super::{ANY, BrokerUnderTest, Exchange, decide, ids, take};
use crate::support::soon;

pub async fn before_its_consumer_came<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let letters = exchange.letters("H49", 10);
    let sent = exchange.send(letters).await;
    let mut consumer = exchange.consume("H49");
    let taken = take(&mut *consumer, 10).await;
    assert_eq!(ids(&taken), sent);
    let messages = taken.iter().map(|ready| ready.message).collect();
    let messages = soon(exchange.ledger.ledger.messages(messages)).await.unwrap();
    for (ready, (_, message)) in taken.iter().zip(messages) {
        assert_eq!(ready.payload_bytes, message.payload.len() as u64);
    }
}

pub async fn while_its_consumer_waits<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let mut consumer = exchange.consume("H49");
    // It has seen that the ledger has none: what comes now comes by being published.
    assert!(soon(consumer.look(9, ANY)).await.unwrap().is_empty());
    for n in 1..=20 {
        let letters = exchange.letters("H49", n % 3 + 1);
        let accepted = exchange.accept(letters).await;
        let waiting = tokio::spawn(async move {
            let taken = take(&mut *consumer, n % 3 + 1).await;
            (consumer, taken)
        });
        exchange.publish();
        let (back, taken) = soon(waiting).await.unwrap();
        consumer = back;
        assert_eq!(ids(&taken), accepted);
        decide(&*exchange.ledger.ledger, &mut *consumer, &taken).await;
    }
}

pub async fn before_the_gateway_started<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let letters = exchange.letters("H49", 5);
    let published = exchange.send(letters).await;
    let letters = exchange.letters("H49", 5);
    let unpublished = exchange.accept(letters).await;
    let mut exchange = exchange.restarted().await;
    let letters = exchange.letters("H49", 5);
    let after = exchange.send(letters).await;
    let mut consumer = exchange.consume("H49");
    let all: Vec<_> = [published, unpublished, after].concat();
    assert_eq!(ids(&take(&mut *consumer, 15).await), all);
}

pub async fn between_two_consumers<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let mut expected = Vec::new();
    for round in 0..20 {
        let mut consumer = exchange.consume("H49");
        if round > 0 {
            let taken = take(&mut *consumer, 3).await;
            assert_eq!(ids(&taken), expected, "sent while nobody was there");
            decide(&*exchange.ledger.ledger, &mut *consumer, &taken).await;
        }
        let letters = exchange.letters("H49", 2);
        let sent = exchange.send(letters).await;
        let taken = take(&mut *consumer, 2).await;
        assert_eq!(ids(&taken), sent);
        decide(&*exchange.ledger.ledger, &mut *consumer, &taken).await;
        drop(consumer);
        let letters = exchange.letters("H49", 3);
        expected = exchange.send(letters).await;
    }
}

pub async fn to_its_own_organ_only<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let (mut h49, mut below) = (exchange.consume("H49"), exchange.consume("H49.12"));
    let letters = [exchange.letters("H49", 3), exchange.letters("H49.12", 2), exchange.letters("H49", 1)];
    let sent = exchange.send(letters.concat()).await;
    assert_eq!(ids(&take(&mut *below, 2).await), sent[3..5]);
    assert_eq!(ids(&take(&mut *h49, 4).await), [&sent[..3], &sent[5..]].concat());
    // The next of each is its own: nothing of the other came between.
    let letters = [exchange.letters("H49.12", 1), exchange.letters("H49", 1)];
    let sent = exchange.send(letters.concat()).await;
    assert_eq!(ids(&take(&mut *h49, 1).await), sent[1..]);
    assert_eq!(ids(&take(&mut *below, 1).await), sent[..1]);
}

/// Far more than are kept in memory; every fourth is urgent.
pub async fn twenty_thousand_waiting<B: BrokerUnderTest>() {
    const ALL: usize = 20_000;
    let mut exchange = Exchange::<B>::new().await;
    let mut lanes: [Vec<DeliveryId>; 2] = Default::default();
    for _ in 0..ALL / 400 {
        let letters = [exchange.letters("H49", 300), exchange.urgent_letters("H49", 100)];
        let sent = exchange.send(letters.concat()).await;
        lanes[0].extend(&sent[300..]);
        lanes[1].extend(&sent[..300]);
    }
    let mut consumer = exchange.consume("H49");
    let mut handed = Vec::new();
    while handed.len() < ALL {
        let taken = soon(consumer.take(500, ANY)).await.unwrap();
        let agreed = decide(&*exchange.ledger.ledger, &mut *consumer, &taken).await;
        assert_eq!(agreed, ids(&taken), "each is ready when it comes");
        handed.extend(agreed);
        exchange.publish();
    }
    let [urgent, normal] = lanes;
    let (mut urgent, mut normal) = (urgent.into_iter(), normal.into_iter());
    let mut expected = Vec::with_capacity(ALL);
    while urgent.len() > 0 {
        expected.extend(urgent.by_ref().take(Turns::URGENT_RUN_MAX.get() as usize));
        expected.extend(normal.next());
    }
    expected.extend(normal);
    assert!(handed == expected, "all of them, the urgent first, each lane in its order and its turn");
    let letters = exchange.letters("H49", 1);
    let last = exchange.send(letters).await;
    assert_eq!(ids(&take(&mut *consumer, 1).await), last, "and nothing else");
}

/// More comes than is kept in memory, to somebody who is there and does not take it yet.
pub async fn five_thousand_before_it_takes<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let mut consumer = exchange.consume("H49");
    assert!(soon(consumer.look(9, ANY)).await.unwrap().is_empty());
    let mut sent = Vec::new();
    for _ in 0..10 {
        let letters = exchange.letters("H49", 500);
        sent.extend(exchange.send(letters).await);
    }
    assert!(ids(&take(&mut *consumer, 5_000).await) == sent, "all of them, in order");
}

pub async fn a_look_never_waits_for_more<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let mut consumer = exchange.consume("H49");
    assert!(soon(consumer.look(9, ANY)).await.unwrap().is_empty());
    let letters = exchange.letters("H49", 5);
    let sent = exchange.send(letters).await;
    // What comes by looking and by taking is the same.
    let mut taken = take(&mut *consumer, 1).await;
    while taken.len() < 4 {
        taken.extend(soon(consumer.look(4 - taken.len(), ANY)).await.unwrap());
    }
    taken.extend(take(&mut *consumer, 1).await);
    assert_eq!(ids(&taken), sent);
    assert!(soon(consumer.look(9, ANY)).await.unwrap().is_empty());
    assert!(consumer.take(9, ANY).now_or_never().is_none(), "taking waits");
}
