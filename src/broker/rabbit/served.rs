//! The mailboxes this node serves, and those who serve them.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;

use super::mailbox::Mailbox;
use super::{Core, pump};
use crate::amqp::State;
use crate::broker::Consumer;
use crate::broker::resting::Resting;
use crate::domain::delivery::DeliveryId;
use crate::domain::organ_id::OrganId;
use crate::ledger::{self, Ready};

/// The mailboxes.
pub(super) struct Served {
    mailboxes: Mutex<HashMap<OrganId, Arc<Mailbox>>>,
    resting: Resting,
}

impl Served {
    /// None yet; a lane has its turn after so many deliveries of more urgent ones.
    pub fn new(urgent_run_max: NonZeroU32) -> Self {
        Self { mailboxes: Mutex::default(), resting: Resting::new(urgent_run_max) }
    }

    fn map(&self) -> MutexGuard<'_, HashMap<OrganId, Arc<Mailbox>>> {
        self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True when somebody serves it.
    pub fn is_served(&self, organ: &OrganId) -> bool {
        self.map().get(organ).is_some_and(|mailbox| mailbox.consumers() > 0)
    }

    /// All of them.
    pub fn all(&self) -> Vec<Arc<Mailbox>> {
        self.map().values().cloned().collect()
    }

    /// Closes a mailbox nobody serves any more. False when somebody has come meanwhile.
    pub fn close(&self, mailbox: &Arc<Mailbox>) -> bool {
        let mut map = self.map();
        if mailbox.consumers() > 0 {
            return false;
        }
        if map.get(&mailbox.organ).is_some_and(|there| Arc::ptr_eq(there, mailbox)) {
            map.remove(&mailbox.organ);
            self.resting.rest(&mailbox.organ, mailbox.shelf().turns());
        }
        true
    }
}

/// Serves a mailbox.
pub(super) fn consume(core: &Arc<Core>, organ: &OrganId) -> RabbitConsumer {
    let mut map = core.served.map();
    let mailbox = map.entry(organ.clone()).or_insert_with(|| {
        let (mailbox, looks) = Mailbox::new(organ.clone(), core.served.resting.wake(organ));
        let mailbox = Arc::new(mailbox);
        core.tasks.spawn(pump::run(Arc::clone(core), Arc::clone(&mailbox), looks, core.tasks.stop_token()));
        mailbox
    });
    mailbox.join();
    RabbitConsumer { core: Arc::clone(core), mailbox: Arc::clone(mailbox), taken: HashSet::new() }
}

/// One who serves a mailbox.
pub(super) struct RabbitConsumer {
    core: Arc<Core>,
    mailbox: Arc<Mailbox>,
    taken: HashSet<DeliveryId>,
}

impl fmt::Debug for RabbitConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitConsumer").field("organ", &self.mailbox.organ).finish_non_exhaustive()
    }
}

impl RabbitConsumer {
    fn take_now(&mut self, limit: usize, bytes: u64) -> Vec<Ready> {
        let (taken, left) = {
            let mut shelf = self.mailbox.shelf();
            (shelf.take(limit, bytes), shelf.len())
        };
        self.taken.extend(taken.iter().map(|ready| ready.delivery));
        if left > 0 {
            // Another consumer shall look.
            self.mailbox.something.notify_one();
        }
        taken
    }
}

impl Consumer for RabbitConsumer {
    fn take(&mut self, limit: usize, bytes: u64) -> BoxFuture<'_, Result<Vec<Ready>, ledger::Error>> {
        Box::pin(async move {
            loop {
                let taken = self.take_now(limit, bytes);
                if !taken.is_empty() {
                    return Ok(taken);
                }
                self.mailbox.wanted.notify_one();
                self.mailbox.something.notified().await;
            }
        })
    }

    fn look(&mut self, limit: usize, bytes: u64) -> BoxFuture<'_, Result<Vec<Ready>, ledger::Error>> {
        Box::pin(async move {
            let up = matches!(&*self.core.consume.state().borrow(), State::Up(_) | State::Blocked(..));
            // What is on the shelf of the normal lane may have been overtaken.
            if up && !self.mailbox.shelf().has_urgent() {
                self.mailbox.look(limit).await;
            }
            Ok(self.take_now(limit, bytes))
        })
    }

    fn decided(&mut self, delivery: DeliveryId) {
        if self.taken.remove(&delivery) && self.mailbox.shelf().decided(delivery) {
            self.mailbox.something.notify_one();
        }
    }
}

impl Drop for RabbitConsumer {
    fn drop(&mut self) {
        {
            let mut shelf = self.mailbox.shelf();
            self.taken.drain().for_each(|delivery| shelf.give_back(delivery));
        }
        // A wake-up this one may have had, and what it gave back, are for another.
        self.mailbox.something.notify_one();
        // Held while counting, so that nobody joins a mailbox about to be closed.
        let _map = self.core.served.map();
        self.mailbox.leave();
    }
}
