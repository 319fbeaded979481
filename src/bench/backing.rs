//! What the nodes of a deployment stand on together: names at a RabbitMQ node, a database. Made for the deployment, removed after it.

use std::path::Path;
use std::time::Duration;

use super::amqp::Quarters;
use super::error::Error;
use super::options::Options;
use super::postgres::Database;
use super::set_up::SetUp;
use crate::config::Config;
use crate::domain::time::{Clock, SystemClock};

/// The longest that removing may take after a measurement was broken off.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(60);

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

/// A place at each server a set-up needs. What is still there when it is dropped is removed as well as that goes.
pub struct Backing {
    quarters: Option<Quarters>,
    database: Option<Database>,
    organs: Vec<String>,
}

impl Backing {
    /// Makes what the set-up needs for these organs.
    pub async fn make(set_up: SetUp, servers: Servers<'_>, organs: &[String]) -> Result<Self, Error> {
        let name = format!("bench-{:x}", SystemClock.now().as_micros());
        let rabbitmq = servers.rabbitmq.filter(|_| set_up.has_rabbitmq());
        let database = match servers.postgres.filter(|_| set_up.has_postgres()) {
            Some(url) => Some(Database::create(url, &name).await?),
            None => None,
        };
        let quarters = rabbitmq.map(|url| Quarters::new(url, &name));
        Ok(Self { quarters, database, organs: organs.to_vec() })
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
    pub async fn remove(mut self) -> Result<(), Error> {
        let (quarters, database) = (self.quarters.take(), self.database.take());
        remove(quarters, database, &self.organs).await
    }
}

async fn remove(
    quarters: Option<Quarters>,
    database: Option<Database>,
    organs: &[String],
) -> Result<(), Error> {
    let deleted = match quarters {
        Some(quarters) => quarters.delete(organs).await,
        None => Ok(()),
    };
    match database {
        Some(database) => database.drop().await.and(deleted),
        None => deleted,
    }
}

impl Drop for Backing {
    /// A measurement was broken off.
    fn drop(&mut self) {
        let (quarters, database) = (self.quarters.take(), self.database.take());
        if quarters.is_none() && database.is_none() {
            return;
        }
        let organs = std::mem::take(&mut self.organs);
        let removing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            // What cannot be removed is only in the way.
            let Ok(runtime) = runtime else { return };
            let _left = runtime.block_on(async {
                tokio::time::timeout(REMOVAL_TIMEOUT, remove(quarters, database, &organs)).await.is_err()
            });
        });
        let _panicked = removing.join().is_err();
    }
}
