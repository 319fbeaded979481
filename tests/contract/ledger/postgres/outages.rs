//! The database goes away and comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use truc::ledger::{Error, Ledger};

use super::{Postgres, Server, script};
use crate::ledger::Terms;
use crate::ledger::inspect::{assert_gapless, receipts};
use crate::support::{letter, message_id, organ, soon};

/// Hands over letters until told to stop: those that were accepted, and the longest wait for an answer.
async fn send(ledger: Arc<dyn Ledger>, task: usize, stop: Arc<AtomicBool>) -> (Vec<String>, usize, Duration) {
    let (mut accepted, mut failed, mut longest) = (Vec::new(), 0, Duration::ZERO);
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (id, begun) = (format!("m{task}.{n}"), Instant::now());
        let answer = match ledger.accept(vec![letter("G22", &id, &["H49"])]).await {
            Ok(pending) => pending.await,
            Err(error) => Err(error),
        };
        longest = longest.max(begun.elapsed());
        match answer {
            Ok(answers) => {
                assert!(answers.iter().all(Result::is_ok));
                accepted.push(id);
            }
            Err(Error::Failed(_)) => {
                failed += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(Error::Closed) => unreachable!("nobody closed it"),
        }
    }
    (accepted, failed, longest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_stopped_at_once_loses_nothing_and_is_found_again() {
    let folder = TempDir::new().unwrap();
    let server: &'static Server = Box::leak(Box::new(Server::start(folder.path())));
    let place = Postgres::on(server, Terms::default()).await;
    let mut options = place.options("out").await;
    options.retry_max = Duration::from_secs(1);
    let mut node = super::Node::open(options).await;
    node.commits.close();
    let stop = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> =
        (0..4).map(|task| tokio::spawn(send(Arc::clone(&node.ledger), task, Arc::clone(&stop)))).collect();
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let folder = folder.path().to_str().unwrap().to_owned();
        tokio::task::spawn_blocking(move || {
            assert!(script(&["stop", &folder, "immediate"]));
            std::thread::park_timeout(Duration::from_secs(2));
            assert!(script(&["start", &folder, &server.port.to_string()]));
        })
        .await
        .unwrap();
        // By itself, without anybody asking for it.
        let back = async { while node.ledger.probe().await.is_err() {} };
        tokio::time::timeout(Duration::from_secs(5), back).await.expect("it goes on");
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::Relaxed);
    let mut accepted = Vec::new();
    for sender in senders {
        let (ids, failed, longest) = soon(sender).await.unwrap();
        assert!(failed > 0, "while it was away, callers were told");
        assert!(longest < Duration::from_secs(4), "not hanging: {longest:?}");
        accepted.extend(ids);
    }
    assert_gapless(&receipts(&*node.ledger, &organ("G22"), 500).await);
    for id in &accepted {
        let found = soon(node.ledger.track(&organ("G22"), &message_id(id))).await.unwrap();
        assert!(found.is_some(), "{id} was accepted, and is lost");
    }
    drop(node);
    assert!(script(&["stop", folder.path().to_str().unwrap()]));
}
