//! Submitting, whichever way a submission came: judged, handed to the ledger, answered, counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::delivery::Dispatch;
use crate::domain::message::MessageId;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::{Reason, Refusal};
use crate::intake::{Intake, Refused, accept_refused, fields, ledger_failed};
use crate::ledger::{AcceptAnswers, Acceptance, Accepted, AcceptedDelivery, DeliveryRecord, Pending};
use crate::metrics::SubmitResult;
use crate::proto::{convert, v1};

/// Payloads above this are judged on a thread of their own, so that hashing and reading them holds up nobody.
const JUDGE_ASIDE_BYTES: usize = 128 * 1_024;

/// Where submissions of any kind come in.
pub struct Desk {
    /// The door.
    intake: Arc<Intake>,
    /// Delivery and the ledger.
    dispatch: Arc<Dispatch>,
    /// Payload bytes that may be on their way to the disk, in KiB.
    in_flight_kib: Arc<Semaphore>,
}

/// What became of one submission: the message id as it was written, and the answer.
pub type Answer = (String, Result<Accepted, Refusal>);

/// What becomes of the submissions of one batch, in order.
pub struct Batch {
    started: Instant,
    // The message id as it was written, and the answer, unless the ledger was asked.
    slots: Vec<(String, Option<Result<Accepted, Refusal>>)>,
    answers: Option<Pending<AcceptAnswers>>,
    // Given back when the batch is answered.
    _in_flight: Vec<OwnedSemaphorePermit>,
}

impl Desk {
    /// A desk behind a door; at most so many payload bytes are on their way to the disk.
    pub fn new(intake: Arc<Intake>, dispatch: Arc<Dispatch>, in_flight_bytes_max: usize) -> Self {
        let kib = (in_flight_bytes_max / 1_024).clamp(1, Semaphore::MAX_PERMITS);
        Self { intake, dispatch, in_flight_kib: Arc::new(Semaphore::new(kib)) }
    }

    /// Judges submissions, each of the organ that makes it, and hands those that are good to the ledger, in order.
    pub async fn hand_over(
        &self,
        submissions: impl ExactSizeIterator<Item = (OrganId, Option<v1::Submission>)>,
    ) -> Batch {
        let started = Instant::now();
        let mut slots = Vec::with_capacity(submissions.len());
        let mut in_flight = Vec::with_capacity(submissions.len());
        let mut good = Vec::with_capacity(submissions.len());
        for (caller, submission) in submissions {
            let id = submission.as_ref().map(|s| s.message_id.clone()).unwrap_or_default();
            let judged = match self.room_for(submission.as_ref()) {
                Ok(permit) => {
                    in_flight.extend(permit);
                    self.judge(&caller, submission).await
                }
                Err(refusal) => Err(refusal.into()),
            };
            let answer = match judged {
                Ok(acceptance) => {
                    good.push(acceptance);
                    None
                }
                Err(refused) => Some(self.accepted_before(refused).await),
            };
            slots.push((id, answer));
        }
        let mut answers = None;
        if !good.is_empty() {
            match self.dispatch.ledger.accept(good).await {
                Ok(pending) => answers = Some(pending),
                Err(error) => {
                    let refusal = ledger_failed(&error);
                    slots.iter_mut().for_each(|(_, answer)| {
                        answer.get_or_insert_with(|| Err(refusal.clone()));
                    });
                }
            }
        }
        Batch { started, slots, answers, _in_flight: in_flight }
    }

    /// Room in memory for a payload on its way to the disk.
    fn room_for(&self, submission: Option<&v1::Submission>) -> Result<Option<OwnedSemaphorePermit>, Refusal> {
        let kib = u32::try_from(payload_bytes(submission) / 1_024).unwrap_or(u32::MAX);
        if kib == 0 {
            return Ok(None);
        }
        Arc::clone(&self.in_flight_kib).try_acquire_many_owned(kib).map(Some).map_err(|_| {
            Refusal::new(Reason::Overloaded, "the gateway has as many payloads in hand as it may")
                .hint("submit again after the retry delay")
                .retry_after(Duration::from_secs(2))
        })
    }

