//! The machine of business statuses: [`decide`] says what a report does, the ledger records it.

use super::super::delivery::{Progress, State};
use super::super::limits::STATUS_REPORTS_MAX;
use super::{Report, StatusCode, listed};

/// Who may report a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// The organ that sent the document.
    Sender,
    /// The organ the delivery is for.
    Recipient,
}

impl Party {
    /// Whose word a status is.
    pub fn of(code: StatusCode) -> Self {
        match code {
            StatusCode::RecallAsked => Self::Sender,
            StatusCode::Arrived
            | StatusCode::Refused
            | StatusCode::Accepted
            | StatusCode::Assigned
            | StatusCode::InProcess
            | StatusCode::Done
            | StatusCode::ChangeAgreed
            | StatusCode::ChangeRefused => Self::Recipient,
        }
    }

    /// The name used in refusals.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Recipient => "recipient",
        }
    }
}

/// What a sender asks of a recipient who has the document, and waits to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// To give it back.
    Recall,
    /// To take a changed form of it.
    Update,
    /// To take another in its place.
    Replacement,
}

impl Request {
    /// The name used in logs and refusals.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recall => "recall",
            Self::Update => "update",
            Self::Replacement => "replacement",
        }
    }
}

/// Where a delivery stands in its recipient's business.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The last status; none before the first. A request and its refusal leave it as it is.
    pub status: Option<StatusCode>,
    /// The request that waits for its answer.
    pub request: Option<Request>,
    /// How many reports there have been.
    pub reports: u32,
}

impl Standing {
    /// What the recipient can say next of the document itself, where the transport stands so.
    pub fn expected(&self, progress: &Progress) -> Vec<StatusCode> {
        use StatusCode::{Accepted, Arrived, Assigned, Done, InProcess, Refused};
        let next: &[StatusCode] = match self.status {
            None => &[Arrived, Refused, Accepted],
            Some(Arrived) => &[Refused, Accepted],
            // A document is assigned anew while it is worked on, and work has stages.
            Some(Accepted | Assigned | InProcess) => &[Assigned, InProcess, Done],
            Some(Refused | Done) => &[],
            // Given back: nothing more becomes of it here.
            Some(StatusCode::ChangeAgreed | StatusCode::RecallAsked | StatusCode::ChangeRefused) => &[],
        };
        let is_full = self.reports >= STATUS_REPORTS_MAX;
        let can_be = |code: &StatusCode| match code {
            // Its system has said already that it does not take it.
            _ if progress.state == State::Rejected => *code == Refused,
            Assigned | InProcess => !is_full,
            _ => true,
        };
        next.iter().copied().filter(can_be).collect()
    }
}

/// What a report comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It is recorded, and the delivery stands so.
    Recorded(Standing),
    /// It is the report recorded at this place among the earlier ones.
    Repeated(usize),
}

/// Why a report is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportRefused {
    /// The status is the other party's to report.
    #[error("status {} is reported by the {}", .0.as_str(), Party::of(*.0).as_str())]
    NotYours(StatusCode),
    /// The status has to say why.
    #[error("status {} needs a reason", .0.as_str())]
    NoReason(StatusCode),
    /// The recipient has not been handed the document, and will not be.
    #[error("the recipient has not been handed the document: the delivery is {}", .0.as_str())]
    NotHandedOver(State),
    /// The status answers or announces a request, and none is open.
    #[error("there is no open request to recall or update the document, which status {} belongs to", .0.as_str())]
    NoRequest(StatusCode),
    /// It cannot come after what was reported before.
    #[error("status {} cannot follow {}; expected: {}", .code.as_str(), after(*.standing), listed(.expected))]
    NotNext {
        /// What was reported.
        code: StatusCode,
        /// The status before.
        standing: Option<StatusCode>,
        /// What could be reported.
        expected: Vec<StatusCode>,
    },
}

fn after(standing: Option<StatusCode>) -> &'static str {
    standing.map_or("no status", StatusCode::as_str)
}

/// Decides what a report of one who is these parties does to a delivery. `earlier` are the delivery's reports, in order.
pub fn decide<'r>(
    now: &Standing,
    progress: &Progress,
    parties: &[Party],
    report: &Report,
    mut earlier: impl Iterator<Item = &'r Report>,
) -> Result<Decided, ReportRefused> {
    let code = report.status.code;
    if !parties.contains(&Party::of(code)) {
        return Err(ReportRefused::NotYours(code));
    }
    if let Some(first) = earlier.position(|known| known == report) {
        return Ok(Decided::Repeated(first));
    }
    if code.needs_reason() && report.reason.trim().is_empty() {
        return Err(ReportRefused::NoReason(code));
    }
    let is_away = matches!(progress.state, State::Expired | State::Cancelled | State::Redirected);
    // Who is asked about it may answer, even where the attempt that was under way then came to nothing.
    let is_answer =
        now.request.is_some() && matches!(code, StatusCode::ChangeAgreed | StatusCode::ChangeRefused);
    if is_away || !(progress.may_be_known() || is_answer) {
        return Err(ReportRefused::NotHandedOver(progress.state));
    }
    let next = match (code, now.request) {
        (StatusCode::RecallAsked, Some(Request::Recall)) => *now,
        (StatusCode::ChangeAgreed, Some(Request::Recall | Request::Replacement)) => {
            Standing { status: Some(code), request: None, ..*now }
        }
        (StatusCode::ChangeAgreed, Some(Request::Update)) | (StatusCode::ChangeRefused, Some(_)) => {
            Standing { request: None, ..*now }
        }
        (StatusCode::RecallAsked | StatusCode::ChangeAgreed | StatusCode::ChangeRefused, _) => {
            return Err(ReportRefused::NoRequest(code));
        }
        (code, _) => {
            let expected = now.expected(progress);
            if !expected.contains(&code) {
                return Err(ReportRefused::NotNext { code, standing: now.status, expected });
            }
            // Who refuses the document has nothing to be asked for.
            let request = now.request.filter(|_| code != StatusCode::Refused);
            Standing { status: Some(code), request, ..*now }
        }
    };
    Ok(Decided::Recorded(Standing { reports: now.reports.saturating_add(1), ..next }))
}
