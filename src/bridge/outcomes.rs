//! What agencies say of their deliveries, settled as over gRPC.

use std::sync::Arc;

use futures_util::future::join_all;

use super::letter::Letter;
use super::office::{Office, Read};
use crate::amqp::Subscription;
use crate::delivery::{Dispatch, LEDGER_RETRY_DELAY, WrittenSettlement};
use crate::directory::vietnam_day;
use crate::domain::limits::SETTLEMENTS_MAX;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::Refusal;
use crate::intake::{self, settlements};
use crate::proto::{convert, v1};

/// Messages settled together.
const BATCH_MAX: usize = 64;

/// Takes in what agencies say of their deliveries.
pub struct Outcomes {
    /// What everybody works with.
    pub office: Arc<Office>,
    /// Delivery and the ledger.
    pub dispatch: Arc<Dispatch>,
}

impl Outcomes {
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
        let Read { by, form, message } = match self.office.read::<v1::SettleRequest>(&letter) {
            Ok(read) => read,
            Err(unfit) => return self.office.park(letter, unfit).await,
        };
        self.office.metrics.bridge_outcomes.increment(1);
        let ids: Vec<_> = message.settlements.iter().map(|s| s.delivery_id.clone()).collect();
        let results = match self.understood(&by, message) {
            Ok((organ, written)) => self.settle(&letter, &organ, &by, written).await,
            Err(refusal) => {
                self.office.metrics.refusals.of(refusal.reason()).increment(1);
                Some(refused_as_a_whole(ids, &refusal))
            }
        };
        let Some(mut results) = results else { return };
        results.retain(|result| result.refusal.is_some());
        match results.is_empty() {
            true => letter.ack().await,
            false => self.office.answer(letter, by, form, &v1::SettleResponse { results }).await,
        }
    }

    fn understood(
        &self,
        by: &OrganId,
        request: v1::SettleRequest,
    ) -> Result<(OrganId, Vec<WrittenSettlement>), Refusal> {
        let today = vietnam_day(self.office.clock.now());
        let organ = intake::speaks_for(&self.office.directory.load(), by, &request.organ, "organ", today)?;
        Ok((organ, settlements::read(request.settlements)?))
    }

    /// Settles, however long the ledger is away; nothing when it is time to stop, or the letter comes again anyway.
    async fn settle(
        &self,
        letter: &Letter,
        organ: &OrganId,
        by: &OrganId,
        written: Vec<WrittenSettlement>,
    ) -> Option<Vec<v1::SettleResult>> {
        loop {
            if let Ok(answers) = self.dispatch.settle(organ, by, written.clone()).await {
                return Some(settlements::results(answers));
            }
            if !letter.can_be_acknowledged() || !self.office.pause(LEDGER_RETRY_DELAY).await {
                return None;
            }
        }
    }
}

/// One result for each settlement, all with the same refusal; one without an id when there is no settlement.
fn refused_as_a_whole(mut ids: Vec<String>, refusal: &Refusal) -> Vec<v1::SettleResult> {
    ids.truncate(SETTLEMENTS_MAX);
    if ids.is_empty() {
        ids.push(String::new());
    }
    let refused = |delivery_id| v1::SettleResult {
        delivery_id,
        state: v1::DeliveryState::Unspecified.into(),
        refusal: Some(convert::refusal(refusal)),
    };
    ids.into_iter().map(refused).collect()
}
