//! `[bridge]`: agencies attached by AMQP.

use serde::{Deserialize, Serialize};

use super::broker::{Broker, Kind};
use super::check::{self, Flaw};
use super::dossiers::Grant;
use super::limits::Limits;
use super::rabbitmq::RabbitMq;
use crate::domain::limits::ENVELOPE_BYTES_MAX;

/// The largest body RabbitMQ itself can be set to take.
const MESSAGE_BYTES_CEILING: usize = 512 * 1024 * 1024;

/// Each queue of dossiers takes two channels of one connection, of which RabbitMQ allows 2,047.
const DOSSIER_QUEUES_MAX: usize = 500;

/// What is taken in from agencies' messages.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bridge {
    /// Messages of one kind taken in and not acknowledged.
    pub prefetch: u16,
    /// The largest body that is read and written, bytes.
    pub message_bytes_max: usize,
    /// Which organs want a queue of events of dossiers, and of which.
    pub dossier_queues: Vec<Grant>,
    /// Events in such a queue beyond which the gateway waits.
    pub dossier_queue_length: u32,
    /// Whether all events go to the exchange, too.
    pub dossier_exchange: bool,
}

impl Bridge {
    pub(super) fn check(&self, broker: &Broker, rabbitmq: &RabbitMq, limits: &Limits) -> Result<(), Flaw> {
        check::number("bridge.prefetch", self.prefetch, 1..=2_000)?;
        if broker.kind != Kind::RabbitMq && !self.dossier_queues.is_empty() {
            let why = "queues of dossiers are on RabbitMQ";
            return Err(Flaw::new(
                "bridge.dossier_queues",
                why,
                "set broker.kind = \"rabbitmq\", or name none",
            ));
        }
        check::number("bridge.dossier_queues", self.dossier_queues.len(), 0..=DOSSIER_QUEUES_MAX)?;
        let most = rabbitmq.mailbox_length_max / 2;
        check::number("bridge.dossier_queue_length", self.dossier_queue_length, 100..=most)?;
        // A payload in JSON is base64, a third longer.
        let least = limits.payload_bytes_max.div_ceil(3) * 4 + ENVELOPE_BYTES_MAX;
        check::number("bridge.message_bytes_max", self.message_bytes_max, least..=MESSAGE_BYTES_CEILING)
    }
}
