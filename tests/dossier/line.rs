//! A system's way to gateways that die and come back elsewhere.

use std::path::PathBuf;
use std::time::Duration;

use tonic::transport::Channel;
use truc::client::CallError;
use truc::identity::client::{ClientTls, connect};
use truc::proto::v1::dossier_events_service_client::DossierEventsServiceClient;

use crate::job::Job;

/// Between two tries; doubled up to the longest.
const DELAY_MIN: Duration = Duration::from_millis(10);
const DELAY_MAX: Duration = Duration::from_millis(160);

/// A client of the log.
pub type Client = DossierEventsServiceClient<Channel>;

/// Connects to a gateway that is up, to another one each time where there are several.
pub struct Line {
    addresses: PathBuf,
    tls: ClientTls,
    turn: usize,
    delay: Duration,
}

impl Line {
    pub fn new(job: &Job) -> Self {
        let tls = ClientTls::load(&job.files()).unwrap();
        Self { addresses: job.addresses.clone(), tls, turn: fastrand::usize(..2), delay: DELAY_MIN }
    }

    /// A client, as soon as there is a gateway.
    pub async fn connect(&mut self) -> Client {
        loop {
            tokio::time::sleep(self.delay).await;
            self.delay = (self.delay * 2).min(DELAY_MAX);
            self.turn += 1;
            let up = std::fs::read_to_string(&self.addresses).unwrap();
            let up: Vec<_> = up.lines().collect();
            let Some(address) = up.get(self.turn % up.len().max(1)) else { continue };
            if let Ok(channel) = connect(&format!("https://{address}"), &self.tls).await {
                return Client::new(channel);
            }
        }
    }

    /// It was answered: the next try comes soon again.
    pub fn answered(&mut self) {
        self.delay = DELAY_MIN;
    }
}

/// A failure that another try may mend; any other is a breach of the contract.
pub fn passing(error: &CallError) {
    assert!(error.is_passing(), "{error}");
}
