//! Point 11: that a delivery was not acknowledged in time is noted once; and what is counted and listed of it.

use std::sync::Arc;

use truc::domain::calendar::Day;
use truc::domain::delivery::{DeliveryId, Outcome};
use truc::domain::receipt::{Asserter, ReceiptKind};
use truc::domain::status::StatusCode;
use truc::ledger::{Acceptance, DutyBounds, DutyDay, Ledger, OverdueOf};

use super::{LedgerUnderTest, Open};
use crate::support::{dropped, letter, offer, organ, report, settle, soon, t};

/// The end of the working day in question, and of the next.
const END: i64 = 100_000;
const NEXT: i64 = 200_000;

fn due(letter: Acceptance, by: i64) -> Acceptance {
    Acceptance { acknowledge_by: t(by), ..letter }
}

async fn note<L: LedgerUnderTest>(open: &Open<L>, ids: &[DeliveryId], at: i64) -> Vec<bool> {
    soon(soon(open.ledger.note_overdue(ids.to_vec(), t(at))).await.unwrap()).await.unwrap()
}

async fn unacknowledged<L: LedgerUnderTest>(open: &Open<L>, by: i64) -> Vec<DeliveryId> {
    soon(open.ledger.unacknowledged(t(by), DeliveryId(0), 99)).await.unwrap()
}

async fn overdue<L: LedgerUnderTest>(open: &Open<L>, of: OverdueOf, open_only: bool) -> Vec<DeliveryId> {
    let found = soon(open.ledger.overdue(&of, None, open_only, 99)).await.unwrap();
    found.iter().map(|record| record.deliveries[0].id).collect()
}

async fn delivery<L: LedgerUnderTest>(open: &Open<L>, letter: Acceptance) -> DeliveryId {
    open.accepted(letter).await.deliveries[0].id
}

/// One of each way a delivery can stand at the end of its day; those that are to be noted, in order.
async fn a_day<L: LedgerUnderTest>(open: &Open<L>) -> (Vec<DeliveryId>, Vec<DeliveryId>) {
    let mut ids = Vec::new();
    for (n, to) in ["H49", "H49", "H49", "H49", "H05", "H05", "H49"].into_iter().enumerate() {
        let by = if n == 6 { NEXT } else { END };
        ids.push(delivery(open, due(letter("G22", &format!("m{n}"), &[to]), by)).await);
    }
    let settled = |id, by: &'static str, at| settle(id, by, 1, Outcome::Delivered, t(at));
    for id in [1, 2, 3, 4] {
        open.step(offer(ids[id], t(END - 50))).await.unwrap();
    }
    // 0 waits; 1 is settled in time, 2 in the very last moment, 3 too late, of 4 a status came in time; 5 waits; 6 is due later.
    open.step(settled(ids[1], "H49", END - 10)).await.unwrap();
    open.step(settled(ids[2], "H49", END)).await.unwrap();
    open.report(report(ids[4], "H05", StatusCode::Arrived, "", t(END - 5))).await.unwrap();
    open.step(settled(ids[3], "H49", END + 1)).await.unwrap();
    let late = vec![ids[0], ids[3], ids[5]];
    (ids, late)
}

