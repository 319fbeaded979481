//! How retries go.

use std::time::Duration;

use crate::domain::duty::AcknowledgedBy;

/// How retries go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// After this many attempts a delivery is dead; when an operator replays it, after as many again.
    pub attempts_max: u32,
    /// The first backoff.
    pub retry_delay_min: Duration,
    /// The longest backoff.
    pub retry_delay_max: Duration,
    /// The part of a backoff that is left to chance, 0 to 1.
    pub retry_jitter: f64,
    /// Up to this attempt, a delivery whose connection ended is ready again at once.
    pub prompt_attempts: u32,
    /// What counts as acknowledging a delivery.
    pub acknowledged_by: AcknowledgedBy,
}

impl Policy {
    /// The backoff after an attempt: doubling from the least to the most, of which the jitter's part is scaled by
    /// `chance` (0 to 1).
    pub fn backoff(&self, attempt: u32, chance: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let full = self.retry_delay_min.saturating_mul(1 << doublings).min(self.retry_delay_max);
        full.mul_f64(1.0 - self.retry_jitter.clamp(0.0, 1.0) * chance.clamp(0.0, 1.0))
    }
}
