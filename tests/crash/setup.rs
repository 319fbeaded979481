//! The set-ups there are trials of: what stands beside the gateways, and how they are told of it.

use std::sync::Arc;

use crate::nodes::{Postgres, RabbitMq};
use crate::support::Site;

/// What a gateway needs beside itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetUp {
    /// SQLite and the embedded broker.
    Standalone,
    /// SQLite and RabbitMQ.
    Bridge,
    /// PostgreSQL and RabbitMQ, and more than one gateway.
    ScaleOut,
}

/// Retries come soon, so that there are many; none is ever given up; no sender is held back.
const SETTINGS: [&str; 5] = [
    "delivery.retry_delay_min = \"30ms\"",
    "delivery.retry_delay_max = \"300ms\"",
    "delivery.attempts_max = 100000",
    "limits.rate_per_s = 1000000",
    "limits.rate_burst = 1000000",
];

/// The gateways of the scale-out set-up.
const NODES: [&str; 2] = ["a", "b"];

/// The nodes beside the gateways, as far as the set-up has them.
pub struct Surroundings {
    pub rabbitmq: Option<Arc<RabbitMq>>,
    pub postgres: Option<Arc<Postgres>>,
}

impl SetUp {
    /// Starts what stands beside the gateways.
    pub fn surroundings(self) -> Surroundings {
        let (rabbitmq, postgres) = match self {
            Self::Standalone => (false, false),
            Self::Bridge => (true, false),
            Self::ScaleOut => (true, true),
        };
        Surroundings {
            rabbitmq: rabbitmq.then(|| Arc::new(RabbitMq::start())),
            postgres: postgres.then(|| Arc::new(Postgres::start())),
        }
    }

    /// Reasons for which a call may fail while parts are killed: the ledger is another's process where it is PostgreSQL's.
    pub fn tolerated(self) -> &'static [&'static str] {
        match self {
            Self::Standalone | Self::Bridge => &[],
            Self::ScaleOut => &["LEDGER_UNAVAILABLE"],
        }
    }

    /// The places of the gateways.
    pub fn sites(self, around: &Surroundings) -> Vec<Site> {
        let mut site = Site::new(&SETTINGS);
        if let Some(rabbitmq) = &around.rabbitmq {
            site.set("broker.kind = \"rabbitmq\"");
            site.set(format!("rabbitmq.uris = [{:?}]", rabbitmq.uri()));
        }
        let Some(postgres) = &around.postgres else { return vec![site] };
        site.set("ledger.store = \"postgres\"");
        site.set(format!("postgres.hosts = [\"127.0.0.1:{}\"]", postgres.port()));
        site.set("postgres.user = \"postgres\"");
        site.set("postgres.database = \"postgres\"");
        site.set("postgres.tls = \"off\"");
        // A node that was killed is taken off soon.
        site.set("postgres.node_timeout = \"3s\"");
        let named = |name: &&str| {
            let mut site = site.beside(name);
            site.set(format!("gateway.node = {name:?}"));
            site
        };
        NODES.iter().map(named).collect()
    }
}
