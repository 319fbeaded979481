//! What is sent: an edXML file or an opaque document, brought to one form.

use bytes::Bytes;

use super::changes::{self, Written};
use super::fields;
use super::recalls::REASON_MEDIA_TYPE;
use crate::domain::limits::{
    CODE_NOTATION_CHARS_MAX, CODE_NUMBER_CHARS_MAX, DOCUMENT_ID_CHARS_MAX, MEDIA_TYPE_CHARS_MAX,
    PLACE_CHARS_MAX, RECIPIENTS_MAX, SIGNER_CHARS_MAX, STATUS_FILE_BYTES_MAX, SUBJECT_CHARS_MAX,
    TYPE_NAME_CHARS_MAX,
};
use crate::domain::message::{Hash, Urgency};
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::{Reason, Refusal};
use crate::edxml::{self, Edxml};
use crate::proto::{convert, v1};

/// Where a file stands in a submission.
pub(super) const FILE: &str = "submission.edxml.file";
const HEADER: &str = "submission.document.header";

/// What a submission holds.
pub enum Found {
    /// A document.
    Document(Box<Content>),
    /// A status message, and the file it is.
    Status(Box<edxml::Status>, Bytes),
}

/// The content of a submission, its own fields checked.
#[derive(Debug)]
pub struct Content {
    /// The sender the file names.
    pub sender: Option<OrganId>,
    /// The recipients, as the sender named them.
    pub recipients: Vec<OrganId>,
    /// Where a recipient stands, for a refusal.
    pub recipients_path: fn(usize) -> String,
    /// The header as it is kept: organ ids normalised. A recall has none.
    pub header: Option<v1::DocumentHeader>,
    /// Recipients a file names only to take the document away from them.
    pub removed: Vec<OrganId>,
    /// What it changes.
    pub change: Option<Written>,
    pub format: v1::PayloadFormat,
    pub media_type: String,
    pub payload: Bytes,
    pub payload_hash: Hash,
    pub urgency: Urgency,
}

impl Content {
    /// Reads the content of a submission.
    pub fn read(submission: &v1::Submission, payload_bytes_max: usize) -> Result<Found, Refusal> {
        match &submission.content {
            Some(v1::submission::Content::Edxml(edxml)) => {
                check_size(&edxml.file, payload_bytes_max, FILE)?;
                match edxml::read(&edxml.file).map_err(|refusal| refusal.under(FILE))? {
                    Edxml::Document(document) => {
                        check_no_change(submission)?;
                        Ok(Found::Document(Box::new(Self::of_edxml(&document, &edxml.file)?)))
                    }
                    Edxml::Status(status) => {
                        check_size(&edxml.file, STATUS_FILE_BYTES_MAX, FILE)?;
                        Ok(Found::Status(status, edxml.file.clone()))
                    }
                }
            }
            Some(v1::submission::Content::Document(document)) => {
                check_size(&document.payload, payload_bytes_max, "submission.document.payload")?;
                let change = submission.change.as_ref().map(changes::of_document).transpose()?;
                let content = Self::of_document(document)?;
                Ok(Found::Document(Box::new(Self { change, ..content })))
            }
            Some(v1::submission::Content::Recall(recall)) => {
                check_no_change(submission)?;
                Ok(Found::Document(Box::new(Self::of_recall(recall)?)))
            }
            None => Err(fields::missing("submission.content")
                .hint("give edxml, document or recall; a newer kind of content needs a newer gateway")),
        }
    }

    fn of_edxml(document: &edxml::Document, file: &Bytes) -> Result<Self, Refusal> {
        let urgency = document.other.urgency;
        let (recipients, removed) = changes::recipients(document);
        Ok(Self {
            sender: Some(document.from.organ.clone()),
            header: Some(header_of(document, &recipients)),
            change: changes::of_edxml(document)?,
            removed,
            recipients,
            recipients_path: |place| format!("{FILE}.MessageHeader.To[{}].OrganId", place + 1),
            format: v1::PayloadFormat::Edxml,
            media_type: "application/xml".to_owned(),
            payload_hash: Hash::of(file),
            payload: file.clone(),
            urgency,
        })
    }

