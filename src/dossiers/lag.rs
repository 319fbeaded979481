//! How far a reader of the log is behind its end.

use super::DossierLog;
use crate::domain::time::Timestamp;
use crate::ledger::Error;

/// What there is of the log behind a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Events.
    pub events: u64,
    /// When the first of them became visible.
    pub since: Option<Timestamp>,
}

impl Lag {
    /// Behind this position, of a log that ends at `head`.
    pub async fn of(log: &dyn DossierLog, head: u64, position: u64) -> Result<Self, Error> {
        let events = head.saturating_sub(position);
        if events == 0 {
            return Ok(Self::default());
        }
        let first = log.events(position, 1).await?;
        Ok(Self { events, since: first.first().map(|event| event.at) })
    }
}
