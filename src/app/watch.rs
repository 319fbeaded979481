//! What an operator sees of a gateway: its readiness, and the figures that are looked up when they are asked for.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use super::{Parts, StartError};
use crate::config::Config;
use crate::config::ledger::Store;
use crate::delivery::Dispatch;
use crate::domain::delivery::State;
use crate::domain::time::Timestamp;
use crate::dossiers::{Lag, Place, Tail};
use crate::identity;
use crate::ledger;
use crate::metrics::{OpenState, per_object};
use crate::ops::probes;
use crate::ops::readiness::Readiness;
use crate::ops::server::Server;

/// Something due this long ago means that the timers stand still.
const OVERDUE_MAX: Duration = Duration::from_secs(30);

/// The listener of metrics and probes, and where it listens.
pub async fn server(
    config: &Config,
    parts: &Parts,
    exposition: PrometheusHandle,
    drain: &CancellationToken,
) -> Result<(Server, SocketAddr), StartError> {
    let (dispatch, dossiers) = (Arc::clone(&parts.dispatch), Arc::clone(&parts.dossiers));
    let body_after = config.retention.body_after;
    let refresh = move || {
        let (dispatch, dossiers) = (Arc::clone(&dispatch), Arc::clone(&dossiers));
        async move {
            refresh(&dispatch, body_after).await;
            refresh_dossiers(&dispatch, &dossiers).await;
        }
    };
    let listen = config.ops.listen;
    let unheard = |source| StartError::Listen { key: "ops.listen", listen, source };
    let readiness = readiness(config, parts, drain);
    let server = Server::bind(listen, exposition, readiness, refresh).await.map_err(unheard)?;
    let address = server.local_addr().map_err(unheard)?;
    let (dispatch, dossiers) = (Arc::clone(&parts.dispatch), Arc::clone(&parts.dossiers));
    let server = server.per_object(move || {
        let (dispatch, dossiers) = (Arc::clone(&dispatch), Arc::clone(&dossiers));
        async move {
            let mailboxes = mailboxes(&dispatch).await;
            let consumers = consumers(&dispatch, &dossiers).await;
            mailboxes.and_then(|page| Ok(page + &consumers?)).map_err(|error| error.to_string())
        }
    });
    Ok((server, address))
}

/// Answers there until told to stop.
pub async fn run(server: Server, stop: CancellationToken) {
    if let Err(error) = server.run(async move { stop.cancelled().await }).await {
        tracing::error!(%error, "the listener of metrics and probes failed");
    }
}

async fn mailboxes(dispatch: &Dispatch) -> Result<String, ledger::Error> {
    let now = dispatch.clock.now();
    let mut served: HashMap<_, _> =
        dispatch.served.look().into_iter().map(|look| (look.organ, look.collectors as u64)).collect();
    let open = dispatch.ledger.mailboxes().await?.into_iter().map(|tally| per_object::Mailbox {
        consumers: served.remove(&tally.organ).unwrap_or(0),
        organ: tally.organ.to_string(),
        ready: tally.ready,
        unacked: tally.in_flight,
        waiting: tally.waiting,
        dead: tally.dead,
        overdue: tally.overdue,
        oldest: tally.oldest.map_or(Duration::ZERO, |at| now.since(at)),
    });
    let mut mailboxes: Vec<_> = open.collect();
    mailboxes.extend(served.into_iter().map(|(organ, consumers)| per_object::Mailbox {
        organ: organ.to_string(),
        consumers,
        ..per_object::Mailbox::default()
    }));
    Ok(per_object::render(&mailboxes))
}

async fn consumers(dispatch: &Dispatch, dossiers: &Tail) -> Result<String, ledger::Error> {
    let (now, log) = (dispatch.clock.now(), dossiers.log());
    let (known, head) = (log.followers().await?, log.head().await?);
    let mut consumers = Vec::with_capacity(known.len());
    for Place { consumer, share, position } in known.into_iter().map(|known| known.place) {
        let lag = Lag::of(log.as_ref(), head, position).await?;
        consumers.push(per_object::Consumer {
            organ: consumer.organ.to_string(),
            name: consumer.name,
            share: share.index,
            behind: lag.events,
            behind_for: lag.since.map_or(Duration::ZERO, |since| now.since(since)),
        });
    }
    Ok(per_object::render_consumers(&consumers))
}

