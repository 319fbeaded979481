//! A mailbox and those who serve it: what each gets, when, and what becomes of it.

mod isolation;
mod leases;
mod outcomes;
mod receipts;
mod work;

use prost_types::Timestamp;
use truc::domain::time::{Clock, SystemClock};
use truc::proto::v1::settlement::Outcome;
use truc::proto::v1::{self, DeliveryCause, ReceiptKind};

use crate::support::{Agency, document};

/// The shortest lease there is.
const SHORTEST: Option<prost_types::Duration> = Some(prost_types::Duration { seconds: 5, nanos: 0 });

/// Submits so many small documents to an organ; their ids are `PREFIX-0` and so on.
async fn submit_many(sender: &Agency, prefix: &str, to: &str, count: usize) {
    use tokio_stream::wrappers::ReceiverStream;
    let (queue, requests) = tokio::sync::mpsc::channel(64);
    let (prefix, to) = (prefix.to_owned(), to.to_owned());
    let sending = async move {
        for n in 0..count {
            let submission = Some(document(&format!("{prefix}-{n}"), &[&to], format!("noi dung {n}")));
            queue.send(v1::SubmitStreamRequest { submission }).await.unwrap();
        }
    };
    let mut calls = sender.exchange.clone();
    let receiving = async {
        let responses = calls.submit_stream(ReceiverStream::new(requests)).await.unwrap();
        let (mut responses, mut accepted) = (responses.into_inner(), 0);
        while let Some(response) = crate::support::soon("answers", responses.message()).await.unwrap() {
            for result in response.results {
                assert!(
                    matches!(result.result, Some(v1::submit_result::Result::Acceptance(_))),
                    "{result:?}"
                );
                accepted += 1;
            }
        }
        accepted
    };
    let ((), accepted) = tokio::join!(sending, receiving);
    assert_eq!(accepted, count);
}

/// The message id of a delivery.
fn id(delivery: &v1::Delivery) -> &str {
    &delivery.envelope.as_ref().unwrap().message_id
}

fn settlement(delivery: &v1::Delivery, outcome: Outcome) -> v1::Settlement {
    v1::Settlement { outcome: Some(outcome), ..crate::support::delivered(delivery) }
}

fn rejected(delivery: &v1::Delivery, reason: &str) -> v1::Settlement {
    settlement(delivery, Outcome::Rejected(v1::Rejected { reason: reason.into() }))
}

fn deferred(delivery: &v1::Delivery, reason: &str, retry_time: Option<Timestamp>) -> v1::Settlement {
    settlement(delivery, Outcome::Deferred(v1::Deferred { reason: reason.into(), retry_time }))
}

/// What happened to the delivery of a message with one recipient, after its acceptance.
async fn rungs(sender: &Agency, message_id: &str) -> Vec<(ReceiptKind, u32, DeliveryCause)> {
    let story = sender.track("", message_id).await.unwrap();
    story.receipts[1..].iter().map(|r| (r.kind(), r.attempt, r.cause())).collect()
}

/// The time in so many milliseconds.
fn in_ms(ms: i64) -> Timestamp {
    let micros = SystemClock.now().as_micros() + ms * 1_000;
    Timestamp { seconds: micros / 1_000_000, nanos: (micros % 1_000_000) as i32 * 1_000 }
}

/// Milliseconds since 1970.
fn ms(time: &Timestamp) -> i64 {
    time.seconds * 1_000 + i64::from(time.nanos) / 1_000_000
}
