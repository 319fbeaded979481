//! Receipts as the contract writes them, and acceptances, which are one and more.

use super::super::v1;
use super::codes::{cause, kind};
use super::{changes, optional, status_code, timestamp};
use crate::domain::receipt::{Asserter, Receipt};
use crate::domain::status::Staff;
use crate::ledger::{Accepted, Reported};

fn staff(staff: &Staff) -> Option<v1::Staff> {
    (*staff != Staff::default()).then(|| v1::Staff {
        department: staff.department.clone(),
        department_id: staff.department_id.clone(),
        name: staff.name.clone(),
        staff_id: staff.id.clone(),
        email: staff.email.clone(),
        mobile: staff.mobile.clone(),
    })
}

/// A receipt.
pub fn receipt(receipt: &Receipt) -> v1::Receipt {
    let delivery = receipt.delivery.as_ref();
    v1::Receipt {
        sender_sequence: receipt.sender_sequence,
        message_sequence: receipt.message_sequence,
        kind: kind(receipt.kind).into(),
        sender: receipt.sender.to_string(),
        message_id: receipt.message_id.to_string(),
        content_sha256: receipt.content_hash.as_bytes().to_vec().into(),
        payload_sha256: receipt.payload_hash.as_bytes().to_vec().into(),
        time: Some(timestamp(receipt.time)),
        asserted_by: match &receipt.asserted_by {
            Asserter::Gateway => "gateway".to_owned(),
            Asserter::Organ(organ) => organ.to_string(),
            Asserter::Operator(name) => format!("operator:{name}"),
        },
        recipient: delivery.map(|d| d.recipient.to_string()).unwrap_or_default(),
        addressed_to: optional(delivery.and_then(|d| d.addressed_to.as_ref())),
        delivery_id: optional(delivery.map(|d| &d.id)),
        attempt: delivery.map_or(0, |d| d.attempt),
        cause: receipt.cause.map_or(v1::DeliveryCause::Unspecified, cause).into(),
        reason: receipt.reason.clone(),
        retry_time: receipt.retry_time.map(timestamp),
        status: receipt
            .status
            .as_ref()
            .map_or(v1::BusinessStatus::Unspecified, |s| status_code(s.code))
            .into(),
        status_time: receipt.status.as_ref().and_then(|status| status.stated_at).map(timestamp),
        staff: receipt.status.as_ref().and_then(|status| staff(&status.staff)),
        replaces_delivery_id: optional(delivery.and_then(|d| d.replaces.as_ref())),
        change_message_id: optional(receipt.change.as_ref().map(|change| &change.message_id)),
        asked: receipt
            .change
            .as_ref()
            .map_or(v1::MessageKind::Unspecified, |c| changes::request(c.asked))
            .into(),
    }
}

/// An acceptance.
pub fn acceptance(accepted: &Accepted) -> v1::Acceptance {
    v1::Acceptance {
        receipt: Some(receipt(&accepted.receipt)),
        deliveries: accepted
            .deliveries
            .iter()
            .map(|d| v1::AcceptedDelivery {
                delivery_id: d.id.to_string(),
                recipient: d.recipient.to_string(),
                addressed_to: optional(d.addressed_to.as_ref()),
            })
            .collect(),
        repeated_submission: accepted.repeated,
        changed: accepted.changed.as_deref().map(changes::outcome),
    }
}

/// The acceptance of a report that came as a file.
pub fn reported(reported: &Reported) -> v1::Acceptance {
    let delivery = reported.receipt.delivery.iter().map(|d| v1::AcceptedDelivery {
        delivery_id: d.id.to_string(),
        recipient: d.recipient.to_string(),
        addressed_to: optional(d.addressed_to.as_ref()),
    });
    v1::Acceptance {
        receipt: Some(receipt(&reported.receipt)),
        deliveries: delivery.collect(),
        repeated_submission: reported.repeated,
        changed: None,
    }
}
