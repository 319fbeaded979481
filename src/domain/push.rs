//! How a push link behaves: whether its endpoint may be called now, with how many deliveries at a time, and what an answer means for
//! the delivery and for the link.
//!
//! While the endpoint takes what it is brought, up to a window of deliveries is on its way. When it does not, the link is *out*: nothing
//! is brought until the time of the next attempt, then one delivery, the probe. Each probe in vain doubles the wait. The first one that is
//! answered ends the outage, and the window grows from one again, doubling with every window that was answered.

use std::time::Duration;

use super::delivery::{Outcome, Then};
use super::link::Outage;
use super::receipt::Cause;
use super::time::Timestamp;

/// How outages are handled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// The first wait.
    pub retry_delay_min: Duration,
    /// The longest wait, and the wait after what does not pass by itself.
    pub retry_delay_max: Duration,
    /// The part of a wait that is left to chance, 0 to 1.
    pub retry_jitter: f64,
    /// So many deliveries that fail in a row, each for itself, are an outage.
    pub faults_max: u32,
    /// The longest wait an endpoint can ask for.
    pub wish_max: Duration,
}

impl Policy {
    /// The wait after so many attempts in vain: doubling from the least to the most, of which the jitter's part is scaled by
    /// `chance` (0 to 1).
    pub fn backoff(&self, failures: u32, chance: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let full = self.retry_delay_min.saturating_mul(1 << doublings).min(self.retry_delay_max);
        self.jittered(full, chance)
    }

    fn jittered(&self, full: Duration, chance: f64) -> Duration {
        full.mul_f64(1.0 - self.retry_jitter.clamp(0.0, 1.0) * chance.clamp(0.0, 1.0))
    }
}

/// What came of bringing something to an endpoint once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It says what became of it.
    Settled(Outcome),
    /// It will never take this one.
    Refused(Trouble),
    /// It failed with this one; with others it may not.
    Failed(Trouble),
    /// It takes nothing now, and says nothing of this one.
    Away(Trouble),
    /// It has as much as it can take, perhaps of ones like this.
    Full(Trouble),
    /// It takes nothing until somebody mends something.
    Shut(Trouble),
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The cause.
    pub cause: Cause,
    /// The same in words.
    pub reason: String,
    /// Not before this time has passed, says the endpoint.
    pub retry_in: Option<Duration>,
    /// There was no connection, so that nothing of the delivery left the gateway.
    pub unsent: bool,
}

/// What becomes of the delivery that was brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// What the recipient says.
    Settled(Outcome),
    /// It was not taken.
    NotTaken {
        /// Why.
        cause: Cause,
        /// The same in words.
        reason: String,
        /// What now.
        then: Then,
    },
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// For the delivery.
    pub fate: Fate,
    /// True when an outage began, went on or ended.
    pub link_changed: bool,
}

/// What may be brought now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// So many more.
    For(usize),
    /// As much as may be is on its way.
    Full,
    /// Nothing before this time.
    NotBefore(Timestamp),
}

/// The state of a link.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    window_max: u32,
    window: u32,
    answered: u32,
    faults: u32,
    in_flight: u32,
    outage: Option<Outage>,
    probing: bool,
}

impl Link {
    /// A link that goes on where it was.
    pub fn new(window_max: u32, outage: Option<Outage>) -> Self {
        let window_max = window_max.max(1);
        Self { window_max, window: 1, answered: 0, faults: 0, in_flight: 0, outage, probing: false }
    }

    /// Why it is out, if it is.
    pub fn outage(&self) -> Option<&Outage> {
        self.outage.as_ref()
    }

    /// What may be brought now.
    pub fn room(&self, now: Timestamp) -> Room {
        let room = match &self.outage {
            Some(outage) if now < outage.retry_at => return Room::NotBefore(outage.retry_at),
            Some(_) => u32::from(self.in_flight == 0),
            None => self.window.saturating_sub(self.in_flight),
        };
        if room == 0 { Room::Full } else { Room::For(room as usize) }
    }

