//! What is kept how long, and what operators decide: payloads that go a set time after the end, holds, dead letters.

mod work;

pub(super) use work::{Work, Worked};

use futures_util::future::BoxFuture;

use super::{DeliveryRecord, Error, MessageKey, Pending};
use crate::domain::delivery::DeliveryId;
use crate::domain::message::MessageId;
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::Cause;
use crate::domain::retention::{Held, HoldId};
use crate::domain::time::Timestamp;

/// A message whose payload may have to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptBody {
    /// The message.
    pub message: MessageKey,
    /// Who sent it.
    pub sender: OrganId,
    /// How long its payload is.
    pub payload_bytes: u64,
}

/// Asks that a payload goes, if its time has come.
#[derive(Clone, Debug)]
pub struct PurgeRequest {
    /// The message.
    pub message: MessageKey,
    /// Who sent it.
    pub sender: OrganId,
    /// It goes when its last delivery ended then or before.
    pub ended_until: Timestamp,
    /// When.
    pub at: Timestamp,
}

/// What became of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purged {
    /// It is gone, with the files reported of the message; a receipt says so. So many bytes.
    Gone(u64),
    /// It stays for now: something of the message is open, or ended later.
    Stays,
    /// It stays until a hold is released.
    Held,
    /// There is nothing left that could go.
    Nothing,
}

/// A hold to be set.
#[derive(Clone, Debug)]
pub struct HoldRequest {
    /// What is held.
    pub held: Held,
    /// Why.
    pub reason: String,
    /// The operator who sets it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A hold to be released.
#[derive(Clone, Debug)]
pub struct ReleaseRequest {
    /// Which.
    pub hold: HoldId,
    /// Why.
    pub reason: String,
    /// The operator who releases it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Who set or released a hold, when and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The operator.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// A hold. Never removed: what was decided stays on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// What it keeps.
    pub held: Held,
    /// Who set it.
    pub set: Decision,
    /// Who released it; none while it holds.
    pub released: Option<Decision>,
}

/// Why a hold was not set or released; nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HoldError {
    /// The organ sent no such message.
    #[error("no such message")]
    NoMessage,
    /// The payload is gone: there is nothing to hold.
    #[error("the payload of the message is purged")]
    Purged,
    /// There is no such hold.
    #[error("no such hold")]
    NoHold,
}

/// Which dead letters are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadFilter {
    /// Only those for this organ.
    pub organ: Option<OrganId>,
    /// Only those that are dead for this cause.
    pub cause: Option<Cause>,
}

/// A delivery that cannot go on by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The delivery.
    pub delivery: DeliveryRecord,
    /// Who sent the message.
    pub sender: OrganId,
    /// The sender's id for it.
    pub message_id: MessageId,
    /// How long its payload is.
    pub payload_bytes: u64,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Since when it is dead.
    pub dead_since: Timestamp,
    /// Why it is dead.
    pub cause: Option<Cause>,
    /// Why, in words.
    pub reason: String,
}

/// Answers of one batch of purges, in its order.
pub type PurgeAnswers = Vec<Purged>;

/// The part of a ledger that keeps and removes. Its promises are points 11 to 13 of the contract in [`super`].
pub trait Custody: Send + Sync {
    /// Messages with something kept that may be to go at `until`, those kept the longest first, at most `limit`.
    fn kept(&self, until: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<KeptBody>, Error>>;

    /// The earliest time for which [`Custody::kept`] gives something.
    fn kept_since(&self) -> BoxFuture<'_, Result<Option<Timestamp>, Error>>;

    /// Hands over purges: each is decided by [`crate::domain::retention::fate`] on what the ledger holds at that moment.
    fn purge(&self, batch: Vec<PurgeRequest>) -> BoxFuture<'_, Result<Pending<PurgeAnswers>, Error>>;

    /// Sets a hold; the same by the same operator for the same reason again gives the one there is.
    fn hold(&self, request: HoldRequest) -> BoxFuture<'_, Result<Pending<Result<Hold, HoldError>>, Error>>;

    /// Releases a hold; one that was released stays as it was released.
    fn release(
        &self,
        request: ReleaseRequest,
    ) -> BoxFuture<'_, Result<Pending<Result<Hold, HoldError>>, Error>>;

    /// What released holds have kept has its time again, at most `limit` messages. Gives how many.
    fn let_go(&self, limit: usize) -> BoxFuture<'_, Result<Pending<u64>, Error>>;

    /// Holds, the newest first, with ids below `before`; released ones only where asked for.
    fn holds(
        &self,
        released: bool,
        before: Option<HoldId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Hold>, Error>>;

    /// Dead letters with ids above `after`, in order, at most `limit`.
    fn dead<'a>(
        &'a self,
        filter: &'a DeadFilter,
        after: DeliveryId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<DeadLetter>, Error>>;

    /// How many open deliveries an organ's mailbox holds.
    fn open_deliveries<'a>(&'a self, organ: &'a OrganId) -> BoxFuture<'a, Result<u64, Error>>;

    /// Bytes the ledger takes on its disk.
    fn bytes(&self) -> BoxFuture<'_, Result<u64, Error>>;
}
