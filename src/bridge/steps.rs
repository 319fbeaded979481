//! Steps of dossiers that agencies publish: taken as over gRPC, answered one by one when the log has them.

use std::sync::Arc;

use futures_util::future::join_all;

use super::codec::Form;
use super::letter::Letter;
use super::office::{Office, Read};
use crate::amqp::Subscription;
use crate::delivery::LEDGER_RETRY_DELAY;
use crate::directory::vietnam_day;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::Refusal;
use crate::intake;
use crate::ledger;
use crate::proto::v1;
use crate::submission::{StepBatch, StepDesk};

/// Messages handed over together.
const BATCH_MAX: usize = 64;

/// Takes in what agencies publish.
pub struct Steps {
    /// What everybody works with.
    pub office: Arc<Office>,
    /// Where steps come in.
    pub desk: Arc<StepDesk>,
}

struct Published {
    letter: Letter,
    by: OrganId,
    form: Form,
    request: v1::PublishRequest,
}

impl Steps {
    /// Takes in letters until it is time to stop.
    pub async fn run(self, mut letters: Subscription) {
        loop {
            let batch = letters.next_many(BATCH_MAX).await;
            if batch.is_empty() {
                return;
            }
            let mut good = Vec::with_capacity(batch.len());
            for letter in batch.into_iter().map(Letter::from) {
                match self.office.read::<v1::PublishRequest>(&letter) {
                    Ok(Read { by, form, message }) => {
                        self.office.metrics.bridge_steps.increment(1);
                        good.push(Published { letter, by, form, request: message });
                    }
                    Err(unfit) => self.office.park(letter, unfit).await,
                }
            }
            self.publish(good).await;
        }
    }

    /// Publishes until each has an answer, or it is time to stop: then the broker still has them.
    async fn publish(&self, mut waiting: Vec<Published>) {
        while !waiting.is_empty() {
            let mut handed_over = Vec::with_capacity(waiting.len());
            // In their order, and then waited for together.
            for published in waiting {
                let batch = self.hand_over(&published).await;
                handed_over.push(self.answer(published, batch));
            }
            waiting = join_all(handed_over).await.into_iter().flatten().collect();
            if !waiting.is_empty() && !self.office.pause(LEDGER_RETRY_DELAY).await {
                return;
            }
        }
    }

    async fn hand_over(&self, published: &Published) -> Result<StepBatch, Refusal> {
        let Published { by, request, .. } = published;
        let today = vietnam_day(self.office.clock.now());
        let organ = intake::speaks_for(&self.office.directory.load(), by, &request.organ, "organ", today)?;
        self.desk.hand_over(&organ, request.steps.clone()).await
    }

    /// Answers; gives back what the log could not say anything about.
    async fn answer(&self, published: Published, batch: Result<StepBatch, Refusal>) -> Option<Published> {
        let results: Result<_, ledger::Error> = match batch {
            Ok(batch) => self.desk.results(batch).await,
            Err(refusal) => Ok(self.desk.refused(&published.request.steps, &refusal)),
        };
        let Ok(results) = results else {
            // Its connection is gone: it comes again.
            return published.letter.can_be_acknowledged().then_some(published);
        };
        let Published { letter, by, form, .. } = published;
        self.office.answer(letter, by, form, &v1::PublishResponse { results }).await;
        None
    }
}
