//! How fast organs submit: each by the rate it may.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::allowances::Rate;
use crate::domain::organ_id::OrganId;

type Limiter = DefaultKeyedRateLimiter<OrganId>;

/// What was submitted lately. Organs of the same rate share a limiter, so that there are as many as there are rates.
#[derive(Default)]
pub(super) struct Rates(RwLock<HashMap<Rate, Arc<Limiter>>>);

impl Rates {
    /// Counts a submission; or how long until the next one is welcome.
    pub fn check(&self, rate: Rate, organ: &OrganId) -> Result<(), Duration> {
        let limiter = self.limiter(rate);
        limiter.check_key(organ).map_err(|until| until.wait_time_from(MonotonicClock.now()))
    }

    /// Counts so many at once, the whole burst at most; or how long until they are welcome.
    pub fn check_many(&self, rate: Rate, organ: &OrganId, count: usize) -> Result<(), Duration> {
        let count = u32::try_from(count).unwrap_or(u32::MAX).min(rate.burst.get());
        let Some(count) = NonZeroU32::new(count) else { return Ok(()) };
        let limiter = self.limiter(rate);
        let checked = limiter.check_key_n(organ, count).expect("a burst holds them");
        checked.map_err(|until| until.wait_time_from(MonotonicClock.now()))
    }

    fn limiter(&self, rate: Rate) -> Arc<Limiter> {
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&rate) {
            return Arc::clone(known);
        }
        let mut limiters = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(RateLimiter::keyed(Quota::per_second(rate.per_s).allow_burst(rate.burst)));
        Arc::clone(limiters.entry(rate).or_insert_with(new))
    }

    /// Forgets organs that have long been silent, and rates nobody has any more.
    pub fn forget_silent(&self) {
        let mut limiters = self.0.write().unwrap_or_else(PoisonError::into_inner);
        limiters.retain(|_, limiter| {
            limiter.retain_recent();
            !limiter.is_empty()
        });
    }
}
