//! What an endpoint's answer, or the lack of one, means.

use std::error::Error;
use std::iter::successors;
use std::sync::Arc;

use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::domain::delivery::Outcome;
use crate::domain::push::{Said, Trouble};
use crate::domain::receipt::Cause;
use crate::domain::refusal::{Reason, Refusal};
use crate::identity::endpoint::Error as TlsError;
use crate::proto::convert;
use crate::proto::v1::{self, deliver_response};

/// Longest text of an endpoint's that goes into a receipt, characters.
const SAID_CHARS_MAX: usize = 300;

/// Why no connection was made for a call, of which therefore nothing was sent.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// None of its addresses may be called.
    #[error("the gateway may not call the endpoint's address")]
    NotAllowed,
    /// Nobody answers.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// Somebody else answers, or somebody who does not want this gateway.
    #[error(transparent)]
    Tls(Arc<TlsError>),
}

impl From<TlsError> for Fault {
    fn from(error: TlsError) -> Self {
        Self::Tls(Arc::new(error))
    }
}

/// Something that went wrong, without a wish.
pub fn trouble(cause: Cause, reason: impl Into<String>) -> Trouble {
    Trouble { cause, reason: reason.into(), retry_in: None, unsent: false }
}

/// An outcome as an endpoint writes it.
pub fn outcome(outcome: deliver_response::Outcome) -> Result<Outcome, Refusal> {
    crate::intake::settlements::outcome(match outcome {
        deliver_response::Outcome::Delivered(delivered) => v1::settlement::Outcome::Delivered(delivered),
        deliver_response::Outcome::Rejected(rejected) => v1::settlement::Outcome::Rejected(rejected),
        deliver_response::Outcome::Deferred(deferred) => v1::settlement::Outcome::Deferred(deferred),
    })
}

/// A call that failed; `unwelcome` is what the endpoint said of the gateway's certificate when the last connection was in use already.
pub fn of(status: &Status, unwelcome: Option<&TlsError>) -> Said {
    let Some(source) = status.source() else { return answered(status) };
    match (fault(source), unwelcome) {
        (Some(fault), _) => unconnected(fault),
        // It may have seen the call all the same.
        (None, Some(error)) => Said::Shut(trouble(Cause::PushLinkRefused, error.to_string())),
        (None, None) => Said::Failed(trouble(Cause::PushFailed, "the connection broke before the answer")),
    }
}

/// Why the connection for this very call could not be made. Other calls at the same time may have had one.
fn fault<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Fault> {
    successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}

fn unconnected(fault: &Fault) -> Said {
    let unsent = |cause| Trouble { unsent: true, ..trouble(cause, fault.to_string()) };
    let is_lasting = match fault {
        Fault::NotAllowed => true,
        Fault::Tls(error) => matches!(**error, TlsError::WrongServer(_) | TlsError::NotWelcome(_)),
        Fault::Unreachable(_) => false,
    };
    match is_lasting {
        true => Said::Shut(unsent(Cause::PushLinkRefused)),
        false => Said::Away(unsent(Cause::PushUnreachable)),
    }
}

fn answered(status: &Status) -> Said {
    let code = status.code();
    if is_unreadable(status) {
        return Said::Failed(trouble(Cause::PushFailed, "the endpoint's answer cannot be read"));
    }
    let said = |cause| {
        let words: String =
            status.message().chars().filter(|c| !c.is_control()).take(SAID_CHARS_MAX).collect();
        let reason = if words.is_empty() { format!("{code:?}") } else { format!("{code:?}: {words}") };
        let retry_in = status.get_details_retry_info().and_then(|info| info.retry_delay);
        Trouble { cause, reason, retry_in, unsent: false }
    };
    match code {
        Code::AlreadyExists => Said::Settled(Outcome::Delivered),
        Code::InvalidArgument | Code::OutOfRange => Said::Refused(said(Cause::PushRefused)),
        Code::DeadlineExceeded => Said::Failed(said(Cause::PushTimedOut)),
        Code::Aborted | Code::Internal | Code::Unknown | Code::DataLoss | Code::Ok => {
            Said::Failed(said(Cause::PushFailed))
        }
        Code::Unavailable | Code::Cancelled => Said::Away(said(Cause::PushUnreachable)),
        Code::ResourceExhausted => Said::Full(said(Cause::PushUnreachable)),
        Code::Unimplemented
        | Code::Unauthenticated
        | Code::PermissionDenied
        | Code::NotFound
        | Code::FailedPrecondition => Said::Shut(said(Cause::PushLinkRefused)),
    }
}

