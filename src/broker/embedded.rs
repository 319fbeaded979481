//! The broker inside the gateway: mailboxes in memory while somebody serves them, paged in from the ledger.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use super::{Broker, Consumer};
use crate::domain::delivery::DeliveryId;
use crate::domain::message::Lane;
use crate::domain::organ_id::OrganId;
use crate::ledger::{self, Ledger, Ready};

mod lane;

use lane::{LaneQueue, PAGE};

/// The embedded broker.
pub struct EmbeddedBroker {
    ledger: Arc<dyn Ledger>,
    // Only the mailboxes somebody serves; the others are in the ledger alone.
    served: Mutex<HashMap<OrganId, Arc<Mailbox>>>,
}

#[derive(Debug)]
struct Mailbox {
    organ: OrganId,
    inner: Mutex<Inner>,
    // Held by the one who reads a page, so that each page is read once.
    paging: tokio::sync::Mutex<()>,
    something: Notify,
}

#[derive(Debug)]
struct Inner {
    consumers: usize,
    // In the order they are served.
    lanes: [LaneQueue; 2],
}

impl Mailbox {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn lane(&mut self, lane: Lane) -> &mut LaneQueue {
        match lane {
            Lane::Urgent => &mut self.lanes[0],
            Lane::Normal => &mut self.lanes[1],
        }
    }
}

impl EmbeddedBroker {
    /// A broker over a ledger.
    pub fn new(ledger: Arc<dyn Ledger>) -> Self {
        Self { ledger, served: Mutex::default() }
    }

    fn served(&self) -> MutexGuard<'_, HashMap<OrganId, Arc<Mailbox>>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mailbox(&self, organ: &OrganId) -> Option<Arc<Mailbox>> {
        self.served().get(organ).cloned()
    }
}

impl Broker for EmbeddedBroker {
    fn publish(&self, organ: &OrganId, lane: Lane, ready: Ready) {
        if let Some(mailbox) = self.mailbox(organ) {
            mailbox.inner().lane(lane).publish(ready);
            mailbox.something.notify_one();
        }
    }

    fn consume(self: Arc<Self>, organ: &OrganId) -> Box<dyn Consumer> {
        let mailbox = {
            let mut served = self.served();
            let mailbox = served.entry(organ.clone()).or_insert_with(|| {
                Arc::new(Mailbox {
                    organ: organ.clone(),
                    inner: Mutex::new(Inner { consumers: 0, lanes: [LaneQueue::new(), LaneQueue::new()] }),
                    paging: tokio::sync::Mutex::default(),
                    something: Notify::new(),
                })
            });
            mailbox.inner().consumers += 1;
            Arc::clone(mailbox)
        };
        Box::new(EmbeddedConsumer { broker: self, mailbox, taken: HashMap::new() })
    }

    fn has_consumer(&self, organ: &OrganId) -> bool {
        self.served().contains_key(organ)
    }

    /// Nothing to do: what is ready is paged in from the ledger.
    fn look_again(&self) {}

    fn health(&self) -> Result<(), String> {
        Ok(())
    }
}

struct EmbeddedConsumer {
    broker: Arc<EmbeddedBroker>,
    mailbox: Arc<Mailbox>,
    // Taken, and not decided by the ledger yet.
    taken: HashMap<DeliveryId, (Lane, Ready)>,
}

impl std::fmt::Debug for EmbeddedConsumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedConsumer").field("organ", &self.mailbox.organ).finish_non_exhaustive()
    }
}

impl EmbeddedConsumer {
    /// Takes from the lanes in their order. A lane that may have earlier deliveries in the ledger is paged in first.
    fn take_now(&mut self, limit: usize, bytes: u64) -> Took {
        let mut inner = self.mailbox.inner();
        let mut ready: Vec<Ready> = Vec::new();
        let mut left = bytes;
        for lane in Lane::ALL {
            let queue = inner.lane(lane);
            while ready.len() < limit
                && let Some(next) = queue.pop_within(if ready.is_empty() { u64::MAX } else { left })
            {
                left = left.saturating_sub(next.payload_bytes);
                self.taken.insert(next.delivery, (lane, next));
                ready.push(next);
            }
            if !queue.is_empty() {
                break;
            }
            if queue.wants_page() {
                return if ready.is_empty() { Took::PageFirst(lane) } else { Took::Some(ready) };
            }
        }
        if ready.is_empty() { Took::Nothing } else { Took::Some(ready) }
    }

    async fn look_into_lanes(&mut self, limit: usize, bytes: u64) -> Result<Vec<Ready>, ledger::Error> {
        loop {
            match self.take_now(limit, bytes) {
                Took::Some(ready) => {
                    // There may be more than this one wanted; another consumer shall look.
                    self.mailbox.something.notify_one();
                    return Ok(ready);
                }
                Took::PageFirst(lane) => self.page(lane).await?,
                Took::Nothing => return Ok(Vec::new()),
            }
        }
    }

    async fn page(&self, lane: Lane) -> Result<(), ledger::Error> {
        let _one_at_a_time = self.mailbox.paging.lock().await;
        let after = {
            let mut inner = self.mailbox.inner();
            match inner.lane(lane).begin_page() {
                Some(after) => after,
                // Somebody else has read it meanwhile.
                None => return Ok(()),
            }
        };
        // Given up half-way, the lane asks for the page again.
        let mut unread = Unread { mailbox: &self.mailbox, lane, armed: true };
        let page = self.broker.ledger.ready(&self.mailbox.organ, lane, after, PAGE).await?;
        unread.armed = false;
        self.mailbox.inner().lane(lane).end_page(after, &page);
        Ok(())
    }
}

struct Unread<'a> {
    mailbox: &'a Mailbox,
    lane: Lane,
    armed: bool,
}

impl Drop for Unread<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.mailbox.inner().lane(self.lane).give_up_page();
            self.mailbox.something.notify_one();
        }
    }
}

enum Took {
    Some(Vec<Ready>),
    PageFirst(Lane),
    Nothing,
}

impl Consumer for EmbeddedConsumer {
    fn take(&mut self, limit: usize, bytes: u64) -> BoxFuture<'_, Result<Vec<Ready>, ledger::Error>> {
        Box::pin(async move {
            loop {
                let ready = self.look_into_lanes(limit, bytes).await?;
                if !ready.is_empty() {
                    return Ok(ready);
                }
                self.mailbox.something.notified().await;
            }
        })
    }

    fn look(&mut self, limit: usize, bytes: u64) -> BoxFuture<'_, Result<Vec<Ready>, ledger::Error>> {
        Box::pin(self.look_into_lanes(limit, bytes))
    }

    fn decided(&mut self, delivery: DeliveryId) {
        self.taken.remove(&delivery);
    }
}

impl Drop for EmbeddedConsumer {
    fn drop(&mut self) {
        // Locked in this order everywhere: who is served, then one mailbox.
        let mut served = self.broker.served();
        let mut inner = self.mailbox.inner();
        for (_, (lane, ready)) in self.taken.drain() {
            inner.lane(lane).publish(ready);
        }
        inner.consumers -= 1;
        if inner.consumers == 0 {
            served.remove(&self.mailbox.organ);
        } else {
            self.mailbox.something.notify_one();
        }
    }
}
