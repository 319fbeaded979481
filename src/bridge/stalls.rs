//! The stall detector for agencies attached by AMQP: an agency that reads its queue and neither takes nor settles anything is told of.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::office::Office;
use crate::amqp::{Lost, MailboxQueue, topology};
use crate::delivery::Dispatch;
use crate::domain::delivery::DeliveryId;
use crate::domain::organ_id::OrganId;
use crate::domain::time::Timestamp;
use crate::ledger;
use crate::metrics::StallReason;

/// Looks in the time after which a mailbox is stalled.
const LOOKS: u32 = 3;
/// Every lease ends before this is over.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The detector. A stall is the absence of anything that could signal it, so this one looks.
pub struct Stalls {
    /// What everybody works with.
    pub office: Arc<Office>,
    /// Delivery and the ledger.
    pub dispatch: Arc<Dispatch>,
    /// Mailboxes are stalled when nothing has moved for so long.
    pub after: Duration,
    /// The mailboxes in which something is held.
    pub watched: HashMap<OrganId, Watched>,
}

/// A mailbox as it was when it last moved.
pub struct Watched {
    seen: Seen,
    since: Instant,
    stalled: bool,
}

/// What changes when an agency takes or settles anything.
#[derive(PartialEq, Eq)]
struct Seen {
    first_held: DeliveryId,
    waiting: u64,
}

impl Stalls {
    /// Looks until it is time to stop.
    pub async fn run(mut self) {
        while self.office.pause(self.after / LOOKS).await {
            // Without the ledger or RabbitMQ nothing is known of stalls; both say so themselves.
            if self.look().await.is_err() {
                self.watched.clear();
            }
            let stalled = self.watched.values().filter(|watched| watched.stalled).count();
            self.office.metrics.mailboxes_stalled.of(StallReason::AgencyStill).set(stalled as f64);
        }
    }

    async fn look(&mut self) -> Result<(), LookFailed> {
        let directory = self.office.directory.load_full();
        let end = self.dispatch.clock.now().plus(FOREVER);
        for organ in directory.attached_by_amqp() {
            let now = self.seen(&organ.id, end).await?;
            self.compare(&organ.id, now);
        }
        self.watched.retain(|organ, _| directory.get(organ).is_some_and(|organ| organ.link.is_amqp()));
        Ok(())
    }

    /// What is to be seen of a mailbox that somebody reads and in which something is held.
    async fn seen(&self, organ: &OrganId, end: Timestamp) -> Result<Option<Seen>, LookFailed> {
        let held = self.dispatch.ledger.held_in_queue(organ, end, 1).await?;
        let Some((first_held, _)) = held.first() else { return Ok(None) };
        let (mut waiting, mut consumers) = (0, 0);
        for queue in MailboxQueue::ALL {
            let queue = self.office.topology.mailbox(organ, queue);
            let declared = topology::declare_queue(&self.office.link, &queue).await?;
            waiting += u64::from(declared.messages);
            consumers += declared.consumers;
        }
        Ok((consumers > 0).then_some(Seen { first_held: *first_held, waiting }))
    }

    fn compare(&mut self, organ: &OrganId, now: Option<Seen>) {
        let before = self.watched.remove(organ);
        let still = before.as_ref().is_some_and(|before| now.as_ref() == Some(&before.seen));
        if let Some(moved) = before.as_ref().filter(|before| before.stalled && !still) {
            tracing::info!(%organ, still_s = moved.since.elapsed().as_secs(), "an agency's mailbox moves again");
        }
        let watched = match (before, now) {
            (_, None) => return,
            (Some(before), Some(_)) if still => before,
            (_, Some(seen)) => Watched { seen, since: Instant::now(), stalled: false },
        };
        let stalled = watched.since.elapsed() >= self.after;
        if stalled && !watched.stalled {
            tracing::warn!(
                %organ,
                reason = StallReason::AgencyStill.why(),
                first_held = %watched.seen.first_held,
                waiting = watched.seen.waiting,
                "an agency reads its mailbox queue, and nothing moves"
            );
        }
        self.watched.insert(organ.clone(), Watched { stalled, ..watched });
    }
}

/// Why it could not be looked.
#[derive(Debug, thiserror::Error)]
enum LookFailed {
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    #[error(transparent)]
    Broker(#[from] Lost),
}
