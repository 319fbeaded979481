//! SIGTERM and SIGINT: the stop in good order, at the end of the grace, and at once.

use std::time::{Duration, Instant};

use futures_util::stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tower::ServiceExt;
use truc::proto::v1;

use crate::support::{Agency, Process, Site, delivered, document, reason, soon, until};

/// What a call or stream may end with when the gateway stops.
fn told(status: Option<&Status>) {
    if let Some(status) = status {
        assert_eq!(reason(status), "SHUTTING_DOWN", "{status:?}");
        assert_eq!(status.code(), tonic::Code::Unavailable);
    }
}

async fn last<T>(mut stream: tonic::Streaming<T>) -> Option<Status> {
    loop {
        match soon("the end of a stream", stream.message()).await {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(status) => return Some(status),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_open_streams_and_waiting_calls_in_good_order() {
    let site = Site::new(&[]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    let mut collecting = h49.collect(8).await;
    let watching = g22.exchange.clone().watch_receipts(v1::WatchReceiptsRequest::default()).await.unwrap();
    let (_open, queue) = tokio::sync::mpsc::channel(1);
    let submitting = g22.exchange.clone().submit_stream(ReceiverStream::new(queue)).await.unwrap();
    let h05 = site.agency(&gateway, "H05").await;
    let wait = Some(prost_types::Duration { seconds: 60, nanos: 0 });
    let fetch = v1::FetchRequest { wait, ..Default::default() };
    let fetching = tokio::spawn(async move { h05.exchange.clone().fetch(fetch).await });
    let mut health = HealthClient::new(site.channel(&gateway, &site.organ("H49")).await);
    let service = "truc.v1.DocumentExchangeService".to_owned();
    let watched = health.watch(HealthCheckRequest { service }).await.unwrap();
    let mut watched = watched.into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    g22.submit(document("m-1", &["H49"], b"x".to_vec())).await.unwrap();
    let held = collecting.deliveries().await;

    let started = Instant::now();
    gateway.signal("TERM");
    told(collecting.end().await.as_ref());
    told(last(watching.into_inner()).await.as_ref());
    told(last(submitting.into_inner()).await.as_ref());
    told(soon("the fetch", fetching).await.unwrap().err().as_ref());
    assert_eq!(soon("health", watched.message()).await.unwrap().unwrap().status(), ServingStatus::NotServing);
    drop((health, watched));
    assert_eq!(gateway.exited().await, Some(0));
    assert!(started.elapsed() < Duration::from_secs(10), "well within the grace: {:?}", started.elapsed());

    // What was unsettled is offered again after the next start.
    let gateway = site.start();
    let h49 = site.agency(&gateway, "H49").await;
    let again = h49.fetch(10, 10).await.remove(0);
    assert_eq!((&again.delivery_id, again.attempt), (&held[0].delivery_id, 2));
    h49.settle(vec![delivered(&again)]).await;
    gateway.signal("INT");
    assert_eq!(gateway.exited().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_accepted_while_it_stops_is_lost() {
    let site = Site::new(&[]);
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    let submitting = tokio::spawn(async move {
        let mut accepted = 0;
        while g22.submit(document(&format!("m-{accepted}"), &["H49"], b"x".to_vec())).await.is_ok() {
            accepted += 1;
        }
        accepted
    });
    until("some", async || gateway.metric("truc_submissions_total{result=\"accepted\"}").await >= 50.0).await;
    assert_eq!(gateway.stop(), Some(0));
    let accepted = submitting.await.unwrap();
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    let stored = g22.receipts("").await.0.len();
    assert!(stored == accepted || stored == accepted + 1, "{accepted} accepted, {stored} stored");
    assert_eq!(gateway.stop(), Some(0));
}

/// Begins a call whose request never ends.
async fn hang(site: &Site, gateway: &Process) -> tokio::task::JoinHandle<()> {
    let agency = Agency::new(site.channel(gateway, &site.organ("G22")).await, "G22");
    agency.submit(document("before", &["H49"], b"x".to_vec())).await.unwrap();
    let channel = site.channel(gateway, &site.organ("G22")).await;
    let head = stream::once(async { Ok::<_, std::io::Error>(vec![0, 0, 0, 0, 9, 0x0a]) });
    let body = axum::body::Body::from_stream(stream::StreamExt::chain(head, stream::pending()));
    let uri = format!("https://{}/truc.v1.DocumentExchangeService/Submit", gateway.address);
    let request = http::Request::post(uri)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(tonic::body::Body::new(body))
        .unwrap();
    let call = tokio::spawn(async move { drop(channel.oneshot(request).await) });
    // The stream limit of one connection shows that the call has begun: it is in the figures of nothing else.
    until("the call has begun", async || gateway.metric("truc_connections").await >= 2.0).await;
    call
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_does_not_end_is_cut_off_at_the_end_of_the_grace() {
    let site = Site::new(&["gateway.shutdown_grace = \"1s\""]);
    let gateway = site.start();
    let call = hang(&site, &gateway).await;
    let started = Instant::now();
    gateway.signal("TERM");
    gateway.logged("the gateway has stopped").await;
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(gateway.exited().await, Some(1), "not in good order");
    soon("the call", call).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_stops_at_once() {
    let site = Site::new(&["gateway.shutdown_grace = \"10m\""]);
    let gateway = site.start();
    let call = hang(&site, &gateway).await;
    gateway.signal("TERM");
    gateway.logged("the gateway is stopping").await;
    gateway.signal("TERM");
    gateway.logged("stopped at once by a second signal").await;
    assert_eq!(gateway.exited().await, Some(1));
    soon("the call", call).await.unwrap();
    // The ledger is whole all the same.
    let gateway = site.start();
    assert_eq!(site.agency(&gateway, "H49").await.fetch(10, 10).await.len(), 1);
    assert_eq!(gateway.stop(), Some(0));
}
