//! Point 1: what was answered is there after an end in good order and after a sudden one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{LogUnderTest, Open, in_order, step};
use crate::support::{organ, soon};
use truc::dossiers::{Advanced, Consumer, Enrolment, Follower, Place, Share};

async fn fill<L: LogUnderTest>(open: &Open<L>) {
    for number in 1..=3 {
        let batch = (1..=20).map(|dossier| step(&format!("H49-20260101-{dossier}"), number));
        assert!(open.publish(batch.collect()).await.iter().all(Result::is_ok));
    }
}

pub async fn answered_survives_a_reopen<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    fill(&open).await;
    let before = open.events().await;
    let open = open.reopened().await;
    assert_eq!(open.events().await, before);
    let next = open.one(step("H49-20260101-7", 4)).await.unwrap();
    assert_eq!(next.position, Some(61));
}

pub async fn answered_survives_a_kill<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    fill(&open).await;
    let open = open.killed().await;
    assert_eq!(in_order(&open.events().await).into_values().collect::<Vec<_>>(), [3; 20]);
    let again = open.one(step("H49-20260101-7", 2)).await.unwrap();
    assert!(again.repeated);
    assert_eq!(open.one(step("H49-20260102-1", 1)).await.unwrap().position, Some(61));
}

pub async fn held_and_places_survive_a_kill<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    let held = open.one(step("H49-20260101-1", 2)).await.unwrap();
    assert!(held.position.is_none() && held.held_until.is_some());
    let consumer = Consumer { organ: organ("G09"), name: "portal".to_owned() };
    let enrolment =
        Enrolment { consumer: consumer.clone(), share: Share::ALL, start: 0, filter: "all".into() };
    assert_eq!(soon(soon(open.log.enrol(enrolment)).await.unwrap()).await.unwrap(), Ok(0));
    let place = Place { consumer, share: Share::ALL, position: 7 };
    assert_eq!(soon(soon(open.log.advance(place.clone())).await.unwrap()).await.unwrap(), Advanced::Done);
    let open = open.killed().await;
    let known = Follower { place, filter: "all".into() };
    assert_eq!(soon(open.log.followers()).await.unwrap(), [known]);
    assert_eq!(soon(open.log.next_due()).await.unwrap(), held.held_until);
    open.one(step("H49-20260101-1", 1)).await.unwrap();
    assert_eq!(open.shown().await, ["H49-20260101-1 1", "H49-20260101-1 2"]);
    assert_eq!(soon(open.log.next_due()).await.unwrap(), None);
}

pub async fn a_kill_under_load_leaves_whole_batches_in_order<L: LogUnderTest>() {
    let open = Open::<L>::unheard().await;
    let answered: Arc<[AtomicU32; 4]> = Arc::default();
    let publishers: Vec<_> = (0..4)
        .map(|publisher| {
            let (log, answered) = (Arc::clone(&open.log), Arc::clone(&answered));
            tokio::spawn(async move {
                for number in 1.. {
                    let batch =
                        (0..7).map(|n| step(&format!("H49-20260101-{publisher}{n}"), number)).collect();
                    let Ok(pending) = log.publish(batch).await else { return };
                    if pending.await.is_err() || number == 900 {
                        return;
                    }
                    answered[publisher].store(number, Ordering::Release);
                }
            })
        })
        .collect();
    while answered.iter().any(|count| count.load(Ordering::Acquire) < 20) {
        tokio::task::yield_now().await;
    }
    let before: Vec<u32> = answered.iter().map(|count| count.load(Ordering::Acquire)).collect();
    let Open { commits, log, place } = open;
    // Killed while they still publish; they stop once their log answers no more.
    publishers.iter().for_each(tokio::task::JoinHandle::abort);
    drop(commits);
    let open = Open::<L>::at(place.killed(log).await).await;
    let steps = in_order(&open.events().await);
    for (publisher, before) in before.into_iter().enumerate() {
        let of: Vec<u32> = (0..7).map(|n| steps[&format!("H49-20260101-{publisher}{n}")]).collect();
        assert!(of.iter().all(|count| *count == of[0] && *count >= before), "{of:?}, answered {before}");
    }
}
