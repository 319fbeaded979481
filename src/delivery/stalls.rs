//! The stall detector: judges by progress. A mailbox with ready deliveries, somebody who serves it, and no movement is stalled, and it
//! is said why.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Dispatch;
use super::served::Look;
use crate::domain::delivery::DeliveryId;
use crate::domain::organ_id::OrganId;
use crate::ledger;
use crate::metrics::StallReason;

/// Looks in the time after which a mailbox is stalled.
const LOOKS: u32 = 3;

/// The detector. A stall is the absence of anything that could signal it, so this one looks.
pub struct Stalls {
    dispatch: Arc<Dispatch>,
    after: Duration,
    watched: HashMap<OrganId, Watched>,
}

struct Watched {
    moved: u64,
    head: DeliveryId,
    since: Instant,
    stalled: Option<StallReason>,
}

impl Stalls {
    /// Mailboxes are stalled when nothing has moved for so long.
    pub fn new(dispatch: Arc<Dispatch>, after: Duration) -> Self {
        Self { dispatch, after, watched: HashMap::new() }
    }

    /// Looks until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(self.after / LOOKS);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return,
            }
            // The ledger has logged why it could not be asked; then nothing is known of stalls.
            if self.look().await.is_err() {
                self.watched.values_mut().for_each(|watched| watched.since = Instant::now());
            }
        }
    }

    async fn look(&mut self) -> Result<(), ledger::Error> {
        let looks = self.dispatch.served.look();
        let mut seen = HashMap::with_capacity(looks.len());
        for look in looks {
            let before = self.watched.remove(&look.organ);
            let Some(head) = self.head(&look.organ).await? else {
                moves_again(&look.organ, before);
                continue;
            };
            let mut now = match before {
                // An attempt in vain takes the first delivery out for a moment.
                Some(same) if same.moved == look.moved && (same.head == head || look.is_out()) => same,
                moved => {
                    moves_again(&look.organ, moved);
                    Watched { moved: look.moved, head, since: Instant::now(), stalled: None }
                }
            };
            if now.since.elapsed() >= self.after {
                self.stalled(&look, &mut now).await?;
            }
            seen.insert(look.organ, now);
        }
        for (organ, gone) in std::mem::replace(&mut self.watched, seen) {
            moves_again(&organ, Some(gone));
        }
        self.count();
        Ok(())
    }

    /// The first ready delivery of a mailbox.
    async fn head(&self, organ: &OrganId) -> Result<Option<DeliveryId>, ledger::Error> {
        let first = self.dispatch.ledger.ready_in_lanes(organ, 1).await?;
        Ok(first.first().map(|(_, ready)| ready.delivery))
    }

    async fn stalled(&self, look: &Look, watched: &mut Watched) -> Result<(), ledger::Error> {
        let health = self.dispatch.broker.health();
        let reason = match &health {
            _ if look.is_out() => StallReason::LinkOut,
            Err(_) => StallReason::BrokerAway,
            Ok(()) if look.full + look.out == look.collectors => StallReason::CollectorsFull,
            Ok(()) => StallReason::NotHandedOver,
        };
        if watched.stalled != Some(reason) {
            tracing::warn!(
                organ = %look.organ,
                reason = reason.why(),
                broker = health.err(),
                collectors = look.collectors,
                first_ready = %watched.head,
                still_s = watched.since.elapsed().as_secs(),
                "a mailbox has ready deliveries and somebody who serves it, and nothing moves"
            );
        }
        if reason == StallReason::NotHandedOver && watched.stalled.is_none() {
            // The broker knows nothing of what the ledger has ready: it is given it again.
            let again = self.dispatch.ledger.publish_again(Some(&look.organ)).await?.await?;
            self.dispatch.broker.look_again();
            if again > 0 {
                tracing::warn!(organ = %look.organ, deliveries = again, "published again what the broker had lost");
            }
        }
        watched.stalled = Some(reason);
        Ok(())
    }

    fn count(&self) {
        for reason in StallReason::OF_COLLECTORS {
            let count = self.watched.values().filter(|watched| watched.stalled == Some(reason)).count();
            self.dispatch.metrics.mailboxes_stalled.of(reason).set(count as f64);
        }
    }
}

fn moves_again(organ: &OrganId, before: Option<Watched>) {
    if before.is_some_and(|before| before.stalled.is_some()) {
        tracing::info!(%organ, "a mailbox that was stalled moves again, or is served no more");
    }
}
