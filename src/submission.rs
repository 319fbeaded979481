//! Submitting, whichever way a submission came: judged, handed to the ledger, answered, counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::delivery::Dispatch;
use crate::domain::message::MessageId;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::{Reason, Refusal};
use crate::domain::status::StatusCode;
use crate::intake::{
    CHANGED, Intake, Judged, Refused, StatusFile, accept_refused, fields, ledger_failed, status_file,
};
use crate::ledger::{
    self, AcceptAnswers, Accepted, AcceptedDelivery, Changed, DeliveryRecord, Link, Pending, ReportAnswers,
    ReportRequest, Reported,
};
use crate::metrics::SubmitResult;
use crate::proto::{convert, v1};

mod reports;
mod steps;

pub use steps::{StepBatch, StepDesk};

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

/// What a submission came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// A document was accepted.
    Accepted(Accepted),
    /// A status message was recorded.
    Reported(Reported),
}

impl Taken {
    /// Whether the same had been submitted before.
    pub fn is_repeated(&self) -> bool {
        match self {
            Self::Accepted(accepted) => accepted.repeated,
            Self::Reported(reported) => reported.repeated,
        }
    }

    /// As the contract writes it.
    pub fn acceptance(&self) -> v1::Acceptance {
        match self {
            Self::Accepted(accepted) => convert::acceptance(accepted),
            Self::Reported(reported) => convert::reported(reported),
        }
    }
}

/// What became of one submission: the message id as it was written, and the answer.
pub type Answer = (String, Result<Taken, Refusal>);

/// What is known of one submission of a batch.
enum Slot {
    Answered(Box<Result<Taken, Refusal>>),
    /// The ledger is asked to accept it; where what it changes stands in the submission.
    Accepting(&'static str),
    /// The ledger is asked to record it.
    Reporting,
}

/// What becomes of the submissions of one batch, in order.
pub struct Batch {
    started: Instant,
    // Each with the message id as it was written.
    slots: Vec<(String, Slot)>,
    accepting: Result<Option<Pending<AcceptAnswers>>, ledger::Error>,
    reporting: Result<Option<Pending<ReportAnswers>>, ledger::Error>,
    // Given back when the batch is answered.
    _in_flight: Vec<OwnedSemaphorePermit>,
}

impl Desk {
    /// A desk behind a door; at most so many payload bytes are on their way to the disk.
    pub fn new(intake: Arc<Intake>, dispatch: Arc<Dispatch>, in_flight_bytes_max: usize) -> Self {
        let kib = (in_flight_bytes_max / 1_024).clamp(1, Semaphore::MAX_PERMITS);
        Self { intake, dispatch, in_flight_kib: Arc::new(Semaphore::new(kib)) }
    }

    /// Delivery and the ledger.
    pub fn dispatch(&self) -> &Arc<Dispatch> {
        &self.dispatch
    }

    /// Judges submissions, each of the organ that makes it, and hands those that are good to the ledger, in order.
    pub async fn hand_over(
        &self,
        submissions: impl ExactSizeIterator<Item = (OrganId, Option<v1::Submission>)>,
    ) -> Batch {
        let started = Instant::now();
        let mut slots = Vec::with_capacity(submissions.len());
        let mut in_flight = Vec::with_capacity(submissions.len());
        let mut documents = Vec::with_capacity(submissions.len());
        let mut reports = Vec::new();
        for (caller, submission) in submissions {
            let id = submission.as_ref().map(|s| s.message_id.clone()).unwrap_or_default();
            let changed_at = changed_at(submission.as_ref());
            let room = self.intake.check_rate(&caller).and_then(|()| self.room_for(submission.as_ref()));
            let judged = match room {
                Ok(permit) => {
                    in_flight.extend(permit);
                    self.judge(&caller, submission).await
                }
                Err(refusal) => Err(refusal.into()),
            };
            let slot = match judged {
                Ok(Judged::Document(acceptance)) => {
                    documents.push(acceptance);
                    Slot::Accepting(changed_at)
                }
                Ok(Judged::Status(file)) => match self.find(*file).await {
                    Ok(request) => {
                        reports.push(request);
                        Slot::Reporting
                    }
                    Err(refusal) => Slot::Answered(Box::new(Err(refusal))),
                },
                Err(refused) => {
                    Slot::Answered(Box::new(self.accepted_before(refused).await.map(Taken::Accepted)))
                }
            };
            slots.push((id, slot));
        }
        let ledger = &self.dispatch.ledger;
        let accepting = match documents.is_empty() {
            true => Ok(None),
            false => ledger.accept(documents).await.map(Some),
        };
        let reporting = match reports.is_empty() {
            true => Ok(None),
            false => ledger.report(reports).await.map(Some),
        };
        Batch { started, slots, accepting, reporting, _in_flight: in_flight }
    }

