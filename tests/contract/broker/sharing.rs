//! Point 3: to one consumer at a time.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::poll;

use super::{ANY, BrokerUnderTest, Exchange, a_while, decide, ids, take};
use crate::support::{Seed, soon};

/// Four consumers take as fast as they can, and decide nothing.
pub async fn each_is_handed_to_one<B: BrokerUnderTest>() {
    const ALL: usize = 4_000;
    let mut exchange = Exchange::<B>::new().await;
    let letters = exchange.letters("H49", ALL);
    let mut expected: HashSet<_> = exchange.send(letters).await.into_iter().collect();
    let (handed, mut taken) = tokio::sync::mpsc::unbounded_channel();
    let mut consumers = tokio::task::JoinSet::new();
    for n in 0..4 {
        let (mut consumer, handed) = (exchange.consume("H49"), handed.clone());
        consumers.spawn(async move {
            loop {
                for ready in consumer.take(3 + n, ANY).await.unwrap() {
                    handed.send(ready.delivery).unwrap();
                }
            }
        });
    }
    for left in (0..ALL).rev() {
        let id = soon(taken.recv()).await.unwrap();
        assert!(expected.remove(&id), "{id} was handed over before, {left} left");
    }
    let letters = exchange.letters("H49", 1);
    let last = exchange.send(letters).await;
    assert_eq!(soon(taken.recv()).await, Some(last[0]), "and nothing came twice");
}

pub async fn what_one_holds_is_not_handed_to_another<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let letters = exchange.letters("H49", 10);
    let sent = exchange.send(letters).await;
    let (mut first, mut second) = (exchange.consume("H49"), exchange.consume("H49"));
    assert_eq!(ids(&take(&mut *first, 6).await), sent[..6]);
    assert_eq!(ids(&take(&mut *second, 4).await), sent[6..]);
    let letters = exchange.letters("H49", 2);
    let next = exchange.send(letters).await;
    assert_eq!(ids(&take(&mut *second, 1).await), next[..1]);
    assert_eq!(ids(&take(&mut *first, 1).await), next[1..]);
}

pub async fn undecided_go_to_another_when_dropped<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let letters = [exchange.letters("H49", 4), exchange.urgent_letters("H49", 2)];
    let sent = exchange.send(letters.concat()).await;
    let (mut first, mut second) = (exchange.consume("H49"), exchange.consume("H49"));
    let taken = take(&mut *first, 6).await;
    assert_eq!(ids(&taken), [&sent[4..], &sent[..4]].concat());
    // The second waits already; of the first's, two were decided.
    let waiting = tokio::spawn(async move {
        let taken = take(&mut *second, 4).await;
        (second, taken)
    });
    let agreed = decide(&*exchange.ledger.ledger, &mut *first, &[taken[1], taken[2]]).await;
    assert_eq!(agreed.len(), 2);
    drop(first);
    let (_second, taken) = soon(waiting).await.unwrap();
    let mut taken = ids(&taken);
    taken.sort();
    assert_eq!(taken, [sent[1], sent[2], sent[3], sent[4]]);
}

/// Two wait for one delivery each, and a third leaves two behind.
pub async fn undecided_are_shared_by_those_who_wait<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let letters = exchange.letters("H49", 2);
    let sent = exchange.send(letters).await;
    let (mut first, mut second) = (exchange.consume("H49"), exchange.consume("H49"));
    let mut leaver = exchange.consume("H49");
    assert_eq!(ids(&take(&mut *leaver, 2).await), sent);
    for consumer in [&mut first, &mut second] {
        assert!(soon(consumer.look(1, ANY)).await.unwrap().is_empty());
    }
    let (mut one, mut other) = (first.take(1, ANY), second.take(1, ANY));
    assert!(poll!(&mut one).is_pending() && poll!(&mut other).is_pending());
    drop(leaver);
    let (one, other) = soon(async { tokio::join!(one, other) }).await;
    let mut taken = [ids(&one.unwrap()), ids(&other.unwrap())].concat();
    taken.sort();
    assert_eq!(taken, sent);
}

pub async fn undecided_of_the_last_come_back<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let letters = exchange.letters("H49", 700);
    let sent = exchange.send(letters).await;
    for round in 0..3 {
        let mut consumer = exchange.consume("H49");
        let taken = take(&mut *consumer, 600).await;
        assert_eq!(ids(&taken), sent[10 * round..][..600]);
        decide(&*exchange.ledger.ledger, &mut *consumer, &taken[..10]).await;
    }
    let mut consumer = exchange.consume("H49");
    assert_eq!(ids(&take(&mut *consumer, 670).await), sent[30..]);
}

pub async fn decided_are_forgotten<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let letters = exchange.letters("H49", 5);
    exchange.send(letters).await;
    let (mut first, mut second) = (exchange.consume("H49"), exchange.consume("H49"));
    let taken = take(&mut *first, 5).await;
    decide(&*exchange.ledger.ledger, &mut *first, &taken).await;
    drop(first);
    let letters = exchange.letters("H49", 1);
    let next = exchange.send(letters).await;
    assert_eq!(ids(&take(&mut *second, 1).await), next);
}

/// A wait is begun and given up again and again, before and after there is something.
pub async fn a_wait_given_up_loses_nothing<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let (mut first, mut second) = (exchange.consume("H49"), exchange.consume("H49"));
    let (mut expected, mut taken) = (HashSet::new(), Vec::new());
    let seed = Seed::new();
    let mut rng = seed.rng();
    for round in 0..300 {
        if round % 3 == 0 {
            let letters = exchange.letters("H49", 2);
            expected.extend(exchange.send(letters).await);
        }
        for consumer in [&mut first, &mut second] {
            tokio::select! {
                handed = consumer.take(1, ANY) => taken.extend(ids(&handed.unwrap())),
                () = a_while(rng.usize(..100)) => {}
            }
        }
    }
    let left = expected.len() - taken.len();
    taken.extend(ids(&take(&mut *first, left).await));
    assert_eq!(taken.len(), expected.len());
    assert_eq!(taken.into_iter().collect::<HashSet<_>>(), expected);
}

/// The last consumer has left, and letters come all the while a broker may put its mailbox away.
pub async fn what_comes_while_the_last_leaves_is_kept<B: BrokerUnderTest>() {
    const LETTERS: usize = 5;
    let mut exchange = Exchange::<B>::new().await;
    let ledger = Arc::clone(&exchange.ledger.ledger);
    for _ in 0..3 {
        let letters = exchange.letters("H49", 1);
        exchange.send(letters).await;
        let mut last = exchange.consume("H49");
        let taken = take(&mut *last, 1).await;
        decide(&*ledger, &mut *last, &taken).await;
        drop(last);
        let mut sent = HashSet::new();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(1_500) {
            let letters = exchange.letters("H49", LETTERS);
            sent.extend(exchange.accept(letters).await);
            exchange.publish();
        }
        let mut next = exchange.consume("H49");
        while !sent.is_empty() {
            let taken = soon(next.take(100, ANY)).await.unwrap();
            for id in decide(&*ledger, &mut *next, &taken).await {
                assert!(sent.remove(&id), "{id} came twice, or was not sent");
            }
        }
    }
}
