//! The log of dossiers, put together: the store, its end in memory, and who releases what is held.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Parts, StartError, ambiguity, stores};
use crate::api::DossierParts;
use crate::config::{self, Config};
use crate::domain::time::Clock;
use crate::dossiers::{Commits, Keeper, Tail};
use crate::intake::Intake;
use crate::intake::sight::Grant;
use crate::metrics::Metrics;
use crate::submission::StepDesk;

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
pub(super) fn handlers(config: &Config, parts: &Parts, intake: Arc<Intake>) -> DossierParts {
    let grants = config.dossiers.readers.iter().map(grant);
    let desk = StepDesk {
        log: Arc::clone(parts.dossiers.log()),
        codes: Arc::clone(&parts.dossier_codes),
        intake,
        directory: Arc::clone(&parts.directory),
        rule: ambiguity(config),
        clock: Arc::clone(&parts.dispatch.clock),
        metrics: Arc::clone(&parts.dispatch.metrics),
    };
    DossierParts { tail: Arc::clone(&parts.dossiers), desk: Arc::new(desk), grants: grants.collect() }
}

/// A line of the configuration that says who may follow what, or wants to.
pub(super) fn grant(line: &config::dossiers::Grant) -> Grant {
    Grant {
        reader: line.reader.clone(),
        at_or_below: line.at_or_below.clone(),
        procedure: line.procedure.clone(),
    }
}
