//! What is to be published: handed over in memory while that goes well, read from the ledger's outbox when it does not.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use crate::ledger::BecameReady;

/// Deliveries waiting in memory at most. Beyond it they are read from the ledger.
const QUEUED_MAX: usize = 16_384;

/// The hand-over point. Handing over never waits.
pub(super) struct Outbox {
    inner: Mutex<Inner>,
    something: Notify,
    idle: watch::Sender<bool>,
    topology: watch::Sender<bool>,
}

struct Inner {
    queue: VecDeque<BecameReady>,
    // There is more in the ledger than in the queue.
    behind: bool,
}

/// What the publisher is to do next.
pub(super) enum Next {
    /// To read what the ledger has.
    Read,
    /// To publish these.
    Publish(Vec<BecameReady>),
}

impl Outbox {
    /// An outbox of which the ledger knows more than this process.
    pub fn new() -> Self {
        Self {
            inner: Mutex::new(Inner { queue: VecDeque::new(), behind: true }),
            something: Notify::new(),
            idle: watch::channel(false).0,
            topology: watch::channel(false).0,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a delivery over. It is in the ledger's outbox already, so it can be dropped here.
    pub fn publish(&self, became: BecameReady) {
        {
            let mut inner = self.inner();
            self.idle.send_replace(false);
            if inner.behind {
                return;
            }
            if inner.queue.len() == QUEUED_MAX {
                inner.queue.clear();
                inner.behind = true;
            } else {
                inner.queue.push_back(became);
            }
        }
        self.something.notify_one();
    }

    /// The ledger's outbox is to be read from its beginning.
    pub fn look_again(&self) {
        {
            let mut inner = self.inner();
            self.idle.send_replace(false);
            inner.queue.clear();
            inner.behind = true;
        }
        self.something.notify_one();
    }

    /// RabbitMQ has the exchange things are published to.
    pub fn topology_is_there(&self) {
        self.topology.send_replace(true);
    }

    /// Waits for that.
    pub async fn topology(&self) {
        let mut topology = self.topology.subscribe();
        // The sender is here, so it is not gone.
        let _there = topology.wait_for(|there| *there).await;
    }

    /// What to do next, when there is something.
    pub fn next(&self, limit: usize) -> Option<Next> {
        let mut inner = self.inner();
        if inner.behind {
            return Some(Next::Read);
        }
        let count = inner.queue.len().min(limit);
        (count > 0).then(|| Next::Publish(inner.queue.drain(..count).collect()))
    }

    /// Resolves when there may be something to do.
    pub async fn something(&self) {
        self.something.notified().await;
    }

    /// Reading begins: what is handed over from now on is kept beside it.
    pub fn begin_reading(&self) {
        let mut inner = self.inner();
        inner.behind = false;
        inner.queue.clear();
    }

    /// A page was read: what it has is not published from the queue too.
    pub fn read(&self, page: &[BecameReady]) {
        let mut inner = self.inner();
        if let (Some(first), Some(last)) = (page.first(), page.last()) {
            let range = first.ready.delivery..=last.ready.delivery;
            let in_page = |queued: &BecameReady| {
                range.contains(&queued.ready.delivery)
                    && page
                        .binary_search_by_key(&queued.ready.delivery, |row| row.ready.delivery)
                        .is_ok_and(|at| page[at].ready.attempt == queued.ready.attempt)
            };
            inner.queue.retain(|queued| !in_page(queued));
        }
    }

    /// How many wait in memory.
    pub fn queued(&self) -> usize {
        self.inner().queue.len()
    }

    /// Nothing is on its way and nothing waits, unless something was handed over this moment.
    pub fn rest(&self) {
        let inner = self.inner();
        if !inner.behind && inner.queue.is_empty() {
            self.idle.send_replace(true);
        }
    }

    /// Resolves when everything handed over has been published and confirmed.
    pub async fn idle(&self) {
        let mut idle = self.idle.subscribe();
        let _idle = idle.wait_for(|idle| *idle).await;
    }
}
