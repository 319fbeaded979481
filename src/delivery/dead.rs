//! What operators decide about dead deliveries.

use super::Dispatch;
use crate::domain::delivery::{DeliveryId, Event, State, StepRefused};
use crate::domain::receipt::Asserter;
use crate::domain::refusal::{Reason, Refusal};
use crate::ledger::{self, StepError, StepRequest};

/// What an operator decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is sent on its way again, for this reason, which may be empty.
    Replay(String),
    /// It is given up, for this reason.
    Discard(String),
}

impl Verdict {
    fn event(&self) -> Event {
        match self {
            Self::Replay(reason) => Event::Replay { reason: reason.clone() },
            Self::Discard(reason) => Event::Discard { reason: reason.clone() },
        }
    }
}

impl Dispatch {
    /// Does what an operator decides about dead deliveries; where each stands now, in order.
    pub async fn decide(
        &self,
        deliveries: impl IntoIterator<Item = DeliveryId>,
        verdict: &Verdict,
        operator: &str,
    ) -> Result<Vec<Result<State, Refusal>>, ledger::Error> {
        let at = self.clock.now();
        let request = |delivery| StepRequest {
            delivery,
            recipient: None,
            event: verdict.event(),
            at,
            by: Asserter::Operator(operator.to_owned()),
        };
        let requests: Vec<_> = deliveries.into_iter().map(request).collect();
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let answers = self.ledger.step(requests).await?.await?;
        let decided = answers.into_iter().map(|answer| {
            let state = answer.map(|stepped| stepped.progress.state).map_err(not_decided);
            if let Err(refusal) = &state {
                self.metrics.refusals.of(refusal.reason()).increment(1);
            }
            state
        });
        Ok(decided.collect())
    }
}

/// The refusal of an id that is no dead delivery's.
pub fn no_dead_letter() -> Refusal {
    Refusal::new(Reason::DeliveryNotFound, "there is no such delivery")
        .field("delivery_id")
        .hint("ListDeadLetters gives the deliveries that are dead")
}

fn not_decided(error: StepError) -> Refusal {
    let state = match error {
        StepError::NotFound => return no_dead_letter(),
        StepError::Refused(StepRefused::NotDead(state) | StepRefused::Ended(state)) => state,
        StepError::Refused(
            StepRefused::NotReady | StepRefused::LeaseLost | StepRefused::NotDue | StepRefused::Offered,
        ) => State::Expired,
    };
    Refusal::new(Reason::NotDeadLetter, format!("the delivery is {}, not dead", state.as_str()))
        .field("delivery_id")
        .fact("state", state.as_str())
        .hint("somebody else has decided, or its deadline has passed; Track tells its story")
}
