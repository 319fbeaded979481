//! What the model's readers would see.

use std::collections::BTreeMap;

use bytes::Bytes;
use truc::domain::delivery::{DeliveryId, Hold, State};
use truc::domain::message::Lane;
use truc::domain::organ_id::OrganId;
use truc::domain::time::Timestamp;
use truc::ledger::{DeliveryRecord, Message, MessageRecord};

use super::{Letter, Model};
use crate::ledger::inspect::Seen;
use crate::support::organ;

impl Model {
    /// All there is of these organs as of `now`.
    pub fn seen(&self, organs: &[&str], now: Timestamp) -> Seen {
        let mut seen = Seen::default();
        for id in organs.iter().map(|id| organ(id)) {
            let sent = self.letters.iter().rev().filter(|letter| letter.message.sender == id);
            seen.sent.insert(id.clone(), sent.map(|letter| self.whole(letter)).collect());
            seen.received.insert(id.clone(), self.received(&id, |_| true));
            seen.received_open.insert(id.clone(), self.received(&id, |d| !d.progress.state.is_end()));
            seen.receipts.insert(id.clone(), self.receipts.get(&id).cloned().unwrap_or_default());
            for lane in Lane::ALL {
                let ready = self.deliveries.values().filter(|(n, delivery)| {
                    delivery.recipient == id
                        && delivery.progress.state == State::Queued
                        && self.letters[*n].lane == lane
                });
                let ready = ready.map(|(n, delivery)| self.letters[*n].ready(delivery));
                seen.ready.insert((id.clone(), lane), ready.collect());
            }
        }
        for letter in &self.letters {
            seen.messages.insert(letter.key, Message::clone(&letter.message));
            seen.evidence.insert(letter.key, letter.evidence.clone());
        }
        seen.newest = self.letters.last().map(|letter| letter.message.accepted_at);
        self.see_the_open(&mut seen, now);
        seen
    }

    fn see_the_open(&self, seen: &mut Seen, now: Timestamp) {
        for (n, delivery) in self.deliveries.values() {
            let Some(due_at) = delivery.progress.due_at else { continue };
            if due_at <= now {
                seen.due.insert(delivery.id);
            }
            seen.next_due = Some(seen.next_due.map_or(due_at, |next| next.min(due_at)));
            *seen.open.entry(delivery.progress.state).or_default() += 1;
            // In the order of their ids, so the first open one is of the oldest message.
            seen.oldest_open.get_or_insert(self.letters[*n].message.accepted_at);
        }
    }

    /// What was on streams: after a restart, all that is held by them.
    pub fn on_streams(&self) -> BTreeMap<DeliveryId, u32> {
        let deliveries = self.deliveries.values().map(|(_, delivery)| delivery);
        let held = deliveries.filter(|delivery| delivery.progress.hold == Some(Hold::Stream));
        held.map(|delivery| (delivery.id, delivery.progress.attempt)).collect()
    }

    fn received(&self, recipient: &OrganId, wanted: impl Fn(&DeliveryRecord) -> bool) -> Vec<MessageRecord> {
        let newest_first = self.deliveries.values().rev();
        let of_organ =
            newest_first.filter(|(_, delivery)| delivery.recipient == *recipient && wanted(delivery));
        of_organ.map(|(n, delivery)| record(&self.letters[*n], vec![delivery.clone()])).collect()
    }

    fn whole(&self, letter: &Letter) -> MessageRecord {
        let deliveries = letter.deliveries.iter().map(|delivery| self.deliveries[&delivery.id].1.clone());
        record(letter, deliveries.collect())
    }
}

fn record(letter: &Letter, deliveries: Vec<DeliveryRecord>) -> MessageRecord {
    let message = Message { payload: Bytes::new(), ..Message::clone(&letter.message) };
    let payload_bytes = letter.message.payload.len() as u64;
    MessageRecord { key: letter.key, message, payload_bytes, purged_at: None, deliveries }
}
