//! What RabbitMQ gave up: a pointer that came back too often is published anew while its delivery is still ready, so that nothing
//! stays in the queue of the dead unnoticed.

use std::sync::Arc;
use std::time::Duration;

use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::types::AMQPValue;
use tokio_util::sync::CancellationToken;

use super::parking::Origin;
use super::{Core, pointer};
use crate::amqp::Subscription;
use crate::domain::delivery::DeliveryId;
use crate::domain::message::Lane;
use crate::domain::organ_id::OrganId;
use crate::ledger::{self, BecameReady};

/// Dead messages looked at together.
const PREFETCH: u16 = 64;
/// The wait before the ledger is asked again.
const AGAIN_DELAY: Duration = Duration::from_secs(1);

/// What is to be done with a dead message.
enum Verdict {
    Done,
    Park(&'static str),
}

/// Works until told to stop.
pub(super) async fn run(core: Arc<Core>, stop: CancellationToken) {
    let queue = core.options.topology.dead();
    let mut dead =
        Subscription::start(&core.consume, queue, PREFETCH, Arc::clone(&core.metrics), &core.tasks);
    loop {
        let delivery = tokio::select! {
            () = stop.cancelled() => return,
            delivery = dead.next() => delivery,
        };
        let Some(delivery) = delivery else { return };
        core.metrics.broker_dead.increment(1);
        match core.judge(&delivery).await {
            Ok(Verdict::Done) => {
                // Not sent, it comes again.
                let sent = delivery.acker.ack(BasicAckOptions::default()).await;
                core.metrics.broker_acked.increment(u64::from(sent.unwrap_or_default()));
            }
            Ok(Verdict::Park(cause)) => {
                let (queue, origin) = (core.options.topology.names.dead(), Origin::Own(delivery.acker));
                core.parking.park(&queue, cause, delivery.properties, delivery.data, origin);
            }
            Err(_) => {
                tokio::time::sleep(AGAIN_DELAY).await;
                let options = BasicNackOptions { requeue: true, multiple: false };
                let _lost = delivery.acker.nack(options).await.is_err();
            }
        }
    }
}

impl Core {
    async fn judge(&self, delivery: &Delivery) -> Result<Verdict, ledger::Error> {
        let Some((organ, lane)) = self.mailbox_of(delivery) else {
            return Ok(Verdict::Park("dead, and not of a mailbox"));
        };
        if let Some(pointers) = pointer::unpack(&delivery.properties, &delivery.data) {
            for ready in pointers {
                self.revive(organ.clone(), lane, ready.delivery).await?;
            }
            return Ok(Verdict::Done);
        }
        match delivery_of(delivery) {
            Some(id) if self.packer.came_back(&organ, id, &delivery.properties).await? => Ok(Verdict::Done),
            _ => Ok(Verdict::Park("dead, and not understood")),
        }
    }

    /// Publishes a delivery again if it is ready.
    async fn revive(&self, organ: OrganId, lane: Lane, delivery: DeliveryId) -> Result<(), ledger::Error> {
        let before = DeliveryId(delivery.0.saturating_sub(1));
        let first = self.ledger.ready(&organ, lane, before, 1).await?;
        if let Some(ready) = first.into_iter().find(|ready| ready.delivery == delivery) {
            tracing::warn!(%organ, %delivery, "RabbitMQ gave up a delivery that is ready; it is published again");
            self.outbox.publish(BecameReady { organ, lane, ready, message: None });
        }
        Ok(())
    }

    /// The mailbox and lane a dead message was in, as RabbitMQ wrote into its headers and its properties still say.
    fn mailbox_of(&self, delivery: &Delivery) -> Option<(OrganId, Lane)> {
        let headers = delivery.properties.headers().as_ref()?;
        let name = match headers.inner().get("x-first-death-queue")? {
            AMQPValue::LongString(text) => text.to_string(),
            AMQPValue::ShortString(text) => text.to_string(),
            _ => return None,
        };
        let (organ, queue) = self.options.topology.names.mailbox_of(&name)?;
        Some((organ, queue.lane(*delivery.properties.priority())))
    }
}

/// The delivery a message is about, by its message id.
pub(super) fn delivery_of(delivery: &Delivery) -> Option<DeliveryId> {
    delivery.properties.message_id().as_ref().and_then(|id| DeliveryId::parse(id.as_str()))
}
