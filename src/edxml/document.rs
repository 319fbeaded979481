//! A document's header, as its sender wrote it.

mod details;

use std::collections::BTreeSet;

use time::Date;

pub use details::{Code, DocumentType, Hop, OtherInfo, Promulgation, Signer, Steering};

use super::attachments::{self, Attachment, Reference};
use super::business::Business;
use super::fields::Fields;
use super::limits::TEXT_CHARS_MAX;
use super::parts::{Party, ResponseFor};
use super::refusals::missing;
use crate::domain::limits::{DOCUMENT_ID_CHARS_MAX, RECIPIENTS_MAX, SUBJECT_CHARS_MAX, TO_PLACE_CHARS_MAX};
use crate::domain::refusal::{Reason, Refusal};
use details::texts_in;

/// A document (văn bản) with all its header says and what its attachments are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// `From`.
    pub from: Party,
    /// `To`, 1 to 500, no organ twice.
    pub to: Vec<Party>,
    /// `DocumentId`: opaque; impossible dates occur in it.
    pub document_id: Option<String>,
    /// `Code`.
    pub code: Code,
    /// `PromulgationInfo`.
    pub promulgation: Promulgation,
    /// `DocumentType`.
    pub document_type: DocumentType,
    /// `Subject` (trích yếu).
    pub subject: String,
    /// `Content`: a longer abstract.
    pub content: Option<String>,
    /// `SignerInfo`.
    pub signer: Option<Signer>,
    /// `DueDate`: by when an answer is asked for.
    pub due_date: Option<Date>,
    /// `ToPlaces` (nơi nhận).
    pub to_places: Vec<String>,
    /// `OtherInfo`.
    pub other: OtherInfo,
    /// `ResponseFor`: the documents this one answers.
    pub response_for: Vec<ResponseFor>,
    /// `SteeringType`.
    pub steering: Steering,
    /// `ResponseForTask`: codes of the tasks this document reports on.
    pub tasks: Vec<String>,
    /// `ApplicationType`, as written.
    pub application_type: Option<String>,
    /// `TraceHeader`: the systems it has passed.
    pub hops: Vec<Hop>,
    /// `Bussiness`.
    pub business: Business,
    /// Whether a `Signature` is there. Not a check of it.
    pub is_signed: bool,
    /// The manifest.
    pub references: Vec<Reference>,
    /// The attachments.
    pub attachments: Vec<Attachment>,
}

/// The elements a document is read from.
pub(super) struct Sources<'t> {
    pub message: Fields<'t>,
    pub traces: Option<Fields<'t>>,
    pub is_signed: bool,
    pub manifest: Option<Fields<'t>>,
    pub attachment_holders: Vec<Fields<'t>>,
}

impl Document {
    pub(super) fn read(sources: Sources<'_>) -> Result<Self, Refusal> {
        let mut document = Self::read_header(&sources)?;
        // Last, because a large attachment costs more than all the rest.
        (document.references, document.attachments) =
            attachments::read(sources.manifest.as_ref(), &sources.attachment_holders)?;
        Ok(document)
    }

    fn read_header(sources: &Sources<'_>) -> Result<Self, Refusal> {
        let Sources { message, traces, .. } = sources;
        let business = traces.as_ref().map_or(Ok(None), |traces| traces.one("Bussiness"))?;
        Ok(Self {
            from: Party::sender(message)?,
            to: read_recipients(message)?,
            document_id: message.text("DocumentId", DOCUMENT_ID_CHARS_MAX)?,
            code: Code::read(message)?,
            promulgation: Promulgation::read(message)?,
            document_type: DocumentType::read(message)?,
            subject: message
                .public_text("Subject", SUBJECT_CHARS_MAX)?
                .ok_or_else(|| missing(&message.path_of("Subject")))?,
            content: message.public_text("Content", SUBJECT_CHARS_MAX)?,
            signer: message.one("SignerInfo")?.map(|signer| Signer::read(&signer)).transpose()?,
            due_date: message.date("DueDate")?,
            to_places: texts_in(message, "ToPlaces", "Place", TO_PLACE_CHARS_MAX)?,
            other: message
                .one("OtherInfo")?
                .map_or(Ok(OtherInfo::default()), |other| OtherInfo::read(&other))?,
            response_for: message
                .all("ResponseFor")
                .map(|answered| ResponseFor::read(&answered))
                .collect::<Result<_, _>>()?,
            steering: message
                .code("SteeringType", Steering::from_number, "write 0, 1, 2 (steering) or 3 (report)")?
                .unwrap_or_default(),
            tasks: texts_in(message, "ResponseForTask", "TaskCode", TEXT_CHARS_MAX)?,
            application_type: message.text("ApplicationType", TEXT_CHARS_MAX)?,
            hops: traces
                .iter()
                .flat_map(|traces| traces.all("TraceHeader"))
                .map(|hop| Hop::read(&hop))
                .collect(),
            business: business.map_or(Ok(Business::default()), |business| Business::read(&business))?,
            is_signed: sources.is_signed,
            references: Vec::new(),
            attachments: Vec::new(),
        })
    }
}

fn read_recipients(message: &Fields<'_>) -> Result<Vec<Party>, Refusal> {
    let count = message.count("To");
    if count == 0 {
        return Err(missing(&message.path_of("To")).hint("name at least one recipient"));
    }
    if count > RECIPIENTS_MAX {
        return Err(Refusal::new(
            Reason::TooManyRecipients,
            format!("{count} recipients; {RECIPIENTS_MAX} are allowed"),
        )
        .field(message.path_of("To"))
        .hint("send several documents")
        .fact("limit", RECIPIENTS_MAX));
    }
    let mut organs = BTreeSet::new();
    let mut recipients = Vec::with_capacity(count);
    for to in message.all("To") {
        let party = Party::read(&to)?;
        if !organs.insert(party.organ.clone()) {
            return Err(Refusal::new(
                Reason::DuplicateRecipient,
                format!("{} is a recipient twice", party.organ),
            )
            .field(to.path_of("OrganId"))
            .hint("name each organ once, in either form of its id")
            .fact("organ", &party.organ));
        }
        recipients.push(party);
    }
    Ok(recipients)
}
