//! From a listening socket to connections of known peers: accepting never stops, no caller waits for another's
//! handshake, and everything that could pile up has a limit.

mod conn;
mod refused;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::live::Room;
use super::peer::Peer;
use super::tls::{Loaded, ServerTls, witnessed};
use crate::metrics::HandshakeResult;
pub use conn::Conn;
use refused::Refused;

/// Finished connections that may wait for the server to take them.
const READY_MAX: usize = 64;
/// First and longest wait after the machine could not accept, for want of file descriptors for instance.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Above this share of the handshakes there may be, each gets this fraction of the time.
const CROWDED_AT: usize = 2;
const CROWDED_FRACTION: u32 = 5;

/// What one listener allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptLimits {
    /// Longest handshake. When more than half of `handshakes_max` are under way, a fifth of it.
    pub handshake_timeout: Duration,
    /// Most handshakes at a time; further callers wait in the kernel's queue.
    pub handshakes_max: usize,
    /// Most connections at a time; further callers are refused.
    pub connections_max: usize,
    /// Most connections at a time with one certificate; further ones are refused.
    pub connections_per_certificate_max: usize,
    /// A connection without traffic is probed by TCP after this time.
    pub keepalive: Duration,
}

impl Default for AcceptLimits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(5),
            handshakes_max: 1_024,
            connections_max: 10_000,
            connections_per_certificate_max: 256,
            keepalive: Duration::from_secs(60),
        }
    }
}

/// Accepts callers by TLS.
#[derive(Clone, Debug)]
pub struct Acceptor {
    tls: Arc<ServerTls>,
    limits: AcceptLimits,
}

/// The connections of one listener, each after a successful handshake. Never ends and never fails by itself;
/// dropping it closes the listener and ends the handshakes under way.
#[derive(Debug)]
pub struct Incoming {
    ready: Receiver<Conn>,
}

impl Stream for Incoming {
    type Item = io::Result<Conn>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.ready.poll_recv(cx).map(|conn| conn.map(Ok))
    }
}

impl Acceptor {
    /// An acceptor for any number of listeners; the limits hold for each, those on connections for all that share `tls`.
    pub fn new(tls: Arc<ServerTls>, limits: AcceptLimits) -> Self {
        Self { tls, limits }
    }

    /// Starts accepting. Must be called within a tokio runtime.
    pub fn incoming(self, listener: TcpListener) -> Incoming {
        let (sender, ready) = mpsc::channel(READY_MAX);
        tokio::spawn(self.run(listener, sender));
        Incoming { ready }
    }

    async fn run(self, listener: TcpListener, ready: Sender<Conn>) {
        let slots = Arc::new(Semaphore::new(self.limits.handshakes_max));
        let mut pause = PAUSE_MIN;
        loop {
            let next = async {
                let slot = Arc::clone(&slots).acquire_owned().await.expect("the semaphore is never closed");
                (slot, listener.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                biased;
                () = ready.closed() => return,
                next = next => next,
            };
            match accepted {
                Ok((tcp, address)) => {
                    pause = PAUSE_MIN;
                    let limit = self.patience(slots.available_permits());
                    self.start(tcp, address, limit, slot, &ready);
                }
                Err(e) if concerns_one_caller(&e) => {}
                Err(e) => {
                    tracing::error!(error = %e, ?pause, "no connection can be accepted; trying again after a pause");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    /// How long a handshake may take when so many slots are free: callers that send nothing must not be able to
    /// hold all of them for the whole time.
    fn patience(&self, free: usize) -> Duration {
        match free < self.limits.handshakes_max / CROWDED_AT {
            true => self.limits.handshake_timeout / CROWDED_FRACTION,
            false => self.limits.handshake_timeout,
        }
    }

    fn start(
        &self,
        tcp: TcpStream,
        address: SocketAddr,
        limit: Duration,
        slot: OwnedSemaphorePermit,
        ready: &Sender<Conn>,
    ) {
        if self.tls.connections() >= self.limits.connections_max {
            return Refused::full(self.limits.connections_max).report(address, None, self.tls.metrics());
        }
        if let Err(e) = set_options(&tcp, self.limits.keepalive) {
            return tracing::debug!(peer = %address, error = %e, "the caller was gone before the handshake");
        }
        let (this, ready) = (self.clone(), ready.clone());
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = ready.closed() => {}
                () = this.shake_hands(tcp, address, limit, &ready) => {}
            }
            drop(slot);
        });
    }

    async fn shake_hands(&self, tcp: TcpStream, address: SocketAddr, limit: Duration, ready: &Sender<Conn>) {
        let loaded = self.tls.current();
        let handshake = TlsAcceptor::from(Arc::clone(&loaded.config)).accept(tcp);
        let (result, presented) = witnessed(tokio::time::timeout(limit, handshake)).await;
        let admitted = match result {
            Ok(Ok(stream)) => self.admit(stream, address, &loaded),
            Ok(Err(e)) => Err(Refused::by_tls(&e)),
            Err(_) => Err(Refused::timed_out(limit)),
        };
        match admitted {
            Ok(conn) => {
                self.tls.metrics().handshakes.of(HandshakeResult::Accepted).increment(1);
                tracing::debug!(peer = %address, subject = conn.peer().subject, role = %conn.peer().role, "connected");
                // The server is gone when this fails, and the connection with it.
                let _ = ready.send(conn).await;
            }
            Err(refused) => refused.report(address, presented.as_ref(), self.tls.metrics()),
        }
    }

    fn admit(
        &self,
        stream: TlsStream<TcpStream>,
        address: SocketAddr,
        then: &Arc<Loaded>,
    ) -> Result<Conn, Refused> {
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let leaf = chain.first().ok_or_else(Refused::without_certificate)?;
        let peer = Arc::new(Peer::of(leaf).map_err(|e| Refused::other(&e))?);
        let room = Room {
            connections: self.limits.connections_max,
            of_one_certificate: self.limits.connections_per_certificate_max,
        };
        let place = self.tls.live().admit(&peer, address, chain, room).map_err(|e| Refused::other(&e))?;
        // Certificates reloaded during the handshake looked through the connections before this one was among them.
        self.tls.verify_since(then, chain).map_err(|e| Refused::by_certificate(&e))?;
        Ok(Conn::new(stream, peer, place))
    }
}

/// True for errors of `accept` that say nothing about the next caller (accept(2), "Error handling").
fn concerns_one_caller(e: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(
        e.kind(),
        ConnectionAborted
            | ConnectionReset
            | Interrupted
            | TimedOut
            | HostUnreachable
            | NetworkUnreachable
            | NetworkDown
    )
}

fn set_options(tcp: &TcpStream, keepalive: Duration) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let probes =
        socket2::TcpKeepalive::new().with_time(keepalive).with_interval(keepalive / 4).with_retries(4);
    socket2::SockRef::from(tcp).set_tcp_keepalive(&probes)
}
