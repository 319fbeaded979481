//! The gateway's parts, made as its configuration says.

use std::num::NonZeroU32;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Parts, StartError, rabbit};
use crate::allowances::{Allowances, Rate};
use crate::api::{self, Api, ServerOptions};
use crate::broker::Broker;
use crate::broker::embedded::EmbeddedBroker;
use crate::broker::rabbit::RabbitBroker;
use crate::config::broker::Kind;
use crate::config::directory::Ambiguous;
use crate::config::{self, Config};
use crate::delivery::{
    Dispatch, Heads, HotMessages, Links, Notices, Router, Served, Strays, Timers, Windows,
};
use crate::directory::{Ambiguity, Directory};
use crate::domain::calendar::Calendar;
use crate::domain::push::Policy;
use crate::domain::time::Clock;
use crate::duty::{self, HolidaysError};
use crate::identity::accept::AcceptLimits;
use crate::identity::tls::{ServerTls, TlsFiles};
use crate::intake::{Intake, Rules};
use crate::ledger::{Commits, Ledger};
use crate::metrics::Metrics;
use crate::push::{self, Network, Pushes, Targets};
use crate::retention::Retention;
use crate::submission::Desk;

pub(super) fn dispatch(
    config: &Config,
    ledger: Arc<dyn Ledger>,
    directory: &Arc<ArcSwap<Directory>>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
) -> Result<(Dispatch, Option<Arc<RabbitBroker>>), StartError> {
    let hot = Arc::new(HotMessages::new(config.limits.hot_bytes_max as u64));
    let rabbit = match config.broker.kind {
        Kind::Embedded => None,
        Kind::RabbitMq => {
            let (ledger, hot, directory) = (Arc::clone(&ledger), Arc::clone(&hot), Arc::clone(directory));
            let (clock, metrics) = (Arc::clone(&clock), Arc::clone(&metrics));
            Some(Arc::new(rabbit::broker(config, ledger, hot, directory, clock, metrics)?))
        }
    };
    let broker: Arc<dyn Broker> = match &rabbit {
        Some(rabbit) => Arc::<RabbitBroker>::clone(rabbit),
        None => {
            let run_max = config.delivery.urgent_run_max;
            Arc::new(EmbeddedBroker::with_urgent_run_max(Arc::clone(&ledger), run_max))
        }
    };
    let (served, heads) = (Served::default(), Heads::default());
    let (strays, links, notices) = (Strays::default(), Links::default(), Notices::default());
    let calendar = Arc::new(ArcSwap::from_pointee(working_days(&config.duty)?));
    let allowances = Arc::new(ArcSwap::from_pointee(Allowances::read(&config.limits.organs)?));
    let dispatch = Dispatch {
        broker,
        ledger,
        hot,
        served,
        windows: Windows::default(),
        heads,
        strays,
        links,
        allowances,
        calendar,
        notices,
        clock,
        metrics,
    };
    Ok((dispatch, rabbit))
}

pub(super) fn route(dispatch: &Arc<Dispatch>, commits: Commits, timers: &Timers) -> JoinHandle<()> {
    tokio::spawn(Router::new(Arc::clone(dispatch), commits, timers.alarm()).run())
}

pub(super) fn intake(config: &Config, parts: &Parts) -> Intake {
    let rules = Rules {
        payload_bytes_max: config.limits.payload_bytes_max,
        ttl: config.delivery.ttl,
        rate: rate(config),
        step_rate: at_least_one(config.dossiers.steps_per_s, config.dossiers.steps_burst),
        ambiguity: ambiguity(config),
    };
    let Dispatch { allowances, calendar, clock, .. } = &*parts.dispatch;
    let (allowances, calendar) = (Arc::clone(allowances), Arc::clone(calendar));
    Intake::new(rules, Arc::clone(&parts.directory), allowances, calendar, Arc::clone(clock))
}

/// How fast organs may submit of which nothing else is said.
fn rate(config: &Config) -> Rate {
    at_least_one(config.limits.rate_per_s, config.limits.rate_burst)
}

