//! The set-ups a gateway runs in: what stands beside it in each, and how it is told of it.

use std::sync::Arc;

use crate::nodes::{Postgres, RabbitMq};
use crate::site::Site;

/// What a gateway needs beside itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetUp {
    /// SQLite and the embedded broker.
    Standalone,
    /// SQLite and RabbitMQ.
    Bridge,
    /// PostgreSQL and RabbitMQ; there may be several gateways.
    ScaleOut,
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
}

/// The nodes beside the gateways, as far as the set-up has them. They end with the last who holds them.
#[derive(Clone)]
pub struct Surroundings {
    pub rabbitmq: Option<Arc<RabbitMq>>,
    pub postgres: Option<Arc<Postgres>>,
}

impl Surroundings {
    /// Tells the gateways of a site of them.
    pub fn tell(&self, site: &mut Site) {
        if let Some(rabbitmq) = &self.rabbitmq {
            site.set("broker.kind = \"rabbitmq\"");
            site.set(format!("rabbitmq.uris = [{:?}]", rabbitmq.uri()));
        }
        if let Some(postgres) = &self.postgres {
            site.set("ledger.store = \"postgres\"");
            site.set(format!("postgres.hosts = [\"127.0.0.1:{}\"]", postgres.port()));
            site.set("postgres.user = \"postgres\"");
            site.set("postgres.database = \"postgres\"");
            site.set("postgres.tls = \"off\"");
        }
    }
}

/// Stamps tests over the set-ups.
#[allow(unused_macros, reason = "not every test binary stamps its tests")]
macro_rules! in_each_set_up {
    (@in $module:ident $set_up:ident $($test:ident)*) => {
        mod $module {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                Box::pin(super::$test($crate::setup::SetUp::$set_up)).await;
            })*
        }
    };
    ($($test:ident)*) => {
        $crate::setup::in_each_set_up! { @in standalone Standalone $($test)* }
        $crate::setup::in_each_set_up! { @in bridge Bridge $($test)* }
        $crate::setup::in_each_set_up! { @in scale_out ScaleOut $($test)* }
    };
}

#[allow(unused_imports, reason = "not every test binary stamps its tests")]
pub(crate) use in_each_set_up;