pub async fn what_is_late_is_noted_once<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let (ids, late) = a_day(&open).await;
    assert_eq!(unacknowledged(&open, END - 1).await, []);
    assert_eq!(unacknowledged(&open, END).await, late);
    let pages = soon(open.ledger.unacknowledged(t(END), late[0], 1)).await.unwrap();
    assert_eq!(pages, late[1..2]);
    assert_eq!(note(&open, &ids, END - 1).await, [false; 7], "its time has not come");
    let before = open.track("G22", "m0").await.unwrap().1.len();
    let noted = note(&open, &ids, END + 10).await;
    assert_eq!(noted, [true, false, false, true, false, true, false]);
    assert_eq!(note(&open, &ids, END + 20).await, [false; 7], "once");
    assert_eq!(note(&open, &[DeliveryId(999)], END + 20).await, [false]);
    assert_eq!(unacknowledged(&open, END).await, []);
    let (record, receipts) = open.track("G22", "m0").await.unwrap();
    assert_eq!(receipts.len(), before + 1);
    let receipt = receipts.last().unwrap();
    assert_eq!((receipt.kind, receipt.time), (ReceiptKind::Overdue, t(END + 10)));
    assert_eq!((&receipt.asserted_by, receipt.delivery.as_ref().unwrap().id), (&Asserter::Gateway, ids[0]));
    let duty = record.deliveries[0].duty;
    assert_eq!(
        (duty.acknowledge_by, duty.acknowledged_at, duty.overdue_at),
        (t(END), None, Some(t(END + 10)))
    );
    let settled = open.track("G22", "m2").await.unwrap().0.deliveries[0].duty;
    assert_eq!((settled.acknowledged_at, settled.overdue_at), (Some(t(END)), None));
    let reported = open.track("G22", "m4").await.unwrap().0.deliveries[0].duty;
    assert_eq!(reported.acknowledged_at, Some(t(END - 5)));
    // It goes on as if nothing had been said of it.
    open.step(offer(ids[0], t(END + 30))).await.unwrap();
    let stepped = open.step(settle(ids[0], "H49", 1, Outcome::Delivered, t(END + 31))).await.unwrap();
    assert_eq!(
        (stepped.duty.acknowledged_at, stepped.duty.overdue_at),
        (Some(t(END + 31)), Some(t(END + 10)))
    );
}

pub async fn what_ended_before_is_owed_no_more<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let short = crate::support::with(letter("G22", "short", &["H49"]), |message| message.expires_at = t(50));
    let expired = delivery(&open, due(short, END)).await;
    let dead = delivery(&open, due(letter("G22", "dead", &["H49"]), END)).await;
    open.step(crate::support::step(expired, truc::domain::delivery::Event::Due, t(60))).await.unwrap();
    open.step(offer(dead, t(60))).await.unwrap();
    open.step(dropped(dead, 1, t(61))).await.unwrap();
    assert_eq!(unacknowledged(&open, END).await, [dead]);
    assert_eq!(note(&open, &[expired, dead], END).await, [false, true]);
}

pub async fn lists_and_tallies_of_the_overdue<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let (ids, late) = a_day(&open).await;
    assert_eq!(overdue(&open, OverdueOf::Everybody, false).await, []);
    note(&open, &late, END + 10).await;
    let newest_first = |ids: &[DeliveryId]| ids.iter().rev().copied().collect::<Vec<_>>();
    let (h49, h05) = (OverdueOf::Recipient(organ("H49")), OverdueOf::Recipient(organ("H05")));
    assert_eq!(overdue(&open, h49.clone(), false).await, newest_first(&[ids[0], ids[3]]));
    assert_eq!(overdue(&open, h49.clone(), true).await, [ids[0]], "the other was settled since");
    assert_eq!(overdue(&open, h05, true).await, [ids[5]]);
    assert_eq!(overdue(&open, OverdueOf::Sender(organ("G22")), false).await, newest_first(&late));
    assert_eq!(overdue(&open, OverdueOf::Sender(organ("H49")), false).await, []);
    assert_eq!(overdue(&open, OverdueOf::Recipient(organ("H60")), false).await, []);
    assert_eq!(overdue(&open, OverdueOf::Everybody, true).await, newest_first(&[ids[0], ids[5]]));
    let page = soon(open.ledger.overdue(&OverdueOf::Everybody, Some(ids[5]), false, 1)).await.unwrap();
    assert_eq!(page[0].deliveries[0].id, ids[3]);
    assert_eq!(page[0].message.message_id.as_str(), "m3");
    let mut recipients = soon(open.ledger.overdue_recipients()).await.unwrap();
    recipients.sort();
    assert_eq!(recipients, [organ("H05"), organ("H49")]);
    assert_eq!(soon(open.ledger.tally()).await.unwrap().overdue, 2);
    let mut mailboxes = soon(open.ledger.mailboxes()).await.unwrap();
    mailboxes.sort_by(|a, b| a.organ.cmp(&b.organ));
    assert_eq!(mailboxes.iter().map(|m| m.overdue).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(
        soon(open.ledger.duty_bounds(t(END), DeliveryId(0))).await.unwrap(),
        DutyBounds { first_later: Some(ids[6]), last: Some(ids[6]) }
    );
    assert_eq!(soon(open.ledger.duty_bounds(t(NEXT), ids[6])).await.unwrap(), DutyBounds::default());
}

