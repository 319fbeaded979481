//! An organ's way to gateways that die and come back elsewhere.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use truc::identity::client::{ClientFiles, ClientTls, connect};

use crate::site::{Agency, Site};

/// Between two tries to connect to a gateway that has just died.
const RECONNECT_DELAY: Duration = Duration::from_millis(5);
/// A connection that served less than this is not made again at once, but after a delay that doubles up to a longest one.
const SHORT: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_millis(320);

/// Where the gateways are.
#[derive(Clone)]
pub struct Switchboard {
    addresses: watch::Sender<Vec<Option<SocketAddr>>>,
    turn: Arc<AtomicUsize>,
}

impl Switchboard {
    /// None of so many gateways is up yet.
    pub fn new(gateways: usize) -> Self {
        Self { addresses: watch::channel(vec![None; gateways]).0, turn: Arc::default() }
    }

    pub fn up(&self, place: usize, address: SocketAddr) {
        self.addresses.send_modify(|all| all[place] = Some(address));
    }

    pub fn down(&self, place: usize) {
        self.addresses.send_modify(|all| all[place] = None);
    }

    /// A gateway that is up, if possible another one than this.
    async fn another(&self, than: Option<SocketAddr>) -> SocketAddr {
        let mut addresses = self.addresses.subscribe();
        let up = addresses.wait_for(|all| all.iter().any(Option::is_some)).await;
        let up = up.expect("held by the switchboard itself");
        let mut up: Vec<_> = up.iter().flatten().copied().collect();
        if up.len() > 1 {
            up.retain(|address| Some(*address) != than);
        }
        up[self.turn.fetch_add(1, Ordering::Relaxed) % up.len()]
    }
}

/// Connects an organ's client, wherever a gateway is, and to another gateway than the one it was cut off from.
#[derive(Clone)]
pub struct Line {
    pub organ: &'static str,
    tls: ClientTls,
    switchboard: Switchboard,
    /// Cancelled when there is nothing more to do.
    pub stop: CancellationToken,
    last: Option<(SocketAddr, Instant)>,
    backoff: Duration,
}

impl Line {
    pub fn new(site: &Site, organ: &'static str, switchboard: Switchboard, stop: CancellationToken) -> Self {
        let issued = site.organ(organ);
        let ca = site.ca.certificate_path();
        let files = ClientFiles { ca, certificate: issued.certificate, key: issued.key };
        let tls = ClientTls::load(&files).unwrap();
        Self { organ, tls, switchboard, stop, last: None, backoff: Duration::ZERO }
    }

    /// A client, as soon as there is a gateway; none when there is nothing more to do.
    pub async fn agency(&mut self) -> Option<Agency> {
        let stop = self.stop.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => None,
            agency = self.connect() => Some(agency),
        }
    }

    async fn connect(&mut self) -> Agency {
        let served = self.last.map_or(SHORT, |(_, since)| since.elapsed());
        self.backoff = match served < SHORT {
            true => (self.backoff * 2).clamp(RECONNECT_DELAY, BACKOFF_MAX),
            false => Duration::ZERO,
        };
        tokio::time::sleep(self.backoff).await;
        loop {
            let address = self.switchboard.another(self.last.map(|(address, _)| address)).await;
            let connected = connect(&format!("https://{address}"), &self.tls).await;
            self.last = Some((address, Instant::now()));
            if let Ok(channel) = connected {
                return Agency::new(channel, self.organ);
            }
            tokio::time::sleep(RECONNECT_DELAY).await;
        }
    }
}
