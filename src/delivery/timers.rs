//! Does what is due: leases that end, retries whose time has come, deliveries that expire.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Dispatch;
use crate::domain::delivery::{Event, Lease};
use crate::domain::receipt::{Asserter, Cause};
use crate::domain::time::Timestamp;
use crate::ledger::{self, StepRequest};

/// Deliveries handled at a time.
const BATCH: usize = 512;
/// The longest sleep: the machine's clock may be set meanwhile.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// The loop of due times.
pub struct Timers {
    dispatch: Arc<Dispatch>,
    alarm: watch::Sender<Wake>,
}

/// When the timers have something to do, and whether another node may be gone.
#[derive(Clone, Copy, Debug, Default)]
struct Wake {
    at: Option<Timestamp>,
    recover: bool,
}

/// Wakes the timers sooner.
#[derive(Clone)]
pub struct Alarm(watch::Sender<Wake>);

impl Alarm {
    /// Something is due then.
    pub fn no_later_than(&self, due: Timestamp) {
        self.0.send_if_modified(|wake| {
            let sooner = wake.at.is_none_or(|at| due < at);
            if sooner {
                wake.at = Some(due);
            }
            sooner
        });
    }

    /// Another node may be gone, and what its streams held with it.
    pub fn recover(&self) {
        self.0.send_modify(|wake| wake.recover = true);
    }
}

impl Timers {
    /// Timers over a ledger.
    pub fn new(dispatch: Arc<Dispatch>) -> Self {
        Self { dispatch, alarm: watch::channel(Wake::default()).0 }
    }

    /// What wakes these timers.
    pub fn alarm(&self) -> Alarm {
        Alarm(self.alarm.clone())
    }

    /// Makes ready again what was on connections of processes that are gone. Returns how many.
    pub async fn recover(&self) -> Result<usize, ledger::Error> {
        let mut recovered = 0;
        loop {
            let held = self.dispatch.ledger.held_by_streams(BATCH).await?;
            if held.is_empty() {
                return Ok(recovered);
            }
            recovered += held.len();
            let at = self.dispatch.clock.now();
            let requests = held.into_iter().map(|(delivery, attempt)| {
                let event = Event::Dropped { lease: Lease(attempt), cause: Cause::GatewayRestarted };
                StepRequest { delivery, recipient: None, event, at, by: Asserter::Gateway }
            });
            self.dispatch.ledger.step(requests.collect()).await?.await?;
        }
    }

    /// Works until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut alarm = self.alarm.subscribe();
        while !stop.is_cancelled() {
            let sleep = match self.work().await {
                Ok(()) => {
                    let next = alarm.borrow_and_update().at;
                    next.map_or(SLEEP_MAX, |next| next.since(self.dispatch.clock.now()).min(SLEEP_MAX))
                }
                // The ledger has logged why; once it works again, so will this.
                Err(_) => super::LEDGER_RETRY_DELAY,
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(sleep) => {}
                changed = alarm.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Handles all that is due, and sets the alarm to when the next is.
    async fn work(&self) -> Result<(), ledger::Error> {
        if self.alarm.borrow().recover {
            self.alarm.send_modify(|wake| wake.recover = false);
            if let Err(error) = self.recover().await {
                self.alarm().recover();
                return Err(error);
            }
        }
        loop {
            let at = self.dispatch.clock.now();
            let due = self.dispatch.ledger.due(at, BATCH).await?;
            if due.is_empty() {
                // Forgotten before the ledger is asked, so that nothing set meanwhile is lost.
                self.alarm.send_modify(|wake| wake.at = None);
                if let Some(next) = self.dispatch.ledger.next_due().await? {
                    self.alarm().no_later_than(next);
                }
                return Ok(());
            }
            let request = |delivery| StepRequest {
                delivery,
                recipient: None,
                event: Event::Due,
                at,
                by: Asserter::Gateway,
            };
            self.dispatch.ledger.step(due.into_iter().map(request).collect()).await?.await?;
        }
    }
}
