//! The SQLite ledger under test, and what only it promises.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use truc::ledger::sqlite::{OpenError, Options, SqliteLedger};
use truc::ledger::{Commits, Ledger};
use truc::metrics::Metrics;

use super::{LedgerUnderTest, Open, Terms};
use crate::support::letter;

/// A database file in a folder of its own.
pub struct Sqlite {
    folder: TempDir,
    terms: Terms,
}

impl Sqlite {
    fn options(&self) -> Options {
        Options {
            path: database(self.folder.path()),
            commit_batch_max: 64,
            commit_bytes_max: 1 << 20,
            queue_max: 16,
            readers: 3,
            mailbox_deliveries_max: self.terms.mailbox_deliveries_max,
            policy: self.terms.policy,
            outbox: true,
        }
    }
}

fn unobserved() -> Arc<Metrics> {
    Arc::new(Metrics::unobserved())
}

fn database(folder: &Path) -> PathBuf {
    folder.join("ledger.db")
}

impl LedgerUnderTest for Sqlite {
    async fn create(terms: Terms) -> Self {
        Self { folder: TempDir::new().unwrap(), terms }
    }

    async fn open(&self) -> (Arc<dyn Ledger>, Commits) {
        let (ledger, commits) = SqliteLedger::open(&self.options(), unobserved()).unwrap();
        (Arc::new(ledger), commits)
    }

    /// The files as a dead process leaves them: copied while the ledger is open and at work.
    async fn killed(self, ledger: Arc<dyn Ledger>) -> Self {
        let after = TempDir::new().unwrap();
        for end in ["", "-wal"] {
            let name = format!("ledger.db{end}");
            std::fs::copy(self.folder.path().join(&name), after.path().join(&name)).unwrap();
        }
        drop(ledger);
        Self { folder: after, terms: self.terms }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_one_is_refused_while_the_first_is_open() {
    let open = Open::<Sqlite>::new().await;
    let options = open.place.options();
    let refused = SqliteLedger::open(&options, unobserved()).map(drop);
    assert!(matches!(refused, Err(OpenError::InUse { path }) if path == options.path));
    open.accepted(letter("G22", "still-works", &["H49"])).await;
    let open = open.reopened().await;
    assert!(open.track("G22", "still-works").await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_schema_is_refused_and_left_alone() {
    let place = Sqlite::create(Terms::default()).await;
    drop(place.open().await);
    let options = place.options();
    let db = rusqlite::Connection::open(&options.path).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let refused = SqliteLedger::open(&options, unobserved()).map(drop);
    assert!(matches!(refused, Err(OpenError::TooNew { found: 99, known, .. }) if known < 99));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_cannot_be_made_is_told() {
    let place = Sqlite::create(Terms::default()).await;
    let file = place.folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let options = Options { path: database(&file), ..place.options() };
    let refused = SqliteLedger::open(&options, unobserved()).map(drop);
    assert!(matches!(refused, Err(OpenError::Io { path, .. }) if path == options.path));
}
