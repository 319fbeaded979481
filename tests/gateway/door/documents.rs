//! Documents with a field that is missing, too long or wrong.

use prost_types::Timestamp;
use truc::domain::time::{Clock, SystemClock};
use truc::proto::v1::{self, submission::Content};

use super::table::Table;
use super::{Door, PAYLOAD_BYTES_MAX};
use crate::support::document;

type Change = fn(&mut v1::Submission);

/// A good document with one change.
fn changed(change: Change) -> v1::Submission {
    let mut submission = document("bad-document", &["H49"], b"noi dung".to_vec());
    change(&mut submission);
    submission
}

fn body(submission: &mut v1::Submission) -> &mut v1::OpaqueDocument {
    match submission.content.as_mut() {
        Some(Content::Document(document)) => document,
        _ => panic!("it is a document"),
    }
}

fn header(submission: &mut v1::Submission) -> &mut v1::DocumentHeader {
    body(submission).header.as_mut().unwrap()
}

fn code(submission: &mut v1::Submission) -> &mut v1::DocumentCode {
    header(submission).code.as_mut().unwrap()
}

fn signed(submission: &mut v1::Submission, signer: v1::Signer) {
    header(submission).signer = Some(signer);
}

/// A text of so many characters, of more bytes than those.
fn text(chars: usize) -> String {
    "ộ".repeat(chars)
}

/// So many seconds from now.
fn in_seconds(seconds: i64) -> Timestamp {
    Timestamp { seconds: SystemClock.now().as_micros() / 1_000_000 + seconds, nanos: 0 }
}

/// Name, change, and the field at fault below `submission`; below the header where it starts with a dot.
type Rows = &'static [(&'static str, Change, &'static str)];

const MISSING: Rows = &[
    ("no content", |s| s.content = None, "content"),
    ("no message id", |s| s.message_id.clear(), "message_id"),
    ("no header", |s| body(s).header = None, "document.header"),
    ("no payload", |s| body(s).payload.clear(), "document.payload"),
    ("no media type", |s| body(s).media_type.clear(), "document.media_type"),
    ("no recipients", |s| header(s).recipients.clear(), ".recipients[0]"),
    ("an empty recipient", |s| header(s).recipients[0].clear(), ".recipients[0]"),
    ("a recipient null", |s| header(s).recipients[0] = "null".into(), ".recipients[0]"),
    ("no subject", |s| header(s).subject.clear(), ".subject"),
    ("a blank subject", |s| header(s).subject = " \t\n".into(), ".subject"),
    ("no code", |s| header(s).code = None, ".code"),
    ("no number", |s| code(s).number.clear(), ".code.number"),
    ("no notation", |s| code(s).notation.clear(), ".code.notation"),
    ("no date", |s| header(s).promulgation_date.clear(), ".promulgation_date"),
];

const TOO_LONG: Rows = &[
    ("a message id of 129", |s| s.message_id = "m".repeat(129), "message_id"),
    ("a media type of 128", |s| body(s).media_type = format!("a/{}", "b".repeat(126)), "document.media_type"),
    ("a subject of 501", |s| header(s).subject = text(501), ".subject"),
    ("a number of 12", |s| code(s).number = text(12), ".code.number"),
    ("a notation of 31", |s| code(s).notation = text(31), ".code.notation"),
    ("a document id of 201", |s| header(s).document_id = text(201), ".document_id"),
    ("a date of 11", |s| header(s).promulgation_date = "2026-11-200".into(), ".promulgation_date"),
    ("a place of 51", |s| header(s).promulgation_place = text(51), ".promulgation_place"),
    ("a type of 101", |s| header(s).document_type = text(101), ".document_type"),
    ("an abstract of 501", |s| header(s).content = text(501), ".content"),
    (
        "a competence of 101",
        |s| signed(s, v1::Signer { competence: text(101), ..Default::default() }),
        ".signer.competence",
    ),
    (
        "a position of 101",
        |s| signed(s, v1::Signer { position: text(101), ..Default::default() }),
        ".signer.position",
    ),
    (
        "a name of 101",
        |s| signed(s, v1::Signer { full_name: text(101), ..Default::default() }),
        ".signer.full_name",
    ),
];

