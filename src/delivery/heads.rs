//! Where each sender's log of receipts ends, for those who wait for more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;

use crate::domain::organ_id::OrganId;

/// The heads of the logs somebody watches.
#[derive(Debug, Default)]
pub struct Heads(Arc<Mutex<HashMap<OrganId, watch::Sender<u64>>>>);

/// One who waits for receipts of a sender.
#[derive(Debug)]
pub struct Watcher {
    organ: OrganId,
    head: watch::Receiver<u64>,
    heads: Weak<Mutex<HashMap<OrganId, watch::Sender<u64>>>>,
}

impl Heads {
    fn lock(&self) -> MutexGuard<'_, HashMap<OrganId, watch::Sender<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for receipts of a sender from now on. What is there already is for the caller to read, afterwards.
    pub fn watch(&self, organ: &OrganId) -> Watcher {
        let mut heads = self.lock();
        let head = heads.entry(organ.clone()).or_insert_with(|| watch::channel(0).0).subscribe();
        Watcher { organ: organ.clone(), head, heads: Arc::downgrade(&self.0) }
    }

    /// Any log may have grown.
    pub fn may_have_grown(&self) {
        self.lock().values().for_each(|watched| watched.send_modify(|_| {}));
    }

    /// A sender's log has grown to this number.
    pub fn grown(&self, organ: &OrganId, head: u64) {
        if let Some(watched) = self.lock().get(organ) {
            watched.send_replace(head);
        }
    }
}

impl Watcher {
    /// Waits until the log has grown since this was last asked, or was watched.
    pub async fn grown(&mut self) {
        // The sender lives as long as a watcher does.
        let _closed = self.head.changed().await.is_err();
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let Some(heads) = self.heads.upgrade() else { return };
        let mut heads = heads.lock().unwrap_or_else(PoisonError::into_inner);
        if heads.get(&self.organ).is_some_and(|watched| watched.receiver_count() <= 1) {
            heads.remove(&self.organ);
        }
    }
}
