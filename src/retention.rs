//! Removes payloads when their time has come: a set time after the last delivery of their message has ended.
//!
//! Whose time has come is a matter of the ledger ([`crate::domain::retention::fate`]); here it is asked, in batches small enough that
//! nobody else's commit waits for one. Every node does so; what one has removed is nothing to the others.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::time::{Clock, Timestamp};
use crate::ledger::{self, KeptBody, Ledger, PurgeRequest, Purged};
use crate::metrics::Metrics;

/// Messages asked about at a time.
const LOOK_MAX: usize = 512;
/// Messages purged in one commit.
const BATCH: usize = 256;
/// Payload bytes purged in one commit; one larger payload goes alone.
const BATCH_BYTES: u64 = 32 * 1024 * 1024;
/// The longest sleep: the machine's clock may be set meanwhile, and a hold may be released on another node.
const SLEEP_MAX: Duration = Duration::from_secs(600);
/// So long the payloads of a steady traffic are let gather, so that they go in batches. At most this; less where they are kept briefly.
const GATHER_MAX: Duration = Duration::from_secs(60);
/// The wait after a failure of the ledger.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// The loop that removes.
pub struct Retention {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    body_after: Duration,
}

impl Retention {
    /// Removes payloads this long after the end.
    pub fn new(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        body_after: Duration,
    ) -> Self {
        Self { ledger, clock, metrics, body_after }
    }

    /// Works until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let sleep = match self.work().await {
                Ok(_) => self.until_next().await.unwrap_or(RETRY_DELAY),
                // The ledger has logged why; once it works again, so will this.
                Err(_) => RETRY_DELAY,
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    /// Removes all whose time has come; gives how many messages that were.
    pub async fn work(&self) -> Result<u64, ledger::Error> {
        while self.ledger.let_go(BATCH).await?.await? > 0 {}
        let mut purged = 0;
        loop {
            let at = self.clock.now();
            let until = before(at, self.body_after);
            let kept = self.ledger.kept(until, LOOK_MAX).await?;
            if kept.is_empty() {
                break;
            }
            for batch in batches(kept) {
                purged += self.purge(batch, until, at).await?;
            }
        }
        if purged > 0 {
            tracing::info!(messages = purged, "payloads are purged");
        }
        Ok(purged)
    }

    async fn purge(
        &self,
        batch: Vec<KeptBody>,
        ended_until: Timestamp,
        at: Timestamp,
    ) -> Result<u64, ledger::Error> {
        let request =
            |KeptBody { message, sender, .. }: KeptBody| PurgeRequest { message, sender, ended_until, at };
        let answers = self.ledger.purge(batch.into_iter().map(request).collect()).await?.await?;
        let mut purged = 0;
        for answer in answers {
            if let Purged::Gone(bytes) = answer {
                purged += 1;
                self.metrics.purged_messages.increment(1);
                self.metrics.purged_bytes.increment(bytes);
            }
        }
        Ok(purged)
    }

    /// How long until something can be to go. Nothing that is accepted meanwhile can be sooner.
    async fn until_next(&self) -> Result<Duration, ledger::Error> {
        let gather = (self.body_after / 100).clamp(Duration::from_millis(100), GATHER_MAX);
        let next = self.ledger.kept_since().await?.map(|since| since.plus(self.body_after));
        let sleep = next.map_or(self.body_after, |next| next.since(self.clock.now()));
        Ok(sleep.clamp(gather, SLEEP_MAX))
    }
}

/// A moment so long before another.
fn before(at: Timestamp, by: Duration) -> Timestamp {
    let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(at.as_micros().saturating_sub(micros))
}

fn batches(kept: Vec<KeptBody>) -> Vec<Vec<KeptBody>> {
    let mut batches: Vec<Vec<KeptBody>> = Vec::new();
    let mut bytes = 0;
    for body in kept {
        let fits = bytes + body.payload_bytes <= BATCH_BYTES;
        bytes = if fits { bytes } else { 0 } + body.payload_bytes;
        match batches.last_mut().filter(|batch| fits && batch.len() < BATCH) {
            Some(batch) => batch.push(body),
            None => batches.push(vec![body]),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::organ_id::OrganId;
    use crate::ledger::MessageKey;

    #[test]
    fn one_commit_removes_no_more_than_it_may() {
        let body = |n: usize, payload_bytes| KeptBody {
            message: MessageKey(n as u64),
            sender: OrganId::parse("G22").unwrap(),
            payload_bytes,
        };
        let sizes = |kept: Vec<KeptBody>| batches(kept).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(vec![]), [0; 0]);
        assert_eq!(sizes((0..600).map(|n| body(n, 10)).collect()), [256, 256, 88]);
        let large = [BATCH_BYTES * 2, 1, BATCH_BYTES - 1, 1, 5];
        assert_eq!(
            sizes(large.into_iter().enumerate().map(|(n, bytes)| body(n, bytes)).collect()),
            [1, 2, 2]
        );
    }
}
