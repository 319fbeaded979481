//! The manifest and the attachments: what they are, not their content.

use std::collections::HashSet;
use std::io::Read;

use super::archive::{self, BadArchive};
use super::fields::Fields;
use super::limits::{INFLATED_BYTES_MAX, TEXT_CHARS_MAX};
use super::refusals::malformed;
use super::transfer::Transfer;
use crate::domain::limits::{MEDIA_TYPE_CHARS_MAX, SUBJECT_CHARS_MAX};
use crate::domain::refusal::Refusal;

/// One `Reference` of the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// `ContentId` or the `xlink:href`, without `cid:`.
    pub content_id: Option<String>,
    /// `ContentType`.
    pub content_type: Option<String>,
    /// `Description`.
    pub description: Option<String>,
    /// `AttachmentName`.
    pub name: Option<String>,
    /// Whether an attachment has its content id.
    pub is_attached: bool,
}

/// One `Attachment`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// `ContentId`, without `cid:`.
    pub content_id: Option<String>,
    /// `AttachmentName`, or an older `FileName`.
    pub name: Option<String>,
    /// `Description`.
    pub description: Option<String>,
    /// `ContentType`, or an older `FileType`.
    pub content_type: Option<String>,
    /// Bytes its encoded content takes in the file.
    pub encoded_bytes: u64,
    /// What the content is.
    pub inside: Inside,
    /// Whether the manifest has its content id.
    pub is_referenced: bool,
}

/// What an attachment's content is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inside {
    /// There is none.
    Empty,
    /// The file itself.
    File {
        /// Its length, bytes.
        bytes: u64,
    },
    /// A ZIP with one entry.
    Zip {
        /// The entry's name, usually `<uuid>.<ext>`.
        entry: String,
        /// The entry's length once inflated, bytes.
        bytes: u64,
    },
}

/// Reads manifest and attachments and notes which belong together.
pub(super) fn read(
    manifest: Option<&Fields<'_>>,
    holders: &[Fields<'_>],
) -> Result<(Vec<Reference>, Vec<Attachment>), Refusal> {
    let mut inflated_left = INFLATED_BYTES_MAX;
    let mut references = Vec::new();
    for reference in manifest.iter().flat_map(|manifest| manifest.all("Reference")) {
        references.push(Reference::read(&reference)?);
    }
    let mut attachments = Vec::new();
    for attachment in holders.iter().flat_map(|holder| holder.all("Attachment")) {
        attachments.push(Attachment::read(&attachment, &mut inflated_left)?);
    }
    pair(&mut references, &mut attachments);
    Ok((references, attachments))
}

fn pair(references: &mut [Reference], attachments: &mut [Attachment]) {
    let referenced: HashSet<&str> = references.iter().filter_map(|r| r.content_id.as_deref()).collect();
    for attachment in attachments.iter_mut() {
        attachment.is_referenced = attachment.content_id.as_deref().is_some_and(|id| referenced.contains(id));
    }
    let attached: HashSet<&str> = attachments.iter().filter_map(|a| a.content_id.as_deref()).collect();
    for reference in references.iter_mut() {
        reference.is_attached = reference.content_id.as_deref().is_some_and(|id| attached.contains(id));
    }
}

impl Reference {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        let content_id = match fields.text("ContentId", TEXT_CHARS_MAX)? {
            None => fields.element().href.clone().filter(|href| href.chars().count() <= TEXT_CHARS_MAX),
            id => id,
        };
        Ok(Self {
            content_id: content_id.map(without_scheme),
            content_type: fields.text("ContentType", MEDIA_TYPE_CHARS_MAX)?,
            description: fields.public_text("Description", TEXT_CHARS_MAX)?,
            name: fields.public_text("AttachmentName", SUBJECT_CHARS_MAX)?,
            is_attached: false,
        })
    }
}

impl Attachment {
    fn read(fields: &Fields<'_>, inflated_left: &mut u64) -> Result<Self, Refusal> {
        let name = match fields.public_text("AttachmentName", SUBJECT_CHARS_MAX)? {
            None => fields.public_text("FileName", SUBJECT_CHARS_MAX)?,
            name => name,
        };
        let content_type = match fields.text("ContentType", MEDIA_TYPE_CHARS_MAX)? {
            None => fields.text("FileType", MEDIA_TYPE_CHARS_MAX)?,
            content_type => content_type,
        };
        let content = match fields.one("ContentTransferEncoded")? {
            None => fields.one("Content")?,
            content => content,
        };
        let encoded = content.as_ref().and_then(|content| content.element().encoded).unwrap_or_default();
        let path = fields.path_of(content.as_ref().map_or("ContentTransferEncoded", |c| c.element().name));
        Ok(Self {
            content_id: fields.text("ContentId", TEXT_CHARS_MAX)?.map(without_scheme),
            name,
            description: fields.public_text("Description", TEXT_CHARS_MAX)?,
            content_type,
            encoded_bytes: encoded.len() as u64,
            inside: look_inside(encoded, inflated_left).map_err(|refusal| refusal.field(path))?,
            is_referenced: false,
        })
    }
}

fn without_scheme(id: String) -> String {
    match id.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("cid:") => id[4..].to_owned(),
        _ => id,
    }
}

fn look_inside(encoded: &[u8], inflated_left: &mut u64) -> Result<Inside, Refusal> {
    let damaged =
        |_| malformed("an attachment's content is not base64", "encode it anew; the file may be cut");
    let transfer = Transfer::check(encoded).map_err(damaged)?;
    if transfer.len() == 0 {
        return Ok(Inside::Empty);
    }
    let mut start = [0; 4];
    let is_zip = transfer.reader().read_exact(&mut start).is_ok() && archive::is_zip(&start);
    let entry = match is_zip {
        true => archive::read_entry(&transfer, *inflated_left).map_err(refuse)?,
        false => None,
    };
    Ok(match entry {
        Some(entry) => {
            *inflated_left -= entry.bytes;
            Inside::Zip { entry: entry.name, bytes: entry.bytes }
        }
        None => Inside::File { bytes: transfer.len() },
    })
}

fn refuse(bad: BadArchive) -> Refusal {
    let hint = match bad {
        BadArchive::NotOneEntry(_) => {
            "put exactly one file into the ZIP, and each further file into an attachment of its own"
        }
        BadArchive::TooLarge => "send smaller files, or several documents",
        BadArchive::Damaged => "make the ZIP anew: one file, deflated or stored, not encrypted, no ZIP64",
    };
    malformed(&bad.to_string(), hint)
}
