//! Where the parts of a file are: older files leave levels out or name them otherwise.

use super::fields::Fields;
use super::refusals::{malformed, missing, repeated};
use super::xml::Element;
use crate::domain::refusal::Refusal;

const ROOT: &str = "edXML";
const ENVELOPE: &str = "edXMLEnvelope";
const HEADER: &str = "edXMLHeader";
const BODY: &str = "edXMLBody";

/// The outer levels of a file. Their names are the same in any letter case.
pub(super) struct Layout<'t> {
    root: &'t Element<'t>,
    envelope: &'t Element<'t>,
    header: &'t Element<'t>,
    body: &'t Element<'t>,
}

impl<'t> Layout<'t> {
    /// Finds them: root, envelope, header and body; in older files one element is several of them.
    pub fn of(root: &'t Element<'t>) -> Result<Self, Refusal> {
        let name = |expected: &str| root.is_edxml && root.name.eq_ignore_ascii_case(expected);
        let envelope = match (name(ENVELOPE), name(ROOT)) {
            (true, _) => Some(root),
            (_, true) => inside(root, ENVELOPE)?,
            _ => None,
        };
        let hint = "the root is edXML with an edXMLEnvelope inside, in the namespace http://www.mic.gov.vn/TBT/QCVN_102_2016";
        let envelope = envelope.ok_or_else(|| malformed("the file is XML, but not edXML", hint))?;
        Ok(Self {
            root,
            envelope,
            header: inside(envelope, HEADER)?.unwrap_or(envelope),
            body: inside(envelope, BODY)?.unwrap_or(envelope),
        })
    }

    /// Whether an element is one of the levels that paths leave out.
    pub fn is_above_paths(name: &str) -> bool {
        [ENVELOPE, HEADER, BODY].iter().any(|level| name.eq_ignore_ascii_case(level))
    }

    /// `MessageHeader`.
    pub fn message(&self) -> Result<Fields<'t>, Refusal> {
        let path = "MessageHeader";
        inside(self.header, path)?.map(|message| Fields::new(message, path)).ok_or_else(|| missing(path))
    }

    /// `TraceHeaderList`, beside the message header, above it or in it.
    pub fn traces(&self) -> Result<Option<Fields<'t>>, Refusal> {
        let path = "TraceHeaderList";
        let found = match inside(self.header, path)? {
            None => inside(self.envelope, path)?,
            found => found,
        };
        match found {
            None => self.message()?.one(path),
            Some(traces) => Ok(Some(Fields::new(traces, path))),
        }
    }

    /// `edXMLManifest`, or `Manifest`.
    pub fn manifest(&self) -> Result<Option<Fields<'t>>, Refusal> {
        for name in ["edXMLManifest", "Manifest"] {
            if let Some(manifest) = inside(self.body, name)? {
                return Ok(Some(Fields::new(manifest, name)));
            }
        }
        Ok(None)
    }

    /// The elements that hold `Attachment`s: `AttachmentEncoded`; in older files the manifest or the envelope.
    pub fn attachment_holders(&self) -> Result<Vec<Fields<'t>>, Refusal> {
        let path = "AttachmentEncoded";
        let mut holders = vec![Fields::new(self.envelope, ENVELOPE)];
        holders.extend(self.manifest()?);
        let mut parents = vec![self.root, self.envelope, self.body];
        parents.dedup_by(|a, b| std::ptr::eq(*a, *b));
        for parent in parents {
            holders.extend(inside(parent, path)?.map(|holder| Fields::new(holder, path)));
        }
        Ok(holders)
    }

    /// Whether a `Signature` is there.
    pub fn is_signed(&self) -> bool {
        let signature = |level: &Element<'_>| level.children.iter().any(|child| child.name == "Signature");
        [self.root, self.envelope, self.header].into_iter().any(signature)
    }
}

/// The element of that name, in any letter case; two are refused.
fn inside<'t>(parent: &'t Element<'t>, name: &str) -> Result<Option<&'t Element<'t>>, Refusal> {
    let mut found = parent.children.iter().filter(|c| c.is_edxml && c.name.eq_ignore_ascii_case(name));
    match (found.next(), found.next()) {
        (first, None) => Ok(first),
        (_, Some(_)) => Err(repeated(name)),
    }
}
