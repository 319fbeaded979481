//! Reports of business status as they are handed to a ledger and answered, and what all stores share of recording them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::domain::change::Answer;
use crate::domain::delivery::{DeliveryId, Progress};
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::Receipt;
use crate::domain::status::{
    self, Decided, Party, Report, ReportRefused, Request, Staff, Standing, Status, StatusCode,
};
use crate::domain::time::Timestamp;

/// A report of one delivery.
#[derive(Clone, Debug)]
pub struct ReportRequest {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The organ that reports: the delivery's recipient, or its message's sender. For another one it is
    /// [`ReportError::NotFound`].
    pub organ: OrganId,
    /// The organ whose certificate spoke.
    pub by: OrganId,
    /// What is reported.
    pub report: Report,
    /// When it came to the gateway.
    pub at: Timestamp,
    /// The file it came in, kept as it is; none where it came otherwise.
    pub file: Option<Bytes>,
}

/// A report that is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// Its receipt.
    pub receipt: Receipt,
    /// True when it had been recorded before.
    pub repeated: bool,
}

/// Why one report was not taken; nothing of it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// The organ neither sent nor receives such a delivery.
    #[error("no such delivery")]
    NotFound,
    /// The machine of business statuses says no.
    #[error(transparent)]
    Refused(#[from] ReportRefused),
}

/// Answers of one batch of reports, in its order.
pub type ReportAnswers = Vec<Result<Reported, ReportError>>;

/// Messages that are looked through for one a sender knows by the same document id, the newest first.
pub(super) const MESSAGES_OF_DOCUMENT_MAX: usize = 100;

/// A delivery as a report finds it.
#[derive(Debug)]
pub(super) struct Reportable<'a> {
    pub sender: &'a OrganId,
    pub recipient: &'a OrganId,
    pub progress: &'a Progress,
    pub status: Option<StatusCode>,
    /// What is asked about it, and not answered.
    pub request: Option<Request>,
    /// Who got the message that asks, where another organ has taken over since.
    pub asked: Option<&'a OrganId>,
    /// The receipts of its reports, in order.
    pub earlier: &'a [Receipt],
}

impl Reportable<'_> {
    /// What a report does to it.
    pub fn decide(&self, request: &ReportRequest) -> Result<Decided, ReportError> {
        let mut parties = Vec::with_capacity(2);
        parties.extend((request.organ == *self.sender).then_some(Party::Sender));
        let code = request.report.status.code;
        let answers = matches!(code, StatusCode::ChangeAgreed | StatusCode::ChangeRefused);
        let speaks = request.organ == *self.recipient || (answers && self.asked == Some(&request.organ));
        parties.extend(speaks.then_some(Party::Recipient));
        if parties.is_empty() {
            return Err(ReportError::NotFound);
        }
        let earlier: Vec<Report> = self.earlier.iter().filter_map(Receipt::report).collect();
        let now = Standing {
            status: self.status,
            request: self.request,
            reports: u32::try_from(earlier.len()).unwrap_or(u32::MAX),
        };
        Ok(status::decide(&now, self.progress, &parties, &request.report, earlier.iter())?)
    }
}

/// How a report ends the request that was open; nothing where it leaves it as it is.
pub(super) fn answer(was: Option<Request>, next: &Standing, code: StatusCode) -> Option<Answer> {
    was?;
    match (next.request, code) {
        (Some(_), _) => None,
        (None, StatusCode::ChangeAgreed) => Some(Answer::Agreed),
        (None, StatusCode::ChangeRefused) => Some(Answer::Refused),
        (None, _) => Some(Answer::Lapsed),
    }
}

/// What a report says beside status and reason, as the column `noted` holds it.
#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Noted {
    #[serde(skip_serializing_if = "Option::is_none")]
    stated_at: Option<i64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    department: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    department_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    staff: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    staff_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    email: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    mobile: String,
}

impl Default for Noted {
    fn default() -> Self {
        Self::of(None, Staff::default())
    }
}

impl Noted {
    fn of(stated_at: Option<Timestamp>, staff: Staff) -> Self {
        let Staff { department, department_id, name, id, email, mobile } = staff;
        let stated_at = stated_at.map(Timestamp::as_micros);
        Self { stated_at, department, department_id, staff: name, staff_id: id, email, mobile }
    }
}

/// The column `noted` of a status; nothing when there is nothing to note.
pub(super) fn noted(status: &Status) -> Option<String> {
    if status.stated_at.is_none() && status.staff == Staff::default() {
        return None;
    }
    let noted = Noted::of(status.stated_at, status.staff.clone());
    Some(serde_json::to_string(&noted).expect("texts and a number can be written as JSON"))
}

/// A status as its two columns hold it; nothing when `noted` is not what [`noted`] writes.
pub(super) fn status(code: StatusCode, noted: Option<&str>) -> Option<Status> {
    let Noted { stated_at, department, department_id, staff, staff_id, email, mobile } = match noted {
        None => Noted::default(),
        Some(text) => serde_json::from_str(text).ok()?,
    };
    let staff = Staff { department, department_id, name: staff, id: staff_id, email, mobile };
    Some(Status { code, stated_at: stated_at.map(Timestamp::from_micros), staff })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_read_back() {
        let bare = Status { code: StatusCode::Accepted, stated_at: None, staff: Staff::default() };
        assert_eq!(noted(&bare), None);
        assert_eq!(status(bare.code, None), Some(bare.clone()));
        let staff = Staff { department: "Phòng \"A\"\u{0}".into(), mobile: "09".into(), ..Staff::default() };
        let full = Status { stated_at: Some(Timestamp::from_micros(-7)), staff, ..bare };
        let text = noted(&full).unwrap();
        assert_eq!(text, r#"{"stated_at":-7,"department":"Phòng \"A\"\u0000","mobile":"09"}"#);
        assert_eq!(status(full.code, Some(&text)), Some(full));
        assert_eq!(status(StatusCode::Accepted, Some("{")), None);
    }
}
