//! `[gateway]`: where agencies connect.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::{self, Flaw};
use super::duration;

/// Longest name of a node, characters: that of a host name's label (RFC 1123).
const NODE_CHARS_MAX: usize = 63;

/// The gRPC listener.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Address and port.
    pub listen: SocketAddr,
    /// This node's name.
    pub node: String,
    /// Calls and streams of one connection at a time.
    pub calls_per_connection_max: u32,
    /// Silence after which a connection is pinged.
    #[serde(with = "duration")]
    pub keepalive_interval: Duration,
    /// Time for the answer to a ping.
    #[serde(with = "duration")]
    pub keepalive_timeout: Duration,
    /// Time between saying that the node is not ready and taking no more connections.
    #[serde(with = "duration")]
    pub drain_delay: Duration,
    /// Time for calls in progress at shutdown.
    #[serde(with = "duration")]
    pub shutdown_grace: Duration,
}

impl Gateway {
    pub(super) fn check(&self) -> Result<(), Flaw> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(1..=NODE_CHARS_MAX).contains(&self.node.len()) || !self.node.bytes().all(allowed) {
            let why = format!("\"{}\" is not a node name", self.node);
            return Err(Flaw::new("gateway.node", why, "write 1 to 63 characters out of a-z 0-9 -"));
        }
        check::number("gateway.calls_per_connection_max", self.calls_per_connection_max, 1..=10_000)?;
        let second = Duration::from_secs(1);
        check::time(
            "gateway.keepalive_interval",
            self.keepalive_interval,
            second..=Duration::from_secs(3_600),
        )?;
        check::time("gateway.keepalive_timeout", self.keepalive_timeout, second..=Duration::from_secs(300))?;
        check::time("gateway.drain_delay", self.drain_delay, Duration::ZERO..=Duration::from_secs(300))?;
        check::time("gateway.shutdown_grace", self.shutdown_grace, Duration::ZERO..=Duration::from_secs(600))
    }
}
