//! RabbitMQ as the configuration says: how it is reached, the broker on it, and the bridge to agencies attached by AMQP.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use super::{Parts, StartError, ambiguity, dossiers};
use crate::amqp::topology::{QueueLimits, Topology};
use crate::amqp::{Names, Options, TlsFiles};
use crate::api::DossierParts;
use crate::bridge::{Bridge, BridgeOptions, Deliveries, Dossiers};
use crate::broker::rabbit::{self, Pointers, RabbitBroker};
use crate::config::Config;
use crate::delivery::HotMessages;
use crate::directory::Directory;
use crate::domain::time::Clock;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::submission::Desk;

/// How RabbitMQ is reached, and what is declared there.
pub fn rabbitmq(config: &Config) -> (Options, Topology) {
    let given = |path: &Path| Some(path.to_owned()).filter(|path| !path.as_os_str().is_empty());
    let rabbitmq = &config.rabbitmq;
    let own: Option<(PathBuf, PathBuf)> = given(&rabbitmq.cert).zip(given(&rabbitmq.key));
    let options = Options {
        uris: rabbitmq.uris.clone(),
        vhost: rabbitmq.vhost.clone(),
        user: rabbitmq.user.clone(),
        password_file: given(&rabbitmq.password_file),
        tls: given(&rabbitmq.ca).map(|ca| TlsFiles { ca, own }),
        heartbeat: rabbitmq.heartbeat,
        connect_timeout: rabbitmq.connect_timeout,
        reconnect_delay_min: rabbitmq.reconnect_delay_min,
        reconnect_delay_max: rabbitmq.reconnect_delay_max,
        confirm_timeout: rabbitmq.confirm_timeout,
        node: config.gateway.node.clone(),
    };
    let limits = QueueLimits {
        delivery_limit: rabbitmq.delivery_limit,
        mailbox_length_max: rabbitmq.mailbox_length_max,
    };
    (options, Topology { names: Names::with_prefix(&rabbitmq.name_prefix), limits })
}

/// The broker on RabbitMQ.
pub(super) fn broker(
    config: &Config,
    ledger: Arc<dyn Ledger>,
    hot: Arc<HotMessages>,
    directory: Arc<ArcSwap<Directory>>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
) -> Result<RabbitBroker, StartError> {
    let (connection, topology) = rabbitmq(config);
    let pointers = Box::new(Pointers);
    let lease = config.rabbitmq.lease;
    let packer =
        Deliveries::new(pointers, Arc::clone(&ledger), hot, directory, clock, Arc::clone(&metrics), lease);
    let options = rabbit::Options {
        connection,
        topology,
        prefetch: config.rabbitmq.prefetch,
        retry_delay: config.rabbitmq.retry_delay,
        urgent_run_max: config.delivery.urgent_run_max,
    };
    Ok(RabbitBroker::start(options, ledger, Arc::new(packer), metrics)?)
}

/// The bridge to agencies attached by AMQP.
pub(super) fn bridge(
    config: &Config,
    parts: &Parts,
    desk: Arc<Desk>,
    log: &DossierParts,
    stop: &CancellationToken,
) -> Result<Bridge, StartError> {
    let (amqp, topology) = rabbitmq(config);
    let options = BridgeOptions {
        amqp,
        topology,
        prefetch: config.bridge.prefetch,
        message_bytes_max: config.bridge.message_bytes_max,
        lease: config.rabbitmq.lease,
        stall_after: config.delivery.stall_after,
    };
    let dossiers = Dossiers {
        tail: Arc::clone(&log.tail),
        desk: Arc::clone(&log.desk),
        grants: Arc::clone(&log.grants),
        rule: ambiguity(config),
        wanted: config.bridge.dossier_queues.iter().map(dossiers::grant).collect(),
        queue_length: config.bridge.dossier_queue_length,
        exchange: config.bridge.dossier_exchange,
    };
    let directory = Arc::clone(&parts.directory);
    Ok(Bridge::start(options, Arc::clone(&parts.dispatch), desk, dossiers, directory, stop)?)
}
