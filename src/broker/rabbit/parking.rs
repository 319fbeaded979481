//! Parking: messages nobody understands go to a queue of their own, with the cause, and block nothing.

use std::sync::Arc;

use bytes::Bytes;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Acker, BasicProperties};
use tokio::sync::mpsc;

use super::acks::Tag;
use crate::amqp::{Outgoing, Publisher, Settled, Tasks};
use crate::metrics::Metrics;

/// The header that tells why a message is parked.
const CAUSE: &str = "x-truc-cause";
/// The header that tells from where.
const QUEUE: &str = "x-truc-queue";
/// Messages parked at a time.
const BATCH: usize = 64;

/// How the queue a message came from is told what became of it.
pub(super) enum Origin {
    /// It came on a channel mailboxes share.
    Shared(Tag),
    /// It came on a subscription's own channel.
    Own(Acker),
}

impl Origin {
    pub async fn ack(self, metrics: &Metrics) {
        match self {
            Self::Shared(tag) => tag.ack(),
            Self::Own(acker) => {
                // Not sent, it comes again.
                let sent = acker.ack(BasicAckOptions::default()).await;
                metrics.broker_acked.increment(u64::from(sent.unwrap_or_default()));
            }
        }
    }

    pub async fn requeue(self) {
        match self {
            Self::Shared(tag) => tag.requeue(),
            Self::Own(acker) => {
                let options = BasicNackOptions { requeue: true, multiple: false };
                let _lost = acker.nack(options).await.is_err();
            }
        }
    }
}

/// A message to be parked, and where it came from.
struct Parked {
    outgoing: Outgoing,
    origin: Origin,
}

/// Where to hand them over.
pub(super) struct Parking {
    queue: String,
    // As many as are unacknowledged at most, which the prefetch bounds.
    waiting: mpsc::UnboundedSender<Parked>,
}

impl Parking {
    /// Starts parking into this queue.
    pub fn start(queue: String, publisher: Publisher, metrics: Arc<Metrics>, tasks: &Tasks) -> Self {
        let (waiting, parked) = mpsc::unbounded_channel();
        let stop = tasks.stop_token();
        tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = run(publisher, metrics, parked) => {}
            }
        });
        Self { queue, waiting }
    }

    /// Parks a message; only then is it acknowledged.
    pub fn park(&self, from: &str, cause: &str, properties: BasicProperties, body: Vec<u8>, origin: Origin) {
        tracing::warn!(queue = from, cause, bytes = body.len(), "a message is parked");
        let mut headers: FieldTable = properties.headers().clone().unwrap_or_default();
        for (name, text) in [(CAUSE, cause), (QUEUE, from)] {
            headers.insert(name.into(), AMQPValue::LongString(text.into()));
        }
        // Whoever published it is among its properties; RabbitMQ would take that for a forgery of ours.
        let mut kept = BasicProperties::default()
            .with_headers(headers)
            .with_delivery_mode(2)
            // By which an operator names it.
            .with_message_id(uuid::Uuid::now_v7().to_string().into());
        if let Some(kind) = properties.kind() {
            kept = kept.with_type(kind.clone());
        }
        if let Some(content_type) = properties.content_type() {
            kept = kept.with_content_type(content_type.clone());
        }
        let outgoing = Outgoing {
            exchange: String::new(),
            routing_key: self.queue.clone(),
            properties: kept,
            body: Bytes::from(body),
        };
        // Nobody reads once the broker stops; the message stays in its queue.
        let _stopped = self.waiting.send(Parked { outgoing, origin });
    }
}

async fn run(publisher: Publisher, metrics: Arc<Metrics>, mut waiting: mpsc::UnboundedReceiver<Parked>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let (outgoing, origins): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|parked| (parked.outgoing, parked.origin)).unzip();
        let settled = publisher.publish(outgoing).await.await;
        for (settled, origin) in settled.into_iter().zip(origins) {
            match settled {
                Settled::Confirmed => {
                    metrics.broker_parked.increment(1);
                    origin.ack(&metrics).await;
                }
                // Tried again when it comes again.
                Settled::Returned { .. }
                | Settled::Nacked
                | Settled::Refused { .. }
                | Settled::Silent
                | Settled::Unknown => origin.requeue().await,
            }
        }
    }
}
