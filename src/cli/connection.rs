//! Which gateway a client command calls, and as whom.

use std::path::PathBuf;

use clap::Args;

use super::block_on;
use super::exit::Exit;
use super::out::Form;
use crate::client::{Agency, CallError, Profile};

/// Which gateway is called, and how the answer is given: what the commands of one group have in common.
#[derive(Debug, Args)]
pub struct Session {
    #[command(flatten)]
    pub connection: Connection,
    #[command(flatten)]
    pub form: Form,
}

/// The options all client commands have.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// Profile folder, made by `truc pki issue --profile`; the options below override what it says
    #[arg(long, value_name = "DIR", env = "TRUC_PROFILE", hide_env_values = true)]
    profile: Option<PathBuf>,
    /// The gateway, https://HOST:PORT
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Certificate of the CA that issued the gateway's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Certificate of the organ, or of the operator
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// Private key of that certificate
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

impl Connection {
    /// The profile the options make up.
    pub fn profile(&self) -> Result<Profile, Exit> {
        let base = self.profile.as_deref().map(Profile::load).transpose().map_err(Exit::usage)?;
        let chosen = (
            self.endpoint.clone().or_else(|| base.as_ref().map(|base| base.endpoint.clone())),
            self.ca.clone().or_else(|| base.as_ref().map(|base| base.ca.clone())),
            self.cert.clone().or_else(|| base.as_ref().map(|base| base.cert.clone())),
            self.key.clone().or_else(|| base.as_ref().map(|base| base.key.clone())),
        );
        let (Some(endpoint), Some(ca), Some(cert), Some(key)) = chosen else {
            return Err(Exit::usage("give --profile DIR, or --endpoint, --ca, --cert and --key"));
        };
        Ok(Profile { endpoint, ca, cert, key })
    }

    /// Connects.
    pub async fn agency(&self) -> Result<Agency, Exit> {
        let connected = Agency::connect(&self.profile()?).await;
        connected.map_err(|error| if error.is_profile() { Exit::usage(error) } else { Exit::failed(error) })
    }

    /// Connects, makes one call, and gives its answer.
    pub fn call<T>(&self, call: impl AsyncFnOnce(Agency) -> Result<T, CallError>) -> Result<T, Exit> {
        block_on(async { call(self.agency().await?).await.map_err(Exit::failed) })
    }
}
