//! `[push]`: endpoints of agencies that are brought their mail.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::check::{self, Flaw};
use super::duration;

/// When endpoints are tried again, and which may be called at all.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    /// The first wait after an endpoint took nothing.
    #[serde(with = "duration")]
    pub retry_delay_min: Duration,
    /// The longest such wait.
    #[serde(with = "duration")]
    pub retry_delay_max: Duration,
    /// The share by which a wait varies, 0.0 to 0.9.
    pub retry_jitter: f64,
    /// The longest wait an endpoint can ask for.
    #[serde(with = "duration")]
    pub retry_wish_max: Duration,
    /// Failed deliveries in a row that count as an outage.
    pub faults_max: u32,
    /// Payload bytes on their way to one endpoint.
    pub window_bytes: usize,
    /// Networks that may be called although they are not public.
    pub allow: Vec<Network>,
    /// Networks that are never called.
    pub deny: Vec<Network>,
}

/// A network, as `10.20.0.0/16` or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its address.
    pub address: IpAddr,
    /// Leading bits that count.
    pub prefix: u8,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address.parse().ok()?, prefix.parse().ok()?),
            None => {
                let address: IpAddr = text.parse().ok()?;
                (address, if address.is_ipv4() { 32 } else { 128 })
            }
        };
        let longest = if matches!(address, IpAddr::V4(_)) { 32 } else { 128 };
        (prefix <= longest).then_some(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::custom(format!("\"{text}\" is not a network; write it as in \"10.20.0.0/16\""))
        })
    }
}

impl Push {
    pub(super) fn check(&self) -> Result<(), Flaw> {
        let (shortest, day) = (Duration::from_millis(10), Duration::from_secs(86_400));
        check::time("push.retry_delay_max", self.retry_delay_max, shortest..=day)?;
        check::time("push.retry_delay_min", self.retry_delay_min, shortest..=self.retry_delay_max)?;
        check::number("push.retry_jitter", self.retry_jitter, 0.0..=0.9)?;
        check::time("push.retry_wish_max", self.retry_wish_max, self.retry_delay_min..=day)?;
        check::number("push.faults_max", self.faults_max, 1..=1_000)?;
        check::number("push.window_bytes", self.window_bytes, 65_536..=1 << 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_address_and_its_leading_bits() {
        for (text, rendered) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("127.0.0.1", "127.0.0.1/32"),
            ("fd00::/8", "fd00::/8"),
            ("::1", "::1/128"),
        ] {
            assert_eq!(Network::parse(text).unwrap().to_string(), rendered);
        }
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "host/8", "10.0.0.0/", "10.0.0.0/-1"] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
