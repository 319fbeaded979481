//! Point 9: business statuses by their machine, each with a receipt, repeats with the first one.

use std::sync::Arc;

use bytes::Bytes;
use truc::domain::delivery::{DeliveryId, Event, Outcome, State};
use truc::domain::limits::STATUS_REPORTS_MAX;
use truc::domain::receipt::{Asserter, Receipt, ReceiptDelivery, ReceiptKind};
use truc::domain::status::{Report, ReportRefused, Staff, Status, StatusCode};
use truc::ledger::{Acceptance, ReportError, ReportRequest, StatusFile};

use super::inspect::{assert_gapless, seen};
use super::{LedgerUnderTest, Open};
use crate::support::{letter, message_id, offer, organ, redirected, report, settle, soon, step, t};

const ORGANS: [&str; 4] = ["G22", "H49", "H57", "H05"];

/// A letter to H49, H57 and, for H02, H05; offered to the first.
async fn offered<L: LedgerUnderTest>(open: &Open<L>) -> [DeliveryId; 3] {
    let letter = redirected(letter("G22", "one", &["H49", "H57"]), "H02", "H05", "decision");
    let accepted = open.accepted(letter).await;
    let ids = [0, 1, 2].map(|n| accepted.deliveries[n].id);
    open.step(offer(ids[0], t(2))).await.unwrap();
    ids
}

fn refused(why: ReportRefused) -> ReportError {
    ReportError::Refused(why)
}

async fn statuses<L: LedgerUnderTest>(open: &Open<L>) -> Vec<Option<StatusCode>> {
    let (record, _) = open.track("G22", "one").await.unwrap();
    record.deliveries.iter().map(|delivery| delivery.status).collect()
}

pub async fn every_report_is_a_receipt_with_all_that_was_said<L: LedgerUnderTest>() {
    let mut open = Open::<L>::new().await;
    let [a, _, c] = offered(&open).await;
    open.step(offer(c, t(3))).await.unwrap();
    open.told();
    let said = Report {
        status: Status {
            code: StatusCode::Refused,
            stated_at: Some(t(-4)),
            staff: Staff {
                department: "Phòng \"Văn thư\"".into(),
                department_id: "PVT".into(),
                name: "Trần Thị Mẫu".into(),
                id: "7".into(),
                email: "mau@vidu.example".into(),
                mobile: "0900".into(),
            },
        },
        reason: "sai nơi nhận\u{0}".into(),
    };
    let request = ReportRequest {
        delivery: c,
        organ: organ("H05"),
        by: organ("H05.1"),
        report: said.clone(),
        at: t(9),
        file: None,
    };
    let reported = open.report(request.clone()).await.unwrap();
    let message = letter("G22", "one", &[]).message;
    let expected = Receipt {
        sender_sequence: 5,
        message_sequence: 5,
        kind: ReceiptKind::Status,
        sender: organ("G22"),
        message_id: message_id("one"),
        content_hash: message.content_hash,
        payload_hash: message.payload_hash,
        time: t(9),
        asserted_by: Asserter::Organ(organ("H05.1")),
        delivery: Some(ReceiptDelivery {
            id: c,
            recipient: organ("H05"),
            addressed_to: Some(organ("H02")),
            replaces: None,
            attempt: 1,
        }),
        cause: None,
        reason: "sai nơi nhận\u{0}".into(),
        retry_time: None,
        status: Some(Box::new(said.status.clone())),
        change: None,
    };
    assert_eq!(reported.receipt, expected);
    assert!(!reported.repeated);
    assert_eq!(expected.report(), Some(said));
    let heads: Vec<_> = open.told().into_iter().flat_map(|commit| commit.receipt_heads).collect();
    assert_eq!(heads, [(organ("G22"), 5)]);
    let bare = open.report(report(a, "H49", StatusCode::Arrived, "", t(1))).await.unwrap();
    assert_eq!(bare.receipt.time, t(9), "times do not go back");
    let open = open.killed().await;
    let receipts = open.receipts("G22").await;
    assert_gapless(&receipts);
    assert_eq!(receipts[4..], [expected.clone(), bare.receipt]);
    assert_eq!(open.track("G22", "one").await.unwrap().1, receipts);
    assert_eq!(statuses(&open).await, [Some(StatusCode::Arrived), None, Some(StatusCode::Refused)]);
    let received = soon(open.ledger.received(&organ("H05"), None, false, 9)).await.unwrap();
    assert_eq!(received[0].deliveries[0].status, Some(StatusCode::Refused));
    let again = open.report(ReportRequest { at: t(99), by: organ("H05"), ..request }).await.unwrap();
    assert_eq!((again.receipt, again.repeated), (expected, true));
}

