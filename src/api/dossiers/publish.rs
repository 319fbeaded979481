//! Publishing: a batch, or batches on a stream.

use futures_util::stream::{BoxStream, StreamExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::Dossiers;
use crate::api::Api;
use crate::api::caller::{Caller, Speaker};
use crate::api::streams::OpenStream;
use crate::domain::dossier::Flags;
use crate::domain::limits::DOSSIER_STEPS_BATCH_MAX;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::{Reason, Refusal};
use crate::dossiers::{NewStep, PublishAnswers, Published};
use crate::intake::{fields, ledger_failed, not_acting_for, steps};
use crate::ledger::{self, Pending};
use crate::metrics::{Metrics, StepPeculiarity, StepResult};
use crate::proto::{convert, dossier, v1};

/// Requests of a stream that were handed over and are not answered yet.
const STREAM_REQUESTS_MAX: usize = 32;

/// A batch that was handed over.
pub struct Batch {
    /// Each step, and why it was refused before the log saw it.
    judged: Vec<(String, u32, Option<Refusal>)>,
    answers: Result<Pending<PublishAnswers>, ledger::Error>,
}

impl Dossiers {
    /// One batch.
    pub async fn publish_steps(
        &self,
        caller: Caller,
        request: v1::PublishRequest,
    ) -> Result<v1::PublishResponse, Refusal> {
        let speaker = self.api.speaker(caller, &request.organ, "organ")?;
        let batch = self.hand_over(&speaker, request.steps).await?;
        Ok(v1::PublishResponse { results: self.results(batch).await? })
    }

    /// Many batches, one response each, in order.
    pub fn publish_on_stream(
        &self,
        caller: OrganId,
        inbound: Streaming<v1::PublishStreamRequest>,
        open: OpenStream,
    ) -> BoxStream<'static, Result<v1::PublishStreamResponse, Status>> {
        let (batches, handed_over) = mpsc::channel(STREAM_REQUESTS_MAX);
        self.api.tasks.spawn(self.clone().read_batches(caller, inbound, batches));
        let this = self.clone();
        let responses = ReceiverStream::new(handed_over).then(move |batch| {
            let this = this.clone();
            async move {
                let results = match batch? {
                    Ok(batch) => this.results(batch).await.map_err(|refusal| this.api.refuse(&refusal))?,
                    Err(refusal) => {
                        let refusal = Some(convert::refusal(&refusal));
                        return Ok(v1::PublishStreamResponse { results: Vec::new(), refusal });
                    }
                };
                Ok(v1::PublishStreamResponse { results, refusal: None })
            }
        });
        responses.inspect(move |_| _ = &open).boxed()
    }

    async fn read_batches(
        self,
        caller: OrganId,
        mut inbound: Streaming<v1::PublishStreamRequest>,
        batches: mpsc::Sender<Result<Result<Batch, Refusal>, Status>>,
    ) {
        loop {
            // A place for the answer first: what is not answered is bounded.
            let Ok(place) = batches.reserve().await else { return };
            let message = tokio::select! {
                message = inbound.message() => message,
                () = self.api.stop.cancelled() => {
                    return place.send(Err(self.api.refuse(&Api::shutting_down())));
                }
            };
            match message {
                Ok(Some(request)) => {
                    let speaker = self.api.speaker(Caller::Organ(caller.clone()), &request.organ, "organ");
                    let batch = match speaker {
                        Ok(speaker) => self.hand_over(&speaker, request.steps).await,
                        Err(refusal) => Err(refusal),
                    };
                    place.send(Ok(batch));
                }
                Ok(None) => return,
                Err(status) => return place.send(Err(self.api.broken_off(status))),
            }
        }
    }

    /// Judges steps and hands over those that can be; the others are refused by themselves.
    async fn hand_over(&self, speaker: &Speaker, written: Vec<v1::DossierStep>) -> Result<Batch, Refusal> {
        if written.is_empty() {
            return Err(fields::missing("steps"));
        }
        if written.len() > DOSSIER_STEPS_BATCH_MAX {
            let many = format!("{} steps; at most {DOSSIER_STEPS_BATCH_MAX} at a time", written.len());
            return Err(Refusal::new(Reason::InvalidField, many)
                .field("steps")
                .hint("send them in several messages"));
        }
        let mut judged = Vec::with_capacity(written.len());
        let mut new = Vec::with_capacity(written.len());
        for step in written {
            let number = step.step;
            match self.judge(speaker, step) {
                Ok(step) => {
                    judged.push((step.dossier.to_string(), number, None));
                    new.push(step);
                }
                Err((code, refusal)) => judged.push((code, number, Some(refusal))),
            }
        }
        let answers = self.parts.tail.log().publish(new).await;
        Ok(Batch { judged, answers })
    }

    fn judge(&self, speaker: &Speaker, written: v1::DossierStep) -> Result<NewStep, (String, Refusal)> {
        let as_written = |refusal| (written.dossier_code.chars().take(100).collect(), refusal);
        let code = steps::code(&written.dossier_code, "dossier_code").map_err(as_written)?;
        let (organ, owner, normal) = (&speaker.organ, code.owner().clone(), code.to_string());
        let rule = self.api.limits.ambiguity;
        if !steps::stands_for(&self.api.directory.load(), organ, &owner, self.api.today(), rule) {
            return Err((normal, not_owner(organ, &owner)));
        }
        let read = steps::read(&written, code, organ, &self.parts.codes);
        let step = read.map_err(|refusal| (normal, refusal))?;
        Ok(steps::new_step(&step, written, organ, self.api.dispatch.clock.now()))
    }

    /// The results of a batch, in its order, once they are durable.
    async fn results(&self, batch: Batch) -> Result<Vec<v1::PublishResult>, Refusal> {
        let failed = |error| ledger_failed(&error);
        let mut answers = batch.answers.map_err(failed)?.await.map_err(failed)?.into_iter();
        let metrics = &self.api.dispatch.metrics;
        let results = batch.judged.into_iter().map(|(dossier_code, step, refused)| {
            let answer = match refused {
                Some(refusal) => Err(refusal),
                None => answers
                    .next()
                    .expect("each step that was handed over has an answer")
                    .map_err(|why| steps::refused(&why)),
            };
            count(metrics, &answer);
            result(dossier_code, step, answer)
        });
        Ok(results.collect())
    }
}

