//! What is not to be published for a while, so that one full or broken mailbox takes no time from the others.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

use crate::amqp::MailboxQueue;
use crate::domain::delivery::DeliveryId;
use crate::domain::organ_id::OrganId;
use crate::ledger::BecameReady;

/// The wait before a single delivery that RabbitMQ refused is tried again.
const REFUSED_DELAY: Duration = Duration::from_secs(300);
/// Entries of a kind; beyond it all are tried again.
const ENTRIES_MAX: usize = 16_384;

/// What is held back. It stays in the ledger's outbox meanwhile.
#[derive(Default)]
pub(super) struct Reserve {
    queues: HashMap<(OrganId, MailboxQueue), Instant>,
    deliveries: HashMap<DeliveryId, Instant>,
    declaring: HashSet<OrganId>,
    declared: HashMap<OrganId, Instant>,
}

impl Reserve {
    /// True when it is to be published now.
    pub fn lets_through(&self, became: &BecameReady) -> bool {
        // Nothing is held back, nearly always.
        (self.queues.is_empty() || !self.queues.contains_key(&(became.organ.clone(), became.lane.into())))
            && (self.deliveries.is_empty() || !self.deliveries.contains_key(&became.ready.delivery))
            && (self.declaring.is_empty() || !self.declaring.contains(&became.organ))
    }

    /// The queue is full.
    pub fn hold_queue(&mut self, organ: &OrganId, queue: MailboxQueue, delay: Duration) {
        bounded(&mut self.queues).insert((organ.clone(), queue), Instant::now() + delay);
    }

    /// RabbitMQ will not have this one.
    pub fn hold_delivery(&mut self, delivery: DeliveryId) {
        bounded(&mut self.deliveries).insert(delivery, Instant::now() + REFUSED_DELAY);
    }

    /// The mailbox is not there, and is to be declared; false when that is being done. When it was declared
    /// a moment ago, that did not help, and it is held back in place of it.
    pub fn begin_declaring(&mut self, organ: &OrganId, delay: Duration) -> bool {
        if self.declaring.contains(organ) {
            return false;
        }
        if self.declared.get(organ).is_some_and(|at| at.elapsed() < delay) {
            MailboxQueue::ALL.into_iter().for_each(|queue| self.hold_queue(organ, queue, delay));
            return false;
        }
        self.declaring.insert(organ.clone())
    }

    /// The mailbox is declared, or could not be.
    pub fn end_declaring(&mut self, organ: OrganId) {
        self.declaring.remove(&organ);
        bounded(&mut self.declared).insert(organ, Instant::now());
    }

    /// True while a mailbox is being declared.
    pub fn is_declaring(&self) -> bool {
        !self.declaring.is_empty()
    }

    /// When the first of them is to be tried again.
    pub fn next(&self) -> Option<Instant> {
        self.queues.values().chain(self.deliveries.values()).min().copied()
    }

    /// Forgets those whose time has come.
    pub fn release(&mut self) {
        let now = Instant::now();
        self.queues.retain(|_, until| *until > now);
        self.deliveries.retain(|_, until| *until > now);
    }
}

fn bounded<K: Hash + Eq>(map: &mut HashMap<K, Instant>) -> &mut HashMap<K, Instant> {
    if map.len() >= ENTRIES_MAX {
        map.clear();
    }
    map
}
