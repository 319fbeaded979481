//! Delivery: brings accepted messages to their recipients. The state machine decides
//! ([`crate::domain::delivery`]), the ledger records, what is here performs.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::allowances::Allowances;
use crate::broker::Broker;
use crate::domain::calendar::Calendar;
use crate::domain::delivery::{DeliveryId, Event, Lease, Outcome, State, StepRefused};
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::Asserter;
use crate::domain::refusal::{Reason, Refusal};
use crate::domain::time::{Clock, Timestamp};
use crate::ledger::{self, Ledger, Message, StepError, StepRequest, Stepped};
use crate::metrics::{Metrics, SettlementOutcome};

mod collector;
mod dead;
mod fetch;
mod heads;
mod hot;
mod links;
mod notices;
mod reports;
mod router;
mod served;
mod stalls;
mod strays;
mod timers;
mod windows;

pub use collector::{CollectorOptions, Handed};
pub use dead::{Verdict, no_dead_letter};
pub use heads::{Heads, Watcher};
pub use hot::HotMessages;
pub use links::Links;
pub use notices::{Notice, Notices};
pub use reports::{ReportAnswer, WrittenReport, report_refused};
pub use router::Router;
pub use served::{Served, Serving};
pub use stalls::Stalls;
pub use strays::{Pile, Strays};
pub use timers::Timers;
pub use windows::Windows;

/// How long a caller should wait before it tries a ledger again that could not do its work.
pub const LEDGER_RETRY_DELAY: Duration = Duration::from_secs(1);

/// What all of delivery works with.
pub struct Dispatch {
    /// The truth.
    pub ledger: Arc<dyn Ledger>,
    /// The transport.
    pub broker: Arc<dyn Broker>,
    /// Messages kept at hand.
    pub hot: Arc<HotMessages>,
    /// Which mailboxes are served on this node.
    pub served: Served,
    /// How much organs hold on this node.
    pub windows: Windows,
    /// Where each sender's log of receipts ends.
    pub heads: Heads,
    /// Closed organs, and the mail that was seen for them.
    pub strays: Strays,
    /// Push links.
    pub links: Links,
    /// What single organs may do and may be sent.
    pub allowances: Arc<ArcSwap<Allowances>>,
    /// The working days.
    pub calendar: Arc<ArcSwap<Calendar>>,
    /// Organs that have overdue deliveries.
    pub notices: Notices,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// A delivery offered under a lease, and its message.
#[derive(Clone, Debug)]
pub struct Offered {
    /// The delivery; its progress holds the attempt and the lease's end.
    pub stepped: Stepped,
    /// The message.
    pub message: Arc<Message>,
}

impl Offered {
    /// The name of its lease.
    pub fn lease(&self) -> Lease {
        Lease(self.stepped.progress.attempt)
    }

    /// What is held, until when.
    fn held(&self) -> ((DeliveryId, Lease), Timestamp) {
        let until = self.stepped.progress.due_at.unwrap_or(Timestamp::EPOCH);
        ((self.stepped.delivery, self.lease()), until)
    }
}

/// What a recipient says of one delivery.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The attempt it holds.
    pub lease: Lease,
    /// What became of it.
    pub outcome: Outcome,
}

/// A settlement as it was written, and what it says, unless it says nothing that can be understood.
pub type WrittenSettlement = (String, Result<Settlement, Refusal>);

/// A settlement as it was written, and where the delivery stands now, or why the settlement was not taken.
pub type SettleAnswer = (String, Result<State, Refusal>);

/// A settlement as it was written, and what kind of outcome the ledger is asked to record for what is held.
type ReadSettlement = (String, Result<(SettlementOutcome, (DeliveryId, Lease)), Refusal>);

