//! What the clients saw, in the order they saw it. The checker knows nothing else.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use truc::client::CallError;
use truc::proto::v1::{self, DeliveryState, ReceiptKind, settlement};

use crate::document::{Document, sha256};

/// A call by which deliveries come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Call {
    /// Its own number.
    pub number: u64,
    /// How many facts had been recorded when it was begun.
    pub begun: usize,
}

/// A delivery as it arrived, its payload replaced by what was computed of it.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The organ whose client got it.
    pub collector: &'static str,
    pub delivery: v1::Delivery,
    pub payload_sha256: [u8; 32],
    pub payload_bytes: usize,
}

impl Offer {
    pub fn of(collector: &'static str, mut delivery: v1::Delivery) -> Self {
        let payload = std::mem::take(&mut delivery.payload);
        Self { collector, delivery, payload_sha256: sha256(&payload), payload_bytes: payload.len() }
    }
}

/// Something a client did or saw.
#[derive(Clone, Debug)]
pub enum Fact {
    /// A document is about to be submitted.
    Submitting(Arc<Document>),
    /// A submission was answered.
    Accepted { message_id: String, acceptance: v1::Acceptance },
    /// A delivery arrived.
    Offered { offer: Box<Offer>, call: Call },
    /// A settlement is about to be sent.
    Settling(v1::Settlement),
    /// A settlement was answered, on this call.
    Settled { settlement: v1::Settlement, result: v1::SettleResult, call: Call },
    /// A watcher received a receipt.
    Watched { watcher: String, receipt: v1::Receipt },
    /// The gateway did what the contract does not allow.
    Broken { client: String, what: String },
}

impl Fact {
    /// True when it is about this message or delivery, or of this watcher or client.
    pub fn concerns(&self, subject: &str) -> bool {
        match self {
            Self::Submitting(document) => document.message_id == subject,
            Self::Accepted { message_id, acceptance } => {
                message_id == subject || acceptance.deliveries.iter().any(|d| d.delivery_id == subject)
            }
            Self::Offered { offer, .. } => {
                let envelope = offer.delivery.envelope.as_ref();
                offer.delivery.delivery_id == subject || envelope.is_some_and(|e| e.message_id == subject)
            }
            Self::Settling(settlement) | Self::Settled { settlement, .. } => {
                settlement.delivery_id == subject
            }
            Self::Watched { receipt, .. } => receipt.message_id == subject || receipt.delivery_id == subject,
            Self::Broken { client, .. } => client == subject,
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Submitting(d) => write!(f, "submitting {} to {:?}", d.message_id, d.to),
            Self::Accepted { message_id, acceptance } => {
                let ids: Vec<_> = acceptance.deliveries.iter().map(|d| &*d.delivery_id).collect();
                write!(f, "accepted {message_id} as {ids:?}, repeated: {}", acceptance.repeated_submission)
            }
            Self::Offered { offer, call } => {
                let Offer { collector, delivery, .. } = &**offer;
                let (id, attempt) = (&delivery.delivery_id, delivery.attempt);
                write!(f, "offered {id} attempt {attempt} to {collector}, {call:?}")
            }
            Self::Settling(s) => write!(f, "settling {} {} as {:?}", s.delivery_id, s.lease, s.outcome),
            Self::Settled { settlement: s, result, call } => {
                let reason = result.refusal.as_ref().map(|refusal| refusal.reason());
                let state = result.state();
                write!(f, "settled {} {}: {state:?}, refusal {reason:?}, {call:?}", s.delivery_id, s.lease)
            }
            Self::Watched { watcher, receipt } => write!(f, "{watcher} saw {}", told(receipt)),
            Self::Broken { client, what } => write!(f, "{client}: {what}"),
        }
    }
}

/// A receipt in one line.
pub fn told(r: &v1::Receipt) -> String {
    format!(
        "receipt {}/{} of {}: {:?} {} attempt {} cause {:?} by {}",
        r.sender_sequence,
        r.message_sequence,
        r.message_id,
        r.kind(),
        r.delivery_id,
        r.attempt,
        r.cause(),
        r.asserted_by,
    )
}

/// The state a settlement ends a delivery in; none when it does not end it.
pub fn end_of(settlement: &v1::Settlement) -> Option<DeliveryState> {
    match settlement.outcome {
        Some(settlement::Outcome::Delivered(_)) => Some(DeliveryState::Delivered),
        Some(settlement::Outcome::Rejected(_)) => Some(DeliveryState::Rejected),
        Some(settlement::Outcome::Deferred(_)) | None => None,
    }
}

#[derive(Default)]
struct Open {
    recipients: usize,
    accepted: bool,
    ended: HashSet<String>,
}

#[derive(Default)]
struct Book {
    facts: Vec<Fact>,
    open: HashMap<String, Open>,
    failures: Failures,
}

/// Calls that failed as they may.
#[derive(Clone, Default)]
pub struct Failures {
    /// How often for which reason, or with which code where a connection was lost.
    counts: BTreeMap<String, usize>,
    /// Since when a client has not had an answer.
    since: HashMap<String, Instant>,
    /// The longest time each client went without an answer.
    longest: BTreeMap<String, Duration>,
}

