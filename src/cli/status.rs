//! `truc status`: reports a business status of a delivery.

use clap::Args;

use super::connection::Connection;
use super::exit::Exit;
use super::out::{Form, Out};
use super::words::{self, Lang, Word};
use super::{json, tables, times};
use crate::client::CallError;
use crate::domain::status::StatusCode;
use crate::proto::{convert, v1};

/// Report the status of a document received / Báo trạng thái xử lý văn bản
///
/// 01 arrived, 02 refused, 03 accepted, 04 assigned, 05 in process, 06 done; 15 agrees to a recall or
/// update, 16 refuses it; 13, by the sender, asks the document back. 02, 13 and 16 need --reason. The
/// same report again is safe.
#[derive(Debug, Args)]
pub struct Status {
    /// The delivery, as `truc collect` and `truc track` show it
    #[arg(value_name = "DELIVERY_ID")]
    delivery_id: String,
    /// The status: 01 to 06, 13, 15 or 16
    #[arg(value_name = "CODE", value_parser = code)]
    code: StatusCode,
    /// Why, for the other side
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// When it came about, for example 2026-01-31T09:30:00+07:00
    #[arg(long, value_name = "TIME", value_parser = times::parse)]
    time: Option<prost_types::Timestamp>,
    /// The organ that reports [default: the certificate's]
    #[arg(long, value_name = "ORGAN")]
    organ: Option<String>,
    #[command(flatten)]
    clerk: Clerk,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    form: Form,
}

/// Who acted.
#[derive(Debug, Args)]
#[command(next_help_heading = "Who acted")]
struct Clerk {
    /// Department of the clerk who acted
    #[arg(long, value_name = "NAME")]
    department: Option<String>,
    /// Name of the clerk
    #[arg(long, value_name = "NAME")]
    staff: Option<String>,
    /// The clerk's id in your system
    #[arg(long, value_name = "ID")]
    staff_id: Option<String>,
    /// The clerk's e-mail address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// The clerk's mobile number
    #[arg(long, value_name = "NUMBER")]
    mobile: Option<String>,
}

fn code(text: &str) -> Result<StatusCode, String> {
    let number = text.parse().ok().filter(|_| text.len() <= 2);
    let unknown = || "the statuses are 01 to 06, 13, 15 and 16".to_owned();
    number.and_then(StatusCode::from_number).ok_or_else(unknown)
}

impl Status {
    /// Reports.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.form);
        let report = v1::StatusReport {
            delivery_id: self.delivery_id,
            status: convert::status_code(self.code).into(),
            reason: self.reason.unwrap_or_default(),
            status_time: self.time,
            staff: self.clerk.staff(),
        };
        let request =
            v1::ReportStatusRequest { organ: self.organ.unwrap_or_default(), reports: vec![report] };
        let results = self.connection.call(async |agency| agency.report_status(request).await)?;
        for result in &results {
            if let Some(refusal) = &result.refusal {
                return Err(Exit::failed(CallError::from(refusal)));
            }
            out.object(&json::report_result(result))?;
            show(&mut out, result)?;
        }
        Ok(())
    }
}

impl Clerk {
    fn staff(self) -> Option<v1::Staff> {
        let text = Option::unwrap_or_default;
        let staff = v1::Staff {
            department: text(self.department),
            name: text(self.staff),
            staff_id: text(self.staff_id),
            email: text(self.email),
            mobile: text(self.mobile),
            ..Default::default()
        };
        (staff != v1::Staff::default()).then_some(staff)
    }
}

fn show(out: &mut Out, result: &v1::ReportResult) -> Result<(), Exit> {
    let lang = out.lang();
    let receipt = result.receipt.clone().unwrap_or_default();
    if result.repeated_report {
        out.note(Word::RepeatedReport.text(lang));
    }
    out.text(tables::facts(
        lang,
        [
            (Word::Message, receipt.message_id.clone()),
            (Word::Sender, receipt.sender.clone()),
            (Word::Delivery, result.delivery_id.clone()),
            (Word::Recipient, receipt.recipient.clone()),
            (Word::BusinessStatus, words::status_text(receipt.status(), lang)),
            (Word::Time, times::short(receipt.time.as_ref())),
            (Word::AssertedBy, tables::asserter(lang, &receipt)),
            (Word::Reason, tables::reason(lang, &receipt)),
        ],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_written_as_the_standard_does() {
        assert_eq!(code("03"), Ok(StatusCode::Accepted));
        assert_eq!(code("3"), Ok(StatusCode::Accepted));
        assert_eq!(code("16"), Ok(StatusCode::ChangeRefused));
        for bad in ["", "7", "003", "accepted", "-1"] {
            assert!(code(bad).is_err(), "{bad}");
        }
    }
}
