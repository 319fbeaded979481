//! The contract of `truc::dossiers`, point by point, over each implementation.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use truc::domain::dossier::{
    DossierCode, DossierStatus, Fingerprint, Flags, Offer, ProcedureCode, StepRefused,
};
use truc::domain::message::Hash;
use truc::domain::time::Timestamp;
use truc::dossiers::{Commit, Commits, DossierLog, Event, NewStep, PublishAnswers, Published};

use crate::support::{soon, t};

mod digests;
mod durable;
mod gaps;
mod order;
mod places;
mod postgres;
mod reading;
mod sqlite;
mod steps;

/// How long steps wait for their predecessors here.
pub const HOLD: Duration = Duration::from_secs(600);

/// Where a log of one implementation is kept. Dropped, nothing of it remains.
pub trait LogUnderTest: Send + Sync + Sized + 'static {
    /// A place for a log; there is none yet.
    fn create() -> impl Future<Output = Self> + Send;

    /// Opens what is there, with few places in its queue and small commits, so that tests meet their bounds.
    fn open(&self) -> impl Future<Output = (Arc<dyn DossierLog>, Commits)> + Send;

    /// Where the log is found after the sudden death of the process that had it open, at whatever it was.
    fn killed(self, log: Arc<dyn DossierLog>) -> impl Future<Output = Self> + Send;
}

/// An open log. The receiver of its commits comes first, so that a drop never waits for it.
pub struct Open<L> {
    pub commits: Commits,
    pub log: Arc<dyn DossierLog>,
    place: L,
}

impl<L: LogUnderTest> Open<L> {
    pub async fn new() -> Self {
        Self::at(L::create().await).await
    }

    async fn at(place: L) -> Self {
        let (log, commits) = place.open().await;
        Self { commits, log, place }
    }

    /// Nobody listens to what is committed; for tests that commit more than the receiver holds.
    pub async fn unheard() -> Self {
        let mut open = Self::new().await;
        open.commits.close();
        open
    }

    /// Closed in good order, and opened again.
    pub async fn reopened(self) -> Self {
        let Self { commits, log, place } = self;
        assert_eq!(Arc::strong_count(&log), 1, "nobody else has the log open");
        drop(commits);
        tokio::task::spawn_blocking(move || drop(log)).await.unwrap();
        Self::at(place).await
    }

    /// Killed in the middle of whatever it does, and opened again.
    pub async fn killed(self) -> Self {
        let Self { commits, log, place } = self;
        drop(commits);
        Self::at(place.killed(log).await).await
    }

    pub async fn publish(&self, batch: Vec<NewStep>) -> PublishAnswers {
        publish(&self.log, batch).await
    }

    pub async fn one(&self, new: NewStep) -> Result<Published, StepRefused> {
        self.publish(vec![new]).await.remove(0)
    }

    /// Everything that is visible, in order.
    pub async fn events(&self) -> Vec<Event> {
        soon(self.log.events(0, 1_000_000)).await.unwrap()
    }

    /// What is visible, by what its steps say.
    pub async fn shown(&self) -> Vec<String> {
        self.events().await.iter().map(said).collect()
    }

    pub async fn release(&self, at: Timestamp) -> u64 {
        soon(soon(self.log.release(at)).await.unwrap()).await.unwrap()
    }

    /// The commits told by now that tell of something, without waiting; what was only said to be looked at is left out.
    pub fn told(&mut self) -> Vec<Commit> {
        let commits = std::iter::from_fn(|| self.commits.try_recv().ok());
        commits.filter(|commit| !commit.missed).collect()
    }
}

pub async fn publish(log: &Arc<dyn DossierLog>, batch: Vec<NewStep>) -> PublishAnswers {
    soon(soon(log.publish(batch)).await.unwrap()).await.unwrap()
}

pub fn code(text: &str) -> DossierCode {
    DossierCode::parse(text).unwrap()
}

