//! A status message: what a recipient, or the sender who recalls, says of a document.

mod write;

use time::OffsetDateTime;

use super::fields::Fields;
use super::parts::{Party, ResponseFor, Staff};
use super::refusals::{invalid, missing};
use crate::domain::limits::REASON_CHARS_MAX;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::Refusal;
use crate::domain::status::{self, Report, StatusCode};
use crate::domain::time::Timestamp;

/// A status message. It has no recipients of its own; it goes to [`Status::recipient`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Who reports.
    pub from: Party,
    /// The document reported about; organ, code and document id are there.
    pub response_for: ResponseFor,
    /// `StaffInfo`.
    pub staff: Option<Staff>,
    /// `StatusCode`.
    pub code: StatusCode,
    /// `Description`: the reason, where the code wants one.
    pub description: Option<String>,
    /// `Timestamp`, at +07:00 unless the sender wrote another offset.
    pub time: Option<OffsetDateTime>,
}

impl Status {
    /// The organ it goes to: the one that sent the document.
    pub fn recipient(&self) -> &OrganId {
        self.response_for.organ.as_ref().expect("a status without ResponseFor.OrganId is refused when read")
    }

    /// What it reports, in the words of the domain.
    pub fn report(&self) -> Report {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let staff = self.staff.as_ref().map(|staff| status::Staff {
            department: text(&staff.department),
            department_id: text(&staff.department_id),
            name: text(&staff.name),
            id: text(&staff.id),
            email: text(&staff.email),
            mobile: text(&staff.mobile),
        });
        let micros = |time: OffsetDateTime| i64::try_from(time.unix_timestamp_nanos() / 1_000).ok();
        let status = status::Status {
            code: self.code,
            stated_at: self.time.and_then(micros).map(Timestamp::from_micros),
            staff: staff.unwrap_or_default(),
        };
        Report { status, reason: text(&self.description) }
    }

    /// A status message for what was reported otherwise.
    pub fn of_report(report: &Report, from: Party, response_for: ResponseFor, at: Timestamp) -> Self {
        let text = |text: &String| Some(text.clone()).filter(|text| !text.trim().is_empty());
        let clerk = &report.status.staff;
        let staff = Staff {
            department: text(&clerk.department),
            department_id: text(&clerk.department_id),
            name: text(&clerk.name),
            id: text(&clerk.id),
            email: text(&clerk.email),
            mobile: text(&clerk.mobile),
        };
        let time = report.status.stated_at.unwrap_or(at);
        Self {
            from,
            response_for,
            staff: (staff != Staff::default()).then_some(staff),
            code: report.status.code,
            description: text(&report.reason),
            time: OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.as_micros()) * 1_000).ok(),
        }
    }

    pub(super) fn read(message: &Fields<'_>) -> Result<Self, Refusal> {
        if message.count("To") > 0 {
            return Err(invalid(
                &message.path_of("To"),
                "a status message goes to ResponseFor.OrganId; leave To out",
            ));
        }
        let from = Party::sender(message)?;
        let subject =
            message.one("ResponseFor")?.ok_or_else(|| missing(&message.path_of("ResponseFor.OrganId")))?;
        let response_for = ResponseFor::read(&subject)?;
        let required = [
            ("OrganId", response_for.organ.is_some()),
            ("Code", response_for.code.is_some()),
            ("DocumentId", response_for.document_id.is_some()),
        ];
        if let Some((name, _)) = required.into_iter().find(|(_, present)| !present) {
            return Err(missing(&subject.path_of(name)));
        }
        let hint = "the status codes are 01 to 06, 13, 15 and 16";
        let code = message.code("StatusCode", StatusCode::from_number, hint)?;
        let code = code.ok_or_else(|| missing(&message.path_of("StatusCode")))?;
        let description = message.public_text("Description", REASON_CHARS_MAX)?;
        if code.needs_reason() && description.is_none() {
            return Err(missing(&message.path_of("Description")).hint("this status needs its reason"));
        }
        Ok(Self {
            from,
            response_for,
            staff: message.one("StaffInfo")?.map(|staff| Staff::read(&staff)).transpose()?,
            code,
            description,
            time: message.moment("Timestamp")?,
        })
    }
}
