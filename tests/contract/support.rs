//! What both suites need: letters to hand over, steps to take, moments, a seed, and waits that end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use truc::domain::change::{Change, ChangeKind, DocumentRef, Target};
use truc::domain::delivery::{DeliveryId, Event, Hold, Lease, Outcome};
use truc::domain::message::{Hash, Lane, MessageId};
use truc::domain::organ_id::OrganId;
use truc::domain::receipt::{Asserter, Cause};
use truc::domain::status::{Report, Staff, Status, StatusCode};
use truc::domain::time::Timestamp;
use truc::ledger::{Acceptance, Addressee, Message, ReportRequest, StepRequest};

/// Waits for something that must happen soon.
pub async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(10), what).await.expect("it happens within 10 s")
}

/// So many seconds after the epoch.
pub fn t(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

/// When letters expire unless a test says otherwise.
pub const EXPIRY: i64 = 1_000_000;

/// Until when they are to be acknowledged unless a test says otherwise.
pub const DUTY: i64 = 500_000;

pub fn organ(id: &str) -> OrganId {
    OrganId::parse(id).unwrap()
}

pub fn message_id(id: &str) -> MessageId {
    MessageId::parse(id).unwrap()
}

/// A letter accepted at second 1; its header, payload and hashes follow from its id.
pub fn letter(from: &str, id: &str, to: &[&str]) -> Acceptance {
    let payload = Bytes::from(format!("payload of {id}"));
    let message = Message {
        sender: organ(from),
        message_id: message_id(id),
        content_hash: Hash::of(id.as_bytes()),
        payload_hash: Hash::of(&payload),
        header: Bytes::from(format!("header of {id}")),
        payload,
        accepted_at: t(1),
        expires_at: t(EXPIRY),
    };
    let addressees =
        to.iter().map(|id| Addressee { recipient: organ(id), redirected: None, mailbox_max: None }).collect();
    let message = Arc::new(message);
    Acceptance {
        message,
        lane: Lane::Normal,
        addressees,
        acknowledge_by: t(DUTY),
        document_id: None,
        change: None,
    }
}

/// The letter with something of its message changed.
pub fn with(mut letter: Acceptance, change: impl FnOnce(&mut Message)) -> Acceptance {
    change(Arc::make_mut(&mut letter.message));
    letter
}

/// The letter under its id with other content.
pub fn forged(letter: Acceptance) -> Acceptance {
    with(letter, |message| message.content_hash = Hash::of(b"other content"))
}

pub fn urgent(mut letter: Acceptance) -> Acceptance {
    letter.lane = Lane::Urgent;
    letter
}

/// The letter with one more addressee: written to a closed organ, going to its successor.
pub fn redirected(mut letter: Acceptance, closed: &str, successor: &str, basis: &str) -> Acceptance {
    let redirected = Some((organ(closed), basis.to_owned()));
    letter.addressees.push(Addressee { recipient: organ(successor), redirected, mailbox_max: None });
    letter
}

/// A change of the sender's message of this id, for all who were sent it.
pub fn change(kind: ChangeKind, by: &str, id: &str) -> Change {
    let target = Target { document: DocumentRef::Message(message_id(id)), recipients: Vec::new() };
    let (targets, removed) = (vec![target], Vec::new());
    Change { kind, reason: "nhầm".to_owned(), targets, removed, known_only: true, by: organ(by) }
}

/// A letter that takes another one back.
pub fn recall(from: &str, id: &str, of: &str) -> Acceptance {
    Acceptance { change: Some(Box::new(change(ChangeKind::Recall, from, of))), ..letter(from, id, &[]) }
}

/// A letter that updates another one.
pub fn update(from: &str, id: &str, to: &[&str], of: &str) -> Acceptance {
    Acceptance { change: Some(Box::new(change(ChangeKind::Update, from, of))), ..letter(from, id, to) }
}

/// A letter that replaces another one.
pub fn replacement(from: &str, id: &str, to: &[&str], of: &str) -> Acceptance {
    Acceptance { change: Some(Box::new(change(ChangeKind::Replacement, from, of))), ..letter(from, id, to) }
}

/// A step the gateway takes by itself.
pub fn step(delivery: DeliveryId, event: Event, at: Timestamp) -> StepRequest {
    StepRequest { delivery, recipient: None, event, at, by: Asserter::Gateway }
}

/// A collector on a stream takes it, for 60 s.
pub fn offer(delivery: DeliveryId, at: Timestamp) -> StepRequest {
    step(delivery, Event::Offer { hold: Hold::Stream, until: at.plus(Duration::from_secs(60)) }, at)
}

/// The recipient says what became of it.
pub fn settle(delivery: DeliveryId, by: &str, lease: u32, outcome: Outcome, at: Timestamp) -> StepRequest {
    StepRequest {
        delivery,
        recipient: Some(organ(by)),
        event: Event::Settle { lease: Lease(lease), outcome },
        at,
        by: Asserter::Organ(organ(by)),
    }
}

/// An organ reports a status, and says nothing but why.
pub fn report(
    delivery: DeliveryId,
    by: &str,
    code: StatusCode,
    reason: &str,
    at: Timestamp,
) -> ReportRequest {
    let status = Status { code, stated_at: None, staff: Staff::default() };
    let report = Report { status, reason: reason.to_owned() };
    ReportRequest { delivery, organ: organ(by), by: organ(by), report, at, file: None }
}

/// The stream that held it ended.
pub fn dropped(delivery: DeliveryId, lease: u32, at: Timestamp) -> StepRequest {
    step(delivery, Event::Dropped { lease: Lease(lease), cause: Cause::Disconnected }, at)
}

/// The seed of a random test: `TRUC_SEED`, or another one each time. Told when the test fails.
pub struct Seed(pub u64);

impl Seed {
    #[expect(clippy::disallowed_methods, reason = "how a failure is repeated")]
    pub fn new() -> Self {
        Self(std::env::var("TRUC_SEED").ok().map_or_else(|| fastrand::u64(..), |s| s.parse().unwrap()))
    }

    pub fn rng(&self) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.0)
    }
}

impl Drop for Seed {
    #[expect(clippy::print_stderr, reason = "how a failure is repeated")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to repeat this: TRUC_SEED={}", self.0);
        }
    }
}
