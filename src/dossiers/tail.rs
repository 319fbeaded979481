//! The end of the log, in memory: what becomes visible is read once, and shared by all who follow.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use prost::Message;
use tokio::sync::watch;

use super::{Alarm, Commits, DossierLog, Event};
use crate::domain::organ_id::OrganId;
use crate::ledger;
use crate::proto::{dossier, page, v1};

/// Events read at a time.
const PAGE: usize = 1_000;
/// Room for what a frame adds to a body.
const FRAME_BYTES: usize = 24;
/// Before the log is asked again after it could not be read.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// An event as followers get it: encoded once for all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Where it stands.
    pub position: u64,
    /// The organ the dossier belongs to.
    pub owner: OrganId,
    /// As it stands in a response.
    pub frame: Bytes,
    marks: Marks,
}

/// A frame, read as far as it decides who gets it.
#[derive(Clone, PartialEq, Message)]
struct Framed {
    #[prost(message, optional, tag = "1")]
    event: Option<Marks>,
}

/// What of an event decides who gets it.
#[derive(Clone, PartialEq, Message)]
struct Marks {
    #[prost(bytes = "bytes", tag = "2")]
    dossier: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    owner: Bytes,
    #[prost(message, optional, tag = "6")]
    step: Option<StepMarks>,
}

#[derive(Clone, PartialEq, Message)]
struct StepMarks {
    #[prost(bytes = "bytes", tag = "3")]
    procedure: Bytes,
    #[prost(int32, tag = "4")]
    status: i32,
}

/// The owners met so far.
#[derive(Default)]
struct Owners(HashMap<Bytes, OrganId>);

impl Owners {
    fn of(&mut self, text: &Bytes) -> Option<OrganId> {
        if let Some(known) = self.0.get(text) {
            return Some(known.clone());
        }
        let owner = OrganId::parse(std::str::from_utf8(text).ok()?).ok()?;
        self.0.insert(text.clone(), owner.clone());
        Some(owner)
    }
}

impl Shown {
    /// An event of the log; nothing where its body is none this program writes.
    pub fn of(event: &Event) -> Option<Self> {
        shown(std::slice::from_ref(event)).next().flatten()
    }

    fn read(position: u64, frame: Bytes, owners: &mut Owners) -> Option<Self> {
        let marks = Framed::decode(frame.clone()).ok()?.event?;
        let owner = owners.of(&marks.owner)?;
        Some(Self { position, owner, frame, marks })
    }

    /// The normal form of the dossier's code.
    pub fn dossier(&self) -> &str {
        std::str::from_utf8(&self.marks.dossier).unwrap_or_default()
    }

    /// The code of the procedure.
    pub fn procedure(&self) -> &str {
        let procedure = self.marks.step.as_ref().map(|step| step.procedure.as_ref());
        std::str::from_utf8(procedure.unwrap_or_default()).unwrap_or_default()
    }

    /// The number of the status; 0 where no map knows its code.
    pub fn status(&self) -> i32 {
        self.marks.step.as_ref().map_or(0, |step| step.status)
    }

    /// The event itself.
    pub fn message(&self) -> v1::DossierEvent {
        page::unframed(&self.frame).unwrap_or_default()
    }
}

/// What the log adds to a step's encoding.
fn added(event: &Event) -> v1::DossierEvent {
    v1::DossierEvent {
        position: event.position.unwrap_or(0),
        flags: dossier::flags(event.flags),
        missing_from: event.gap_from,
        ..v1::DossierEvent::default()
    }
}

/// An event of the log as the contract has it; nothing where its body is none this program writes.
pub fn message(event: &Event) -> Option<v1::DossierEvent> {
    let written = v1::DossierEvent::decode(event.body.clone()).ok()?;
    let v1::DossierEvent { position, flags, missing_from, .. } = added(event);
    Some(v1::DossierEvent { position, flags, missing_from, ..written })
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
                self.append(&commit.events);
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
            self.append(&page);
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }

    /// Appends events where they are the next ones.
    fn append(&self, events: &[Event]) {
        let position = |event: Option<&Event>| event.and_then(|event| event.position);
        let (Some(first), Some(last)) = (position(events.first()), position(events.last())) else { return };
        if first != self.head() + 1 {
            return;
        }
        let shown: Vec<_> = shared(events).collect();
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        kept.extend(shown);
        let surplus = kept.len().saturating_sub(self.kept_max);
        kept.drain(..surplus);
        drop(kept);
        self.head.send_replace(last);
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
        Ok(shared(&page).collect())
    }

    /// Whether there is something after a position, and it is in no memory.
    pub(super) fn is_past(&self, position: u64) -> bool {
        position < self.head() && !keeps(&self.kept.read().unwrap_or_else(PoisonError::into_inner), position)
    }

    fn kept_after(&self, position: u64, limit: usize) -> Option<Vec<Arc<Shown>>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        if !keeps(&kept, position) {
            return None;
        }
        let start = kept.partition_point(|event| event.position <= position);
        Some(kept.range(start..).take(limit).cloned().collect())
    }
}

/// Whether all after a position that followers can read is among these.
fn keeps(kept: &VecDeque<Arc<Shown>>, position: u64) -> bool {
    kept.front().is_some_and(|first| first.position <= position + 1)
}

/// What followers get of a page.
fn shared(page: &[Event]) -> impl Iterator<Item = Arc<Shown>> + '_ {
    page.iter().zip(shown(page)).filter_map(|(event, shown)| {
        if shown.is_none() {
            tracing::error!(position = event.position, "an event of the log of dossiers cannot be read");
        }
        shown.map(Arc::new)
    })
}

/// The events of a page; nothing for one whose body is none this program writes. Their frames share one buffer.
fn shown(page: &[Event]) -> impl Iterator<Item = Option<Shown>> + '_ {
    let bodies: usize = page.iter().map(|event| event.body.len()).sum();
    let mut frames = BytesMut::with_capacity(bodies + page.len() * FRAME_BYTES);
    let lengths: Vec<_> = page.iter().map(|event| put_frame(event, &mut frames)).collect();
    let (mut frames, mut owners) = (frames.freeze(), Owners::default());
    page.iter().zip(lengths).map(move |(event, length)| {
        Shown::read(event.position.unwrap_or(0), frames.split_to(length), &mut owners)
    })
}

/// Writes the frame of an event; how long it is.
fn put_frame(event: &Event, frames: &mut BytesMut) -> usize {
    let start = frames.len();
    page::frame(&event.body, &added(event), frames);
    frames.len() - start
}