    /// The report a status message makes, of the delivery it is about.
    async fn find(&self, file: StatusFile) -> Result<ReportRequest, Refusal> {
        let (sender, recipient) = file.between();
        let answers = matches!(file.report.status.code, StatusCode::ChangeAgreed | StatusCode::ChangeRefused);
        let found = self.dispatch.ledger.delivery_of(sender, &file.document_id, recipient, answers).await;
        match found.map_err(|error| ledger_failed(&error))? {
            Some(delivery) => Ok(file.request(delivery, self.dispatch.clock.now())),
            None => Err(status_file::document_unknown(&file)),
        }
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

    async fn judge(&self, caller: &OrganId, submission: Option<v1::Submission>) -> Result<Judged, Refused> {
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
        let lineage =
            self.dispatch.ledger.lineage(record.key).await.map_err(|error| ledger_failed(&error))?;
        let link = lineage.into_iter().find(|link| link.record.key == record.key && !link.targets.is_empty());
        let effects = |link: Link| link.effects.into_iter().map(|(effected, _)| effected).collect();
        let changed = link.map(|link| Box::new(Changed { effects: effects(link), unknown: Vec::new() }));
        let delivery = |record: DeliveryRecord| AcceptedDelivery {
            id: record.id,
            recipient: record.recipient,
            addressed_to: record.addressed_to,
        };
        Ok(Accepted {
            receipt: receipts.swap_remove(0),
            deliveries: record.deliveries.into_iter().map(delivery).collect(),
            changed,
            repeated: true,
        })
    }

    /// What became of a batch, in order: the message id as it was written, and the answer.
    pub async fn answer(&self, batch: Batch) -> Vec<Answer> {
        let mut accepted = answers(batch.accepting).await;
        let mut reported = answers(batch.reporting).await;
        let results = batch.slots.into_iter().map(|(id, slot)| {
            let result = match slot {
                Slot::Answered(result) => *result,
                Slot::Accepting(changed_at) => {
                    let refused = |refused| located(accept_refused(&refused), changed_at);
                    next(&mut accepted, refused).map(Taken::Accepted)
                }
                Slot::Reporting => next(&mut reported, status_file::refused).map(Taken::Reported),
            };
            (id, result)
        });
        let results = results.collect();
        self.dispatch.metrics.submit_seconds.record(batch.started.elapsed().as_secs_f64());
        results
    }

    /// Counts and logs an answer the sender is given.
    pub fn told(&self, (id, result): &Answer) {
        log(id, result);
        let metrics = &self.dispatch.metrics;
        let kind = match result {
            Ok(taken) if taken.is_repeated() => SubmitResult::Repeated,
            Ok(Taken::Accepted(_)) => SubmitResult::Accepted,
            Ok(Taken::Reported(reported)) => {
                self.dispatch.count_status(reported);
                SubmitResult::Accepted
            }
            Err(refusal) => {
                metrics.refusals.of(refusal.reason()).increment(1);
                SubmitResult::Refused
            }
        };
        metrics.submissions.of(kind).increment(1);
    }
}

/// What the ledger says of what it was asked, in order.
async fn answers<T>(
    asked: Result<Option<Pending<Vec<T>>>, ledger::Error>,
) -> Result<std::vec::IntoIter<T>, ledger::Error> {
    match asked? {
        Some(pending) => Ok(pending.await?.into_iter()),
        None => Ok(Vec::new().into_iter()),
    }
}

/// The next of these answers.
fn next<T, E>(
    answers: &mut Result<std::vec::IntoIter<Result<T, E>>, ledger::Error>,
    refused: impl FnOnce(E) -> Refusal,
) -> Result<T, Refusal> {
    match answers {
        Ok(answers) => {
            let answer = answers.next().expect("the ledger answers all that a batch asks");
            answer.map_err(refused)
        }
        Err(error) => Err(ledger_failed(error)),
    }
}

/// Ids and what became of it; never what is in a document. An id that cannot be one is not repeated.
fn log(id: &str, result: &Result<Taken, Refusal>) {
    match result {
        Ok(Taken::Reported(Reported { receipt, repeated })) => tracing::debug!(
            message_id = %receipt.message_id,
            sender = %receipt.sender,
            status = receipt.status.as_ref().map(|status| status.code.as_str()),
            repeated,
            "reported"
        ),
        Ok(Taken::Accepted(Accepted { receipt, deliveries, repeated, .. })) => tracing::debug!(
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

/// Where a submission says what it changes.
fn changed_at(submission: Option<&v1::Submission>) -> &'static str {
    match submission.and_then(|s| s.content.as_ref()) {
        Some(v1::submission::Content::Recall(_)) => "submission.recall",
        Some(v1::submission::Content::Edxml(_)) => "submission.edxml.file",
        Some(v1::submission::Content::Document(_)) | None => "submission.change",
    }
}

fn located(refusal: Refusal, changed_at: &str) -> Refusal {
    if refusal.field_path() == CHANGED { refusal.under(changed_at) } else { refusal }
}

fn payload_bytes(submission: Option<&v1::Submission>) -> usize {
    match submission.and_then(|s| s.content.as_ref()) {
        Some(v1::submission::Content::Edxml(edxml)) => edxml.file.len(),
        Some(v1::submission::Content::Document(document)) => document.payload.len(),
        Some(v1::submission::Content::Recall(recall)) => recall.reason.len(),
        None => 0,
    }
}

/// An answer as the contract writes it where a status cannot stand.
pub fn result((id, result): Answer) -> v1::SubmitResult {
    match result {
        Ok(taken) => v1::SubmitResult {
            message_id: match &taken {
                Taken::Accepted(accepted) => accepted.receipt.message_id.to_string(),
                // Its receipt names the document it is about.
                Taken::Reported(_) => id,
            },
            result: Some(v1::submit_result::Result::Acceptance(taken.acceptance())),
        },
        Err(refusal) => v1::SubmitResult {
            message_id: id,
            result: Some(v1::submit_result::Result::Refusal(convert::refusal(&refusal))),
        },
    }
}