    /// So many are on their way.
    pub fn begin(&mut self, count: usize) {
        self.in_flight += u32::try_from(count).unwrap_or(u32::MAX);
        self.probing = self.outage.is_some();
    }

    /// So many are not on their way any more.
    pub fn end(&mut self, count: usize) {
        self.in_flight = self.in_flight.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// Hears an answer. `chance` (0 to 1) places the next attempt within its jitter.
    pub fn hear(&mut self, said: Said, at: Timestamp, policy: &Policy, chance: f64) -> Verdict {
        let (trouble, lasting, of_delivery) = match said {
            Said::Settled(outcome) => {
                let link_changed = self.settled();
                return Verdict { fate: Fate::Settled(outcome), link_changed };
            }
            Said::Refused(trouble) | Said::Failed(trouble) => (trouble, false, true),
            Said::Full(trouble) => {
                self.faults = policy.faults_max;
                (trouble, false, true)
            }
            Said::Away(trouble) => (trouble, false, false),
            Said::Shut(trouble) => (trouble, true, false),
        };
        let link_changed = match of_delivery && self.tolerates(policy) {
            true => false,
            false => self.out(&trouble, lasting, at, policy, chance),
        };
        let retry_at = self.retry_at();
        let then = match (trouble.cause, retry_at) {
            (Cause::PushRefused, _) => Then::Park,
            (_, Some(retry_at)) if !of_delivery => Then::Spare { retry_at, unsent: trouble.unsent },
            (_, retry_at) => {
                let wish = trouble.retry_in.map(|wish| at.plus(wish.min(policy.wish_max)));
                // Another one goes first: this one may be what the endpoint cannot bear.
                let after_probe = retry_at.map(|probe| probe.plus(policy.retry_delay_min));
                Then::Retry { not_before: wish.into_iter().chain(after_probe).max().unwrap_or(at) }
            }
        };
        Verdict { fate: Fate::NotTaken { cause: trouble.cause, reason: trouble.reason, then }, link_changed }
    }

    fn retry_at(&self) -> Option<Timestamp> {
        self.outage.as_ref().map(|outage| outage.retry_at)
    }

    /// The endpoint lives. True when that ends an outage.
    fn settled(&mut self) -> bool {
        let ended = self.outage.take().is_some();
        (self.faults, self.probing) = (0, false);
        if ended {
            (self.window, self.answered) = (1, 0);
        }
        self.answered += 1;
        if self.answered >= self.window {
            (self.window, self.answered) = (self.window.saturating_mul(2).min(self.window_max), 0);
        }
        ended
    }

    /// Counts a fault of one delivery; true while the endpoint is not blamed for it.
    fn tolerates(&mut self, policy: &Policy) -> bool {
        self.faults = self.faults.saturating_add(1);
        self.outage.is_none() && self.faults < policy.faults_max
    }

    /// The link is out, or still is. True when that is news: what was on its way when the outage began says nothing new.
    fn out(&mut self, trouble: &Trouble, lasting: bool, at: Timestamp, policy: &Policy, chance: f64) -> bool {
        let before = self.outage.as_ref().map(|outage| (outage.since, outage.failures));
        if before.is_some() && !std::mem::take(&mut self.probing) {
            return false;
        }
        let (since, failed) = before.unwrap_or((at, 0));
        let failures = failed.saturating_add(1);
        let delay = match lasting {
            true => policy.jittered(policy.retry_delay_max, chance),
            false => policy.backoff(failures, chance),
        };
        let delay = delay.max(trouble.retry_in.unwrap_or_default().min(policy.wish_max));
        let Trouble { cause, reason, .. } = trouble.clone();
        (self.window, self.answered) = (1, 0);
        self.outage = Some(Outage { since, failures, cause, reason, retry_at: at.plus(delay) });
        true
    }
}

#[cfg(test)]
mod tests;
