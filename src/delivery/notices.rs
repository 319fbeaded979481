//! Which organs have overdue deliveries, for those that serve their mailboxes on this node.

use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

use super::Dispatch;
use crate::domain::organ_id::OrganId;
use crate::ledger::{self, MessageRecord, OverdueOf};

/// Overdue deliveries one notice lists, the newest.
const LISTED_MAX: usize = 100;

/// The organs that had overdue deliveries when it was last looked.
#[derive(Debug, Default)]
pub struct Notices {
    organs: ArcSwapOption<HashSet<OrganId>>,
    told: watch::Sender<()>,
}

impl Notices {
    /// These have some now; whoever serves one of them is told.
    pub fn tell(&self, organs: Vec<OrganId>) {
        self.organs.store(Some(Arc::new(organs.into_iter().collect())));
        self.told.send_replace(());
    }

    /// False until it was looked once.
    pub fn are_known(&self) -> bool {
        self.organs.load().is_some()
    }

    /// Whether an organ may have some.
    pub fn concern(&self, organ: &OrganId) -> bool {
        self.organs.load().as_ref().is_some_and(|organs| organs.contains(organ))
    }

    /// Changes each time something is told.
    pub fn watch(&self) -> watch::Receiver<()> {
        self.told.subscribe()
    }
}

impl Dispatch {
    /// What an organ is to be told of: its overdue deliveries that are open and not acknowledged. Costs nothing where there are none.
    pub async fn overdue_notice(&self, organ: &OrganId) -> Result<Vec<MessageRecord>, ledger::Error> {
        if !self.notices.concern(organ) {
            return Ok(Vec::new());
        }
        self.ledger.overdue(&OverdueOf::Recipient(organ.clone()), None, true, LISTED_MAX).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_concerned_are_told() {
        let organ = |id: &str| OrganId::parse(id).unwrap();
        let notices = Notices::default();
        let mut watch = notices.watch();
        assert!(!notices.are_known() && !notices.concern(&organ("H49")) && !watch.has_changed().unwrap());
        notices.tell(vec![organ("H49")]);
        assert!(notices.are_known() && notices.concern(&organ("H49")) && !notices.concern(&organ("H05")));
        assert!(watch.has_changed().unwrap());
        watch.mark_unchanged();
        notices.tell(Vec::new());
        assert!(!notices.concern(&organ("H49")) && watch.has_changed().unwrap());
    }
}
