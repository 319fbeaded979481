//! A connection that comes back: made again with growing, jittered delays until it is told to stop.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff};
use futures_util::StreamExt;
use lapin::{Channel, Connection, ErrorKind, Event};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::connector::{Connected, connect};
use super::options::{Endpoint, Options, OptionsError};
use super::tasks::Tasks;
use crate::metrics::Metrics;

/// The longest wait for RabbitMQ to say goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How a connection stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Not connected; why, once an attempt has failed or a connection was lost.
    Down(Option<Arc<str>>),
    /// Connected, for the so manieth time.
    Up(u64),
    /// Connected for the so manieth time, but RabbitMQ takes no messages, and why.
    Blocked(u64, Arc<str>),
    /// Told to stop; it will not come back.
    Stopped,
}

/// There is no channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The link was told to stop.
    #[error("the connection to RabbitMQ is closed")]
    Stopped,
    /// The connection has as many channels as RabbitMQ allows.
    #[error("RabbitMQ allows no more channels on this connection")]
    TooManyChannels,
}

/// A supervised connection. Clones are the same connection.
#[derive(Clone)]
pub struct Link {
    shared: Arc<Shared>,
}

struct Shared {
    role: &'static str,
    options: Options,
    state: watch::Sender<State>,
    connection: Mutex<Option<(u64, Arc<Connection>)>>,
    suspected: watch::Sender<u64>,
}

impl Link {
    /// Starts connecting. `role` is what the connection is for, as RabbitMQ shows it beside the node's name.
    pub fn start(
        options: Options,
        role: &'static str,
        metrics: Arc<Metrics>,
        tasks: &Tasks,
    ) -> Result<Self, OptionsError> {
        let endpoints = options.endpoints()?;
        let link = Self {
            shared: Arc::new(Shared {
                role,
                options,
                state: watch::channel(State::Down(None)).0,
                connection: Mutex::default(),
                suspected: watch::channel(0).0,
            }),
        };
        let supervisor = Supervisor { shared: Arc::clone(&link.shared), endpoints, metrics, epoch: 0 };
        tasks.spawn(supervisor.run(tasks.stop_token()));
        Ok(link)
    }

    /// What the connection is for.
    pub fn role(&self) -> &'static str {
        self.shared.role
    }

    /// How it was made.
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// How it stands, now and later.
    pub fn state(&self) -> watch::Receiver<State> {
        self.shared.state.subscribe()
    }

    /// A new channel. Waits until the connection is up, or told to stop.
    pub async fn channel(&self) -> Result<Channel, Lost> {
        self.open().await.map(|(_, channel)| channel)
    }

    /// Waits until the connection is up and not blocked, for how manieth time is given.
    pub async fn up(&self) -> Result<u64, Lost> {
        let mut state = self.state();
        let up = state.wait_for(|state| matches!(state, State::Up(_) | State::Stopped)).await;
        match up.as_deref() {
            Ok(State::Up(epoch)) => Ok(*epoch),
            Ok(_) | Err(_) => Err(Lost::Stopped),
        }
    }

    /// A new channel, and for how manieth time the connection is up.
    pub(crate) async fn open(&self) -> Result<(u64, Channel), Lost> {
        loop {
            let epoch = self.up().await?;
            let Some(connection) = self.shared.connection_of(epoch) else {
                // Lost this moment; the state is about to say so.
                tokio::task::yield_now().await;
                continue;
            };
            let opening = connection.create_channel();
            match tokio::time::timeout(self.shared.options.connect_timeout, opening).await {
                Ok(Ok(channel)) => return Ok((epoch, channel)),
                Ok(Err(error)) if matches!(error.kind(), ErrorKind::ChannelsLimitReached) => {
                    return Err(Lost::TooManyChannels);
                }
                Ok(Err(_)) | Err(_) => self.suspect(epoch).await,
            }
        }
    }

    /// Something on the connection took far too long or broke: it is given up, and made again.
    pub(crate) async fn suspect(&self, epoch: u64) {
        self.shared.suspected.send_modify(|suspected| *suspected = epoch.max(*suspected));
        let gone = |state: &State| match state {
            State::Up(now) | State::Blocked(now, _) => *now > epoch,
            State::Down(_) | State::Stopped => true,
        };
        let mut state = self.state();
        let _closed = state.wait_for(gone).await;
    }
}

impl Shared {
    fn connection_of(&self, epoch: u64) -> Option<Arc<Connection>> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        connection.as_ref().filter(|(of, _)| *of == epoch).map(|(_, connection)| Arc::clone(connection))
    }

    fn set_connection(&self, connection: Option<(u64, Arc<Connection>)>) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = connection;
    }
}

struct Supervisor {
    shared: Arc<Shared>,
    endpoints: Vec<Endpoint>,
    metrics: Arc<Metrics>,
    epoch: u64,
}

