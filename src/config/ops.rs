//! `[ops]`: metrics and probes.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::check::{self, Flaw};

/// The listener of `/metrics`, `/livez` and `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ops {
    /// Address and port, on loopback.
    pub listen: SocketAddr,
    /// The control socket's file.
    pub control: PathBuf,
}

impl Ops {
    /// The listener speaks plain HTTP to anybody, so it stays on the machine; and it is not the agencies' one.
    pub(super) fn check(&self, gateway: SocketAddr) -> Result<(), Flaw> {
        const KEY: &str = "ops.listen";
        check::path("ops.control", &self.control)?;
        if !self.listen.ip().is_loopback() {
            let why = format!(
                "{} is not a loopback address, and this listener has no authentication",
                self.listen.ip()
            );
            return Err(Flaw::new(
                KEY,
                why,
                "use 127.0.0.1 or [::1], and a proxy with authentication before it",
            ));
        }
        let same_port = self.listen.port() == gateway.port() && gateway.port() != 0;
        if same_port && (self.listen.ip() == gateway.ip() || gateway.ip().is_unspecified()) {
            let why = format!("port {} is that of gateway.listen", gateway.port());
            return Err(Flaw::new(KEY, why, "use another port"));
        }
        Ok(())
    }
}
