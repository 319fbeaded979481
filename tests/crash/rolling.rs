//! A rolling restart under load: each node in turn is drained and started again, and no call fails that the client's ordinary
//! retry does not cure.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::gateway::Gateway;
use crate::setup::SetUp;
use crate::town::{Manners, Town};
use crate::trial::{Trial, blocking, feed};
use crate::{SEED, TURN, end, say, setting};

const TIMES_ROUND: usize = 3;
const DOCUMENTS_PER_S: usize = 200;
/// Load between two restarts.
const BETWEEN: Duration = Duration::from_millis(1_500);
/// The longest a client may go without an answer.
const CURED_WITHIN: Duration = Duration::from_secs(5);
/// What a call may fail for, beside a connection that is closed: the node says that it leaves, and when to come back.
const TOLERATED: &[&str] = &["SHUTTING_DOWN"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_fails_no_call_that_a_retry_does_not_cure() {
    let _turn = TURN.lock().await;
    let seed = setting("TRUC_CRASH_SEED").unwrap_or(SEED);
    say(&format!("rolling restart of two nodes: TRUC_CRASH_SEED={seed}"));
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut trial = Trial::begin(SetUp::ScaleOut, &mut rng).await;
    let manners = Manners { tolerated: TOLERATED, given_up_percent: 0, short_leases: false };
    let started = Instant::now();
    let town = Town::work(&trial, manners, &mut rng);
    let (load, over) = (Arc::clone(&town.load), CancellationToken::new());
    let feeding = tokio::spawn({
        let over = over.clone();
        async move { feed(&load, DOCUMENTS_PER_S, &over).await }
    });
    let mut drains = Vec::new();
    for _ in 0..TIMES_ROUND {
        for gateway in &mut trial.gateways {
            tokio::time::sleep(BETWEEN).await;
            drains.push(restart(gateway).await);
        }
    }
    tokio::time::sleep(BETWEEN).await;
    over.cancel();
    feeding.await.unwrap();
    let journal = Arc::clone(&town.journal);
    let counts = end(&trial, town, seed, started.elapsed()).await;
    let slowest = drains.iter().max().unwrap().as_secs_f64();
    say(&format!("  {} restarts, the slowest drain took {slowest:.2} s", drains.len()));
    let failures = journal.failures();
    assert!(failures.of("SHUTTING_DOWN") > 0, "nobody was told that a node leaves: {failures}");
    assert!(failures.longest() < CURED_WITHIN, "{failures}");
    // Nobody gave up, so everything submitted is there.
    assert_eq!((counts.unanswered_there, counts.unanswered_not_there), (0, 0), "{counts}");
    assert_eq!(counts.documents, counts.accepted, "{counts}");
    assert!(trial.stop().await.iter().all(|code| *code == Some(0)));
}

/// Takes a node out of service without a failed call, and starts it again. Gives how long it took to drain.
async fn restart(gateway: &mut Gateway) -> Duration {
    let started = Instant::now();
    let config = gateway.site.config_file();
    let drained = blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_truc")).arg("drain").arg("--config").arg(config).output().unwrap()
    });
    let drained = drained.await;
    assert!(drained.status.success(), "{}", String::from_utf8_lossy(&drained.stderr));
    let took = started.elapsed();
    let process = gateway.take_down();
    assert_eq!(blocking(move || process.stop()).await, Some(0));
    gateway.bring_up().await;
    let (status, report) = gateway.running().get("/readyz").await;
    assert!(status.contains("200"), "{report}");
    took
}