fn not_owner(organ: &OrganId, owner: &OrganId) -> Refusal {
    let hint = not_acting_for(organ, owner);
    let message = format!("organ {organ} may not publish steps of dossiers of {owner}");
    Refusal::new(Reason::NotDossierOwner, message)
        .field("dossier_code")
        .fact("owner", owner)
        .hint(format!("a dossier's steps are published by its owner; {}", hint.hint_text()))
}

fn count(metrics: &Metrics, answer: &Result<Published, Refusal>) {
    let result = match answer {
        Err(refusal) => {
            metrics.refusals.of(refusal.reason()).increment(1);
            StepResult::Refused
        }
        Ok(Published { repeated: true, .. }) => StepResult::Repeated,
        Ok(Published { position: Some(_), .. }) => StepResult::Shown,
        Ok(Published { position: None, .. }) => StepResult::Held,
    };
    metrics.dossier_steps.of(result).increment(1);
    let Ok(Published { flags, repeated: false, .. }) = answer else { return };
    for (flag, peculiarity) in [
        (Flags::UNUSUAL, StepPeculiarity::Unusual),
        (Flags::LATE, StepPeculiarity::Late),
        (Flags::UNMAPPED, StepPeculiarity::Unmapped),
        (Flags::TIME_BACK, StepPeculiarity::TimeBack),
    ] {
        if flags.has(flag) {
            metrics.dossier_flags.of(peculiarity).increment(1);
        }
    }
}

fn result(dossier_code: String, step: u32, answer: Result<Published, Refusal>) -> v1::PublishResult {
    let result = v1::PublishResult { dossier_code, step, ..Default::default() };
    match answer {
        Err(refusal) => v1::PublishResult { refusal: Some(convert::refusal(&refusal)), ..result },
        Ok(published) => v1::PublishResult {
            position: published.position.unwrap_or(0),
            repeated_step: published.repeated,
            flags: dossier::flags(published.flags),
            missing_steps: published.missing,
            held_until_time: published.held_until.map(convert::timestamp),
            ..result
        },
    }
}
