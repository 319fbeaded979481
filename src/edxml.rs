//! Reads edXML files (QCVN 102:2016/BTTTT, amended SĐ1:2022), as hostile input, without ever changing them.

mod archive;
mod attachments;
mod business;
mod date;
mod document;
mod fields;
mod layout;
mod limits;
mod parts;
mod refusals;
mod secrecy;
mod status;
mod transfer;
mod xml;

pub use attachments::{Attachment, Inside, Reference};
pub use business::{Business, BusinessKind, Change, RecipientChange, Replacement, Update};
pub use document::{Code, Document, DocumentType, Hop, OtherInfo, Promulgation, Signer, Steering};
pub use limits::{ATTRIBUTES_MAX, DEPTH_MAX, ELEMENTS_MAX, INFLATED_BYTES_MAX};
pub use parts::{Party, ResponseFor, Staff};
pub use secrecy::secrecy_marking;
pub use status::Status;

use crate::domain::refusal::Refusal;
use document::Sources;
use fields::Fields;
use layout::Layout;

/// What an edXML file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edxml {
    /// A document: new, or one that revokes, updates or replaces another.
    Document(Box<Document>),
    /// A report of business status.
    Status(Box<Status>),
}

/// Reads a file.
///
/// Refused with MALFORMED_EDXML, MISSING_FIELD, INVALID_FIELD, FIELD_TOO_LONG, INVALID_ORGAN_ID, DUPLICATE_RECIPIENT,
/// TOO_MANY_RECIPIENTS or STATE_SECRET; the refusal's path starts below the envelope: `MessageHeader.From.OrganId`,
/// and counts repeated elements from one: `MessageHeader.To[2].OrganId`. Attachments are checked, not kept.
pub fn read(file: &[u8]) -> Result<Edxml, Refusal> {
    let root = xml::parse(file)?;
    secrecy::check_elements(&root, "")?;
    let layout = Layout::of(&root)?;
    let message = layout.message()?;
    if is_status(&message) {
        return Ok(Edxml::Status(Box::new(Status::read(&message)?)));
    }
    let sources = Sources {
        message,
        traces: layout.traces()?,
        is_signed: layout.is_signed(),
        manifest: layout.manifest()?,
        attachment_holders: layout.attachment_holders()?,
    };
    Ok(Edxml::Document(Box::new(Document::read(sources)?)))
}

/// A status names its code. One whose code is missing still says what it responds to, and has no recipients or subject.
fn is_status(message: &Fields<'_>) -> bool {
    let is_document = message.count("To") + message.count("Subject") + message.count("PromulgationInfo") > 0;
    message.count("StatusCode") > 0 || (message.count("ResponseFor") > 0 && !is_document)
}

#[cfg(test)]
mod tests;
