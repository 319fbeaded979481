//! The log on SQLite under test.

use std::sync::Arc;

use tempfile::TempDir;
use truc::dossiers::sqlite::{Options, SqliteDossiers};
use truc::dossiers::{Commits, DossierLog};
use truc::ledger::sqlite::OpenError;
use truc::metrics::Metrics;

use super::{HOLD, LogUnderTest, Open, step};

/// A database file in a folder of its own.
pub struct Sqlite(TempDir);

impl Sqlite {
    fn options(&self) -> Options {
        Options {
            path: self.0.path().join("dossiers.db"),
            commit_batch_max: 64,
            queue_max: 16,
            readers: 3,
            hold: HOLD,
        }
    }
}

impl LogUnderTest for Sqlite {
    async fn create() -> Self {
        Self(TempDir::new().unwrap())
    }

    async fn open(&self) -> (Arc<dyn DossierLog>, Commits) {
        let (log, commits) = SqliteDossiers::open(&self.options(), Arc::new(Metrics::unobserved())).unwrap();
        (Arc::new(log), commits)
    }

    /// The files as a dead process leaves them: copied while the log is open and at work.
    async fn killed(self, log: Arc<dyn DossierLog>) -> Self {
        let after = TempDir::new().unwrap();
        for end in ["", "-wal"] {
            let name = format!("dossiers.db{end}");
            std::fs::copy(self.0.path().join(&name), after.path().join(&name)).unwrap();
        }
        tokio::task::spawn_blocking(move || drop(log)).await.unwrap();
        Self(after)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_one_is_refused_while_the_first_is_open() {
    let open = Open::<Sqlite>::new().await;
    let refused = SqliteDossiers::open(&open.place.options(), Arc::new(Metrics::unobserved())).map(drop);
    assert!(matches!(refused, Err(OpenError::InUse { .. })));
    open.one(step("H49-20260101-1", 1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_schema_is_refused() {
    let place = Sqlite::create().await;
    drop(place.open().await);
    let db = rusqlite::Connection::open(place.options().path).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let refused = SqliteDossiers::open(&place.options(), Arc::new(Metrics::unobserved())).map(drop);
    assert!(matches!(refused, Err(OpenError::TooNew { found: 99, .. })));
}