/// A step in process of a dossier, published at second 1.
pub fn step(dossier: &str, number: u32) -> NewStep {
    with_status(dossier, number, DossierStatus::InProcess)
}

/// A step whose content follows from its dossier, number and status.
pub fn with_status(dossier: &str, number: u32, status: DossierStatus) -> NewStep {
    let body = format!("{dossier} {number} {}", status.number());
    NewStep {
        dossier: code(dossier),
        procedure: ProcedureCode::parse("1.004194").unwrap(),
        offer: Offer {
            number,
            status: Some(status),
            occurred_at: t(i64::from(number)),
            fingerprint: Fingerprint::of(&Hash::of(body.as_bytes())),
        },
        due_at: None,
        body: Bytes::from(body),
        at: t(1),
    }
}

/// What a step of [`step`] says without its status: `H49-20260101-1 2`, with a mark for what is peculiar about its place.
pub fn said(event: &Event) -> String {
    let text = std::str::from_utf8(&event.body).unwrap();
    let (what, _) = text.rsplit_once(' ').unwrap();
    match event.flags {
        flags if flags.has(Flags::AFTER_GAP) => format!("{what} gap from {}", event.gap_from),
        flags if flags.has(Flags::LATE) => format!("{what} late"),
        _ => what.to_owned(),
    }
}

/// Asserts that positions are 1, 2, 3, ... and each dossier's steps are in order, but for those flagged late. Gives how many each has.
pub fn in_order(events: &[Event]) -> BTreeMap<String, u32> {
    let mut highest: BTreeMap<String, u32> = BTreeMap::new();
    for (position, event) in (1..).zip(events) {
        assert_eq!(event.position, Some(position), "no hole");
        let text = std::str::from_utf8(&event.body).unwrap();
        let dossier = text.split(' ').next().unwrap().to_owned();
        let before = highest.entry(dossier).or_default();
        if event.flags.has(Flags::LATE) {
            assert!(event.step < *before, "{text}");
            continue;
        }
        assert!(event.step == *before + 1 || event.flags.has(Flags::AFTER_GAP), "{text} after {before}");
        *before = event.step;
    }
    highest
}

macro_rules! tests_of {
    ($place:ty; $($point:ident: $($test:ident)*;)*) => {$(
        mod $point {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::dossiers::$point::$test::<$place>().await;
                }
            )*
        }
    )*};
}

/// Stamps the suite over implementations.
macro_rules! stamp {
    ($($implementation:ident: $place:ty;)*) => {$(
        mod $implementation {
            tests_of! { $place;
                durable: answered_survives_a_reopen answered_survives_a_kill held_and_places_survive_a_kill
                    a_kill_under_load_leaves_whole_batches_in_order;
                steps: stored_as_it_was_published a_repeat_changes_nothing a_refusal_leaves_its_neighbours_alone
                    each_refusal_is_typed two_writers_of_one_step_are_decided_once;
                gaps: held_until_the_filler_comes released_with_a_gap_once_its_time_is_up
                    a_late_filler_is_shown_at_once several_gaps_have_their_own_times
                    due_times_are_told_and_found released_by_one_of_two;
                order: positions_have_no_hole_while_publishers_race steps_of_a_batch_are_decided_in_order
                    readers_see_no_hole_while_it_grows told_before_the_answer told_with_the_events_themselves;
                reading: paged_from_any_position the_same_pages_read_ahead by_time by_owner_and_page overdue_while_it_is_open
                    the_history_of_a_dossier tally_of_the_held probe_writes;
                digests: of_all_steps_held_ones_too paged_over_owners_and_days;
                places: are_kept_from_the_first_enrolment_on only_advance other_shares_begin_where_the_last_stood
                    consumers_are_told_apart dismissed_consumers_are_forgotten
                    an_organ_has_no_more_consumers_than_it_may;
            }
        }
    )*};
}

stamp! {
    on_sqlite: crate::dossiers::sqlite::Sqlite;
    on_postgres: crate::dossiers::postgres::Postgres;
}
