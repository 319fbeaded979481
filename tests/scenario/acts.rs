//! The acts, one after another.

use truc::proto::v1::{self, BusinessStatus, ChangeEffect, MessageKind, ReceiptKind, Urgency};

use crate::province::{answer, register_in_edxml, report, take};
use crate::site::{Agency, soon};
use crate::stage::{Stage, document};

/// A province that says no to the steering document.
const REFUSES: &str = "H05";
/// One whose system speaks edXML.
const SPEAKS_EDXML: &str = "H26";
/// One that never fetches.
const SILENT: &str = "H12";
/// One that is dropped by the update before it fetched.
const DROPPED: &str = "H37";
/// A ministry that the update adds.
const ADDED: &str = "G03";

/// Two documents of last month: one of the recipients of the first has not fetched it yet.
pub async fn earlier_documents(stage: &Stage) {
    let first = document("ke-hoach-1", "101", "Kế hoạch thứ nhất", &["H49", "H05", SILENT]);
    stage.sender.submit(first).await.unwrap();
    let second = document("ke-hoach-2", "102", "Kế hoạch thứ hai", &["H49", "H61"]);
    stage.sender.submit(second).await.unwrap();
    for (organ, message) in
        [("H49", "ke-hoach-1"), ("H05", "ke-hoach-1"), ("H49", "ke-hoach-2"), ("H61", "ke-hoach-2")]
    {
        let agency = stage.agency(organ).await;
        let delivery = take(&agency, message).await;
        report(&agency, &delivery.delivery_id, BusinessStatus::Accepted, "").await;
    }
}

/// An urgent steering document with a due date to 34 provinces.
pub async fn a_steering_document(stage: &Stage) {
    let to: Vec<_> = stage.provinces.iter().map(String::as_str).collect();
    let mut steering = document("chi-dao", "99", "Chỉ đạo khẩn về phòng, chống bão số 12", &to);
    if let Some(v1::submission::Content::Document(document)) = &mut steering.content {
        let header = document.header.as_mut().unwrap();
        header.document_type = "Công điện".into();
        header.set_urgency(Urgency::Express);
        header.due_date = "2026-12-15".into();
    }
    stage.sender.submit(steering).await.unwrap();
    for organ in stage.provinces.iter().filter(|organ| ![SILENT, DROPPED].contains(&organ.as_str())) {
        let agency = stage.agency(organ).await;
        let delivery = take(&agency, "chi-dao").await;
        assert_eq!(delivery.envelope.unwrap().header.unwrap().due_date, "2026-12-15");
        match organ.as_str() {
            REFUSES => {
                let why = "Văn bản gửi nhầm cơ quan";
                report(&agency, &delivery.delivery_id, BusinessStatus::Refused, why).await;
            }
            SPEAKS_EDXML => given_back_as_written(stage, &agency).await,
            _ => report(&agency, &delivery.delivery_id, BusinessStatus::Accepted, "").await,
        }
    }
}

/// What was reported in edXML is given to the sender byte for byte.
async fn given_back_as_written(stage: &Stage, agency: &Agency) {
    let file = register_in_edxml(agency, "99").await;
    let (receipts, _) = stage.sender.receipts("").await;
    let receipt = receipts.iter().rfind(|receipt| receipt.kind() == ReceiptKind::Status).unwrap();
    assert_eq!(receipt.recipient, agency.id);
    let request = v1::GetStatusFileRequest { organ: String::new(), sender_sequence: receipt.sender_sequence };
    let given = soon("a status file", stage.sender.exchange.clone().get_status_file(request)).await;
    assert_eq!(given.unwrap().into_inner(), v1::GetStatusFileResponse { file: file.into(), original: true });
}

/// An update drops a province that has not fetched, and adds a ministry; one of those who have it is asked.
pub async fn an_update(stage: &Stage) {
    let mut update =
        document("chi-dao-2", "99", "Chỉ đạo khẩn về phòng, chống bão số 12 (bổ sung)", &["H49", ADDED]);
    update.change = Some(v1::Change {
        kind: MessageKind::Update.into(),
        targets: vec![target("chi-dao")],
        removed_recipients: vec![DROPPED.into()],
        reason: "Bổ sung cơ quan phối hợp".into(),
    });
    let accepted = stage.sender.submit(update).await.unwrap();
    assert_eq!(effects(&accepted), [(DROPPED, ChangeEffect::Cancelled), ("H49", ChangeEffect::Asked)]);
    let ministry = stage.agency(ADDED).await;
    let delivery = take(&ministry, "chi-dao-2").await;
    assert!(delivery.about.is_empty(), "it never had the first form");
    report(&ministry, &delivery.delivery_id, BusinessStatus::Accepted, "").await;
    let h49 = stage.agency("H49").await;
    let asking = take(&h49, "chi-dao-2").await;
    answer(&h49, &asking, |_| Ok(())).await;
    assert!(stage.agency(DROPPED).await.fetch(1, 0).await.is_empty(), "it was dropped");
}

