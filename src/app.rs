//! The gateway put together: what is started in which order, and stopped in the reverse.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::allowances;
use crate::amqp::OptionsError;
use crate::api::{self, ServeError};
use crate::bridge::Bridge;
use crate::broker::rabbit::RabbitBroker;
use crate::config::{self, Config};
use crate::delivery::{Dispatch, Stalls, Timers};
use crate::directory::{self, Directory, Versions};
use crate::domain::time::Clock;
use crate::dossiers::Tail;
use crate::duty::{Duties, HolidaysError};
use crate::identity;
use crate::identity::accept::Acceptor;
use crate::identity::tls::ServerTls;
use crate::intake::Intake;
use crate::intake::codes::{CodeMap, CodeMapError};
use crate::ledger::{self};
use crate::ledger::{postgres, sqlite};
use crate::metrics::Metrics;
use crate::ops::control::{Control, Draining};
use crate::push::Pushes;
use crate::redirect::Redirects;
use crate::submission::Desk;

mod assemble;
mod dossiers;
mod orders;
mod rabbit;
mod reload;
mod stores;
mod watch;

pub use assemble::{ambiguity, tls_files};
pub use rabbit::rabbitmq;
pub use reload::{ReloadError, read_directory};

/// Silent organs' rates are forgotten this often.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(60);

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The limits of single organs cannot be read.
    #[error(transparent)]
    Allowances(#[from] allowances::Error),
    /// The directory cannot be read.
    #[error(transparent)]
    Directory(#[from] directory::Error),
    /// The holidays cannot be read.
    #[error("duty.holidays: {0}")]
    Holidays(#[from] HolidaysError),
    /// The certificates cannot be used.
    #[error(transparent)]
    Identity(#[from] identity::Error),
    /// The ledger or the log of dossiers on SQLite cannot be opened.
    #[error(transparent)]
    Sqlite(#[from] sqlite::OpenError),
    /// The ledger on PostgreSQL cannot be opened.
    #[error(transparent)]
    Postgres(#[from] postgres::OpenError),
    /// The map of dossier codes cannot be used.
    #[error(transparent)]
    DossierCodes(#[from] CodeMapError),
    /// RabbitMQ cannot be connected to, whatever it does.
    #[error(transparent)]
    RabbitMq(#[from] OptionsError),
    /// The ledger was opened, and failed.
    #[error(transparent)]
    LedgerWork(#[from] ledger::Error),
    /// The control socket cannot be had.
    #[error("cannot open the control socket {path}, set as ops.control: {source}")]
    Control {
        /// Its file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A port cannot be had.
    #[error("cannot listen on {listen}, set as {key}: {source}")]
    Listen {
        /// The key of the configuration.
        key: &'static str,
        /// The address.
        listen: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// A gateway at work.
pub struct Gateway {
    /// Where agencies connect.
    pub address: SocketAddr,
    /// Where metrics and probes are.
    pub ops_address: SocketAddr,
    parts: Arc<Parts>,
    stop: CancellationToken,
    drain: CancellationToken,
    drain_delay: Duration,
    grace: Duration,
    serving: JoinHandle<Result<(), ServeError>>,
    background: Vec<JoinHandle<()>>,
    tasks: TaskTracker,
}

/// What can be reloaded or looked at while the gateway works.
struct Parts {
    tls: Arc<ServerTls>,
    directory: Arc<ArcSwap<Directory>>,
    versions: Arc<Versions>,
    directory_config: config::directory::Directory,
    allowance_files: Vec<PathBuf>,
    dispatch: Arc<Dispatch>,
    dossiers: Arc<Tail>,
    dossier_codes: Arc<ArcSwap<CodeMap>>,
    dossier_codes_file: PathBuf,
    rabbit: Option<Arc<RabbitBroker>>,
    redirects: Arc<Redirects>,
    pushes: Arc<Pushes>,
    duties: Arc<Duties>,
    duty_config: config::duty::Duty,
    bridge: Option<Bridge>,
}

impl Parts {
    /// Starts what goes on beside calls.
    fn tend(
        &self,
        config: &Config,
        stop: &CancellationToken,
        drain: &CancellationToken,
    ) -> Vec<JoinHandle<()>> {
        let stalls = Stalls::new(Arc::clone(&self.dispatch), config.delivery.stall_after);
        let mut tended = vec![
            tokio::spawn(stalls.run(stop.child_token())),
            tokio::spawn(Arc::clone(&self.redirects).run(stop.child_token())),
            tokio::spawn(Arc::clone(&self.pushes).run(drain.child_token())),
            tokio::spawn(Arc::clone(&self.duties).run(stop.child_token())),
        ];
        let retention = assemble::retention(config, self);
        tended.extend(retention.map(|retention| tokio::spawn(retention.run(stop.child_token()))));
        tended
    }
}

impl Gateway {
    /// Starts everything; when this returns, calls are answered.
    pub async fn start(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let (metrics, exposition) = Metrics::exported();
        let metrics = Arc::new(metrics);
        let directory = Arc::new(ArcSwap::from_pointee(read_directory(&config.directory)?));
        let files = tls_files(config);
        let tls = Arc::new(ServerTls::load(files, Arc::clone(&clock), Arc::clone(&metrics))?);
        let (ledger, commits) = stores::ledger(config, Arc::clone(&metrics)).await?;
        let dossiers = dossiers::open(config, Arc::clone(&clock), Arc::clone(&metrics)).await?;
        let (dispatch, rabbit) = assemble::dispatch(config, ledger, &directory, clock, metrics)?;
        let dispatch = Arc::new(dispatch);
        let redirects = Redirects::new(Arc::clone(&dispatch), Arc::clone(&directory), ambiguity(config));
        let tasks = TaskTracker::new();
        let pushes = assemble::pushes(config, &dispatch, &directory, &tls, &tasks);
        let mut parts = Parts {
            tls,
            versions: Arc::new(Versions::new(directory.load_full())),
            directory,
            directory_config: config.directory.clone(),
            allowance_files: config.limits.organs.clone(),
            dispatch: Arc::clone(&dispatch),
            dossiers: Arc::clone(&dossiers.tail),
            dossier_codes: Arc::new(ArcSwap::from_pointee(CodeMap::read(&config.dossiers.codes)?)),
            dossier_codes_file: config.dossiers.codes.clone(),
            rabbit,
            redirects: Arc::new(redirects),
            pushes: Arc::new(pushes),
            duties: Arc::new(Duties::new(Arc::clone(&dispatch), config.duty.grace)),
            duty_config: config.duty.clone(),
            bridge: None,
        };
        let stop = CancellationToken::new();
        let drain = stop.child_token();
        let timers = Timers::new(Arc::clone(&dispatch));
        let mut background = vec![assemble::route(&dispatch, commits, &timers)];
        let recovered = timers.recover().await?;
        let listener = bind(config.gateway.listen, "gateway.listen").await?;
        let address = local_address(&listener, "gateway.listen", config.gateway.listen)?;
        let intake = Arc::new(assemble::intake(config, &parts));
        let in_flight_bytes_max = config.limits.in_flight_bytes_max;
        let desk = Arc::new(Desk::new(Arc::clone(&intake), Arc::clone(&parts.dispatch), in_flight_bytes_max));
        let dossier_parts = dossiers::handlers(config, &parts, Arc::clone(&intake));
        if parts.rabbit.is_some() {
            parts.bridge = Some(rabbit::bridge(config, &parts, Arc::clone(&desk), &dossier_parts, &stop)?);
        }
        background.extend(dossiers.start(&stop));
        let api = assemble::api(config, &parts, desk, &tasks, &drain);
        let incoming =
            Acceptor::new(Arc::clone(&parts.tls), assemble::accept_limits(config)).incoming(listener);
        let serving = tokio::spawn(api::serve(
            api,
            dossier_parts,
            assemble::server_options(config),
            incoming,
            stop.child_token(),
        ));
        background.push(tokio::spawn(timers.run(stop.child_token())));
        background.push(tokio::spawn(housekeeping(intake, Arc::clone(&parts.tls), stop.child_token())));
        background.extend(parts.tend(config, &stop, &drain));
        let parts = Arc::new(parts);
        let control = Control::bind(&config.ops.control)
            .map_err(|source| StartError::Control { path: config.ops.control.clone(), source })?;
        let draining = Draining { drain: drain.clone(), streams: tasks.clone() };
        background.push(tokio::spawn(control.run(orders::of(&parts, draining), stop.child_token())));
        let (ops, ops_address) = watch::server(config, &parts, exposition, &drain).await?;
        background.push(tokio::spawn(watch::run(ops, stop.clone())));
        let organs = parts.directory.load().len();
        tracing::info!(%address, %ops_address, organs, recovered, "the gateway is up");
        let (drain_delay, grace) = (config.gateway.drain_delay, config.gateway.shutdown_grace);
        Ok(Self { address, ops_address, parts, stop, drain, drain_delay, grace, serving, background, tasks })
    }

    /// Loads certificates, revocation lists and the directory again. What cannot be loaded stays as it was.
    pub fn reload(&self) -> Result<(), ReloadError> {
        self.parts.reload()
    }

    /// Resolves when the gateway has failed; not before it is stopped otherwise.
    pub async fn failed(&mut self) -> String {
        match (&mut self.serving).await {
            Ok(Ok(())) => "the gRPC server ended".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// Drains the node, stops taking calls, lets those in progress end within the grace, and closes the ledger. True when all
    /// ended in time.
    pub async fn stop(self) -> bool {
        tracing::info!(grace_s = self.grace.as_secs(), "the gateway is stopping");
        self.drain.cancel();
        tokio::time::sleep(self.drain_delay).await;
        self.stop.cancel();
        self.tasks.close();
        let Self { parts, mut serving, background, tasks, grace, .. } = self;
        let orderly = tokio::time::timeout(grace, async {
            tasks.wait().await;
            let _failed = (&mut serving).await.is_err();
            if let Some(bridge) = &parts.bridge {
                bridge.stop().await;
            }
            if let Some(rabbit) = &parts.rabbit {
                rabbit.stop().await;
            }
        });
        let in_time = orderly.await.is_ok();
        serving.abort();
        for task in background {
            task.abort();
            // Over once it lets go of the ledger, cancelled or not.
            let _cancelled = task.await.is_err();
        }
        let closed = tokio::task::spawn_blocking(move || drop(parts)).await;
        tracing::info!(in_time, "the gateway has stopped");
        in_time && closed.is_ok()
    }
}

async fn housekeeping(intake: Arc<Intake>, tls: Arc<ServerTls>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(HOUSEKEEPING_INTERVAL);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        intake.forget_silent();
        // Certificates expire without anybody saying so.
        tls.recheck();
    }
}

async fn bind(listen: SocketAddr, key: &'static str) -> Result<TcpListener, StartError> {
    TcpListener::bind(listen).await.map_err(|source| StartError::Listen { key, listen, source })
}

fn local_address(
    listener: &TcpListener,
    key: &'static str,
    listen: SocketAddr,
) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|source| StartError::Listen { key, listen, source })
}
