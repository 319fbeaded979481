//! What a document does to an earlier one (`Bussiness`, spelled so in the standard).

use super::fields::Fields;
use super::limits::TEXT_CHARS_MAX;
use super::parts::Staff;
use super::refusals::missing;
use crate::domain::limits::{DOCUMENT_ID_CHARS_MAX, REASON_CHARS_MAX};
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::Refusal;

/// `Bussiness`. Absent means a new document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Business {
    /// `BussinessDocType` and what belongs to it.
    pub kind: BusinessKind,
    /// `DocumentId`: the document an update is about.
    pub document_id: Option<String>,
    /// `BussinessDocReason`.
    pub reason: Option<String>,
    /// `Paper`, as written: whether a paper copy follows.
    pub paper: Option<String>,
    /// `StaffInfo`.
    pub staff: Option<Staff>,
}

/// What a document does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BusinessKind {
    /// 0: it is new.
    #[default]
    New,
    /// 1, thu hồi: it revokes the document whose id and code the header repeats.
    Revoke,
    /// 2, cập nhật: it updates an earlier document.
    Update(Update),
    /// 3, thay thế: it replaces one or more earlier documents.
    Replace(Vec<Replacement>),
}

/// `BussinessDocumentInfo`: what an update changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// `DocumentInfo`: the document's own data change.
    pub document: bool,
    /// `DocumentReceiver`: the recipients change.
    pub recipients: bool,
    /// `ReceiverList`: who is added or removed.
    pub changes: Vec<RecipientChange>,
}

/// One `Receiver` of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientChange {
    /// `OrganId`.
    pub organ: OrganId,
    /// `ReceiverType`.
    pub change: Change,
}

/// What happens to a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// 0: no longer a recipient.
    Removed,
    /// 1: a recipient from now on.
    Added,
}

/// One `ReplacementInfo`: an old document, and the organs for which it is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// `DocumentId` of the old document.
    pub document_id: String,
    /// `OrganIdList`.
    pub organs: Vec<OrganId>,
}

impl Business {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        let hint = "write 0 (new), 1 (revoke), 2 (update) or 3 (replace)";
        let kind = fields.code("BussinessDocType", |number| (number <= 3).then_some(number), hint)?;
        Ok(Self {
            kind: match kind.unwrap_or(0) {
                0 => BusinessKind::New,
                1 => BusinessKind::Revoke,
                2 => BusinessKind::Update(read_update(fields)?),
                _ => BusinessKind::Replace(read_replacements(fields)?),
            },
            document_id: fields.text("DocumentId", DOCUMENT_ID_CHARS_MAX)?,
            reason: fields.public_text("BussinessDocReason", REASON_CHARS_MAX)?,
            paper: fields.text("Paper", TEXT_CHARS_MAX)?,
            staff: fields.one("StaffInfo")?.map(|staff| Staff::read(&staff)).transpose()?,
        })
    }
}

fn read_update(fields: &Fields<'_>) -> Result<Update, Refusal> {
    let Some(info) = fields.one("BussinessDocumentInfo")? else { return Ok(Update::default()) };
    let mut changes = Vec::new();
    if let Some(list) = info.one("ReceiverList")? {
        for receiver in list.all("Receiver") {
            let organ = receiver.required_organ("OrganId")?;
            let change =
                receiver.code("ReceiverType", Change::from_number, "write 0 (removed) or 1 (added)")?;
            let change = change.ok_or_else(|| missing(&receiver.path_of("ReceiverType")))?;
            changes.push(RecipientChange { organ, change });
        }
    }
    Ok(Update { document: info.flag("DocumentInfo")?, recipients: info.flag("DocumentReceiver")?, changes })
}

impl Change {
    fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Removed),
            1 => Some(Self::Added),
            _ => None,
        }
    }
}

fn read_replacements(fields: &Fields<'_>) -> Result<Vec<Replacement>, Refusal> {
    let mut replacements = Vec::new();
    if let Some(list) = fields.one("ReplacementInfoList")? {
        for info in list.all("ReplacementInfo") {
            let document_id = info.required("DocumentId", DOCUMENT_ID_CHARS_MAX)?;
            let mut organs = Vec::new();
            if let Some(list) = info.one("OrganIdList")? {
                for organ in list.all("OrganId") {
                    organs.extend(organ.own_organ()?);
                }
            }
            replacements.push(Replacement { document_id, organs });
        }
    }
    match replacements.is_empty() {
        true => Err(missing(&fields.path_of("ReplacementInfoList.ReplacementInfo"))),
        false => Ok(replacements),
    }
}
