//! What a commit tells those who wait.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Message, Ready};
use crate::domain::message::Lane;
use crate::domain::organ_id::OrganId;
use crate::domain::time::Timestamp;

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
