//! Tells agencies attached by AMQP what is overdue, into their queues of receipts, once after the end of each working day. The node that sees to
//! an organ does.

use std::sync::Arc;

use super::codec;
use super::office::{Office, PUBLISH_RETRY_DELAY, properties};
use crate::amqp::Settled;
use crate::delivery::{Dispatch, Notice};
use crate::domain::organ_id::OrganId;
use crate::ledger::{self, Nodes};
use crate::proto::{convert, v1};

/// Brings the notices of all agencies.
pub struct Notices {
    /// What everybody works with.
    pub office: Arc<Office>,
    /// Delivery and the ledger.
    pub dispatch: Arc<Dispatch>,
}

impl Notices {
    /// Works until it is time to stop.
    pub async fn run(self) {
        let stop = self.office.tasks.stop_token();
        let mut told = self.dispatch.notices.watch();
        let mut nodes = self.dispatch.ledger.nodes();
        loop {
            let now = nodes.borrow_and_update().clone();
            // The ledger has logged why.
            let is_done = self.round(&now).await.unwrap_or(false);
            tokio::select! {
                () = stop.cancelled() => return,
                changed = told.changed() => if changed.is_err() { return },
                // Another node may be gone, and what it would have told with it.
                changed = nodes.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(PUBLISH_RETRY_DELAY), if !is_done => {}
            }
        }
    }

    /// Brings what is to be brought; false when some of it could not be.
    async fn round(&self, nodes: &Nodes) -> Result<bool, ledger::Error> {
        let directory = self.office.directory.load_full();
        let organs: Vec<_> = directory.attached_by_amqp().map(|organ| &organ.id).collect();
        let mut is_done = true;
        for organ in organs {
            if !self.dispatch.notices.concern(organ) || !nodes.sees_to(organ) {
                continue;
            }
            if let Some(notice) = self.dispatch.notice_to_bring(organ).await? {
                match self.bring(organ, &notice).await {
                    true => self.dispatch.notice_brought(&notice).await?,
                    false => is_done = false,
                }
            }
        }
        Ok(is_done)
    }

    /// True when there is no more to be done about it.
    async fn bring(&self, organ: &OrganId, notice: &Notice) -> bool {
        let form = self.office.form_of(organ);
        // The same one again has the same id.
        let id = format!("{organ}-overdue-{}", notice.day_end.as_micros() / 1_000_000);
        let written = convert::overdue_notice(organ, notice.day_end, &notice.overdue);
        let properties = properties::<v1::OverdueNotice>(form, id);
        let outgoing = self.office.to_receipts(organ, properties, codec::write(&written, form));
        match self.office.publish(outgoing).await {
            Settled::Confirmed => {
                self.office.metrics.bridge_notices.increment(1);
                true
            }
            Settled::Nacked => {
                // ListOverdue and the next working day's notice tell the same.
                tracing::warn!(%organ, "the organ's queue of receipts is full; a notice was not told");
                true
            }
            Settled::Refused { code, text } => {
                tracing::error!(%organ, code, text, "RabbitMQ refused a notice");
                true
            }
            Settled::Returned { .. } => {
                self.office.declare_receipts(organ).await;
                false
            }
            Settled::Silent | Settled::Unknown => false,
        }
    }
}
