//! What a submission changes, as its sender writes it: in the contract's words, or in an edXML file's `Bussiness`.

use super::content::FILE;
use super::fields;
use crate::domain::change::{Change, ChangeKind, DocumentRef, Target};
use crate::domain::limits::{CHANGE_TARGETS_MAX, DOCUMENT_ID_CHARS_MAX, REASON_CHARS_MAX, RECIPIENTS_MAX};
use crate::domain::message::MessageId;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::{Reason, Refusal};
use crate::edxml::{self, BusinessKind};
use crate::proto::{convert, v1};

/// What a submission says it changes, before it is known who speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub kind: ChangeKind,
    pub reason: String,
    pub targets: Vec<Target>,
    pub removed: Vec<OrganId>,
    /// Whether it is refused where a target is not known.
    pub known_only: bool,
}

impl Written {
    /// The change, on behalf of whoever spoke.
    pub fn by(self, by: &OrganId) -> Change {
        let Self { kind, reason, targets, removed, known_only } = self;
        Change { kind, reason, targets, removed, known_only, by: by.clone() }
    }

    /// As the envelope has it.
    pub fn kept(&self) -> v1::Change {
        let ids = |organs: &[OrganId]| organs.iter().map(OrganId::to_string).collect();
        let target = |target: &Target| v1::ChangeTarget {
            document: Some(match &target.document {
                DocumentRef::Message(id) => v1::change_target::Document::MessageId(id.to_string()),
                DocumentRef::Document(id) => v1::change_target::Document::DocumentId(id.clone()),
            }),
            recipients: ids(&target.recipients),
        };
        v1::Change {
            kind: convert::change_kind(self.kind).into(),
            targets: self.targets.iter().map(target).collect(),
            removed_recipients: ids(&self.removed),
            reason: self.reason.clone(),
        }
    }
}

/// What a document changes.
pub(super) fn of_document(change: &v1::Change) -> Result<Written, Refusal> {
    let path = "submission.change";
    let kind = match change.kind() {
        v1::MessageKind::Update => ChangeKind::Update,
        v1::MessageKind::Replacement => ChangeKind::Replacement,
        v1::MessageKind::Unspecified | v1::MessageKind::Document | v1::MessageKind::Recall => {
            return Err(Refusal::new(Reason::InvalidField, "a document updates or replaces earlier ones")
                .field(format!("{path}.kind"))
                .hint("MESSAGE_KIND_UPDATE or MESSAGE_KIND_REPLACEMENT; a recall is submitted as recall"));
        }
    };
    let targets_max = if kind == ChangeKind::Update { 1 } else { CHANGE_TARGETS_MAX };
    let targets = targets(&change.targets, targets_max, path)?;
    reason(&change.reason, path)?;
    let removed = organs(&change.removed_recipients, &format!("{path}.removed_recipients"))?;
    if kind == ChangeKind::Replacement && !removed.is_empty() {
        return Err(Refusal::new(Reason::InvalidField, "a replacement removes nobody")
            .field(format!("{path}.removed_recipients"))
            .hint("name in targets for whom each earlier document is replaced"));
    }
    Ok(Written { kind, reason: change.reason.clone(), targets, removed, known_only: true })
}

/// What a recall takes back.
pub(super) fn of_recall(recall: &v1::Recall) -> Result<Written, Refusal> {
    let path = "submission.recall";
    let targets = targets(&recall.targets, CHANGE_TARGETS_MAX, path)?;
    fields::required(&recall.reason, REASON_CHARS_MAX, &format!("{path}.reason"))?;
    reason(&recall.reason, path)?;
    let reason = recall.reason.clone();
    Ok(Written { kind: ChangeKind::Recall, reason, targets, removed: Vec::new(), known_only: true })
}

/// What an edXML document changes; nothing for one that is new, or that names no other.
pub(super) fn of_edxml(document: &edxml::Document) -> Result<Option<Written>, Refusal> {
    let business = &document.business;
    let to = || document.to.iter().map(|party| party.organ.clone()).collect();
    let named = |id: &Option<String>, recipients: Vec<OrganId>| {
        let document = id.clone().filter(|id| !id.is_empty()).map(DocumentRef::Document)?;
        Some(Target { document, recipients })
    };
    let (kind, targets, removed) = match &business.kind {
        BusinessKind::New => return Ok(None),
        BusinessKind::Revoke => {
            (ChangeKind::Recall, Vec::from_iter(named(&document.document_id, to())), Vec::new())
        }
        BusinessKind::Update(update) => {
            let about = business.document_id.as_ref().or(document.document_id.as_ref()).cloned();
            let removed = removed(update);
            (ChangeKind::Update, Vec::from_iter(named(&about, Vec::new())), removed)
        }
        BusinessKind::Replace(replaced) => {
            let targets =
                replaced.iter().filter_map(|one| named(&Some(one.document_id.clone()), one.organs.clone()));
            (ChangeKind::Replacement, targets.collect(), Vec::new())
        }
    };
    if targets.len() > CHANGE_TARGETS_MAX {
        return Err(too_many(targets.len(), CHANGE_TARGETS_MAX)
            .field(format!("{FILE}.TraceHeaderList.Bussiness.ReplacementInfoList")));
    }
    let reason = business.reason.clone().unwrap_or_default();
    Ok((!targets.is_empty()).then_some(Written { kind, reason, targets, removed, known_only: false }))
}

