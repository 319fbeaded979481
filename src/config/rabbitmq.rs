//! `[rabbitmq]`: the broker outside the gateway.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::broker::{Broker, Kind};
use super::check::{self, Flaw};
use super::duration;
use super::limits::Limits;

/// Longest name of a queue, bytes (AMQP 0-9-1), with room for the organ id and the lane after the prefix.
const PREFIX_BYTES_MAX: usize = 64;

/// RabbitMQ, and what is declared there.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RabbitMq {
    /// The nodes, in the order they are tried.
    pub uris: Vec<String>,
    /// The virtual host.
    pub vhost: String,
    /// The gateway's user.
    pub user: String,
    /// The file of its password; empty for RabbitMQ's user `guest` as it comes.
    pub password_file: PathBuf,
    /// The authorities of RabbitMQ's certificate; empty without TLS.
    pub ca: PathBuf,
    /// The gateway's certificate for RabbitMQ; empty for none.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Half of the silence after which a connection is given up.
    #[serde(with = "duration")]
    pub heartbeat: Duration,
    /// Time for a connection, with its handshakes.
    #[serde(with = "duration")]
    pub connect_timeout: Duration,
    /// The first wait before connecting again.
    #[serde(with = "duration")]
    pub reconnect_delay_min: Duration,
    /// The longest wait before connecting again.
    #[serde(with = "duration")]
    pub reconnect_delay_max: Duration,
    /// Time for confirms.
    #[serde(with = "duration")]
    pub confirm_timeout: Duration,
    /// Before a full mailbox is tried again.
    #[serde(with = "duration")]
    pub retry_delay: Duration,
    /// What the names of all exchanges and queues begin with.
    pub name_prefix: String,
    /// Pointers in memory for each lane of a served mailbox.
    pub prefetch: u16,
    /// Returns of one message before it is dead-lettered.
    pub delivery_limit: u32,
    /// Messages in one mailbox queue.
    pub mailbox_length_max: u32,
    /// Time an agency has to publish an outcome.
    #[serde(with = "duration")]
    pub lease: Duration,
}

impl RabbitMq {
    pub(super) fn check(&self, broker: &Broker, limits: &Limits) -> Result<(), Flaw> {
        if broker.kind == Kind::RabbitMq {
            self.check_reachable()?;
            let open = u32::try_from(limits.mailbox_deliveries_max).unwrap_or(u32::MAX);
            check::number("rabbitmq.mailbox_length_max", self.mailbox_length_max, open..=u32::MAX)?;
        }
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        let shortest = Duration::from_millis(10);
        check::time("rabbitmq.heartbeat", self.heartbeat, second..=10 * minute)?;
        check::time("rabbitmq.connect_timeout", self.connect_timeout, Duration::from_millis(100)..=minute)?;
        check::time("rabbitmq.reconnect_delay_max", self.reconnect_delay_max, shortest..=minute)?;
        check::time(
            "rabbitmq.reconnect_delay_min",
            self.reconnect_delay_min,
            shortest..=self.reconnect_delay_max,
        )?;
        check::time("rabbitmq.confirm_timeout", self.confirm_timeout, second..=10 * minute)?;
        check::time("rabbitmq.retry_delay", self.retry_delay, Duration::from_millis(100)..=60 * minute)?;
        check::number("rabbitmq.prefetch", self.prefetch, 1..=10_000)?;
        check::number("rabbitmq.delivery_limit", self.delivery_limit, 1..=1_000_000)?;
        check::time("rabbitmq.lease", self.lease, minute..=24 * 60 * minute)
    }

    fn check_reachable(&self) -> Result<(), Flaw> {
        if self.uris.is_empty() {
            let hint = "name at least one, amqps://host:5671";
            return Err(Flaw::new("rabbitmq.uris", "no node of RabbitMQ is named", hint));
        }
        let secure = |uri: &String| uri.starts_with("amqps://");
        if self.uris.iter().any(secure) && self.ca.as_os_str().is_empty() {
            let why = "amqps:// needs the certificate of the authority that issued RabbitMQ's";
            return Err(Flaw::new("rabbitmq.ca", why, "name its file; there is no unverified TLS"));
        }
        if self.cert.as_os_str().is_empty() != self.key.as_os_str().is_empty() {
            let why = "a certificate and its key go together";
            return Err(Flaw::new(
                "rabbitmq.cert",
                why,
                "name both, rabbitmq.cert and rabbitmq.key, or none",
            ));
        }
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        if !(1..=PREFIX_BYTES_MAX).contains(&self.name_prefix.len()) || !self.name_prefix.bytes().all(allowed)
        {
            let why = format!("\"{}\" cannot begin the name of a queue", self.name_prefix);
            return Err(Flaw::new(
                "rabbitmq.name_prefix",
                why,
                "write 1 to 64 characters out of a-z 0-9 . _ -",
            ));
        }
        Ok(())
    }
}
