//! `[limits]`: what one organ, one stream or one request may take up.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::domain::limits::{ENVELOPE_BYTES_MAX, PAYLOAD_BYTES_CEILING};

use super::check::{self, Flaw};

/// Smallest bound on a collector's bytes that still lets small messages share a window.
const COLLECT_WINDOW_BYTES_MIN: usize = 65_536;

/// Limits an operator sets. Those of the contract are in [`crate::domain::limits`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Largest payload, bytes.
    pub payload_bytes_max: usize,
    /// Unanswered submissions of one stream.
    pub stream_window: usize,
    /// Unsettled payload bytes of one collector.
    pub collect_window_bytes: usize,
    /// Open deliveries of one mailbox.
    pub mailbox_deliveries_max: u64,
    /// Submissions of one organ per second.
    pub rate_per_s: u32,
    /// Submissions of one organ at once.
    pub rate_burst: u32,
    /// Streams of one organ at a time.
    pub streams_per_organ_max: usize,
    /// Memory for payloads at hand, bytes.
    pub hot_bytes_max: usize,
    /// Memory for payloads not yet on disk, bytes.
    pub in_flight_bytes_max: usize,
    /// CSV files of what differs for single organs.
    pub organs: Vec<PathBuf>,
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), Flaw> {
        self.organs.iter().try_for_each(|file| check::path("limits.organs", file))?;
        check::number("limits.payload_bytes_max", self.payload_bytes_max, 1_024..=PAYLOAD_BYTES_CEILING)?;
        check::number("limits.stream_window", self.stream_window, 1..=65_536)?;
        let most = usize::MAX >> 1;
        check::number(
            "limits.collect_window_bytes",
            self.collect_window_bytes,
            COLLECT_WINDOW_BYTES_MIN..=most,
        )?;
        check::number("limits.mailbox_deliveries_max", self.mailbox_deliveries_max, 1..=1_000_000_000)?;
        check::number("limits.rate_per_s", self.rate_per_s, 1..=1_000_000)?;
        check::number("limits.rate_burst", self.rate_burst, 1..=1_000_000)?;
        check::number("limits.streams_per_organ_max", self.streams_per_organ_max, 1..=100_000)?;
        let largest_message = self.payload_bytes_max + ENVELOPE_BYTES_MAX;
        check::number("limits.in_flight_bytes_max", self.in_flight_bytes_max, largest_message..=most)
    }
}
