//! What a gateway's refusal says, in a form people can read and programs can match.

use std::fmt;
use std::time::Duration;

use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt;

use crate::proto::convert::{self, ERROR_DOMAIN, ERROR_PAGES};
use crate::proto::v1;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError(Box<Parts>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    code: Code,
    reason: String,
    message: String,
    field: String,
    hint: String,
    retry_after: Option<Duration>,
    is_line_lost: bool,
}

impl CallError {
    /// The reason of the contract's closed list, for example `UNKNOWN_RECIPIENT`; empty when it was not the gateway that
    /// answered.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// The field at fault; empty where none is.
    pub fn field(&self) -> &str {
        &self.0.field
    }

    /// When to come back, where the gateway says so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// True when the same call may well be answered a little later.
    pub fn is_passing(&self) -> bool {
        self.0.code == Code::Unavailable || self.0.is_line_lost
    }

    /// The gateway ended a stream that was meant to go on, as it does when it stops.
    pub fn stream_ended() -> Self {
        Status::unavailable("the gateway ended the stream").into()
    }

    pub(super) fn unexpected(what: &str) -> Self {
        Status::internal(format!("the gateway sent {what}")).into()
    }
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info().filter(|info| info.domain == ERROR_DOMAIN);
        let field = details.bad_request().and_then(|bad| bad.field_violations.first());
        Self(Box::new(Parts {
            code: status.code(),
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            message: status.message().to_owned(),
            field: field.map(|violation| violation.field.clone()).unwrap_or_default(),
            hint: info.and_then(|info| info.metadata.get("hint").cloned()).unwrap_or_default(),
            retry_after: details.retry_info().and_then(|retry| retry.retry_delay),
            is_line_lost: is_line_lost(&status),
        }))
    }
}

/// Only what failed on this side has a cause; a status that came over the line has none.
fn is_line_lost(status: &Status) -> bool {
    let mut causes =
        std::iter::successors(std::error::Error::source(status), |cause| cause.source()).peekable();
    let is_line = matches!(
        status.code(),
        Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled | Code::Aborted
    );
    is_line && causes.peek().is_some() && !causes.any(|cause| cause.is::<TimeoutExpired>())
}

impl From<&v1::Refusal> for CallError {
    fn from(refusal: &v1::Refusal) -> Self {
        let reason = convert::reason_of(refusal);
        Self(Box::new(Parts {
            code: Code::FailedPrecondition,
            reason: reason.map(|reason| reason.as_str().to_owned()).unwrap_or_default(),
            message: refusal.message.clone(),
            field: refusal.field.clone(),
            hint: refusal.hint.clone(),
            retry_after: refusal.retry_delay.as_ref().and_then(convert::duration_of),
            is_line_lost: false,
        }))
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { code, reason, message, field, hint, retry_after, is_line_lost } = &*self.0;
        match reason.as_str() {
            "" => write!(f, "{code:?}: {message}")?,
            reason => write!(f, "{reason}: {message}")?,
        }
        if !field.is_empty() {
            write!(f, " (field {field})")?;
        }
        if *is_line_lost {
            // A gateway refuses a certificate after the handshake has ended on this side.
            f.write_str(
                " - the connection was lost; if it happens at each call, the gateway refuses the certificate, and its log says why",
            )?;
        }
        if !hint.is_empty() {
            write!(f, " - {hint}")?;
        }
        if let Some(delay) = retry_after {
            write!(f, "; retry after {} s", delay.as_secs_f64())?;
        }
        match reason.as_str() {
            "" => Ok(()),
            reason => write!(f, "; see {ERROR_PAGES}/{reason}.md"),
        }
    }
}

impl std::error::Error for CallError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::refusal::{Reason, Refusal};

    #[test]
    fn a_refusal_reads_as_one_sentence() {
        let refusal = Refusal::new(Reason::MailboxFull, "the mailbox of H49 is full")
            .field("submission.document.header.recipients[0]")
            .hint("try again later")
            .retry_after(Duration::from_millis(1_500));
        let error = CallError::from(convert::status(&refusal));
        let text = "MAILBOX_FULL: the mailbox of H49 is full (field submission.document.header.recipients[0]) - try again \
                    later; retry after 1.5 s; see docs/errors/MAILBOX_FULL.md";
        assert_eq!(error.to_string(), text);
        assert_eq!((error.reason(), error.is_passing()), ("MAILBOX_FULL", false));
        assert_eq!(CallError::from(&convert::refusal(&refusal)).to_string(), text);
    }

    #[test]
    fn what_is_not_the_gateways_word_is_shown_as_it_is() {
        let error = CallError::from(Status::unavailable("no route"));
        assert_eq!(error.to_string(), "Unavailable: no route");
        assert!(error.is_passing() && error.reason().is_empty());
        let broken = Status::from_error(Box::new(std::io::Error::other("broken pipe")));
        let error = CallError::from(broken);
        assert!(error.is_passing(), "{error}");
        assert!(error.to_string().contains("refuses the certificate"), "{error}");
        let late = CallError::from(Status::from_error(Box::new(TimeoutExpired(()))));
        assert!(!late.is_passing(), "{late}: the gateway may be at it still");
    }
}
