//! `[broker]`: what brings deliveries to those who serve mailboxes.

use serde::{Deserialize, Serialize};

use super::check::Flaw;
use super::ledger::{Ledger, Store};

/// Which broker there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The one inside the gateway.
    Embedded,
    /// RabbitMQ, reached as `[rabbitmq]` says.
    RabbitMq,
}

/// The broker.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// Which one.
    pub kind: Kind,
}

impl Broker {
    /// Nodes that share a ledger need a broker they share.
    pub(super) fn check(&self, ledger: &Ledger) -> Result<(), Flaw> {
        match (ledger.store, self.kind) {
            (Store::Postgres, Kind::Embedded) => Err(Flaw::new(
                "broker.kind",
                "nodes on PostgreSQL do not see each other's embedded brokers",
                "use \"rabbitmq\" with ledger.store = \"postgres\"",
            )),
            _ => Ok(()),
        }
    }
}
