//! One lane of a mailbox that somebody serves: the next deliveries in memory, the rest in the ledger.

use std::collections::BTreeMap;

use crate::domain::delivery::DeliveryId;
use crate::ledger::Ready;

/// Deliveries read from the ledger at a time.
pub(super) const PAGE: usize = 512;
/// Most deliveries in memory per lane; beyond it the later half goes back to being in the ledger alone.
const QUEUED_MAX: usize = 2_048;

const _: () = assert!(PAGE < QUEUED_MAX / 2, "a page does not make the lane drop what it has just read");

/// The lane. Every ready delivery up to `loaded_to` is in `queued` or has been taken; above it there is none
/// but where `more` or `paging` says so.
#[derive(Debug)]
pub(super) struct LaneQueue {
    queued: BTreeMap<DeliveryId, Ready>,
    loaded_to: DeliveryId,
    more: bool,
    paging: bool,
}

impl LaneQueue {
    /// A lane of which nothing is known yet.
    pub fn new() -> Self {
        Self { queued: BTreeMap::new(), loaded_to: DeliveryId(0), more: true, paging: false }
    }

    /// A delivery has become ready.
    pub fn publish(&mut self, ready: Ready) {
        if ready.delivery > self.loaded_to && (self.more || self.paging) {
            self.more = true;
            return;
        }
        self.loaded_to = self.loaded_to.max(ready.delivery);
        self.queued.insert(ready.delivery, ready);
        self.shrink();
    }

    /// The next delivery, if its payload has at most `bytes`.
    pub fn pop_within(&mut self, bytes: u64) -> Option<Ready> {
        let first = self.queued.first_entry()?;
        (first.get().payload_bytes <= bytes).then(|| first.remove())
    }

    /// True when something is in it, or may be in the ledger.
    pub fn waits(&self) -> bool {
        !self.queued.is_empty() || self.more || self.paging
    }

    /// True when the next delivery is to be looked for in the ledger.
    pub fn wants_page(&self) -> bool {
        self.queued.is_empty() && (self.more || self.paging)
    }

    /// Starts reading a page: after which delivery. None when there is nothing to read any more.
    pub fn begin_page(&mut self) -> Option<DeliveryId> {
        if !self.wants_page() {
            return None;
        }
        self.more = false;
        self.paging = true;
        Some(self.loaded_to)
    }

    /// The page has been read; there is more behind it when it is full.
    pub fn end_page(&mut self, after: DeliveryId, page: impl IntoIterator<Item = Ready>, full: bool) {
        self.paging = false;
        if self.loaded_to != after {
            // The lane shrank meanwhile: the page no longer follows what is loaded.
            self.more = true;
            return;
        }
        for ready in page {
            self.loaded_to = ready.delivery;
            self.queued.insert(ready.delivery, ready);
        }
        self.more |= full;
        self.shrink();
    }

    /// The page could not be read.
    pub fn give_up_page(&mut self) {
        self.paging = false;
        self.more = true;
    }

    fn shrink(&mut self) {
        if self.queued.len() <= QUEUED_MAX {
            return;
        }
        while self.queued.len() > QUEUED_MAX / 2 {
            self.queued.pop_last();
        }
        if let Some((last, _)) = self.queued.last_key_value() {
            self.loaded_to = *last;
            self.more = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ledger::MessageKey;

    fn ready(id: u64) -> Ready {
        Ready { delivery: DeliveryId(id), message: MessageKey(id), payload_bytes: 1, attempt: 0 }
    }

    proptest! {
        /// A lane beside a model of the ledger: everything ready is handed over, and memory is bounded.
        #[test]
        fn nothing_is_forgotten(
            steps in proptest::collection::vec((0u8..5, 0usize..1_500), 1..60),
            waiting in 0u64..3_000,
        ) {
            let mut lane = LaneQueue::new();
            let mut in_ledger: BTreeMap<u64, ()> = (1..=waiting).map(|id| (id, ())).collect();
            let mut next = waiting + 1;
            let mut returned = Vec::new();
            let mut page: Option<(DeliveryId, Vec<Ready>)> = None;
            for (what, much) in steps {
                match what {
                    0 => for _ in 0..much {
                        in_ledger.insert(next, ());
                        lane.publish(ready(next));
                        next += 1;
                    },
                    1 => for _ in 0..much {
                        let Some(taken) = lane.pop_within(u64::MAX) else { break };
                        if in_ledger.remove(&taken.delivery.0).is_some() && taken.delivery.0 % 7 == 0 {
                            returned.push(taken.delivery.0);
                        }
                    },
                    2 => for id in returned.drain(..) {
                        in_ledger.insert(id, ());
                        lane.publish(ready(id));
                    },
                    3 if page.is_none() => if let Some(after) = lane.begin_page() {
                        let read = in_ledger.range(after.0 + 1..).take(PAGE).map(|(id, ())| ready(*id));
                        page = Some((after, read.collect()));
                    },
                    _ => if let Some((after, read)) = page.take() {
                        let full = read.len() == PAGE;
                        lane.end_page(after, read, full);
                    },
                }
                prop_assert!(lane.queued.len() <= QUEUED_MAX);
            }
            if let Some((after, read)) = page.take() {
                let full = read.len() == PAGE;
                lane.end_page(after, read, full);
            }
            loop {
                while let Some(taken) = lane.pop_within(u64::MAX) {
                    in_ledger.remove(&taken.delivery.0);
                }
                let Some(after) = lane.begin_page() else { break };
                let read: Vec<_> = in_ledger.range(after.0 + 1..).take(PAGE).map(|(id, ())| ready(*id)).collect();
                let full = read.len() == PAGE;
                lane.end_page(after, read, full);
            }
            prop_assert!(in_ledger.is_empty(), "forgotten: {in_ledger:?}");
        }
    }
}
