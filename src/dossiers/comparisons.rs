//! The digests that comparisons ask about, gathered from the log in one pass and kept while somebody narrows down what differs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use super::{DossierLog, Extent};
use crate::domain::dossier::Digests;
use crate::domain::limits::COMPARE_DOSSIERS_MAX;
use crate::ledger;
use crate::metrics::Metrics;

/// Dossiers read at a time.
const PAGE: usize = 10_000;
/// Comparisons whose digests are kept at a time.
const KEPT_MAX: usize = 2;
/// How long they are kept after they were asked for last.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// How long a comparison waits for those before it.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Why there are no digests to compare.
#[derive(Debug, thiserror::Error)]
pub enum CompareFault {
    /// More dossiers than one comparison may have.
    #[error("more than {COMPARE_DOSSIERS_MAX} dossiers")]
    TooMany,
    /// Others are being compared.
    #[error("other dossiers are being compared")]
    Busy,
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] ledger::Error),
}

/// How much there was in the log when digests were gathered: where nothing was added since, nothing has changed.
type Steps = u64;

#[derive(Clone)]
struct Kept {
    extent: Extent,
    steps: Steps,
    digests: Arc<Digests>,
    asked_at: Instant,
}

#[derive(Default)]
struct Keeping {
    kept: Vec<Kept>,
    /// Somebody will let go of them.
    is_watched: bool,
}

/// The comparisons under way on this node.
pub struct Comparisons {
    log: Arc<dyn DossierLog>,
    metrics: Arc<Metrics>,
    keeping: Mutex<Keeping>,
    // One at a time: each of them reads as fast as it can, and the memory of all is bounded.
    turn: Semaphore,
}

impl Comparisons {
    /// Over a log.
    pub fn new(log: Arc<dyn DossierLog>, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { log, metrics, keeping: Mutex::default(), turn: Semaphore::new(1) })
    }

    /// The digests of an extent: as they are now where a comparison begins, else those it began with, as long as they are kept.
    pub async fn digests(
        self: &Arc<Self>,
        extent: &Extent,
        begins: bool,
    ) -> Result<Arc<Digests>, CompareFault> {
        if let Some(kept) = self.find(extent, begins).await? {
            return Ok(kept);
        }
        let turn = timeout(WAIT_MAX, self.turn.acquire()).await.map_err(|_| CompareFault::Busy)?;
        let _turn = turn.expect("it is never closed");
        if let Some(kept) = self.find(extent, begins).await? {
            return Ok(kept);
        }
        let started = Instant::now();
        // Counted before: what comes meanwhile makes them old.
        let steps = self.steps().await?;
        let digests = Arc::new(self.gather(extent).await?);
        self.metrics.dossier_compare_seconds.record(started.elapsed().as_secs_f64());
        self.keep(Kept {
            extent: extent.clone(),
            steps,
            digests: Arc::clone(&digests),
            asked_at: Instant::now(),
        });
        Ok(digests)
    }

    async fn find(&self, extent: &Extent, begins: bool) -> Result<Option<Arc<Digests>>, ledger::Error> {
        let found = {
            let mut keeping = self.lock();
            let found = keeping.kept.iter_mut().find(|kept| kept.extent == *extent);
            found.map(|found| {
                found.asked_at = Instant::now();
                (found.steps, Arc::clone(&found.digests))
            })
        };
        match found {
            Some((steps, digests)) if !begins || steps == self.steps().await? => Ok(Some(digests)),
            _ => Ok(None),
        }
    }

    /// Steps only become more, and each is either visible or held.
    async fn steps(&self) -> Result<Steps, ledger::Error> {
        let tally = self.log.tally().await?;
        Ok(tally.head + tally.held)
    }

    async fn gather(&self, extent: &Extent) -> Result<Digests, CompareFault> {
        let mut digests = Digests::default();
        let mut after: Option<String> = None;
        loop {
            let page = self.log.digests(extent, after.as_deref(), PAGE).await?;
            if digests.len() + page.len() > COMPARE_DOSSIERS_MAX {
                return Err(CompareFault::TooMany);
            }
            page.iter().for_each(|(code, digest)| digests.push(code, *digest));
            after = match page.into_iter().nth(PAGE - 1) {
                Some((last, _)) => Some(last),
                None => break,
            };
        }
        let sorted = tokio::task::spawn_blocking(move || {
            digests.sort();
            digests
        });
        sorted.await.map_err(|_| CompareFault::Log(ledger::Error::Closed))
    }

    fn keep(self: &Arc<Self>, new: Kept) {
        let mut keeping = self.lock();
        let kept = &mut keeping.kept;
        kept.retain(|one| one.extent != new.extent);
        kept.sort_by_key(|one| one.asked_at);
        let surplus = (kept.len() + 1).saturating_sub(KEPT_MAX);
        kept.drain(..surplus);
        kept.push(new);
        self.count(kept);
        if !std::mem::replace(&mut keeping.is_watched, true) {
            tokio::spawn(watch(Arc::downgrade(self)));
        }
    }

    /// Lets go of what nobody asks for any more. Gives whether something is left.
    fn let_go(&self) -> bool {
        let mut keeping = self.lock();
        keeping.kept.retain(|one| one.asked_at.elapsed() < KEPT_FOR);
        self.count(&keeping.kept);
        keeping.is_watched = !keeping.kept.is_empty();
        keeping.is_watched
    }

    fn count(&self, kept: &[Kept]) {
        let dossiers: usize = kept.iter().map(|one| one.digests.len()).sum();
        self.metrics.dossier_digests_kept.set(dossiers as f64);
    }

    fn lock(&self) -> MutexGuard<'_, Keeping> {
        self.keeping.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches what is kept until it is gone.
async fn watch(comparisons: Weak<Comparisons>) {
    loop {
        sleep(KEPT_FOR).await;
        let Some(comparisons) = comparisons.upgrade() else { return };
        if !comparisons.let_go() {
            return;
        }
    }
}
