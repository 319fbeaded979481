//! What agencies do about changes.

use std::collections::BTreeMap;

use truc::proto::v1::{
    self, BusinessStatus, ChangeEffect, MessageKind, ReceiptKind, change_target::Document,
};

use crate::site::{Agency, delivered, document, soon};

/// A message of the sender's own, for these recipients or all.
pub fn target(id: &str, recipients: &[&str]) -> v1::ChangeTarget {
    let recipients = recipients.iter().map(|id| (*id).to_owned()).collect();
    v1::ChangeTarget { document: Some(Document::MessageId(id.to_owned())), recipients }
}

/// Takes a message back.
pub async fn recall(by: &Agency, id: &str, of: &str, from: &[&str]) -> Result<v1::Acceptance, tonic::Status> {
    let request = v1::RecallRequest {
        sender: String::new(),
        message_id: id.to_owned(),
        target: Some(target(of, from)),
        reason: "phát hành nhầm".to_owned(),
    };
    let answer = soon("recall", by.exchange.clone().recall(request)).await?;
    Ok(answer.into_inner().acceptance.unwrap())
}

/// A document that changes others.
pub fn changing(
    id: &str,
    to: &[&str],
    kind: MessageKind,
    targets: Vec<v1::ChangeTarget>,
    removed: &[&str],
) -> v1::Submission {
    let change = v1::Change {
        kind: kind.into(),
        targets,
        removed_recipients: removed.iter().map(|id| (*id).to_owned()).collect(),
        reason: "có bản mới".to_owned(),
    };
    v1::Submission { change: Some(change), ..document(id, to, id.as_bytes()) }
}

/// What an acceptance says was done, by recipient.
pub fn effects(acceptance: &v1::Acceptance) -> BTreeMap<&str, ChangeEffect> {
    let changed = acceptance.changed.as_ref().unwrap();
    changed.deliveries.iter().map(|one| (one.recipient.as_str(), one.effect())).collect()
}

/// Fetches one delivery that must be there.
pub async fn fetch_one(by: &Agency) -> v1::Delivery {
    let mut fetched = by.fetch(1, 20).await;
    assert_eq!(fetched.len(), 1);
    fetched.remove(0)
}

/// Fetches one delivery and takes it over.
pub async fn take_one(by: &Agency) -> v1::Delivery {
    let delivery = fetch_one(by).await;
    let settled = by.settle(vec![delivered(&delivery)]).await;
    assert!(settled[0].refusal.is_none(), "{settled:?}");
    delivery
}

/// Reports a status of a delivery.
pub async fn report(by: &Agency, delivery: &str, status: BusinessStatus, reason: &str) -> v1::ReportResult {
    let report = v1::StatusReport {
        delivery_id: delivery.to_owned(),
        status: status.into(),
        reason: reason.to_owned(),
        ..Default::default()
    };
    let request = v1::ReportStatusRequest { organ: String::new(), reports: vec![report] };
    let answer = soon("report", by.exchange.clone().report_status(request)).await;
    answer.unwrap().into_inner().results.remove(0)
}

/// The rungs a delivery went by.
pub fn rungs(story: &v1::TrackResponse, delivery: &str) -> Vec<ReceiptKind> {
    let its = story.receipts.iter().filter(|receipt| receipt.delivery_id == delivery);
    its.map(v1::Receipt::kind).collect()
}