pub async fn a_repeated_report_gives_the_first_receipt<L: LedgerUnderTest>() {
    let mut open = Open::<L>::new().await;
    let [a, ..] = offered(&open).await;
    let line = [StatusCode::Arrived, StatusCode::Accepted, StatusCode::Assigned, StatusCode::InProcess];
    let requests: Vec<_> = line.iter().map(|code| report(a, "H49", *code, "", t(3))).collect();
    let first = open.reports(requests.clone()).await;
    let before = seen(&*open.ledger, &ORGANS, t(50), 9).await;
    open.told();
    for (request, first) in requests.iter().zip(&first) {
        let again = open.reports(vec![request.clone(), request.clone()]).await;
        let first = first.as_ref().unwrap();
        assert!(!first.repeated);
        for answer in again {
            let answer = answer.unwrap();
            assert_eq!((answer.receipt, answer.repeated), (first.receipt.clone(), true));
        }
    }
    assert_eq!(seen(&*open.ledger, &ORGANS, t(50), 9).await, before);
    assert!(open.told().iter().all(|commit| commit.receipt_heads.is_empty()));
    let open = open.killed().await;
    let last = open.report(requests[0].clone()).await.unwrap();
    assert_eq!(last.receipt, first[0].as_ref().unwrap().receipt);
    // Other words are another report.
    let other = open.report(report(a, "H49", StatusCode::InProcess, "giai đoạn 2", t(4))).await.unwrap();
    assert!(!other.repeated);
}

pub async fn an_impossible_report_is_typed_and_leaves_nothing<L: LedgerUnderTest>() {
    let mut open = Open::<L>::new().await;
    let [a, b, _] = offered(&open).await;
    open.report(report(a, "H49", StatusCode::Arrived, "", t(3))).await.unwrap();
    let before = seen(&*open.ledger, &ORGANS, t(50), 9).await;
    open.told();
    let expected = vec![StatusCode::Refused, StatusCode::Accepted];
    let standing = Some(StatusCode::Arrived);
    let table = [
        (
            a,
            "H49",
            StatusCode::Done,
            "",
            refused(ReportRefused::NotNext { code: StatusCode::Done, standing, expected }),
        ),
        (a, "H49", StatusCode::Refused, "", refused(ReportRefused::NoReason(StatusCode::Refused))),
        (a, "H49", StatusCode::ChangeAgreed, "", refused(ReportRefused::NoRequest(StatusCode::ChangeAgreed))),
        (a, "G22", StatusCode::RecallAsked, "vì", refused(ReportRefused::NoRequest(StatusCode::RecallAsked))),
        (a, "G22", StatusCode::Accepted, "", refused(ReportRefused::NotYours(StatusCode::Accepted))),
        (a, "H49", StatusCode::RecallAsked, "vì", refused(ReportRefused::NotYours(StatusCode::RecallAsked))),
        (b, "H57", StatusCode::Accepted, "", refused(ReportRefused::NotHandedOver(State::Queued))),
        (a, "H57", StatusCode::Accepted, "", ReportError::NotFound),
        (a, "H60", StatusCode::Accepted, "", ReportError::NotFound),
        (DeliveryId(1 << 50), "H49", StatusCode::Accepted, "", ReportError::NotFound),
        (DeliveryId(u64::MAX), "H49", StatusCode::Accepted, "", ReportError::NotFound),
    ];
    let requests: Vec<_> =
        table.iter().map(|(d, by, code, reason, _)| report(*d, by, *code, reason, t(4))).collect();
    let answers: Vec<_> = table.into_iter().map(|(.., why)| Err(why)).collect();
    for (request, answer) in requests.iter().zip(&answers) {
        assert_eq!(open.report(request.clone()).await, *answer, "{request:?}");
    }
    assert_eq!(open.reports(requests).await, answers);
    assert_eq!(seen(&*open.ledger, &ORGANS, t(50), 9).await, before);
    for commit in open.told() {
        assert!(commit.ready.is_empty() && commit.receipt_heads.is_empty() && commit.due.is_none());
    }
}

