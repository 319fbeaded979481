//! A mailbox somebody on this node serves: the shelf, and the signals between those who take and the pump that fills it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};

use super::shelf::Shelf;
use crate::domain::organ_id::OrganId;
use crate::domain::turns::Turns;

/// The longest a look waits for RabbitMQ. Then it sees what has arrived.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// Looks waiting for the pump.
const LOOKS: usize = 64;

/// Somebody looks for so many deliveries, and is told when those there are have arrived.
pub(super) struct Look {
    pub limit: usize,
    pub done: oneshot::Sender<()>,
}

/// The mailbox.
pub(super) struct Mailbox {
    /// Whose.
    pub organ: OrganId,
    /// Something can be taken.
    pub something: Notify,
    /// Somebody waits, so there shall be a subscription.
    pub wanted: Notify,
    /// The last consumer has left.
    pub left: Notify,
    consumers: AtomicUsize,
    shelf: Mutex<Shelf>,
    looks: mpsc::Sender<Look>,
}

impl Mailbox {
    /// A mailbox, and where its pump hears of looks.
    pub fn new(organ: OrganId, turns: Turns) -> (Self, mpsc::Receiver<Look>) {
        let (looks, asked) = mpsc::channel(LOOKS);
        let mailbox = Self {
            organ,
            something: Notify::new(),
            wanted: Notify::new(),
            left: Notify::new(),
            consumers: AtomicUsize::new(0),
            shelf: Mutex::new(Shelf::new(turns)),
            looks,
        };
        (mailbox, asked)
    }

    /// What has arrived.
    pub fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many serve it.
    pub fn consumers(&self) -> usize {
        self.consumers.load(Ordering::Acquire)
    }

    /// One more serves it.
    pub fn join(&self) {
        self.consumers.fetch_add(1, Ordering::AcqRel);
    }

    /// One leaves.
    pub fn leave(&self) {
        if self.consumers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.left.notify_one();
        }
    }

    /// Resolves when what RabbitMQ has for this mailbox, up to so many, has arrived; soon, whatever RabbitMQ does.
    pub async fn look(&self, limit: usize) {
        let (done, told) = oneshot::channel();
        let looking = async {
            if self.looks.send(Look { limit, done }).await.is_ok() {
                let _given_up = told.await;
            }
        };
        let _late = tokio::time::timeout(LOOK_TIMEOUT, looking).await;
    }
}