/// What the gateway's own codec says of an answer it cannot decode.
fn is_unreadable(status: &Status) -> bool {
    status.get_details_error_info().is_some_and(|info| {
        info.domain == convert::ERROR_DOMAIN && info.reason == Reason::MalformedRequest.as_str()
    })
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use tonic::ConnectError;
    use tonic_types::ErrorDetails;

    use super::*;

    fn cause(said: &Said) -> (&'static str, Option<Cause>) {
        match said {
            Said::Settled(_) => ("settled", None),
            Said::Refused(t) => ("refused", Some(t.cause)),
            Said::Failed(t) => ("failed", Some(t.cause)),
            Said::Away(t) => ("away", Some(t.cause)),
            Said::Full(t) => ("full", Some(t.cause)),
            Said::Shut(t) => ("shut", Some(t.cause)),
        }
    }

    #[test]
    fn every_code_means_what_the_contract_says() {
        for (code, means) in [
            (Code::AlreadyExists, ("settled", None)),
            (Code::InvalidArgument, ("refused", Some(Cause::PushRefused))),
            (Code::OutOfRange, ("refused", Some(Cause::PushRefused))),
            (Code::Internal, ("failed", Some(Cause::PushFailed))),
            (Code::Unknown, ("failed", Some(Cause::PushFailed))),
            (Code::Aborted, ("failed", Some(Cause::PushFailed))),
            (Code::DataLoss, ("failed", Some(Cause::PushFailed))),
            (Code::DeadlineExceeded, ("failed", Some(Cause::PushTimedOut))),
            (Code::Unavailable, ("away", Some(Cause::PushUnreachable))),
            (Code::Cancelled, ("away", Some(Cause::PushUnreachable))),
            (Code::ResourceExhausted, ("full", Some(Cause::PushUnreachable))),
            (Code::Unimplemented, ("shut", Some(Cause::PushLinkRefused))),
            (Code::Unauthenticated, ("shut", Some(Cause::PushLinkRefused))),
            (Code::PermissionDenied, ("shut", Some(Cause::PushLinkRefused))),
            (Code::NotFound, ("shut", Some(Cause::PushLinkRefused))),
            (Code::FailedPrecondition, ("shut", Some(Cause::PushLinkRefused))),
        ] {
            let unwelcome = TlsError::NotWelcome("earlier".into());
            assert_eq!(cause(&of(&Status::new(code, "m"), Some(&unwelcome))), means, "{code:?}");
        }
    }

    #[test]
    fn what_it_says_is_told_briefly_and_its_wish_is_heard() {
        let mut details = ErrorDetails::new();
        details.set_retry_info(Some(Duration::from_secs(7)));
        let words = format!("bận\n{}", "x".repeat(1_000));
        let status = Status::with_error_details(Code::Unavailable, words, details);
        let Said::Away(trouble) = of(&status, None) else { panic!("{status:?}") };
        assert_eq!(trouble.retry_in, Some(Duration::from_secs(7)));
        assert!(trouble.reason.starts_with("Unavailable: bậnxxx") && trouble.reason.chars().count() < 330);
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_no_word_about_the_delivery() {
        let status =
            convert::status(&Refusal::new(Reason::MalformedRequest, "the message cannot be decoded"));
        assert_eq!((status.code(), cause(&of(&status, None)).0), (Code::InvalidArgument, "failed"));
    }

    #[test]
    fn without_a_connection_it_matters_why_and_nothing_was_sent() {
        let said = |fault: Fault| {
            // As the channel hands it on, whatever else went wrong on other connections.
            let status = Status::from_error(Box::new(ConnectError(Box::new(fault))));
            of(&status, Some(&TlsError::NotWelcome("another".into())))
        };
        for (fault, means) in [
            (Fault::NotAllowed, ("shut", Some(Cause::PushLinkRefused))),
            (Fault::Unreachable("refused".into()), ("away", Some(Cause::PushUnreachable))),
            (TlsError::WrongServer("w".into()).into(), ("shut", Some(Cause::PushLinkRefused))),
            (TlsError::NotWelcome("n".into()).into(), ("shut", Some(Cause::PushLinkRefused))),
            (TlsError::Handshake("h".into()).into(), ("away", Some(Cause::PushUnreachable))),
        ] {
            let said = said(fault);
            assert_eq!(cause(&said), means);
            let (Said::Away(trouble) | Said::Shut(trouble)) = said else { panic!("{said:?}") };
            assert!(trouble.unsent);
        }
    }

    #[test]
    fn of_a_connection_that_broke_nobody_knows_what_was_sent() {
        let broken = || Status::from_error(Box::new(io::Error::other("tcp")));
        let said = of(&broken(), None);
        assert_eq!(cause(&said), ("failed", Some(Cause::PushFailed)));
        let unwelcome = TlsError::NotWelcome("n".into());
        let Said::Shut(trouble) = of(&broken(), Some(&unwelcome)) else { panic!("{said:?}") };
        assert!(!trouble.unsent);
    }
}
