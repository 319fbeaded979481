//! Brings the receipts of what an organ sent to its endpoint: in order, page after page, from where it has taken them.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Inbox;
use super::aside::Aside;
use crate::delivery::{Dispatch, LEDGER_RETRY_DELAY};
use crate::domain::limits::RECEIPTS_PAGE_MAX;
use crate::domain::organ_id::OrganId;
use crate::domain::push::Policy;
use crate::ledger;
use crate::proto::{convert, v1};

/// The durable number of the last receipt an organ's endpoint has taken.
pub fn receipts_mark(organ: &OrganId) -> String {
    format!("push-receipts/{organ}")
}

/// Brings the receipts of one organ.
pub struct Feeder {
    dispatch: Arc<Dispatch>,
    organ: OrganId,
    mark: String,
    inbox: Arc<dyn Inbox>,
    aside: Aside,
}

impl Feeder {
    /// A feeder of this organ's receipts.
    pub fn new(dispatch: Arc<Dispatch>, organ: OrganId, inbox: Arc<dyn Inbox>, policy: Policy) -> Self {
        let (mark, aside) = (receipts_mark(&organ), Aside::new(organ.clone(), "receipts", policy));
        Self { dispatch, organ, mark, inbox, aside }
    }

    /// Brings them until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.feed()).await;
    }

    async fn feed(&mut self) {
        // Watched before it is read, so that nothing falls in between.
        let mut watcher = self.dispatch.heads.watch(&self.organ);
        loop {
            self.aside.room(&self.dispatch).await;
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
        let said = self.inbox.receipts(v1::PushReceiptsRequest { organ: self.organ.to_string(), receipts });
        if self.aside.bring(&self.dispatch, said).await {
            self.dispatch.metrics.push_receipts.increment(page.len() as u64);
            let _moved = self.dispatch.ledger.advance_mark(&self.mark, after, last).await?.await?;
        }
        Ok(true)
    }
}
