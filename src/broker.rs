//! The broker: brings ready deliveries to whoever serves their mailbox. Transport, never truth.
//!
//! # The contract every implementation keeps
//!
//! The suite in `tests/contract/broker.rs` is stamped over each implementation; this is what it proves.
//!
//! 1. *What is published is handed over* to some consumer of its organ, as long as there is one: none is forgotten while it
//!    is ready in the ledger, also when it was published before the consumer came, or before the gateway started.
//! 2. *The most urgent lane first*, of what has arrived at the node; within a lane in the order of the delivery ids. What is ready
//!    again may come after what was accepted later. *No lane waits for ever:* one in which something waits gives a delivery after at
//!    most `delivery.urgent_run_max` and three more of more urgent ones, on each node, also where nobody stays longer than for one take.
//! 3. *To one consumer at a time.* A delivery taken is not handed to another until it is published again, or
//!    its consumer is dropped without having said [`Consumer::decided`] of it.
//! 4. *Repeats are allowed.* The same delivery may come twice, or when it is no longer ready; the ledger, asked to offer it, says no.
//! 5. *Bounded.* What waits without a consumer takes no memory per delivery.

use std::fmt::Debug;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::domain::delivery::DeliveryId;
use crate::domain::message::Lane;
use crate::domain::organ_id::OrganId;
use crate::ledger::{self, Ready};

pub mod embedded;
pub mod rabbit;
mod resting;

/// Brings ready deliveries to those who serve mailboxes.
pub trait Broker: Send + Sync + 'static {
    /// Takes over deliveries that have become ready. Never waits for a consumer.
    fn publish(&self, organ: &OrganId, lane: Lane, ready: Ready);

    /// Serves a mailbox, beside whoever serves it already.
    fn consume(self: Arc<Self>, organ: &OrganId) -> Box<dyn Consumer>;

    /// True when somebody serves the mailbox on this node.
    fn has_consumer(&self, organ: &OrganId) -> bool;

    /// There may be deliveries in the ledger that were never published: their node is gone.
    fn look_again(&self);

    /// Why what is published does not arrive now, if it does not. It is kept and will.
    fn health(&self) -> Result<(), String>;
}

/// One who serves a mailbox.
pub trait Consumer: Send + Debug {
    /// Waits until there is something, and takes what there is: at least one, at most `limit`, and beyond the first only as
    /// long as the payloads together stay within `bytes`. Nothing is lost when the wait is given up.
    fn take(&mut self, limit: usize, bytes: u64) -> BoxFuture<'_, Result<Vec<Ready>, ledger::Error>>;

    /// The same, but gives nothing rather than wait for something to become ready.
    fn look(&mut self, limit: usize, bytes: u64) -> BoxFuture<'_, Result<Vec<Ready>, ledger::Error>>;

    /// The ledger has decided about a delivery that was taken: offered, or no longer ready. The broker forgets it.
    fn decided(&mut self, delivery: DeliveryId);
}
