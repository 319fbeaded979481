//! Clients that submit, and submit again what was not answered.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use truc::proto::v1::{self, submit_result};

use crate::document::{Author, Document};
use crate::journal::{Fact, Journal};
use crate::line::Line;
use crate::site::Agency;

/// Submissions a stream has unanswered at most.
const WINDOW: usize = 32;
/// Of a hundred unary submissions, those that repeat one that was answered.
const REPEATED_PERCENT: u8 = 6;
/// Accepted documents kept to be repeated.
const REMEMBERED_MAX: usize = 200;

/// One sending client. Sends as many documents as the load allows, until that is closed and all is answered.
pub struct Sender {
    pub name: String,
    pub line: Line,
    pub journal: Arc<Journal>,
    pub load: Arc<Semaphore>,
    pub author: Author,
    pub rng: fastrand::Rng,
    /// Of a hundred unanswered submissions, those that are never repeated.
    pub given_up_percent: u8,
}

impl Sender {
    /// Submits on streams, without waiting for each answer.
    pub async fn pipelined(mut self) {
        let mut unanswered = VecDeque::new();
        loop {
            let Some(agency) = self.line.agency().await else { return };
            if self.one_stream(&agency, &mut unanswered).await == Ended::AllAnswered {
                return;
            }
            unanswered.retain(|_| self.rng.u8(..100) >= self.given_up_percent);
        }
    }

    async fn one_stream(&mut self, agency: &Agency, unanswered: &mut VecDeque<Arc<Document>>) -> Ended {
        let (requests, queue) = mpsc::channel(WINDOW);
        for document in unanswered.iter() {
            self.hand_over(&requests, document);
        }
        let answers = agency.exchange.clone().submit_stream(ReceiverStream::new(queue)).await;
        let mut answers = match answers {
            Ok(answers) => answers.into_inner(),
            Err(status) => return self.cut_off(&status),
        };
        let mut over = false;
        while !(over && unanswered.is_empty()) {
            tokio::select! {
                answer = answers.message() => match answer {
                    Ok(Some(answer)) => for result in answer.results {
                        if !self.answered(unanswered.front(), result) {
                            return Ended::CutOff;
                        }
                        unanswered.pop_front();
                    },
                    Ok(None) => {
                        self.journal.broken(&self.name, "SubmitStream ended by itself");
                        return Ended::CutOff;
                    }
                    Err(status) => return self.cut_off(&status),
                },
                permit = self.load.acquire(), if !over && unanswered.len() < WINDOW => match permit {
                    Ok(permit) => {
                        permit.forget();
                        let document = self.author.write();
                        self.hand_over(&requests, &document);
                        unanswered.push_back(document);
                    }
                    Err(_closed) => over = true,
                },
            }
        }
        Ended::AllAnswered
    }

    fn hand_over(&self, requests: &mpsc::Sender<v1::SubmitStreamRequest>, document: &Arc<Document>) {
        self.journal.record(Fact::Submitting(Arc::clone(document)));
        let request = v1::SubmitStreamRequest { submission: Some(document.submission()) };
        // As many fit as there are unanswered; a connection that is gone shows in the answers.
        let _gone = requests.try_send(request).is_err();
    }

    /// Notes an answer; false when the submission has to be repeated.
    fn answered(&self, expected: Option<&Arc<Document>>, result: v1::SubmitResult) -> bool {
        let expected = expected.map(|document| &document.message_id);
        if expected != Some(&result.message_id) {
            let id = &result.message_id;
            self.journal.broken(&self.name, format!("an answer to {id}, where {expected:?} was next"));
        }
        match result.result {
            Some(submit_result::Result::Acceptance(acceptance)) => {
                self.journal.record(Fact::Accepted { message_id: result.message_id, acceptance });
                self.journal.answered(&self.name);
                true
            }
            Some(submit_result::Result::Refusal(refusal)) => !self.journal.refused(&self.name, &refusal),
            None => {
                self.journal.broken(&self.name, format!("{}: no result", result.message_id));
                true
            }
        }
    }

    fn cut_off(&self, status: &tonic::Status) -> Ended {
        self.journal.failed(&self.name, status);
        Ended::CutOff
    }

    /// Submits one document after the other, now and then one again that was accepted long ago.
    pub async fn one_by_one(mut self) {
        let mut accepted: Vec<Arc<Document>> = Vec::new();
        let mut agency = None;
        while self.next_is_due().await {
            let document = match self.rng.u8(..100) < REPEATED_PERCENT {
                true => self.rng.choice(&accepted).cloned(),
                false => None,
            };
            let document = document.unwrap_or_else(|| self.author.write());
            let answered = self.submit(&mut agency, &document).await;
            if answered && accepted.len() < REMEMBERED_MAX {
                accepted.push(document);
            }
        }
    }

    async fn next_is_due(&self) -> bool {
        self.load.acquire().await.map(SemaphorePermit::forget).is_ok()
    }

    /// Submits until it is answered; false when it was given up.
    async fn submit(&mut self, connected: &mut Option<Agency>, document: &Arc<Document>) -> bool {
        loop {
            let agency = match connected.take() {
                Some(agency) => agency,
                None => match self.line.agency().await {
                    Some(agency) => agency,
                    None => return false,
                },
            };
            self.journal.record(Fact::Submitting(Arc::clone(document)));
            let request = v1::SubmitRequest { submission: Some(document.submission()) };
            match agency.exchange.clone().submit(request).await {
                Ok(response) => {
                    let acceptance = response.into_inner().acceptance.unwrap_or_default();
                    let message_id = document.message_id.clone();
                    self.journal.record(Fact::Accepted { message_id, acceptance });
                    self.journal.answered(&self.name);
                    *connected = Some(agency);
                    return true;
                }
                Err(status) => self.journal.failed(&self.name, &status),
            }
            if self.rng.u8(..100) < self.given_up_percent {
                return false;
            }
        }
    }
}

#[derive(PartialEq)]
enum Ended {
    AllAnswered,
    CutOff,
}
