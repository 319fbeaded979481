//! Submissions of agencies: accepted as over gRPC, acknowledged to the broker when the ledger has them.

use std::sync::Arc;

use super::codec::Form;
use super::letter::Letter;
use super::office::{Office, Read};
use crate::amqp::Subscription;
use crate::delivery::LEDGER_RETRY_DELAY;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::Reason;
use crate::metrics::SubmitResult;
use crate::proto::v1;
use crate::submission::{self, Answer, Desk, Taken};

/// Submissions handed over together.
const BATCH_MAX: usize = 64;

/// Takes in what agencies submit.
pub struct Submissions {
    /// What everybody works with.
    pub office: Arc<Office>,
    /// Where submissions come in.
    pub desk: Arc<Desk>,
}

struct Submitted {
    letter: Letter,
    by: OrganId,
    form: Form,
    submission: Option<v1::Submission>,
}

impl Submissions {
    /// Takes in letters until it is time to stop.
    pub async fn run(self, mut letters: Subscription) {
        loop {
            let batch = letters.next_many(BATCH_MAX).await;
            if batch.is_empty() {
                return;
            }
            let mut good = Vec::with_capacity(batch.len());
            for letter in batch.into_iter().map(Letter::from) {
                match self.office.read::<v1::SubmitRequest>(&letter) {
                    Ok(Read { by, form, message }) => {
                        good.push(Submitted { letter, by, form, submission: message.submission });
                    }
                    Err(unfit) => self.office.park(letter, unfit).await,
                }
            }
            self.submit(good).await;
        }
    }

    /// Submits until each has an answer, or it is time to stop: then the broker still has them.
    async fn submit(&self, mut waiting: Vec<Submitted>) {
        while !waiting.is_empty() {
            let submissions = waiting.iter().map(|one| (one.by.clone(), one.submission.clone()));
            let batch = self.desk.hand_over(submissions).await;
            let answers = self.desk.answer(batch).await;
            let mut later = Vec::new();
            for (submitted, answer) in waiting.into_iter().zip(answers) {
                match is_for_later(&answer) {
                    // Its connection is gone: it comes again.
                    true if !submitted.letter.can_be_acknowledged() => {}
                    true => later.push(submitted),
                    false => self.answered(submitted, answer).await,
                }
            }
            waiting = later;
            if !waiting.is_empty() && !self.office.pause(LEDGER_RETRY_DELAY).await {
                return;
            }
        }
    }

    /// What is accepted now is told by its receipt; what is repeated or refused is told at once.
    async fn answered(&self, submitted: Submitted, answer: Answer) {
        self.desk.told(&answer);
        let result = match &answer.1 {
            Ok(taken) if taken.is_repeated() => SubmitResult::Repeated,
            Ok(_) => SubmitResult::Accepted,
            Err(_) => SubmitResult::Refused,
        };
        self.office.metrics.bridge_submissions.of(result).increment(1);
        let Submitted { letter, by, form, .. } = submitted;
        match (result, &answer.1) {
            (SubmitResult::Accepted, Ok(Taken::Accepted(_))) => letter.ack().await,
            // The receipt of a status goes to the other side.
            (SubmitResult::Accepted | SubmitResult::Repeated | SubmitResult::Refused, _) => {
                self.office.answer(letter, by, form, &submission::result(answer)).await;
            }
        }
    }
}

/// True when it is the gateway that cannot do it now.
fn is_for_later((_, answer): &Answer) -> bool {
    let reason = answer.as_ref().err().map(|refusal| refusal.reason());
    matches!(reason, Some(Reason::LedgerUnavailable | Reason::Overloaded | Reason::ShuttingDown))
}
