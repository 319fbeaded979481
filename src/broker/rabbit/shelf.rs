//! What has arrived of a mailbox and is not decided: who may have what next, without any waiting.

use std::collections::{BTreeMap, HashMap};

use super::acks::Tag;
use crate::domain::delivery::DeliveryId;
use crate::domain::message::Lane;
use crate::domain::turns::Turns;
use crate::ledger::Ready;

/// A delivery that has arrived, perhaps more than once.
struct Arrived {
    ready: Ready,
    lane: Lane,
    tags: Vec<Tag>,
}

/// The shelf. A delivery is on it once: a copy that comes while it waits is the same delivery, a copy that comes while somebody
/// has it waits until that one has decided.
#[derive(Default)]
pub(super) struct Shelf {
    lanes: [BTreeMap<DeliveryId, Arrived>; Lane::ALL.len()],
    turns: Turns,
    held: HashMap<DeliveryId, Arrived>,
    copies: HashMap<DeliveryId, Arrived>,
}

impl Shelf {
    /// An empty one of a mailbox whose turns stand so.
    pub fn new(turns: Turns) -> Self {
        Self { turns, ..Self::default() }
    }

    /// How the turns of the lanes stand.
    pub fn turns(&self) -> &Turns {
        &self.turns
    }

    fn lane(&mut self, lane: Lane) -> &mut BTreeMap<DeliveryId, Arrived> {
        &mut self.lanes[lane.place()]
    }

    /// How many can be taken of a lane.
    pub fn waiting(&self, lane: Lane) -> usize {
        self.lanes[lane.place()].len()
    }

    /// True when something urgent can be taken.
    pub fn has_urgent(&self) -> bool {
        self.len() > self.waiting(Lane::Normal)
    }

    /// A message has arrived.
    pub fn arrive(&mut self, lane: Lane, ready: Ready, tag: Tag) {
        let arrived = Arrived { ready, lane, tags: vec![tag] };
        match self.held.contains_key(&ready.delivery) {
            true => merge(&mut self.copies, arrived),
            false => self.put(arrived),
        }
    }

    fn put(&mut self, arrived: Arrived) {
        let lane = self.lane(arrived.lane);
        match lane.get_mut(&arrived.ready.delivery) {
            Some(there) => there.add(arrived),
            None => drop(lane.insert(arrived.ready.delivery, arrived)),
        }
    }

    /// Takes what comes next: at most `limit`, beyond the first only while the payloads stay within `bytes`.
    pub fn take(&mut self, limit: usize, bytes: u64) -> Vec<Ready> {
        let mut taken: Vec<Ready> = Vec::new();
        let mut left = bytes;
        while taken.len() < limit
            && let Some(lane) = self.turns.next(|lane| self.waiting(lane) > 0)
            && let Some(first) = self.lanes[lane.place()].first_entry()
        {
            let ready = first.get().ready;
            if !taken.is_empty() && ready.payload_bytes > left {
                break;
            }
            left = left.saturating_sub(ready.payload_bytes);
            let arrived = first.remove();
            let Self { lanes, turns, .. } = self;
            turns.handed(lane, |lane| !lanes[lane.place()].is_empty());
            self.held.insert(ready.delivery, arrived);
            taken.push(ready);
        }
        taken
    }

    /// The ledger has decided about it: its messages are done with. A copy that came meanwhile is next.
    pub fn decided(&mut self, delivery: DeliveryId) -> bool {
        let Some(held) = self.held.remove(&delivery) else { return false };
        held.tags.into_iter().for_each(Tag::ack);
        self.uncover(delivery)
    }

    /// Who had it leaves without having decided.
    pub fn give_back(&mut self, delivery: DeliveryId) {
        if let Some(held) = self.held.remove(&delivery) {
            self.put(held);
        }
        self.uncover(delivery);
    }

    fn uncover(&mut self, delivery: DeliveryId) -> bool {
        match self.copies.remove(&delivery) {
            Some(copy) => {
                self.put(copy);
                true
            }
            None => false,
        }
    }

    /// How many can be taken.
    pub fn len(&self) -> usize {
        self.lanes.iter().map(BTreeMap::len).sum()
    }

    /// Forgets what came on channels that are lost, and nobody has: it comes again.
    pub fn forget_lost(&mut self) {
        for lane in &mut self.lanes {
            lane.retain(|_, arrived| arrived.tags.iter().any(Tag::is_live));
        }
        self.copies.retain(|_, arrived| arrived.tags.iter().any(Tag::is_live));
    }

    /// Gives everything nobody has back to the queues, the last first, so that their order stays.
    pub fn requeue(&mut self) {
        for lane in &mut self.lanes {
            let arrived = std::mem::take(lane);
            arrived.into_values().flat_map(|arrived| arrived.tags).for_each(Tag::requeue);
        }
        let copies = std::mem::take(&mut self.copies);
        copies.into_values().flat_map(|arrived| arrived.tags).for_each(Tag::requeue);
    }
}

impl Arrived {
    fn add(&mut self, copy: Self) {
        // The later attempt is the one that is ready, if one is.
        if copy.ready.attempt > self.ready.attempt {
            self.ready = copy.ready;
        }
        self.tags.extend(copy.tags);
    }
}

fn merge(map: &mut HashMap<DeliveryId, Arrived>, arrived: Arrived) {
    match map.get_mut(&arrived.ready.delivery) {
        Some(there) => there.add(arrived),
        None => drop(map.insert(arrived.ready.delivery, arrived)),
    }
}
