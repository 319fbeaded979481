//! A database of one's own at a PostgreSQL server for the gateways of one measurement, dropped afterwards.

use std::path::Path;

use tokio_postgres::config::Host as Place;
use tokio_postgres::{Client, NoTls};

use super::error::Error;
use super::secret;
use crate::config::Config;
use crate::config::ledger::Store;
use crate::config::postgres::{Host, Tls};

/// Where a URL names no port.
const PORT: u16 = 5_432;

/// A database.
pub struct Database {
    server: tokio_postgres::Config,
    name: String,
}

impl Database {
    /// Makes it.
    pub async fn create(url: &str, name: &str) -> Result<Self, Error> {
        let server = url.parse().map_err(postgres)?;
        let database = Self { server, name: name.replace(['-', '.'], "_") };
        database.run(&format!("CREATE DATABASE {}", database.name)).await?;
        Ok(database)
    }

    /// Has a gateway keep its ledger here; the password is put into a file of the folder.
    pub fn configure(&self, config: &mut Config, folder: &Path) -> Result<(), Error> {
        let hosts = self.server.get_hosts().iter().map(|host| match host {
            Place::Tcp(name) => name.clone(),
            Place::Unix(folder) => folder.display().to_string(),
        });
        let port = self.server.get_ports().first().copied().unwrap_or(PORT);
        config.ledger.store = Store::Postgres;
        let settings = &mut config.postgres;
        settings.hosts = hosts.map(|name| Host { name, port }).collect();
        settings.database.clone_from(&self.name);
        settings.user = self.server.get_user().unwrap_or("postgres").to_owned();
        settings.tls = Tls::Off;
        if let Some(password) = self.server.get_password() {
            settings.password_file = secret(folder, "postgres.password", &String::from_utf8_lossy(password))?;
        }
        Ok(())
    }

    /// Drops it, whoever is connected.
    pub async fn drop(self) -> Result<(), Error> {
        self.run(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).await
    }

    async fn run(&self, statement: &str) -> Result<(), Error> {
        let (client, connection): (Client, _) = self.server.connect(NoTls).await.map_err(postgres)?;
        let reading = tokio::spawn(connection);
        let done = client.batch_execute(statement).await.map_err(postgres);
        drop(client);
        // It ends with the client.
        let _ended = reading.await.is_err();
        done
    }
}

fn postgres(error: tokio_postgres::Error) -> Error {
    let told = error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string);
    Error::Postgres(told)
}
