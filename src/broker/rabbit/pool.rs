//! The channels mailboxes share: RabbitMQ allows some two thousand, and there may be more mailboxes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lapin::options::BasicQosOptions;
use tokio::sync::Mutex;

use super::acks::SharedChannel;
use crate::amqp::{Link, Lost};
use crate::metrics::Metrics;

/// Channels at most: enough to keep RabbitMQ's processors busy, few enough for any of its limits.
const CHANNELS: usize = 32;

/// The pool.
pub(super) struct Pool {
    link: Link,
    prefetch: u16,
    metrics: Arc<Metrics>,
    slots: Vec<Mutex<Option<Arc<SharedChannel>>>>,
    next: AtomicUsize,
}

impl Pool {
    /// A pool on a connection. Each consumer on its channels gets so many messages ahead.
    pub fn new(link: Link, prefetch: u16, metrics: Arc<Metrics>) -> Self {
        let slots = (0..CHANNELS).map(|_| Mutex::default()).collect();
        Self { link, prefetch: prefetch.max(1), metrics, slots, next: AtomicUsize::new(0) }
    }

    /// A channel that others may use too; and for how manieth time the connection is up. Waits until it is.
    pub async fn channel(&self) -> Result<(u64, Arc<SharedChannel>), Lost> {
        let slot = &self.slots[self.next.fetch_add(1, Ordering::Relaxed) % CHANNELS];
        loop {
            let epoch = self.link.up().await?;
            let mut slot = slot.lock().await;
            if let Some(channel) = slot.as_ref().filter(|there| there.channel.status().connected()) {
                return Ok((epoch, Arc::clone(channel)));
            }
            let (epoch, channel) = self.link.open().await?;
            // For each consumer by itself: a slow mailbox takes nothing from the others on its channel.
            let limiting = channel.basic_qos(self.prefetch, BasicQosOptions { global: false });
            match tokio::time::timeout(self.link.options().connect_timeout, limiting).await {
                Ok(Ok(())) => {
                    let shared = Arc::new(SharedChannel::new(channel, Arc::clone(&self.metrics)));
                    *slot = Some(Arc::clone(&shared));
                    return Ok((epoch, shared));
                }
                Ok(Err(_)) | Err(_) => self.link.suspect(epoch).await,
            }
        }
    }
}
