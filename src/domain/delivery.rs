//! The life of a delivery as a pure state machine: [`step`] decides, the ledger records, the loops perform.
//!
//! Every open delivery has exactly one due time (docs/adr/0003): whatever happens or does not happen, at that
//! time something is done about it, so that none can be forgotten.

use std::time::Duration;

use super::limits::DEFER_S_MAX;
use super::receipt::{Cause, ReceiptKind};
use super::time::Timestamp;

mod event;
mod id;
mod policy;
mod state;

pub use event::{Event, Outcome, Then};
pub use id::{DeliveryId, Lease};
pub use policy::Policy;
pub use state::{Hold, Progress, State};

/// What is recorded of a step, beside the new progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The rung.
    pub kind: ReceiptKind,
    /// Why.
    pub cause: Option<Cause>,
    /// The recipient's words.
    pub reason: String,
    /// When it is offered again.
    pub retry_time: Option<Timestamp>,
}

impl Entry {
    fn of(kind: ReceiptKind) -> Self {
        Self { kind, cause: None, reason: String::new(), retry_time: None }
    }
}

/// The machine's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It moves on; the receipt, where the step leaves one.
    Moved(Progress, Option<Entry>),
    /// It stands where the event would bring it already.
    Unchanged,
}

/// Why an event cannot happen to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepRefused {
    /// It is not ready to be offered.
    #[error("the delivery is not ready to be offered")]
    NotReady,
    /// Another attempt has begun, or the delivery is dead.
    #[error("the lease ended")]
    LeaseLost,
    /// It ended otherwise.
    #[error("the delivery has ended as {}", .0.as_str())]
    Ended(State),
    /// Its due time has not come.
    #[error("the delivery is not due")]
    NotDue,
    /// Its recipient has been offered it, or may have been.
    #[error("the delivery was offered")]
    Offered,
    /// It can go on by itself: only a dead one is replayed or discarded.
    #[error("the delivery is {}, not dead", .0.as_str())]
    NotDead(State),
}

/// Decides what an event does to a delivery. `chance` (0 to 1) places a retry within its jitter.
pub fn step(
    now: &Progress,
    event: &Event,
    at: Timestamp,
    policy: &Policy,
    chance: f64,
) -> Result<Step, StepRefused> {
    match event {
        Event::Offer { hold, until } => offer(now, *hold, *until, at),
        Event::Settle { lease, outcome } => settle(now, *lease, outcome, at, policy, chance),
        Event::Dropped { lease, cause } => {
            if now.state != State::InFlight || now.attempt != lease.0 {
                return Err(StepRefused::LeaseLost);
            }
            let delay = match now.counted() <= policy.prompt_attempts {
                true => Duration::ZERO,
                false => policy.backoff(now.counted(), chance),
            };
            Ok(again(now, *cause, String::new(), at, delay, policy))
        }
        Event::NotTaken { lease, cause, reason, then } => {
            if now.state != State::InFlight || now.attempt != lease.0 {
                return Err(StepRefused::LeaseLost);
            }
            Ok(not_taken(now, *cause, reason.clone(), *then, at, policy, chance))
        }
        Event::Renew { lease, until } => renew(now, *lease, *until),
        Event::Due => due(now, at, policy, chance),
        Event::Redirect { legal_basis, .. } => {
            movable(now, at)?;
            let entry = Entry { reason: legal_basis.clone(), ..Entry::of(ReceiptKind::Redirected) };
            Ok(Step::Moved(ended(now, State::Redirected), Some(entry)))
        }
        Event::Strand { reason } => {
            movable(now, at)?;
            if now.state == State::Dead {
                return Ok(Step::Unchanged);
            }
            let next = Progress { state: State::Dead, hold: None, due_at: Some(now.expires_at), ..*now };
            let cause = Some(Cause::RecipientClosed);
            Ok(Step::Moved(
                next,
                Some(Entry { cause, reason: reason.clone(), ..Entry::of(ReceiptKind::Dead) }),
            ))
        }
        Event::Cancel { agreed, reason } => cancel(now, *agreed, reason),
        Event::Replay { reason } => {
            parked(now, at)?;
            // The attempt goes on, since it fences leases; what was made of it counts no more.
            let next = Progress { state: State::Queued, spared: now.attempt, ..*now };
            let entry = Entry { reason: reason.clone(), ..Entry::of(ReceiptKind::Replayed) };
            Ok(Step::Moved(next, Some(entry)))
        }
        Event::Discard { reason } => {
            parked(now, at)?;
            let cause = Some(Cause::Discarded);
            let entry = Entry { cause, reason: reason.clone(), ..Entry::of(ReceiptKind::Cancelled) };
            Ok(Step::Moved(ended(now, State::Cancelled), Some(entry)))
        }
    }
}