pub async fn transport_and_business_do_not_touch_each_other<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let [a, b, c] = offered(&open).await;
    // Before the settlement, and after it: the end of the transport stays what it was.
    open.report(report(a, "H49", StatusCode::Arrived, "", t(3))).await.unwrap();
    open.step(settle(a, "H49", 1, Outcome::Delivered, t(4))).await.unwrap();
    let (before, _) = open.track("G22", "one").await.unwrap();
    open.report(report(a, "H49", StatusCode::Accepted, "", t(5))).await.unwrap();
    open.report(report(a, "H49", StatusCode::Done, "", t(6))).await.unwrap();
    let open = open.killed().await;
    let (after, _) = open.track("G22", "one").await.unwrap();
    assert_eq!(after.deliveries[0].progress, before.deliveries[0].progress);
    assert_eq!((before.deliveries[0].ended_at, after.deliveries[0].ended_at), (Some(t(4)), Some(t(4))));
    // What its system refused, its clerks can only refuse; what ended without it has no status.
    open.step(offer(b, t(7))).await.unwrap();
    open.step(settle(b, "H57", 1, Outcome::Rejected { reason: "no".into() }, t(8))).await.unwrap();
    assert!(open.report(report(b, "H57", StatusCode::Accepted, "", t(9))).await.is_err());
    open.report(report(b, "H57", StatusCode::Refused, "vì", t(9))).await.unwrap();
    open.step(step(c, Event::Due, t(crate::support::EXPIRY))).await.unwrap();
    let late = open.report(report(c, "H05", StatusCode::Arrived, "", t(9))).await;
    assert_eq!(late, Err(refused(ReportRefused::NotHandedOver(State::Expired))));
    assert_eq!(statuses(&open).await, [Some(StatusCode::Done), Some(StatusCode::Refused), None]);
    assert_gapless(&open.receipts("G22").await);
}

/// A message with one recipient keeps the number of its last receipt by its delivery.
pub async fn steps_and_reports_share_one_numbering<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let d = open.accepted(letter("G22", "one", &["H49"])).await.deliveries[0].id;
    open.step(offer(d, t(2))).await.unwrap();
    let stage = |n: i64| report(d, "H49", StatusCode::Assigned, &n.to_string(), t(n));
    open.report(report(d, "H49", StatusCode::Accepted, "", t(3))).await.unwrap();
    open.reports(vec![stage(4), stage(5)]).await;
    open.step(settle(d, "H49", 1, Outcome::Delivered, t(4))).await.unwrap();
    let open = open.killed().await;
    open.report(stage(6)).await.unwrap();
    let (_, receipts) = open.track("G22", "one").await.unwrap();
    assert_gapless(&receipts);
    let times: Vec<_> = receipts.iter().map(|receipt| receipt.time).collect();
    assert_eq!(times, [1, 2, 3, 4, 5, 5, 6].map(t));
}

/// Eight tasks of one organ report the same line at once: each status once, each answer the one receipt.
pub async fn one_of_many_reporters_is_recorded<L: LedgerUnderTest>() {
    let open = Open::<L>::unheard().await;
    let [a, ..] = offered(&open).await;
    let line = [StatusCode::Arrived, StatusCode::Accepted, StatusCode::InProcess, StatusCode::Done];
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let ledger = Arc::clone(&open.ledger);
            tokio::spawn(async move {
                let mut got = Vec::new();
                for code in line {
                    let batch = vec![report(a, "H49", code, "", t(3))];
                    let answers = ledger.report(batch).await.unwrap().await.unwrap();
                    got.extend(answers.into_iter().map(|answer| answer.unwrap()));
                }
                got
            })
        })
        .collect();
    let mut recorded = 0;
    let (_, mut told) = (0, Vec::new());
    for task in tasks {
        let got = soon(task).await.unwrap();
        recorded += got.iter().filter(|reported| !reported.repeated).count();
        told.push(got.into_iter().map(|reported| reported.receipt).collect::<Vec<_>>());
    }
    assert_eq!(recorded, 4);
    assert!(told.iter().all(|receipts| *receipts == told[0]));
    let kept: Vec<_> =
        open.receipts("G22").await.into_iter().filter(|r| r.kind == ReceiptKind::Status).collect();
    assert_eq!(kept, told[0]);
}

