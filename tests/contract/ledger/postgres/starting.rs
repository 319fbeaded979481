//! When a node may not start, and what it says.

use std::time::Duration;

use truc::ledger::postgres::{OpenError, PostgresLedger};

use super::{Postgres, unobserved};
use crate::ledger::{LedgerUnderTest, Terms};

async fn refused(place: &Postgres, node: &str) -> OpenError {
    let mut options = place.options(node).await;
    options.node_timeout = Duration::from_millis(300);
    PostgresLedger::open(&options, unobserved()).await.map(drop).unwrap_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_node_of_the_same_name_is_refused() {
    let place = Postgres::create(Terms::default()).await;
    let first = place.node("one").await;
    assert!(matches!(refused(&place, "one").await, OpenError::InUse { node } if node == "one"));
    drop(first);
    drop(place.node("one").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_schema_is_refused_and_left_alone() {
    let place = Postgres::create(Terms::default()).await;
    drop(place.node("one").await);
    place.server.say(&place.database, "INSERT INTO schema_version (version) VALUES (99)").await;
    let why = refused(&place, "one").await;
    assert!(matches!(why, OpenError::TooNew { found: 99, known, .. } if known < 99), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_keep_what_it_confirms_is_refused() {
    let place = Postgres::create(Terms::default()).await;
    let unsafe_now = format!("ALTER DATABASE {} SET synchronous_commit = off", place.database);
    place.server.say("postgres", &unsafe_now).await;
    let why = refused(&place, "one").await.to_string();
    assert!(why.contains("synchronous_commit = off"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_not_there_is_told() {
    let mut place = Postgres::create(Terms::default()).await;
    place.database = "nowhere".to_owned();
    let why = refused(&place, "one").await.to_string();
    assert!(why.contains("\"nowhere\" does not exist"), "{why}");
}
