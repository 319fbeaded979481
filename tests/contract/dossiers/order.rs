//! Points 4, 5 and 7: positions without a hole, in order, and told of.

use std::sync::Arc;

use super::{HOLD, LogUnderTest, Open, in_order, publish, step};
use crate::support::{soon, t};

pub async fn positions_have_no_hole_while_publishers_race<L: LogUnderTest>() {
    let open = Open::<L>::unheard().await;
    let publishers: Vec<_> = (0..6_u64)
        .map(|publisher| {
            let log = Arc::clone(&open.log);
            tokio::spawn(async move {
                // Each dossier's steps come in any order.
                let mut chance = fastrand::Rng::with_seed(publisher);
                for dossier in 0..12 {
                    let mut numbers: Vec<u32> = (1..=8).collect();
                    chance.shuffle(&mut numbers);
                    for part in numbers.chunks(3) {
                        let name = format!("H49-20260101-{publisher}{dossier:02}");
                        let batch = part.iter().map(|number| step(&name, *number)).collect();
                        assert!(publish(&log, batch).await.iter().all(Result::is_ok));
                    }
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.await.unwrap();
    }
    let steps = in_order(&open.events().await);
    assert_eq!(steps.into_values().collect::<Vec<_>>(), [8; 72]);
}

pub async fn steps_of_a_batch_are_decided_in_order<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    let answers = open.publish((1..=9).map(|number| step("H49-20260101-1", number)).collect()).await;
    let positions: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().position.unwrap()).collect();
    assert_eq!(positions, (1..=9).collect::<Vec<_>>());
}

pub async fn readers_see_no_hole_while_it_grows<L: LogUnderTest>() {
    let open = Open::<L>::unheard().await;
    let reader = {
        let log = Arc::clone(&open.log);
        tokio::spawn(async move {
            let mut read = 0;
            while read < 1_500 {
                for event in soon(log.events(read, 100)).await.unwrap() {
                    read += 1;
                    assert_eq!(event.position, Some(read));
                }
                tokio::task::yield_now().await;
            }
        })
    };
    let publishers: Vec<_> = (0..3)
        .map(|publisher| {
            let log = Arc::clone(&open.log);
            tokio::spawn(async move {
                for number in 1..=100 {
                    let batch = (0..5).map(|n| step(&format!("H49-20260101-{publisher}{n}"), number));
                    publish(&log, batch.collect()).await;
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.await.unwrap();
    }
    soon(reader).await.unwrap();
}

pub async fn told_before_the_answer<L: LogUnderTest>() {
    let mut open = Open::<L>::new().await;
    for number in 1..=5 {
        open.one(step("H49-20260101-1", number)).await.unwrap();
        let told = open.told();
        assert!(told.iter().any(|commit| commit.head == Some(number.into())), "{number}: {told:?}");
    }
    // A repeat makes nothing visible.
    open.one(step("H49-20260101-1", 3)).await.unwrap();
    assert!(open.told().iter().all(|commit| commit.head.is_none_or(|head| head <= 5)));
}

pub async fn told_with_the_events_themselves<L: LogUnderTest>() {
    let mut open = Open::<L>::new().await;
    for number in [1, 3, 2, 5, 2] {
        open.one(step("H49-20260101-1", number)).await.unwrap();
    }
    assert_eq!(open.release(t(1).plus(HOLD)).await, 1);
    let told: Vec<_> = open.told().into_iter().flat_map(|commit| commit.events).collect();
    assert_eq!(told.iter().map(|event| event.step).collect::<Vec<_>>(), [1, 2, 3, 5]);
    assert_eq!(told, open.events().await);
}
