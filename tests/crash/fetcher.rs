//! Clients that poll: Fetch, then Settle.

use truc::proto::v1;

use crate::desk::Desk;
use crate::site::Agency;

/// The shortest lease there is: what a killed gateway took with it comes back after this.
const LEASE_S: i64 = 5;
/// How long a fetch waits for a first delivery.
const WAIT_S: i64 = 1;
/// Of a hundred fetches, those whose deliveries are forgotten.
const FORGOTTEN_PERCENT: u8 = 2;

/// One polling client.
pub struct Fetcher {
    pub desk: Desk,
    pub max_deliveries: u32,
}

impl Fetcher {
    /// Polls until there is nothing more to do.
    pub async fn run(mut self) {
        while let Some(agency) = self.desk.line.agency().await {
            self.desk.settle_late(&agency).await;
            let stop = self.desk.line.stop.clone();
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.poll(&agency) => {}
            }
        }
    }

    async fn poll(&mut self, agency: &Agency) {
        let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
        loop {
            let request = v1::FetchRequest {
                organ: String::new(),
                max_deliveries: self.max_deliveries,
                lease: seconds(LEASE_S),
                wait: seconds(WAIT_S),
            };
            let call = self.desk.journal.call();
            let deliveries = match agency.exchange.clone().fetch(request).await {
                Ok(response) => {
                    self.desk.journal.answered(&self.desk.name);
                    response.into_inner().deliveries
                }
                Err(status) => return self.desk.journal.failed(&self.desk.name, &status),
            };
            let settlements = self.desk.receive(deliveries, call);
            let forget = self.desk.rng.u8(..100) < FORGOTTEN_PERCENT && !self.desk.tidy.is_cancelled();
            if !forget && !self.desk.settle(agency, settlements).await {
                return;
            }
        }
    }
}
