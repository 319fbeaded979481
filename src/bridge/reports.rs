//! Reports: the business statuses agencies tell of their deliveries.

use super::said::Saying;
use crate::delivery::WrittenReport;
use crate::domain::limits::REPORTS_MAX;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::Refusal;
use crate::intake::reports;
use crate::ledger;
use crate::metrics::Metrics;
use crate::proto::{convert, v1};
use crate::submission::Desk;

/// What becomes of a document at its recipient.
pub enum Reports {}

impl Saying for Reports {
    type Request = v1::ReportStatusRequest;
    type Response = v1::ReportStatusResponse;
    type Written = WrittenReport;
    type Outcome = v1::ReportResult;

    const MAX: usize = REPORTS_MAX;

    fn count(metrics: &Metrics) {
        metrics.bridge_reports.increment(1);
    }

    fn organ(request: &v1::ReportStatusRequest) -> &str {
        &request.organ
    }

    fn deliveries(request: &v1::ReportStatusRequest) -> Vec<String> {
        request.reports.iter().map(|report| report.delivery_id.clone()).collect()
    }

    fn understood(request: v1::ReportStatusRequest) -> Result<Vec<WrittenReport>, Refusal> {
        reports::read(request.reports)
    }

    async fn record(
        desk: &Desk,
        organ: &OrganId,
        by: &OrganId,
        written: Vec<WrittenReport>,
    ) -> Result<Vec<v1::ReportResult>, ledger::Error> {
        desk.report(organ, by, written).await.map(reports::results)
    }

    fn refused(delivery_id: String, refusal: &Refusal) -> v1::ReportResult {
        v1::ReportResult { delivery_id, refusal: Some(convert::refusal(refusal)), ..Default::default() }
    }

    fn is_refused(outcome: &v1::ReportResult) -> bool {
        outcome.refusal.is_some()
    }

    fn response(results: Vec<v1::ReportResult>) -> v1::ReportStatusResponse {
        v1::ReportStatusResponse { results }
    }
}
