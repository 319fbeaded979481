//! Recalls by status 13: the sender of a document asks it back from one recipient, by a report or by an edXML status message.

use std::sync::Arc;

use bytes::Bytes;

use super::changes::{self, Written};
use super::content::FILE;
use super::{Intake, Refused, fields};
use crate::domain::change::{ChangeKind, DocumentRef, Target};
use crate::domain::delivery::DeliveryId;
use crate::domain::message::{Hash, MessageId, Urgency};
use crate::domain::organ_id::OrganId;
use crate::domain::status::Report;
use crate::domain::time::Timestamp;
use crate::ledger::{Acceptance, Message};
use crate::proto::{convert, v1};

/// The media type of a recall's payload, which is its reason.
pub const REASON_MEDIA_TYPE: &str = "text/plain; charset=utf-8";

/// A recall by status 13 of a delivery, as its sender's system reported it.
#[derive(Clone, Debug)]
pub struct RecallReport {
    /// The sender of the document.
    pub sender: OrganId,
    /// The organ whose certificate spoke.
    pub by: OrganId,
    /// The message.
    pub message_id: MessageId,
    /// The recipient who is to give it back.
    pub recipient: OrganId,
    /// The delivery, as it was reported.
    pub delivery: DeliveryId,
    /// What was reported.
    pub report: Report,
}

impl Intake {
    /// The recall a report of status 13 is. The same report is the same recall.
    pub fn recall_of(&self, asked: RecallReport, at: Timestamp) -> Acceptance {
        let RecallReport { sender, by, message_id, recipient, delivery, report } = asked;
        let stated = report.status.stated_at.map_or(0, Timestamp::as_micros).to_be_bytes();
        let staff = format!("{:?}", report.status.staff);
        let said = delivery.to_string();
        let parts = [b"truc.v1 recall by status".as_slice(), sender.as_str().as_bytes(), said.as_bytes()];
        let said = [report.reason.as_bytes(), &stated, staff.as_bytes()];
        let content_hash = Hash::of_parts(parts.into_iter().chain(said));
        let target = Target { document: DocumentRef::Message(message_id), recipients: vec![recipient] };
        let written = Written {
            kind: ChangeKind::Recall,
            reason: report.reason.clone(),
            targets: vec![target],
            removed: Vec::new(),
            known_only: true,
        };
        let id = format!("recall:{delivery}:{}", &content_hash.to_string()[..16]);
        let message_id = MessageId::parse(&id).expect("letters, digits and colons, well below the limit");
        let payload = Bytes::from(report.reason);
        let file = (payload, v1::PayloadFormat::Opaque, REASON_MEDIA_TYPE.to_owned());
        self.recall((sender, by), message_id, content_hash, file, written, at)
    }

    /// The recall an edXML status message of code 13 is.
    pub(super) fn recall_by_file(
        &self,
        (sender, by): (OrganId, &OrganId),
        submission: &v1::Submission,
        asked: (String, OrganId, String),
        file: Bytes,
        at: Timestamp,
    ) -> Result<Acceptance, Refused> {
        let (document_id, recipient, reason) = asked;
        if reason.trim().is_empty() {
            return Err(fields::missing(&format!("{FILE}.MessageHeader.Description")).into());
        }
        let hash = Hash::of(&file);
        let message_id = match submission.message_id.as_str() {
            "" => MessageId::of_edxml(&hash),
            _ => super::named_id(submission)?,
        };
        let parts = [b"truc.v1 recall by file".as_slice(), sender.as_str().as_bytes(), hash.as_bytes()];
        let content_hash = Hash::of_parts(parts);
        let written = changes::of_status(document_id, recipient, reason);
        let file = (file, v1::PayloadFormat::Edxml, "application/xml".to_owned());
        Ok(self.recall((sender, by.clone()), message_id, content_hash, file, written, at))
    }

    fn recall(
        &self,
        (sender, by): (OrganId, OrganId),
        message_id: MessageId,
        content_hash: Hash,
        (payload, format, media_type): (Bytes, v1::PayloadFormat, String),
        written: Written,
        at: Timestamp,
    ) -> Acceptance {
        let kept = written.kept();
        let header = convert::kept_header(None, format, media_type, Some(kept));
        let payload_hash = Hash::of(&payload);
        let expires_at = at.plus(self.rules.ttl);
        let message = Message {
            sender,
            message_id,
            content_hash,
            payload_hash,
            header,
            payload,
            accepted_at: at,
            expires_at,
        };
        Acceptance {
            message: Arc::new(message),
            lane: Urgency::Urgent.lane(),
            addressees: Vec::new(),
            acknowledge_by: self.calendar.load().acknowledge_by(at),
            document_id: None,
            change: Some(Box::new(written.by(&by))),
        }
    }
}