    fn of_recall(recall: &v1::Recall) -> Result<Self, Refusal> {
        let change = changes::of_recall(recall)?;
        let payload = Bytes::from(recall.reason.clone());
        Ok(Self {
            sender: None,
            recipients: Vec::new(),
            recipients_path: recipient_path,
            header: None,
            change: Some(change),
            removed: Vec::new(),
            format: v1::PayloadFormat::Opaque,
            media_type: REASON_MEDIA_TYPE.to_owned(),
            payload_hash: Hash::of(&payload),
            payload,
            urgency: Urgency::Urgent,
        })
    }

    fn of_document(document: &v1::OpaqueDocument) -> Result<Self, Refusal> {
        let header = document.header.as_ref().ok_or_else(|| fields::missing(HEADER))?;
        check_media_type(&document.media_type)?;
        check_secrecy(header)?;
        let urgency = check_header(header)?;
        // Parsing more than may be named would be work for nothing.
        let counted = header.recipients.iter().take(RECIPIENTS_MAX + 1).enumerate();
        let recipients = counted
            .map(|(place, text)| fields::organ(text, &recipient_path(place)))
            .collect::<Result<Vec<_>, _>>()?;
        let header = v1::DocumentHeader {
            recipients: recipients.iter().map(OrganId::to_string).collect(),
            urgency: convert::urgency(urgency).into(),
            secrecy: v1::Secrecy::None.into(),
            ..header.clone()
        };
        Ok(Self {
            sender: None,
            header: Some(header),
            change: None,
            removed: Vec::new(),
            recipients,
            recipients_path: recipient_path,
            format: v1::PayloadFormat::Opaque,
            media_type: document.media_type.clone(),
            payload_hash: Hash::of(&document.payload),
            payload: document.payload.clone(),
            urgency,
        })
    }
}

fn check_no_change(submission: &v1::Submission) -> Result<(), Refusal> {
    match &submission.change {
        None => Ok(()),
        Some(_) => Err(Refusal::new(
            Reason::InvalidField,
            "only a document beside it says what it changes in change",
        )
        .field("submission.change")
        .hint("leave it out; an edXML file says it in Bussiness, and a recall in its targets")),
    }
}

fn recipient_path(place: usize) -> String {
    format!("{HEADER}.recipients[{place}]")
}

fn check_size(payload: &Bytes, bytes_max: usize, path: &str) -> Result<(), Refusal> {
    if payload.is_empty() {
        return Err(fields::missing(path));
    }
    if payload.len() > bytes_max {
        return Err(too_large(bytes_max).field(path).fact("payload_bytes", payload.len()));
    }
    Ok(())
}

/// The refusal of a payload beyond the gateway's limit.
pub fn too_large(bytes_max: usize) -> Refusal {
    Refusal::new(Reason::PayloadTooLarge, format!("the payload is larger than {bytes_max} bytes"))
        .fact("payload_bytes_max", bytes_max)
        .hint("send a smaller file, or several")
}

fn check_media_type(media_type: &str) -> Result<(), Refusal> {
    let path = "submission.document.media_type";
    fields::required(media_type, MEDIA_TYPE_CHARS_MAX, path)?;
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let is_token = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    match essence.split_once('/') {
        Some((kind, subtype)) if is_token(kind) && is_token(subtype) => Ok(()),
        _ => Err(Refusal::new(Reason::InvalidField, "not a media type")
            .field(path)
            .hint("type/subtype as RFC 6838 has it, for example application/pdf")),
    }
}

