//! A message as it comes from the broker, until it is acknowledged.

use bytes::Bytes;
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use super::codec::Label;
use super::sender::Claimed;

/// The header by which the gateway's own user names the user of a message it replays.
pub const REPLAYED_HEADER: &str = "x-truc-replayed-user";

/// The header of a delivery that names it.
pub const DELIVERY_HEADER: &str = "x-truc-delivery";
/// The header of a delivery that names the attempt; it goes back in the settlement.
pub const LEASE_HEADER: &str = "x-truc-lease";

/// A message and its place in a queue. Not acknowledged, it comes again.
#[derive(Debug)]
pub struct Letter {
    delivery: Delivery,
    /// The body.
    pub body: Bytes,
}

impl From<Delivery> for Letter {
    fn from(mut delivery: Delivery) -> Self {
        let body = std::mem::take(&mut delivery.data).into();
        Self { delivery, body }
    }
}

impl Letter {
    /// What it says of its sender.
    pub fn claimed(&self) -> Claimed<'_> {
        Claimed {
            user: self.delivery.properties.user_id().as_ref().map(ShortString::as_str),
            replayed: self.headers().and_then(|headers| text(headers, REPLAYED_HEADER)),
        }
    }

    /// What it says of its body.
    pub fn label(&self) -> Label<'_> {
        let properties = &self.delivery.properties;
        Label {
            content_type: properties.content_type().as_ref().map_or("", ShortString::as_str),
            name: properties.kind().as_ref().map_or("", ShortString::as_str),
        }
    }

    /// What an answer to it is known by: the correlation id it gives, or else its message id.
    pub fn correlation(&self) -> Option<&str> {
        let properties = &self.delivery.properties;
        let given = properties.correlation_id().as_ref().or(properties.message_id().as_ref());
        given.map(ShortString::as_str).filter(|id| !id.is_empty())
    }

    /// The sender's id of it at the broker.
    pub fn message_id(&self) -> Option<&str> {
        self.delivery.properties.message_id().as_ref().map(ShortString::as_str)
    }

    /// Where it was published.
    pub fn origin(&self) -> (&str, &str) {
        (self.delivery.exchange.as_str(), self.delivery.routing_key.as_str())
    }

    fn headers(&self) -> Option<&FieldTable> {
        self.delivery.properties.headers().as_ref()
    }

    /// False when the connection it came by is gone: it comes again by another.
    pub fn can_be_acknowledged(&self) -> bool {
        self.delivery.acker.usable()
    }

    /// The gateway has done with it what there is to do.
    pub async fn ack(self) {
        // On a lost channel it comes again, and is known again.
        let _lost = self.delivery.acker.ack(BasicAckOptions::default()).await.is_err();
    }
}

/// A header that is a text.
pub fn text<'a>(headers: &'a FieldTable, name: &str) -> Option<&'a str> {
    match headers.inner().get(name)? {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok(),
        AMQPValue::ShortString(text) => Some(text.as_str()),
        _ => None,
    }
}
