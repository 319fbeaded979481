//! Releases held steps whose time is up.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::DossierLog;
use crate::domain::time::{Clock, Timestamp};
use crate::ledger;
use crate::metrics::Metrics;

/// The longest sleep: the machine's clock may be set meanwhile.
const SLEEP_MAX: Duration = Duration::from_secs(60);
/// Between two attempts while the log cannot be written.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The loop of due times.
pub struct Keeper {
    log: Arc<dyn DossierLog>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    alarm: watch::Sender<Option<Timestamp>>,
}

/// Wakes the keeper sooner.
#[derive(Clone, Debug)]
pub struct Alarm(watch::Sender<Option<Timestamp>>);

impl Alarm {
    /// Something is due then.
    pub fn no_later_than(&self, due: Timestamp) {
        self.0.send_if_modified(|at| {
            let sooner = at.is_none_or(|at| due < at);
            if sooner {
                *at = Some(due);
            }
            sooner
        });
    }
}

impl Keeper {
    /// Over a log.
    pub fn new(log: Arc<dyn DossierLog>, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self { log, clock, metrics, alarm: watch::channel(None).0 }
    }

    /// What wakes it.
    pub fn alarm(&self) -> Alarm {
        Alarm(self.alarm.clone())
    }

    /// Works until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut alarm = self.alarm.subscribe();
        while !stop.is_cancelled() {
            let sleep = match self.work().await {
                Ok(()) => {
                    let next = *alarm.borrow_and_update();
                    next.map_or(SLEEP_MAX, |next| next.since(self.clock.now()).min(SLEEP_MAX))
                }
                // The log has told why; once it works again, so will this.
                Err(_) => RETRY_DELAY,
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(sleep) => {}
                changed = alarm.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Releases all that is due, and sets the alarm to when the next is.
    async fn work(&self) -> Result<(), ledger::Error> {
        loop {
            let released = self.log.release(self.clock.now()).await?.await?;
            if released == 0 {
                break;
            }
            self.metrics.dossier_steps_released.increment(released);
        }
        // Forgotten before the log is asked, so that nothing set meanwhile is lost.
        self.alarm.send_if_modified(|at| {
            *at = None;
            false
        });
        if let Some(next) = self.log.next_due().await? {
            self.alarm().no_later_than(next);
        }
        Ok(())
    }
}
