//! Which mailboxes are known to be there, and where RabbitMQ has them differently.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use super::Core;
use crate::amqp::topology::Declarer;
use crate::amqp::{Lost, MailboxQueue, topology};
use crate::domain::organ_id::OrganId;
use crate::ledger;

/// Mailboxes declared at a time.
const AT_A_TIME: usize = 4;
/// Differences told in one line.
const TOLD_MAX: usize = 3;
/// The name under which differences of the fixed part are kept.
const FIXED: &str = "";

/// Why a mailbox could not be declared.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Lost(#[from] Lost),
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
}

/// What is known.
pub(super) struct Declarations {
    // For how manieth time the connection was up then.
    known: Mutex<HashMap<OrganId, u64>>,
    differences: Mutex<BTreeMap<String, Vec<String>>>,
    permits: Semaphore,
    // As many as there are permits at most.
    idle: Mutex<Vec<Declarer>>,
}

impl Default for Declarations {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            differences: Mutex::default(),
            permits: Semaphore::new(AT_A_TIME),
            idle: Mutex::default(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Declarations {
    /// What is wrong, in a few words.
    pub fn health(&self) -> Result<(), String> {
        let differences = lock(&self.differences);
        let mut all = differences.values().flatten();
        let told: Vec<&str> = all.by_ref().take(TOLD_MAX).map(String::as_str).collect();
        match (told.is_empty(), all.count()) {
            (true, _) => Ok(()),
            (false, 0) => Err(format!("RabbitMQ has it differently: {}", told.join("; "))),
            (false, more) => {
                Err(format!("RabbitMQ has it differently: {}; and {more} more", told.join("; ")))
            }
        }
    }

    /// What was found of the fixed part.
    pub fn found_fixed(&self, differences: Vec<String>) {
        self.found(FIXED, differences);
    }

    fn found(&self, what: &str, differences: Vec<String>) {
        let mut known = lock(&self.differences);
        let before = known.remove(what).unwrap_or_default();
        for difference in differences.iter().filter(|difference| !before.contains(difference)) {
            tracing::error!(difference, "RabbitMQ has it differently; it is used as it is");
        }
        if !differences.is_empty() {
            known.insert(what.to_owned(), differences);
        }
    }

    /// A mailbox turned out not to be there.
    pub fn forget(&self, organ: &OrganId) {
        lock(&self.known).remove(organ);
    }
}

impl Core {
    /// Declares a mailbox, unless that was done on this connection. One that is empty against the ledger's word has
    /// lost what it held, and is filled again.
    pub async fn declare_mailbox(&self, organ: &OrganId, epoch: u64) -> Result<(), Error> {
        if lock(&self.declarations.known).get(organ) == Some(&epoch) {
            return Ok(());
        }
        let _permit = self.declarations.permits.acquire().await.map_err(|_| Lost::Stopped)?;
        if lock(&self.declarations.known).get(organ) == Some(&epoch) {
            return Ok(());
        }
        let mut declarer = lock(&self.declarations.idle).pop().unwrap_or_default();
        let mut differences = Vec::new();
        let mut untouched = true;
        let queues = MailboxQueue::ALL.map(|queue| self.options.topology.mailbox(organ, queue));
        for queue in &queues {
            let declared = declarer.declare(&self.consume, queue).await?;
            differences.extend(declared.differences);
            untouched &= declared.messages == 0 && declared.consumers == 0;
        }
        // Before anything can come into a new queue, so that nothing comes twice.
        if untouched && self.has_ready(organ).await? {
            self.fill_again(organ).await?;
        }
        for queue in &queues {
            differences.extend(declarer.bind(&self.consume, queue).await?);
        }
        lock(&self.declarations.idle).push(declarer);
        self.declarations.found(&organ.to_string(), differences);
        lock(&self.declarations.known).insert(organ.clone(), epoch);
        if untouched {
            self.outbox.look_again();
        }
        Ok(())
    }

    /// Makes the queues of a mailbox anew that RabbitMQ has by name only: killed in the moment a queue is declared, it may come back
    /// with a queue that has no leader and never answers again. One that says it holds something is left alone.
    pub async fn restore_mailbox(&self, organ: &OrganId) -> Result<(), Error> {
        let mut declarer = Declarer::default();
        for queue in MailboxQueue::ALL {
            let queue = self.options.topology.mailbox(organ, queue);
            let there = declarer.declare(&self.consume, &queue).await?;
            if there.messages > 0 || topology::answers(&self.consume, &queue).await? {
                continue;
            }
            tracing::error!(
                queue = queue.name,
                "an empty queue does not answer; it is deleted and made anew"
            );
            topology::delete(&self.consume, &queue).await?;
            self.declarations.forget(organ);
        }
        Ok(())
    }

    /// What is ready for an organ is unpublished again.
    async fn fill_again(&self, organ: &OrganId) -> Result<(), ledger::Error> {
        let count = self.ledger.publish_again(Some(organ)).await?.await?;
        if count > 0 {
            tracing::info!(%organ, count, "a mailbox is filled again from the ledger");
        }
        Ok(())
    }

    async fn has_ready(&self, organ: &OrganId) -> Result<bool, ledger::Error> {
        Ok(!self.ledger.ready_in_lanes(organ, 1).await?.is_empty())
    }
}
