//! `[postgres]`: the database of a ledger that several nodes share.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::check::{self, Flaw};
use super::duration;
use super::ledger::Store;

/// How connections to the database are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Tls {
    /// By TLS; the server's certificate is verified against `ca` and its host's name.
    #[serde(rename = "verify-full")]
    VerifyFull,
    /// Not at all; only to this machine.
    #[serde(rename = "off")]
    Off,
}

/// The PostgreSQL ledger.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    /// Where the database may be.
    pub hosts: Vec<Host>,
    /// The database.
    pub database: String,
    /// Its user.
    pub user: String,
    /// The file of the user's password; empty without one.
    pub password_file: PathBuf,
    /// How connections are protected.
    pub tls: Tls,
    /// The authorities of the server's certificate, PEM.
    pub ca: PathBuf,
    /// The gateway's certificate for the database, PEM; empty without one.
    pub cert: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// Connections that read.
    pub pool_max: usize,
    /// Waiting for one of them.
    #[serde(with = "duration")]
    pub pool_wait_timeout: Duration,
    /// Connecting to one host.
    #[serde(with = "duration")]
    pub connect_timeout: Duration,
    /// One statement.
    #[serde(with = "duration")]
    pub statement_timeout: Duration,
    /// Waiting for other nodes' locks.
    #[serde(with = "duration")]
    pub lock_timeout: Duration,
    /// Bytes sent and not acknowledged.
    #[serde(with = "duration")]
    pub tcp_user_timeout: Duration,
    /// Trying a commit again.
    #[serde(with = "duration")]
    pub retry_max: Duration,
    /// Silence of a node.
    #[serde(with = "duration")]
    pub node_timeout: Duration,
}

/// A place where the database may be: `host:port`, `[::1]:port`, or the folder of a Unix socket and the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// A name, an address without brackets, or a folder.
    pub name: String,
    /// The port.
    pub port: u16,
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        let (name, port) = text.rsplit_once(':')?;
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        let name = match bare {
            Some(bare) => bare.parse::<IpAddr>().is_ok().then_some(bare)?,
            None if name.starts_with('/') || !name.contains(':') => name,
            None => return None,
        };
        let port = port.parse().ok().filter(|port| *port != 0)?;
        (!name.is_empty()).then(|| Self { name: name.to_owned(), port })
    }

    fn is_local(&self) -> bool {
        let address: Option<IpAddr> = self.name.parse().ok();
        self.name.starts_with('/') || self.name == "localhost" || address.is_some_and(|a| a.is_loopback())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.contains(':') && !self.name.starts_with('/') {
            true => write!(f, "[{}]:{}", self.name, self.port),
            false => write!(f, "{}:{}", self.name, self.port),
        }
    }
}

impl Serialize for Host {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Host {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::custom(format!(
                "\"{text}\" is no place of a database; write it like \"db1.example.vn:5432\""
            ))
        })
    }
}

impl Postgres {
    /// The bounds hold always; whether the rest is complete matters only where this store is used.
    pub(super) fn check(&self, store: Store) -> Result<(), Flaw> {
        let (ms, s) = (Duration::from_millis, Duration::from_secs);
        check::number("postgres.pool_max", self.pool_max, 1..=256)?;
        check::time("postgres.pool_wait_timeout", self.pool_wait_timeout, ms(100)..=s(60))?;
        check::time("postgres.connect_timeout", self.connect_timeout, ms(100)..=s(60))?;
        check::time("postgres.statement_timeout", self.statement_timeout, s(1)..=s(600))?;
        check::time("postgres.lock_timeout", self.lock_timeout, ms(100)..=self.statement_timeout)?;
        check::time("postgres.tcp_user_timeout", self.tcp_user_timeout, s(1)..=s(120))?;
        check::time("postgres.retry_max", self.retry_max, ms(100)..=s(60))?;
        check::time("postgres.node_timeout", self.node_timeout, s(2)..=s(300))?;
        if store == Store::Postgres { self.check_use() } else { Ok(()) }
    }

    fn check_use(&self) -> Result<(), Flaw> {
        if self.hosts.is_empty() {
            return Err(Flaw::new("postgres.hosts", "there is no host", "name at least one host and port"));
        }
        for (key, name) in [("postgres.database", &self.database), ("postgres.user", &self.user)] {
            if name.is_empty() {
                return Err(Flaw::new(key, "the name is empty", "name it"));
            }
        }
        match self.tls {
            Tls::VerifyFull => self.check_tls(),
            Tls::Off => match self.hosts.iter().find(|host| !host.is_local()) {
                None => Ok(()),
                Some(host) => Err(Flaw::new(
                    "postgres.tls",
                    format!("the connection to {host} would not be encrypted"),
                    "write \"verify-full\" and give `postgres.ca`; \"off\" is for a database on this machine",
                )),
            },
        }
    }

    fn check_tls(&self) -> Result<(), Flaw> {
        check::path("postgres.ca", &self.ca)?;
        if let Some(host) = self.hosts.iter().find(|host| host.name.starts_with('/')) {
            return Err(Flaw::new(
                "postgres.hosts",
                format!("{host} is a Unix socket, which has no TLS"),
                "write `tls = \"off\"` for a database on this machine",
            ));
        }
        match self.cert.as_os_str().is_empty() {
            true => Ok(()),
            false => check::path("postgres.key", &self.key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn hosts_are_read_and_written() {
        for (text, name, port) in [
            ("db1.example.vn:5432", "db1.example.vn", 5432),
            ("127.0.0.1:1", "127.0.0.1", 1),
            ("[::1]:5432", "::1", 5432),
            ("/run/postgresql:5432", "/run/postgresql", 5432),
        ] {
            let host = Host::parse(text).unwrap();
            assert_eq!((host.name.as_str(), host.port), (name, port));
            assert_eq!(host.to_string(), text);
        }
        for text in ["", "db1", "db1:", ":5432", "db1:0", "db1:65536", "::1:5432", "[db1]:5432"] {
            assert_eq!(Host::parse(text), None, "{text}");
        }
    }

    #[test]
    fn nothing_leaves_the_machine_in_plain_text() {
        let mut postgres = Config::default().postgres;
        let said = |postgres: &Postgres| format!("{:?}", postgres.check(Store::Postgres));
        postgres.ca = "ca.pem".into();
        assert_eq!(said(&postgres), "Ok(())");
        postgres.tls = Tls::Off;
        assert_eq!(said(&postgres), "Ok(())", "the default host is this machine");
        for host in ["localhost:1", "[::1]:1", "/run/postgresql:1"] {
            postgres.hosts = vec![Host::parse(host).unwrap()];
            assert_eq!(said(&postgres), "Ok(())", "{host}");
        }
        postgres.hosts.push(Host::parse("10.0.0.7:5432").unwrap());
        assert!(said(&postgres).contains("would not be encrypted"));
        assert!(postgres.check(Store::Sqlite).is_ok(), "nobody connects there");
    }
}