/// Whether an operator can decide about a delivery: it is dead, and its deadline has not passed.
fn parked(now: &Progress, at: Timestamp) -> Result<(), StepRefused> {
    match now.state {
        State::Dead if at < now.expires_at => Ok(()),
        // It expires instead.
        State::Dead => Err(StepRefused::NotReady),
        other => Err(StepRefused::NotDead(other)),
    }
}

fn cancel(now: &Progress, agreed: bool, reason: &str) -> Result<Step, StepRefused> {
    if now.state.is_end() {
        return Err(StepRefused::Ended(now.state));
    }
    if now.may_be_known() && !agreed {
        return Err(StepRefused::Offered);
    }
    let entry = Entry { reason: reason.to_owned(), ..Entry::of(ReceiptKind::Cancelled) };
    Ok(Step::Moved(ended(now, State::Cancelled), Some(entry)))
}

fn not_taken(
    now: &Progress,
    cause: Cause,
    reason: String,
    then: Then,
    at: Timestamp,
    policy: &Policy,
    chance: f64,
) -> Step {
    match then {
        Then::Retry { not_before } => {
            let delay = policy.backoff(now.counted(), chance).max(not_before.since(at));
            again(now, cause, reason, at, delay, policy)
        }
        Then::Spare { retry_at, unsent } => {
            let next = Progress {
                state: State::Queued,
                hold: None,
                due_at: Some(now.expires_at),
                spared: now.spared.saturating_add(1),
                unsent: now.unsent.saturating_add(unsent.into()),
                ..*now
            };
            let retry_time = Some(retry_at);
            Step::Moved(
                next,
                Some(Entry { cause: Some(cause), reason, retry_time, ..Entry::of(ReceiptKind::Deferred) }),
            )
        }
        Then::Park => {
            let next = Progress { state: State::Dead, hold: None, due_at: Some(now.expires_at), ..*now };
            Step::Moved(next, Some(Entry { cause: Some(cause), reason, ..Entry::of(ReceiptKind::Dead) }))
        }
    }
}

/// Whether a delivery can be taken from its mailbox: nobody holds it, and it has not ended.
fn movable(now: &Progress, at: Timestamp) -> Result<(), StepRefused> {
    match now.state {
        ended if ended.is_end() => Err(StepRefused::Ended(ended)),
        State::InFlight => Err(StepRefused::NotReady),
        // It expires instead.
        _ if at >= now.expires_at => Err(StepRefused::NotReady),
        _ => Ok(()),
    }
}

/// A lease only grows longer.
fn renew(now: &Progress, lease: Lease, until: Timestamp) -> Result<Step, StepRefused> {
    if now.state != State::InFlight || now.attempt != lease.0 {
        return Err(StepRefused::LeaseLost);
    }
    match now.due_at.is_some_and(|due| until <= due) {
        true => Ok(Step::Unchanged),
        false => Ok(Step::Moved(Progress { due_at: Some(until), ..*now }, None)),
    }
}

fn offer(now: &Progress, hold: Hold, until: Timestamp, at: Timestamp) -> Result<Step, StepRefused> {
    if now.state != State::Queued || at >= now.expires_at {
        return Err(StepRefused::NotReady);
    }
    let next = Progress {
        state: State::InFlight,
        attempt: now.attempt.saturating_add(1),
        hold: Some(hold),
        due_at: Some(until),
        ..*now
    };
    Ok(Step::Moved(next, Some(Entry::of(ReceiptKind::Offered))))
}

