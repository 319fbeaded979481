//! Why a measurement could not be made.

use std::fmt::Display;
use std::io;
use std::path::PathBuf;

use crate::identity;
use crate::identity::{client, pki};

/// Why a measurement could not be made. What it found wrong is no error but its verdict.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was asked for cannot be.
    #[error("{0}")]
    Impossible(String),
    /// A file or a process.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// What the system says.
        source: io::Error,
    },
    /// The gateway that was started is not up.
    #[error("the gateway did not come up: {reason}; its log is {log}")]
    NotUp {
        /// What is known.
        reason: String,
        /// Its log.
        log: PathBuf,
    },
    /// A certificate cannot be made.
    #[error(transparent)]
    Pki(#[from] pki::Error),
    /// A certificate cannot be used.
    #[error(transparent)]
    Identity(#[from] identity::Error),
    /// No connection to the gateway.
    #[error(transparent)]
    Connect(#[from] client::Error),
    /// A call ended.
    #[error("{what} of {organ}: {reason}")]
    Call {
        /// The call.
        what: &'static str,
        /// The caller.
        organ: String,
        /// Why.
        reason: String,
    },
    /// The RabbitMQ node.
    #[error("RabbitMQ: {0}")]
    Amqp(String),
    /// The PostgreSQL server.
    #[error("PostgreSQL: {0}")]
    Postgres(String),
    /// A client process.
    #[error("client process {number}: {reason}")]
    Client {
        /// Which one.
        number: usize,
        /// Why it is of no more use.
        reason: String,
    },
    /// A line between the processes.
    #[error("not a line this program writes: {0}")]
    Line(#[from] serde_json::Error),
}

impl Error {
    /// For `map_err`: something the system was asked for.
    pub fn system(what: impl Display) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what: what.to_string(), source }
    }

    /// A call of an organ that ended.
    pub fn call(what: &'static str, organ: &str, reason: impl Display) -> Self {
        Self::Call { what, organ: organ.to_owned(), reason: reason.to_string() }
    }
}
