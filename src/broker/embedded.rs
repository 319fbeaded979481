//! The broker inside the gateway: mailboxes in memory while somebody serves them, paged in from the ledger.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use super::resting::Resting;
use super::{Broker, Consumer};
use crate::domain::delivery::DeliveryId;
use crate::domain::message::Lane;
use crate::domain::organ_id::OrganId;
use crate::domain::turns::Turns;
use crate::ledger::{self, Ledger, Ready};

mod lane;

use lane::{LaneQueue, PAGE};

/// The embedded broker.
pub struct EmbeddedBroker {
    ledger: Arc<dyn Ledger>,
    // Only the mailboxes somebody serves; the others are in the ledger alone.
    served: Mutex<HashMap<OrganId, Arc<Mailbox>>>,
    resting: Resting,
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
    lanes: [LaneQueue; Lane::ALL.len()],
    turns: Turns,
    // All lanes have been looked into together.
    surveyed: bool,
}

impl Mailbox {
    fn new(organ: OrganId, turns: Turns) -> Self {
        let lanes = Lane::ALL.map(|_| LaneQueue::new());
        let inner = Mutex::new(Inner { consumers: 0, lanes, turns, surveyed: false });
        Self { organ, inner, paging: tokio::sync::Mutex::default(), something: Notify::new() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn lane(&mut self, lane: Lane) -> &mut LaneQueue {
        &mut self.lanes[lane.place()]
    }

    /// The lane whose turn it is.
    fn next_lane(&self) -> Option<Lane> {
        self.turns.next(|lane| self.lanes[lane.place()].waits())
    }

    fn handed(&mut self, lane: Lane) {
        let Self { lanes, turns, .. } = self;
        turns.handed(lane, |lane| lanes[lane.place()].waits());
    }

    /// All lanes have been read together, up to the last of the page when it is full.
    fn end_survey(&mut self, page: &[(Lane, Ready)]) {
        self.surveyed = true;
        let cut = page.last().map(|(lane, _)| *lane).filter(|_| page.len() == PAGE);
        for lane in Lane::ALL {
            let of_lane = page.iter().filter(|(of, _)| *of == lane).map(|(_, ready)| *ready);
            match cut {
                Some(cut) if lane > cut => self.lane(lane).give_up_page(),
                _ => self.lane(lane).end_page(DeliveryId(0), of_lane, cut == Some(lane)),
            }
        }
    }
}

impl EmbeddedBroker {
    /// A broker over a ledger.
    pub fn new(ledger: Arc<dyn Ledger>) -> Self {
        Self::with_urgent_run_max(ledger, Turns::URGENT_RUN_MAX)
    }

    /// One in which a lane has its turn after so many deliveries of more urgent ones.
    pub fn with_urgent_run_max(ledger: Arc<dyn Ledger>, urgent_run_max: NonZeroU32) -> Self {
        Self { ledger, served: Mutex::default(), resting: Resting::new(urgent_run_max) }
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
            let mailbox = served
                .entry(organ.clone())
                .or_insert_with(|| Arc::new(Mailbox::new(organ.clone(), self.resting.wake(organ))));
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
    /// Takes from the lanes as their turns come. A lane that may have earlier deliveries in the ledger is paged in first.
    fn take_now(&mut self, limit: usize, bytes: u64) -> Took {
        let mut inner = self.mailbox.inner();
        if !inner.surveyed {
            return Took::PageFirst(None);
        }
        let mut ready: Vec<Ready> = Vec::new();
        let mut left = bytes;
        while ready.len() < limit
            && let Some(lane) = inner.next_lane()
        {
            if inner.lane(lane).wants_page() {
                if ready.is_empty() {
                    return Took::PageFirst(Some(lane));
                }
                break;
            }
            let fits = if ready.is_empty() { u64::MAX } else { left };
            let Some(next) = inner.lane(lane).pop_within(fits) else { break };
            inner.handed(lane);
            left = left.saturating_sub(next.payload_bytes);
            self.taken.insert(next.delivery, (lane, next));
            ready.push(next);
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
                Took::PageFirst(Some(lane)) => self.page(lane).await?,
                Took::PageFirst(None) => self.survey().await?,
                Took::Nothing => return Ok(Vec::new()),
            }
        }
    }

    /// Reads the first page of all lanes at once: most mailboxes have but one in use.
    async fn survey(&self) -> Result<(), ledger::Error> {
        let _one_at_a_time = self.mailbox.paging.lock().await;
        {
            let mut inner = self.mailbox.inner();
            if inner.surveyed {
                return Ok(());
            }
            for lane in &mut inner.lanes {
                // Of a lane nothing is known of, the first page is wanted.
                let _from_the_first = lane.begin_page();
            }
        }
        let mut unread = Unread { mailbox: &self.mailbox, lanes: &Lane::ALL };
        let page = self.broker.ledger.ready_in_lanes(&self.mailbox.organ, PAGE).await?;
        unread.lanes = &[];
        self.mailbox.inner().end_survey(&page);
        Ok(())
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
        let mut unread = Unread { mailbox: &self.mailbox, lanes: &[lane] };
        let page = self.broker.ledger.ready(&self.mailbox.organ, lane, after, PAGE).await?;
        unread.lanes = &[];
        let full = page.len() == PAGE;
        self.mailbox.inner().lane(lane).end_page(after, page, full);
        Ok(())
    }
}

/// Pages being read. Given up half-way, their lanes ask for them again.
struct Unread<'a> {
    mailbox: &'a Mailbox,
    lanes: &'a [Lane],
}

impl Drop for Unread<'_> {
    fn drop(&mut self) {
        if self.lanes.is_empty() {
            return;
        }
        let mut inner = self.mailbox.inner();
        for lane in self.lanes {
            inner.lane(*lane).give_up_page();
        }
        drop(inner);
        self.mailbox.something.notify_one();
    }
}

enum Took {
    Some(Vec<Ready>),
    /// Of this lane, or of all.
    PageFirst(Option<Lane>),
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
            self.broker.resting.rest(&self.mailbox.organ, &inner.turns);
        } else {
            self.mailbox.something.notify_one();
        }
    }
}
