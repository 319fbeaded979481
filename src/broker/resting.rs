//! The turns of mailboxes nobody serves at present: a system that polls comes back, and what was passed over is still owed its turn.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::organ_id::OrganId;
use crate::domain::turns::Turns;

/// Mailboxes remembered; beyond it all begin anew.
const RESTING_MAX: usize = 16_384;

/// The turns of mailboxes that are owed some.
#[derive(Debug)]
pub(super) struct Resting {
    urgent_run_max: NonZeroU32,
    turns: Mutex<HashMap<OrganId, Turns>>,
}

impl Resting {
    pub fn new(urgent_run_max: NonZeroU32) -> Self {
        Self { urgent_run_max, turns: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OrganId, Turns>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turns of a mailbox somebody begins to serve.
    pub fn wake(&self, organ: &OrganId) -> Turns {
        self.lock().remove(organ).unwrap_or_else(|| Turns::new(self.urgent_run_max))
    }

    /// Keeps those of a mailbox nobody serves any more.
    pub fn rest(&self, organ: &OrganId, turns: &Turns) {
        if !turns.is_owed() {
            return;
        }
        let mut resting = self.lock();
        if resting.len() >= RESTING_MAX {
            resting.clear();
        }
        resting.insert(organ.clone(), turns.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::Lane;

    #[test]
    fn what_is_owed_is_remembered_and_bounded() {
        let organ = |n: usize| OrganId::parse(&format!("H49.{n}")).unwrap();
        let resting = Resting::new(Turns::URGENT_RUN_MAX);
        let mut owed = resting.wake(&organ(0));
        resting.rest(&organ(0), &owed);
        assert!(resting.lock().is_empty(), "nothing is owed");
        owed.handed(Lane::Express, |_| true);
        resting.rest(&organ(0), &owed);
        assert_eq!(resting.wake(&organ(0)), owed);
        assert!(!resting.wake(&organ(0)).is_owed());
        for n in 0..=RESTING_MAX {
            resting.rest(&organ(n), &owed);
        }
        assert_eq!(resting.lock().len(), 1);
    }
}