fn check_secrecy(header: &v1::DocumentHeader) -> Result<(), Refusal> {
    let level = v1::Secrecy::try_from(header.secrecy).map_err(|_| {
        Refusal::new(Reason::InvalidField, "not a state-secret level of the contract")
            .field(format!("{HEADER}.secrecy"))
            .hint("see enum Secrecy in document.proto")
    })?;
    let texts = [
        ("subject", &header.subject),
        ("content", &header.content),
        ("document_type", &header.document_type),
    ];
    let marked = match level {
        v1::Secrecy::Unspecified | v1::Secrecy::None => {
            texts.iter().find_map(|(name, text)| Some((*name, edxml::secrecy_marking(text)?)))
        }
        v1::Secrecy::Confidential => Some(("secrecy", "Mật")),
        v1::Secrecy::Secret => Some(("secrecy", "Tối mật")),
        v1::Secrecy::TopSecret => Some(("secrecy", "Tuyệt mật")),
    };
    match marked {
        None => Ok(()),
        Some((field, level)) => Err(Refusal::new(
            Reason::StateSecret,
            format!("the document is marked {level}"),
        )
        .field(format!("{HEADER}.{field}"))
        .hint(
            "this network must not carry state secrets (QĐ 28/2018/QĐ-TTg, Art. 1(2)); nothing was stored",
        )),
    }
}

fn check_header(header: &v1::DocumentHeader) -> Result<Urgency, Refusal> {
    let at = |name: &str| format!("{HEADER}.{name}");
    fields::required(&header.subject, SUBJECT_CHARS_MAX, &at("subject"))?;
    let code = header.code.as_ref().ok_or_else(|| fields::missing(&at("code")))?;
    fields::required(&code.number, CODE_NUMBER_CHARS_MAX, &at("code.number"))?;
    fields::required(&code.notation, CODE_NOTATION_CHARS_MAX, &at("code.notation"))?;
    fields::bounded(&header.document_id, DOCUMENT_ID_CHARS_MAX, &at("document_id"))?;
    fields::required(&header.promulgation_date, 10, &at("promulgation_date"))?;
    fields::date(&header.promulgation_date, &at("promulgation_date"))?;
    fields::bounded(&header.promulgation_place, PLACE_CHARS_MAX, &at("promulgation_place"))?;
    fields::bounded(&header.document_type, TYPE_NAME_CHARS_MAX, &at("document_type"))?;
    fields::optional_date(&header.due_date, &at("due_date"))?;
    fields::bounded(&header.content, SUBJECT_CHARS_MAX, &at("content"))?;
    if let Some(signer) = &header.signer {
        fields::bounded(&signer.competence, SIGNER_CHARS_MAX, &at("signer.competence"))?;
        fields::bounded(&signer.position, SIGNER_CHARS_MAX, &at("signer.position"))?;
        fields::bounded(&signer.full_name, SIGNER_CHARS_MAX, &at("signer.full_name"))?;
    }
    convert::urgency_of(header.urgency).ok_or_else(|| {
        Refusal::new(Reason::InvalidField, "not an urgency of the contract")
            .field(at("urgency"))
            .hint("see enum Urgency in document.proto")
    })
}

fn header_of(document: &edxml::Document, recipients: &[OrganId]) -> v1::DocumentHeader {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    v1::DocumentHeader {
        recipients: recipients.iter().map(OrganId::to_string).collect(),
        subject: document.subject.clone(),
        code: Some(v1::DocumentCode {
            number: document.code.number.clone(),
            notation: document.code.notation.clone(),
        }),
        document_id: text(&document.document_id),
        promulgation_date: document.promulgation.date.to_string(),
        promulgation_place: text(&document.promulgation.place),
        document_type: text(&document.document_type.name),
        urgency: convert::urgency(document.other.urgency).into(),
        secrecy: v1::Secrecy::None.into(),
        due_date: document.due_date.map(|date| date.to_string()).unwrap_or_default(),
        signer: document.signer.as_ref().map(|signer| v1::Signer {
            competence: text(&signer.competence),
            position: text(&signer.position),
            full_name: text(&signer.full_name),
        }),
        content: text(&document.content),
    }
}
