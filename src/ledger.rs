//! The ledger: the one durable truth. Messages, deliveries and receipts.
//!
//! # The contract every implementation keeps
//!
//! The suite in `tests/contract/ledger.rs` is stamped over each implementation; this is what it proves.
//!
//! 1. *Durable before answered.* When a [`Pending`] yields success, what it stands for survives the death of the process and of
//!    the machine. When it yields [`Error`], nothing of it was done, or it is not known whether it was (the caller may
//!    repeat: every operation is safe to repeat).
//! 2. *All or nothing.* One acceptance - message, deliveries, receipts - or one step - new progress and its receipt - is
//!    done wholly or not at all.
//! 3. *In order.* Operations take effect in the order in which the calls that hand them over returned. Delivery ids rise in the order
//!    of acceptance.
//! 4. *Idempotent acceptance.* The same sender, message id and content hash again gives the first [`Accepted`] again, marked as
//!    repeated; other content gives [`AcceptRefused::Conflict`].
//! 5. *Steps are decided by [`crate::domain::delivery::step`]* on the progress the ledger holds at that moment, and written only
//!    if that progress is still what it was.
//! 6. *Receipts are append-only:* numbered 1, 2, 3, ... per sender and per message without a gap, and visible to readers
//!    in that order: who has read number n has been able to read every number below n. The times of a message's receipts do not
//!    go back: a step that says it happened before the last of them is recorded with the time of that one.
//! 7. *Commits are told.* After each commit one [`Commit`] goes to the receiver given at opening, before the answers of that
//!    commit are given. A reader called after it sees what it tells of. Where several nodes write, each is told of the
//!    others' receipts and due times too, and by [`Commit::missed`] when it may not have been.
//! 8. *A delivery whose recipient has closed* is redirected by one step ([`Event::Redirect`]): it ends, and a new delivery of the same
//!    message takes its place in the mailbox of the organ that took over, in the same commit and with one receipt, which is the new
//!    delivery's and names both. What was accepted stays as it was answered. Mailboxes may grow beyond their bound by it.
//! 9. *What the broker has not confirmed is known*, where the ledger is opened with an outbox: each delivery that becomes ready is
//!    [`Ledger::unpublished`] from the same commit on, until [`Ledger::published`] says of that very attempt that the broker has it.
//! 10. *Reports of business status are decided by [`crate::domain::status::decide`]* on the status the ledger holds at that moment, and
//!     each leaves a receipt of kind status. The same report again gives the receipt of the first, whatever was reported since.
//! 11. *Changes are decided by [`crate::domain::change::plan`]* on the deliveries the ledger holds at that moment, and done in the commit of
//!     their message's acceptance: what was never offered ends as cancelled, about what was a request is opened, which the recipient
//!     answers by a report. One request a delivery is open at a time; a change that would open a second is refused as a whole. A request
//!     ends, with a receipt, when what it is about or what carries it ends without the recipient. What is asked back is redirected to
//!     nobody: it ends as cancelled.
//! 12. *A payload goes when it is asked to go, and its time has come*, by [`crate::domain::retention::fate`]: not while a delivery of
//!     the message is open, and not while a hold keeps it. With it go the files reported of the message. A receipt of kind purged is
//!     left; message, deliveries and receipts stay, so that a repeated submission is still known.
//! 13. *Holds* are recorded with who, when and why, and stay on record when they are released. A hold of a message leaves receipts.
//!     What a hold has kept has its time again once [`Custody::let_go`] has said so after the release.
//! 14. *Dead letters* are the deliveries in the state dead, each with the cause and the words of the receipt that says so.
//! 15. *Push links are kept, and their changes told* by [`Commit::links`], on every node. What is noted of a link that was registered anew
//!     meanwhile, or deleted, is not kept.
//! 16. *That a delivery was not acknowledged in time is noted once*, however often and by however many nodes it is asked: decided by
//!     [`crate::domain::duty::Duty`], with a receipt of kind overdue.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot, watch};

use crate::domain::calendar::Day;
use crate::domain::change::{Change, DocumentRef, NotPlanned};
use crate::domain::delivery::{DeliveryId, Event, Progress, State, StepRefused};
use crate::domain::duty::Duty;
use crate::domain::link::LinkRecord;
use crate::domain::message::{Hash, Lane, MessageId};
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::{Asserter, Receipt};
use crate::domain::status::{Request, StatusCode};
use crate::domain::time::Timestamp;

mod changes;
mod codes;
mod custody;
mod duties;
mod links;
pub mod postgres;
mod reports;
pub mod sqlite;

