//! Brings the receipts of what an organ sent to its endpoint: in order, page after page, from where it has taken them.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Inbox;
use crate::delivery::{Dispatch, LEDGER_RETRY_DELAY};
use crate::domain::limits::RECEIPTS_PAGE_MAX;
use crate::domain::organ_id::OrganId;
use crate::domain::push::{Link, Policy, Room, Said};
use crate::ledger;
use crate::proto::{convert, v1};

/// The durable number of the last receipt an organ's endpoint has taken.
pub fn receipts_mark(organ: &OrganId) -> String {
    format!("push-receipts/{organ}")
}

/// Brings the receipts of one organ. Its outages are its own: an endpoint may take deliveries and no receipts.
pub struct Feeder {
    dispatch: Arc<Dispatch>,
    organ: OrganId,
    mark: String,
    inbox: Arc<dyn Inbox>,
    policy: Policy,
    link: Link,
}

impl Feeder {
    /// A feeder of this organ's receipts.
    pub fn new(dispatch: Arc<Dispatch>, organ: OrganId, inbox: Arc<dyn Inbox>, policy: Policy) -> Self {
        let (mark, link) = (receipts_mark(&organ), Link::new(1, None));
        Self { dispatch, organ, mark, inbox, policy, link }
    }

    /// Brings them until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.feed()).await;
    }

    async fn feed(&mut self) {
        // Watched before it is read, so that nothing falls in between.
        let mut watcher = self.dispatch.heads.watch(&self.organ);
        loop {
            let now = self.dispatch.clock.now();
            if let Room::NotBefore(time) = self.link.room(now) {
                tokio::time::sleep(time.since(now).max(Duration::from_millis(1))).await;
                continue;
            }
            match self.page().await {
                Ok(true) => {}
                Ok(false) => watcher.grown().await,
                // The ledger has logged why.
                Err(_) => tokio::time::sleep(LEDGER_RETRY_DELAY).await,
            }
        }
    }

    /// Brings the next page; false when there is none.
    async fn page(&mut self) -> Result<bool, ledger::Error> {
        let after = self.dispatch.ledger.mark(&self.mark).await?;
        let page = self.dispatch.ledger.receipts(&self.organ, after, RECEIPTS_PAGE_MAX).await?;
        let Some(last) = page.last().map(|receipt| receipt.sender_sequence) else { return Ok(false) };
        let receipts = page.iter().map(convert::receipt).collect();
        self.link.begin(1);
        let said = self.inbox.receipts(v1::PushReceiptsRequest { organ: self.organ.to_string(), receipts });
        // A page cannot be passed over, so whatever is wrong with it is wrong with the endpoint.
        let said = match said.await {
            Said::Refused(trouble) | Said::Failed(trouble) | Said::Full(trouble) => Said::Away(trouble),
            said => said,
        };
        let is_taken = matches!(said, Said::Settled(_));
        self.link.end(1);
        let verdict = self.link.hear(said, self.dispatch.clock.now(), &self.policy, fastrand::f64());
        if is_taken {
            self.dispatch.metrics.push_receipts.increment(page.len() as u64);
            let _moved = self.dispatch.ledger.advance_mark(&self.mark, after, last).await?.await?;
        }
        match (self.link.outage(), verdict.link_changed) {
            (Some(outage), _) => tracing::warn!(
                organ = %self.organ,
                failures = outage.failures,
                "the endpoint of a push link does not take receipts"
            ),
            (None, true) => {
                tracing::info!(organ = %self.organ, "the endpoint of a push link takes receipts again")
            }
            (None, false) => {}
        }
        Ok(true)
    }
}
