//! Messages kept at hand, so that a delivery need not read from disk what was accepted a moment ago.

use std::collections::HashMap;
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::ledger::{self, Ledger, Message, MessageKey};

/// A cache of messages, bounded by the bytes they hold.
pub struct HotMessages(Cache<MessageKey, Arc<Message>, Bytes>);

#[derive(Clone)]
struct Bytes;

/// What a message takes beside its payload and header: ids, hashes, the cache's own entry.
const OVERHEAD_BYTES: u64 = 512;

impl Weighter<MessageKey, Arc<Message>> for Bytes {
    fn weight(&self, _: &MessageKey, message: &Arc<Message>) -> u64 {
        (message.payload.len() + message.header.len()) as u64 + OVERHEAD_BYTES
    }
}

impl HotMessages {
    /// A cache of at most so many bytes.
    pub fn new(bytes_max: u64) -> Self {
        let items = usize::try_from(bytes_max / 4_096).unwrap_or(usize::MAX).clamp(16, 65_536);
        Self(Cache::with_weighter(items, bytes_max, Bytes))
    }

    /// Keeps a message.
    pub fn keep(&self, key: MessageKey, message: Arc<Message>) {
        self.0.insert(key, message);
    }

    /// Bytes kept.
    pub fn bytes(&self) -> u64 {
        self.0.weight()
    }

    /// Messages by their keys, from memory or else from the ledger.
    pub async fn load(
        &self,
        ledger: &dyn Ledger,
        keys: impl Iterator<Item = MessageKey>,
    ) -> Result<HashMap<MessageKey, Arc<Message>>, ledger::Error> {
        let mut found = HashMap::new();
        let mut missing = Vec::new();
        for key in keys {
            match self.0.get(&key) {
                Some(message) => drop(found.insert(key, message)),
                None => missing.push(key),
            }
        }
        if !missing.is_empty() {
            found.extend(ledger.messages(missing).await?);
        }
        Ok(found)
    }
}
