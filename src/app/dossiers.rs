//! The log of dossiers, put together: the store, its end in memory, and who releases what is held.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{StartError, stores};
use crate::api::{DossierParts, Grant};
use crate::config::Config;
use crate::domain::time::Clock;
use crate::dossiers::{Commits, Keeper, Tail};
use crate::intake::codes::CodeMap;
use crate::metrics::Metrics;

/// An open log whose loops have not started.
pub(super) struct Opened {
    pub tail: Arc<Tail>,
    commits: Commits,
    keeper: Keeper,
}

/// Opens the log.
pub(super) async fn open(
    config: &Config,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
) -> Result<Opened, StartError> {
    let (log, commits) = stores::dossiers(config, Arc::clone(&metrics)).await?;
    let keeper = Keeper::new(Arc::clone(&log), clock, metrics);
    let tail = Arc::new(Tail::open(log, config.dossiers.tail_events).await?);
    Ok(Opened { tail, commits, keeper })
}

impl Opened {
    /// Starts the loops; they end when told to, or are to be aborted.
    pub fn start(self, stop: &CancellationToken) -> [JoinHandle<()>; 2] {
        let alarm = self.keeper.alarm();
        [
            tokio::spawn(self.tail.follow(self.commits, alarm)),
            tokio::spawn(self.keeper.run(stop.child_token())),
        ]
    }
}

/// What the handlers work with.
pub(super) fn parts(config: &Config, tail: &Arc<Tail>) -> Result<DossierParts, StartError> {
    let grants = config.dossiers.readers.iter().map(|grant| Grant {
        reader: grant.reader.clone(),
        at_or_below: grant.at_or_below.clone(),
        procedure: grant.procedure.clone(),
    });
    Ok(DossierParts {
        tail: Arc::clone(tail),
        codes: CodeMap::read(&config.dossiers.codes)?,
        grants: grants.collect(),
    })
}
