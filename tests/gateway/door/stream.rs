//! Bad submissions in the middle of good ones on one stream: each is answered in its place, and the stream goes on.

use tokio_stream::wrappers::ReceiverStream;
use truc::proto::v1::{self, submit_result};

use super::Door;
use super::table::Table;
use crate::support::{document, edxml, soon};

/// What is sent at one place, and the reason and field it must get; none for a good one.
type Place = (Option<v1::Submission>, Option<(&'static str, &'static str)>);

fn places() -> Vec<Place> {
    let good = |n: usize| (Some(document(&format!("good-{n}"), &["H49"], b"x".to_vec())), None);
    let unknown = document("bad-1", &["K99"], b"x".to_vec());
    let secret = v1::Submission { sender: "H49".into(), ..document("bad-2", &["H49"], b"x".to_vec()) };
    let conflict = document("good-1", &["H49"], b"khac".to_vec());
    let late = v1::Submission {
        expire_time: Some(prost_types::Timestamp { seconds: 1, nanos: 0 }),
        ..document("bad-3", &["H49"], b"x".to_vec())
    };
    let large = document("bad-5", &["H49"], vec![0; super::PAYLOAD_BYTES_MAX + 1]);
    let field = "submission.document.header.recipients[0]";
    let bad = [
        (Some(unknown), Some(("UNKNOWN_RECIPIENT", field))),
        (None, Some(("MISSING_FIELD", "submission"))),
        (Some(secret), Some(("NOT_ACTING_FOR_ORGAN", "submission.sender"))),
        (Some(conflict), Some(("CONTENT_CONFLICT", "submission.message_id"))),
        (Some(late), Some(("DEADLINE_EXPIRED", "submission.expire_time"))),
        (Some(edxml("bad-4", "<edXML")), Some(("MALFORMED_EDXML", "submission.edxml.file"))),
        (Some(large), Some(("PAYLOAD_TOO_LARGE", "submission.document.payload"))),
    ];
    let mut places = vec![good(0), good(1)];
    for (at, bad) in bad.into_iter().enumerate() {
        places.extend([bad, good(2 * at + 2), good(2 * at + 3)]);
    }
    // The same again is a good one too.
    places.push(good(0));
    places
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_submission_on_a_stream_is_answered_in_its_place_and_the_stream_goes_on() {
    let door = Door::open().await;
    let places = places();
    let (sender, queue) = tokio::sync::mpsc::channel(places.len());
    for (submission, _) in &places {
        sender.send(v1::SubmitStreamRequest { submission: submission.clone() }).await.unwrap();
    }
    let mut calls = door.g22.exchange.clone();
    let mut responses = calls.submit_stream(ReceiverStream::new(queue)).await.unwrap().into_inner();
    let mut results = Vec::new();
    while results.len() < places.len() {
        results.extend(soon("answers", responses.message()).await.unwrap().unwrap().results);
    }
    let mut table = Table::default();
    for (at, ((submission, refused), result)) in places.iter().zip(&results).enumerate() {
        let id = submission.as_ref().map(|s| s.message_id.as_str()).unwrap_or_default();
        assert_eq!(result.message_id, id, "answer {at} is for submission {at}");
        match (&result.result, refused) {
            (Some(submit_result::Result::Refusal(refusal)), Some((reason, field))) => {
                table.refusal(&format!("place {at}"), Some(refusal), reason, field);
            }
            (Some(submit_result::Result::Acceptance(_)), None) => {}
            _ => panic!("place {at}: {result:?}"),
        }
    }
    table.finish(7);
    let Some(submit_result::Result::Acceptance(last)) = &results[places.len() - 1].result else { panic!() };
    assert!(last.repeated_submission);

    // The end of the requests is the end of the answers, with all of them given.
    sender.send(v1::SubmitStreamRequest { submission: places[0].0.clone() }).await.unwrap();
    drop(sender);
    let last = soon("the last answer", responses.message()).await.unwrap().unwrap();
    assert_eq!(last.results.len(), 1);
    assert!(soon("the end", responses.message()).await.unwrap().is_none());
    assert_eq!(door.stored().await.len(), 16);
    door.exchange("good-after").await;
    assert_eq!(door.gateway.stop(), Some(0));
}
