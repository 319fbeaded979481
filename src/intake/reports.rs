//! Reports of business status as callers write them.

use super::fields;
use crate::delivery::{ReportAnswer, WrittenReport};
use crate::domain::delivery::DeliveryId;
use crate::domain::limits::{EMAIL_CHARS_MAX, REASON_CHARS_MAX, REPORTS_MAX, STAFF_CHARS_MAX};
use crate::domain::refusal::{Reason, Refusal};
use crate::domain::status::{Report, Staff, Status, StatusCode};
use crate::edxml;
use crate::ledger::Reported;
use crate::proto::{convert, v1};

/// Reads a batch; each report that cannot be understood is refused by itself, a batch that is none as a whole.
pub fn read(reports: Vec<v1::StatusReport>) -> Result<Vec<WrittenReport>, Refusal> {
    if reports.is_empty() {
        return Err(fields::missing("reports"));
    }
    if reports.len() > REPORTS_MAX {
        return Err(Refusal::new(
            Reason::InvalidField,
            format!("{} reports; at most {REPORTS_MAX} at a time", reports.len()),
        )
        .field("reports")
        .hint("send them in several messages"));
    }
    Ok(reports.into_iter().map(|written| (written.delivery_id.clone(), read_one(written))).collect())
}

fn read_one(written: v1::StatusReport) -> Result<(DeliveryId, Report), Refusal> {
    let delivery = super::settlements::parsed(&written.delivery_id, DeliveryId::parse, "delivery_id")?;
    let code = match u8::try_from(written.status) {
        Ok(0) => return Err(fields::missing("status")),
        Ok(number) => StatusCode::from_number(number),
        Err(_) => None,
    };
    let code = code.ok_or_else(|| {
        Refusal::new(Reason::InvalidField, "not a business status of the contract")
            .field("status")
            .hint("01 to 06, 13, 15 and 16; see enum BusinessStatus in document.proto")
    })?;
    fields::bounded(&written.reason, REASON_CHARS_MAX, "reason")?;
    let stated_at = written.status_time.map(|time| {
        convert::time_of(&time).ok_or_else(|| {
            Refusal::new(Reason::InvalidField, "status_time is not a time")
                .field("status_time")
                .hint("nanos are 0 to 999,999,999")
        })
    });
    let staff = written.staff.map_or(Ok(Staff::default()), staff)?;
    check_secrecy(&written.reason)?;
    let status = Status { code, stated_at: stated_at.transpose()?, staff };
    Ok((delivery, Report { status, reason: written.reason }))
}

fn staff(written: v1::Staff) -> Result<Staff, Refusal> {
    let v1::Staff { department, department_id, name, staff_id, email, mobile } = written;
    let parts = [
        (&department, "staff.department"),
        (&department_id, "staff.department_id"),
        (&name, "staff.name"),
        (&staff_id, "staff.staff_id"),
        (&mobile, "staff.mobile"),
    ];
    for (text, path) in parts {
        fields::bounded(text, STAFF_CHARS_MAX, path)?;
    }
    fields::bounded(&email, EMAIL_CHARS_MAX, "staff.email")?;
    Ok(Staff { department, department_id, name, id: staff_id, email, mobile })
}

fn check_secrecy(reason: &str) -> Result<(), Refusal> {
    match edxml::secrecy_marking(reason) {
        None => Ok(()),
        Some(level) => Err(Refusal::new(Reason::StateSecret, format!("the reason is marked {level}"))
            .field("reason")
            .hint("this network must not carry state secrets (QĐ 28/2018/QĐ-TTg, Art. 1(2)); nothing was stored")),
    }
}

/// The answers as callers read them.
pub fn results(answers: Vec<ReportAnswer>) -> Vec<v1::ReportResult> {
    let result = |(delivery_id, result): ReportAnswer| {
        log(&delivery_id, &result);
        match result {
            Ok(Reported { receipt, repeated }) => v1::ReportResult {
                delivery_id,
                receipt: Some(convert::receipt(&receipt)),
                repeated_report: repeated,
                refusal: None,
            },
            Err(refusal) => v1::ReportResult {
                delivery_id,
                refusal: Some(convert::refusal(&refusal)),
                ..Default::default()
            },
        }
    };
    answers.into_iter().map(result).collect()
}

/// Which delivery, and what became of the report; never the reporter's words. An id that cannot be one is not repeated.
fn log(id: &str, result: &Result<Reported, Refusal>) {
    let delivery = DeliveryId::parse(id).map(tracing::field::display);
    match result {
        Ok(Reported { receipt, repeated }) => {
            let status = receipt.status.as_ref().map(|status| status.code.as_str());
            tracing::debug!(delivery, status, repeated, "reported");
        }
        Err(refusal) => tracing::debug!(delivery, reason = refusal.reason().as_str(), "not reported"),
    }
}
