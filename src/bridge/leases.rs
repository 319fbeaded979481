//! Leases of deliveries that wait in agencies' queues: made longer while they wait, left to end when the agency took them and says
//! nothing.

use std::sync::Arc;
use std::time::Duration;

use super::office::Office;
use crate::amqp::{MailboxQueue, topology};
use crate::delivery::Dispatch;
use crate::directory::vietnam_day;
use crate::domain::delivery::{Event, Lease};
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::Asserter;
use crate::ledger::{self, StepRequest};

/// Leases made longer in one step of the ledger.
const BATCH: usize = 512;
/// Leases of one organ looked at in a round.
const HELD_MAX: usize = 100_000;

/// Looks after the leases of all agencies' queues.
pub struct Leases {
    /// What everybody works with.
    pub office: Arc<Office>,
    /// Delivery and the ledger.
    pub dispatch: Arc<Dispatch>,
    /// How long a lease is.
    pub lease: Duration,
}

impl Leases {
    /// Works until it is time to stop. A round comes four times in a lease, so that one may fail.
    pub async fn run(self) {
        while self.office.pause(self.lease / 4).await {
            // The ledger has logged why; the next round comes in time.
            let _failed = self.round().await.is_err();
        }
    }

    async fn round(&self) -> Result<(), ledger::Error> {
        let directory = self.office.directory.load_full();
        let today = vietnam_day(self.dispatch.clock.now());
        for mailbox in self.dispatch.ledger.mailboxes().await? {
            // Those of one that has closed end, so that its mail goes to who took over.
            let is_ours = directory
                .get(&mailbox.organ)
                .is_some_and(|organ| organ.link.is_amqp() && !organ.is_closed_on(today));
            if is_ours && mailbox.in_flight > 0 {
                self.renew(&mailbox.organ, mailbox.in_flight).await?;
            }
        }
        Ok(())
    }

    async fn renew(&self, organ: &OrganId, in_flight: u64) -> Result<(), ledger::Error> {
        let waiting = self.waiting(organ).await;
        if waiting == 0 {
            return Ok(());
        }
        let now = self.dispatch.clock.now();
        let mut held =
            self.dispatch.ledger.held_in_queue(organ, now.plus(self.lease * 3 / 4), HELD_MAX).await?;
        // A queue gives the oldest first: what no longer waits in it is what was published first.
        held.sort_unstable_by_key(|(delivery, _)| *delivery);
        let taken = usize::try_from(in_flight.saturating_sub(waiting)).unwrap_or(usize::MAX);
        let until = now.plus(self.lease);
        let mut held = held.into_iter().skip(taken).map(|(delivery, attempt)| StepRequest {
            delivery,
            recipient: Some(organ.clone()),
            event: Event::Renew { lease: Lease(attempt), until },
            at: now,
            by: Asserter::Gateway,
        });
        loop {
            let batch: Vec<_> = held.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(());
            }
            let answers = self.dispatch.ledger.step(batch).await?.await?;
            self.office.metrics.bridge_renewals.increment(answers.iter().flatten().count() as u64);
        }
    }

    /// How many messages wait in an organ's mailbox queues; those its system has taken and not acknowledged are not among them.
    async fn waiting(&self, organ: &OrganId) -> u64 {
        let mut waiting = 0;
        for queue in MailboxQueue::ALL {
            let queue = self.office.topology.mailbox(organ, queue);
            if let Ok(declared) = topology::declare_queue(&self.office.link, &queue).await {
                waiting += u64::from(declared.messages);
            }
        }
        waiting
    }
}
