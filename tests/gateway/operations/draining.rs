//! `truc drain`: a node leaves the service, and no call fails.

use std::process::{Command, Output};

use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{Site, delivered, document, reason, soon};

/// Runs `truc drain` beside the test.
async fn drain(site: &Site) -> Output {
    let config = site.path("truc.toml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_truc"));
    command.arg("drain").arg("--config").arg(config);
    soon("truc drain", tokio::task::spawn_blocking(move || command.output().unwrap())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_node_ends_its_streams_and_still_answers_calls() {
    let site = Site::new(&[]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    let mut collecting = h49.collect(8).await;
    g22.submit(document("m-1", &["H49"], b"x".to_vec())).await.unwrap();
    assert_eq!(collecting.deliveries().await.len(), 1);

    let drained = drain(&site).await;
    let said = String::from_utf8(drained.stdout).unwrap();
    assert!(drained.status.success() && said.ends_with("done\n"), "{said}");
    let end = collecting.end().await.expect("it is told why");
    assert_eq!((reason(&end), end.code()), ("SHUTTING_DOWN".to_owned(), tonic::Code::Unavailable));
    let (status, report) = gateway.get("/readyz").await;
    assert!(status.contains("503") && report.contains("being taken out of service"), "{report}");
    let mut health = HealthClient::new(site.channel(&gateway, &site.organ("H49")).await);
    let service = "truc.v1.DocumentExchangeService".to_owned();
    let checked = health.check(HealthCheckRequest { service }).await.unwrap().into_inner();
    assert_eq!(checked.status(), ServingStatus::NotServing);

    // A single call is answered to the last moment; a new stream is sent away with the hint.
    g22.submit(document("m-2", &["H49"], b"x".to_vec())).await.unwrap();
    assert_eq!(reason(&h49.collect(8).await.end().await.unwrap()), "SHUTTING_DOWN");
    assert_eq!(gateway.stop(), Some(0));

    // What the stream held is there for the next node.
    let gateway = site.start();
    let h49 = site.agency(&gateway, "H49").await;
    let fetched = h49.fetch(10, 10).await;
    assert_eq!(fetched.iter().map(|d| d.attempt).collect::<Vec<_>>(), [2, 1]);
    h49.settle(fetched.iter().map(delivered).collect()).await;
    assert_eq!(gateway.stop(), Some(0));
    let nobody = drain(&site).await;
    assert!(
        !nobody.status.success() && String::from_utf8(nobody.stderr).unwrap().contains("no node answers")
    );
}
