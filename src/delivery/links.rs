//! Push links as this node knows them, and which of them may be other ones by now.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use crate::domain::link::{LinkRecord, Outage};
use crate::domain::organ_id::OrganId;

type Known = HashMap<OrganId, Arc<LinkRecord>>;

/// What is known of push links.
#[derive(Debug, Default)]
pub struct Links {
    known: ArcSwap<Known>,
    stale: Mutex<Stale>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Stale {
    all: bool,
    organs: BTreeSet<OrganId>,
}

impl Links {
    /// The links of these organs have changed; none named means any may have.
    pub fn changed(&self, of: Option<Vec<OrganId>>) {
        let mut stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
        match of {
            Some(organs) if organs.is_empty() => return,
            Some(organs) => stale.organs.extend(organs),
            None => stale.all = true,
        }
        drop(stale);
        self.more.notify_one();
    }

    /// Any link may have changed.
    pub fn may_have_changed(&self) {
        self.changed(None);
    }

    /// Waits until some have changed; none named means any may have.
    pub async fn stale(&self) -> Option<Vec<OrganId>> {
        loop {
            let stale = std::mem::take(&mut *self.stale.lock().unwrap_or_else(PoisonError::into_inner));
            match stale {
                Stale { all: true, .. } => return None,
                Stale { organs, .. } if !organs.is_empty() => return Some(organs.into_iter().collect()),
                Stale { .. } => self.more.notified().await,
            }
        }
    }

    /// What there is of these organs, or of all. One at a time says so.
    pub fn replace(&self, of: Option<&[OrganId]>, records: Vec<LinkRecord>) {
        let mut known = match of {
            Some(organs) => {
                let mut known = Known::clone(&self.known.load());
                organs.iter().for_each(|organ| drop(known.remove(organ)));
                known
            }
            None => Known::new(),
        };
        known.extend(records.into_iter().map(|record| (record.link.organ.clone(), Arc::new(record))));
        self.known.store(Arc::new(known));
    }

    /// All there are.
    pub fn all(&self) -> Arc<Known> {
        self.known.load_full()
    }

    /// Why an organ's endpoint takes nothing, if it has one that is to be brought mail and does not take it.
    pub fn outage(&self, organ: &OrganId) -> Option<Outage> {
        self.known.load().get(organ).filter(|record| record.link.enabled)?.outage.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_has_changed_is_told_once_and_all_stands_for_each() {
        let organ = |text| OrganId::parse(text).unwrap();
        let links = Links::default();
        links.changed(Some(vec![organ("H49"), organ("H05")]));
        links.changed(Some(vec![organ("H49")]));
        assert_eq!(links.stale().await, Some(vec![organ("H05"), organ("H49")]));
        links.changed(Some(vec![organ("H49")]));
        links.may_have_changed();
        assert_eq!(links.stale().await, None);
        links.changed(Some(Vec::new()));
        let nothing = tokio::time::timeout(std::time::Duration::from_millis(10), links.stale());
        assert!(nothing.await.is_err());
    }
}
