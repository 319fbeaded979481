//! Reporting business statuses.

use super::Api;
use super::caller::{Caller, Speaker};
use crate::domain::refusal::Refusal;
use crate::intake::{ledger_failed, reports};
use crate::proto::v1;

impl Api {
    /// Reports statuses of deliveries.
    pub async fn report_status(
        &self,
        caller: Caller,
        request: v1::ReportStatusRequest,
    ) -> Result<v1::ReportStatusResponse, Refusal> {
        let Speaker { by, organ } = self.speaker(caller, &request.organ, "organ")?;
        let written = reports::read(request.reports)?;
        let answers = self.dispatch.report(&organ, &by, written).await;
        let answers = answers.map_err(|error| ledger_failed(&error))?;
        Ok(v1::ReportStatusResponse { results: reports::results(answers) })
    }
}
