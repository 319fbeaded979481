//! What was parked, for an operator: looked at, sent on its way again, or thrown away.
//!
//! The queue is read by taking messages without acknowledging them: when the channel closes they are back in their places. So
//! looking changes nothing, except that each message counts as delivered once more.

use std::sync::Arc;

use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicGetOptions};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{BasicProperties, Channel};

use super::letter::{REPLAYED_HEADER, text};
use super::office::{
    CAUSE_HEADER, CORRELATION_HEADER, DETAIL_HEADER, EXCHANGE_HEADER, MESSAGE_ID_HEADER, PERSISTENT,
    ROUTING_KEY_HEADER, USER_HEADER,
};
use crate::amqp::topology::{self, Topology};
use crate::amqp::{Link, Lost, Options, OptionsError, Outgoing, Publisher, Settled, Tasks};
use crate::metrics::Metrics;

/// Most messages looked through for one.
const SEARCHED_MAX: usize = 100_000;

/// Why an operator's wish cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// RabbitMQ cannot be connected to.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The connection is gone.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// RabbitMQ said no.
    #[error("RabbitMQ: {0}")]
    Broker(#[from] lapin::Error),
    /// There is no such message, or not any more.
    #[error("no parked message {0}; `truc amqp parked list` gives those there are")]
    NotFound(String),
    /// It did not come from an agency.
    #[error("{id} cannot be replayed: {why}")]
    NotReplayable {
        /// The message.
        id: String,
        /// Why.
        why: &'static str,
    },
    /// RabbitMQ did not take it; it is still parked.
    #[error("{id} is still parked: publishing it ended as {settled:?}")]
    NotTaken {
        /// The message.
        id: String,
        /// What became of it.
        settled: Settled,
    },
}

/// A parked message.
#[derive(Clone, Debug)]
pub struct Parked {
    /// Its id among the parked ones.
    pub id: String,
    /// Why it was parked.
    pub cause: String,
    /// The same in words.
    pub detail: String,
    /// Where it was published.
    pub exchange: String,
    /// With which routing key.
    pub routing_key: String,
    /// By whom, if it said so.
    pub user: String,
    /// The message id its sender gave it.
    pub message_id: String,
    /// What an answer to it is known by.
    pub correlation_id: String,
    /// Its content type.
    pub content_type: String,
    /// Its type.
    pub kind: String,
    /// When it was parked, seconds since 1970; 0 when that is not known.
    pub parked_at: u64,
    /// How long it is, bytes.
    pub bytes: usize,
    /// What it says; empty in a list.
    pub body: Vec<u8>,
}

impl Parked {
    fn of(message: &mut Delivery) -> Self {
        let properties = &message.properties;
        let fact =
            |name| properties.headers().as_ref().and_then(|h| text(h, name)).unwrap_or_default().to_owned();
        let property =
            |value: &Option<ShortString>| value.as_ref().map(ToString::to_string).unwrap_or_default();
        Self {
            id: property(properties.message_id()),
            cause: fact(CAUSE_HEADER),
            detail: fact(DETAIL_HEADER),
            exchange: fact(EXCHANGE_HEADER),
            routing_key: fact(ROUTING_KEY_HEADER),
            user: fact(USER_HEADER),
            message_id: fact(MESSAGE_ID_HEADER),
            correlation_id: fact(CORRELATION_HEADER),
            content_type: property(properties.content_type()),
            kind: property(properties.kind()),
            parked_at: properties.timestamp().unwrap_or_default(),
            bytes: message.data.len(),
            body: std::mem::take(&mut message.data),
        }
    }

    /// The message as it was sent, with the sender the gateway vouches for.
    fn again(self, own_user: &str, submissions: &str) -> Result<Outgoing, Error> {
        let refused = |why| Err(Error::NotReplayable { id: self.id.clone(), why });
        if self.exchange != submissions {
            return refused("it was not sent by an agency");
        }
        if self.user.is_empty() {
            return refused("it names no user; its sender has to send it again");
        }
        let mut headers = FieldTable::default();
        let user = AMQPValue::LongString(LongString::from(self.user));
        headers.insert(ShortString::from(REPLAYED_HEADER), user);
        let mut properties = BasicProperties::default()
            .with_content_type(self.content_type.into())
            .with_type(self.kind.into())
            .with_delivery_mode(PERSISTENT)
            .with_user_id(own_user.into())
            .with_headers(headers);
        if !self.message_id.is_empty() {
            properties = properties.with_message_id(self.message_id.into());
        }
        if !self.correlation_id.is_empty() {
            properties = properties.with_correlation_id(self.correlation_id.into());
        }
        Ok(Outgoing {
            exchange: self.exchange,
            routing_key: self.routing_key,
            properties,
            body: self.body.into(),
        })
    }
}

