//! The same submission many times at once, across a crash, is one message with one receipt.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prost::Message;
use tokio::sync::{Barrier, watch};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use truc::proto::v1::{self, ReceiptKind, submit_result};

use crate::support::{Agency, Process, Site, document, reason, soon};

const CONNECTIONS: usize = 8;
const EACH: usize = 125;
/// The gateway is killed when so many answers have come.
const KILL_AT: usize = 400;

fn submission() -> v1::Submission {
    document("once", &["H49", "H02"], b"noi dung".repeat(1_000))
}

/// One connection's share: every submission until it is answered, wherever the gateway is by then.
async fn submit_all(
    mut place: watch::Receiver<Option<Agency>>,
    start: Arc<Barrier>,
    answered: Arc<AtomicUsize>,
) -> (Vec<v1::Acceptance>, usize) {
    let mut agency = place.borrow_and_update().clone().unwrap();
    start.wait().await;
    let (mut acceptances, mut cut_off) = (Vec::new(), 0);
    while acceptances.len() < EACH {
        match agency.submit(submission()).await {
            Ok(acceptance) => {
                acceptances.push(acceptance);
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(status) => {
                assert!(matches!(status.code(), Code::Unavailable | Code::Unknown), "{status:?}");
                cut_off += 1;
                soon("the next gateway", place.changed()).await.unwrap();
                agency = place.borrow_and_update().clone().unwrap();
            }
        }
    }
    (acceptances, cut_off)
}

/// Kills the gateway among the answers and starts it again; tells the connections where it is now.
async fn restart(
    site: &Site,
    first: Process,
    places: &[watch::Sender<Option<Agency>>],
    answered: &AtomicUsize,
) -> Process {
    crate::support::until("answers", async || answered.load(Ordering::Relaxed) >= KILL_AT).await;
    first.kill();
    let second = site.start();
    for place in places {
        place.send_replace(Some(site.agency(&second, "G22").await));
    }
    second
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the figures of this test")]
async fn a_thousand_submissions_of_one_message_across_a_crash_are_one_document_and_one_receipt() {
    let site = Site::new(&[]);
    let gateway = site.start();
    let (start, answered) = (Arc::new(Barrier::new(CONNECTIONS)), Arc::new(AtomicUsize::new(0)));
    let (mut places, mut sharers) = (Vec::new(), JoinSet::new());
    for _ in 0..CONNECTIONS {
        let (place, seen) = watch::channel(Some(site.agency(&gateway, "G22").await));
        places.push(place);
        sharers.spawn(submit_all(seen, Arc::clone(&start), Arc::clone(&answered)));
    }
    let gateway = restart(&site, gateway, &places, &answered).await;
    let shares = soon("all answers", sharers.join_all()).await;
    let cut_off: usize = shares.iter().map(|(_, cut_off)| cut_off).sum();
    let all: Vec<v1::Acceptance> = shares.into_iter().flat_map(|(acceptances, _)| acceptances).collect();
    assert_eq!(all.len(), CONNECTIONS * EACH);
    let first = all.iter().filter(|acceptance| !acceptance.repeated_submission).count();
    println!("{} answers, {first} of them the first, {cut_off} submissions cut off by the crash", all.len());
    assert_eq!(first, 1, "one of them was the first");

    let receipt = all[0].receipt.as_ref().unwrap();
    assert_eq!((receipt.kind(), receipt.sender_sequence), (ReceiptKind::Accepted, 1));
    for acceptance in &all {
        assert_eq!(acceptance.receipt.as_ref().unwrap().encode_to_vec(), receipt.encode_to_vec());
        assert_eq!(acceptance.deliveries, all[0].deliveries);
    }
    one_document(&site, &gateway).await;
    assert_eq!(gateway.stop(), Some(0));
}

/// There is one message, one delivery for each recipient, and other content is a conflict.
async fn one_document(site: &Site, gateway: &Process) {
    let g22 = site.agency(gateway, "G22").await;
    let sent = g22.exchange.clone().list_sent(v1::ListSentRequest::default()).await.unwrap().into_inner();
    assert_eq!(sent.messages.len(), 1);
    for organ in ["H49", "H05"] {
        let deliveries = site.agency(gateway, organ).await.fetch(10, 10).await;
        assert_eq!(deliveries.len(), 1, "{organ} gets it once");
        assert_eq!(deliveries[0].payload, b"noi dung".repeat(1_000));
    }
    let kinds: Vec<_> = g22.receipts("").await.0.iter().map(v1::Receipt::kind).collect();
    use ReceiptKind::{Accepted, Offered, Redirected};
    assert_eq!(kinds, [Accepted, Redirected, Offered, Offered]);

    let other = g22.submit(document("once", &["H49", "H02"], b"khac".to_vec())).await.unwrap_err();
    assert_eq!((other.code(), reason(&other).as_str()), (Code::AlreadyExists, "CONTENT_CONFLICT"));
    // The id is the sender's own: another organ may use it too.
    let h49 = site.agency(gateway, "H49").await;
    let own = h49.submit(document("once", &["G22"], b"khac".to_vec())).await.unwrap();
    assert!(!own.repeated_submission);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeats_within_one_batch_of_a_stream_are_repeats() {
    let site = Site::new(&[]);
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    let (sender, queue) = tokio::sync::mpsc::channel(64);
    for n in 0..64 {
        // Every eighth has other content under the same id.
        let payload = if n % 8 == 7 { "khac" } else { "noi dung" };
        let submission = Some(document("stream", &["H49"], payload));
        sender.send(v1::SubmitStreamRequest { submission }).await.unwrap();
    }
    drop(sender);
    let mut calls = g22.exchange.clone();
    let mut responses = calls.submit_stream(ReceiverStream::new(queue)).await.unwrap().into_inner();
    let mut results = Vec::new();
    while let Some(response) = soon("answers", responses.message()).await.unwrap() {
        results.extend(response.results);
    }
    assert_eq!(results.len(), 64);
    for (n, result) in results.iter().enumerate() {
        match &result.result {
            Some(submit_result::Result::Acceptance(acceptance)) => {
                assert_eq!(acceptance.repeated_submission, n > 0, "{n}");
                assert_eq!(acceptance.receipt.as_ref().unwrap().sender_sequence, 1);
            }
            Some(submit_result::Result::Refusal(refusal)) => {
                assert_eq!((n % 8, refusal.reason()), (7, v1::ErrorReason::ContentConflict), "{n}");
            }
            None => panic!("{n}: no answer"),
        }
    }
    assert_eq!(site.agency(&gateway, "H49").await.fetch(10, 10).await.len(), 1);
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_gets_the_first_answer_also_after_its_deadline_and_after_its_recipient_closed() {
    let mut site = Site::new(&[]);
    site.directory("H49.77,Đơn vị thử,,,,,");
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    let expire_time = soon_after_now();
    let short = v1::Submission { expire_time: Some(expire_time), ..document("short", &["H49"], "gap") };
    let first = g22.submit(short.clone()).await.unwrap();
    let to_close = document("to-close", &["H49.77"], "dong");
    let second = g22.submit(to_close.clone()).await.unwrap();
    assert_eq!(gateway.stop(), Some(0));

    site.directory("H49.77,Đơn vị thử,,2025-07-01,,QĐ 09/2025/QĐ-TTg,");
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    let tries = AtomicUsize::new(0);
    crate::support::until("the deadline", async || {
        // Another id each time: one that was accepted in time stays accepted.
        let id = format!("late-{}", tries.fetch_add(1, Ordering::Relaxed));
        let late = v1::Submission { expire_time: Some(expire_time), ..document(&id, &["H49"], "gap") };
        Box::pin(g22.submit(late)).await.is_err_and(|status| reason(&status) == "DEADLINE_EXPIRED")
    })
    .await;
    for (submission, answer) in [(short, first), (to_close, second)] {
        let again = g22.submit(submission.clone()).await.unwrap();
        assert!(again.repeated_submission);
        assert_eq!((again.receipt, again.deliveries), (answer.receipt, answer.deliveries));
        // Under another id, or with other content, the day counts.
        let new = v1::Submission { message_id: format!("{}-new", submission.message_id), ..submission };
        let refused = reason(&g22.submit(new).await.unwrap_err());
        assert!(matches!(refused.as_str(), "DEADLINE_EXPIRED" | "RECIPIENT_CLOSED"), "{refused}");
    }
    assert_eq!(gateway.stop(), Some(0));
}

/// A deadline that comes soon, and not before the first submission has been answered.
fn soon_after_now() -> prost_types::Timestamp {
    use truc::domain::time::{Clock, SystemClock};
    truc::proto::convert::timestamp(SystemClock.now().plus(std::time::Duration::from_secs(5)))
}
