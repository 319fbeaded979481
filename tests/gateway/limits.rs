//! Limits: each is a typed refusal that says when to come back, stores nothing, and touches nobody else.

use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use truc::proto::v1::{self, submit_result};

use crate::support::{Agency, Process, Site, delivered, document, reason, soon, until};

/// The delay after which the caller may come back, by RetryInfo.
fn retry_delay(status: &Status) -> Duration {
    let delay = status.get_error_details().retry_info().and_then(|info| info.retry_delay);
    delay.unwrap_or_else(|| panic!("{status:?} says when to come back"))
}

fn exhausted(status: &Status, expected: &str) -> Duration {
    assert_eq!((status.code(), reason(status).as_str()), (Code::ResourceExhausted, expected));
    retry_delay(status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_mailbox_is_told_and_nothing_of_the_message_is_stored() {
    let site = Site::new(&["limits.mailbox_deliveries_max = 3"]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    for n in 0..3 {
        g22.submit(document(&format!("m-{n}"), &["H49"], b"x".to_vec())).await.unwrap();
    }
    let both = || document("m-3", &["H05", "H49"], b"x".to_vec());
    let full = g22.submit(both()).await.unwrap_err();
    assert!(exhausted(&full, "MAILBOX_FULL") >= Duration::from_secs(1));
    let details = full.get_error_details();
    let facts = &details.error_info().unwrap().metadata;
    assert_eq!((facts["organ"].as_str(), facts["open_deliveries"].as_str()), ("H49", "3"));
    // Nothing of it, for the recipient that had room neither.
    assert_eq!(reason(&g22.track("", "m-3").await.unwrap_err()), "MESSAGE_NOT_FOUND");
    assert_eq!(g22.receipts("").await.0.len(), 3);
    let h05 = site.agency(&gateway, "H05").await;
    assert!(h05.fetch(10, 0).await.is_empty());

    // What was accepted is still answered, others have room, and a place that becomes free can be used.
    let again = g22.submit(document("m-0", &["H49"], b"x".to_vec())).await.unwrap();
    assert!(again.repeated_submission);
    g22.submit(document("m-4", &["H05"], b"x".to_vec())).await.unwrap();
    let got = h49.fetch(1, 5).await;
    h49.settle(vec![delivered(&got[0])]).await;
    assert!(!g22.submit(both()).await.unwrap().repeated_submission);
    let others = h05.submit(document("of-h05", &["H49"], b"x".to_vec())).await.unwrap_err();
    exhausted(&others, "MAILBOX_FULL");
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organ_that_submits_too_fast_is_told_and_others_are_not_slowed() {
    let site = Site::new(&["limits.rate_per_s = 1", "limits.rate_burst = 5"]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    let refused = async |agency: &Agency, to: &str| {
        let mut refused = Vec::new();
        for n in 0..8 {
            let answer = agency.submit(document(&format!("m-{n}"), &[to], b"x".to_vec())).await;
            refused.extend(answer.err());
        }
        refused
    };
    let too_fast = refused(&g22, "H49").await;
    assert!((2..=3).contains(&too_fast.len()), "{too_fast:?}");
    let delay = exhausted(&too_fast[0], "RATE_LIMITED");
    assert!(delay > Duration::ZERO && delay <= Duration::from_secs(1), "{delay:?}");
    for n in 0..5 {
        h49.submit(document(&format!("m-{n}"), &["G22"], b"x".to_vec())).await.unwrap();
    }
    // Reading and settling are not submissions.
    assert_eq!(g22.fetch(10, 5).await.len(), 5);
    let last = g22.submit(document("m-9", &["H49"], b"x".to_vec())).await;
    if let Err(status) = last {
        tokio::time::sleep(exhausted(&status, "RATE_LIMITED")).await;
        g22.submit(document("m-9", &["H49"], b"x".to_vec())).await.unwrap();
    }
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organ_has_so_many_streams_and_gets_them_back() {
    let site = Site::new(&["limits.streams_per_organ_max = 3"]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    let watch = async |agency: &Agency| {
        soon("watch", agency.exchange.clone().watch_receipts(v1::WatchReceiptsRequest::default())).await
    };
    // Of three kinds: they share the limit.
    let collecting = g22.collect(1).await;
    let _watching = watch(&g22).await.unwrap();
    let (_open, queue) = tokio::sync::mpsc::channel(1);
    let _submitting = g22.exchange.clone().submit_stream(ReceiverStream::new(queue)).await.unwrap();
    until("a collector", async || gateway.metric("truc_collectors").await == 1.0).await;
    exhausted(&watch(&g22).await.unwrap_err(), "TOO_MANY_STREAMS");
    let (_second, queue) = tokio::sync::mpsc::channel(1);
    let refused = g22.exchange.clone().submit_stream(ReceiverStream::new(queue)).await.unwrap_err();
    exhausted(&refused, "TOO_MANY_STREAMS");
    exhausted(&g22.collect(1).await.end().await.unwrap(), "TOO_MANY_STREAMS");
    // Calls that are no streams go on, and so do the streams of others.
    g22.submit(document("m-1", &["H49"], b"x".to_vec())).await.unwrap();
    let others = [watch(&h49).await, watch(&h49).await, watch(&h49).await];
    assert!(others.iter().all(Result::is_ok));
    drop(collecting);
    until("a stream again", async || watch(&g22).await.is_ok()).await;
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_may_have_exactly_so_many_bytes() {
    let site = Site::new(&["limits.payload_bytes_max = 100000"]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    let of = |id: &str, bytes: usize| document(id, &["H49"], vec![7; bytes]);
    g22.submit(of("m-1", 100_000)).await.unwrap();
    let large = g22.submit(of("m-2", 100_001)).await.unwrap_err();
    assert_eq!((large.code(), reason(&large).as_str()), (Code::OutOfRange, "PAYLOAD_TOO_LARGE"));
    let huge = g22.submit(of("m-2", 10_000_000)).await.unwrap_err();
    assert_eq!((huge.code(), reason(&huge).as_str()), (Code::OutOfRange, "PAYLOAD_TOO_LARGE"));
    g22.submit(of("m-2", 1)).await.unwrap();
    let got = h49.fetch(10, 5).await;
    assert_eq!(got.iter().map(|d| d.payload.len()).collect::<Vec<_>>(), [100_000, 1]);
    assert_eq!(gateway.stop(), Some(0));
}

/// Callers that connect and say nothing.
async fn silent(gateway: &Process, count: usize) -> Vec<TcpStream> {
    let mut callers = Vec::new();
    for _ in 0..count {
        callers.push(soon("a connection", TcpStream::connect(gateway.address)).await.unwrap());
    }
    callers
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the figures of this test")]
async fn handshakes_that_never_end_hold_up_nobody() {
    let site = Site::new(&["tls.handshakes_max = 16", "tls.handshake_timeout = \"2s\""]);
    let gateway = site.start();
    let early = site.agency(&gateway, "G22").await;
    let timed = async |id: &str| {
        let started = Instant::now();
        let late = site.agency(&gateway, "H49").await;
        late.submit(document(id, &["G22"], b"x".to_vec())).await.unwrap();
        started.elapsed()
    };
    let alone = timed("m-0").await;
    let few = silent(&gateway, 6).await;
    let beside_few = timed("m-1").await;
    // More than there may be at a time: newcomers wait for those to be given up, and no longer.
    let many = silent(&gateway, 48).await;
    let beside_many = timed("m-2").await;
    println!(
        "connected and submitted in {alone:?} alone, {beside_few:?} beside 6 silent, {beside_many:?} beside 54"
    );
    assert!(beside_few < Duration::from_secs(2), "{beside_few:?}");
    assert!(beside_many < Duration::from_secs(10), "{beside_many:?}");
    assert_eq!(early.fetch(10, 0).await.len(), 3);
    until("all of them given up", async || {
        gateway.metric("truc_handshakes_total{result=\"timeout\"}").await >= (few.len() + many.len()) as f64
    })
    .await;
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the figures of this test")]
async fn payloads_in_hand_are_bounded_and_small_documents_still_pass() {
    // Room for two of these payloads at a time.
    let site = Site::new(&["limits.payload_bytes_max = 1048576", "limits.in_flight_bytes_max = 2097152"]);
    let gateway = site.start();
    let h49 = site.agency(&gateway, "H49").await;
    let (mut overloaded, mut accepted) = (Vec::new(), 0);
    for round in 0..20 {
        let mut calls = JoinSet::new();
        for n in 0..12 {
            let g22 = site.agency(&gateway, "G22").await;
            let submission = document(&format!("m-{round}-{n}"), &["G01"], vec![7; 1_048_576]);
            calls.spawn(async move { g22.submit(submission).await });
        }
        h49.submit(document(&format!("small-{round}"), &["G02"], b"x".to_vec())).await.unwrap();
        for answer in calls.join_all().await {
            match answer {
                Ok(_) => accepted += 1,
                Err(status) => overloaded.push(status),
            }
        }
        if !overloaded.is_empty() {
            break;
        }
    }
    println!("{accepted} accepted, {} told to come back", overloaded.len());
    assert!(accepted > 0 && !overloaded.is_empty());
    for status in &overloaded {
        exhausted(status, "OVERLOADED");
    }
    // Once there is room again, it is given back whole.
    let g22 = site.agency(&gateway, "G22").await;
    g22.submit(document("later", &["G01"], vec![7; 1_048_576])).await.unwrap();
    on_a_stream(&g22).await;
    assert_eq!(gateway.stop(), Some(0));
}

/// On a stream the same is an answer, with the time to come back.
async fn on_a_stream(g22: &Agency) {
    let (sender, queue) = tokio::sync::mpsc::channel(32);
    let mut calls = g22.exchange.clone();
    let mut responses = calls.submit_stream(ReceiverStream::new(queue)).await.unwrap().into_inner();
    let send = async move {
        for n in 0..32 {
            let submission = Some(document(&format!("s-{n}"), &["G01"], vec![7; 1_048_576]));
            sender.send(v1::SubmitStreamRequest { submission }).await.unwrap();
        }
    };
    let receive = async {
        let mut results = Vec::new();
        while let Some(response) = soon("answers", responses.message()).await.unwrap() {
            results.extend(response.results);
        }
        results
    };
    let ((), results) = tokio::join!(send, receive);
    assert_eq!(results.len(), 32);
    for (n, result) in results.iter().enumerate() {
        assert_eq!(result.message_id, format!("s-{n}"));
        if let Some(submit_result::Result::Refusal(refusal)) = &result.result {
            assert_eq!(refusal.reason(), v1::ErrorReason::Overloaded);
            assert!(refusal.retry_delay.is_some());
        }
    }
}
