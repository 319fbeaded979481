//! When a sender's next document is due.

use std::time::Duration;

use tokio::time::Instant;

use super::documents::share;
use super::plan::{Amount, Phase};
use crate::domain::time::{Clock, SystemClock, Timestamp};

/// One sender's part of a phase.
#[derive(Debug)]
pub struct Pace {
    end: End,
    rhythm: Option<Rhythm>,
    sent: u64,
}

#[derive(Clone, Copy, Debug)]
enum End {
    After(u64),
    At(Instant),
}

/// Documents at fixed times.
#[derive(Clone, Copy, Debug)]
struct Rhythm {
    first: Instant,
    first_at: Timestamp,
    interval: Duration,
}

impl Pace {
    /// The part of the sender that is the `place`th of `senders`.
    pub fn new(phase: &Phase, place: usize, senders: usize) -> Self {
        let now = Instant::now();
        let end = match phase.amount {
            Amount::Documents(total) => End::After(share(total, place, senders)),
            Amount::Time(time) => End::At(now + time),
        };
        let rhythm = phase.rate_per_s.map(|rate_per_s| {
            let each = Duration::from_secs_f64(1.0 / rate_per_s);
            let offset = each * u32::try_from(place).unwrap_or_default();
            Rhythm {
                first: now + offset,
                first_at: SystemClock.now().plus(offset),
                interval: each * u32::try_from(senders).unwrap_or(u32::MAX),
            }
        });
        Self { end, rhythm, sent: 0 }
    }

    /// Waits until the next document is due. Gives when it was due, where that is fixed beforehand: what holds the
    /// sender up afterwards is then part of the document's latency. None when the part is over.
    pub async fn next(&mut self) -> Option<Option<Timestamp>> {
        let due = self.rhythm.map(|rhythm| rhythm.nth(self.sent));
        let over = match self.end {
            End::After(documents) => self.sent >= documents,
            End::At(end) => due.map_or_else(Instant::now, |(due, _)| due) >= end,
        };
        if over {
            return None;
        }
        if let Some((due, _)) = due {
            tokio::time::sleep_until(due).await;
        }
        self.sent += 1;
        Some(due.map(|(_, at)| at))
    }

    /// Whether another document is due already.
    pub fn is_due(&self) -> bool {
        let now = Instant::now();
        let goes_on = match self.end {
            End::After(documents) => self.sent < documents,
            End::At(end) => now < end,
        };
        goes_on && self.rhythm.is_none_or(|rhythm| rhythm.nth(self.sent).0 <= now)
    }
}

impl Rhythm {
    fn nth(&self, n: u64) -> (Instant, Timestamp) {
        let after = Duration::from_secs_f64(self.interval.as_secs_f64() * n as f64);
        (self.first + after, self.first_at.plus(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn count(phase: Phase, place: usize) -> (u64, Duration) {
        let started = Instant::now();
        let mut pace = Pace::new(&phase, place, 4);
        let mut sent = 0;
        while pace.next().await.is_some() {
            sent += 1;
        }
        (sent, started.elapsed())
    }

    #[tokio::test]
    async fn a_number_of_documents_is_shared() {
        let phase = Phase { number: 1, amount: Amount::Documents(10), rate_per_s: None };
        assert_eq!(count(phase.clone(), 0).await.0, 3);
        assert_eq!(count(phase, 3).await.0, 2);
    }

    #[tokio::test]
    async fn a_rate_is_kept_by_all_together() {
        let amount = Amount::Time(Duration::from_millis(200));
        let (sent, took) = count(Phase { number: 1, amount, rate_per_s: Some(400.0) }, 1).await;
        assert_eq!(sent, 20);
        assert!(took >= Duration::from_millis(190), "{took:?}");
    }
}
