//! The parts of a document's header.

use time::{Date, OffsetDateTime};

use super::super::date;
use super::super::fields::Fields;
use super::super::limits::TEXT_CHARS_MAX;
use super::super::refusals::missing;
use crate::domain::limits::{CODE_NOTATION_CHARS_MAX, CODE_NUMBER_CHARS_MAX, PLACE_CHARS_MAX};
use crate::domain::limits::{SIGNER_CHARS_MAX, TYPE_NAME_CHARS_MAX};
use crate::domain::message::Urgency;
use crate::domain::refusal::Refusal;

/// Number and notation: 7816 and VPCP-TTĐT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// `CodeNumber`.
    pub number: String,
    /// `CodeNotation`.
    pub notation: String,
}

/// Where and when it was promulgated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promulgation {
    /// `Place`.
    pub place: Option<String>,
    /// `PromulgationDate`.
    pub date: Date,
}

/// What type of document it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentType {
    /// `Type`, as written.
    pub group: Option<String>,
    /// `TypeDetail`, as written.
    pub detail: Option<String>,
    /// `TypeName`, or the text of an older `DocumentType` without elements.
    pub name: Option<String>,
}

/// Who signed, as the header says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signer {
    /// `Competence`: on whose behalf.
    pub competence: Option<String>,
    /// `Position`.
    pub position: Option<String>,
    /// `FullName`, or an older `Signer`.
    pub full_name: Option<String>,
}

/// `OtherInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherInfo {
    /// `Priority`; normal when it is absent.
    pub urgency: Urgency,
    /// `SphereOfPromulgation`.
    pub sphere: Option<String>,
    /// `TyperNotation`: the typist's mark.
    pub typist: Option<String>,
    /// `PromulgationAmount`, as written: number of copies.
    pub copies: Option<String>,
    /// `PageAmount`, as written.
    pub pages: Option<String>,
    /// `Direction`, as written.
    pub direction: Option<String>,
    /// `ReplyFors`, its texts.
    pub reply_fors: Vec<String>,
    /// `ReferenceCodes`, its texts.
    pub reference_codes: Vec<String>,
    /// `Appendixes`.
    pub appendixes: Vec<String>,
}

/// Whether a document steers or reports (`SteeringType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Steering {
    /// 0 or 1: neither.
    #[default]
    None,
    /// 2, chỉ đạo.
    Steering,
    /// 3, báo cáo.
    Report,
}

/// One `TraceHeader`. Written by systems on the way, so nothing in it is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// `OrganId`, as written.
    pub organ: String,
    /// `Timestamp`; nothing when it is no time.
    pub time: Option<OffsetDateTime>,
}

/// The texts of the items of a list element, or its own text when it holds no elements.
pub(super) fn texts_in(
    fields: &Fields<'_>,
    list: &str,
    item: &str,
    chars_max: usize,
) -> Result<Vec<String>, Refusal> {
    let Some(list) = fields.one(list)? else { return Ok(Vec::new()) };
    match list.element().children.is_empty() {
        true => Ok(list.own_text(chars_max)?.into_iter().collect()),
        false => list.texts(item, chars_max),
    }
}

/// The texts in a list element whose items senders build differently, however deep they are.
fn texts_below(fields: &Fields<'_>, list: &str) -> Result<Vec<String>, Refusal> {
    let Some(list) = fields.one(list)? else { return Ok(Vec::new()) };
    list.leaves().map(|leaf| leaf.own_text(TEXT_CHARS_MAX)).filter_map(Result::transpose).collect()
}

impl Code {
    pub(super) fn read(message: &Fields<'_>) -> Result<Self, Refusal> {
        let code = message.one("Code")?.ok_or_else(|| missing(&message.path_of("Code.CodeNumber")))?;
        Ok(Self {
            number: code.required("CodeNumber", CODE_NUMBER_CHARS_MAX)?,
            notation: code.required("CodeNotation", CODE_NOTATION_CHARS_MAX)?,
        })
    }
}

impl Promulgation {
    pub(super) fn read(message: &Fields<'_>) -> Result<Self, Refusal> {
        let path = "PromulgationInfo.PromulgationDate";
        let info = message.one("PromulgationInfo")?.ok_or_else(|| missing(&message.path_of(path)))?;
        Ok(Self {
            place: info.text("Place", PLACE_CHARS_MAX)?,
            date: info.required_date("PromulgationDate")?,
        })
    }
}

impl DocumentType {
    pub(super) fn read(message: &Fields<'_>) -> Result<Self, Refusal> {
        let Some(fields) = message.one("DocumentType")? else { return Ok(Self::default()) };
        if fields.element().children.is_empty() {
            let name = message.public_text("DocumentType", TYPE_NAME_CHARS_MAX)?;
            return Ok(Self { name, ..Self::default() });
        }
        Ok(Self {
            group: fields.text("Type", TEXT_CHARS_MAX)?,
            detail: fields.text("TypeDetail", TEXT_CHARS_MAX)?,
            name: fields.public_text("TypeName", TYPE_NAME_CHARS_MAX)?,
        })
    }
}

impl Signer {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        let full_name = match fields.text("FullName", SIGNER_CHARS_MAX)? {
            None => fields.text("Signer", SIGNER_CHARS_MAX)?,
            name => name,
        };
        Ok(Self {
            competence: fields.text("Competence", SIGNER_CHARS_MAX)?,
            position: fields.text("Position", SIGNER_CHARS_MAX)?,
            full_name,
        })
    }
}

impl OtherInfo {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        let hint = "write 0 (thường) to 4 (hỏa tốc hẹn giờ)";
        Ok(Self {
            urgency: fields.code("Priority", Urgency::from_priority, hint)?.unwrap_or_default(),
            sphere: fields.public_text("SphereOfPromulgation", TEXT_CHARS_MAX)?,
            typist: fields.text("TyperNotation", TEXT_CHARS_MAX)?,
            copies: fields.text("PromulgationAmount", TEXT_CHARS_MAX)?,
            pages: fields.text("PageAmount", TEXT_CHARS_MAX)?,
            direction: fields.text("Direction", TEXT_CHARS_MAX)?,
            reply_fors: texts_below(fields, "ReplyFors")?,
            reference_codes: texts_below(fields, "ReferenceCodes")?,
            appendixes: texts_in(fields, "Appendixes", "Appendix", TEXT_CHARS_MAX)?,
        })
    }
}

impl Steering {
    pub(super) fn from_number(number: u8) -> Option<Self> {
        match number {
            0 | 1 => Some(Self::None),
            2 => Some(Self::Steering),
            3 => Some(Self::Report),
            _ => None,
        }
    }
}

impl Hop {
    pub(super) fn read(fields: &Fields<'_>) -> Self {
        let text = |name| fields.text(name, TEXT_CHARS_MAX).ok().flatten().unwrap_or_default();
        Self { organ: text("OrganId"), time: date::moment(&text("Timestamp")) }
    }
}
