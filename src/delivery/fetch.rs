//! Fetching: deliveries under a lease for systems that poll.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Dispatch, Offered};
use crate::domain::delivery::Hold;
use crate::domain::organ_id::OrganId;
use crate::ledger;

impl Dispatch {
    /// Leases what is ready, at most `limit` deliveries of together about `bytes`; waits for a first one up to `wait`, or until
    /// nobody waits any more. It should be run to its end: a lease given to a caller that is gone blocks the delivery until it
    /// ends.
    pub async fn fetch(
        self: Arc<Self>,
        organ: OrganId,
        limit: usize,
        bytes: u64,
        lease: Duration,
        wait: Duration,
        given_up: CancellationToken,
    ) -> Result<Vec<Offered>, ledger::Error> {
        let mut consumer = Arc::clone(&self.broker).consume(&organ);
        let serving = self.served.serve(&organ);
        let mut share = self.windows.share(&organ);
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let now = self.clock.now();
            let room = share.room(self.window_max(&organ), limit, now);
            let taken = match (wait.is_zero(), room.count()) {
                (true, 0) => Vec::new(),
                (true, count) => consumer.look(count, bytes).await?,
                (false, count) => tokio::select! {
                    biased;
                    taken = consumer.take(count, bytes), if count > 0 => taken?,
                    () = share.freed(now), if count == 0 => continue,
                    () = tokio::time::sleep_until(deadline) => Vec::new(),
                    () = given_up.cancelled() => Vec::new(),
                },
            };
            if taken.is_empty() {
                return Ok(Vec::new());
            }
            let offered = self.offer(&organ, &taken, Hold::Fetch, lease).await?;
            room.hold(offered.iter().map(Offered::held));
            serving.moved(taken.len());
            for ready in &taken {
                consumer.decided(ready.delivery);
            }
            if !offered.is_empty() {
                return Ok(offered);
            }
        }
    }
}
