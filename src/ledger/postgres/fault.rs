//! What can go wrong with the database while the ledger is open, and whether trying again may help.

use std::error::Error as _;

use tokio_postgres::error::SqlState;

/// Why something could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// PostgreSQL says no, or the connection failed.
    #[error("{}", told(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// No answer in time.
    #[error("the database did not answer in time")]
    Timeout,
    /// No connection of the pool could be had.
    #[error("no connection to the database: {0}")]
    Pool(String),
    /// A row holds what this program never writes.
    #[error("the ledger's table holds no valid {0}")]
    Invalid(&'static str),
    /// Rows are not as they were read under the locks.
    #[error("{found} rows were changed by {statement} where there must be {expected}")]
    Rows {
        /// The statement.
        statement: &'static str,
        /// How many there must be.
        expected: usize,
        /// How many there were.
        found: u64,
    },
    /// An organ's number is not the one known: another database answers under the name.
    #[error("the database does not know the organs it knew before")]
    Unfamiliar,
    /// This node was taken off the list of nodes.
    #[error("this node was silent too long and was taken off the list of nodes")]
    TakenOff,
    /// The server would not keep what it confirms.
    #[error("the database server runs with {setting} = {value}; the ledger needs it on")]
    Unsafe {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: String,
    },
}

impl Fault {
    /// True when the same may succeed a moment later.
    pub fn passes(&self) -> bool {
        match self {
            Self::Postgres(error) => match error.code() {
                Some(code) => passing(code),
                None => is_of_connection(error),
            },
            Self::Timeout | Self::Pool(_) | Self::Unfamiliar | Self::TakenOff | Self::Unsafe { .. } => true,
            Self::Invalid(_) | Self::Rows { .. } => false,
        }
    }

    /// True when the connection it happened on is of no use any more.
    pub fn ends_connection(&self) -> bool {
        match self {
            Self::Postgres(error) => match error.code() {
                // The server is going away, or has become a replica.
                Some(code) => code.code().starts_with("57P") || *code == SqlState::READ_ONLY_SQL_TRANSACTION,
                None => is_of_connection(error),
            },
            Self::Timeout | Self::Unsafe { .. } => true,
            Self::Pool(_) | Self::Invalid(_) | Self::Rows { .. } | Self::Unfamiliar | Self::TakenOff => false,
        }
    }

    /// True when somebody else's lock was in the way.
    pub fn is_lock(&self) -> bool {
        matches!(self, Self::Postgres(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE))
    }
}

/// Serialization failures and deadlocks, lost connections, a server that starts, stops or changed its role, timeouts.
fn passing(code: &SqlState) -> bool {
    let class = &code.code()[..2];
    matches!(class, "40" | "08" | "57" | "53")
        || [SqlState::LOCK_NOT_AVAILABLE, SqlState::READ_ONLY_SQL_TRANSACTION].contains(code)
        || *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
}

fn is_of_connection(error: &tokio_postgres::Error) -> bool {
    error.is_closed() || error.source().is_some_and(|cause| cause.is::<std::io::Error>())
}

/// An error with what lies behind it: PostgreSQL's own words, without the values of the statement.
pub(crate) fn told(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(db), _) => format!("{} ({})", db.message(), db.code().code()),
        (None, Some(cause)) => format!("{error}: {cause}"),
        (None, None) => error.to_string(),
    }
}