fn settle(
    now: &Progress,
    lease: Lease,
    outcome: &Outcome,
    at: Timestamp,
    policy: &Policy,
    chance: f64,
) -> Result<Step, StepRefused> {
    if now.attempt != lease.0 || !now.may_be_known() || now.state == State::Dead {
        return Err(StepRefused::LeaseLost);
    }
    let end = match outcome {
        Outcome::Delivered => State::Delivered,
        Outcome::Rejected { .. } => State::Rejected,
        Outcome::Deferred { .. } if now.state.is_end() => return Err(StepRefused::Ended(now.state)),
        // The lease ended and it will be offered again anyway: what the holder wants is so.
        Outcome::Deferred { .. } if now.state != State::InFlight => return Ok(Step::Unchanged),
        Outcome::Deferred { reason, retry_at } => {
            let wish = retry_at.map_or(Duration::ZERO, |t| t.since(at)).min(Duration::from_secs(DEFER_S_MAX));
            let delay = policy.backoff(now.counted(), chance).max(wish);
            return Ok(again(now, Cause::RecipientDeferred, reason.clone(), at, delay, policy));
        }
    };
    if now.state == end {
        return Ok(Step::Unchanged);
    }
    if now.state.is_end() {
        return Err(StepRefused::Ended(now.state));
    }
    // A lease that ended without another attempt having begun still counts: the recipient has the document.
    let mut entry = match outcome {
        Outcome::Rejected { .. } => Entry::of(ReceiptKind::Rejected),
        _ => Entry::of(ReceiptKind::Delivered),
    };
    if let Outcome::Rejected { reason } = outcome {
        entry.reason.clone_from(reason);
    }
    Ok(Step::Moved(ended(now, end), Some(entry)))
}

fn due(now: &Progress, at: Timestamp, policy: &Policy, chance: f64) -> Result<Step, StepRefused> {
    if now.due_at.is_none_or(|due| at < due) {
        return Err(StepRefused::NotDue);
    }
    if at >= now.expires_at {
        return Ok(Step::Moved(ended(now, State::Expired), Some(Entry::of(ReceiptKind::Expired))));
    }
    Ok(match now.state {
        State::InFlight => {
            let delay = policy.backoff(now.counted(), chance);
            again(now, Cause::LeaseExpired, String::new(), at, delay, policy)
        }
        State::Waiting => {
            Step::Moved(Progress { state: State::Queued, due_at: Some(now.expires_at), ..*now }, None)
        }
        // Queued and dead ones are due at their expiry, and ended ones never.
        _ => return Err(StepRefused::NotDue),
    })
}

fn again(
    now: &Progress,
    cause: Cause,
    reason: String,
    at: Timestamp,
    delay: Duration,
    policy: &Policy,
) -> Step {
    if now.counted() >= policy.attempts_max {
        let next = Progress { state: State::Dead, hold: None, due_at: Some(now.expires_at), ..*now };
        let cause = Some(Cause::AttemptsExhausted);
        return Step::Moved(next, Some(Entry { cause, reason, ..Entry::of(ReceiptKind::Dead) }));
    }
    let retry = at.plus(delay);
    let next = match delay.is_zero() && at < now.expires_at {
        true => Progress { state: State::Queued, hold: None, due_at: Some(now.expires_at), ..*now },
        false => {
            let due = retry.min(now.expires_at);
            Progress { state: State::Waiting, hold: None, due_at: Some(due), ..*now }
        }
    };
    let entry =
        Entry { cause: Some(cause), reason, retry_time: Some(retry), ..Entry::of(ReceiptKind::Deferred) };
    Step::Moved(next, Some(entry))
}

fn ended(now: &Progress, end: State) -> Progress {
    Progress { state: end, hold: None, due_at: None, ..*now }
}

#[cfg(test)]
mod tests;
