//! What everybody at the bridge works with: reading letters, telling agencies, parking what nobody understands.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::codec::{self, Body, Form, Unreadable};
use super::letter::Letter;
use super::sender;
use crate::amqp::topology::{self, Topology};
use crate::amqp::{Link, Outgoing, Publisher, Settled, Tasks};
use crate::directory::{self, Directory};
use crate::domain::organ_id::OrganId;
use crate::domain::time::Clock;
use crate::metrics::{Metrics, ParkCause};

/// The wait before something is published again that was not confirmed.
pub const PUBLISH_RETRY_DELAY: Duration = Duration::from_secs(1);

/// What AMQP calls a persistent message.
pub const PERSISTENT: u8 = 2;

/// The header of a parked message that says why it is.
pub const CAUSE_HEADER: &str = "x-truc-cause";
/// The header that says it in words.
pub const DETAIL_HEADER: &str = "x-truc-detail";
/// The header that names the exchange it was published to.
pub const EXCHANGE_HEADER: &str = "x-truc-exchange";
/// The header that names the routing key it was published with.
pub const ROUTING_KEY_HEADER: &str = "x-truc-routing-key";
/// The header that names the user who published it.
pub const USER_HEADER: &str = "x-truc-user";
/// The header that holds the message id it had.
pub const MESSAGE_ID_HEADER: &str = "x-truc-message-id";
/// The header that holds the correlation id it had.
pub const CORRELATION_HEADER: &str = "x-truc-correlation-id";

/// A letter that was read.
#[derive(Debug)]
pub struct Read<M> {
    /// The organ whose user sent it.
    pub by: OrganId,
    /// How it is written.
    pub form: Form,
    /// What it says.
    pub message: M,
}

/// Why a letter is parked.
#[derive(Debug)]
pub struct Unfit {
    /// The cause.
    pub cause: ParkCause,
    /// The cause in words.
    pub detail: String,
}

impl Unfit {
    fn from_sender(cause: ParkCause) -> Self {
        let detail = match cause {
            ParkCause::NoUser => "the property user_id is not set".to_owned(),
            ParkCause::OwnUser => "the gateway's own user published it".to_owned(),
            ParkCause::NotAttached => "the directory has no organ of this user with link amqp".to_owned(),
            _ => format!("the user is not {}ID", sender::USER_PREFIX),
        };
        Self { cause, detail }
    }
}

impl From<Unreadable> for Unfit {
    fn from(unreadable: Unreadable) -> Self {
        let cause = match unreadable {
            Unreadable::ContentType(_) => ParkCause::ContentType,
            Unreadable::Type { .. } => ParkCause::Type,
            Unreadable::TooLarge { .. } => ParkCause::TooLarge,
            Unreadable::Malformed { .. } => ParkCause::Malformed,
        };
        Self { cause, detail: unreadable.to_string() }
    }
}

/// Shared by all who work at the bridge.
pub struct Office {
    /// The publisher.
    pub publisher: Publisher,
    /// The connection queues are declared on.
    pub link: Link,
    /// The exchanges and queues there are.
    pub topology: Topology,
    /// Who takes part.
    pub directory: Arc<ArcSwap<Directory>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The largest body that is read.
    pub message_bytes_max: usize,
    /// Where tasks belong, and when they end.
    pub tasks: Tasks,
    /// How many letters may be on their way to be answered or parked.
    pub room: Arc<Semaphore>,
}

impl Office {
    /// Reads a letter.
    pub fn read<M: Body>(&self, letter: &Letter) -> Result<Read<M>, Unfit> {
        let own_user = &self.link.options().user;
        let by =
            sender::organ(letter.claimed(), own_user, &self.directory.load()).map_err(Unfit::from_sender)?;
        let (message, form) = codec::read(letter.label(), letter.body.clone(), self.message_bytes_max)?;
        Ok(Read { by, form, message })
    }

    /// Tells an agency something in its queue of receipts, then acknowledges the letter it is about. Waits only for room.
    pub async fn answer<M: Body>(self: &Arc<Self>, letter: Letter, to: OrganId, form: Form, answer: &M) {
        let mut properties = properties::<M>(form, uuid::Uuid::now_v7().to_string());
        if let Some(correlation) = letter.correlation() {
            properties = properties.with_correlation_id(correlation.into());
        }
        let outgoing = self.to_receipts(&to, properties, codec::write(answer, form));
        let Some(room) = self.room().await else { return };
        let office = Arc::clone(self);
        self.tasks.spawn(async move {
            let _room = room;
            office.tell(letter, to, outgoing).await;
        });
    }