pub use changes::{About, Changed, Effected, LINEAGE_MAX, Link};
pub use custody::{
    Custody, DeadFilter, DeadLetter, Decision, Hold, HoldError, HoldRequest, KeptBody, PurgeAnswers,
    PurgeRequest, Purged, ReleaseRequest,
};
pub use duties::{DutyBounds, DutyDay, DutyFigures, OverdueOf};
pub use links::{LinkChange, Nodes};
pub use reports::{ReportAnswers, ReportError, ReportRequest, Reported};

/// The ledger's own number for a message. Rises in the order of acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey(pub u64);

/// A message as it is kept. Immutable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The sending organ.
    pub sender: OrganId,
    /// The sender's id for it.
    pub message_id: MessageId,
    /// By which a repeated submission is known.
    pub content_hash: Hash,
    /// SHA-256 of the payload.
    pub payload_hash: Hash,
    /// The header in the contract's encoding; the ledger does not look into it.
    pub header: Bytes,
    /// The payload.
    pub payload: Bytes,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When its open deliveries expire.
    pub expires_at: Timestamp,
}

/// One recipient of a message to be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressee {
    /// The organ it goes to.
    pub recipient: OrganId,
    /// The closed organ the sender wrote and the legal basis of the redirection.
    pub redirected: Option<(OrganId, String)>,
    /// Most open deliveries of it, where that is less than for all.
    pub mailbox_max: Option<u64>,
}

/// A message and the ledger's number for it.
pub type KeyedMessage = (MessageKey, Arc<Message>);
/// The file a report of business status came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusFile {
    /// The file.
    Kept(Bytes),
    /// It was removed with its message's payload.
    Purged,
}

/// A message as it stands, and its receipts in order.
pub type Story = (MessageRecord, Vec<Receipt>);

/// A message to be accepted.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// The message.
    pub message: Arc<Message>,
    /// The lane its deliveries travel in.
    pub lane: Lane,
    /// Who it goes to.
    pub addressees: Vec<Addressee>,
    /// Until when its recipients are to acknowledge it.
    pub acknowledge_by: Timestamp,
    /// The id the sender's system gives the document, by which edXML refers to it.
    pub document_id: Option<String>,
    /// What it does to earlier messages of its sender.
    pub change: Option<Box<Change>>,
}

/// A message that was accepted, now or before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The receipt of its acceptance.
    pub receipt: Receipt,
    /// Its deliveries, in the order of the addressees; for a change without those who need not be told, and with those who are asked beside.
    pub deliveries: Vec<AcceptedDelivery>,
    /// What it did to earlier messages, where it is a change.
    pub changed: Option<Box<Changed>>,
    /// True when it had been accepted before.
    pub repeated: bool,
}

/// One delivery of an accepted message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// The organ it goes to.
    pub recipient: OrganId,
    /// The closed organ the sender wrote.
    pub addressed_to: Option<OrganId>,
}

/// Why one acceptance was refused; nothing of it was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcceptRefused {
    /// The id was used for other content.
    #[error("message id {message_id} of {sender} was used for other content")]
    Conflict {
        /// The sender.
        sender: OrganId,
        /// The id.
        message_id: MessageId,
        /// The content it stands for.
        accepted: Hash,
    },
    /// A recipient has as many open deliveries as it may.
    #[error("the mailbox of {organ} is full: {open} open deliveries")]
    MailboxFull {
        /// The recipient.
        organ: OrganId,
        /// How many it has.
        open: u64,
    },
    /// The sender has sent no such message, and the change is of none that is not known.
    #[error("no message {:?} to change", .0.as_str())]
    TargetUnknown(DocumentRef),
    /// What it would change cannot be changed so.
    #[error(transparent)]
    NotPossible(NotPlanned),
}

/// Something that happens to one delivery.
#[derive(Clone, Debug)]
pub struct StepRequest {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The recipient on whose behalf it happens: a delivery of another one is [`StepError::NotFound`]. None when the
    /// gateway itself acts.
    pub recipient: Option<OrganId>,
    /// What happens.
    pub event: Event,
    /// When.
    pub at: Timestamp,
    /// Who stands behind it.
    pub by: Asserter,
}

/// A delivery after a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stepped {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The message it carries.
    pub message: MessageKey,
    /// The organ it is for.
    pub recipient: OrganId,
    /// The closed organ the sender wrote.
    pub addressed_to: Option<OrganId>,
    /// Where it stands now.
    pub progress: Progress,
    /// What it asks its recipient about, where its message is a change.
    pub about: Vec<About>,
    /// True where it is for nothing but that: the message itself is for others.
    pub is_notice: bool,
    /// Until when it is to be acknowledged, and whether it was.
    pub duty: Duty,
}