/// Clients told of that went longest without an answer.
const TOLD: usize = 4;

impl Failures {
    /// How many calls failed for this reason.
    pub fn of(&self, reason: &str) -> usize {
        self.counts.get(reason).copied().unwrap_or(0)
    }

    /// The longest time a client went without an answer.
    pub fn longest(&self) -> Duration {
        self.longest.values().max().copied().unwrap_or_default()
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: usize = self.counts.values().sum();
        write!(f, "{all} calls failed: {:?}; longest without an answer:", self.counts)?;
        let mut longest: Vec<_> = self.longest.iter().collect();
        longest.sort_by_key(|(_, time)| std::cmp::Reverse(**time));
        for (client, time) in longest.into_iter().take(TOLD) {
            write!(f, " {client} {:.1} s", time.as_secs_f64())?;
        }
        Ok(())
    }
}

/// The facts of one run.
#[derive(Default)]
pub struct Journal {
    book: Mutex<Book>,
    calls: AtomicU64,
    tolerated: Vec<&'static str>,
}

impl Journal {
    /// An empty one, of a run in which calls may fail for these reasons, if the gateway says when to come back.
    pub fn tolerating(reasons: &[&'static str]) -> Self {
        Self { tolerated: reasons.to_vec(), ..Self::default() }
    }

    /// Records a fact.
    pub fn record(&self, fact: Fact) {
        let mut book = self.book.lock().unwrap();
        book.note(&fact);
        book.facts.push(fact);
    }

    /// Records that the gateway broke the contract.
    pub fn broken(&self, client: &str, what: impl Into<String>) {
        self.record(Fact::Broken { client: client.to_owned(), what: what.into() });
    }

    /// Notes a failed call; one that an agency's program would not repeat breaks the contract.
    pub fn failed(&self, client: &str, status: &tonic::Status) {
        let error = CallError::from(status.clone());
        let allowed = error.is_passing() && (error.reason().is_empty() || self.tolerates(&error));
        match allowed {
            true => self.count(client, error.reason(), &format!("{:?}", status.code())),
            false => self.broken(client, format!("{:?} {}: {status}", status.code(), error.reason())),
        }
    }

    /// Notes a submission that was refused on its stream; false when that breaks the contract.
    pub fn refused(&self, client: &str, refusal: &v1::Refusal) -> bool {
        let error = CallError::from(refusal);
        let allowed = self.tolerates(&error);
        match allowed {
            true => self.count(client, error.reason(), ""),
            false => self.broken(client, format!("{refusal:?}")),
        }
        allowed
    }

    fn tolerates(&self, error: &CallError) -> bool {
        self.tolerated.contains(&error.reason()) && error.retry_after().is_some()
    }

    fn count(&self, client: &str, reason: &str, code: &str) {
        let failures = &mut self.book.lock().unwrap().failures;
        let name = if reason.is_empty() { format!("connection lost, {code}") } else { reason.to_owned() };
        *failures.counts.entry(name).or_default() += 1;
        failures.since.entry(client.to_owned()).or_insert_with(Instant::now);
    }

    /// Notes that a client was answered.
    pub fn answered(&self, client: &str) {
        let failures = &mut self.book.lock().unwrap().failures;
        let Some(since) = failures.since.remove(client) else { return };
        let longest = failures.longest.entry(client.to_owned()).or_default();
        *longest = since.elapsed().max(*longest);
    }

    /// The calls that failed as they may.
    pub fn failures(&self) -> Failures {
        self.book.lock().unwrap().failures.clone()
    }

    /// A call that is about to be begun.
    pub fn call(&self) -> Call {
        Call { number: self.calls.fetch_add(1, Ordering::Relaxed), begun: self.len() }
    }

    /// How many facts have been recorded.
    pub fn len(&self) -> usize {
        self.book.lock().unwrap().facts.len()
    }

    /// How many messages are known to be accepted and have deliveries not known to have ended.
    pub fn open(&self) -> usize {
        let book = self.book.lock().unwrap();
        book.open.values().filter(|open| open.accepted && open.ended.len() < open.recipients).count()
    }

    /// Hands over all facts.
    pub fn take(&self) -> Vec<Fact> {
        std::mem::take(&mut self.book.lock().unwrap().facts)
    }
}

impl Book {
    fn note(&mut self, fact: &Fact) {
        match fact {
            Fact::Submitting(document) => {
                self.open.entry(document.message_id.clone()).or_default().recipients = document.to.len();
            }
            Fact::Accepted { message_id, .. } => {
                self.open.entry(message_id.clone()).or_default().accepted = true;
            }
            Fact::Watched { receipt, .. } => {
                let open = self.open.entry(receipt.message_id.clone()).or_default();
                match receipt.kind() {
                    ReceiptKind::Accepted => open.accepted = true,
                    ReceiptKind::Delivered | ReceiptKind::Rejected => {
                        open.ended.insert(receipt.delivery_id.clone());
                    }
                    _ => {}
                }
            }
            Fact::Offered { .. } | Fact::Settling(_) | Fact::Settled { .. } | Fact::Broken { .. } => {}
        }
    }
}
