//! Feeds one outlet from the log, in order, from its committed place on. One node feeds an outlet at a time. After a crash some events come
//! twice, never out of order but as such a repeat, and none is left out.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::outlet::Outlet;
use super::place::Place;
use crate::amqp::Lost;
use crate::bridge::office::Office;
use crate::bridge::turn::{Term, Turn, Word};
use crate::delivery::{Dispatch, LEDGER_RETRY_DELAY};
use crate::dossiers::Tail;
use crate::ledger;

/// Events looked at together, and published together at most.
const PAGE: usize = 500;
/// How long a node feeds before it says anew that it does. Two that feed at once, since one was slow, repeat events and lose none.
const TERM: Term = Term { long: Duration::from_secs(10), left_min: Duration::from_secs(4) };
/// The place is committed at the latest after so many events that were not for this outlet, or so long after one of them.
const SKIPPED_MAX: u64 = 10_000;
const SKIPPED_DELAY: Duration = Duration::from_secs(5);
/// The longest wait before an outlet that did not take its events is tried again.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(30);

/// Feeds one outlet.
pub struct Feed {
    office: Arc<Office>,
    tail: Arc<Tail>,
    outlet: Outlet,
    place: Place,
    turn: Turn,
    /// What is up to here is in the outlet, or not for it. None before the place was read.
    after: Option<u64>,
    committed: u64,
    committed_at: Instant,
    /// The event before, of those that went into the outlet.
    previous: Option<u64>,
    retry_delay: Duration,
}

/// What to do next.
enum Next {
    /// Look for more at once.
    More,
    /// Wait until there is something else to see.
    Wait,
    /// Look again after this time.
    After(Duration),
}

/// Why it did not go on.
#[derive(Debug, thiserror::Error)]
enum Halted {
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    #[error(transparent)]
    Broker(#[from] Lost),
}

impl Feed {
    /// A feed of this outlet.
    pub fn new(
        office: &Arc<Office>,
        dispatch: &Arc<Dispatch>,
        tail: &Arc<Tail>,
        outlet: Outlet,
        place: Place,
    ) -> Self {
        Self {
            turn: Turn::new(Arc::clone(dispatch), place.turn_mark(), TERM),
            office: Arc::clone(office),
            tail: Arc::clone(tail),
            outlet,
            place,
            after: None,
            committed: 0,
            committed_at: Instant::now(),
            previous: None,
            retry_delay: LEDGER_RETRY_DELAY,
        }
    }

    /// Feeds until it is time to stop, and leaves the turn to others.
    pub async fn until_stopped(mut self, directory_changed: watch::Receiver<()>) {
        let stop = self.office.tasks.stop_token();
        let _stopped = stop.run_until_cancelled(self.run(directory_changed)).await;
        self.turn.give_back().await;
    }

    async fn run(&mut self, mut directory_changed: watch::Receiver<()>) {
        let mut head = self.tail.watch();
        let mut link = self.office.link.state();
        loop {
            // Marked before anything is read, so that nothing falls in between.
            head.mark_unchanged();
            directory_changed.mark_unchanged();
            if link.has_changed().is_ok_and(|changed| changed) {
                link.mark_unchanged();
                self.outlet.look_again();
            }
            let delay = match self.feed().await {
                Ok(Next::More) => continue,
                Ok(Next::Wait) => None,
                Ok(Next::After(delay)) => Some(delay),
                Err(Halted::Broker(Lost::Stopped)) => return,
                Err(Halted::Broker(lost @ Lost::TooManyChannels)) => {
                    tracing::error!(%lost, "events of dossiers wait");
                    Some(RETRY_DELAY_MAX)
                }
                // The ledger has logged why.
                Err(Halted::Ledger(_)) => Some(LEDGER_RETRY_DELAY),
            };
            if let Some(delay) = delay {
                tokio::time::sleep(delay).await;
                continue;
            }
            let skipped = self.after.is_some_and(|after| after > self.committed);
            tokio::select! {
                Ok(()) = head.changed() => {}
                Ok(()) = directory_changed.changed() => {}
                Ok(()) = link.changed() => {
                    self.outlet.look_again();
                }
                () = tokio::time::sleep_until(self.committed_at + SKIPPED_DELAY), if skipped => {}
                else => return,
            }
        }
    }

    async fn feed(&mut self) -> Result<Next, Halted> {
        if !self.outlet.is_open().await? {
            return Ok(Next::Wait);
        }
        let after = match self.after {
            Some(after) => after,
            None => self.resume().await?,
        };
        let page = self.tail.after(after, PAGE).await?;
        let Some(last) = page.last().map(|event| event.position) else {
            self.commit_skipped().await?;
            return Ok(Next::Wait);
        };
        let chosen = self.outlet.choose(&page);
        if chosen.is_empty() {
            self.after = Some(last);
            self.commit_skipped().await?;
            return Ok(Next::More);
        }
        match self.turn.take().await? {
            Word::Elsewhere(rest) => return Ok(Next::After(rest)),
            Word::Anew => {
                self.resume().await?;
                return Ok(Next::More);
            }
            Word::Kept => {}
        }
        let room = match self.outlet.room(chosen.len()).await? {
            Ok(room) => room,
            Err(delay) => return Ok(Next::After(delay)),
        };
        let taken = self.outlet.publish(&self.office, &chosen[..room], self.previous).await;
        self.office.metrics.bridge_dossier_events.increment(taken as u64);
        if let Some(event) = taken.checked_sub(1).map(|place| &chosen[place]) {
            self.previous = Some(event.position);
            self.after = Some(if taken == chosen.len() { last } else { event.position });
            self.commit().await?;
        }
        if taken < room {
            self.retry_delay = (self.retry_delay * 2).min(RETRY_DELAY_MAX);
            return Ok(Next::After(self.retry_delay));
        }
        self.retry_delay = LEDGER_RETRY_DELAY;
        Ok(Next::More)
    }

    /// Goes on at the committed place, where another node has advanced it.
    async fn resume(&mut self) -> Result<u64, Halted> {
        let place = self.place.read().await?;
        if place != self.committed {
            self.previous = None;
        }
        let after = self.after.map_or(place, |after| after.max(place));
        (self.after, self.committed) = (Some(after), place);
        Ok(after)
    }

    async fn commit_skipped(&mut self) -> Result<(), Halted> {
        let skipped = self.after.unwrap_or(0).saturating_sub(self.committed);
        match skipped >= SKIPPED_MAX || (skipped > 0 && self.committed_at.elapsed() >= SKIPPED_DELAY) {
            true => self.commit().await,
            false => Ok(()),
        }
    }

    async fn commit(&mut self) -> Result<(), Halted> {
        let Some(after) = self.after else { return Ok(()) };
        self.place.advance(after).await?;
        (self.committed, self.committed_at) = (after, Instant::now());
        Ok(())
    }
}
