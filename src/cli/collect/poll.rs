//! Collecting up to an end: what waits now, or so many and not one more.

use std::time::Duration;

use super::desk::Desk;
use crate::cli::exit::Exit;
use crate::cli::signals::stop_asked;
use crate::client::Agency;
use crate::domain::limits::FETCH_MAX;
use crate::proto::v1;

/// How long the gateway waits for a first delivery before it answers that there is none.
const WAIT: Duration = Duration::from_secs(30);

/// What is to be collected.
pub struct Wanted {
    /// The organ whose mailbox it is; empty for the certificate's.
    pub organ: String,
    /// Deliveries held at a time.
    pub window: u32,
    /// Deliveries in all.
    pub max: Option<u64>,
    /// Whether an empty mailbox is the end.
    pub once: bool,
}

/// Collects until enough, until there is nothing more where that is the end, or until asked to stop.
pub async fn collect(agency: &Agency, wanted: &Wanted, desk: &mut Desk) -> Result<(), Exit> {
    let stop = stop_asked();
    tokio::pin!(stop);
    let mut failed = 0;
    let mut taken = 0;
    while wanted.max.is_none_or(|max| taken < max) {
        let request = request(wanted, taken);
        let fetched = tokio::select! {
            fetched = agency.fetch(request) => fetched,
            stopped = stop.as_mut() => return stopped,
        };
        let deliveries = match fetched {
            Ok(deliveries) => deliveries,
            Err(error) => {
                failed += 1;
                let Some(delay) = agency.patience().delay(&error, failed, fastrand::f64()) else {
                    return Err(Exit::failed(error));
                };
                tokio::time::sleep(delay).await;
                continue;
            }
        };
        failed = 0;
        if deliveries.is_empty() {
            if wanted.once {
                return Ok(());
            }
            continue;
        }
        taken += deliveries.len() as u64;
        let settlements = desk.take(deliveries).await?;
        let settle = v1::SettleRequest { organ: wanted.organ.clone(), settlements };
        let results = agency.settle(settle).await.map_err(Exit::failed)?;
        desk.settled(&results)?;
    }
    Ok(())
}

fn request(wanted: &Wanted, taken: u64) -> v1::FetchRequest {
    let left = wanted.max.map_or(u64::MAX, |max| max - taken);
    let most = wanted.window.min(FETCH_MAX);
    v1::FetchRequest {
        organ: wanted.organ.clone(),
        max_deliveries: u32::try_from(left).map_or(most, |left| left.min(most)),
        lease: None,
        wait: (!wanted.once).then(|| WAIT.try_into().unwrap_or_default()),
    }
}
