//! Status messages in edXML: taken as the same reports, and given back byte for byte.

use std::path::{Path, PathBuf};

use truc::edxml::{Edxml, Status, read};
use truc::proto::v1::{self, BusinessStatus, ReceiptKind};

use super::{report, reported};
use crate::support::{Agency, Process, Site, delivered, document, edxml, reason, soon};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/edxml").join(name)).unwrap()
}

async fn status_file(agency: &Agency, number: u64) -> Result<v1::GetStatusFileResponse, tonic::Status> {
    let request = v1::GetStatusFileRequest { organ: String::new(), sender_sequence: number };
    Ok(soon("status file", agency.exchange.clone().get_status_file(request)).await?.into_inner())
}

fn field(status: &tonic::Status) -> String {
    use tonic_types::StatusExt;
    let details = status.get_error_details();
    details.bad_request().map(|bad| bad.field_violations[0].field.clone()).unwrap_or_default()
}

/// Submits a status message that is taken; its original comes back to the sender of the document.
async fn taken(by: &Agency, sender: &Agency, file: &[u8], expected: BusinessStatus) -> v1::Receipt {
    let acceptance = by.submit(edxml("", file)).await.unwrap();
    let receipt = acceptance.receipt.unwrap();
    assert_eq!((receipt.kind(), receipt.status()), (ReceiptKind::Status, expected));
    assert_eq!(acceptance.deliveries[0].delivery_id, receipt.delivery_id);
    assert!(!acceptance.repeated_submission);
    let kept = status_file(sender, receipt.sender_sequence).await.unwrap();
    assert!(kept.original);
    assert_eq!(kept.file, file, "byte for byte");
    receipt
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_message_is_the_same_report() {
    let site = Site::new(&[]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    let early = h49.submit(edxml("", fixture("status_01.edxml"))).await.unwrap_err();
    assert_eq!(reason(&early), "MESSAGE_NOT_FOUND");
    g22.submit(edxml("m-1", fixture("new.edxml"))).await.unwrap();
    let early = h49.submit(edxml("", fixture("status_01.edxml"))).await.unwrap_err();
    assert_eq!(reason(&early), "DELIVERY_NOT_HANDED_OVER");
    h49.fetch(1, 10).await;
    let line = [
        ("status_01.edxml", BusinessStatus::Arrived),
        ("status_03.edxml", BusinessStatus::Accepted),
        ("status_04.edxml", BusinessStatus::Assigned),
        ("status_05.edxml", BusinessStatus::InProcess),
        ("status_06.edxml", BusinessStatus::Done),
    ];
    for (name, status) in line {
        let receipt = taken(&h49, &g22, &fixture(name), status).await;
        assert_eq!((&*receipt.asserted_by, &*receipt.recipient, &*receipt.message_id), ("H49", "H49", "m-1"));
        assert_eq!(receipt.staff.unwrap().name, "Trần Thị Mẫu");
        assert!(receipt.status_time.is_some());
    }
    let again = h49.submit(edxml("", fixture("status_03.edxml"))).await.unwrap();
    assert!(again.repeated_submission);
    for (by, name, expected) in [
        (&h49, "status_02.edxml", "STATUS_NOT_POSSIBLE"),
        (&h49, "status_15.edxml", "NO_OPEN_REQUEST"),
        (&h49, "status_16.edxml", "NO_OPEN_REQUEST"),
    ] {
        let refused = by.submit(edxml("", fixture(name))).await.unwrap_err();
        assert_eq!(reason(&refused), expected, "{name}");
        assert_eq!(field(&refused), "submission.edxml.file.MessageHeader.StatusCode", "{name}");
    }
    let foreign = g22.submit(edxml("", fixture("status_06.edxml"))).await.unwrap_err();
    assert_eq!(reason(&foreign), "SENDER_MISMATCH");
    let asked_back = g22.submit(edxml("", fixture("status_13.edxml"))).await.unwrap();
    assert_eq!(asked_back.changed.unwrap().deliveries[0].message_id, "m-1", "13 is a recall");
    let story = g22.track("", "m-1").await.unwrap();
    assert_eq!(story.deliveries[0].status(), BusinessStatus::Done);
    assert_eq!(story.receipts.iter().filter(|r| r.kind() == ReceiptKind::Status).count(), 5);
    made_for_what_came_otherwise(&site, &gateway, &g22).await;
    assert_eq!(gateway.stop(), Some(0));
}

/// H05, for H02, reports over gRPC; G22 gets a file it can read.
async fn made_for_what_came_otherwise(site: &Site, gateway: &Process, g22: &Agency) {
    let h05 = site.agency(gateway, "H05").await;
    let held = h05.fetch(1, 10).await.remove(0);
    let refusing = v1::StatusReport {
        status_time: Some(prost_types::Timestamp { seconds: 1_764_000_000, nanos: 0 }),
        staff: Some(v1::Staff { department: "Văn thư & Lưu trữ".into(), ..Default::default() }),
        ..report(&held.delivery_id, BusinessStatus::Refused, "gửi <nhầm> nơi nhận")
    };
    let receipt = reported(&h05, vec![refusing]).await.remove(0).receipt.unwrap();
    let made = status_file(g22, receipt.sender_sequence).await.unwrap();
    assert!(!made.original);
    let Ok(Edxml::Status(status)) = read(&made.file) else { panic!("{made:?}") };
    let Status { from, response_for, staff, code, description, time } = *status;
    assert_eq!((from.organ.as_str(), code.as_str()), ("H05", "02"));
    assert!(from.name.unwrap().contains("Bắc Ninh"));
    assert_eq!(response_for.organ.unwrap().as_str(), "G22");
    assert_eq!(response_for.code.unwrap(), "1234/VD-TN");
    assert_eq!(response_for.document_id.unwrap(), "000.00.00.G22,2025/07/02,1234/VD-TN");
    assert_eq!(response_for.promulgation_date.unwrap().to_string(), "2025-07-02");
    assert_eq!(staff.unwrap().department.unwrap(), "Văn thư & Lưu trữ");
    assert_eq!(description.unwrap(), "gửi <nhầm> nơi nhận");
    assert_eq!(time.unwrap().unix_timestamp(), 1_764_000_000);
    // For nobody else, and of nothing else.
    let stranger = status_file(&h05, receipt.sender_sequence).await.unwrap_err();
    assert_eq!(reason(&stranger), "MESSAGE_NOT_FOUND");
    for (number, expected) in [
        (1, "MESSAGE_NOT_FOUND"),
        (1 << 40, "MESSAGE_NOT_FOUND"),
        (u64::MAX, "MESSAGE_NOT_FOUND"),
        (0, "MISSING_FIELD"),
    ] {
        assert_eq!(reason(&status_file(g22, number).await.unwrap_err()), expected);
    }
}

/// The sender asks for a document that was handed over.
async fn asked_back(sender: &Agency, message_id: &str) {
    let document = Some(v1::change_target::Document::MessageId(message_id.into()));
    let request = v1::RecallRequest {
        message_id: format!("r-{message_id}"),
        target: Some(v1::ChangeTarget { document, recipients: Vec::new() }),
        reason: "gửi nhầm".into(),
        ..Default::default()
    };
    soon("a recall", sender.exchange.clone().recall(request)).await.unwrap();
}

/// Files from outside the repository, where `TRUC_EDXML_SAMPLES` names their folder.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "which files were tried")]
async fn every_sample_of_a_status_takes_effect() {
    let Some(folder) = std::env::var_os("TRUC_EDXML_SAMPLES").map(PathBuf::from) else {
        return println!("TRUC_EDXML_SAMPLES names no folder of samples");
    };
    let mut samples = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        if let Ok(Edxml::Status(status)) = read(&bytes) {
            samples.push((status, bytes, path));
        }
    }
    // A recall stays open; therefore it is the last.
    samples.sort_by_key(|(status, ..)| (matches!(status.code.as_str(), "02" | "13"), status.code));
    let site = Site::new(&[]);
    let gateway = site.start();
    for (n, (status, bytes, path)) in samples.iter().enumerate() {
        let is_recall = status.code.as_str() == "13";
        let (from, other) = (status.from.organ.as_str(), status.recipient().as_str());
        let (sender, recipient) = if is_recall { (from, other) } else { (other, from) };
        let [sender, recipient] =
            [site.agency(&gateway, sender).await, site.agency(&gateway, recipient).await];
        // Some need a document of which nothing was said yet.
        if n == 0 || matches!(status.code.as_str(), "02" | "13" | "15" | "16") {
            let mut sent = document(&format!("m-{n}"), &[&recipient.id], b"x".to_vec());
            if let Some(v1::submission::Content::Document(document)) = &mut sent.content {
                let id = status.response_for.document_id.clone().unwrap();
                document.header.as_mut().unwrap().document_id = id;
            }
            sender.submit(sent).await.unwrap();
            let taken: Vec<_> = recipient.fetch(10, 10).await.iter().map(delivered).collect();
            recipient.settle(taken).await;
        }
        if matches!(status.code.as_str(), "15" | "16") {
            asked_back(&sender, &format!("m-{n}")).await;
        }
        let code = BusinessStatus::try_from(i32::from(status.code.number())).unwrap();
        match is_recall {
            false => drop(taken(&recipient, &sender, bytes, code).await),
            true => {
                let recalled = sender.submit(edxml("", bytes.as_slice())).await.unwrap().changed.unwrap();
                assert!(recalled.deliveries.iter().any(|one| one.effect() == v1::ChangeEffect::Asked));
            }
        }
        println!("{}: {} {from} -> {other}", path.display(), status.code.as_str());
    }
    assert_eq!(gateway.stop(), Some(0));
}
