//! Trying again: only what is safe to repeat, only when the gateway could not answer, only so often.

use std::time::Duration;

use super::Answer;
use super::error::CallError;

/// How often, and how long apart, a call is tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Patience {
    /// Tries in all, the first included.
    pub attempts_max: u32,
    /// The wait after the first try; it doubles with each further one.
    pub delay_min: Duration,
    /// The longest wait, unless the gateway asks for more.
    pub delay_max: Duration,
    /// The longest wait a gateway can ask for; beyond it the call fails at once.
    pub asked_max: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts_max: 6,
            delay_min: Duration::from_millis(200),
            delay_max: Duration::from_secs(5),
            asked_max: Duration::from_secs(30),
        }
    }
}

impl Patience {
    /// Calls until there is an answer, or an error that trying again does not mend.
    pub(super) async fn call<T>(self, mut call: impl AsyncFnMut() -> Answer<T>) -> Result<T, CallError> {
        let mut failed = 0;
        loop {
            let error = match call().await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) => CallError::from(status),
            };
            failed += 1;
            match self.delay(&error, failed, fastrand::f64()) {
                Some(delay) => tokio::time::sleep(delay).await,
                None => return Err(error),
            }
        }
    }

    /// How long to wait after so many failures in a row; nothing when trying again is of no use. `chance` is 0.0 to 1.0.
    pub fn delay(&self, error: &CallError, failed: u32, chance: f64) -> Option<Duration> {
        if !error.is_passing() || failed >= self.attempts_max {
            return None;
        }
        let asked = error.retry_after().unwrap_or_default();
        if asked > self.asked_max {
            return None;
        }
        let doubled = self.delay_min.saturating_mul(1_u32 << failed.saturating_sub(1).min(16));
        // Half of it up to all of it, so that those who failed together do not come back together.
        Some(asked + doubled.min(self.delay_max).mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tonic::{Response, Status};

    use super::*;
    use crate::domain::refusal::{Reason, Refusal};
    use crate::proto::convert;

    fn error(reason: Reason, asked: Option<Duration>) -> CallError {
        let refusal = Refusal::new(reason, "no");
        let refusal = match asked {
            Some(asked) => refusal.retry_after(asked),
            None => refusal,
        };
        convert::status(&refusal).into()
    }

    #[test]
    fn waits_grow_stay_bounded_and_heed_the_gateway() {
        let patience = Patience::default();
        let stopping = error(Reason::ShuttingDown, None);
        let waits: Vec<_> =
            (1..=6).map(|n| patience.delay(&stopping, n, 1.0).map(|d| d.as_millis())).collect();
        assert_eq!(waits, [Some(200), Some(400), Some(800), Some(1_600), Some(3_200), None]);
        assert_eq!(patience.delay(&stopping, 1, 0.0), Some(Duration::from_millis(100)));
        let asked = error(Reason::LedgerUnavailable, Some(Duration::from_secs(2)));
        assert_eq!(patience.delay(&asked, 1, 0.0), Some(Duration::from_millis(2_100)));
        let long = error(Reason::LedgerUnavailable, Some(Duration::from_secs(3_600)));
        assert_eq!(patience.delay(&long, 1, 0.0), None);
        assert_eq!(patience.delay(&error(Reason::MissingField, None), 1, 0.0), None);
    }

    #[tokio::test]
    async fn a_call_is_repeated_until_it_is_answered() {
        let tries = Cell::new(0);
        let patience = Patience { delay_min: Duration::from_millis(1), ..Patience::default() };
        let answer = patience.call(async || {
            tries.set(tries.get() + 1);
            match tries.get() {
                1 | 2 => Err(Status::unavailable("not now")),
                _ => Ok(Response::new(7)),
            }
        });
        assert_eq!(answer.await.unwrap(), 7);
        assert_eq!(tries.get(), 3);
        let refused = patience.call(async || Err::<Response<()>, _>(Status::not_found("no")));
        assert!(!refused.await.unwrap_err().is_passing());
    }
}
