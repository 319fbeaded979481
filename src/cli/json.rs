//! The contract's messages as JSON objects: names as in the proto files, enums in lower case without their prefix, times ISO 8601
//! in Vietnam time, hashes hexadecimal, null for what is not there. `type` says what an object is.

use serde_json::{Value, json};

use super::times;
use crate::domain::message::Hash;
use crate::domain::status::StatusCode;
use crate::proto::{convert, v1};

/// A receipt.
pub fn receipt(receipt: &v1::Receipt) -> Value {
    json!({
        "type": "receipt",
        "sender_sequence": receipt.sender_sequence,
        "message_sequence": receipt.message_sequence,
        "kind": enum_name(receipt.kind().as_str_name(), "RECEIPT_KIND_"),
        "sender": receipt.sender,
        "message_id": receipt.message_id,
        "content_sha256": hash(&receipt.content_sha256),
        "payload_sha256": hash(&receipt.payload_sha256),
        "time": times::exact(receipt.time.as_ref()),
        "asserted_by": receipt.asserted_by,
        "recipient": given(&receipt.recipient),
        "addressed_to": given(&receipt.addressed_to),
        "delivery_id": given(&receipt.delivery_id),
        "replaces_delivery_id": given(&receipt.replaces_delivery_id),
        "attempt": receipt.attempt,
        "cause": enum_name(receipt.cause().as_str_name(), "DELIVERY_CAUSE_"),
        "reason": given(&receipt.reason),
        "retry_time": times::exact(receipt.retry_time.as_ref()),
        "status": status(receipt.status()),
        "status_time": times::exact(receipt.status_time.as_ref()),
        "staff": receipt.staff.as_ref().map(|staff| json!({
            "department": given(&staff.department),
            "department_id": given(&staff.department_id),
            "name": given(&staff.name),
            "staff_id": given(&staff.staff_id),
            "email": given(&staff.email),
            "mobile": given(&staff.mobile),
        })),
        "change_message_id": given(&receipt.change_message_id),
        "asked": enum_name(receipt.asked().as_str_name(), "MESSAGE_KIND_"),
    })
}

/// What became of a report.
pub fn report_result(result: &v1::ReportResult) -> Value {
    json!({
        "type": "report_result",
        "delivery_id": result.delivery_id,
        "receipt": result.receipt.as_ref().map(receipt),
        "repeated_report": result.repeated_report,
    })
}

/// The code of a business status, as the standard writes it; null while there is none.
fn status(status: v1::BusinessStatus) -> Option<&'static str> {
    convert::status_code_of(status).map(StatusCode::as_str)
}

/// An acceptance.
pub fn acceptance(acceptance: &v1::Acceptance) -> Value {
    let delivery = |delivery: &v1::AcceptedDelivery| {
        json!({
            "delivery_id": delivery.delivery_id,
            "recipient": delivery.recipient,
            "addressed_to": given(&delivery.addressed_to),
        })
    };
    json!({
        "type": "acceptance",
        "message_id": acceptance.receipt.as_ref().map(|receipt| receipt.message_id.as_str()),
        "receipt": acceptance.receipt.as_ref().map(receipt),
        "deliveries": acceptance.deliveries.iter().map(delivery).collect::<Vec<_>>(),
        "repeated_submission": acceptance.repeated_submission,
        "changed": acceptance.changed.as_ref().map(|changed| json!({
            "deliveries": changed.deliveries.iter().map(changed_delivery).collect::<Vec<_>>(),
            "unknown_documents": changed.unknown_documents,
        })),
    })
}

fn changed_delivery(changed: &v1::ChangedDelivery) -> Value {
    json!({
        "message_id": changed.message_id,
        "delivery_id": changed.delivery_id,
        "recipient": changed.recipient,
        "addressed_to": given(&changed.addressed_to),
        "effect": enum_name(changed.effect().as_str_name(), "CHANGE_EFFECT_"),
        "asked": enum_name(changed.asked().as_str_name(), "MESSAGE_KIND_"),
        "found_state": enum_name(changed.found_state().as_str_name(), "DELIVERY_STATE_"),
        "request_delivery_id": given(&changed.request_delivery_id),
        "answer": enum_name(changed.answer().as_str_name(), "CHANGE_ANSWER_"),
    })
}

/// One message of a chain of changes.
pub fn lineage_link(link: &v1::LineageLink) -> Value {
    json!({
        "message_id": link.message_id,
        "kind": enum_name(link.kind().as_str_name(), "MESSAGE_KIND_"),
        "document_id": given(&link.document_id),
        "changes_message_ids": link.changes_message_ids,
        "accept_time": times::exact(link.accept_time.as_ref()),
        "deliveries": link.deliveries.iter().map(delivery_status).collect::<Vec<_>>(),
        "changed": link.changed.iter().map(changed_delivery).collect::<Vec<_>>(),
    })
}

/// What a delivery asks about an earlier one.
pub fn about(about: &v1::About) -> Value {
    json!({
        "message_id": about.message_id,
        "document_id": given(&about.document_id),
        "delivery_id": about.delivery_id,
        "asked": enum_name(about.asked().as_str_name(), "MESSAGE_KIND_"),
    })
}