    async fn tell(&self, letter: Letter, to: OrganId, outgoing: Outgoing) {
        while letter.can_be_acknowledged() {
            match self.publish(outgoing.clone()).await {
                Settled::Confirmed => return letter.ack().await,
                Settled::Nacked => {
                    self.metrics.bridge_answers_lost.increment(1);
                    tracing::warn!(organ = %to, "the organ's queue of receipts is full; a refusal was not told");
                    return letter.ack().await;
                }
                Settled::Refused { code, text } => {
                    self.metrics.bridge_answers_lost.increment(1);
                    tracing::error!(organ = %to, code, text, "RabbitMQ refused an answer");
                    return letter.ack().await;
                }
                Settled::Returned { .. } => self.declare_receipts(&to).await,
                Settled::Silent | Settled::Unknown => {}
            }
            if !self.pause(PUBLISH_RETRY_DELAY).await {
                return;
            }
        }
    }

    /// Declares an organ's queue of receipts, which somebody deleted.
    pub async fn declare_receipts(&self, organ: &OrganId) {
        // A link that is stopped ends everything here.
        let _stopped = topology::declare_queue(&self.link, &self.topology.receipts(organ)).await.is_err();
    }

    /// Parks a letter, then acknowledges it. Waits only for room.
    pub async fn park(self: &Arc<Self>, letter: Letter, unfit: Unfit) {
        self.metrics.bridge_parked.of(unfit.cause).increment(1);
        let outgoing = self.parked(&letter, &unfit);
        let Some(room) = self.room().await else { return };
        let office = Arc::clone(self);
        self.tasks.spawn(async move {
            let _room = room;
            while letter.can_be_acknowledged() {
                match office.publish(outgoing.clone()).await {
                    Settled::Confirmed => return letter.ack().await,
                    Settled::Returned { .. } => office.declare_parked().await,
                    Settled::Nacked | Settled::Refused { .. } | Settled::Silent | Settled::Unknown => {}
                }
                if !office.pause(PUBLISH_RETRY_DELAY).await {
                    return;
                }
            }
        });
    }

    async fn declare_parked(&self) {
        let _stopped = topology::declare_queue(&self.link, &self.topology.parked()).await.is_err();
    }

    fn parked(&self, letter: &Letter, unfit: &Unfit) -> Outgoing {
        let claimed = letter.claimed();
        let (exchange, routing_key) = letter.origin();
        let mut headers = FieldTable::default();
        let facts = [
            (CAUSE_HEADER, Some(crate::metrics::Label::as_str(unfit.cause))),
            (DETAIL_HEADER, Some(unfit.detail.as_str())),
            (EXCHANGE_HEADER, Some(exchange)),
            (ROUTING_KEY_HEADER, Some(routing_key)),
            (USER_HEADER, claimed.replayed.or(claimed.user)),
            (MESSAGE_ID_HEADER, letter.message_id()),
            (CORRELATION_HEADER, letter.correlation()),
        ];
        for (name, value) in facts {
            let Some(value) = value else { continue };
            headers.insert(ShortString::from(name), AMQPValue::LongString(LongString::from(value)));
        }
        let label = letter.label();
        let seconds = u64::try_from(self.clock.now().as_micros() / 1_000_000).unwrap_or_default();
        let properties = BasicProperties::default()
            .with_content_type(label.content_type.into())
            .with_type(label.name.into())
            .with_delivery_mode(PERSISTENT)
            .with_message_id(uuid::Uuid::now_v7().to_string().into())
            .with_timestamp(seconds)
            .with_headers(headers);
        Outgoing {
            exchange: String::new(),
            routing_key: self.topology.names.parked(),
            properties,
            body: letter.body.clone(),
        }
    }

    /// How an organ wants to be written to.
    pub fn form_of(&self, organ: &OrganId) -> Form {
        match self.directory.load().get(organ).map(|organ| organ.link) {
            Some(directory::Link::AmqpJson) => Form::Json,
            _ => Form::Protobuf,
        }
    }

    /// A message for an organ's queue of receipts.
    pub fn to_receipts(&self, organ: &OrganId, properties: BasicProperties, body: Bytes) -> Outgoing {
        Outgoing {
            exchange: self.topology.names.receipts(),
            routing_key: organ.to_string(),
            properties,
            body,
        }
    }

    /// Publishes one message.
    pub async fn publish(&self, outgoing: Outgoing) -> Settled {
        let settled = self.publisher.publish(vec![outgoing]).await.await;
        settled.into_iter().next().unwrap_or(Settled::Unknown)
    }

    async fn room(&self) -> Option<OwnedSemaphorePermit> {
        let stop = self.tasks.stop_token();
        tokio::select! {
            () = stop.cancelled() => None,
            room = Arc::clone(&self.room).acquire_owned() => room.ok(),
        }
    }

    /// Waits; false when it is time to stop.
    pub async fn pause(&self, time: Duration) -> bool {
        let stop = self.tasks.stop_token();
        tokio::select! {
            () = stop.cancelled() => false,
            () = tokio::time::sleep(time) => true,
        }
    }
}

/// The properties of a message of the contract.
pub fn properties<M: Body>(form: Form, message_id: String) -> BasicProperties {
    BasicProperties::default()
        .with_content_type(form.content_type().into())
        .with_type(M::NAME.into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(message_id.into())
}
