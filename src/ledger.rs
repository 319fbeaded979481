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
//! 8. *A delivery whose recipient has closed* is redirected by one step ([`Event::Redirect`](crate::domain::delivery::Event::Redirect)): it ends, and a new delivery of the same
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

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::domain::calendar::Day;
use crate::domain::delivery::DeliveryId;
use crate::domain::link::LinkRecord;
use crate::domain::message::{Lane, MessageId};
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::Receipt;
use crate::domain::time::Timestamp;

mod acceptance;
mod changes;
mod codes;
mod commits;
mod custody;
mod duties;
mod links;
mod pending;
pub mod postgres;
mod records;
mod reports;
pub mod sqlite;
mod steps;
pub(crate) mod writer_thread;

pub use acceptance::{
    AcceptAnswers, AcceptRefused, Acceptance, Accepted, AcceptedDelivery, Addressee, Message,
};
pub use changes::{About, Changed, Effected, LINEAGE_MAX, Link};
pub use commits::{BecameReady, Commit, Commits};
pub use custody::{
    Custody, DeadFilter, DeadLetter, Decision, Hold, HoldError, HoldRequest, KeptBody, PurgeAnswers,
    PurgeRequest, Purged, ReleaseRequest,
};
pub use duties::{DutyBounds, DutyDay, DutyFigures, OverdueOf};
pub use links::{LinkChange, Nodes};
pub use pending::{Error, Pending};
pub use records::{
    Between, DeliveryRecord, KeyedMessage, MailboxTally, MessageKey, MessageRecord, StatusFile, Story, Tally,
};
pub use reports::{ReportAnswers, ReportError, ReportRequest, Reported};
pub use steps::{Ready, StepAnswers, StepError, StepRequest, Stepped, Unheld};

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