impl Supervisor {
    async fn run(mut self, stop: CancellationToken) {
        let mut delays = self.delays();
        let mut at = 0;
        let mut told = String::new();
        while !stop.is_cancelled() {
            let endpoint = self.endpoints[at % self.endpoints.len()].clone();
            let shared = Arc::clone(&self.shared);
            let connecting = connect(&shared.options, &endpoint, shared.role);
            let connected = tokio::select! {
                () = stop.cancelled() => break,
                connected = connecting => connected,
            };
            match connected {
                Ok(connected) => {
                    told.clear();
                    let since = Instant::now();
                    self.serve(connected, &endpoint, &stop).await;
                    if since.elapsed() > self.shared.options.reconnect_delay_max {
                        delays = self.delays();
                    }
                }
                Err(error) => {
                    at += 1;
                    let why = error.to_string();
                    // Each attempt fails alike, and is worth one line.
                    if why != told {
                        tracing::warn!(%endpoint, role = self.shared.role, why, "RabbitMQ is not reached; trying on");
                    }
                    self.shared.state.send_replace(State::Down(Some(why.as_str().into())));
                    told = why;
                }
            }
            let delay = delays.next().unwrap_or(self.shared.options.reconnect_delay_max);
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(delay) => {}
            }
        }
        self.shared.state.send_replace(State::Stopped);
    }

    fn delays(&self) -> ExponentialBackoff {
        self.shared.options.delays().build()
    }

    /// Keeps one connection until it is lost or told to stop.
    async fn serve(&mut self, connected: Connected, endpoint: &Endpoint, stop: &CancellationToken) {
        let Connected { connection, socket } = connected;
        let events = connection.events_listener();
        let connection = Arc::new(connection);
        self.epoch += 1;
        let (epoch, role) = (self.epoch, self.shared.role);
        if epoch > 1 {
            self.metrics.broker_reconnects.increment(1);
        }
        self.metrics.broker_connected.increment(1.0);
        self.shared.set_connection(Some((epoch, Arc::clone(&connection))));
        self.shared.state.send_replace(State::Up(epoch));
        tracing::info!(%endpoint, role, "connected to RabbitMQ");
        let why = tokio::select! {
            () = stop.cancelled() => None,
            why = self.watch(epoch, events) => Some(why),
        };
        self.shared.set_connection(None);
        self.metrics.broker_connected.decrement(1.0);
        match why {
            Some(why) => {
                tracing::warn!(%endpoint, role, why, "the connection to RabbitMQ is lost");
                self.shared.state.send_replace(State::Down(Some(why.into())));
            }
            None => {
                let closing = connection.close(200, "the gateway is stopping".into());
                let _unanswered = tokio::time::timeout(CLOSE_TIMEOUT, closing).await;
            }
        }
        drop(connection);
        drop(socket);
    }

    /// Follows what the connection tells; returns why it is lost.
    async fn watch(
        &self,
        epoch: u64,
        events: impl futures_util::Stream<Item = Event> + Send + 'static,
    ) -> String {
        let mut events = std::pin::pin!(events);
        let mut suspected = self.shared.suspected.subscribe();
        let mut blocked_at: Option<Instant> = None;
        loop {
            let suspicion = suspected.wait_for(|suspected| *suspected >= epoch);
            let event = tokio::select! {
                event = events.next() => event,
                _ = suspicion => return "it does not answer".to_owned(),
                () = tokio::time::sleep(Duration::from_secs(1)), if blocked_at.is_some() => {
                    self.count_blocked(&mut blocked_at);
                    continue;
                }
            };
            match event {
                Some(Event::ConnectionBlocked(why)) => {
                    tracing::warn!(role = self.shared.role, why, "RabbitMQ takes no messages for now");
                    blocked_at.get_or_insert_with(Instant::now);
                    self.shared.state.send_replace(State::Blocked(epoch, why.into()));
                }
                Some(Event::ConnectionUnblocked) => {
                    self.count_blocked(&mut blocked_at);
                    blocked_at = None;
                    tracing::info!(role = self.shared.role, "RabbitMQ takes messages again");
                    self.shared.state.send_replace(State::Up(epoch));
                }
                Some(Event::Error(error)) if super::refusal(&error).is_none() => {
                    self.count_blocked(&mut blocked_at);
                    return super::causes(&error);
                }
                // A channel's own business.
                Some(_) => {}
                None => return "it ended".to_owned(),
            }
        }
    }

    fn count_blocked(&self, blocked_at: &mut Option<Instant>) {
        if let Some(since) = blocked_at {
            self.metrics.broker_blocked_seconds.increment(since.elapsed().as_secs_f64());
            *blocked_at = Some(Instant::now());
        }
    }
}
