//! What never changes of messages and deliveries, as this node has written or read it lately, so that the many receipts of each need
//! not be joined with them again and again.

use std::collections::{BTreeSet, HashMap};

use quick_cache::sync::Cache;
use tokio_postgres::{Client, Row};

use super::cells::{Cells, OrganRef};
use super::fault::Fault;
use crate::domain::message::{Hash, MessageId};

/// Messages and deliveries kept; some 200 bytes each.
const KEPT_MAX: usize = 65_536;

/// What a receipt says of its message.
#[derive(Clone, Debug)]
pub(super) struct MessageFacts {
    pub message_id: MessageId,
    pub content_hash: Hash,
    pub payload_hash: Hash,
}

/// Between whom a delivery is.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeliveryFacts {
    pub sender: OrganRef,
    pub recipient: OrganRef,
    pub addressed_to: Option<OrganRef>,
    /// The delivery whose place it took.
    pub origin: Option<i64>,
}

/// Facts of one transaction, to be kept once it is committed.
#[derive(Debug, Default)]
pub(super) struct NewFacts {
    pub messages: Vec<(i64, MessageFacts)>,
    pub deliveries: Vec<(i64, DeliveryFacts)>,
}

/// What is known. Of committed rows only.
#[derive(Debug)]
pub(super) struct Facts {
    messages: Cache<i64, MessageFacts>,
    deliveries: Cache<i64, DeliveryFacts>,
}

impl Default for Facts {
    fn default() -> Self {
        Self { messages: Cache::new(KEPT_MAX), deliveries: Cache::new(KEPT_MAX) }
    }
}

impl Facts {
    /// Keeps what was committed.
    pub fn keep(&self, new: NewFacts) {
        new.messages.into_iter().for_each(|(key, facts)| self.messages.insert(key, facts));
        new.deliveries.into_iter().for_each(|(id, facts)| self.deliveries.insert(id, facts));
    }

    /// Forgets all: another server may have given the same numbers to others.
    pub fn forget(&self) {
        self.messages.clear();
        self.deliveries.clear();
    }

    /// A delivery, when it is known.
    pub fn delivery(&self, id: i64) -> Option<DeliveryFacts> {
        self.deliveries.get(&id)
    }

    /// These messages; what is not known is read.
    pub async fn messages(
        &self,
        client: &Client,
        keys: impl Iterator<Item = i64>,
    ) -> Result<HashMap<i64, MessageFacts>, Fault> {
        let read = async |unknown: Vec<i64>| {
            // message.facts
            let sql = "SELECT key, message_id, content_hash, payload_hash FROM message WHERE key = ANY($1)";
            Ok(client.query(sql, &[&unknown]).await?)
        };
        let message = |cells: &mut Cells<'_>| {
            let (message_id, content_hash) = (cells.message_id()?, cells.hash()?);
            Ok(MessageFacts { message_id, content_hash, payload_hash: cells.hash()? })
        };
        look_up(&self.messages, keys, read, message).await
    }

    /// These deliveries; what is not known is read.
    pub async fn deliveries(
        &self,
        client: &Client,
        ids: impl Iterator<Item = i64>,
    ) -> Result<HashMap<i64, DeliveryFacts>, Fault> {
        let read = async |unknown: Vec<i64>| {
            // delivery.facts
            let sql = "SELECT id, sender, recipient, addressed_to, origin FROM delivery WHERE id = ANY($1)";
            Ok(client.query(sql, &[&unknown]).await?)
        };
        let delivery = |cells: &mut Cells<'_>| {
            let (sender, recipient) = (cells.plain()?, cells.plain()?);
            Ok(DeliveryFacts { sender, recipient, addressed_to: cells.plain()?, origin: cells.plain()? })
        };
        look_up(&self.deliveries, ids, read, delivery).await
    }
}

/// Takes from the cache what is there, and reads the rest: rows that begin with the number.
async fn look_up<V: Clone>(
    cache: &Cache<i64, V>,
    wanted: impl Iterator<Item = i64>,
    read: impl AsyncFnOnce(Vec<i64>) -> Result<Vec<Row>, Fault>,
    value: impl Fn(&mut Cells<'_>) -> Result<V, Fault>,
) -> Result<HashMap<i64, V>, Fault> {
    let (mut found, mut unknown) = (HashMap::new(), BTreeSet::new());
    for number in wanted {
        match cache.get(&number) {
            Some(known) => drop(found.insert(number, known)),
            None => drop(unknown.insert(number)),
        }
    }
    if !unknown.is_empty() {
        for row in &read(unknown.into_iter().collect()).await? {
            let mut cells = Cells::of(row);
            let (number, value) = (cells.plain()?, value(&mut cells)?);
            cache.insert(number, value.clone());
            found.insert(number, value);
        }
    }
    Ok(found)
}
