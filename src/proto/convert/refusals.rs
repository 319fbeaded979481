//! Refusals as the contract writes them.

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::super::v1;
use crate::domain::refusal::{Class, Reason, Refusal};

/// The domain of [`tonic_types::ErrorInfo`] in every error.
pub const ERROR_DOMAIN: &str = "truc";

/// Where the pages of the reasons are, relative to the project.
pub const ERROR_PAGES: &str = "docs/errors";

/// A refusal as a gRPC status with its details.
pub fn status(refusal: &Refusal) -> Status {
    let code = match refusal.reason().class() {
        Class::Invalid => Code::InvalidArgument,
        Class::TooLarge => Code::OutOfRange,
        Class::Unauthenticated => Code::Unauthenticated,
        Class::Denied => Code::PermissionDenied,
        Class::NotFound => Code::NotFound,
        Class::Conflict => Code::AlreadyExists,
        Class::Precondition => Code::FailedPrecondition,
        Class::Aborted => Code::Aborted,
        Class::Exhausted => Code::ResourceExhausted,
        Class::Unavailable => Code::Unavailable,
        Class::Internal => Code::Internal,
    };
    let reason = refusal.reason().as_str();
    let mut facts: std::collections::HashMap<String, String> =
        refusal.metadata().iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    if !refusal.hint_text().is_empty() {
        facts.insert("hint".to_owned(), refusal.hint_text().to_owned());
    }
    let mut details = ErrorDetails::new();
    details.set_error_info(reason, ERROR_DOMAIN, facts);
    if !refusal.field_path().is_empty() {
        details.add_bad_request_violation(refusal.field_path(), refusal.message());
    }
    if let Some(delay) = refusal.retry_delay() {
        details.set_retry_info(Some(delay));
    }
    details.add_help_link("What it means and what to do", format!("{ERROR_PAGES}/{reason}.md"));
    Status::with_error_details(code, refusal.message(), details)
}

/// A refusal where a status cannot stand.
pub fn refusal(refusal: &Refusal) -> v1::Refusal {
    let reason = format!("ERROR_REASON_{}", refusal.reason().as_str());
    v1::Refusal {
        reason: v1::ErrorReason::from_str_name(&reason).unwrap_or_default().into(),
        message: refusal.message().to_owned(),
        field: refusal.field_path().to_owned(),
        hint: refusal.hint_text().to_owned(),
        metadata: refusal.metadata().iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        retry_delay: refusal.retry_delay().and_then(|delay| delay.try_into().ok()),
    }
}

/// The reason of a refusal in the contract's form.
pub fn reason_of(refusal: &v1::Refusal) -> Option<Reason> {
    let name = refusal.reason().as_str_name().strip_prefix("ERROR_REASON_")?;
    Reason::ALL.iter().copied().find(|reason| reason.as_str() == name)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_reason_is_in_the_contract() {
        for reason in Reason::ALL {
            let sent = refusal(&Refusal::new(*reason, "m"));
            assert_eq!(reason_of(&sent), Some(*reason));
        }
    }

    #[test]
    fn a_status_carries_all_that_is_known() {
        let refusal = Refusal::new(Reason::UnknownRecipient, "no such organ")
            .field("submission.document.header.recipients[1]")
            .hint("ask")
            .fact("near_matches", "H49")
            .retry_after(Duration::from_secs(3));
        let status = status(&refusal);
        assert_eq!(status.code(), Code::NotFound);
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("UNKNOWN_RECIPIENT", "truc"));
        assert_eq!(info.metadata["near_matches"], "H49");
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_secs(3)));
        assert_eq!(
            details.bad_request().unwrap().field_violations[0].field,
            "submission.document.header.recipients[1]"
        );
    }
}