fn removed(update: &edxml::Update) -> Vec<OrganId> {
    let removed = update.changes.iter().filter(|change| change.change == edxml::Change::Removed);
    removed.map(|change| change.organ.clone()).collect()
}

/// Who an edXML document goes to: its recipients and those an update adds; and beside them those it names only to take the document away
/// from them.
pub(super) fn recipients(document: &edxml::Document) -> (Vec<OrganId>, Vec<OrganId>) {
    let to: Vec<OrganId> = document.to.iter().map(|party| party.organ.clone()).collect();
    let BusinessKind::Update(update) = &document.business.kind else { return (to, Vec::new()) };
    let leaving = removed(update);
    let (left, mut kept): (Vec<_>, Vec<_>) = to.iter().cloned().partition(|organ| leaving.contains(organ));
    for change in update.changes.iter().filter(|change| change.change == edxml::Change::Added) {
        if !kept.contains(&change.organ) {
            kept.push(change.organ.clone());
        }
    }
    if kept.is_empty() { (to, Vec::new()) } else { (kept, left) }
}

/// What a status 13 in an edXML file takes back.
pub(super) fn of_status(document_id: String, recipient: OrganId, reason: String) -> Written {
    let target = Target { document: DocumentRef::Document(document_id), recipients: vec![recipient] };
    let targets = vec![target];
    Written { kind: ChangeKind::Recall, reason, targets, removed: Vec::new(), known_only: true }
}

fn targets(written: &[v1::ChangeTarget], targets_max: usize, path: &str) -> Result<Vec<Target>, Refusal> {
    let path = format!("{path}.targets");
    if written.is_empty() {
        return Err(fields::missing(&path));
    }
    if written.len() > targets_max {
        return Err(too_many(written.len(), targets_max).field(path));
    }
    let target = |(place, target): (usize, &v1::ChangeTarget)| read(target, &format!("{path}[{place}]"));
    written.iter().enumerate().map(target).collect()
}

fn too_many(count: usize, targets_max: usize) -> Refusal {
    Refusal::new(
        Reason::InvalidField,
        format!("{count} documents; at most {targets_max} are changed by one message"),
    )
    .fact("limit", targets_max)
    .hint("submit several, each with its own message id")
}

fn read(target: &v1::ChangeTarget, path: &str) -> Result<Target, Refusal> {
    let document = match &target.document {
        Some(v1::change_target::Document::MessageId(text)) => {
            let id = MessageId::parse(text).map_err(|why| {
                Refusal::new(Reason::InvalidField, why.to_string())
                    .field(format!("{path}.message_id"))
                    .hint("the message_id the document was submitted with")
            })?;
            DocumentRef::Message(id)
        }
        Some(v1::change_target::Document::DocumentId(text)) => {
            fields::required(text, DOCUMENT_ID_CHARS_MAX, &format!("{path}.document_id"))?;
            DocumentRef::Document(text.clone())
        }
        None => return Err(fields::missing(&format!("{path}.message_id"))),
    };
    Ok(Target { document, recipients: organs(&target.recipients, &format!("{path}.recipients"))? })
}

fn organs(written: &[String], path: &str) -> Result<Vec<OrganId>, Refusal> {
    if written.len() > RECIPIENTS_MAX {
        return Err(Refusal::new(Reason::TooManyRecipients, format!("{} organs", written.len()))
            .field(path)
            .fact("limit", RECIPIENTS_MAX)
            .hint(format!("at most {RECIPIENTS_MAX}; name nobody where all are meant")));
    }
    let organ = |(place, text): (usize, &String)| fields::organ(text, &format!("{path}[{place}]"));
    written.iter().enumerate().map(organ).collect()
}

fn reason(text: &str, path: &str) -> Result<(), Refusal> {
    let path = format!("{path}.reason");
    fields::bounded(text, REASON_CHARS_MAX, &path)?;
    match edxml::secrecy_marking(text) {
        None => Ok(()),
        Some(level) => Err(Refusal::new(Reason::StateSecret, format!("the reason is marked {level}"))
            .field(path)
            .hint("this network must not carry state secrets (QĐ 28/2018/QĐ-TTg, Art. 1(2)); nothing was stored")),
    }
}
