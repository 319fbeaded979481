//! Point 8: a delivery whose recipient has closed is redirected once, wholly, with one receipt that names both.

use std::sync::Arc;

use truc::domain::delivery::{DeliveryId, Event, Outcome, State, StepRefused};
use truc::domain::message::Lane;
use truc::domain::receipt::{Cause, ReceiptKind};
use truc::ledger::{StepError, StepRequest};

use super::{LedgerUnderTest, Open};
use crate::support::{DUTY, EXPIRY, dropped, letter, offer, organ, settle, soon, step, t, urgent};

fn redirect(delivery: DeliveryId, to: &str) -> StepRequest {
    step(
        delivery,
        Event::Redirect { to: organ(to), legal_basis: "NQ 1".into(), acknowledge_by: t(DUTY) },
        t(5),
    )
}

/// Ready deliveries of a mailbox lane.
async fn ready<L: LedgerUnderTest>(open: &Open<L>, id: &str, lane: Lane) -> Vec<DeliveryId> {
    let ready = soon(open.ledger.ready(&organ(id), lane, DeliveryId(0), 100)).await.unwrap();
    ready.into_iter().map(|ready| ready.delivery).collect()
}

pub async fn another_delivery_takes_its_place<L: LedgerUnderTest>() {
    let mut open = Open::<L>::new().await;
    let given = urgent(letter("G22", "one", &["H02", "H49"]));
    let accepted = open.accepted(given.clone()).await;
    let old = accepted.deliveries[0].id;
    open.told();
    let stepped = open.step(redirect(old, "H05")).await.unwrap();
    assert_eq!((stepped.progress.state, stepped.progress.due_at), (State::Redirected, None));
    let became: Vec<_> = open.told().into_iter().flat_map(|commit| commit.ready).collect();
    let [became] = became.as_slice() else { unreachable!("{became:?}") };
    assert_eq!((&became.organ, became.lane, became.ready.attempt), (&organ("H05"), Lane::Urgent, 0));
    let new = became.ready.delivery;
    assert!(new > accepted.deliveries[1].id);
    assert_eq!(ready(&open, "H05", Lane::Urgent).await, [new]);
    assert!(ready(&open, "H02", Lane::Urgent).await.is_empty());

    let (record, receipts) = open.track("G22", "one").await.unwrap();
    let stand: Vec<_> = record
        .deliveries
        .iter()
        .map(|d| (d.id, d.recipient.clone(), d.addressed_to.clone(), d.progress.state))
        .collect();
    let expected = [
        (old, organ("H02"), None, State::Redirected),
        (accepted.deliveries[1].id, organ("H49"), None, State::Queued),
        (new, organ("H05"), Some(organ("H02")), State::Queued),
    ];
    assert_eq!(stand, expected);
    assert_eq!(record.deliveries[0].ended_at, Some(t(5)));
    let [_, told] = receipts.as_slice() else { unreachable!("{receipts:?}") };
    assert_eq!((told.kind, told.reason.as_str()), (ReceiptKind::Redirected, "NQ 1"));
    let about = told.delivery.as_ref().unwrap();
    assert_eq!((about.id, about.replaces, about.attempt), (new, Some(old), 0));
    assert_eq!((&about.recipient, &about.addressed_to), (&organ("H05"), &Some(organ("H02"))));
    assert_eq!(open.receipts("G22").await, receipts);
    assert_eq!(
        soon(open.ledger.sent(&organ("G22"), None, 9)).await.unwrap()[0].deliveries,
        record.deliveries
    );

    let again = open.accepted(given).await;
    assert_eq!((again.deliveries, again.repeated), (accepted.deliveries, true), "answered as the first time");
    open.step(offer(new, t(6))).await.unwrap();
    open.step(settle(new, "H05", 1, Outcome::Delivered, t(7))).await.unwrap();
    let open_left = soon(open.ledger.mailboxes()).await.unwrap();
    assert_eq!(open_left.iter().map(|tally| tally.organ.to_string()).collect::<Vec<_>>(), ["H49"]);
    let sequences: Vec<_> =
        open.receipts("G22").await.iter().map(|r| (r.sender_sequence, r.message_sequence)).collect();
    assert_eq!(sequences, [(1, 1), (2, 2), (3, 3), (4, 4)]);
}

