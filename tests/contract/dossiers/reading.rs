//! What is read beside the writer.

use std::sync::Arc;

use prost::Message;
use truc::domain::dossier::DossierStatus::{Accepted, Processed, Registered};
use truc::domain::dossier::{DossierStatus, ProcedureCode};
use truc::dossiers::{Ahead, NewStep, Selection, Tail, Tally};
use truc::proto::v1;

use super::{LogUnderTest, Open, code, step, with_status};
use crate::support::{organ, soon, t};

pub async fn paged_from_any_position<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    open.publish((1..=10).map(|number| step("H49-20260101-1", number)).collect()).await;
    assert_eq!(soon(open.log.head()).await.unwrap(), 10);
    for (after, limit, expected) in
        [(0, 3, vec![1, 2, 3]), (7, 100, vec![8, 9, 10]), (10, 5, vec![]), (u64::MAX, 5, vec![])]
    {
        let events = soon(open.log.events(after, limit)).await.unwrap();
        let positions: Vec<_> = events.into_iter().map(|event| event.position.unwrap()).collect();
        assert_eq!(positions, expected, "after {after}");
    }
}

pub async fn the_same_pages_read_ahead<L: LogUnderTest>() {
    const EVENTS: u64 = 1_050;
    let open = Open::<L>::new().await;
    let body = v1::DossierEvent { owner: "H49".to_owned(), ..v1::DossierEvent::default() }.encode_to_vec();
    let one = |number| NewStep { body: body.clone().into(), ..step(&format!("H49-20260101-{number}"), 1) };
    open.publish((1..=EVENTS).map(one).collect()).await;
    // The end of the log is in no memory: none of it was told of since.
    let tail = Arc::new(Tail::open(Arc::clone(&open.log), 100).await.unwrap());
    let mut pages = Ahead::new(Arc::clone(&tail), 100);
    let mut read = Vec::new();
    loop {
        let page = soon(pages.after(read.len() as u64)).await.unwrap();
        if page.is_empty() {
            break;
        }
        read.extend(page.iter().map(|event| event.position));
    }
    assert_eq!(read, (1..=EVENTS).collect::<Vec<_>>());
    // Not where the page before it ended.
    for (after, first) in
        [(0, Some(1)), (30, Some(31)), (1_049, Some(EVENTS)), (EVENTS, None), (700, Some(701))]
    {
        let page = soon(pages.after(after)).await.unwrap();
        assert_eq!(page.first().map(|event| event.position), first, "after {after}");
    }
}

pub async fn by_time<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    assert_eq!(soon(open.log.position_at(t(5))).await.unwrap(), 0);
    for number in 1..=9 {
        open.one(NewStep { at: t(10 * i64::from(number)), ..step("H49-20260101-1", number) }).await.unwrap();
    }
    for (second, position) in [(0, 0), (10, 0), (11, 1), (50, 4), (51, 5), (90, 8), (91, 9), (1_000, 9)] {
        assert_eq!(soon(open.log.position_at(t(second))).await.unwrap(), position, "{second}");
    }
}

pub async fn by_owner_and_page<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    let codes = ["H49-20260101-1", "H49.12-20260101-1", "H48-20260101-1", "H49-20260101-2", "H50-20260101-1"];
    open.publish(codes.iter().map(|code| step(code, 1)).collect()).await;
    let selection = Selection { at_or_below: organ("H49"), overdue_at: None };
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = soon(open.log.dossiers(&selection, after.as_ref(), 2)).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.code.owner().clone(), last.key));
        found.extend(page.into_iter().map(|dossier| dossier.code.to_string()));
    }
    assert_eq!(found, ["H49-20260101-1", "H49-20260101-2", "H49.12-20260101-1"]);
}

pub async fn overdue_while_it_is_open<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    let due =
        |code, number, status: DossierStatus, due_at| NewStep { due_at, ..with_status(code, number, status) };
    open.publish(vec![
        due("H49-20260101-1", 1, Accepted, Some(t(100))),
        due("H49-20260101-2", 1, Accepted, Some(t(200))),
        due("H49-20260101-3", 1, Accepted, None),
    ])
    .await;
    let overdue = |second| {
        let selection = Selection { at_or_below: organ("H49"), overdue_at: Some(t(second)) };
        let log = &open.log;
        async move {
            let found = soon(log.dossiers(&selection, None, 10)).await.unwrap();
            found.into_iter().map(|dossier| dossier.code.to_string()).collect::<Vec<_>>()
        }
    };
    assert_eq!(overdue(100).await, [""; 0]);
    assert_eq!(overdue(101).await, ["H49-20260101-1"]);
    assert_eq!(overdue(201).await, ["H49-20260101-1", "H49-20260101-2"]);
    // Put off, and done.
    open.one(due("H49-20260101-1", 2, DossierStatus::SupplementRequired, Some(t(500)))).await.unwrap();
    open.one(due("H49-20260101-2", 2, Processed, None)).await.unwrap();
    assert_eq!(overdue(300).await, [""; 0]);
    assert_eq!(overdue(501).await, ["H49-20260101-1"]);
}

pub async fn the_history_of_a_dossier<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    let other = ProcedureCode::parse("2.000815").unwrap();
    open.publish(vec![
        with_status("H49-20260101-1", 1, Registered),
        step("H49-20260101-2", 1),
        NewStep { procedure: other.clone(), due_at: Some(t(9)), ..step("H49-20260101-1", 4) },
        with_status("H49-20260101-1", 2, Accepted),
    ])
    .await;
    let history = soon(open.log.history(&code("000.00.00.H49-260101-1"))).await.unwrap();
    let (dossier, events) = history.unwrap();
    assert_eq!((dossier.procedure, dossier.due_at), (other, Some(t(9))));
    assert_eq!((dossier.course.missing(), dossier.course.shown()), (vec![3], 2));
    let found: Vec<_> = events.iter().map(|event| (event.step, event.position)).collect();
    assert_eq!(found, [(1, Some(1)), (2, Some(3)), (4, None)]);
    assert_eq!(events[2].body, step("H49-20260101-1", 4).body);
    assert_eq!(soon(open.log.history(&code("H49-20260101-3"))).await.unwrap(), None);
}

pub async fn tally_of_the_held<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    assert_eq!(soon(open.log.tally()).await.unwrap(), Tally::default());
    let at = |second, dossier, number| NewStep { at: t(second), ..step(dossier, number) };
    open.publish(vec![at(5, "H49-20260101-1", 1), at(6, "H49-20260101-1", 3), at(7, "H49-20260101-2", 2)])
        .await;
    let tally = Tally { head: 1, held: 2, oldest_held: Some(t(6)) };
    assert_eq!(soon(open.log.tally()).await.unwrap(), tally);
}

pub async fn probe_writes<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    soon(open.log.probe()).await.unwrap();
    soon(open.log.probe()).await.unwrap();
}