/// An envelope.
pub fn envelope(envelope: &v1::Envelope) -> Value {
    json!({
        "type": "envelope",
        "message_id": envelope.message_id,
        "sender": envelope.sender,
        "kind": enum_name(envelope.kind().as_str_name(), "MESSAGE_KIND_"),
        "format": enum_name(envelope.format().as_str_name(), "PAYLOAD_FORMAT_"),
        "media_type": envelope.media_type,
        "payload_bytes": envelope.payload_bytes,
        "payload_sha256": hash(&envelope.payload_sha256),
        "header": envelope.header.as_ref().map(header),
        "accept_time": times::exact(envelope.accept_time.as_ref()),
        "expire_time": times::exact(envelope.expire_time.as_ref()),
        "change_reason": envelope.change.as_ref().map(|change| change.reason.as_str()),
        "purge_time": times::exact(envelope.purge_time.as_ref()),
    })
}

fn header(header: &v1::DocumentHeader) -> Value {
    json!({
        "recipients": header.recipients,
        "subject": header.subject,
        "code": header.code.as_ref().map(|code| json!({ "number": code.number, "notation": code.notation })),
        "document_id": given(&header.document_id),
        "promulgation_date": given(&header.promulgation_date),
        "promulgation_place": given(&header.promulgation_place),
        "document_type": given(&header.document_type),
        "urgency": enum_name(header.urgency().as_str_name(), "URGENCY_"),
        "secrecy": enum_name(header.secrecy().as_str_name(), "SECRECY_"),
        "due_date": given(&header.due_date),
        "signer": header.signer.as_ref().map(|signer| json!({
            "competence": given(&signer.competence),
            "position": given(&signer.position),
            "full_name": given(&signer.full_name),
        })),
        "content": given(&header.content),
    })
}

/// Where a delivery stands.
pub fn delivery_status(status: &v1::DeliveryStatus) -> Value {
    json!({
        "type": "delivery_status",
        "delivery_id": status.delivery_id,
        "recipient": status.recipient,
        "addressed_to": given(&status.addressed_to),
        "state": enum_name(status.state().as_str_name(), "DELIVERY_STATE_"),
        "attempts": status.attempts,
        "due_time": times::exact(status.due_time.as_ref()),
        "status": self::status(status.status()),
        "request": enum_name(status.request().as_str_name(), "MESSAGE_KIND_"),
        "push_outage": status.push_outage.as_ref().map(push_outage),
        "acknowledge_due_time": times::exact(status.acknowledge_due_time.as_ref()),
        "acknowledge_time": times::exact(status.acknowledge_time.as_ref()),
        "overdue_time": times::exact(status.overdue_time.as_ref()),
    })
}

/// A push link.
pub fn push_link(link: &v1::PushLink) -> Value {
    let (server_organ, server_sha256) = match &link.server {
        Some(v1::push_link::Server::ServerOrgan(organ)) => (Some(organ.as_str()), None),
        Some(v1::push_link::Server::ServerSha256(bytes)) => (None, hash(bytes)),
        None => (None, None),
    };
    json!({
        "type": "push_link",
        "organ": link.organ,
        "endpoint": link.endpoint,
        "server_organ": server_organ,
        "server_sha256": server_sha256,
        "max_in_flight": link.max_in_flight,
        "timeout_s": link.timeout.as_ref().map(|timeout| timeout.seconds),
        "push_receipts": link.push_receipts,
        "paused": link.paused,
        "set_time": times::exact(link.set_time.as_ref()),
        "set_by": given(&link.set_by),
        "receipts_taken": link.receipts_taken,
        "outage": link.outage.as_ref().map(push_outage),
    })
}

/// That there is no push link any more.
pub fn push_link_deleted(organ: &str) -> Value {
    json!({ "type": "push_link_deleted", "organ": given(organ) })
}

fn push_outage(outage: &v1::PushOutage) -> Value {
    json!({
        "since_time": times::exact(outage.since_time.as_ref()),
        "failures": outage.failures,
        "cause": enum_name(outage.cause().as_str_name(), "DELIVERY_CAUSE_"),
        "reason": given(&outage.reason),
        "next_attempt_time": times::exact(outage.next_attempt_time.as_ref()),
    })
}

/// A dead letter.
pub fn dead_letter(letter: &v1::DeadLetter) -> Value {
    json!({
        "type": "dead_letter",
        "delivery": letter.delivery.as_ref().map(delivery_status),
        "sender": letter.sender,
        "message_id": letter.message_id,
        "payload_bytes": letter.payload_bytes,
        "accept_time": times::exact(letter.accept_time.as_ref()),
        "dead_time": times::exact(letter.dead_time.as_ref()),
        "cause": enum_name(letter.cause().as_str_name(), "DELIVERY_CAUSE_"),
        "reason": given(&letter.reason),
    })
}

