//! How the ledger is reached and kept.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::Tls;
use crate::domain::delivery::Policy;

/// A place where the database may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// A name, an address, or the folder of a Unix socket, which begins with `/`.
    pub name: String,
    /// The port.
    pub port: u16,
}

impl Host {
    /// True when it is this machine.
    pub fn is_local(&self) -> bool {
        let address: Option<IpAddr> = self.name.parse().ok();
        self.name.starts_with('/') || self.name == "localhost" || address.is_some_and(|a| a.is_loopback())
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.name, self.port)
    }
}

/// How a PostgreSQL ledger is reached and kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// This node's name; no other node at work may have it.
    pub node: String,
    /// Where the database may be. The one that can be written is used.
    pub hosts: Vec<Host>,
    /// The database.
    pub database: String,
    /// Its user; the tables are this user's.
    pub user: String,
    /// The file of the password, where one is asked for.
    pub password_file: Option<PathBuf>,
    /// How connections are protected.
    pub tls: Tls,
    /// How many readers work at a time.
    pub pool_max: usize,
    /// How long a reader waits for its turn.
    pub pool_wait_timeout: Duration,
    /// What connecting to one host may take.
    pub connect_timeout: Duration,
    /// What one statement may take.
    pub statement_timeout: Duration,
    /// How long one statement waits for other nodes' locks.
    pub lock_timeout: Duration,
    /// What was sent and is not acknowledged in this time ends a connection.
    pub tcp_user_timeout: Duration,
    /// How long a commit is tried again before its callers are told that it failed.
    pub retry_max: Duration,
    /// A node that is silent this long counts as gone.
    pub node_timeout: Duration,
    /// Most operations in one commit.
    pub commit_batch_max: usize,
    /// Most payload bytes in one commit, beyond which it takes no further operation.
    pub commit_bytes_max: usize,
    /// Most operations waiting for a commit; beyond it callers wait.
    pub queue_max: usize,
    /// Most open deliveries of one recipient.
    pub mailbox_deliveries_max: u64,
    /// How retries go.
    pub policy: Policy,
    /// Keeps what becomes ready until [`published`](crate::ledger::Ledger::published) says the broker has it.
    pub outbox: bool,
}
