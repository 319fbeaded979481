//! The log on PostgreSQL under test, and what several nodes make of it.

use std::sync::{Arc, Mutex};

use truc::dossiers::postgres::{Options, PostgresDossiers};
use truc::dossiers::{Commits, DossierLog};
use truc::metrics::Metrics;

use super::{HOLD, LogUnderTest, Open, in_order, publish, step};
use crate::ledger::Terms;
use crate::ledger::postgres::{Postgres as Database, Server};
use crate::support::soon;

/// A database of its own.
pub struct Postgres {
    database: Database,
    role: Mutex<String>,
}

impl Postgres {
    async fn node(&self, name: &str) -> (Arc<dyn DossierLog>, Commits) {
        let database = self.database.options(name).await;
        database.user.clone_into(&mut self.role.lock().unwrap());
        let options = Options { database, hold: HOLD };
        let opened = PostgresDossiers::open(&options, Arc::new(Metrics::unobserved())).await;
        let (log, commits) = opened.unwrap();
        (Arc::new(log), commits)
    }
}

impl LogUnderTest for Postgres {
    async fn create() -> Self {
        let database = Database::on(Server::shared(), Terms::default()).await;
        Self { database, role: Mutex::default() }
    }

    async fn open(&self) -> (Arc<dyn DossierLog>, Commits) {
        self.node("node").await
    }

    /// The database as a process leaves it that is cut off in the middle of whatever it does.
    async fn killed(self, log: Arc<dyn DossierLog>) -> Self {
        let role = self.role.lock().unwrap().clone();
        self.database.cut_off(&role).await;
        // It still tries for a while to reach the database.
        std::thread::spawn(move || drop(log));
        self
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_give_positions_without_a_hole_and_hear_of_each_other() {
    let open = Open::<Postgres>::unheard().await;
    let (other, mut commits) = open.place.node("other").await;
    let racing = |log: Arc<dyn DossierLog>, owner: &'static str| async move {
        for number in 1..=40 {
            let batch = (1..=5).map(|dossier| step(&format!("{owner}-20260101-{dossier}"), number));
            let answers = publish(&log, batch.collect()).await;
            assert!(answers.iter().all(|answer| answer.as_ref().unwrap().position.is_some()));
        }
    };
    tokio::join!(racing(Arc::clone(&open.log), "H49"), racing(Arc::clone(&other), "G09"));
    let events = open.events().await;
    assert_eq!(in_order(&events).into_values().collect::<Vec<_>>(), [40; 10]);
    assert_eq!(soon(other.events(0, 1_000)).await.unwrap(), events);
    // The other node has been told of the last, whoever wrote it.
    let mut last = 0;
    while last < 400 {
        last = soon(commits.recv()).await.unwrap().head.unwrap_or(last).max(last);
    }
    // Steps of one dossier that come to two nodes.
    let mine = open.one(step("H01-20260101-1", 2)).await.unwrap();
    assert_eq!((mine.position, mine.missing), (None, vec![1]));
    let theirs = publish(&other, vec![step("H01-20260101-1", 1)]).await.remove(0).unwrap();
    assert_eq!(theirs.position, Some(401));
    assert_eq!(open.shown().await[400..], ["H01-20260101-1 1", "H01-20260101-1 2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_cut_is_made_again_and_nothing_is_published_twice() {
    let open = Open::<Postgres>::unheard().await;
    let role = open.place.role.lock().unwrap().clone();
    let cutting = async {
        for _ in 0..5 {
            tokio::time::sleep(std::time::Duration::from_millis(60)).await;
            let end =
                format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'");
            open.place.database.server.say("postgres", &end).await;
        }
    };
    let publishing = async {
        for number in 1..=60 {
            let batch = (1..=8).map(|dossier| step(&format!("H49-20260101-{dossier}"), number));
            for answer in open.publish(batch.collect()).await {
                answer.unwrap();
            }
        }
    };
    tokio::join!(cutting, publishing);
    let events = open.events().await;
    assert_eq!(events.len(), 480);
    assert_eq!(in_order(&events).into_values().collect::<Vec<_>>(), [60; 8]);
}