/// One document takes the place of two: everywhere of the first, at one recipient of the second.
pub async fn a_replacement(stage: &Stage) {
    let mut replacement = document("ke-hoach-3", "103", "Kế hoạch hợp nhất", &["H49", "H05"]);
    let second = v1::ChangeTarget { recipients: vec!["H49".into()], ..target("ke-hoach-2") };
    replacement.change = Some(v1::Change {
        kind: MessageKind::Replacement.into(),
        targets: vec![target("ke-hoach-1"), second],
        removed_recipients: Vec::new(),
        reason: "Hợp nhất hai kế hoạch".into(),
    });
    let accepted = stage.sender.submit(replacement).await.unwrap();
    assert_eq!(
        effects(&accepted),
        [
            ("H49", ChangeEffect::Asked),
            ("H05", ChangeEffect::Asked),
            (SILENT, ChangeEffect::Cancelled),
            ("H49", ChangeEffect::Asked),
        ]
    );
    let h49 = stage.agency("H49").await;
    let asking = take(&h49, "ke-hoach-3").await;
    let mut asked: Vec<_> = asking.about.iter().map(|about| about.message_id.as_str()).collect();
    asked.sort_unstable();
    assert_eq!(asked, ["ke-hoach-1", "ke-hoach-2"]);
    answer(&h49, &asking, |about| match about.message_id.as_str() {
        "ke-hoach-1" => Ok(()),
        _ => Err("Kế hoạch thứ hai đang thực hiện"),
    })
    .await;
    let h05 = stage.agency("H05").await;
    let asking = take(&h05, "ke-hoach-3").await;
    answer(&h05, &asking, |_| Ok(())).await;
}

/// Before it was fetched, a recall is absolute.
pub async fn a_recall_before_it_was_fetched(stage: &Stage) {
    stage.sender.submit(document("nham-1", "104", "Văn bản phát hành nhầm", &["H49"])).await.unwrap();
    let accepted = recall(stage, "thu-hoi-1", "nham-1").await;
    assert_eq!(effects(&accepted), [("H49", ChangeEffect::Cancelled)]);
    assert!(accepted.deliveries.is_empty(), "who never was offered it hears nothing of it");
    assert!(stage.agency("H49").await.fetch(1, 0).await.is_empty());
}

/// After it was fetched, it is a question.
pub async fn a_recall_after_it_was_fetched(stage: &Stage) {
    stage.sender.submit(document("nham-2", "105", "Văn bản sai thể thức", &["H49", "H05"])).await.unwrap();
    let (h49, h05) = (stage.agency("H49").await, stage.agency("H05").await);
    for agency in [&h49, &h05] {
        let delivery = take(agency, "nham-2").await;
        report(agency, &delivery.delivery_id, BusinessStatus::Accepted, "").await;
    }
    let accepted = recall(stage, "thu-hoi-2", "nham-2").await;
    assert_eq!(effects(&accepted), [("H49", ChangeEffect::Asked), ("H05", ChangeEffect::Asked)]);
    let asking = take(&h49, "thu-hoi-2").await;
    answer(&h49, &asking, |_| Ok(())).await;
    let asking = take(&h05, "thu-hoi-2").await;
    answer(&h05, &asking, |_| Err("Văn bản đã được xử lý xong")).await;
}

async fn recall(stage: &Stage, message_id: &str, of: &str) -> v1::Acceptance {
    let request = v1::RecallRequest {
        sender: String::new(),
        message_id: message_id.into(),
        target: Some(target(of)),
        reason: "Phát hành nhầm".into(),
    };
    let response = soon("a recall", stage.sender.exchange.clone().recall(request)).await.unwrap();
    response.into_inner().acceptance.unwrap()
}

fn target(message_id: &str) -> v1::ChangeTarget {
    let document = Some(v1::change_target::Document::MessageId(message_id.into()));
    v1::ChangeTarget { document, recipients: Vec::new() }
}

/// What a change did, for whom.
fn effects(accepted: &v1::Acceptance) -> Vec<(&str, ChangeEffect)> {
    let changed = accepted.changed.as_ref().unwrap();
    changed.deliveries.iter().map(|one| (one.recipient.as_str(), one.effect())).collect()
}
