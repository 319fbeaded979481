//! `[delivery]`: retries and expiry.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::{self, Flaw};
use super::duration;

/// How often, how soon again, and until when a delivery is offered.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// From acceptance to expiry.
    #[serde(with = "duration")]
    pub ttl: Duration,
    /// Offers before a delivery is dead.
    pub attempts_max: u32,
    /// The first wait between attempts.
    #[serde(with = "duration")]
    pub retry_delay_min: Duration,
    /// The longest wait between attempts.
    #[serde(with = "duration")]
    pub retry_delay_max: Duration,
    /// The share by which a wait varies, 0.0 to 0.9.
    pub retry_jitter: f64,
    /// Attempts after which a disconnect leads to another one at once.
    pub prompt_attempts: u32,
    /// Deliveries of more urgent lanes after which a lane has its turn.
    pub urgent_run_max: NonZeroU32,
    /// Stillness after which a served mailbox is stalled.
    #[serde(with = "duration")]
    pub stall_after: Duration,
}

impl Delivery {
    pub(super) fn check(&self) -> Result<(), Flaw> {
        let day = Duration::from_secs(86_400);
        check::time("delivery.ttl", self.ttl, Duration::from_secs(60)..=365 * day)?;
        check::number("delivery.attempts_max", self.attempts_max, 1..=1_000_000)?;
        let shortest = Duration::from_millis(10);
        check::time("delivery.retry_delay_max", self.retry_delay_max, shortest..=self.ttl)?;
        check::time("delivery.retry_delay_min", self.retry_delay_min, shortest..=self.retry_delay_max)?;
        check::number("delivery.retry_jitter", self.retry_jitter, 0.0..=0.9)?;
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3_600));
        check::time("delivery.stall_after", self.stall_after, second..=hour)?;
        check::number("delivery.urgent_run_max", self.urgent_run_max.get(), 1..=1_000_000)?;
        check::number("delivery.prompt_attempts", self.prompt_attempts, 0..=self.attempts_max)
    }
}
