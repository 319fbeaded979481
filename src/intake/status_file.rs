//! Status messages in edXML: which document they are about, and the files of those that came otherwise.

use bytes::Bytes;
use time::Date;
use time::macros::format_description;

use super::content::FILE;
use crate::delivery::report_refused;
use crate::directory::Directory;
use crate::domain::delivery::DeliveryId;
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::Receipt;
use crate::domain::refusal::{Reason, Refusal};
use crate::domain::status::{Party, Report};
use crate::domain::time::Timestamp;
use crate::edxml;
use crate::ledger::{ReportError, ReportRequest};
use crate::proto::v1;

/// A status message as it was submitted.
#[derive(Debug)]
pub struct StatusFile {
    /// The organ it is from.
    pub from: OrganId,
    /// The organ whose certificate spoke.
    pub by: OrganId,
    /// The other side: `ResponseFor.OrganId`.
    pub other: OrganId,
    /// The document it is about, by the id its sender's system gives it.
    pub document_id: String,
    /// What it reports.
    pub report: Report,
    /// The file.
    pub file: Bytes,
}

impl StatusFile {
    pub(super) fn of(status: &edxml::Status, from: OrganId, by: OrganId, file: Bytes) -> Self {
        let document_id = status.response_for.document_id.clone().unwrap_or_default();
        Self { from, by, other: status.recipient().clone(), document_id, report: status.report(), file }
    }

    /// Between whom the document went: its sender, and its recipient. A recall is asked for by the sender.
    pub fn between(&self) -> (&OrganId, &OrganId) {
        match Party::of(self.report.status.code) {
            Party::Recipient => (&self.other, &self.from),
            Party::Sender => (&self.from, &self.other),
        }
    }

    /// The report of the delivery that was found.
    pub fn request(self, delivery: DeliveryId, at: Timestamp) -> ReportRequest {
        let Self { from, by, report, file, .. } = self;
        ReportRequest { delivery, organ: from, by, report, at, file: Some(file) }
    }
}

/// What is said where no such document went between the two.
pub fn document_unknown(file: &StatusFile) -> Refusal {
    let (sender, recipient) = file.between();
    Refusal::new(Reason::MessageNotFound, format!("{sender} has sent {recipient} no document of this id"))
        .field(format!("{FILE}.MessageHeader.ResponseFor.DocumentId"))
        .hint("ResponseFor names the document as its sender does: OrganId and DocumentId of its header")
}

/// What is said of a file whose report the ledger refuses.
pub fn refused(error: ReportError) -> Refusal {
    let refusal = report_refused(error);
    let element = match refusal.field_path() {
        "status" => "StatusCode",
        "reason" => "Description",
        _ => "ResponseFor.DocumentId",
    };
    refusal.field(format!("{FILE}.MessageHeader.{element}"))
}

/// The file of a status that came otherwise; nothing for what is none. `header` is the document's.
pub fn made(receipt: &Receipt, directory: &Directory, header: &v1::DocumentHeader) -> Option<String> {
    let report = receipt.report()?;
    let delivery = receipt.delivery.as_ref()?;
    let (from, other) = match Party::of(report.status.code) {
        Party::Recipient => (&delivery.recipient, &receipt.sender),
        Party::Sender => (&receipt.sender, &delivery.recipient),
    };
    // One that has left the directory is called by its id.
    let name = directory.get(from).map_or(from.as_str(), |organ| &organ.name).to_owned();
    let from = edxml::Party {
        organ: from.clone(),
        in_charge: None,
        name: Some(name),
        address: None,
        email: None,
        telephone: None,
        fax: None,
        website: None,
    };
    let code = header.code.as_ref().map(|code| format!("{}/{}", code.number, code.notation));
    let document_id = match header.document_id.as_str() {
        "" => receipt.message_id.to_string(),
        id => id.to_owned(),
    };
    let day = format_description!("[year]-[month]-[day]");
    let about = edxml::ResponseFor {
        organ: Some(other.clone()),
        code,
        document_id: Some(document_id),
        promulgation_date: Date::parse(&header.promulgation_date, day).ok(),
    };
    Some(edxml::Status::of_report(&report, from, about, receipt.time).to_file())
}
