//! Where a delivery stands.

use crate::domain::time::Timestamp;

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
