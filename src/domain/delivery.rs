//! The life of a delivery as a pure state machine: [`step`] decides, the ledger records, the loops perform.
//!
//! Every open delivery has exactly one due time (docs/adr/0003): whatever happens or does not happen, at that
//! time something is done about it, so that none can be forgotten.

use std::fmt;
use std::time::Duration;

use super::duty::AcknowledgedBy;
use super::limits::DEFER_S_MAX;
use super::organ_id::OrganId;
use super::receipt::{Cause, ReceiptKind};
use super::time::Timestamp;

/// The gateway's id for one message to one recipient. Rises in the order of acceptance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub u64);

impl DeliveryId {
    /// Parses the contract's form, `d42`.
    pub fn parse(text: &str) -> Option<Self> {
        numbered(text, 'd').map(Self)
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "d{}", self.0)
    }
}

impl fmt::Debug for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Names one attempt of a delivery; the fencing token of its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease(pub u32);

impl Lease {
    /// Parses the contract's form, `a1`.
    pub fn parse(text: &str) -> Option<Self> {
        numbered(text, 'a').and_then(|n| u32::try_from(n).ok()).map(Self)
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a{}", self.0)
    }
}

fn numbered(text: &str, prefix: char) -> Option<u64> {
    let digits = text.strip_prefix(prefix)?;
    let canonical = digits == "0" || !digits.starts_with('0');
    if !canonical || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // The ledger counts in 63 bits: a greater number is none it gave, and one it could not even look for.
    u64::try_from(digits.parse::<i64>().ok()?).ok()
}

/// The transport state. Business statuses are another matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Ready in the recipient's mailbox.
    Queued,
    /// Offered to a collector that holds the lease.
    InFlight,
    /// To be offered again later.
    Waiting,
    /// End: the recipient has it.
    Delivered,
    /// End: the recipient refused it.
    Rejected,
    /// End: not taken by its deadline.
    Expired,
    /// End: recalled before its recipient could know of it, or dead and given up by an operator.
    Cancelled,
    /// Cannot go on by itself; an operator decides, or the deadline.
    Dead,
    /// End: the recipient closed, and another delivery took its place, for the organ that took over.
    Redirected,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::InFlight,
        Self::Waiting,
        Self::Delivered,
        Self::Rejected,
        Self::Expired,
        Self::Cancelled,
        Self::Dead,
        Self::Redirected,
    ];

    /// True when nothing more will happen to the delivery.
    pub fn is_end(self) -> bool {
        match self {
            Self::Delivered | Self::Rejected | Self::Expired | Self::Cancelled | Self::Redirected => true,
            Self::Queued | Self::InFlight | Self::Waiting | Self::Dead => false,
        }
    }

    /// The name used in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InFlight => "in_flight",
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Dead => "dead",
            Self::Redirected => "redirected",
        }
    }
}

/// What holds the lease of a delivery in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// A Collect stream; ends with its connection.
    Stream,
    /// A Fetch; lasts until its time is up, across restarts of the gateway.
    Fetch,
    /// The recipient's own queue at the broker, from which it takes it by itself; lasts like a Fetch, and can be renewed.
    Queue,
}

/// The part of a delivery that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Where it stands.
    pub state: State,
    /// How often it was offered.
    pub attempt: u32,
    /// What holds it while in flight.
    pub hold: Option<Hold>,
    /// When something must be done about it; none exactly when it has ended.
    pub due_at: Option<Timestamp>,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Attempts among those made that failed for reasons of the link, or were made before a replay: they do not count
    /// towards the most there may be.
    pub spared: u32,
    /// Attempts among those made of which nothing left the gateway: the recipient's endpoint could not be connected to.
    pub unsent: u32,
}

impl Progress {
    /// A delivery just accepted.
    pub fn accepted(expires_at: Timestamp) -> Self {
        Self {
            state: State::Queued,
            attempt: 0,
            hold: None,
            due_at: Some(expires_at),
            expires_at,
            spared: 0,
            unsent: 0,
        }
    }

    /// The attempts that count.
    pub fn counted(&self) -> u32 {
        self.attempt.saturating_sub(self.spared)
    }

    /// Whether its recipient may know of it: it was offered, and it is not certain that nothing of it left the gateway.
    pub fn may_be_known(&self) -> bool {
        self.attempt > self.unsent
    }
}

/// What a recipient says of a delivery it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has the document.
    Delivered,
    /// It refuses the document for good.
    Rejected {
        /// Why.
        reason: String,
    },
    /// It cannot take the document now.
    Deferred {
        /// Why.
        reason: String,
        /// Not before this time.
        retry_at: Option<Timestamp>,
    },
}

/// What becomes of a delivery that an endpoint did not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It comes again after its own backoff.
    Retry {
        /// Not before this time.
        not_before: Timestamp,
    },
    /// The endpoint takes nothing at all: it keeps its place in the mailbox, and the attempt does not count.
    Spare {
        /// When the endpoint is tried again.
        retry_at: Timestamp,
        /// Nothing of it left the gateway, for certain: the recipient cannot know of the attempt.
        unsent: bool,
    },
    /// It cannot go on by itself.
    Park,
}

/// Something that happens to a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A collector takes it under a lease.
    Offer {
        /// What holds it.
        hold: Hold,
        /// Until when.
        until: Timestamp,
    },
    /// The holder says what became of it.
    Settle {
        /// The attempt it holds.
        lease: Lease,
        /// What became of it.
        outcome: Outcome,
    },
    /// The stream that held it ended.
    Dropped {
        /// The attempt that was held.
        lease: Lease,
        /// Why.
        cause: Cause,
    },
    /// It was brought to the recipient's endpoint, and not taken.
    NotTaken {
        /// The attempt that was made.
        lease: Lease,
        /// Why.
        cause: Cause,
        /// The same in words.
        reason: String,
        /// What now.
        then: Then,
    },
    /// What holds it shall hold it longer.
    Renew {
        /// The attempt that is held.
        lease: Lease,
        /// Until when now.
        until: Timestamp,
    },
    /// Its due time has come.
    Due,
    /// Its recipient has closed and another organ took over: a new delivery takes its place.
    Redirect {
        /// Who took over.
        to: OrganId,
        /// By which law.
        legal_basis: String,
        /// Until when the organ that took over is to acknowledge it.
        acknowledge_by: Timestamp,
    },
    /// Its recipient has closed and it is not known who took over.
    Strand {
        /// What is known, in words.
        reason: String,
    },
    /// Its sender takes it back.
    Cancel {
        /// Whether its recipient, who was handed it, has agreed; otherwise it ends only where the recipient cannot know of it.
        agreed: bool,
        /// Why, in the sender's words.
        reason: String,
    },
    /// An operator sends it on its way again, for as many attempts as a new one gets.
    Replay {
        /// Why, in the operator's words; may be empty.
        reason: String,
    },
    /// An operator gives it up.
    Discard {
        /// Why, in the operator's words.
        reason: String,
    },
}

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