const INVALID: Rows = &[
    ("a space in the message id", |s| s.message_id = "bad id".into(), "message_id"),
    ("a Đ in the message id", |s| s.message_id = "bad-Đ".into(), "message_id"),
    ("no slash in the media type", |s| body(s).media_type = "pdf".into(), "document.media_type"),
    ("two slashes in the media type", |s| body(s).media_type = "a/b/c".into(), "document.media_type"),
    ("a control character in the subject", |s| header(s).subject = "V/v\u{7}".into(), ".subject"),
    ("30 February", |s| header(s).promulgation_date = "2026-02-30".into(), ".promulgation_date"),
    ("a date day first", |s| header(s).promulgation_date = "20/11/2026".into(), ".promulgation_date"),
    ("a date in words", |s| header(s).promulgation_date = "hôm qua".into(), ".promulgation_date"),
    ("a due date that is none", |s| header(s).due_date = "2026-13-01".into(), ".due_date"),
    ("urgency 6", |s| header(s).urgency = 6, ".urgency"),
    ("urgency -1", |s| header(s).urgency = -1, ".urgency"),
    ("secrecy 5", |s| header(s).secrecy = 5, ".secrecy"),
    ("secrecy -1", |s| header(s).secrecy = -1, ".secrecy"),
    (
        "kept for longer than the gateway keeps",
        |s| s.expire_time = Some(in_seconds(31 * 86_400)),
        "expire_time",
    ),
    (
        "an expire time in the year 292,000",
        |s| s.expire_time = Some(Timestamp { seconds: i64::MAX, nanos: 0 }),
        "expire_time",
    ),
    ("nanos below zero", |s| s.expire_time = Some(Timestamp { nanos: -1, ..in_seconds(60) }), "expire_time"),
    ("a hash of 31 bytes", |s| s.payload_sha256 = vec![7; 31].into(), "payload_sha256"),
    ("a hash in hexadecimal", |s| s.payload_sha256 = vec![b'a'; 64].into(), "payload_sha256"),
];

const SECRET: Rows = &[
    ("Mật", |s| header(s).secrecy = v1::Secrecy::Confidential.into(), ".secrecy"),
    ("Tối mật", |s| header(s).secrecy = v1::Secrecy::Secret.into(), ".secrecy"),
    ("Tuyệt mật", |s| header(s).secrecy = v1::Secrecy::TopSecret.into(), ".secrecy"),
    ("marked in the subject", |s| header(s).subject = "[MẬT] Báo cáo".into(), ".subject"),
    ("marked in the abstract", |s| header(s).content = "Độ mật: Tối mật".into(), ".content"),
    ("marked in the type", |s| header(s).document_type = "TUYỆT MẬT - Công văn".into(), ".document_type"),
];

pub async fn rows(door: &Door, table: &mut Table) {
    let kinds = [
        (MISSING, "MISSING_FIELD"),
        (TOO_LONG, "FIELD_TOO_LONG"),
        (INVALID, "INVALID_FIELD"),
        (SECRET, "STATE_SECRET"),
    ];
    for (rows, reason) in kinds {
        for (name, change, field) in rows {
            let field = match field.strip_prefix('.') {
                Some(field) => format!("submission.document.header.{field}"),
                None => format!("submission.{field}"),
            };
            table.row(name, door.submit(changed(*change)).await, reason, &field);
        }
    }
    let none = door.g22.exchange.clone().submit(v1::SubmitRequest::default()).await;
    table.row("no submission", none, "MISSING_FIELD", "submission");
    let large = changed(|s| body(s).payload = vec![0; PAYLOAD_BYTES_MAX + 1].into());
    table.row(
        "a large payload",
        door.submit(large).await,
        "PAYLOAD_TOO_LARGE",
        "submission.document.payload",
    );
    let passed = changed(|s| s.expire_time = Some(in_seconds(-1)));
    table.row(
        "a deadline that passed",
        door.submit(passed).await,
        "DEADLINE_EXPIRED",
        "submission.expire_time",
    );
    let ancient = changed(|s| s.expire_time = Some(Timestamp { seconds: -62_135_596_800, nanos: 0 }));
    table.row(
        "a deadline in the year 1",
        door.submit(ancient).await,
        "DEADLINE_EXPIRED",
        "submission.expire_time",
    );
    let other = changed(|s| s.payload_sha256 = vec![7; 32].into());
    table.row("another hash", door.submit(other).await, "PAYLOAD_HASH_MISMATCH", "submission.payload_sha256");
    conflicts(door, table).await;
}

/// The id of an accepted message with other content, whichever part of it is other.
async fn conflicts(door: &Door, table: &mut Table) {
    let good = || document("good-conflict", &["H49"], b"noi dung".to_vec());
    door.submit(good()).await.unwrap();
    let changes: [(&str, Change); 5] = [
        ("other payload", |s| body(s).payload = b"khac".to_vec().into()),
        ("other subject", |s| header(s).subject = "V/v khác".into()),
        ("other recipients", |s| header(s).recipients.push("H05".into())),
        ("other media type", |s| body(s).media_type = "text/plain".into()),
        ("other urgency", |s| header(s).urgency = v1::Urgency::Express.into()),
    ];
    for (name, change) in changes {
        let mut submission = good();
        change(&mut submission);
        table.row(name, door.submit(submission).await, "CONTENT_CONFLICT", "submission.message_id");
    }
}
