//! The ways a gateway is set up. Agencies see no difference; what it costs is measured here.

use serde::{Serialize, Serializer};

/// A way to set up a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetUp {
    /// SQLite and the embedded broker: one process and nothing beside it.
    Standalone,
    /// SQLite and RabbitMQ: one node, to which agencies can attach by AMQP.
    Bridge,
    /// PostgreSQL and RabbitMQ.
    ScaleOut {
        /// Gateway nodes.
        nodes: usize,
    },
}

impl SetUp {
    /// Its name, with the number of its nodes where there can be several.
    pub fn name(self) -> String {
        match self {
            Self::Standalone => "standalone".to_owned(),
            Self::Bridge => "bridge".to_owned(),
            Self::ScaleOut { nodes: 1 } => "scale-out, 1 node".to_owned(),
            Self::ScaleOut { nodes } => format!("scale-out, {nodes} nodes"),
        }
    }

    /// What it is made of.
    pub fn made_of(self) -> &'static str {
        match self {
            Self::Standalone => "SQLite, embedded broker",
            Self::Bridge => "SQLite, RabbitMQ",
            Self::ScaleOut { .. } => "PostgreSQL, RabbitMQ",
        }
    }

    /// How many gateway nodes it has.
    pub fn nodes(self) -> usize {
        match self {
            Self::Standalone | Self::Bridge => 1,
            Self::ScaleOut { nodes } => nodes,
        }
    }

    /// Whether its broker is RabbitMQ.
    pub fn has_rabbitmq(self) -> bool {
        self != Self::Standalone
    }

    /// Whether its ledger is in PostgreSQL.
    pub fn has_postgres(self) -> bool {
        matches!(self, Self::ScaleOut { .. })
    }
}

impl Serialize for SetUp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}
