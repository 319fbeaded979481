//! Point 2, and the bounds of a take.

use truc::domain::delivery::DeliveryId;
use truc::domain::message::Lane;
use truc::domain::turns::Turns;

use super::{ANY, BrokerUnderTest, Exchange, decide, ids, take};
use crate::support::{dropped, soon, t, with};

pub async fn urgent_before_normal<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    for consumer_first in [false, true] {
        let mut consumer = consumer_first.then(|| exchange.consume("H49"));
        let mut letters = Vec::new();
        for _ in 0..10 {
            letters.extend(exchange.letters("H49", 2));
            letters.extend(exchange.urgent_letters("H49", 1));
        }
        let sent = exchange.send(letters).await;
        let (urgent, normal): (Vec<_>, Vec<_>) = (0..30).partition(|n| n % 3 == 2);
        let expected: Vec<DeliveryId> = urgent.into_iter().chain(normal).map(|n| sent[n]).collect();
        let consumer = consumer.get_or_insert_with(|| exchange.consume("H49"));
        let taken = take(&mut **consumer, 30).await;
        assert_eq!(ids(&taken), expected);
        decide(&*exchange.ledger.ledger, &mut **consumer, &taken).await;
    }
}

pub async fn urgent_overtakes_what_waits<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let letters = exchange.letters("H49", 4);
    let normal = exchange.send(letters).await;
    let mut consumer = exchange.consume("H49");
    for next in &normal[..3] {
        assert_eq!(ids(&take(&mut *consumer, 1).await), [*next]);
        let letters = exchange.urgent_letters("H49", 2);
        let urgent = exchange.send(letters).await;
        assert_eq!(ids(&take(&mut *consumer, 2).await), urgent);
    }
    assert_eq!(ids(&take(&mut *consumer, 1).await), [normal[3]]);
}

/// Three of each, accepted in any order.
pub async fn each_urgency_before_the_lower<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    for consumer_first in [false, true] {
        let mut consumer = consumer_first.then(|| exchange.consume("H49"));
        let mut lanes: Vec<Lane> = Lane::ALL.into_iter().cycle().take(15).collect();
        fastrand::shuffle(&mut lanes);
        let letters = lanes.iter().flat_map(|lane| exchange.lane_letters(*lane, "H49", 1)).collect();
        let sent = exchange.send(letters).await;
        let mut expected: Vec<(Lane, DeliveryId)> = lanes.into_iter().zip(sent).collect();
        expected.sort();
        let consumer = consumer.get_or_insert_with(|| exchange.consume("H49"));
        let taken = take(&mut **consumer, 15).await;
        assert_eq!(ids(&taken), expected.into_iter().map(|(_, id)| id).collect::<Vec<_>>());
        decide(&*exchange.ledger.ledger, &mut **consumer, &taken).await;
    }
}

/// Of each lane far more than is taken: each gives its share.
async fn waiting_in_all_lanes<B: BrokerUnderTest>(
    exchange: &mut Exchange<B>,
) -> Vec<(Lane, Vec<DeliveryId>)> {
    let mut lanes = Vec::new();
    for lane in Lane::ALL {
        let letters = exchange.lane_letters(lane, "H49", 150);
        lanes.push((lane, exchange.send(letters).await));
    }
    lanes
}

/// The lanes of what was handed over, which comes in the order of each lane.
fn lanes_of(handed: &[DeliveryId], lanes: &[(Lane, Vec<DeliveryId>)]) -> Vec<Lane> {
    for (_, sent) in lanes {
        let of_lane: Vec<_> = handed.iter().filter(|id| sent.contains(id)).collect();
        assert!(of_lane.iter().copied().eq(&sent[..of_lane.len()]), "in the order of acceptance");
    }
    let lane = |id| lanes.iter().find(|(_, sent)| sent.contains(id)).unwrap().0;
    handed.iter().map(lane).collect()
}

