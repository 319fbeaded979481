//! Business statuses agencies report, recorded as over gRPC.

use std::sync::Arc;

use futures_util::future::join_all;

use super::letter::Letter;
use super::office::{Office, Read};
use crate::amqp::Subscription;
use crate::delivery::{Dispatch, LEDGER_RETRY_DELAY, WrittenReport};
use crate::directory::vietnam_day;
use crate::domain::limits::REPORTS_MAX;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::Refusal;
use crate::intake::{self, reports};
use crate::proto::{convert, v1};

/// Messages recorded together.
const BATCH_MAX: usize = 64;

/// Takes in what agencies report.
pub struct Reports {
    /// What everybody works with.
    pub office: Arc<Office>,
    /// Delivery and the ledger.
    pub dispatch: Arc<Dispatch>,
}

impl Reports {
    /// Takes in letters until it is time to stop.
    pub async fn run(self, mut letters: Subscription) {
        loop {
            let batch = letters.next_many(BATCH_MAX).await;
            if batch.is_empty() {
                return;
            }
            // Handed to the ledger in their order, and then waited for together.
            join_all(batch.into_iter().map(|letter| self.take(letter.into()))).await;
        }
    }

    async fn take(&self, letter: Letter) {
        let Read { by, form, message } = match self.office.read::<v1::ReportStatusRequest>(&letter) {
            Ok(read) => read,
            Err(unfit) => return self.office.park(letter, unfit).await,
        };
        self.office.metrics.bridge_reports.increment(1);
        let ids: Vec<_> = message.reports.iter().map(|report| report.delivery_id.clone()).collect();
        let results = match self.understood(&by, message) {
            Ok((organ, written)) => self.report(&letter, &organ, &by, written).await,
            Err(refusal) => {
                self.office.metrics.refusals.of(refusal.reason()).increment(1);
                Some(refused_as_a_whole(ids, &refusal))
            }
        };
        let Some(mut results) = results else { return };
        results.retain(|result| result.refusal.is_some());
        match results.is_empty() {
            true => letter.ack().await,
            false => self.office.answer(letter, by, form, &v1::ReportStatusResponse { results }).await,
        }
    }

    fn understood(
        &self,
        by: &OrganId,
        request: v1::ReportStatusRequest,
    ) -> Result<(OrganId, Vec<WrittenReport>), Refusal> {
        let today = vietnam_day(self.office.clock.now());
        let organ = intake::speaks_for(&self.office.directory.load(), by, &request.organ, "organ", today)?;
        Ok((organ, reports::read(request.reports)?))
    }

    /// Reports, however long the ledger is away; nothing when it is time to stop, or the letter comes again anyway.
    async fn report(
        &self,
        letter: &Letter,
        organ: &OrganId,
        by: &OrganId,
        written: Vec<WrittenReport>,
    ) -> Option<Vec<v1::ReportResult>> {
        loop {
            if let Ok(answers) = self.dispatch.report(organ, by, written.clone()).await {
                return Some(reports::results(answers));
            }
            if !letter.can_be_acknowledged() || !self.office.pause(LEDGER_RETRY_DELAY).await {
                return None;
            }
        }
    }
}

/// One result for each report, all with the same refusal; one without an id when there is no report.
fn refused_as_a_whole(mut ids: Vec<String>, refusal: &Refusal) -> Vec<v1::ReportResult> {
    ids.truncate(REPORTS_MAX);
    if ids.is_empty() {
        ids.push(String::new());
    }
    let refused = |delivery_id| v1::ReportResult {
        delivery_id,
        refusal: Some(convert::refusal(refusal)),
        ..Default::default()
    };
    ids.into_iter().map(refused).collect()
}
