//! What agencies' queues gave back: deliveries rejected without an outcome, or handed out too often, are deferred and offered again.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use lapin::types::FieldTable;

use super::letter::{Letter, text};
use super::office::{Office, Unfit};
use super::packer;
use crate::delivery::{Dispatch, LEDGER_RETRY_DELAY};
use crate::domain::delivery::{DeliveryId, Event, Lease, Outcome};
use crate::domain::receipt::Asserter;
use crate::ledger::StepRequest;
use crate::metrics::ParkCause;

/// The header in which RabbitMQ says why it gave a message up first.
const REASON_HEADER: &str = "x-first-death-reason";

/// Takes in what was dead-lettered.
pub struct DeadLetters {
    /// What everybody works with.
    pub office: Arc<Office>,
    /// Delivery and the ledger.
    pub dispatch: Arc<Dispatch>,
}

impl DeadLetters {
    /// Takes one in. Acknowledged when the ledger has it, or it is parked.
    pub fn take(&self, letter: Letter) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Some((delivery, lease)) = letter.headers().and_then(packer::named) else {
                let detail = format!("dead-lettered as {}", reason(letter.headers()));
                return self.office.park(letter, Unfit { cause: ParkCause::NotADelivery, detail }).await;
            };
            let words = match reason(letter.headers()) {
                "rejected" => "rejected at the broker without an outcome",
                "delivery_limit" => "handed out too often without being acknowledged",
                _ => "given up by the broker",
            };
            while letter.can_be_acknowledged() {
                if self.defer(delivery, lease, words).await {
                    self.office.metrics.bridge_dead_lettered.increment(1);
                    return letter.ack().await;
                }
                if !self.office.pause(LEDGER_RETRY_DELAY).await {
                    return;
                }
            }
        })
    }

    /// True when the ledger has decided; what it refuses went on without this attempt.
    async fn defer(&self, delivery: DeliveryId, lease: Lease, words: &str) -> bool {
        let outcome = Outcome::Deferred { reason: words.to_owned(), retry_at: None };
        let request = StepRequest {
            delivery,
            recipient: None,
            event: Event::Settle { lease, outcome },
            at: self.dispatch.clock.now(),
            by: Asserter::Gateway,
        };
        match self.dispatch.ledger.step(vec![request]).await {
            Ok(pending) => pending.await.is_ok(),
            Err(_) => false,
        }
    }
}

fn reason(headers: Option<&FieldTable>) -> &str {
    headers.and_then(|headers| text(headers, REASON_HEADER)).unwrap_or("unknown")
}
