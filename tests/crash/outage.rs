//! What a node does while a part it needs is away: by rule, said aloud, and made up for when the part is back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tonic_types::StatusExt;
use truc::proto::v1;

use crate::setup::SetUp;
use crate::site::{Agency, Process, delivered, document, reason, until};
use crate::trial::{Trial, blocking};
use crate::{SEED, TURN, say};

const DOCUMENTS: usize = 100;
/// A refusal comes within this time.
const REFUSED_WITHIN: Duration = Duration::from_secs(10);
/// After the return of a part, all goes on within this time.
const RESUMED_WITHIN: Duration = Duration::from_secs(10);

async fn begin(set_up: SetUp) -> Trial {
    Trial::begin(set_up, &mut fastrand::Rng::with_seed(SEED)).await
}

/// The answer of /readyz: whether it is 200, and the report.
async fn readiness(process: &Process) -> (bool, serde_json::Value) {
    let (status, report) = process.get("/readyz").await;
    (status.contains("200"), serde_json::from_str(&report).unwrap())
}

fn finding<'a>(report: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {report}"))
}

async fn submit(agency: &Agency, prefix: &str) {
    for number in 0..DOCUMENTS {
        let id = format!("{prefix}-{number}");
        let accepted = agency.submit(document(&id, &["H49"], id.as_bytes())).await.unwrap();
        assert_eq!(accepted.deliveries.len(), 1);
    }
}

/// Takes over what comes on a stream until it is all there.
async fn collect_all(agency: &Agency, count: usize) {
    let mut collecting = agency.collect(64).await;
    let mut taken = 0;
    while taken < count {
        let deliveries = collecting.deliveries().await;
        taken += deliveries.len();
        collecting.settle(deliveries.iter().map(delivered).collect()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_rabbitmq_is_away_submissions_are_kept() {
    let _turn = TURN.lock().await;
    let trial = begin(SetUp::Bridge).await;
    let rabbitmq = Arc::clone(trial.around.rabbitmq.as_ref().unwrap());
    let g22 = trial.site().agency(trial.running(), "G22").await;
    let h49 = trial.site().agency(trial.running(), "H49").await;
    submit(&g22, "before").await;
    collect_all(&h49, DOCUMENTS).await;
    let (ready, report) = readiness(trial.running()).await;
    assert!(
        ready && report["degraded"] == false && finding(&report, "broker_connected")["ok"] == true,
        "{report}"
    );

    let stopping = Arc::clone(&rabbitmq);
    blocking(move || stopping.stop()).await;
    let collecting = tokio::spawn({
        let h49 = h49.clone();
        async move { collect_all(&h49, DOCUMENTS).await }
    });
    let started = Instant::now();
    submit(&g22, "meanwhile").await;
    let accepted = started.elapsed();
    until("degraded", async || readiness(trial.running()).await.1["degraded"] == true).await;
    let (ready, report) = readiness(trial.running()).await;
    let broker = finding(&report, "broker_connected");
    assert!(ready && broker["ok"] == false && broker["detail"] != "", "{report}");

    blocking(move || rabbitmq.restart()).await;
    let started = Instant::now();
    collecting.await.unwrap();
    let resumed = started.elapsed();
    until("well again", async || readiness(trial.running()).await.1["degraded"] == false).await;
    say(&format!(
        "RabbitMQ away: {DOCUMENTS} documents accepted in {:.2} s, all delivered {:.2} s after its return",
        accepted.as_secs_f64(),
        resumed.as_secs_f64()
    ));
    assert!(resumed < RESUMED_WITHIN, "{resumed:?}");
    assert!(trial.stop().await.iter().all(|code| *code == Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgresql_is_away_submissions_are_refused_with_a_hint() {
    let _turn = TURN.lock().await;
    let trial = begin(SetUp::ScaleOut).await;
    let postgres = Arc::clone(trial.around.postgres.as_ref().unwrap());
    let g22 = trial.site().agency(trial.running(), "G22").await;
    let h49 = trial.site().agency(trial.gateways[1].running(), "H49").await;
    submit(&g22, "before").await;

    let stopping = Arc::clone(&postgres);
    blocking(move || stopping.stop_immediate()).await;
    let mut slowest = Duration::ZERO;
    for number in 0..3 {
        let started = Instant::now();
        let id = format!("meanwhile-{number}");
        let refused = g22.submit(document(&id, &["H49"], id.as_bytes())).await.unwrap_err();
        slowest = slowest.max(started.elapsed());
        told(&refused);
    }
    let fetch = v1::FetchRequest { max_deliveries: 1, ..Default::default() };
    let started = Instant::now();
    told(&h49.exchange.clone().fetch(fetch).await.unwrap_err());
    slowest = slowest.max(started.elapsed());
    assert!(slowest < REFUSED_WITHIN, "{slowest:?}");
    for gateway in &trial.gateways {
        let (ready, report) = readiness(gateway.running()).await;
        assert!(!ready && finding(&report, "ledger_writable")["ok"] == false, "{report}");
    }

    blocking(move || postgres.restart()).await;
    let started = Instant::now();
    for gateway in &trial.gateways {
        until("ready again", async || readiness(gateway.running()).await.0).await;
    }
    // The same connections as before.
    submit(&g22, "meanwhile").await;
    collect_all(&h49, 2 * DOCUMENTS).await;
    let resumed = started.elapsed();
    say(&format!(
        "PostgreSQL away: refused within {:.2} s; ready, accepting and delivering {:.2} s after its return",
        slowest.as_secs_f64(),
        resumed.as_secs_f64()
    ));
    assert!(resumed < RESUMED_WITHIN, "{resumed:?}");
    assert!(trial.stop().await.iter().all(|code| *code == Some(0)));
}

/// The node says why not, and when to come back.
fn told(status: &tonic::Status) {
    assert_eq!((reason(status).as_str(), status.code()), ("LEDGER_UNAVAILABLE", tonic::Code::Unavailable));
    assert!(
        status.get_error_details().retry_info().and_then(|retry| retry.retry_delay).is_some(),
        "{status:?}"
    );
}
