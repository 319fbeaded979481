//! Business statuses: what becomes of a document at its recipient, in the codes of QCVN 102:2016/BTTTT (amended SĐ1:2022). They say
//! nothing of the transport, and the transport nothing of them; one delivery has both, each with a machine of its own.

mod machine;

pub use machine::{Decided, Party, ReportRefused, Request, Standing, decide};

use super::time::Timestamp;

/// The business statuses of the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatusCode {
    /// 01, đã đến: reached the system, no clerk has acted.
    Arrived,
    /// 02, từ chối tiếp nhận: refused, with a reason.
    Refused,
    /// 03, đã tiếp nhận: accepted and registered.
    Accepted,
    /// 04, phân công: assigned.
    Assigned,
    /// 05, đang xử lý: in process.
    InProcess,
    /// 06, hoàn thành: done.
    Done,
    /// 13, lấy lại: the sender asks for the document back.
    RecallAsked,
    /// 15, đồng ý cập nhật/lấy lại: agrees to an update or recall.
    ChangeAgreed,
    /// 16, từ chối cập nhật/lấy lại: refuses an update or recall.
    ChangeRefused,
}

impl StatusCode {
    /// All of them, by their numbers.
    pub const ALL: [Self; 9] = [
        Self::Arrived,
        Self::Refused,
        Self::Accepted,
        Self::Assigned,
        Self::InProcess,
        Self::Done,
        Self::RecallAsked,
        Self::ChangeAgreed,
        Self::ChangeRefused,
    ];

    /// By its number, 3 for `03`.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// Its number, 3 for `03`.
    pub fn number(self) -> u8 {
        match self {
            Self::Arrived => 1,
            Self::Refused => 2,
            Self::Accepted => 3,
            Self::Assigned => 4,
            Self::InProcess => 5,
            Self::Done => 6,
            Self::RecallAsked => 13,
            Self::ChangeAgreed => 15,
            Self::ChangeRefused => 16,
        }
    }

    /// As the standard writes it: `03`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Arrived => "01",
            Self::Refused => "02",
            Self::Accepted => "03",
            Self::Assigned => "04",
            Self::InProcess => "05",
            Self::Done => "06",
            Self::RecallAsked => "13",
            Self::ChangeAgreed => "15",
            Self::ChangeRefused => "16",
        }
    }

    /// Whether it has to say why (NĐ 30/2020/NĐ-CP, Art. 21(2) for a refusal).
    pub fn needs_reason(self) -> bool {
        matches!(self, Self::Refused | Self::RecallAsked | Self::ChangeRefused)
    }
}

/// Codes as a refusal lists them: `04, 05, 06`, or `none`.
pub fn listed(codes: &[StatusCode]) -> String {
    match codes {
        [] => "none".to_owned(),
        codes => codes.iter().map(|code| code.as_str()).collect::<Vec<_>>().join(", "),
    }
}

/// The clerk who acted (edXML `StaffInfo`); what was not given is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Staff {
    /// The department.
    pub department: String,
    /// Its id.
    pub department_id: String,
    /// The clerk's name.
    pub name: String,
    /// The clerk's id.
    pub id: String,
    /// The clerk's e-mail address.
    pub email: String,
    /// The clerk's mobile number.
    pub mobile: String,
}

/// A status as its reporter states it, without the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Which.
    pub code: StatusCode,
    /// When it came about, by the reporter's clock.
    pub stated_at: Option<Timestamp>,
    /// Who acted.
    pub staff: Staff,
}

/// What is reported of one delivery. The same report again is the same in all of this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The status.
    pub status: Status,
    /// Why; empty where nothing is to be said.
    pub reason: String,
}

#[cfg(test)]
mod tests;
