//! The ledger as the configuration says.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::StartError;
use crate::config::Config;
use crate::config::broker::Kind;
use crate::config::duty;
use crate::config::ledger::Store;
use crate::config::postgres::Tls;
use crate::domain::delivery::Policy;
use crate::domain::duty::AcknowledgedBy;
use crate::dossiers::postgres::PostgresDossiers;
use crate::dossiers::sqlite::SqliteDossiers;
use crate::dossiers::{self, DossierLog};
use crate::ledger::postgres::{self, Host, PostgresLedger};
use crate::ledger::sqlite::{self, SqliteLedger};
use crate::ledger::{Commits, Ledger};
use crate::metrics::Metrics;

/// Opens it.
pub(super) async fn ledger(
    config: &Config,
    metrics: Arc<Metrics>,
) -> Result<(Arc<dyn Ledger>, Commits), StartError> {
    Ok(match config.ledger.store {
        Store::Sqlite => {
            let (ledger, commits) = SqliteLedger::open(&sqlite_options(config), metrics)?;
            (Arc::new(ledger), commits)
        }
        Store::Postgres => {
            let (ledger, commits) = PostgresLedger::open(&postgres_options(config), metrics).await?;
            (Arc::new(ledger), commits)
        }
    })
}

/// Opens the log of dossiers, beside the ledger.
pub(super) async fn dossiers(
    config: &Config,
    metrics: Arc<Metrics>,
) -> Result<(Arc<dyn DossierLog>, dossiers::Commits), StartError> {
    let hold = config.dossiers.gap_hold;
    Ok(match config.ledger.store {
        Store::Sqlite => {
            let options = dossiers::sqlite::Options {
                path: config.dossiers.path_beside(&config.ledger.path),
                commit_batch_max: config.ledger.commit_batch_max,
                queue_max: config.ledger.queue_max,
                readers: config.ledger.readers,
                hold,
            };
            let (log, commits) = SqliteDossiers::open(&options, metrics)?;
            (Arc::new(log), commits)
        }
        Store::Postgres => {
            let options = dossiers::postgres::Options { database: postgres_options(config), hold };
            let (log, commits) = PostgresDossiers::open(&options, metrics).await?;
            (Arc::new(log), commits)
        }
    })
}

fn sqlite_options(config: &Config) -> sqlite::Options {
    sqlite::Options {
        path: config.ledger.path.clone(),
        commit_batch_max: config.ledger.commit_batch_max,
        commit_bytes_max: config.ledger.commit_bytes_max,
        queue_max: config.ledger.queue_max,
        readers: config.ledger.readers,
        mailbox_deliveries_max: config.limits.mailbox_deliveries_max,
        policy: policy(config),
        outbox: outbox(config),
    }
}

fn postgres_options(config: &Config) -> postgres::Options {
    let given = |path: &Path| Some(path.to_owned()).filter(|path| !path.as_os_str().is_empty());
    let database = &config.postgres;
    let identity: Option<(PathBuf, PathBuf)> = given(&database.cert).zip(given(&database.key));
    let hosts = database.hosts.iter().map(|host| Host { name: host.name.clone(), port: host.port });
    postgres::Options {
        node: config.gateway.node.clone(),
        hosts: hosts.collect(),
        database: database.database.clone(),
        user: database.user.clone(),
        password_file: given(&database.password_file),
        tls: match database.tls {
            Tls::VerifyFull => postgres::Tls::Verified { ca: database.ca.clone(), identity },
            Tls::Off => postgres::Tls::Off,
        },
        pool_max: database.pool_max,
        pool_wait_timeout: database.pool_wait_timeout,
        connect_timeout: database.connect_timeout,
        statement_timeout: database.statement_timeout,
        lock_timeout: database.lock_timeout,
        tcp_user_timeout: database.tcp_user_timeout,
        retry_max: database.retry_max,
        node_timeout: database.node_timeout,
        commit_batch_max: config.ledger.commit_batch_max,
        commit_bytes_max: config.ledger.commit_bytes_max,
        queue_max: config.ledger.queue_max,
        mailbox_deliveries_max: config.limits.mailbox_deliveries_max,
        policy: policy(config),
        outbox: outbox(config),
    }
}

fn policy(config: &Config) -> Policy {
    Policy {
        attempts_max: config.delivery.attempts_max,
        retry_delay_min: config.delivery.retry_delay_min,
        retry_delay_max: config.delivery.retry_delay_max,
        retry_jitter: config.delivery.retry_jitter,
        prompt_attempts: config.delivery.prompt_attempts,
        acknowledged_by: match config.duty.acknowledged_by {
            duty::AcknowledgedBy::Delivery => AcknowledgedBy::Delivery,
            duty::AcknowledgedBy::Registration => AcknowledgedBy::Registration,
        },
    }
}

/// What an outer broker has not confirmed has to be known; the embedded one reads the ledger itself.
fn outbox(config: &Config) -> bool {
    config.broker.kind == Kind::RabbitMq
}