    async fn judge(
        &self,
        caller: &OrganId,
        submission: Option<v1::Submission>,
    ) -> Result<Acceptance, Refused> {
        let Some(submission) = submission else { return Err(fields::missing("submission").into()) };
        if payload_bytes(Some(&submission)) <= JUDGE_ASIDE_BYTES {
            return self.intake.judge(caller, submission);
        }
        let (intake, caller) = (Arc::clone(&self.intake), caller.clone());
        match tokio::task::spawn_blocking(move || intake.judge(&caller, submission)).await {
            Ok(judged) => judged,
            Err(error) => {
                let incident = uuid::Uuid::now_v7();
                tracing::error!(%incident, %error, "judging a submission failed");
                Err(Refusal::new(Reason::Internal, "a fault of the gateway")
                    .fact("incident", incident)
                    .into())
            }
        }
    }

    /// A submission that is refused for the day it comes gets the first answer again if it was accepted before:
    /// repeating is safe, also after a deadline or a closure.
    async fn accepted_before(&self, refused: Refused) -> Result<Accepted, Refusal> {
        let Refused { refusal, claim } = refused;
        let Some(claim) = claim else { return Err(refusal) };
        let found = self.dispatch.ledger.track(&claim.sender, &claim.message_id).await;
        let Some((record, mut receipts)) = found.map_err(|error| ledger_failed(&error))? else {
            return Err(refusal);
        };
        if record.message.content_hash != claim.content_hash || receipts.is_empty() {
            return Err(refusal);
        }
        let delivery = |record: DeliveryRecord| AcceptedDelivery {
            id: record.id,
            recipient: record.recipient,
            addressed_to: record.addressed_to,
        };
        Ok(Accepted {
            receipt: receipts.swap_remove(0),
            deliveries: record.deliveries.into_iter().map(delivery).collect(),
            repeated: true,
        })
    }

    /// What became of a batch, in order: the message id as it was written, and the answer.
    pub async fn answer(&self, batch: Batch) -> Vec<Answer> {
        let answers = match batch.answers {
            Some(pending) => pending.await,
            None => Ok(Vec::new()),
        };
        let mut answers = answers.map(Vec::into_iter);
        let results = batch
            .slots
            .into_iter()
            .map(|(id, answered)| {
                let result = answered.unwrap_or_else(|| match &mut answers {
                    Ok(answers) => {
                        let answer = answers.next().expect("the ledger answers every acceptance of a batch");
                        answer.map_err(|refused| accept_refused(&refused))
                    }
                    Err(error) => Err(ledger_failed(error)),
                });
                (id, result)
            })
            .collect();
        self.dispatch.metrics.submit_seconds.record(batch.started.elapsed().as_secs_f64());
        results
    }

    /// Counts and logs an answer the sender is given.
    pub fn told(&self, (id, result): &Answer) {
        log(id, result);
        let metrics = &self.dispatch.metrics;
        let kind = match result {
            Ok(accepted) if accepted.repeated => SubmitResult::Repeated,
            Ok(_) => SubmitResult::Accepted,
            Err(refusal) => {
                metrics.refusals.of(refusal.reason()).increment(1);
                SubmitResult::Refused
            }
        };
        metrics.submissions.of(kind).increment(1);
    }
}

/// Ids and what became of it; never what is in a document. An id that cannot be one is not repeated.
fn log(id: &str, result: &Result<Accepted, Refusal>) {
    match result {
        Ok(Accepted { receipt, deliveries, repeated }) => tracing::debug!(
            message_id = %receipt.message_id,
            sender = %receipt.sender,
            deliveries = deliveries.len(),
            repeated,
            "accepted"
        ),
        Err(refusal) => tracing::debug!(
            message_id = MessageId::parse(id).ok().map(tracing::field::display),
            reason = refusal.reason().as_str(),
            field = refusal.field_path(),
            "refused"
        ),
    }
}

fn payload_bytes(submission: Option<&v1::Submission>) -> usize {
    match submission.and_then(|s| s.content.as_ref()) {
        Some(v1::submission::Content::Edxml(edxml)) => edxml.file.len(),
        Some(v1::submission::Content::Document(document)) => document.payload.len(),
        None => 0,
    }
}

/// An answer as the contract writes it where a status cannot stand.
pub fn result((id, result): Answer) -> v1::SubmitResult {
    match result {
        Ok(accepted) => v1::SubmitResult {
            message_id: accepted.receipt.message_id.to_string(),
            result: Some(v1::submit_result::Result::Acceptance(convert::acceptance(&accepted))),
        },
        Err(refusal) => v1::SubmitResult {
            message_id: id,
            result: Some(v1::submit_result::Result::Refusal(convert::refusal(&refusal))),
        },
    }
}