fn at_least_one(per_s: u32, burst: u32) -> Rate {
    let [per_s, burst] = [per_s, burst].map(|number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN));
    Rate { per_s, burst }
}

pub(super) fn pushes(
    config: &Config,
    dispatch: &Arc<Dispatch>,
    directory: &Arc<ArcSwap<Directory>>,
    tls: &Arc<ServerTls>,
    tasks: &TaskTracker,
) -> Pushes {
    let networks = |networks: &[config::push::Network]| {
        networks.iter().map(|network| Network(network.address, network.prefix)).collect()
    };
    let push = &config.push;
    let options = push::Options {
        policy: Policy {
            retry_delay_min: push.retry_delay_min,
            retry_delay_max: push.retry_delay_max,
            retry_jitter: push.retry_jitter,
            faults_max: push.faults_max,
            wish_max: push.retry_wish_max,
        },
        window_bytes: push.window_bytes as u64,
        targets: Arc::new(Targets { allow: networks(&push.allow), deny: networks(&push.deny) }),
    };
    Pushes::new(Arc::clone(dispatch), Arc::clone(directory), Arc::clone(tls), options, tasks.clone())
}

pub(super) fn api(
    config: &Config,
    parts: &Parts,
    desk: Arc<Desk>,
    tasks: &TaskTracker,
    drain: &CancellationToken,
) -> Arc<Api> {
    let limits = api::Limits {
        payload_bytes_max: config.limits.payload_bytes_max,
        stream_window: config.limits.stream_window,
        collect_window_bytes: config.limits.collect_window_bytes as u64,
        streams_per_organ_max: config.limits.streams_per_organ_max,
        mailbox_deliveries_max: config.limits.mailbox_deliveries_max,
        rate: rate(config),
        ambiguity: ambiguity(config),
    };
    let (dispatch, directory) = (Arc::clone(&parts.dispatch), Arc::clone(&parts.directory));
    let directory = (directory, Arc::clone(&parts.versions));
    let targets = Arc::clone(parts.pushes.targets());
    Arc::new(Api::new(desk, dispatch, directory, limits, targets, tasks.clone(), drain.clone()))
}

/// What removes payloads; none where they are kept for good.
pub(super) fn retention(config: &Config, parts: &Parts) -> Option<Retention> {
    let Dispatch { ledger, clock, metrics, .. } = &*parts.dispatch;
    let body_after = Some(config.retention.body_after).filter(|after| !after.is_zero())?;
    Some(Retention::new(Arc::clone(ledger), Arc::clone(clock), Arc::clone(metrics), body_after))
}

/// The working days as the configuration says.
pub fn working_days(duty: &config::duty::Duty) -> Result<Calendar, HolidaysError> {
    let day_end_s = duty.day_end_s().expect("the configuration is checked");
    duty::read(&duty.holidays, day_end_s)
}

/// Where documents go that several organs could get.
pub fn ambiguity(config: &Config) -> Ambiguity {
    match config.directory.ambiguous {
        Ambiguous::Handler => Ambiguity::Handler,
        Ambiguous::Refuse => Ambiguity::Refuse,
    }
}

/// Where the certificates of a configuration are.
pub fn tls_files(config: &Config) -> TlsFiles {
    TlsFiles {
        certificate: config.tls.cert.clone(),
        key: config.tls.key.clone(),
        client_ca: config.tls.client_ca.clone(),
        crls: config.tls.crls.clone(),
        tls12: config.tls.allow_tls12,
    }
}

pub(super) fn accept_limits(config: &Config) -> AcceptLimits {
    AcceptLimits {
        handshake_timeout: config.tls.handshake_timeout,
        handshakes_max: config.tls.handshakes_max,
        connections_max: config.tls.connections_max,
        ..AcceptLimits::default()
    }
}

pub(super) fn server_options(config: &Config) -> ServerOptions {
    ServerOptions {
        calls_per_connection_max: config.gateway.calls_per_connection_max,
        keepalive_interval: config.gateway.keepalive_interval,
        keepalive_timeout: config.gateway.keepalive_timeout,
    }
}