/// Why one step was not taken; nothing of it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// The recipient has no such delivery.
    #[error("no such delivery")]
    NotFound,
    /// The state machine says no.
    #[error(transparent)]
    Refused(#[from] StepRefused),
}

/// A delivery ready to be offered: all a broker needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The message it carries.
    pub message: MessageKey,
    /// How many bytes its payload has.
    pub payload_bytes: u64,
    /// How often it was offered before.
    pub attempt: u32,
}

/// A delivery that has become ready, as a commit tells it.
#[derive(Clone, Debug)]
pub struct BecameReady {
    /// Whose mailbox.
    pub organ: OrganId,
    /// Which lane.
    pub lane: Lane,
    /// The delivery.
    pub ready: Ready,
    /// The message, when the commit has it at hand.
    pub message: Option<Arc<Message>>,
}

/// An open delivery that nobody holds.
pub type Unheld = (DeliveryId, State);

/// The sender of a delivery, its id for the message, and the recipient.
pub type Between = (OrganId, MessageId, OrganId);

/// What one commit changed that others wait for.
#[derive(Debug, Default)]
pub struct Commit {
    /// Deliveries that have become ready, in the order of their mailboxes.
    pub ready: Vec<BecameReady>,
    /// Senders with new receipts, and the last number of each.
    pub receipt_heads: Vec<(OrganId, u64)>,
    /// The earliest due time this commit set, when there is one.
    pub due: Option<Timestamp>,
    /// Organs whose push links have changed.
    pub links: Vec<OrganId>,
    /// Something may have happened that no commit told of: another node is gone, or could not be heard. Whoever waits
    /// looks again.
    pub missed: bool,
}

/// Where the commits of a ledger come out; one reader.
pub type Commits = mpsc::Receiver<Commit>;

/// Where one delivery stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// Its id.
    pub id: DeliveryId,
    /// The organ it is for.
    pub recipient: OrganId,
    /// The closed organ the sender wrote.
    pub addressed_to: Option<OrganId>,
    /// Its progress.
    pub progress: Progress,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Where it stands in its recipient's business; none while nothing was reported.
    pub status: Option<StatusCode>,
    /// What its recipient is asked, and has not answered.
    pub request: Option<Request>,
    /// True where it is for nothing but a request about an earlier delivery: its message is for others.
    pub is_notice: bool,
    /// Until when it is to be acknowledged, and whether it was.
    pub duty: Duty,
}

/// A message without its payload, and where its deliveries stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRecord {
    /// The ledger's number for it.
    pub key: MessageKey,
    /// The message; its payload is empty here.
    pub message: Message,
    /// How long the payload is, or was.
    pub payload_bytes: u64,
    /// When the payload was removed; none while it is kept.
    pub purged_at: Option<Timestamp>,
    /// Its deliveries, in the order of the addressees. In a list of what an organ received: that organ's only.
    pub deliveries: Vec<DeliveryRecord>,
}

/// How much is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Open deliveries by state.
    pub open: Vec<(State, u64)>,
    /// When the oldest message with an open delivery was accepted.
    pub oldest_open: Option<Timestamp>,
    /// When the newest message was accepted.
    pub newest: Option<Timestamp>,
    /// Open deliveries that were noted as overdue and are still not acknowledged.
    pub overdue: u64,
}

/// How much of one mailbox is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxTally {
    /// Whose.
    pub organ: OrganId,
    /// Ready to be offered.
    pub ready: u64,
    /// Held by somebody.
    pub in_flight: u64,
    /// Waiting for another attempt.
    pub waiting: u64,
    /// Those that cannot go on by themselves.
    pub dead: u64,
    /// Those that were noted as overdue and are still not acknowledged.
    pub overdue: u64,
    /// When the message of the oldest open delivery was accepted.
    pub oldest: Option<Timestamp>,
}

/// The ledger cannot do its work now; the cause is in the log.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// It has been closed.
    #[error("the ledger is closed")]
    Closed,
    /// Reading or writing failed.
    #[error("the ledger failed: {0}")]
    Failed(Arc<str>),
}

/// The answer to something handed over: resolves when it is durable.
#[derive(Debug)]
pub struct Pending<T>(oneshot::Receiver<Result<T, Error>>);

