//! The end of the log, in memory: what becomes visible is read once, and shared by all who follow.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use prost::Message;
use tokio::sync::watch;

use super::{Alarm, Commits, DossierLog, Event};
use crate::domain::organ_id::OrganId;
use crate::ledger;
use crate::proto::{dossier, v1};

/// Events read at a time.
const PAGE: usize = 1_000;
/// Before the log is asked again after it could not be read.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// An event as followers get it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Where it stands.
    pub position: u64,
    /// The organ the dossier belongs to.
    pub owner: OrganId,
    /// The event.
    pub message: v1::DossierEvent,
}

impl Shown {
    /// An event of the log; nothing where its body is none this program writes.
    pub fn of(event: &Event) -> Option<Self> {
        let mut message = v1::DossierEvent::decode(event.body.clone()).ok()?;
        let position = event.position.unwrap_or(0);
        message.position = position;
        message.flags = dossier::flags(event.flags);
        message.missing_from = event.gap_from;
        Some(Self { position, owner: OrganId::parse(&message.owner).ok()?, message })
    }
}

/// The last events of the log, and where it ends.
pub struct Tail {
    log: Arc<dyn DossierLog>,
    kept_max: usize,
    kept: RwLock<VecDeque<Arc<Shown>>>,
    head: watch::Sender<u64>,
}

impl Tail {
    /// The tail of a log from its end on, of so many events.
    pub async fn open(log: Arc<dyn DossierLog>, kept_max: usize) -> Result<Self, ledger::Error> {
        let head = log.head().await?;
        Ok(Self { log, kept_max, kept: RwLock::default(), head: watch::channel(head).0 })
    }

    /// The log.
    pub fn log(&self) -> &Arc<dyn DossierLog> {
        &self.log
    }

    /// The last position that followers can read.
    pub fn head(&self) -> u64 {
        *self.head.borrow()
    }

    /// Tells where the log ends, each time it has grown.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Brings in what commits tell of, until the log is closed.
    pub async fn follow(self: Arc<Self>, mut commits: Commits, alarm: Alarm) {
        while let Some(mut commit) = commits.recv().await {
            let mut grown = false;
            loop {
                grown |= commit.missed || commit.head.is_some_and(|head| head > self.head());
                commit.due.into_iter().for_each(|due| alarm.no_later_than(due));
                match commits.try_recv() {
                    Ok(next) => commit = next,
                    Err(_) => break,
                }
            }
            while grown && self.catch_up().await.is_err() {
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
    }

    async fn catch_up(&self) -> Result<(), ledger::Error> {
        loop {
            let page = self.log.events(self.head(), PAGE).await?;
            let Some(last) = page.last().and_then(|event| event.position) else { return Ok(()) };
            let is_last = page.len() < PAGE;
            let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
            kept.extend(shown(&page));
            let surplus = kept.len().saturating_sub(self.kept_max);
            kept.drain(..surplus);
            drop(kept);
            self.head.send_replace(last);
            if is_last {
                return Ok(());
            }
        }
    }

    /// Events after a position, in order, at most `limit`: of the memory where they are there, else of the log.
    pub async fn after(&self, position: u64, limit: usize) -> Result<Vec<Arc<Shown>>, ledger::Error> {
        if position >= self.head() {
            return Ok(Vec::new());
        }
        if let Some(events) = self.kept_after(position, limit) {
            return Ok(events);
        }
        let page = self.log.events(position, limit).await?;
        Ok(shown(&page).collect())
    }

    fn kept_after(&self, position: u64, limit: usize) -> Option<Vec<Arc<Shown>>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        if kept.front().is_none_or(|first| first.position > position + 1) {
            return None;
        }
        let start = kept.partition_point(|event| event.position <= position);
        Some(kept.range(start..).take(limit).cloned().collect())
    }
}

/// What followers get of a page.
fn shown(page: &[Event]) -> impl Iterator<Item = Arc<Shown>> + '_ {
    page.iter().filter_map(|event| {
        let shown = Shown::of(event);
        if shown.is_none() {
            tracing::error!(position = event.position, "an event of the log of dossiers cannot be read");
        }
        shown.map(Arc::new)
    })
}