/// What became of a dead letter.
pub fn dead_letter_result(result: &v1::DeadLetterResult) -> Value {
    let refusal = result.refusal.as_ref();
    json!({
        "type": "dead_letter_result",
        "delivery_id": result.delivery_id,
        "state": enum_name(result.state().as_str_name(), "DELIVERY_STATE_"),
        "refused": refusal.and_then(|refusal| enum_name(refusal.reason().as_str_name(), "ERROR_REASON_")),
    })
}

/// A hold.
pub fn hold(hold: &v1::Hold) -> Value {
    let message = match &hold.held {
        Some(v1::hold::Held::Message(message)) => {
            Some(json!({ "sender": message.sender, "message_id": message.message_id }))
        }
        _ => None,
    };
    let organ = match &hold.held {
        Some(v1::hold::Held::Organ(organ)) => Some(organ),
        _ => None,
    };
    json!({
        "type": "hold",
        "hold_id": hold.hold_id,
        "message": message,
        "organ": organ,
        "set_by": hold.set_by,
        "set_time": times::exact(hold.set_time.as_ref()),
        "reason": hold.reason,
        "released_by": given(&hold.released_by),
        "release_time": times::exact(hold.release_time.as_ref()),
        "release_reason": given(&hold.release_reason),
    })
}

/// An overdue delivery.
pub fn overdue(overdue: &v1::OverdueDelivery) -> Value {
    json!({
        "type": "overdue_delivery",
        "envelope": overdue.envelope.as_ref().map(envelope),
        "delivery": overdue.delivery.as_ref().map(delivery_status),
    })
}

/// How an organ meets the duty to acknowledge.
pub fn duty_figures(figures: &v1::DutyFigures) -> Value {
    let day = |day: &v1::DutyDay| json!({ "date": day.date, "due": day.due, "overdue": day.overdue });
    json!({
        "type": "duty_figures",
        "organ": figures.organ,
        "due": figures.due,
        "overdue": figures.overdue,
        "overdue_now": figures.overdue_now,
        "days": figures.days.iter().map(day).collect::<Vec<_>>(),
    })
}

/// An organ.
pub fn organ(organ: &v1::Organ) -> Value {
    json!({
        "type": "organ",
        "organ_id": organ.organ_id,
        "name": organ.name,
        "open_date": given(&organ.open_date),
        "close_date": given(&organ.close_date),
        "successors": organ.successors,
        "default_successor": given(&organ.default_successor),
        "rename_date": given(&organ.rename_date),
        "new_name": given(&organ.new_name),
        "legal_basis": given(&organ.legal_basis),
        "acts_for_below": organ.acts_for_below,
        "link": enum_name(organ.link().as_str_name(), "ORGAN_LINK_"),
    })
}

/// What an organ takes, and how fast the asking one may submit.
pub fn limits(limits: &v1::GetLimitsResponse) -> Value {
    let set = |number: u32| (number != 0).then_some(number);
    json!({
        "type": "limits",
        "organ_id": limits.organ_id,
        "payload_bytes_max": limits.payload_bytes_max,
        "document_types": limits.document_types,
        "takes_from_caller": limits.takes_from_caller,
        "mailbox_room": enum_name(limits.mailbox_room().as_str_name(), "MAILBOX_ROOM_"),
        "mailbox_deliveries_max": limits.mailbox_deliveries_max,
        "window_max": set(limits.window_max),
        "caller_rate_per_s": set(limits.caller_rate_per_s),
        "caller_rate_burst": set(limits.caller_rate_burst),
    })
}

/// What the directory says of an organ id.
pub fn resolution(asked: &str, answer: &v1::ResolveResponse) -> Value {
    json!({
        "type": "resolution",
        "asked": asked,
        "resolution": enum_name(answer.resolution().as_str_name(), "RESOLUTION_"),
        "organ": answer.organ.as_ref().map(organ),
        "path": answer.path,
        "legal_basis": given(&answer.legal_basis),
        "candidates": answer.candidates.iter().map(organ).collect::<Vec<_>>(),
        "default_successor": answer.default_successor.as_ref().map(organ),
    })
}

/// The short name of an enum's value; null for an unspecified one.
pub fn enum_name(name: &str, prefix: &str) -> Option<String> {
    let short = name.strip_prefix(prefix).unwrap_or(name);
    (short != "UNSPECIFIED").then(|| short.to_ascii_lowercase())
}

fn hash(bytes: &[u8]) -> Option<String> {
    Hash::from_slice(bytes).map(|hash| hash.to_string())
}

fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_has_every_field_of_the_contract() {
        let receipt = receipt(&v1::Receipt {
            kind: v1::ReceiptKind::Deferred.into(),
            cause: v1::DeliveryCause::LeaseExpired.into(),
            payload_sha256: vec![0xab; 32].into(),
            ..Default::default()
        });
        assert_eq!(receipt["kind"], "deferred");
        assert_eq!(receipt["cause"], "lease_expired");
        assert_eq!(receipt["payload_sha256"], "ab".repeat(32));
        assert!(receipt["content_sha256"].is_null() && receipt["recipient"].is_null());
        assert_eq!(receipt.as_object().unwrap().len(), 23);
    }
}
