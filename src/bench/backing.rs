//! What the nodes of a deployment stand on together: names at a RabbitMQ node, a database. Made for the deployment, removed after it.

use std::path::Path;

use super::amqp::Quarters;
use super::error::Error;
use super::options::Options;
use super::postgres::Database;
use super::set_up::SetUp;
use crate::config::Config;
use crate::domain::time::{Clock, SystemClock};

/// The servers a set-up can use.
#[derive(Clone, Copy, Debug)]
pub struct Servers<'a> {
    /// A RabbitMQ node.
    pub rabbitmq: Option<&'a str>,
    /// A PostgreSQL server.
    pub postgres: Option<&'a str>,
}

impl<'a> Servers<'a> {
    /// Those that are named.
    pub fn of(options: &'a Options) -> Self {
        Self { rabbitmq: options.rabbitmq.as_deref(), postgres: options.postgres.as_deref() }
    }
}

/// A place at each server a set-up needs.
pub struct Backing {
    quarters: Option<Quarters>,
    database: Option<Database>,
}

impl Backing {
    /// Makes what the set-up needs.
    pub async fn make(set_up: SetUp, servers: Servers<'_>) -> Result<Self, Error> {
        let name = format!("bench-{:x}", SystemClock.now().as_micros());
        let rabbitmq = servers.rabbitmq.filter(|_| set_up.has_rabbitmq());
        let database = match servers.postgres.filter(|_| set_up.has_postgres()) {
            Some(url) => Some(Database::create(url, &name).await?),
            None => None,
        };
        Ok(Self { quarters: rabbitmq.map(|url| Quarters::new(url, &name)), database })
    }

    /// Has a node stand on it.
    pub fn configure(&self, config: &mut Config, folder: &Path) -> Result<(), Error> {
        if let Some(quarters) = &self.quarters {
            quarters.configure(config, folder)?;
        }
        match &self.database {
            Some(database) => database.configure(config, folder),
            None => Ok(()),
        }
    }

    /// Removes it, once its nodes are gone.
    pub async fn remove(self, organs: &[String]) -> Result<(), Error> {
        let deleted = match &self.quarters {
            Some(quarters) => quarters.delete(organs).await,
            None => Ok(()),
        };
        if let Some(database) = self.database {
            database.drop().await?;
        }
        deleted
    }
}
