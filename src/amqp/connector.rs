//! Makes one connection, within a time limit and without leaving anything behind.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lapin::tcp::{AsyncTcpStream, RustlsConnector};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{Connection, ConnectionProperties};
use socket2::{SockRef, Socket};

use super::options::{Endpoint, Options, OptionsError};

/// Why a connection was not made. Another attempt may succeed.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Password or certificates cannot be read.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The node's name is not known.
    #[error("the name cannot be resolved: {0}")]
    Resolve(io::Error),
    /// The node did not answer in time.
    #[error("no connection within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The node refused, or is not there, or is not who it should be.
    #[error("{0}")]
    Refused(String),
}

/// A connection, and the socket below it.
pub(super) struct Connected {
    pub connection: Connection,
    pub socket: SocketGuard,
}

/// Shuts the socket down when it is dropped, so that lapin's thread ends whatever it waits for.
pub(super) struct SocketGuard(Arc<OnceLock<Socket>>);

impl Drop for SocketGuard {
    fn drop(&mut self) {
        if let Some(socket) = self.0.get() {
            // It may be closed already.
            let _closed = socket.shutdown(Shutdown::Both);
        }
    }
}

/// Connects to a node. Given up, the attempt ends too.
pub(super) async fn connect(
    options: &Options,
    endpoint: &Endpoint,
    role: &'static str,
) -> Result<Connected, ConnectError> {
    let tls = match endpoint.tls {
        true => Some(RustlsConnector::from(options.client_config(&endpoint.to_string())?)),
        false => None,
    };
    let uri = uri(options, endpoint, options.password()?);
    let properties =
        ConnectionProperties::default().with_connection_name(format!("{} {role}", options.node).into());
    let runtime = lapin::runtime::default_runtime().map_err(|e| ConnectError::Refused(e.to_string()))?;
    let limit = options.connect_timeout;
    let address = resolve(endpoint, limit).await?;
    // A peer that takes nothing any more is noticed as early as one that says nothing any more.
    let user_timeout = options.heartbeat * 2;
    let (socket, host) = (Arc::new(OnceLock::new()), endpoint.host.clone());
    let guard = SocketGuard(Arc::clone(&socket));
    let connecting = Connection::connector(
        uri,
        runtime,
        async move |_: AMQPUri, runtime| {
            let opened = tokio::time::timeout(limit, async {
                let stream = AsyncTcpStream::connect(&runtime, vec![address]).await?;
                if let AsyncTcpStream::Plain(plain) = &stream {
                    let reference = SockRef::from(plain.get_ref());
                    reference.set_tcp_user_timeout(Some(user_timeout))?;
                    let _first = socket.set(reference.try_clone()?);
                }
                match &tls {
                    Some(connector) => stream.into_rustls(connector, &host).await,
                    None => Ok(stream),
                }
            });
            let late = || io::Error::new(io::ErrorKind::TimedOut, "no connection in time");
            Ok(opened.await.map_err(|_| late()).flatten()?)
        },
        properties,
    );
    match tokio::time::timeout(limit, connecting).await {
        Ok(Ok(connection)) => Ok(Connected { connection, socket: guard }),
        Ok(Err(error)) => Err(ConnectError::Refused(super::causes(&error))),
        Err(_) => Err(ConnectError::Timeout(limit)),
    }
}

async fn resolve(endpoint: &Endpoint, limit: Duration) -> Result<SocketAddr, ConnectError> {
    let looking_up = tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port));
    let found = tokio::time::timeout(limit, looking_up).await.map_err(|_| ConnectError::Timeout(limit))?;
    // One of several, by chance: each attempt may meet another.
    let addresses: Vec<_> = found.map_err(ConnectError::Resolve)?.collect();
    let unknown = || ConnectError::Resolve(io::Error::new(io::ErrorKind::NotFound, "no address"));
    fastrand::choice(addresses).ok_or_else(unknown)
}

fn uri(options: &Options, endpoint: &Endpoint, password: String) -> AMQPUri {
    AMQPUri {
        scheme: if endpoint.tls { AMQPScheme::AMQPS } else { AMQPScheme::AMQP },
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo { username: options.user.clone(), password },
            host: endpoint.host.clone(),
            port: endpoint.port,
        },
        vhost: options.vhost.clone(),
        query: AMQPQueryString {
            heartbeat: Some(u16::try_from(options.heartbeat.as_secs()).unwrap_or(u16::MAX).max(1)),
            ..AMQPQueryString::default()
        },
    }
}
