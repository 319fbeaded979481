//! An organ's way to a gateway that dies and comes back elsewhere.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use truc::identity::client::{ClientFiles, ClientTls, connect};

use crate::support::{Agency, Site};

/// Between two tries to connect to a gateway that has just died.
const RECONNECT_DELAY: Duration = Duration::from_millis(5);

/// Connects an organ's clients, wherever the gateway is.
#[derive(Clone)]
pub struct Line {
    pub organ: &'static str,
    tls: ClientTls,
    gateway: watch::Receiver<Option<SocketAddr>>,
    /// Cancelled when there is nothing more to do.
    pub stop: CancellationToken,
}

impl Line {
    pub fn new(
        site: &Site,
        organ: &'static str,
        gateway: watch::Receiver<Option<SocketAddr>>,
        stop: CancellationToken,
    ) -> Self {
        let issued = site.organ(organ);
        let ca = site.ca.certificate_path();
        let files = ClientFiles { ca, certificate: issued.certificate, key: issued.key };
        Self { organ, tls: ClientTls::load(&files).unwrap(), gateway, stop }
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
        loop {
            let address = self.address().await;
            if let Ok(channel) = connect(&format!("https://{address}"), &self.tls).await {
                return Agency::new(channel, self.organ);
            }
            tokio::time::sleep(RECONNECT_DELAY).await;
        }
    }

    async fn address(&mut self) -> SocketAddr {
        let up = self.gateway.wait_for(Option::is_some).await.map(|address| *address);
        up.expect("the gateway's address outlives its clients").expect("waited for")
    }
}