pub async fn no_lane_waits_for_ever<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let lanes = waiting_in_all_lanes(&mut exchange).await;
    let mut consumer = exchange.consume("H49");
    let mut taken = take(&mut *consumer, 1).await;
    exchange.settled().await;
    taken.extend(take(&mut *consumer, 119).await);
    let order = lanes_of(&ids(&taken), &lanes);
    let run = Turns::URGENT_RUN_MAX.get() as usize;
    assert!(
        order[..run].iter().all(|lane| *lane == Lane::TimedExpress),
        "strict until others are owed: {order:?}"
    );
    for lane in Lane::ALL {
        let mut more_urgent = 0;
        for other in &order {
            more_urgent = if *other == lane { 0 } else { more_urgent + usize::from(*other < lane) };
            // One was taken before all had arrived.
            assert!(more_urgent <= run + 3 + 1, "{lane:?} waits: {order:?}");
        }
    }
    let most_urgent = order.iter().filter(|lane| **lane == Lane::TimedExpress).count();
    assert!((96..=100).contains(&most_urgent), "16 of 20: {order:?}");
}

/// Each take has a consumer of its own, and is smaller than what passes over a lane.
pub async fn no_lane_waits_for_ever_on_those_who_poll<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let lanes = waiting_in_all_lanes(&mut exchange).await;
    let mut handed = Vec::new();
    while handed.len() < 45 {
        let mut consumer = exchange.consume("H49");
        let taken = soon(consumer.look(3, ANY)).await.unwrap();
        assert!(!taken.is_empty());
        handed.extend(decide(&*exchange.ledger.ledger, &mut *consumer, &taken).await);
    }
    let order = lanes_of(&handed, &lanes);
    let normal = order.iter().filter(|lane| **lane == Lane::Normal).count();
    assert!((1..=4).contains(&normal), "{order:?}");
}

pub async fn ready_again_comes_before_the_younger<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let letters = exchange.letters("H49", 6);
    let sent = exchange.send(letters).await;
    let mut consumer = exchange.consume("H49");
    let taken = take(&mut *consumer, 3).await;
    assert_eq!(decide(&*exchange.ledger.ledger, &mut *consumer, &taken).await, sent[..3]);
    for id in [sent[1], sent[0]] {
        exchange.ledger.step(dropped(id, 1, t(3))).await.unwrap();
    }
    exchange.publish();
    exchange.settled().await;
    let expected = [sent[0], sent[1], sent[3], sent[4], sent[5]];
    assert_eq!(ids(&take(&mut *consumer, 5).await), expected);
}

pub async fn bytes_bound_a_take<B: BrokerUnderTest>() {
    let mut exchange = Exchange::<B>::new().await;
    let sizes = [10, 500, 40, 50, 60, 1, 100, 0, 0, 101, 99, 1];
    let letters = exchange.letters("H49", sizes.len());
    let letters = letters.into_iter().zip(sizes);
    let letters = letters.map(|(letter, size)| with(letter, |m| m.payload = vec![7; size].into())).collect();
    let sent = exchange.send(letters).await;
    let mut consumer = exchange.consume("H49");
    let mut taken = Vec::new();
    while taken.len() < sizes.len() {
        let next = soon(consumer.take(3, 100)).await.unwrap();
        let bytes: u64 = next.iter().map(|ready| ready.payload_bytes).sum();
        assert!((1..=3).contains(&next.len()));
        assert!(next.len() == 1 || bytes <= 100, "{bytes} bytes in {} deliveries", next.len());
        taken.extend(next);
    }
    assert_eq!(ids(&taken), sent, "what did not fit comes next, and keeps its place");
    let found: Vec<_> = taken.iter().map(|ready| ready.payload_bytes as usize).collect();
    assert_eq!(found, sizes);
    // Too large for any bound, it comes alone.
    let letters = exchange.letters("H49", 2);
    let sent = exchange.send(letters).await;
    for id in sent {
        assert_eq!(ids(&soon(consumer.take(9, 0)).await.unwrap()), [id]);
    }
    assert!(soon(consumer.look(9, ANY)).await.unwrap().is_empty());
}
