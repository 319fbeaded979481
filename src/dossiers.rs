//! The log of dossiers: every step that was published, in the order in which subscribers are shown them.
//!
//! # The contract every implementation keeps
//!
//! The suite in `tests/contract/dossiers.rs` is stamped over each implementation; this is what it proves.
//!
//! 1. *Durable before answered.* When a [`Pending`] yields success, what it stands for survives the death of the process and of the
//!    machine. When it yields an error, it is not known whether it was done; every operation is safe to repeat.
//! 2. *Decided by [`Course`]* on what the log holds of the dossier at that moment, whichever node asks. A step that is refused leaves
//!    nothing; those beside it in a batch are not touched by it.
//! 3. *Idempotent.* The same step with the same content again is answered as repeated and changes nothing; other content is a conflict.
//! 4. *Positions.* Each step is given one position in the log, in the commit in which it becomes visible: 1, 2, 3, ... without a hole,
//!    and visible to readers in that order. Who has read position n has been able to read every position below n, on every node.
//! 5. *In order per dossier.* A step is visible after all of lower number, but for those flagged late. Steps of one dossier in one batch
//!    are decided in the order of the batch.
//! 6. *Gaps.* A step whose predecessors have not come is held: durable, not visible, known to [`DossierLog::history`]. It becomes visible with the
//!    last of its predecessors, or by the first [`DossierLog::release`] once its time is up; then it is flagged, with the first of the numbers that are
//!    missing right before it. What comes of those later is visible at once and flagged late.
//! 7. *Commits are told.* After each commit that makes something visible or holds something, one [`Commit`] goes to the receiver given at
//!    opening, before its answers, with the events themselves. A reader called after it sees what it tells of. Where several nodes write, each is told of the others' too, and by
//!    [`Commit::missed`] when it may not have been.
//! 8. *Digests* of dossiers are of all their steps, held ones too, as of some moment of the read.
//! 9. *Consumers' places* only advance. Each share of a consumer has its own. A consumer is known from its enrolment on, which keeps its place and notes what it
//!    wants; when it enrols with another number of shares, all start where the one that was behind the others stood, and places of the old shares advance
//!    no more. An organ has no more consumers than it may.

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use crate::domain::dossier::{Course, DossierCode, DossierDigest, Flags, Offer, ProcedureCode, StepRefused};
use crate::domain::organ_id::OrganId;
use crate::domain::time::Timestamp;
use crate::ledger::{Error, Pending};

use bytes::Bytes;

mod ahead;
mod commands;
mod comparisons;
mod keeper;
mod lag;
mod packed;
pub mod postgres;
mod sheet;
pub mod sqlite;
mod tail;

pub use ahead::Ahead;
pub use comparisons::{CompareFault, Comparisons};
pub use keeper::{Alarm, Keeper};
pub use lag::Lag;
pub use tail::{Shown, Tail, message};

/// A step to be published.
#[derive(Clone, Debug)]
pub struct NewStep {
    /// The dossier.
    pub dossier: DossierCode,
    /// The procedure.
    pub procedure: ProcedureCode,
    /// What decides about it.
    pub offer: Offer,
    /// When the dossier is to be done, by this step.
    pub due_at: Option<Timestamp>,
    /// The step in the contract's encoding; the log does not look into it.
    pub body: Bytes,
    /// When it was published.
    pub at: Timestamp,
}

/// What became of a published step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Where it stands in the log; none while it is held.
    pub position: Option<u64>,
    /// It had been published before.
    pub repeated: bool,
    /// What is peculiar about it.
    pub flags: Flags,
    /// Steps before it that have not come.
    pub missing: Vec<u32>,
    /// When it becomes visible even though its predecessors have not come; where it is held now.
    pub held_until: Option<Timestamp>,
}

/// A step of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Where it stands; none while it is held.
    pub position: Option<u64>,
    /// Its number in its dossier.
    pub step: u32,
    /// What is peculiar about it.
    pub flags: Flags,
    /// With a gap before it: the first of the numbers that are missing; else 0.
    pub gap_from: u32,
    /// When it became visible; when it was published, while it is held.
    pub at: Timestamp,
    /// The step in the contract's encoding.
    pub body: Bytes,
}

/// A dossier as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dossier {
    /// The log's number for it.
    pub key: u64,
    /// Its code.
    pub code: DossierCode,
    /// Its procedure, by the last step.
    pub procedure: ProcedureCode,
    /// When it is to be done, by the last step that said so.
    pub due_at: Option<Timestamp>,
    /// What is known of its steps.
    pub course: Course,
}

/// A dossier, and its steps by their numbers, held ones too.
pub type History = (Dossier, Vec<Event>);

/// Which dossiers to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Those of this organ and the ones below it.
    pub at_or_below: OrganId,
    /// Only those that should have been done by then and are not.
    pub overdue_at: Option<Timestamp>,
}

/// Which dossiers are compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Extent {
    /// Those of this organ and the ones below it.
    pub at_or_below: OrganId,
    /// The first and the last day that stands in their codes, as numbers yyyymmdd.
    pub days: (u32, u32),
}

impl Extent {
    /// The owners it is about lie between these texts; '/' is the character after '.'.
    fn owners(&self) -> (&str, String) {
        (self.at_or_below.as_str(), format!("{}/", self.at_or_below))
    }

    /// The codes of one owner it is about lie between these texts.
    fn codes(&self, owner: &str) -> (String, String) {
        let (from, to) = self.days;
        (format!("{owner}-{from:08}-"), format!("{owner}-{to:08}."))
    }
}

