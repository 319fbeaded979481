//! Steps of dossiers, whichever way they came: judged, handed to the log, answered, counted.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::directory::{Ambiguity, Directory, vietnam_day};
use crate::domain::dossier::Flags;
use crate::domain::limits::DOSSIER_STEPS_BATCH_MAX;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::{Reason, Refusal};
use crate::domain::time::Clock;
use crate::dossiers::{DossierLog, NewStep, PublishAnswers, Published};
use crate::intake::codes::CodeMap;
use crate::intake::{Intake, fields, not_acting_for, steps};
use crate::ledger::{self, Pending};
use crate::metrics::{Metrics, StepPeculiarity, StepResult};
use crate::proto::{convert, dossier, v1};

/// Where steps of dossiers come in.
pub struct StepDesk {
    /// Where they go.
    pub log: Arc<dyn DossierLog>,
    /// How own codes are translated; replaced as a whole when the map is read again.
    pub codes: Arc<ArcSwap<CodeMap>>,
    /// Who knows how fast each organ may publish.
    pub intake: Arc<Intake>,
    /// Who takes part.
    pub directory: Arc<ArcSwap<Directory>>,
    /// Who stands for an organ that several have taken over.
    pub rule: Ambiguity,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// Steps that were handed over together.
pub struct StepBatch {
    /// Each step, and why it was refused before the log saw it.
    judged: Vec<(String, u32, Option<Refusal>)>,
    answers: Result<Pending<PublishAnswers>, ledger::Error>,
}

impl StepDesk {
    /// Judges steps an organ publishes and hands over those that can be; the others are refused by themselves. All are refused when they come faster than the organ
    /// may publish.
    pub async fn hand_over(
        &self,
        organ: &OrganId,
        written: Vec<v1::DossierStep>,
    ) -> Result<StepBatch, Refusal> {
        self.intake.check_step_rate(organ, written.len()).map_err(too_fast)?;
        self.take(organ, written).await
    }

    /// The same, but waits until the organ may publish so many.
    pub async fn hand_over_in_turn(
        &self,
        organ: &OrganId,
        written: Vec<v1::DossierStep>,
    ) -> Result<StepBatch, Refusal> {
        while let Err(wait) = self.intake.check_step_rate(organ, written.len()) {
            tokio::time::sleep(wait).await;
        }
        self.take(organ, written).await
    }

    async fn take(&self, organ: &OrganId, written: Vec<v1::DossierStep>) -> Result<StepBatch, Refusal> {
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
            match self.judge(organ, step) {
                Ok(step) => {
                    judged.push((step.dossier.to_string(), number, None));
                    new.push(step);
                }
                Err((code, refusal)) => judged.push((code, number, Some(refusal))),
            }
        }
        let answers = self.log.publish(new).await;
        Ok(StepBatch { judged, answers })
    }

    fn judge(&self, organ: &OrganId, written: v1::DossierStep) -> Result<NewStep, (String, Refusal)> {
        let code = steps::code(&written.dossier_code, "dossier_code");
        let code = code.map_err(|refusal| (code_as_written(&written), refusal))?;
        let (owner, normal, now) = (code.owner().clone(), code.to_string(), self.clock.now());
        if !steps::stands_for(&self.directory.load(), organ, &owner, vietnam_day(now), self.rule) {
            return Err((normal, not_owner(organ, &owner)));
        }
        let read = steps::read(&written, code, organ, &self.codes.load());
        let step = read.map_err(|refusal| (normal, refusal))?;
        Ok(steps::new_step(&step, written, organ, now))
    }

    /// The results of a batch, in its order, once they are durable.
    pub async fn results(&self, batch: StepBatch) -> Result<Vec<v1::PublishResult>, ledger::Error> {
        let mut answers = batch.answers?.await?.into_iter();
        let results = batch.judged.into_iter().map(|(dossier_code, step, refused)| {
            let answer = match refused {
                Some(refusal) => Err(refusal),
                None => answers
                    .next()
                    .expect("each step that was handed over has an answer")
                    .map_err(|why| steps::refused(&why)),
            };
            self.count(&answer);
            result(dossier_code, step, answer)
        });
        Ok(results.collect())
    }

    /// The results of a batch that is refused as a whole: the same for each step, and one where there is none.
    pub fn refused(&self, written: &[v1::DossierStep], refusal: &Refusal) -> Vec<v1::PublishResult> {
        let mut named: Vec<_> = written.iter().take(DOSSIER_STEPS_BATCH_MAX).collect();
        let nothing = v1::DossierStep::default();
        if named.is_empty() {
            named.push(&nothing);
        }
        let results = named.into_iter().map(|step| {
            let answer = Err(refusal.clone());
            self.count(&answer);
            result(code_as_written(step), step.step, answer)
        });
        results.collect()
    }

    fn count(&self, answer: &Result<Published, Refusal>) {
        let result = match answer {
            Err(refusal) => {
                self.metrics.refusals.of(refusal.reason()).increment(1);
                StepResult::Refused
            }
            Ok(Published { repeated: true, .. }) => StepResult::Repeated,
            Ok(Published { position: Some(_), .. }) => StepResult::Shown,
            Ok(Published { position: None, .. }) => StepResult::Held,
        };
        self.metrics.dossier_steps.of(result).increment(1);
        let Ok(Published { flags, repeated: false, .. }) = answer else { return };
        for (flag, peculiarity) in [
            (Flags::UNUSUAL, StepPeculiarity::Unusual),
            (Flags::LATE, StepPeculiarity::Late),
            (Flags::UNMAPPED, StepPeculiarity::Unmapped),
            (Flags::TIME_BACK, StepPeculiarity::TimeBack),
        ] {
            if flags.has(flag) {
                self.metrics.dossier_flags.of(peculiarity).increment(1);
            }
        }
    }
}

/// What stands in the place of a code, at a length that fits an answer.
fn code_as_written(step: &v1::DossierStep) -> String {
    const CHARS_MAX: usize = 100;
    step.dossier_code.chars().take(CHARS_MAX).collect()
}

fn too_fast(wait: Duration) -> Refusal {
    Refusal::new(Reason::RateLimited, "more steps a second than this organ may publish")
        .hint("slow down; the retry delay says when these are welcome; PublishStream waits by itself")
        .retry_after(wait.max(Duration::from_millis(1)))
}

fn not_owner(organ: &OrganId, owner: &OrganId) -> Refusal {
    let hint = not_acting_for(organ, owner);
    let message = format!("organ {organ} may not publish steps of dossiers of {owner}");
    Refusal::new(Reason::NotDossierOwner, message)
        .field("dossier_code")
        .fact("owner", owner)
        .hint(format!("a dossier's steps are published by its owner; {}", hint.hint_text()))
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
