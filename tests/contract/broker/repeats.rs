//! Point 4: repeats are allowed, and the ledger says no.

use std::collections::HashSet;

use truc::domain::delivery::{DeliveryId, Event, Outcome};
use truc::domain::message::Lane;
use truc::ledger::Ready;

use super::{ANY, BrokerUnderTest, Exchange, decide, ids, take};
use crate::support::{EXPIRY, dropped, offer, organ, settle, soon, step, t};

pub async fn published_again_comes_again<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let letters = exchange.letters("H49", 3);
    let sent = exchange.send(letters).await;
    let mut consumer = exchange.consume("H49");
    // Twice while somebody is there, once while nobody is.
    for attempt in 1..=3 {
        let taken = take(&mut *consumer, 3).await;
        assert_eq!(ids(&taken), sent);
        assert_eq!(decide(&*exchange.ledger.ledger, &mut *consumer, &taken).await, sent);
        if attempt == 3 {
            break;
        }
        let again = sent.iter().map(|id| dropped(*id, attempt, t(3))).collect();
        assert!(exchange.ledger.steps(again).await.iter().all(Result::is_ok));
        if attempt == 2 {
            drop(consumer);
            exchange.publish();
            consumer = exchange.consume("H49");
        }
        exchange.publish();
    }
}

/// Everything is published three times, while and after it is taken: each is offered once.
pub async fn a_repeat_is_offered_once<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let (mut first, mut second) = (exchange.consume("H49"), exchange.consume("H49"));
    let letters = exchange.letters("H49", 50);
    let sent = exchange.accept(letters).await;
    exchange.hear();
    let told = exchange.told.clone();
    exchange.publish();
    let taken = take(&mut *first, 20).await;
    for _ in 0..2 {
        for became in &told {
            exchange.broker.publish(&became.organ, became.lane, became.ready);
        }
    }
    let mut offered = decide(&*exchange.ledger.ledger, &mut *first, &taken).await;
    while offered.len() < 50 {
        let taken = soon(second.take(7, ANY)).await.unwrap();
        offered.extend(decide(&*exchange.ledger.ledger, &mut *second, &taken).await);
    }
    // What is left are repeats.
    let letters = exchange.letters("H49", 1);
    let last = exchange.send(letters).await[0];
    while !offered.contains(&last) {
        let taken = soon(second.take(7, ANY)).await.unwrap();
        offered.extend(decide(&*exchange.ledger.ledger, &mut *second, &taken).await);
    }
    assert_eq!(offered.len(), 51);
    assert_eq!(offered.into_iter().collect::<HashSet<_>>(), sent.into_iter().chain([last]).collect());
}

pub async fn what_is_no_longer_ready_is_harmless<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let letters = exchange.letters("H49", 3);
    let sent = exchange.send(letters).await;
    let mut consumer = exchange.consume("H49");
    let taken = take(&mut *consumer, 2).await;
    // One was fetched past the broker and settled, one expired; the third is as it was.
    exchange.ledger.step(offer(sent[0], t(2))).await.unwrap();
    exchange.ledger.step(settle(sent[0], "H49", 1, Outcome::Delivered, t(2))).await.unwrap();
    exchange.ledger.step(step(sent[1], Event::Due, t(EXPIRY))).await.unwrap();
    exchange.publish();
    assert_eq!(decide(&*exchange.ledger.ledger, &mut *consumer, &taken).await, []);
    let nobodys = Ready { delivery: DeliveryId(sent[2].0 + 50), ..taken[0] };
    exchange.broker.publish(&organ("H49"), Lane::Urgent, nobodys);
    let taken = take(&mut *consumer, 2).await;
    assert_eq!(decide(&*exchange.ledger.ledger, &mut *consumer, &taken).await, [sent[2]]);
}
