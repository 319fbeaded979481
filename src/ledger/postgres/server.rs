//! The database server: how it is reached, and what a connection to it is set to.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_postgres::Connect;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, StreamExt};
use tokio::task::JoinHandle;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault::Fault;
use super::{OpenError, Options, tls};

/// A server that is silent this long on an idle connection is asked whether it is there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
/// Asked again this often, this many times.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(3);
const KEEPALIVE_RETRIES: u32 = 3;
/// A transaction that waits this long for its node to go on is undone: the node is gone, and others wait for its locks.
const IDLE_IN_TRANSACTION_MAX: Duration = Duration::from_secs(3);

/// What comes from the server unasked: notifications, until the connection ends.
pub(crate) type Unasked = BoxStream<'static, Result<AsyncMessage, tokio_postgres::Error>>;

/// The servers one of which is the one that writes.
#[derive(Clone)]
pub(crate) struct Server {
    hosts: Arc<[Config]>,
    tls: Option<MakeRustlsConnect>,
    /// The host that took the last connection, to be asked first.
    last: Arc<AtomicUsize>,
    connect_timeout: Duration,
}

impl Server {
    /// The servers of these options. Reads the password and the certificates.
    pub fn new(options: &Options) -> Result<Self, OpenError> {
        let tls = tls::connector(&options.tls)?;
        if tls.is_none()
            && let Some(host) = options.hosts.iter().find(|host| !host.is_local())
        {
            return Err(OpenError::Plaintext { host: host.to_string() });
        }
        let password = match &options.password_file {
            Some(path) => Some(
                std::fs::read_to_string(path)
                    .map_err(|source| OpenError::Password { path: path.clone(), source })?,
            ),
            None => None,
        };
        let config = |host: &super::Host| {
            let mut config = session(options, tls.is_some());
            config.host(&host.name).port(host.port);
            if let Some(password) = &password {
                config.password(password.trim_end_matches(['\r', '\n']));
            }
            config
        };
        let hosts = options.hosts.iter().map(config).collect();
        Ok(Self { hosts, tls, last: Arc::default(), connect_timeout: options.connect_timeout })
    }

    /// A connection to the host that writes; whoever holds the second half must read from it for the first to work.
    pub async fn connect(&self) -> Result<(Client, Unasked), Fault> {
        let first = self.last.load(Ordering::Relaxed);
        let mut fault = Fault::Timeout;
        for place in 0..self.hosts.len() {
            let place = (first + place) % self.hosts.len();
            match tokio::time::timeout(self.connect_timeout, self.connect_to(&self.hosts[place])).await {
                Ok(Ok(connected)) => {
                    self.last.store(place, Ordering::Relaxed);
                    return Ok(connected);
                }
                Ok(Err(error)) => fault = error.into(),
                Err(_) => fault = Fault::Timeout,
            }
        }
        Err(fault)
    }

    /// A connection that is read from by a task of its own. It ends with the task's handle dropped.
    pub async fn connect_quiet(&self) -> Result<(Client, Reading), Fault> {
        let (client, mut unasked) = self.connect().await?;
        let reading = tokio::spawn(async move { while let Some(Ok(_)) = unasked.next().await {} });
        Ok((client, Reading(reading)))
    }

    async fn connect_to(&self, host: &Config) -> Result<(Client, Unasked), tokio_postgres::Error> {
        match self.tls.clone() {
            Some(tls) => connect_with(host, tls).await,
            None => connect_with(host, NoTls).await,
        }
    }

    /// The configuration of the pool; which host it is, [`Connect`] decides.
    pub fn any_host(&self) -> Config {
        self.hosts[0].clone()
    }
}

impl Connect for Server {
    fn connect(&self, _: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), tokio_postgres::Error>> {
        let place = self.last.load(Ordering::Relaxed);
        async move {
            let (client, mut unasked) = self.connect_to(&self.hosts[place]).await?;
            let reading = tokio::spawn(async move { while let Some(Ok(_)) = unasked.next().await {} });
            Ok((client, reading))
        }
        .boxed()
    }
}

/// The task that reads from a connection.
#[derive(Debug)]
pub(crate) struct Reading(JoinHandle<()>);

impl Reading {
    /// The task, which ends with this.
    pub fn of(task: JoinHandle<()>) -> Self {
        Self(task)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn connect_with<T>(host: &Config, tls: T) -> Result<(Client, Unasked), tokio_postgres::Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, mut connection) = host.connect(tls).await?;
    let unasked = futures_util::stream::poll_fn(move |cx| Pin::new(&mut connection).poll_message(cx));
    Ok((client, unasked.boxed()))
}

/// What every connection is set to, whatever the server's own settings are.
fn session(options: &Options, tls: bool) -> Config {
    let mut config = Config::new();
    let ms = |time: Duration| time.as_millis();
    config
        .user(&options.user)
        .dbname(&options.database)
        .application_name(format!("truc/{}", options.node))
        .ssl_mode(if tls { SslMode::Require } else { SslMode::Disable })
        // Of several hosts, the one that writes.
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        .connect_timeout(options.connect_timeout)
        .keepalives(true)
        .keepalives_idle(KEEPALIVE_IDLE)
        .keepalives_interval(KEEPALIVE_INTERVAL)
        .keepalives_retries(KEEPALIVE_RETRIES)
        // What was sent and is not acknowledged in this time ends the connection, at either end.
        .tcp_user_timeout(options.tcp_user_timeout)
        .options(format!(
            "-c statement_timeout={} -c lock_timeout={} -c idle_in_transaction_session_timeout={} \
             -c tcp_user_timeout={} -c tcp_keepalives_idle={} -c tcp_keepalives_interval={} \
             -c tcp_keepalives_count={KEEPALIVE_RETRIES} -c default_transaction_isolation=read\\ committed \
             -c client_min_messages=warning {PLANS}",
            ms(options.statement_timeout),
            ms(options.lock_timeout),
            ms(IDLE_IN_TRANSACTION_MAX),
            ms(options.tcp_user_timeout),
            KEEPALIVE_IDLE.as_secs(),
            KEEPALIVE_INTERVAL.as_secs(),
        ));
    config
}

/// Every statement has an index made for it. Plans follow the indexes whatever the statistics of a table that was empty a
/// moment ago say, and are made once for each connection.
const PLANS: &str = "-c plan_cache_mode=force_generic_plan -c jit=off -c enable_seqscan=off \
    -c enable_hashjoin=off -c enable_mergejoin=off";

/// Refuses a server that would not keep what it confirms.
pub(crate) async fn check(client: &Client) -> Result<(), Fault> {
    // server.settings
    let row = client
        .query_one(
            "SELECT current_setting('synchronous_commit'), current_setting('fsync'),
                 current_setting('full_page_writes')",
            &[],
        )
        .await?;
    for (place, setting) in ["synchronous_commit", "fsync", "full_page_writes"].into_iter().enumerate() {
        let value: String = row.try_get(place)?;
        if value == "off" {
            return Err(Fault::Unsafe { setting, value });
        }
    }
    Ok(())
}
