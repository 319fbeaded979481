//! `[tls]`: certificates, and how connections are taken.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::{self, Flaw};
use super::duration;

/// Mutual TLS of the gRPC listener.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The gateway's certificate chain, PEM.
    pub cert: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// The authorities of clients' certificates, PEM.
    pub client_ca: PathBuf,
    /// Revocation lists, PEM.
    pub crls: Vec<PathBuf>,
    /// Whether TLS 1.2 is taken too.
    pub allow_tls12: bool,
    /// Time for a handshake.
    #[serde(with = "duration")]
    pub handshake_timeout: Duration,
    /// Connections at a time.
    pub connections_max: usize,
    /// Handshakes at a time.
    pub handshakes_max: usize,
}

impl Tls {
    pub(super) fn check(&self) -> Result<(), Flaw> {
        check::path("tls.cert", &self.cert)?;
        check::path("tls.key", &self.key)?;
        check::path("tls.client_ca", &self.client_ca)?;
        self.crls.iter().try_for_each(|crl| check::path("tls.crls", crl))?;
        let bounds = Duration::from_millis(100)..=Duration::from_secs(60);
        check::time("tls.handshake_timeout", self.handshake_timeout, bounds)?;
        check::number("tls.connections_max", self.connections_max, 1..=1_000_000)?;
        check::number("tls.handshakes_max", self.handshakes_max, 1..=self.connections_max)
    }
}