impl Dispatch {
    /// Settles deliveries an organ holds, on behalf of it by whoever spoke. Answers in order.
    pub async fn settle(
        &self,
        organ: &OrganId,
        by: &OrganId,
        written: Vec<WrittenSettlement>,
    ) -> Result<Vec<SettleAnswer>, ledger::Error> {
        let (batch, requests) = self.settle_requests(organ, by, written);
        let answers = match requests.is_empty() {
            true => Vec::new(),
            false => self.ledger.step(requests).await?.await?,
        };
        Ok(self.settle_answers(organ, batch, answers))
    }

    /// The steps a batch of settlements asks for; those that cannot be understood ask for none.
    fn settle_requests(
        &self,
        organ: &OrganId,
        by: &OrganId,
        written: Vec<WrittenSettlement>,
    ) -> (Vec<ReadSettlement>, Vec<StepRequest>) {
        let at = self.clock.now();
        let mut requests = Vec::with_capacity(written.len());
        let batch = written.into_iter().map(|(id, settlement)| {
            let outcome = settlement.map(|Settlement { delivery, lease, outcome }| {
                let kind = match &outcome {
                    Outcome::Delivered => SettlementOutcome::Delivered,
                    Outcome::Rejected { .. } => SettlementOutcome::Rejected,
                    Outcome::Deferred { .. } => SettlementOutcome::Deferred,
                };
                requests.push(StepRequest {
                    delivery,
                    recipient: Some(organ.clone()),
                    event: Event::Settle { lease, outcome },
                    at,
                    by: Asserter::Organ(by.clone()),
                });
                (kind, (delivery, lease))
            });
            (id, outcome)
        });
        (batch.collect(), requests)
    }

    fn settle_answers(
        &self,
        organ: &OrganId,
        batch: Vec<ReadSettlement>,
        answers: Vec<Result<Stepped, StepError>>,
    ) -> Vec<SettleAnswer> {
        // Settled or refused: this attempt is held no more.
        let held = batch.iter().filter_map(|(_, read)| read.as_ref().ok().map(|(_, held)| *held));
        self.windows.release(organ, held);
        let mut answers = answers.into_iter();
        let settled = batch.into_iter().map(|(id, understood)| {
            let result = understood.and_then(|(outcome, _)| {
                let answer = answers.next().expect("the ledger answers every step of a batch");
                let stepped = answer.map_err(settle_refused)?;
                self.metrics.settlements.of(outcome).increment(1);
                Ok(stepped.progress.state)
            });
            if let Err(refusal) = &result {
                self.metrics.refusals.of(refusal.reason()).increment(1);
            }
            (id, result)
        });
        settled.collect()
    }

    fn offers(
        &self,
        organ: &OrganId,
        taken: &[ledger::Ready],
        event: &Event,
        at: Timestamp,
    ) -> Vec<StepRequest> {
        let offer = |ready: &ledger::Ready| StepRequest {
            delivery: ready.delivery,
            recipient: Some(organ.clone()),
            event: event.clone(),
            at,
            by: Asserter::Gateway,
        };
        taken.iter().map(offer).collect()
    }
}

fn settle_refused(error: StepError) -> Refusal {
    match error {
        StepError::NotFound => Refusal::new(Reason::DeliveryNotFound, "the organ has no such delivery")
            .field("delivery_id")
            .hint("settle with the delivery_id of a delivery handed to this organ"),
        StepError::Refused(StepRefused::Ended(state)) => {
            Refusal::new(Reason::AlreadySettled, format!("the delivery has ended as {}", state.as_str()))
                .field("outcome")
                .fact("state", state.as_str())
                .hint("Track tells what was recorded")
        }
        StepError::Refused(
            StepRefused::LeaseLost
            | StepRefused::NotReady
            | StepRefused::NotDue
            | StepRefused::Offered
            | StepRefused::NotDead(_),
        ) => Refusal::new(Reason::LeaseLost, "the lease ended and the delivery went on without it")
            .field("lease")
            .hint(
                "drop this copy, or keep the delivery_id to recognise the next one; settle within the lease",
            ),
    }
}