pub async fn what_is_held_stays_and_what_has_ended_is_never_moved<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let d = open.accepted(letter("G22", "one", &["H02"])).await.deliveries[0].id;
    open.step(offer(d, t(2))).await.unwrap();
    let refused = |why| Err(StepError::Refused(why));
    assert_eq!(open.step(redirect(d, "H05")).await, refused(StepRefused::NotReady));
    open.step(dropped(d, 1, t(3))).await.unwrap();
    // In one batch with another of the same kind: the first has it.
    let answers = open.steps(vec![redirect(d, "H05"), redirect(d, "H49")]).await;
    assert_eq!(answers[0].as_ref().unwrap().progress.state, State::Redirected);
    assert_eq!(answers[1], refused(StepRefused::Ended(State::Redirected)));
    assert_eq!(open.step(redirect(d, "H05")).await, refused(StepRefused::Ended(State::Redirected)));
    let late = settle(d, "H02", 1, Outcome::Delivered, t(9));
    assert_eq!(open.step(late).await, refused(StepRefused::Ended(State::Redirected)));
    assert!(ready(&open, "H49", Lane::Normal).await.is_empty());
    let [new] = ready(&open, "H05", Lane::Normal).await[..] else { unreachable!("there is one") };
    let late = StepRequest { at: t(EXPIRY), ..redirect(new, "H49") };
    assert_eq!(open.step(late).await, refused(StepRefused::NotReady), "it expires instead");
    let kinds: Vec<_> = open.receipts("G22").await.into_iter().map(|receipt| receipt.kind).collect();
    let (accepted, offered) = (ReceiptKind::Accepted, ReceiptKind::Offered);
    assert_eq!(kinds, [accepted, offered, ReceiptKind::Deferred, ReceiptKind::Redirected]);
}

pub async fn a_second_closing_is_followed<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await.reopened().await;
    let first = open.accepted(letter("G22", "one", &["H02"])).await.deliveries[0].id;
    open.step(redirect(first, "H05")).await.unwrap();
    let [second] = ready(&open, "H05", Lane::Normal).await[..] else { unreachable!("there is one") };
    let open = open.killed().await;
    open.step(redirect(second, "H49")).await.unwrap();
    let (record, receipts) = open.track("G22", "one").await.unwrap();
    let third = record.deliveries.last().unwrap();
    assert_eq!((&third.recipient, &third.addressed_to), (&organ("H49"), &Some(organ("H02"))));
    let replaced: Vec<_> = receipts.iter().filter_map(|r| r.delivery.as_ref()?.replaces).collect();
    assert_eq!(replaced, [first, second]);
    assert_eq!(record.deliveries.len(), 3);
}

pub async fn one_of_two_nodes_moves_it<L: LedgerUnderTest>() {
    const COUNT: usize = 40;
    let open = Open::<L>::unheard().await;
    let letters = (0..COUNT).map(|n| letter("G22", &format!("m{n}"), &["H02"])).collect();
    let accepted = open.accept(letters).await;
    let ids: Vec<_> = accepted.iter().map(|one| one.as_ref().unwrap().deliveries[0].id).collect();
    let movers: Vec<_> = (0..4)
        .map(|n| {
            let (ledger, mut ids) = (Arc::clone(&open.ledger), ids.clone());
            ids.rotate_left(n * 7);
            tokio::spawn(async move {
                let mut moved = 0;
                for chunk in ids.chunks(5) {
                    let batch = chunk.iter().map(|id| redirect(*id, "H05")).collect();
                    let answers = ledger.step(batch).await.unwrap().await.unwrap();
                    moved += answers.iter().flatten().count();
                }
                moved
            })
        })
        .collect();
    let mut moved = 0;
    for mover in movers {
        moved += soon(mover).await.unwrap();
    }
    assert_eq!((moved, ready(&open, "H05", Lane::Normal).await.len()), (COUNT, COUNT));
    let redirected = open.receipts("G22").await.into_iter().filter(|r| r.kind == ReceiptKind::Redirected);
    assert_eq!(redirected.count(), COUNT);
    assert!(soon(open.ledger.unheld(&organ("H02"), DeliveryId(0), 99)).await.unwrap().is_empty());
}

pub async fn nobody_took_over<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let d = open.accepted(letter("G22", "one", &["H02"])).await.deliveries[0].id;
    let strand = step(d, Event::Strand { reason: "closed".into() }, t(5));
    assert_eq!(open.step(strand.clone()).await.unwrap().progress.state, State::Dead);
    assert_eq!(open.step(strand).await.unwrap().progress.state, State::Dead, "said again, it is so already");
    let receipts = open.receipts("G22").await;
    let [_, dead] = receipts.as_slice() else { unreachable!("{receipts:?}") };
    assert_eq!(
        (dead.kind, dead.cause, &*dead.reason),
        (ReceiptKind::Dead, Some(Cause::RecipientClosed), "closed")
    );
    let unheld = soon(open.ledger.unheld(&organ("H02"), DeliveryId(0), 9)).await.unwrap();
    assert_eq!(unheld, [(d, State::Dead)]);
    assert!(soon(open.ledger.unheld(&organ("H02"), d, 9)).await.unwrap().is_empty());
    // Once somebody is known to have taken over, it goes there.
    open.step(redirect(d, "H05")).await.unwrap();
    assert_eq!(ready(&open, "H05", Lane::Normal).await.len(), 1);
}

pub async fn what_is_redirected_is_no_longer_unpublished<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let d = open.accepted(letter("G22", "one", &["H02"])).await.deliveries[0].id;
    open.step(redirect(d, "H05")).await.unwrap();
    let unpublished = soon(open.ledger.unpublished(DeliveryId(0), 9)).await.unwrap();
    let organs: Vec<_> = unpublished.iter().map(|became| became.organ.to_string()).collect();
    assert_eq!(organs, ["H05"]);
}
