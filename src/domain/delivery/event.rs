//! What can happen to a delivery.

use super::{Hold, Lease};
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::Cause;
use crate::domain::time::Timestamp;

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