fn readiness(config: &Config, parts: &Parts, drain: &CancellationToken) -> Readiness {
    let folder = config.ledger.path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.map_or_else(|| PathBuf::from("."), Path::to_owned);
    let own = config.ledger.store == Store::Sqlite;
    let floor = config.ledger.disk_free_bytes_min;
    let certificate = config.tls.cert.clone();
    let [writable, clocked, progressing, keyed, connected] = [(); 5].map(|()| Arc::clone(&parts.dispatch));
    let (drain, dossiers) = (drain.clone(), Arc::clone(&parts.dossiers));
    Readiness::new()
        .check("ledger_writable", move || {
            let dispatch = Arc::clone(&writable);
            async move { dispatch.ledger.probe().await.map_err(|error| error.to_string()) }
        })
        .check("dossiers_writable", move || {
            let dossiers = Arc::clone(&dossiers);
            async move { dossiers.log().probe().await.map_err(|error| error.to_string()) }
        })
        .check("disk_above_floor", move || {
            // A database of its own watches its own disk.
            let checked = if own { probes::disk_above_floor(&folder, floor) } else { Ok(()) };
            async move { checked }
        })
        .check("clock_sane", move || {
            let dispatch = Arc::clone(&clocked);
            async move {
                let tally = dispatch.ledger.tally().await.map_err(|error| error.to_string())?;
                probes::clock_sane(dispatch.clock.now(), tally.newest.unwrap_or(Timestamp::EPOCH))
            }
        })
        .check("delivery_progressing", move || {
            let dispatch = Arc::clone(&progressing);
            async move { progressing_check(&dispatch).await }
        })
        .check("keys_loaded", move || {
            let checked = certificate_good(&certificate, keyed.clock.now());
            async move { checked }
        })
        .check("not_draining", move || {
            let draining = drain.is_cancelled();
            async move { if draining { Err("the node is being taken out of service".to_owned()) } else { Ok(()) } }
        })
        // Without the broker submissions are still taken and kept.
        .watch("broker_connected", move || {
            let health = connected.broker.health();
            async move { health }
        })
}

async fn progressing_check(dispatch: &Dispatch) -> Result<(), String> {
    let due = dispatch.ledger.next_due().await.map_err(|error| error.to_string())?;
    let overdue = due.map_or(Duration::ZERO, |due| dispatch.clock.now().since(due));
    match overdue > OVERDUE_MAX {
        true => Err(format!("a delivery is due for {} s and nothing was done about it", overdue.as_secs())),
        false => Ok(()),
    }
}

fn certificate_good(certificate: &Path, now: Timestamp) -> Result<(), String> {
    let facts = identity::inspect(certificate).map_err(|error| error.to_string())?;
    match now < facts.not_after {
        true => Ok(()),
        false => Err(format!("the gateway's certificate {} has expired", certificate.display())),
    }
}

async fn refresh(dispatch: &Dispatch, body_after: Duration) {
    let metrics = &dispatch.metrics;
    metrics.hot_bytes.set(dispatch.hot.bytes() as f64);
    // A failure is in the log; the figures stay as they were.
    let Ok(tally) = dispatch.ledger.tally().await else { return };
    let shown = [
        (State::Queued, OpenState::Queued),
        (State::InFlight, OpenState::InFlight),
        (State::Waiting, OpenState::Waiting),
        (State::Dead, OpenState::Dead),
    ];
    for (state, label) in shown {
        let count = tally.open.iter().find(|(open, _)| *open == state).map_or(0, |(_, count)| *count);
        metrics.deliveries_open.of(label).set(count as f64);
    }
    metrics.deliveries_overdue.set(tally.overdue as f64);
    let age = tally.oldest_open.map_or(Duration::ZERO, |at| dispatch.clock.now().since(at));
    metrics.deliveries_oldest_open.set(age.as_secs_f64());
    let (Ok(kept_since), Ok(bytes)) = (dispatch.ledger.kept_since().await, dispatch.ledger.bytes().await)
    else {
        return;
    };
    metrics.ledger_bytes.set(bytes as f64);
    let due = kept_since.filter(|_| !body_after.is_zero()).map(|since| since.plus(body_after));
    metrics.retention_overdue.set(due.map_or(0.0, |due| dispatch.clock.now().since(due).as_secs_f64()));
}

async fn refresh_dossiers(dispatch: &Dispatch, dossiers: &Tail) {
    let (metrics, now) = (&dispatch.metrics, dispatch.clock.now());
    let log = dossiers.log();
    // A failure is in the log; the figures stay as they were.
    let (Ok(tally), Ok(known)) = (log.tally().await, log.followers().await) else { return };
    let held = tally.oldest_held.map_or(Duration::ZERO, |at| now.since(at));
    metrics.dossier_steps_held.set(tally.held as f64);
    metrics.dossier_oldest_held.set(held.as_secs_f64());
    let last = known.iter().map(|known| known.place.position).min().unwrap_or(tally.head);
    let Ok(lag) = Lag::of(log.as_ref(), tally.head, last).await else { return };
    metrics.dossier_lag_events.set(lag.events as f64);
    metrics.dossier_lag_seconds.set(lag.since.map_or(0.0, |since| now.since(since).as_secs_f64()));
}
