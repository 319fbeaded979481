//! Everything a ledger's readers can see, read page by page: to be compared before and after, and with a model.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use truc::domain::delivery::{DeliveryId, State};
use truc::domain::message::Lane;
use truc::domain::organ_id::OrganId;
use truc::domain::receipt::Receipt;
use truc::domain::time::Timestamp;
use truc::ledger::{Ledger, Message, MessageKey, MessageRecord, Ready};

use crate::support::{organ, soon};

/// What is seen of some organs; lists of no promised order are sets.
#[derive(Debug, Default, PartialEq)]
pub struct Seen {
    pub sent: BTreeMap<OrganId, Vec<MessageRecord>>,
    pub received: BTreeMap<OrganId, Vec<MessageRecord>>,
    pub received_open: BTreeMap<OrganId, Vec<MessageRecord>>,
    pub receipts: BTreeMap<OrganId, Vec<Receipt>>,
    pub ready: BTreeMap<(OrganId, Lane), Vec<Ready>>,
    pub messages: BTreeMap<MessageKey, Message>,
    pub evidence: BTreeMap<MessageKey, Vec<Receipt>>,
    pub due: BTreeSet<DeliveryId>,
    pub next_due: Option<Timestamp>,
    pub open: HashMap<State, u64>,
    pub oldest_open: Option<Timestamp>,
    pub newest: Option<Timestamp>,
}

/// Reads all there is of these organs as of `now`, in pages of `page`.
pub async fn seen(ledger: &dyn Ledger, organs: &[&str], now: Timestamp, page: usize) -> Seen {
    let mut seen = Seen::default();
    for id in organs.iter().map(|id| organ(id)) {
        seen.sent.insert(id.clone(), sent(ledger, &id, page).await);
        seen.received.insert(id.clone(), received(ledger, &id, false, page).await);
        seen.received_open.insert(id.clone(), received(ledger, &id, true, page).await);
        seen.receipts.insert(id.clone(), receipts(ledger, &id, page).await);
        for lane in Lane::ALL {
            seen.ready.insert((id.clone(), lane), ready(ledger, &id, lane, page).await);
        }
    }
    let records: Vec<_> = seen.sent.values().flatten().cloned().collect();
    for record in &records {
        let tracked = ledger.track(&record.message.sender, &record.message.message_id);
        let (tracked, evidence) = soon(tracked).await.unwrap().unwrap();
        assert_eq!(tracked, *record, "tracked and listed are the same");
        seen.evidence.insert(record.key, evidence);
    }
    let keys = records.iter().map(|record| record.key).collect();
    for (key, message) in soon(ledger.messages(keys)).await.unwrap() {
        seen.messages.insert(key, Message::clone(&message));
    }
    seen.due = soon(ledger.due(now, usize::MAX)).await.unwrap().into_iter().collect();
    seen.next_due = soon(ledger.next_due()).await.unwrap();
    let tally = soon(ledger.tally()).await.unwrap();
    seen.open = tally.open.into_iter().filter(|(_, count)| *count > 0).collect();
    seen.oldest_open = tally.oldest_open;
    seen.newest = tally.newest;
    seen
}

pub async fn sent(ledger: &dyn Ledger, sender: &OrganId, page: usize) -> Vec<MessageRecord> {
    let mut all: Vec<MessageRecord> = Vec::new();
    loop {
        let before = all.last().map(|record| record.key);
        let next = soon(ledger.sent(sender, before, page)).await.unwrap();
        assert!(next.len() <= page);
        let last = next.len() < page;
        all.extend(next);
        if last {
            return all;
        }
    }
}

pub async fn received(
    ledger: &dyn Ledger,
    recipient: &OrganId,
    open: bool,
    page: usize,
) -> Vec<MessageRecord> {
    let mut all: Vec<MessageRecord> = Vec::new();
    loop {
        let before = all.last().map(|record| record.deliveries[0].id);
        let next = soon(ledger.received(recipient, before, open, page)).await.unwrap();
        assert!(next.len() <= page);
        let last = next.len() < page;
        all.extend(next);
        if last {
            return all;
        }
    }
}

pub async fn receipts(ledger: &dyn Ledger, sender: &OrganId, page: usize) -> Vec<Receipt> {
    let mut all: Vec<Receipt> = Vec::new();
    loop {
        let after = all.last().map_or(0, |receipt| receipt.sender_sequence);
        let next = soon(ledger.receipts(sender, after, page)).await.unwrap();
        assert!(next.len() <= page);
        let last = next.len() < page;
        all.extend(next);
        if last {
            return all;
        }
    }
}

pub async fn ready(ledger: &dyn Ledger, organ: &OrganId, lane: Lane, page: usize) -> Vec<Ready> {
    let mut all: Vec<Ready> = Vec::new();
    loop {
        let after = all.last().map_or(DeliveryId(0), |ready| ready.delivery);
        let next = soon(ledger.ready(organ, lane, after, page)).await.unwrap();
        assert!(next.len() <= page);
        let last = next.len() < page;
        all.extend(next);
        if last {
            return all;
        }
    }
}

/// Receipts of one sender: numbered 1, 2, 3, ... in its log and within each of its messages.
pub fn assert_gapless(receipts: &[Receipt]) {
    let mut of_message = BTreeMap::new();
    for (number, receipt) in (1..).zip(receipts) {
        assert_eq!(receipt.sender_sequence, number, "in the log of {}", receipt.sender);
        let within = of_message.entry(&receipt.message_id).or_insert(0);
        *within += 1;
        assert_eq!(receipt.message_sequence, *within, "of message {}", receipt.message_id);
    }
}