impl<T> Pending<T> {
    /// A pending answer and where to put it.
    pub fn new() -> (oneshot::Sender<Result<T, Error>>, Self) {
        let (tx, rx) = oneshot::channel();
        (tx, Self(rx))
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|answer| answer.unwrap_or(Err(Error::Closed)))
    }
}

/// Answers of one batch of acceptances, in its order.
pub type AcceptAnswers = Vec<Result<Accepted, AcceptRefused>>;
/// Answers of one batch of steps, in its order.
pub type StepAnswers = Vec<Result<Stepped, StepError>>;

/// The ledger. See the module's documentation for the contract.
pub trait Ledger: Custody + 'static {
    /// Hands over acceptances. Waits while the ledger's queue is full; once this returns, their place in the order is
    /// theirs, whether the [`Pending`] is awaited or dropped.
    fn accept(&self, batch: Vec<Acceptance>) -> BoxFuture<'_, Result<Pending<AcceptAnswers>, Error>>;

    /// Hands over steps, likewise.
    fn step(&self, batch: Vec<StepRequest>) -> BoxFuture<'_, Result<Pending<StepAnswers>, Error>>;

    /// Hands over reports of business status, likewise.
    fn report(&self, batch: Vec<ReportRequest>) -> BoxFuture<'_, Result<Pending<ReportAnswers>, Error>>;

    /// Ready deliveries of a mailbox lane with ids above `after`, in order, at most `limit`.
    fn ready<'a>(
        &'a self,
        organ: &'a OrganId,
        lane: Lane,
        after: DeliveryId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Ready>, Error>>;

    /// Ready deliveries of a whole mailbox: lane after lane as they are served, in each in order, at most `limit`.
    fn ready_in_lanes<'a>(
        &'a self,
        organ: &'a OrganId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Lane, Ready)>, Error>>;

    /// Messages with their payloads. A key that is not there is left out, and one whose payload was purged.
    fn messages(&self, keys: Vec<MessageKey>) -> BoxFuture<'_, Result<Vec<KeyedMessage>, Error>>;

    /// Deliveries due at `now`, the longest due first, at most `limit`.
    fn due(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<DeliveryId>, Error>>;

    /// The earliest due time there is.
    fn next_due(&self) -> BoxFuture<'_, Result<Option<Timestamp>, Error>>;

    /// Deliveries in flight on a stream of a process that is gone, with their attempts.
    fn held_by_streams(&self, limit: usize) -> BoxFuture<'_, Result<Vec<(DeliveryId, u32)>, Error>>;

    /// One message by its sender and id, and all its receipts in order.
    fn track<'a>(
        &'a self,
        sender: &'a OrganId,
        message_id: &'a MessageId,
    ) -> BoxFuture<'a, Result<Option<Story>, Error>>;

    /// Receipts of a sender with numbers above `after`, in order, at most `limit`.
    fn receipts<'a>(
        &'a self,
        sender: &'a OrganId,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Receipt>, Error>>;

    /// Between whom a delivery is: the sender, its id for the message, the recipient.
    fn between(&self, delivery: DeliveryId) -> BoxFuture<'_, Result<Option<Between>, Error>>;

    /// The messages a message is bound to by changes, directly and through others, itself among them, in the order of their acceptance, at
    /// most [`LINEAGE_MAX`], the nearest first found. None for one that is not bound to any.
    fn lineage(&self, message: MessageKey) -> BoxFuture<'_, Result<Vec<Link>, Error>>;

    /// The delivery to this recipient of the document the sender knows by this id: of several, one about which something is asked, where
    /// an answer is looked for, else the last that was handed over.
    fn delivery_of<'a>(
        &'a self,
        sender: &'a OrganId,
        document_id: &'a str,
        recipient: &'a OrganId,
        answers: bool,
    ) -> BoxFuture<'a, Result<Option<DeliveryId>, Error>>;

    /// The file a report came in, by its receipt's number in the sender's log; none where it came otherwise. Gone with its message's
    /// payload: [`StatusFile::Purged`].
    fn status_file<'a>(
        &'a self,
        sender: &'a OrganId,
        sender_sequence: u64,
    ) -> BoxFuture<'a, Result<Option<StatusFile>, Error>>;

    /// What an organ sent, the newest first, with keys below `before`.
    fn sent<'a>(
        &'a self,
        sender: &'a OrganId,
        before: Option<MessageKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<MessageRecord>, Error>>;

    /// What was sent to an organ, the newest first, with delivery ids below `before`.
    fn received<'a>(
        &'a self,
        recipient: &'a OrganId,
        before: Option<DeliveryId>,
        open_only: bool,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<MessageRecord>, Error>>;

    /// Notes that deliveries were not acknowledged in time; gives of each whether that was noted now, as is right.
    fn note_overdue(
        &self,
        deliveries: Vec<DeliveryId>,
        at: Timestamp,
    ) -> BoxFuture<'_, Result<Pending<Vec<bool>>, Error>>;

    /// Deliveries with ids above `after` that were to be acknowledged by `by`, were not, and are not noted yet, in order, at
    /// most `limit`.
    fn unacknowledged(
        &self,
        by: Timestamp,
        after: DeliveryId,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<DeliveryId>, Error>>;

    /// Of the deliveries with ids above `after`: the first that is to be acknowledged later than `by`, and the last of all.
    fn duty_bounds(&self, by: Timestamp, after: DeliveryId) -> BoxFuture<'_, Result<DutyBounds, Error>>;

    /// Counts for each recipient and day how the duty was met, of deliveries with ids above `after` that were to be acknowledged later than
    /// `from` and by `by`. Counting the same again changes nothing.
    fn count_duty(
        &self,
        after: DeliveryId,
        from: Timestamp,
        by: Timestamp,
    ) -> BoxFuture<'_, Result<Pending<()>, Error>>;

    /// Deliveries that were noted as overdue, the newest first, with ids below `before`; each with its message and nothing of the
    /// others.
    fn overdue<'a>(
        &'a self,
        of: &'a OverdueOf,
        before: Option<DeliveryId>,
        open_only: bool,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<MessageRecord>, Error>>;

    /// Recipients of overdue deliveries that are open and still not acknowledged.
    fn overdue_recipients(&self) -> BoxFuture<'_, Result<Vec<OrganId>, Error>>;

    /// How organs meet their duty, in an order of the ledger's own that does not change, from the one after `after` on: all that ever had
    /// one, or one of them. With the days from the first to the last.
    fn duty_figures<'a>(
        &'a self,
        organ: Option<&'a OrganId>,
        days: (Day, Day),
        after: Option<&'a OrganId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<DutyFigures>, Error>>;

    /// Deliveries in their recipient's own queue whose lease ends before `before`, with their attempts.
    fn held_in_queue<'a>(
        &'a self,
        organ: &'a OrganId,
        before: Timestamp,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(DeliveryId, u32)>, Error>>;

    /// Open deliveries of an organ that nobody holds - ready, waiting or dead -, with ids above `after`, in order, at most `limit`.
    fn unheld<'a>(
        &'a self,
        organ: &'a OrganId,
        after: DeliveryId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Unheld>, Error>>;

    /// Deliveries the broker has not confirmed, of this node or of nodes that are gone, with ids above `after`, in order, at
    /// most `limit`. Some may not be ready any more. None without an outbox.
    fn unpublished(&self, after: DeliveryId, limit: usize) -> BoxFuture<'_, Result<Vec<BecameReady>, Error>>;

    /// The broker has these, as they were when they became ready with this attempt.
    fn published(&self, ready: Vec<Ready>) -> BoxFuture<'_, Result<Pending<()>, Error>>;

    /// The broker has lost what it held for this organ, or for all: what is ready is unpublished again. Gives how many.
    fn publish_again<'a>(&'a self, organ: Option<&'a OrganId>) -> BoxFuture<'a, Result<Pending<u64>, Error>>;

    /// A durable number with a name; 0 before it was first advanced.
    fn mark<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<u64, Error>>;

    /// Sets it, if it still is what the caller believes; gives whether it was.
    fn advance_mark<'a>(
        &'a self,
        name: &'a str,
        from: u64,
        to: u64,
    ) -> BoxFuture<'a, Result<Pending<bool>, Error>>;

    /// Push links of these organs, or all, by organ.
    fn links(&self, of: Option<Vec<OrganId>>) -> BoxFuture<'_, Result<Vec<LinkRecord>, Error>>;

    /// Changes a push link; gives whether there was one to change.
    fn change_link(&self, change: LinkChange) -> BoxFuture<'_, Result<Pending<bool>, Error>>;

    /// Who works on the ledger, this node among them, as it changes.
    fn nodes(&self) -> watch::Receiver<Nodes>;

    /// How much of each mailbox is open; those of which nothing is are left out.
    fn mailboxes(&self) -> BoxFuture<'_, Result<Vec<MailboxTally>, Error>>;

    /// How much is open.
    fn tally(&self) -> BoxFuture<'_, Result<Tally, Error>>;

    /// Writes something durable and harmless: proves that the ledger can write.
    fn probe(&self) -> BoxFuture<'_, Result<(), Error>>;
}
