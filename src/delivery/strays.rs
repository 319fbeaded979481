//! Mail of closed organs: who is closed today, and for whom of them something has become ready.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use crate::domain::organ_id::OrganId;

/// Organs something is to be done for, each once however often it is said.
#[derive(Debug, Default)]
pub struct Pile {
    organs: Mutex<BTreeSet<OrganId>>,
    more: Notify,
}

impl Pile {
    /// Something is to be done for these.
    pub fn add(&self, organs: impl IntoIterator<Item = OrganId>) {
        self.organs.lock().unwrap_or_else(PoisonError::into_inner).extend(organs);
        self.more.notify_one();
    }

    /// Waits for some, and takes them all.
    pub async fn take(&self) -> BTreeSet<OrganId> {
        loop {
            let organs = std::mem::take(&mut *self.organs.lock().unwrap_or_else(PoisonError::into_inner));
            if !organs.is_empty() {
                return organs;
            }
            self.more.notified().await;
        }
    }
}

/// The closed organs, and those of them mail was seen for.
#[derive(Debug, Default)]
pub struct Strays {
    closed: ArcSwap<HashSet<OrganId>>,
    /// Those mail has become ready for.
    pub seen: Pile,
}

impl Strays {
    /// From now on these are closed. Gives those that no longer are.
    pub fn close(&self, organs: HashSet<OrganId>) -> Vec<OrganId> {
        let organs = Arc::new(organs);
        let before = self.closed.swap(Arc::clone(&organs));
        before.difference(&organs).cloned().collect()
    }

    /// Something has become ready for an organ. True when it is closed: then it is seen to, and not to be delivered.
    pub fn catches(&self, organ: &OrganId) -> bool {
        let closed = self.closed.load().contains(organ);
        if closed {
            self.seen.add([organ.clone()]);
        }
        closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn mail_of_closed_organs_is_seen_once() {
        let organ = |text| OrganId::parse(text).unwrap();
        let strays = Strays::default();
        assert!(!strays.catches(&organ("H02")));
        assert!(strays.close(HashSet::from([organ("H02"), organ("H03")])).is_empty());
        assert!(
            strays.catches(&organ("H03")) && strays.catches(&organ("H02")) && strays.catches(&organ("H03"))
        );
        assert!(!strays.catches(&organ("H05")));
        assert_eq!(strays.seen.take().await.into_iter().collect::<Vec<_>>(), [organ("H02"), organ("H03")]);
        assert_eq!(strays.close(HashSet::from([organ("H03")])), [organ("H02")]);
        assert!(!strays.catches(&organ("H02")));
    }
}
