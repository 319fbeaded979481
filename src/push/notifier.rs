//! Tells an organ's endpoint what is overdue, once after the end of each working day.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Inbox;
use super::aside::Aside;
use crate::delivery::{Dispatch, LEDGER_RETRY_DELAY};
use crate::domain::organ_id::OrganId;
use crate::domain::push::Policy;
use crate::ledger;
use crate::proto::{convert, v1};

/// Brings the notices of one organ.
pub struct Notifier {
    dispatch: Arc<Dispatch>,
    organ: OrganId,
    inbox: Arc<dyn Inbox>,
    aside: Aside,
}

impl Notifier {
    /// A notifier of this organ.
    pub fn new(dispatch: Arc<Dispatch>, organ: OrganId, inbox: Arc<dyn Inbox>, policy: Policy) -> Self {
        let aside = Aside::new(organ.clone(), "notices", policy);
        Self { dispatch, organ, inbox, aside }
    }

    /// Brings them until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.notify()).await;
    }

    async fn notify(&mut self) {
        // Watched before it is looked, so that nothing falls in between.
        let mut told = self.dispatch.notices.watch();
        loop {
            self.aside.room(&self.dispatch).await;
            match self.bring().await {
                Ok(true) => {}
                Ok(false) => {
                    if told.changed().await.is_err() {
                        return;
                    }
                }
                // The ledger has logged why.
                Err(_) => tokio::time::sleep(LEDGER_RETRY_DELAY).await,
            }
        }
    }

    /// Brings the notice there is; false when there is none.
    async fn bring(&mut self) -> Result<bool, ledger::Error> {
        let Some(notice) = self.dispatch.notice_to_bring(&self.organ).await? else { return Ok(false) };
        let written = convert::overdue_notice(&notice.organ, notice.day_end, &notice.overdue);
        let said = self.inbox.overdue(v1::NotifyOverdueRequest { notice: Some(written) });
        if self.aside.bring(&self.dispatch, said).await {
            self.dispatch.metrics.push_notices.increment(1);
            self.dispatch.notice_brought(&notice).await?;
        }
        Ok(true)
    }
}
