//! What agencies with queues of their own need of a ledger: leases that are renewed, durable numbers, figures per mailbox.

use truc::domain::delivery::{Event, Hold, Lease, Outcome};
use truc::domain::time::Timestamp;

use super::{LedgerUnderTest, Open};
use crate::support::{letter, offer, organ, settle, soon, step, t};

pub async fn a_lease_in_a_queue_is_found_and_renewed<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(open.accepted(letter("G22", &format!("m{n}"), &["H49"])).await.deliveries[0].id);
    }
    for (n, id) in (0..).zip(&ids[..3]) {
        let event = Event::Offer { hold: Hold::Queue, until: t(100 + n) };
        open.step(step(*id, event, t(2))).await.unwrap();
    }
    let held = async |before: Timestamp, limit| {
        soon(open.ledger.held_in_queue(&organ("H49"), before, limit)).await.unwrap()
    };
    assert_eq!(held(t(102), 10).await, [(ids[0], 1), (ids[1], 1)]);
    assert_eq!(held(t(500), 2).await.len(), 2);
    let renewed = open.step(step(ids[0], Event::Renew { lease: Lease(1), until: t(300) }, t(90))).await;
    assert_eq!(renewed.unwrap().progress.due_at, Some(t(300)));
    assert_eq!(held(t(102), 10).await, [(ids[1], 1)]);
    open.step(settle(ids[1], "H49", 1, Outcome::Delivered, t(91))).await.unwrap();
    assert_eq!(held(t(102), 10).await, []);
    assert_eq!(held(t(1_000), 10).await, [(ids[2], 1), (ids[0], 1)]);
    assert!(soon(open.ledger.held_by_streams(10)).await.unwrap().is_empty());
    let open = open.killed().await;
    assert!(soon(open.ledger.held_by_streams(10)).await.unwrap().is_empty(), "a queue outlives the node");
}

pub async fn a_mark_advances_from_what_it_is<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let advance = async |name: &str, from, to| {
        soon(soon(open.ledger.advance_mark(name, from, to)).await.unwrap()).await.unwrap()
    };
    assert_eq!(soon(open.ledger.mark("receipts/H49")).await.unwrap(), 0);
    assert!(advance("receipts/H49", 0, 7).await);
    assert!(!advance("receipts/H49", 0, 9).await, "somebody else was there before");
    assert!(advance("receipts/H05", 0, 1).await);
    assert!(advance("receipts/H49", 7, 9).await);
    let open = open.killed().await;
    assert_eq!(soon(open.ledger.mark("receipts/H49")).await.unwrap(), 9);
    assert_eq!(soon(open.ledger.mark("receipts/H05")).await.unwrap(), 1);
}

pub async fn mailboxes_add_up<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let mut ids = Vec::new();
    for n in 0..6 {
        let to = if n < 4 { "H49" } else { "H05" };
        ids.push(open.accepted(letter("G22", &format!("m{n}"), &[to])).await.deliveries[0].id);
    }
    open.step(offer(ids[0], t(2))).await.unwrap();
    open.step(offer(ids[1], t(2))).await.unwrap();
    open.step(settle(ids[1], "H49", 1, Outcome::Delivered, t(3))).await.unwrap();
    let put_off = Outcome::Deferred { reason: "full".into(), retry_at: Some(t(50)) };
    open.step(offer(ids[4], t(2))).await.unwrap();
    open.step(settle(ids[4], "H05", 1, put_off, t(3))).await.unwrap();
    let mut mailboxes = soon(open.ledger.mailboxes()).await.unwrap();
    mailboxes.sort_by(|a, b| a.organ.cmp(&b.organ));
    let figures: Vec<_> = mailboxes
        .iter()
        .map(|m| (m.organ.as_str(), m.ready, m.in_flight, m.waiting, m.dead, m.oldest.is_some()))
        .collect();
    assert_eq!(figures, [("H05", 1, 0, 1, 0, true), ("H49", 2, 1, 0, 0, true)]);
}
