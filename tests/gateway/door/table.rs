//! The table of bad inputs: each row is checked against what it must get and what the page of that promises.

use std::fmt::Debug;

use tonic::Status;
use tonic_types::StatusExt;
use truc::proto::v1;

use super::page::Page;

/// Rows checked so far, and what was wrong with them.
#[derive(Default)]
pub struct Table {
    rows: usize,
    wrong: Vec<String>,
}

impl Table {
    /// One row: what it is called, the answer it got, and the reason and field it must have got.
    pub fn row<T: Debug>(&mut self, name: &str, answer: Result<T, Status>, reason: &str, field: &str) {
        self.rows += 1;
        let fault = match answer {
            Ok(answer) => Some(format!("was taken: {answer:?}")),
            Err(status) => fault_of_status(&status, reason, field),
        };
        self.wrong.extend(fault.map(|fault| format!("{name}: {fault}")));
    }

    /// One row whose answer is a refusal on a stream that goes on, or in a list of results.
    pub fn refusal(&mut self, name: &str, refusal: Option<&v1::Refusal>, reason: &str, field: &str) {
        self.rows += 1;
        let fault = match refusal {
            None => Some("was taken".to_owned()),
            Some(refusal) => fault_of_refusal(refusal, reason, field),
        };
        self.wrong.extend(fault.map(|fault| format!("{name}: {fault}")));
    }

    /// Something else that must hold.
    pub fn holds(&mut self, what: &str, holds: bool) {
        if !holds {
            self.wrong.push(what.to_owned());
        }
    }

    /// All rows got what they must, and there were enough of them.
    #[expect(clippy::print_stdout, reason = "the figure of this test")]
    pub fn finish(self, rows_min: usize) {
        println!("{} bad inputs checked, {} wrong", self.rows, self.wrong.len());
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
        assert!(self.rows >= rows_min, "{} rows", self.rows);
    }
}

fn fault_of_status(status: &Status, reason: &str, field: &str) -> Option<String> {
    let page = Page::of(reason);
    let details = status.get_error_details();
    let Some(info) = details.error_info() else { return Some(format!("no reason: {status:?}")) };
    let violations = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
    let at = violations.first().map_or("", |violation| violation.field.as_str());
    let help = details.help().and_then(|help| help.links.first()).map_or("", |link| link.url.as_str());
    if (info.reason.as_str(), at) != (reason, field) {
        return Some(format!("{} at {at:?} ({}), not {reason} at {field:?}", info.reason, status.message()));
    }
    let delay = details.retry_info().and_then(|info| info.retry_delay).filter(|delay| !delay.is_zero());
    let broken = [
        (status.code() != page.code, "another code than its page says"),
        (info.domain != "truc", "another domain"),
        (info.metadata.get("hint").is_none_or(String::is_empty), "no hint"),
        (delay.is_some() != page.retry_info, "RetryInfo is not as its page says"),
        (!help.ends_with(&format!("docs/errors/{reason}.md")), "no link to its page"),
        (status.message().is_empty(), "no message"),
    ];
    broken.iter().find(|(is_so, _)| *is_so).map(|(_, fault)| format!("{reason}: {fault}: {status:?}"))
}

fn fault_of_refusal(refusal: &v1::Refusal, reason: &str, field: &str) -> Option<String> {
    let name = refusal.reason().as_str_name();
    if (name, refusal.field.as_str()) != (&format!("ERROR_REASON_{reason}"), field) {
        return Some(format!("{name} at {:?}, not {reason} at {field:?}", refusal.field));
    }
    let retry_info = Page::of(reason).retry_info;
    let broken = [
        (refusal.hint.is_empty(), "no hint"),
        (refusal.message.is_empty(), "no message"),
        (refusal.retry_delay.is_some() != retry_info, "the retry delay is not as its page says"),
    ];
    broken.iter().find(|(is_so, _)| *is_so).map(|(_, fault)| format!("{reason}: {fault}: {refusal:?}"))
}