/// A dossier's code in its normal form, and the digest of its steps.
pub type Digested = (String, DossierDigest);

/// After which dossier a list goes on: its owner and key.
pub type After = (OrganId, u64);

/// One who reads the log and has its place kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Consumer {
    /// The organ.
    pub organ: OrganId,
    /// The name it has given.
    pub name: String,
}

/// A part of the dossiers, those whose code falls to it: share `index` of `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Share {
    /// From 0.
    pub index: u32,
    /// How many there are; 1 is all dossiers.
    pub of: u32,
}

impl Share {
    /// All dossiers.
    pub const ALL: Self = Self { index: 0, of: 1 };

    /// Whether a dossier falls to it. The same on every node and in every version (FNV-1a of the normal form, its halves folded).
    pub fn has(self, dossier: &str) -> bool {
        let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        let hash = dossier.bytes().fold(0x811c_9dc5, mix);
        self.of <= 1 || (hash ^ (hash >> 16)) % self.of == self.index
    }
}

/// Where one share of a consumer stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whose.
    pub consumer: Consumer,
    /// Which share.
    pub share: Share,
    /// The last position it has said to be done with.
    pub position: u64,
}

/// A consumer that begins to follow, or goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// Whose.
    pub consumer: Consumer,
    /// Which share.
    pub share: Share,
    /// After which position it begins where it is not known yet.
    pub start: u64,
    /// What it wants, in the contract's encoding; the log does not look into it.
    pub filter: Bytes,
}

/// Where an enrolled consumer goes on.
pub type Enrolled = Result<u64, TooManyConsumers>;

/// The organ has as many consumers as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyConsumers;

/// What became of a place that was to advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advanced {
    /// It stands there, or farther.
    Done,
    /// No such consumer is enrolled.
    Unknown,
    /// The consumer has so many shares now.
    Shares(u32),
}

/// A consumer that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follower {
    /// Where it stands.
    pub place: Place,
    /// What it wants, as it enrolled last.
    pub filter: Bytes,
}

/// How much there is, as of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The last position.
    pub head: u64,
    /// Steps that are held.
    pub held: u64,
    /// When the oldest of them was published.
    pub oldest_held: Option<Timestamp>,
}

/// What one commit changed that others wait for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// What it made visible, in order; nothing where another node did, or it is not known. Then it is to be read.
    pub events: Vec<Event>,
    /// The last position, where it has grown.
    pub head: Option<u64>,
    /// The earliest time at which something this commit holds is released.
    pub due: Option<Timestamp>,
    /// Something may have happened that no commit told of.
    pub missed: bool,
}

/// Where the commits of a log come out; one reader.
pub type Commits = mpsc::Receiver<Commit>;

/// Answers of one batch, in its order.
pub type PublishAnswers = Vec<Result<Published, StepRefused>>;

/// The log of dossiers. See the module's documentation for the contract.
pub trait DossierLog: Send + Sync + 'static {
    /// Hands over steps. Waits while the log's queue is full; once this returns, their place in the order is theirs.
    fn publish(&self, batch: Vec<NewStep>) -> BoxFuture<'_, Result<Pending<PublishAnswers>, Error>>;

    /// Makes steps visible whose time was up at `at`, with those that follow; at most some hundred dossiers' at once. Gives how many.
    fn release(&self, at: Timestamp) -> BoxFuture<'_, Result<Pending<u64>, Error>>;

    /// The earliest time at which something held is released.
    fn next_due(&self) -> BoxFuture<'_, Result<Option<Timestamp>, Error>>;

    /// The last position.
    fn head(&self) -> BoxFuture<'_, Result<u64, Error>>;

    /// Events with positions above `after`, in order, at most `limit`.
    fn events(&self, after: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Event>, Error>>;

    /// A position before which nothing became visible at `time` or later, but for the nodes' clocks.
    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<u64, Error>>;

    /// One dossier, and its steps by their numbers, held ones too.
    fn history<'a>(&'a self, code: &'a DossierCode) -> BoxFuture<'a, Result<Option<History>, Error>>;

    /// Dossiers in the order of owners and keys, at most `limit`.
    fn dossiers<'a>(
        &'a self,
        selection: &'a Selection,
        after: Option<&'a After>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Dossier>, Error>>;

    /// Digests of dossiers, owner by owner, each in the order of the codes, at most `limit`; after this code.
    fn digests<'a>(
        &'a self,
        extent: &'a Extent,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Digested>, Error>>;

    /// A share of a consumer begins to follow, or goes on.
    fn enrol(&self, enrolment: Enrolment) -> BoxFuture<'_, Result<Pending<Enrolled>, Error>>;

    /// A share of a consumer is done with all up to a position.
    fn advance(&self, place: Place) -> BoxFuture<'_, Result<Pending<Advanced>, Error>>;

    /// Forgets a consumer, with its places; whether there was one.
    fn dismiss(&self, consumer: Consumer) -> BoxFuture<'_, Result<Pending<bool>, Error>>;

    /// All consumers, by organ, name and share.
    fn followers(&self) -> BoxFuture<'_, Result<Vec<Follower>, Error>>;

    /// How much there is.
    fn tally(&self) -> BoxFuture<'_, Result<Tally, Error>>;

    /// Writes something, to know that it can.
    fn probe(&self) -> BoxFuture<'_, Result<(), Error>>;
}
