//! Point 6: gaps are held, released and filled late.

use std::sync::Arc;

use super::{HOLD, LogUnderTest, Open, step};
use crate::support::{soon, t};
use truc::domain::dossier::Flags;
use truc::domain::time::Timestamp;
use truc::dossiers::NewStep;

const DOSSIER: &str = "H49-20260101-1";

fn at(second: i64, number: u32) -> NewStep {
    NewStep { at: t(second), ..step(DOSSIER, number) }
}

fn due(second: i64) -> Timestamp {
    t(second).plus(HOLD)
}

pub async fn held_until_the_filler_comes<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    open.one(at(1, 1)).await.unwrap();
    let held = open.publish(vec![at(2, 4), at(2, 3)]).await;
    let held: Vec<_> = held.into_iter().map(Result::unwrap).collect();
    assert_eq!((held[0].position, held[0].missing.as_slice()), (None, &[2, 3][..]));
    assert_eq!((held[1].position, held[1].missing.as_slice()), (None, &[2][..]));
    assert_eq!(held[0].held_until, Some(due(2)));
    assert_eq!(open.shown().await.len(), 1);
    let filler = open.one(at(3, 2)).await.unwrap();
    assert_eq!((filler.position, filler.held_until), (Some(2), None));
    let all = [1, 2, 3, 4].map(|number| format!("{DOSSIER} {number}"));
    assert_eq!(open.shown().await, all);
    assert_eq!(open.release(due(1_000)).await, 0);
}

pub async fn released_with_a_gap_once_its_time_is_up<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    open.publish(vec![at(1, 1), at(2, 4), at(3, 5)]).await;
    let just_before = Timestamp::from_micros(due(2).as_micros() - 1);
    assert_eq!(open.release(just_before).await, 0);
    assert_eq!(open.release(due(2)).await, 2);
    let shown = ["H49-20260101-1 1", "H49-20260101-1 4 gap from 2", "H49-20260101-1 5"];
    assert_eq!(open.shown().await, shown);
    assert_eq!(open.events().await[1].at, due(2));
    assert_eq!(open.release(due(9)).await, 0);
    // What comes after needs no more waiting.
    assert_eq!(open.one(at(9, 6)).await.unwrap().position, Some(4));
}

pub async fn a_late_filler_is_shown_at_once<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    open.publish(vec![at(1, 1), at(2, 4)]).await;
    open.release(due(2)).await;
    let late = open.one(at(700, 3)).await.unwrap();
    assert_eq!((late.position, late.missing.as_slice()), (Some(3), &[2][..]));
    assert!(late.flags.has(Flags::LATE));
    let late = open.one(at(701, 2)).await.unwrap();
    assert_eq!((late.position, late.missing.len()), (Some(4), 0));
    let open = open.killed().await;
    let shown = open.shown().await;
    assert_eq!(shown[2..], ["H49-20260101-1 3 late", "H49-20260101-1 2 late"]);
}

pub async fn several_gaps_have_their_own_times<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    open.publish(vec![at(1, 2), at(100, 4), at(200, 6)]).await;
    assert_eq!(open.release(due(1)).await, 1);
    assert_eq!(soon(open.log.next_due()).await.unwrap(), Some(due(100)));
    assert_eq!(open.release(due(200)).await, 2);
    let shown = ["H49-20260101-1 2 gap from 1", "H49-20260101-1 4 gap from 3", "H49-20260101-1 6 gap from 5"];
    assert_eq!(open.shown().await, shown);
    assert_eq!(soon(open.log.next_due()).await.unwrap(), None);
}

pub async fn due_times_are_told_and_found<L: LogUnderTest>() {
    let mut open = Open::<L>::new().await;
    open.one(at(5, 3)).await.unwrap();
    let told = open.told();
    assert!(told.iter().any(|commit| commit.due == Some(due(5)) && commit.head.is_none()), "{told:?}");
    assert_eq!(soon(open.log.next_due()).await.unwrap(), Some(due(5)));
}

pub async fn released_by_one_of_two<L: LogUnderTest>() {
    let open = Open::<L>::unheard().await;
    let held: Vec<_> = (1..=50).map(|n| step(&format!("H49-20260101-{n}"), 2)).collect();
    open.publish(held).await;
    let releasing = (0..3).map(|_| {
        let log = Arc::clone(&open.log);
        tokio::spawn(async move { soon(soon(log.release(due(1))).await.unwrap()).await.unwrap() })
    });
    let mut released = 0;
    for one in releasing.collect::<Vec<_>>() {
        released += one.await.unwrap();
    }
    assert_eq!((released, open.events().await.len()), (50, 50));
}
