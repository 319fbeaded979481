//! `[bridge]`: agencies attached by AMQP.

use serde::{Deserialize, Serialize};

use super::check::{self, Flaw};
use super::limits::Limits;
use crate::domain::limits::ENVELOPE_BYTES_MAX;

/// The largest body RabbitMQ itself can be set to take.
const MESSAGE_BYTES_CEILING: usize = 512 * 1024 * 1024;

/// What is taken in from agencies' messages.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bridge {
    /// Messages of one kind taken in and not acknowledged.
    pub prefetch: u16,
    /// The largest body that is read and written, bytes.
    pub message_bytes_max: usize,
}

impl Bridge {
    pub(super) fn check(&self, limits: &Limits) -> Result<(), Flaw> {
        check::number("bridge.prefetch", self.prefetch, 1..=2_000)?;
        // A payload in JSON is base64, a third longer.
        let least = limits.payload_bytes_max.div_ceil(3) * 4 + ENVELOPE_BYTES_MAX;
        check::number("bridge.message_bytes_max", self.message_bytes_max, least..=MESSAGE_BYTES_CEILING)
    }
}
