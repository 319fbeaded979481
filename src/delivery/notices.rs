//! Which organs have overdue deliveries, for those that serve their mailboxes on this node, and for those who bring a notice to organs
//! that have no stream.

use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

use super::Dispatch;
use crate::domain::organ_id::OrganId;
use crate::domain::time::Timestamp;
use crate::ledger::{self, MessageRecord, OverdueOf};

/// Overdue deliveries one notice lists, the newest.
const LISTED_MAX: usize = 100;

/// The organs that had overdue deliveries when it was last looked.
#[derive(Debug, Default)]
pub struct Notices {
    looked: ArcSwapOption<Looked>,
    told: watch::Sender<()>,
}

/// What was found.
#[derive(Debug)]
struct Looked {
    organs: HashSet<OrganId>,
    /// The last end of a working day by then.
    day_end: Timestamp,
}

/// A notice that is to be brought to an organ, and was not yet.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The organ.
    pub organ: OrganId,
    /// The end of the working day after which it is told.
    pub day_end: Timestamp,
    /// What is overdue, the newest first.
    pub overdue: Vec<MessageRecord>,
    /// The mark of the last notice it was brought.
    before: u64,
}

impl Notices {
    /// These have some after this end of a working day; whoever serves one of them is told.
    pub fn tell(&self, organs: Vec<OrganId>, day_end: Timestamp) {
        self.looked.store(Some(Arc::new(Looked { organs: organs.into_iter().collect(), day_end })));
        self.told.send_replace(());
    }

    /// False until it was looked once.
    pub fn are_known(&self) -> bool {
        self.looked.load().is_some()
    }

    /// Whether an organ may have some.
    pub fn concern(&self, organ: &OrganId) -> bool {
        self.day_end(organ).is_some()
    }

    /// After which end of a working day it was found that an organ has some.
    fn day_end(&self, organ: &OrganId) -> Option<Timestamp> {
        self.looked
            .load()
            .as_ref()
            .filter(|looked| looked.organs.contains(organ))
            .map(|looked| looked.day_end)
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

    /// The notice that is to be brought to an organ that has no stream; none where it was brought since the last end of a working day,
    /// by whichever node.
    pub async fn notice_to_bring(&self, organ: &OrganId) -> Result<Option<Notice>, ledger::Error> {
        let Some(day_end) = self.notices.day_end(organ) else { return Ok(None) };
        let before = self.ledger.mark(&brought_mark(organ)).await?;
        if before >= micros(day_end) {
            return Ok(None);
        }
        let overdue = self.overdue_notice(organ).await?;
        let notice = Notice { organ: organ.clone(), day_end, overdue, before };
        Ok(Some(notice).filter(|notice| !notice.overdue.is_empty()))
    }

    /// A notice was brought.
    pub async fn notice_brought(&self, notice: &Notice) -> Result<(), ledger::Error> {
        let mark = brought_mark(&notice.organ);
        // Where another node brought the same, it has noted the same.
        let _moved = self.ledger.advance_mark(&mark, notice.before, micros(notice.day_end)).await?.await?;
        Ok(())
    }
}

/// The durable number of the last end of a working day after which an organ was brought a notice, in microseconds.
fn brought_mark(organ: &OrganId) -> String {
    format!("overdue-notice/{organ}")
}

fn micros(at: Timestamp) -> u64 {
    u64::try_from(at.as_micros()).unwrap_or(0)
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
        notices.tell(vec![organ("H49")], Timestamp::EPOCH);
        assert!(notices.are_known() && notices.concern(&organ("H49")) && !notices.concern(&organ("H05")));
        assert!(watch.has_changed().unwrap());
        watch.mark_unchanged();
        notices.tell(Vec::new(), Timestamp::EPOCH);
        assert!(!notices.concern(&organ("H49")) && watch.has_changed().unwrap());
    }
}
