//! Working days in virtual time, over each ledger: who is late is noted once, by whichever node looks, and whatever was missed meanwhile.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use truc::broker::embedded::EmbeddedBroker;
use truc::delivery::{Dispatch, Heads, HotMessages, Links, Notices, Served, Strays, Windows};
use truc::domain::calendar::{Calendar, Day};
use truc::domain::delivery::{DeliveryId, Outcome};
use truc::domain::receipt::ReceiptKind;
use truc::domain::status::StatusCode;
use truc::domain::time::{Clock, Timestamp};
use truc::duty::Duties;
use truc::ledger::Acceptance;
use truc::metrics::Metrics;

use crate::ledger::{LedgerUnderTest, Open};
use crate::support::{Seed, letter, offer, organ, report, settle, soon, with};

const HOUR: i64 = 3_600_000_000;
/// Wednesday, 22 April 2026, midnight in Vietnam: Monday 27 April is off, and so are 30 April and 1 May.
const FIRST: i64 = 1_776_790_800_000_000;
const DAYS: i64 = 14;
const GRACE: Duration = Duration::from_secs(10);
const ORGANS: [&str; 2] = ["H49", "H05"];

struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// A node over a ledger.
fn node<L: LedgerUnderTest>(
    open: &Open<L>,
    clock: &Arc<Hand>,
    calendar: &Calendar,
) -> (Arc<Dispatch>, Duties) {
    let dispatch = Arc::new(Dispatch {
        allowances: Arc::default(),
        ledger: Arc::clone(&open.ledger),
        broker: Arc::new(EmbeddedBroker::new(Arc::clone(&open.ledger))),
        hot: Arc::new(HotMessages::new(0)),
        served: Served::default(),
        windows: Windows::default(),
        heads: Heads::default(),
        strays: Strays::default(),
        links: Links::default(),
        calendar: Arc::new(ArcSwap::from_pointee(calendar.clone())),
        notices: Notices::default(),
        clock: Arc::<Hand>::clone(clock),
        metrics: Arc::new(Metrics::unobserved()),
    });
    (Arc::clone(&dispatch), Duties::new(dispatch, GRACE))
}

/// What is known of one delivery.
struct Sent {
    organ: &'static str,
    by: Timestamp,
    acknowledged: Option<Timestamp>,
}

async fn two_weeks<L: LedgerUnderTest>() {
    let seed = Seed::new();
    let mut rng = seed.rng();
    let open = Open::<L>::unheard().await;
    let calendar = truc::duty::read(&[], 17 * 3_600).unwrap();
    let clock = Arc::new(Hand(AtomicI64::new(FIRST)));
    let (first, second) = (node(&open, &clock, &calendar), node(&open, &clock, &calendar));
    let mut sent: HashMap<DeliveryId, Sent> = HashMap::new();
    for hour in 0..DAYS * 24 {
        clock.0.store(FIRST + hour * HOUR + 20_000_000, Ordering::Relaxed);
        let now = clock.now();
        for _ in 0..rng.usize(..4) {
            let organ = ORGANS[rng.usize(..2)];
            let one = with(letter("G22", &format!("m{}", sent.len()), &[organ]), |message| {
                message.accepted_at = now;
                message.expires_at = now.plus(Duration::from_secs(86_400 * 40));
            });
            let by = calendar.acknowledge_by(now);
            let accepted = open.accepted(Acceptance { acknowledge_by: by, ..one }).await;
            sent.insert(accepted.deliveries[0].id, Sent { organ, by, acknowledged: None });
        }
        // Some are acknowledged, sooner or later, in one way or the other.
        for (id, sent) in sent.iter_mut().filter(|(_, sent)| sent.acknowledged.is_none()) {
            if rng.u8(..8) == 0 {
                open.step(offer(*id, now)).await.unwrap();
                match rng.bool() {
                    true => {
                        drop(open.step(settle(*id, sent.organ, 1, Outcome::Delivered, now)).await.unwrap())
                    }
                    false => drop(
                        open.report(report(*id, sent.organ, StatusCode::Accepted, "", now)).await.unwrap(),
                    ),
                }
                sent.acknowledged = Some(now);
            }
        }
        // Nobody looks for two days; and nodes come in any order, at once too.
        if (5 * 24..7 * 24).contains(&hour) {
            continue;
        }
        if rng.bool() {
            let (one, other) = soon(async { tokio::join!(first.1.round(), second.1.round()) }).await;
            assert_eq!(one.unwrap(), other.unwrap());
        }
        let next = soon(first.1.round()).await.unwrap();
        assert_eq!(next, calendar.next_end(Timestamp::from_micros(now.as_micros() - 10_000_000)).plus(GRACE));
        assert!(next > now);
    }
    let end = clock.now();
    let late = |sent: &Sent| sent.by <= end && sent.acknowledged.is_none_or(|at| at > sent.by);
    let mut noted: HashMap<DeliveryId, usize> = HashMap::new();
    for receipt in
        open.receipts("G22").await.into_iter().filter(|receipt| receipt.kind == ReceiptKind::Overdue)
    {
        let id = receipt.delivery.unwrap().id;
        *noted.entry(id).or_default() += 1;
        assert!(receipt.time >= sent[&id].by);
    }
    assert!(sent.values().any(late) && !sent.values().all(late));
    for (id, sent) in &sent {
        assert_eq!(noted.get(id).copied().unwrap_or(0), usize::from(late(sent)), "{id}");
    }
    for id in ORGANS {
        let mut days: HashMap<Day, (u64, u64)> = HashMap::new();
        for sent in sent.values().filter(|sent| sent.organ == id && sent.by <= end) {
            let day = days.entry(Day::of(sent.by)).or_default();
            *day = (day.0 + 1, day.1 + u64::from(late(sent)));
        }
        let span = (Day(0), Day(i32::MAX));
        let figures =
            soon(open.ledger.duty_figures(Some(&organ(id)), span, None, 9)).await.unwrap().remove(0);
        assert!(figures.days.is_sorted_by_key(|day| day.day));
        let found: HashMap<_, _> = figures.days.iter().map(|day| (day.day, (day.due, day.overdue))).collect();
        assert_eq!(found, days, "{id}");
        let still = sent
            .values()
            .filter(|sent| sent.organ == id && late(sent) && sent.acknowledged.is_none())
            .count();
        assert_eq!(figures.overdue_now, still as u64);
        // What was acknowledged since the last look is still taken for possible.
        assert!(first.0.notices.concern(&organ(id)) || still == 0);
        assert_eq!(soon(first.0.overdue_notice(&organ(id))).await.unwrap().len(), still.min(100));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_weeks_on_sqlite() {
    two_weeks::<crate::ledger::sqlite::Sqlite>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_weeks_on_postgres() {
    two_weeks::<crate::ledger::postgres::Postgres>().await;
}
