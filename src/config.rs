//! The configuration: `config/truc.default.toml`, overridden by a file, overridden by the environment. The only place that reads
//! the environment.

pub mod bridge;
pub mod broker;
mod check;
pub mod delivery;
pub mod directory;
pub mod dossiers;
mod duration;
pub mod duty;
pub mod error;
pub mod gateway;
mod layer;
pub mod ledger;
pub mod limits;
pub mod log;
pub mod ops;
pub mod postgres;
pub mod push;
pub mod rabbitmq;
pub mod retention;
pub mod tls;

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use self::error::{Error, Origin};

use self::check::Flaw;
use self::layer::{Known, Override};

/// The configuration file the program carries: every key, its default and what it means.
pub const DEFAULT_TOML: &str = include_str!("../config/truc.default.toml");

/// What the environment variables that override a key begin with.
pub const ENVIRONMENT_PREFIX: &str = "TRUC__";

/// Everything an operator can set, checked: each value and their relations are as `config/truc.default.toml` promises.
///
/// A secret never is a value here; it stands in a file whose path is. So all of this can be printed.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where agencies connect.
    pub gateway: gateway::Gateway,
    /// Certificates, and how connections are taken.
    pub tls: tls::Tls,
    /// The durable store.
    pub ledger: ledger::Ledger,
    /// The database of a ledger that several nodes share.
    pub postgres: postgres::Postgres,
    /// What brings deliveries to those who serve mailboxes.
    pub broker: broker::Broker,
    /// The broker outside the gateway.
    pub rabbitmq: rabbitmq::RabbitMq,
    /// Retries and expiry.
    pub delivery: delivery::Delivery,
    /// How long what was exchanged is kept.
    pub retention: retention::Retention,
    /// The duty to acknowledge.
    pub duty: duty::Duty,
    /// What one organ or one request may take up.
    pub limits: limits::Limits,
    /// Agencies attached by AMQP.
    pub bridge: bridge::Bridge,
    /// Endpoints of agencies that are brought their mail.
    pub push: push::Push,
    /// Where the organs are read from.
    pub directory: directory::Directory,
    /// The log of dossiers.
    pub dossiers: dossiers::Dossiers,
    /// Metrics and probes.
    pub ops: ops::Ops,
    /// The log.
    pub log: log::Log,
}

impl Config {
    /// Reads the defaults, the file where one is given, and those variables of `env` that begin with `TRUC__`. The later
    /// override the earlier, key by key.
    pub fn load(path: Option<&Path>, env: impl Iterator<Item = (String, String)>) -> Result<Self, Error> {
        let known = Known::of(default_table());
        let mut overrides = match path {
            Some(file) => layer::of_file(file, &known)?,
            None => Vec::new(),
        };
        overrides.extend(layer::of_environment(env, &known)?);
        Self::assemble(&overrides)
    }

    /// The configuration as TOML, every key.
    pub fn render(&self) -> String {
        self.to_string()
    }

    /// Lays the overrides over the defaults one at a time, so that a bad value is known by its key and place.
    fn assemble(overrides: &[Override]) -> Result<Self, Error> {
        let mut table = default_table();
        let mut config = Self::default();
        for this in overrides {
            this.lay_over(&mut table);
            config = Self::deserialize(table.clone()).map_err(|error| this.refuse(error.message()))?;
        }
        config.check().map_err(|flaw| flaw.found_in(overrides))?;
        Ok(config)
    }

    fn check(&self) -> Result<(), Flaw> {
        self.gateway.check()?;
        self.tls.check()?;
        self.ledger.check()?;
        self.broker.check(&self.ledger)?;
        self.postgres.check(self.ledger.store)?;
        self.rabbitmq.check(&self.broker, &self.limits)?;
        self.delivery.check()?;
        self.retention.check()?;
        self.duty.check()?;
        self.limits.check()?;
        self.bridge.check(&self.broker, &self.rabbitmq, &self.limits)?;
        self.push.check()?;
        self.directory.check()?;
        self.dossiers.check()?;
        self.ops.check(self.gateway.listen)?;
        self.log.check()
    }
}

impl Default for Config {
    /// The defaults of `config/truc.default.toml`.
    fn default() -> Self {
        toml::from_str(DEFAULT_TOML).expect("config/truc.default.toml is complete; a test reads it")
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&toml::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// The process's environment, for [`Config::load`]. Of values that are not UTF-8, what is not is replaced.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
}

/// Where this program is, for commands somebody can paste.
pub fn program() -> std::path::PathBuf {
    std::env::current_exe().unwrap_or_else(|_| "truc".into())
}

fn default_table() -> toml::Table {
    toml::from_str(DEFAULT_TOML).expect("config/truc.default.toml is TOML; a test reads it")
}

#[cfg(test)]
mod tests;
