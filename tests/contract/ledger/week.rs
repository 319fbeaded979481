//! A week of traffic in virtual time with payloads kept for a day: what the ledger takes on its disk levels off.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use truc::domain::delivery::{DeliveryId, Event, Outcome};
use truc::domain::message::Hash;
use truc::domain::receipt::ReceiptKind;
use truc::domain::retention::Held;
use truc::domain::time::{Clock, Timestamp};
use truc::ledger::{Acceptance, HoldRequest, Ledger};
use truc::metrics::Metrics;
use truc::retention::Retention;

use super::inspect::assert_gapless;
use super::{LedgerUnderTest, Open};
use crate::support::{letter, message_id, offer, organ, settle, soon, step, with};

const DAY_S: i64 = 86_400;
const PAYLOAD_BYTES: usize = 24 * 1024;
const LETTERS_AN_HOUR: usize = 40;
/// One in so many is never fetched, and expires after two days.
const UNFETCHED: usize = 20;

/// A clock that is set by hand.
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

fn one(hour: usize, n: usize, at: Timestamp) -> Acceptance {
    let mut payload = vec![0; PAYLOAD_BYTES];
    fastrand::fill(&mut payload);
    with(letter("G22", &format!("h{hour}-{n}"), &["H49"]), |message| {
        message.payload_hash = Hash::of(&payload);
        message.payload = Bytes::from(payload);
        message.accepted_at = at;
        message.expires_at = at.plus(Duration::from_secs(2 * DAY_S as u64));
    })
}

/// An hour's traffic: most is delivered at once, and what has expired ends.
async fn hour<L: LedgerUnderTest>(open: &Open<L>, hour: usize, at: Timestamp) {
    let letters = (0..LETTERS_AN_HOUR).map(|n| one(hour, n, at)).collect();
    let accepted = open.accept(letters).await;
    let ids: Vec<DeliveryId> =
        accepted.into_iter().map(|accepted| accepted.unwrap().deliveries[0].id).collect();
    let fetched = || ids.iter().enumerate().filter(|(n, _)| n % UNFETCHED != 0).map(|(_, id)| *id);
    open.steps(fetched().map(|id| offer(id, at)).collect()).await;
    open.steps(fetched().map(|id| settle(id, "H49", 1, Outcome::Delivered, at)).collect()).await;
    let due = soon(open.ledger.due(at, 1_000)).await.unwrap();
    open.steps(due.into_iter().map(|id| step(id, Event::Due, at)).collect()).await;
}

async fn has_payload(ledger: &dyn Ledger, id: &str) -> bool {
    let (record, _) = soon(ledger.track(&organ("G22"), &message_id(id))).await.unwrap().unwrap();
    !soon(ledger.messages(vec![record.key])).await.unwrap().is_empty()
}

#[expect(clippy::print_stderr, reason = "the figures")]
pub async fn a_week_of_traffic_levels_off<L: LedgerUnderTest>() {
    let mut open = Open::<L>::unheard().await;
    let clock = Arc::new(Hand(AtomicI64::new(0)));
    let day = Duration::from_secs(DAY_S as u64);
    let metrics = || Arc::new(Metrics::unobserved());
    let retention = Retention::new(Arc::clone(&open.ledger), Arc::<Hand>::clone(&clock), metrics(), day);
    let (mut sizes, mut purged) = (Vec::new(), 0);
    for now in 1..=7 * 24 {
        let at = Timestamp::from_micros(now as i64 * 3_600_000_000);
        clock.0.store(at.as_micros(), Ordering::Relaxed);
        hour(&open, now, at).await;
        if now == 2 {
            let held = Held::Message { sender: organ("G22"), message_id: message_id("h1-7") };
            let request = HoldRequest { held, reason: "thanh tra".into(), by: "lan".into(), at };
            soon(soon(open.ledger.hold(request)).await.unwrap()).await.unwrap().unwrap();
        }
        purged += soon(retention.work()).await.unwrap();
        if now % 24 == 0 {
            open.place.tidied().await;
            sizes.push(soon(open.ledger.bytes()).await.unwrap());
        }
    }
    let accepted_a_day = (24 * LETTERS_AN_HOUR * PAYLOAD_BYTES) as u64;
    let mib = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 20));
    let of_days: Vec<_> = sizes.iter().map(|bytes| mib(*bytes)).collect();
    eprintln!(
        "a week, {} MiB of payloads a day kept for one: {} messages purged; the ledger after each day, MiB: {}",
        mib(accepted_a_day),
        purged,
        of_days.join(", ")
    );
    let grown = sizes[6].saturating_sub(sizes[3]);
    assert!(grown < accepted_a_day * 3 / 10, "{grown} bytes more in three days");
    drop(retention);
    open = open.killed().await;
    let receipts = open.receipts("G22").await;
    assert_gapless(&receipts);
    let of = |kind| receipts.iter().filter(|receipt| receipt.kind == kind).count() as u64;
    assert_eq!((of(ReceiptKind::Purged), of(ReceiptKind::Held)), (purged, 1));
    assert_eq!(of(ReceiptKind::Accepted), 7 * 24 * LETTERS_AN_HOUR as u64);
    // Of the first day: held, purged with its whole story, expired a day before.
    assert!(has_payload(&*open.ledger, "h1-7").await && !has_payload(&*open.ledger, "h1-8").await);
    let (record, story) = open.track("G22", "h1-8").await.unwrap();
    let kinds: Vec<_> = story.iter().map(|receipt| receipt.kind).collect();
    assert_eq!(
        kinds,
        [ReceiptKind::Accepted, ReceiptKind::Offered, ReceiptKind::Delivered, ReceiptKind::Purged]
    );
    assert_eq!(record.purged_at.map(Timestamp::as_micros), Some(25 * 3_600_000_000));
    let (record, _) = open.track("G22", "h1-0").await.unwrap();
    assert_eq!(record.purged_at.map(Timestamp::as_micros), Some((1 + 48 + 24) * 3_600_000_000));
    assert!(has_payload(&*open.ledger, "h150-3").await, "its day is not over");
}
