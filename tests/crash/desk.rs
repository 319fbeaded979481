//! What every receiving client does with deliveries: note them, decide, settle, and remember what was not answered.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use truc::proto::v1::{self, settlement};

use crate::journal::{Call, Fact, Journal, Offer};
use crate::line::Line;
use crate::site::Agency;

/// From this attempt on a recipient no longer puts a document off.
const PATIENT_ATTEMPTS: u32 = 4;

/// A recipient's incoming-mail desk.
pub struct Desk {
    pub name: String,
    pub line: Line,
    pub journal: Arc<Journal>,
    pub rng: fastrand::Rng,
    /// Cancelled when the load is over and the desk is to leave nothing undone.
    pub tidy: CancellationToken,
    /// Settlements sent and not answered when the connection was lost.
    pub unanswered: Vec<v1::Settlement>,
}

impl Desk {
    /// Notes deliveries and decides what becomes of each.
    pub fn receive(&mut self, deliveries: Vec<v1::Delivery>, call: Call) -> Vec<v1::Settlement> {
        let mut settlements = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            settlements.push(self.decide(&delivery));
            let offer = Box::new(Offer::of(self.line.organ, delivery));
            self.journal.record(Fact::Offered { offer, call });
        }
        settlements
    }

    fn decide(&mut self, delivery: &v1::Delivery) -> v1::Settlement {
        let reason = format!("{} lần {}", delivery.delivery_id, delivery.attempt);
        let outcome = match self.rng.u8(..100) {
            0..5 => settlement::Outcome::Rejected(v1::Rejected { reason }),
            5..12 if delivery.attempt < PATIENT_ATTEMPTS => {
                settlement::Outcome::Deferred(v1::Deferred { reason, retry_time: None })
            }
            _ => settlement::Outcome::Delivered(v1::Delivered {}),
        };
        v1::Settlement {
            delivery_id: delivery.delivery_id.clone(),
            lease: delivery.lease.clone(),
            outcome: Some(outcome),
        }
    }

    /// Notes settlements that are about to be sent.
    pub fn settling(&self, settlements: &[v1::Settlement]) {
        settlements.iter().cloned().for_each(|settlement| self.journal.record(Fact::Settling(settlement)));
    }

    /// Notes the answer to the settlement that is next to be answered.
    pub fn settled(&self, asked: Option<v1::Settlement>, result: v1::SettleResult, call: Call) {
        match asked {
            Some(settlement) if settlement.delivery_id == result.delivery_id => {
                self.journal.record(Fact::Settled { settlement, result, call });
            }
            other => {
                self.journal.broken(&self.name, format!("{result:?} answers none, next was {other:?}"));
            }
        }
    }

    /// Settles by a call of its own. False when the connection is lost; the settlements are unanswered then.
    pub async fn settle(&mut self, agency: &Agency, settlements: Vec<v1::Settlement>) -> bool {
        if settlements.is_empty() {
            return true;
        }
        self.settling(&settlements);
        let call = self.journal.call();
        let request = v1::SettleRequest { organ: String::new(), settlements: settlements.clone() };
        match agency.exchange.clone().settle(request).await {
            Ok(response) => {
                let results = response.into_inner().results;
                if results.len() != settlements.len() {
                    self.journal.broken(&self.name, "Settle gave another number of results");
                }
                for (settlement, result) in settlements.into_iter().zip(results) {
                    self.settled(Some(settlement), result, call);
                }
                true
            }
            Err(status) => {
                self.journal.failed(&self.name, &status);
                self.unanswered.extend(settlements);
                false
            }
        }
    }

    /// Repeats some of the settlements that were never answered, and forgets the others: what happens to those is
    /// for the gateway to say.
    pub async fn settle_late(&mut self, agency: &Agency) {
        let mut late = std::mem::take(&mut self.unanswered);
        late.retain(|_| self.rng.bool());
        self.settle(agency, late).await;
    }
}
