//! The duty to acknowledge on the working day: at the end of each it is noted what was not, counted, and told to both sides.
//!
//! Nothing here is lost by a crash or done twice by several nodes: a delivery is noted by the ledger once, counting again changes nothing,
//! and the marks only move when all before them is done.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::delivery::{Dispatch, LEDGER_RETRY_DELAY};
use crate::domain::calendar::Calendar;
use crate::domain::delivery::DeliveryId;
use crate::domain::time::Timestamp;
use crate::ledger::{self, DutyBounds};

mod holidays;

pub use holidays::{HolidaysError, read};

/// Deliveries noted in one commit of the ledger.
const BATCH: usize = 512;
/// The longest sleep: the machine's clock may be set meanwhile.
const SLEEP_MAX: Duration = Duration::from_secs(60);
/// Nodes do not all look in the same moment: the first has mostly done it for all.
const SPREAD: Duration = Duration::from_secs(2);

/// Until when the duty was looked after, in microseconds.
const UNTIL: &str = "duty.until";
/// Deliveries up to this id are done with.
const DONE: &str = "duty.done";
/// The last delivery there was when it was looked.
const SEEN: &str = "duty.seen";

/// The loop of working days.
pub struct Duties {
    dispatch: Arc<Dispatch>,
    calendar: Arc<ArcSwap<Calendar>>,
    grace: Duration,
    changed: Notify,
}

impl Duties {
    /// Looks after the duty of all deliveries, `grace` after each end of a working day: until then what was said in time is recorded.
    pub fn new(dispatch: Arc<Dispatch>, grace: Duration) -> Self {
        Self { calendar: Arc::clone(&dispatch.calendar), dispatch, grace, changed: Notify::new() }
    }

    /// From now on these are the working days.
    pub fn replace(&self, calendar: Calendar) {
        self.calendar.store(Arc::new(calendar));
        self.changed.notify_one();
    }

    /// Works until told to stop.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let sleep = match self.round().await {
                Ok(next) => next.since(self.dispatch.clock.now()) + SPREAD.mul_f64(fastrand::f64()),
                // The ledger has logged why; once it works again, so will this.
                Err(_) => LEDGER_RETRY_DELAY,
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.changed.notified() => {}
                () = tokio::time::sleep(sleep.min(SLEEP_MAX)) => {}
            }
        }
    }

    /// Does what is due by now; gives when something is due again.
    pub async fn round(&self) -> Result<Timestamp, ledger::Error> {
        let calendar = self.calendar.load_full();
        let grace = i64::try_from(self.grace.as_micros()).unwrap_or(i64::MAX);
        let settled = Timestamp::from_micros(self.dispatch.clock.now().as_micros().saturating_sub(grace));
        let end = calendar.last_end(settled);
        let until = self.dispatch.ledger.mark(UNTIL).await?;
        if micros(end) > until {
            let noted = self.note_all(Timestamp::from_micros(until as i64), end).await?;
            if noted > 0 {
                tracing::info!(
                    deliveries = noted,
                    "deliveries were not acknowledged by the end of the working day"
                );
            }
        }
        if micros(end) > until || !self.dispatch.notices.are_known() {
            self.dispatch.notices.tell(self.dispatch.ledger.overdue_recipients().await?, end);
        }
        Ok(calendar.next_end(settled).plus(self.grace))
    }

    /// Notes what was to be acknowledged by `end` and was not. Gives how many this node noted.
    async fn note_all(&self, until: Timestamp, end: Timestamp) -> Result<u64, ledger::Error> {
        let ledger = &self.dispatch.ledger;
        let (done, seen) = (ledger.mark(DONE).await?, ledger.mark(SEEN).await?);
        let mut noted = 0;
        let mut after = DeliveryId(done);
        loop {
            let page = ledger.unacknowledged(end, after, BATCH).await?;
            let Some(last) = page.last() else { break };
            after = *last;
            let answers = ledger.note_overdue(page, self.dispatch.clock.now()).await?.await?;
            noted += answers.into_iter().filter(|noted| *noted).count() as u64;
        }
        ledger.count_duty(DeliveryId(done), until, end).await?.await?;
        let DutyBounds { first_later, last } = ledger.duty_bounds(end, DeliveryId(done)).await?;
        // With several nodes lower ids may become visible after higher ones, though never a working day later: what is passed over for good
        // is what had been seen at the end before this one.
        let below_later = first_later.map_or(u64::MAX, |first| first.0 - 1);
        let next_done = seen.min(below_later).max(done);
        let last_seen = last.map_or(seen, |last| last.0.max(seen));
        for (name, from, to) in
            [(DONE, done, next_done), (SEEN, seen, last_seen), (UNTIL, micros(until), micros(end))]
        {
            // Where another node was faster, it has done the same.
            let _set = ledger.advance_mark(name, from, to).await?.await?;
        }
        Ok(noted)
    }
}

fn micros(at: Timestamp) -> u64 {
    u64::try_from(at.as_micros()).unwrap_or(0)
}