pub async fn reports_of_one_delivery_are_bounded<L: LedgerUnderTest>() {
    let open = Open::<L>::unheard().await;
    let [a, ..] = offered(&open).await;
    let stages =
        (1..STATUS_REPORTS_MAX).map(|n| report(a, "H49", StatusCode::Assigned, &n.to_string(), t(4)));
    let accepted = report(a, "H49", StatusCode::Accepted, "", t(3));
    let requests: Vec<_> = std::iter::once(accepted).chain(stages).collect();
    assert!(open.reports(requests).await.iter().all(Result::is_ok));
    let expected = vec![StatusCode::Done];
    let standing = Some(StatusCode::Assigned);
    assert_eq!(
        open.report(report(a, "H49", StatusCode::Assigned, "x", t(5))).await,
        Err(refused(ReportRefused::NotNext { code: StatusCode::Assigned, standing, expected }))
    );
    open.report(report(a, "H49", StatusCode::Done, "", t(5))).await.unwrap();
}

/// What edXML needs: the delivery behind a document id, and the file a report came in, byte for byte.
pub async fn files_are_kept_and_documents_found<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let of = |id: &str, document: &str| Acceptance {
        document_id: Some(document.to_owned()),
        ..letter("G22", id, &["H49", "H57"])
    };
    let mut ids = Vec::new();
    for letter in [of("one", "7816/VPCP"), of("two", "7816/VPCP"), of("three", "khác \u{1F4E8}")] {
        ids.push(open.accepted(letter).await.deliveries.iter().map(|d| d.id).collect::<Vec<_>>());
    }
    let find = async |from: &str, document: &str, to: &str| {
        soon(open.ledger.delivery_of(&organ(from), document, &organ(to), false)).await.unwrap()
    };
    assert_eq!(find("G22", "khác \u{1F4E8}", "H57").await, Some(ids[2][1]));
    assert_eq!(find("G22", "7816/VPCP", "H49").await, Some(ids[1][0]), "the newest");
    open.step(offer(ids[0][0], t(2))).await.unwrap();
    assert_eq!(find("G22", "7816/VPCP", "H49").await, Some(ids[0][0]), "the one that was handed over");
    for (from, document, to) in [
        ("G22", "7816", "H49"),
        ("H49", "7816/VPCP", "H49"),
        ("G22", "7816/VPCP", "H05"),
        ("H60", "7816/VPCP", "H61"),
    ] {
        assert_eq!(find(from, document, to).await, None);
    }
    let file: Bytes = (0..=255).cycle().take(9_000).collect();
    let mut request = report(ids[0][0], "H49", StatusCode::Arrived, "", t(3));
    request.file = Some(file.clone());
    let first = open.report(request.clone()).await.unwrap().receipt.sender_sequence;
    request.file = Some(Bytes::from_static(b"other"));
    assert!(open.report(request).await.unwrap().repeated, "known by what it says");
    let bare = report(ids[0][0], "H49", StatusCode::Accepted, "", t(3));
    let bare = open.report(bare).await.unwrap().receipt.sender_sequence;
    let open = open.killed().await;
    let kept = async |from: &str, n| soon(open.ledger.status_file(&organ(from), n)).await.unwrap();
    assert_eq!(kept("G22", first).await, Some(StatusFile::Kept(file)));
    for (from, n) in [("G22", bare), ("G22", 1), ("G22", u64::MAX), ("H49", first), ("H60", 1)] {
        assert_eq!(kept(from, n).await, None);
    }
}