pub async fn figures_by_organ_and_day<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let (_, late) = a_day(&open).await;
    let count = async |after: u64, from: i64, by: i64| {
        soon(soon(open.ledger.count_duty(DeliveryId(after), t(from), t(by))).await.unwrap()).await.unwrap();
    };
    let figures = async |id: Option<&str>, last: i32, after: Option<&str>, limit| {
        let (id, after) = (id.map(organ), after.map(organ));
        let days = (Day(0), Day(last));
        soon(open.ledger.duty_figures(id.as_ref(), days, after.as_ref(), limit)).await.unwrap()
    };
    assert_eq!(figures(None, 9, None, 9).await, []);
    note(&open, &late, END + 10).await;
    // Counting again changes nothing.
    for _ in 0..2 {
        count(0, 0, END).await;
    }
    let all = figures(None, 9, None, 9).await;
    assert_eq!(all.iter().map(|f| f.organ.as_str()).collect::<Vec<_>>(), ["H49", "H05"], "as they came");
    assert_eq!((all[0].due, all[0].overdue, all[0].overdue_now), (4, 2, 1));
    assert_eq!(all[0].days, [DutyDay { day: Day(1), due: 4, overdue: 2 }]);
    assert_eq!((all[1].due, all[1].overdue, all[1].overdue_now), (2, 1, 1));
    assert_eq!(figures(None, 9, None, 1).await, all[..1]);
    assert_eq!(figures(None, 9, Some("H49"), 9).await, all[1..]);
    assert_eq!(figures(Some("H05"), 9, None, 9).await, all[1..]);
    assert_eq!(figures(Some("H60"), 9, None, 9).await, []);
    assert_eq!(figures(None, 0, None, 9).await[0].days, [], "no day of the span");
    // The next day, alone.
    count(0, END, NEXT).await;
    let days = figures(Some("H49"), 9, None, 9).await.remove(0).days;
    assert_eq!(
        days,
        [DutyDay { day: Day(1), due: 4, overdue: 2 }, DutyDay { day: Day(2), due: 1, overdue: 0 }]
    );
}

pub async fn one_of_many_notes_it<L: LedgerUnderTest>() {
    const COUNT: usize = 200;
    let open = Open::<L>::new().await;
    let letters = (0..COUNT).map(|n| due(letter("G22", &format!("m{n}"), &["H49"]), END)).collect();
    let ids: Vec<_> = open.accept(letters).await.into_iter().map(|a| a.unwrap().deliveries[0].id).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (ledger, ids): (Arc<dyn Ledger>, _) = (Arc::clone(&open.ledger), ids.clone());
        tasks.spawn(async move {
            let mut noted = 0;
            for page in ids.chunks(17) {
                let answers = ledger.note_overdue(page.to_vec(), t(END)).await.unwrap().await.unwrap();
                noted += answers.into_iter().filter(|noted| *noted).count();
            }
            noted
        });
    }
    assert_eq!(soon(tasks.join_all()).await.into_iter().sum::<usize>(), COUNT);
    let receipts = soon(open.ledger.receipts(&organ("G22"), 0, 999)).await.unwrap();
    assert_eq!(receipts.iter().filter(|receipt| receipt.kind == ReceiptKind::Overdue).count(), COUNT);
    assert!(receipts.iter().map(|receipt| receipt.sender_sequence).eq(1..=2 * COUNT as u64));
    // And it is on disk.
    let open = open.reopened().await;
    assert_eq!(unacknowledged(&open, END).await, []);
}
