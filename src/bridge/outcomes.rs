//! Outcomes: what agencies settle their deliveries with.

use super::said::Saying;
use crate::delivery::WrittenSettlement;
use crate::domain::limits::SETTLEMENTS_MAX;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::Refusal;
use crate::intake::settlements;
use crate::ledger;
use crate::metrics::Metrics;
use crate::proto::{convert, v1};
use crate::submission::Desk;

/// What ends a delivery, or puts it off.
pub enum Outcomes {}

impl Saying for Outcomes {
    type Request = v1::SettleRequest;
    type Response = v1::SettleResponse;
    type Written = WrittenSettlement;
    type Outcome = v1::SettleResult;

    const MAX: usize = SETTLEMENTS_MAX;

    fn count(metrics: &Metrics) {
        metrics.bridge_outcomes.increment(1);
    }

    fn organ(request: &v1::SettleRequest) -> &str {
        &request.organ
    }

    fn deliveries(request: &v1::SettleRequest) -> Vec<String> {
        request.settlements.iter().map(|settlement| settlement.delivery_id.clone()).collect()
    }

    fn understood(request: v1::SettleRequest) -> Result<Vec<WrittenSettlement>, Refusal> {
        settlements::read(request.settlements)
    }

    async fn record(
        desk: &Desk,
        organ: &OrganId,
        by: &OrganId,
        written: Vec<WrittenSettlement>,
    ) -> Result<Vec<v1::SettleResult>, ledger::Error> {
        desk.dispatch().settle(organ, by, written).await.map(settlements::results)
    }

    fn refused(delivery_id: String, refusal: &Refusal) -> v1::SettleResult {
        let state = v1::DeliveryState::Unspecified.into();
        v1::SettleResult { delivery_id, state, refusal: Some(convert::refusal(refusal)) }
    }

    fn is_refused(outcome: &v1::SettleResult) -> bool {
        outcome.refusal.is_some()
    }

    fn response(results: Vec<v1::SettleResult>) -> v1::SettleResponse {
        v1::SettleResponse { results }
    }
}