/// The queue of parked messages, in an operator's hands.
pub struct Attic {
    link: Link,
    publisher: Publisher,
    topology: Topology,
    tasks: Tasks,
}

impl Attic {
    /// Connects. Waits for RabbitMQ as long as it takes; a caller bounds it.
    pub async fn open(options: Options, topology: Topology) -> Result<Self, Error> {
        let tasks = Tasks::default();
        let metrics = Arc::new(Metrics::unobserved());
        let link = Link::start(options, "operator", Arc::clone(&metrics), &tasks)?;
        link.up().await?;
        let publisher = Publisher::start(&link, metrics, &tasks);
        Ok(Self { link, publisher, topology, tasks })
    }

    /// How many are parked.
    pub async fn count(&self) -> Result<u32, Error> {
        Ok(topology::declare_queue(&self.link, &self.topology.parked()).await?.messages)
    }

    /// The oldest ones, at most `limit`.
    pub async fn list(&self, limit: usize) -> Result<Vec<Parked>, Error> {
        let channel = self.link.channel().await?;
        let mut found = Vec::new();
        while found.len() < limit
            && let Some((mut parked, _)) = self.next(&channel).await?
        {
            // A list is of any number of messages, each as large as may be.
            parked.body = Vec::new();
            found.push(parked);
        }
        release(channel).await;
        Ok(found)
    }

    /// One of them.
    pub async fn show(&self, id: &str) -> Result<Parked, Error> {
        let channel = self.link.channel().await?;
        let found = self.find(&channel, id).await;
        release(channel).await;
        found.map(|(parked, _)| parked)
    }

    /// Sends one on its way again; it leaves when RabbitMQ has confirmed that.
    pub async fn replay(&self, id: &str) -> Result<(), Error> {
        let channel = self.link.channel().await?;
        let replayed = async {
            let (parked, taken) = self.find(&channel, id).await?;
            self.send(parked).await?;
            taken.acker.ack(BasicAckOptions::default()).await?;
            Ok(())
        };
        let replayed = replayed.await;
        release(channel).await;
        replayed
    }

    /// Sends all that can be on their way again, once each. Gives how many, and those that cannot be, with why.
    pub async fn replay_all(&self) -> Result<(usize, Vec<Error>), Error> {
        let channel = self.link.channel().await?;
        let (mut replayed, mut left) = (0, Vec::new());
        for _ in 0..self.count().await? {
            let Some((parked, taken)) = self.next(&channel).await? else { break };
            match self.send(parked).await {
                Ok(()) => {
                    taken.acker.ack(BasicAckOptions::default()).await?;
                    replayed += 1;
                }
                Err(error) => left.push(error),
            }
        }
        release(channel).await;
        Ok((replayed, left))
    }

    /// Throws one away; gives what it was.
    pub async fn discard(&self, id: &str) -> Result<Parked, Error> {
        let channel = self.link.channel().await?;
        let discarded = async {
            let (parked, taken) = self.find(&channel, id).await?;
            taken.acker.ack(BasicAckOptions::default()).await?;
            Ok(parked)
        };
        let discarded = discarded.await;
        release(channel).await;
        discarded
    }

    /// Disconnects.
    pub async fn close(self) {
        self.tasks.stopped().await;
    }

    async fn next(&self, channel: &Channel) -> Result<Option<(Parked, Delivery)>, Error> {
        let queue = self.topology.names.parked();
        let got = channel.basic_get(queue.as_str().into(), BasicGetOptions::default()).await?;
        Ok(got.map(|mut message| (Parked::of(&mut message.delivery), message.delivery)))
    }

    async fn find(&self, channel: &Channel, id: &str) -> Result<(Parked, Delivery), Error> {
        for _ in 0..SEARCHED_MAX {
            match self.next(channel).await? {
                Some((parked, taken)) if parked.id == id => return Ok((parked, taken)),
                Some(_) => {}
                None => break,
            }
        }
        Err(Error::NotFound(id.to_owned()))
    }

    async fn send(&self, parked: Parked) -> Result<(), Error> {
        let id = parked.id.clone();
        let outgoing = parked.again(&self.link.options().user, &self.topology.names.submissions())?;
        let settled = self.publisher.publish(vec![outgoing]).await.await;
        match settled.into_iter().next() {
            Some(Settled::Confirmed) => Ok(()),
            other => Err(Error::NotTaken { id, settled: other.unwrap_or(Settled::Unknown) }),
        }
    }
}

/// What was taken and not acknowledged is back in its place.
async fn release(channel: Channel) {
    // A channel that cannot be closed is closed already.
    let _closed = channel.close(200, "looked at".into()).await.is_err();
}
