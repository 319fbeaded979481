//! What agencies say of their deliveries, recorded as over gRPC: outcomes and business statuses, which go the same way.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::future::join_all;

use super::codec::Body;
use super::letter::Letter;
use super::office::{Office, Read};
use crate::amqp::Subscription;
use crate::delivery::LEDGER_RETRY_DELAY;
use crate::directory::vietnam_day;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::Refusal;
use crate::intake;
use crate::ledger;
use crate::metrics::Metrics;
use crate::submission::Desk;

/// Messages recorded together.
const BATCH_MAX: usize = 64;

/// What is said. A message says it of several deliveries; the answer has a result for each that was refused.
pub trait Saying: Send + Sync + 'static {
    /// The message.
    type Request: Body + Send;
    /// The answer.
    type Response: Body + Sync;
    /// One of the things said, as it was understood.
    type Written: Clone + Send + Sync;
    /// What became of one.
    type Outcome: Send;

    /// Things said in one message at most.
    const MAX: usize;

    /// Counts a message.
    fn count(metrics: &Metrics);
    /// The organ it is said for.
    fn organ(request: &Self::Request) -> &str;
    /// The deliveries it is about.
    fn deliveries(request: &Self::Request) -> Vec<String>;
    /// What was understood of it.
    fn understood(request: Self::Request) -> Result<Vec<Self::Written>, Refusal>;
    /// Records it.
    fn record(
        desk: &Desk,
        organ: &OrganId,
        by: &OrganId,
        written: Vec<Self::Written>,
    ) -> impl Future<Output = Result<Vec<Self::Outcome>, ledger::Error>> + Send;
    /// One that is refused.
    fn refused(delivery_id: String, refusal: &Refusal) -> Self::Outcome;
    /// Whether it was.
    fn is_refused(outcome: &Self::Outcome) -> bool;
    /// The answer that tells these.
    fn response(outcomes: Vec<Self::Outcome>) -> Self::Response;
}

/// Takes in what agencies say.
pub struct Said<S> {
    office: Arc<Office>,
    desk: Arc<Desk>,
    saying: PhantomData<S>,
}

impl<S: Saying> Said<S> {
    /// Over the desk that records it.
    pub fn new(office: &Arc<Office>, desk: &Arc<Desk>) -> Self {
        Self { office: Arc::clone(office), desk: Arc::clone(desk), saying: PhantomData }
    }

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
        let Read { by, form, message } = match self.office.read::<S::Request>(&letter) {
            Ok(read) => read,
            Err(unfit) => return self.office.park(letter, unfit).await,
        };
        S::count(&self.office.metrics);
        let deliveries = S::deliveries(&message);
        let outcomes = match self.understood(&by, message) {
            Ok((organ, written)) => self.record(&letter, &organ, &by, written).await,
            Err(refusal) => {
                self.office.metrics.refusals.of(refusal.reason()).increment(1);
                Some(refused_as_a_whole::<S>(deliveries, &refusal))
            }
        };
        let Some(mut outcomes) = outcomes else { return };
        outcomes.retain(S::is_refused);
        match outcomes.is_empty() {
            true => letter.ack().await,
            false => self.office.answer(letter, by, form, &S::response(outcomes)).await,
        }
    }

    fn understood(&self, by: &OrganId, request: S::Request) -> Result<(OrganId, Vec<S::Written>), Refusal> {
        let today = vietnam_day(self.office.clock.now());
        let directory = self.office.directory.load();
        let organ = intake::speaks_for(&directory, by, S::organ(&request), "organ", today)?;
        Ok((organ, S::understood(request)?))
    }

    /// Records, however long the ledger is away; nothing when it is time to stop, or the letter comes again anyway.
    async fn record(
        &self,
        letter: &Letter,
        organ: &OrganId,
        by: &OrganId,
        written: Vec<S::Written>,
    ) -> Option<Vec<S::Outcome>> {
        loop {
            if let Ok(outcomes) = S::record(&self.desk, organ, by, written.clone()).await {
                return Some(outcomes);
            }
            if !letter.can_be_acknowledged() || !self.office.pause(LEDGER_RETRY_DELAY).await {
                return None;
            }
        }
    }
}

/// One for each delivery, all with the same refusal; one without an id when there is no delivery.
fn refused_as_a_whole<S: Saying>(mut deliveries: Vec<String>, refusal: &Refusal) -> Vec<S::Outcome> {
    deliveries.truncate(S::MAX);
    if deliveries.is_empty() {
        deliveries.push(String::new());
    }
    deliveries.into_iter().map(|delivery_id| S::refused(delivery_id, refusal)).collect()
}
