//! Why the gateway says no: one closed list, and what each reason means to the one who is refused.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Whose turn it is to mend something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The caller, by changing the request.
    Caller,
    /// The recipient's side, by taking what waits for it.
    Recipient,
    /// The gateway's operators.
    Gateway,
}

/// What a refusal means for the call, in the words of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// INVALID_ARGUMENT
    Invalid,
    /// OUT_OF_RANGE
    TooLarge,
    /// UNAUTHENTICATED
    Unauthenticated,
    /// PERMISSION_DENIED
    Denied,
    /// NOT_FOUND
    NotFound,
    /// ALREADY_EXISTS
    Conflict,
    /// FAILED_PRECONDITION
    Precondition,
    /// ABORTED
    Aborted,
    /// RESOURCE_EXHAUSTED
    Exhausted,
    /// UNAVAILABLE
    Unavailable,
    /// INTERNAL
    Internal,
}

macro_rules! reasons {
    ($($name:ident = $text:literal, $class:ident, $blame:ident;)*) => {
        /// The closed list of reasons; the contract's `ErrorReason` without its prefix. Each has a page in `docs/errors/`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $(#[doc = $text] $name,)*
        }

        impl Reason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name in the contract: `UNKNOWN_RECIPIENT`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What kind of failure it is.
            pub fn class(self) -> Class {
                match self { $(Self::$name => Class::$class,)* }
            }

            /// Who can mend it.
            pub fn blame(self) -> Blame {
                match self { $(Self::$name => Blame::$blame,)* }
            }
        }
    };
}

reasons! {
    CertificateWithoutRole = "CERTIFICATE_WITHOUT_ROLE", Unauthenticated, Caller;
    CertificateOrganUnknown = "CERTIFICATE_ORGAN_UNKNOWN", Denied, Caller;
    NotActingForOrgan = "NOT_ACTING_FOR_ORGAN", Denied, Caller;
    OperatorNotAllowed = "OPERATOR_NOT_ALLOWED", Denied, Caller;
    SenderMismatch = "SENDER_MISMATCH", Denied, Caller;
    SenderClosed = "SENDER_CLOSED", Precondition, Caller;
    MalformedRequest = "MALFORMED_REQUEST", Invalid, Caller;
    MissingField = "MISSING_FIELD", Invalid, Caller;
    InvalidField = "INVALID_FIELD", Invalid, Caller;
    FieldTooLong = "FIELD_TOO_LONG", Invalid, Caller;
    InvalidOrganId = "INVALID_ORGAN_ID", Invalid, Caller;
    MalformedEdxml = "MALFORMED_EDXML", Invalid, Caller;
    StateSecret = "STATE_SECRET", Precondition, Caller;
    UnknownRecipient = "UNKNOWN_RECIPIENT", NotFound, Caller;
    DuplicateRecipient = "DUPLICATE_RECIPIENT", Invalid, Caller;
    TooManyRecipients = "TOO_MANY_RECIPIENTS", Invalid, Caller;
    RecipientClosed = "RECIPIENT_CLOSED", Precondition, Caller;
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", TooLarge, Caller;
    PayloadHashMismatch = "PAYLOAD_HASH_MISMATCH", Invalid, Caller;
    DeadlineExpired = "DEADLINE_EXPIRED", Precondition, Caller;
    ContentConflict = "CONTENT_CONFLICT", Conflict, Caller;
    MailboxFull = "MAILBOX_FULL", Exhausted, Recipient;
    RateLimited = "RATE_LIMITED", Exhausted, Caller;
    DeliveryNotFound = "DELIVERY_NOT_FOUND", NotFound, Caller;
    LeaseLost = "LEASE_LOST", Aborted, Caller;
    AlreadySettled = "ALREADY_SETTLED", Precondition, Caller;
    ProtocolViolation = "PROTOCOL_VIOLATION", Invalid, Caller;
    TooManyStreams = "TOO_MANY_STREAMS", Exhausted, Caller;
    StatusNotPossible = "STATUS_NOT_POSSIBLE", Precondition, Caller;
    StatusOfOtherParty = "STATUS_OF_OTHER_PARTY", Denied, Caller;
    DeliveryNotHandedOver = "DELIVERY_NOT_HANDED_OVER", Precondition, Caller;
    NoOpenRequest = "NO_OPEN_REQUEST", Precondition, Caller;
    RequestOpen = "REQUEST_OPEN", Precondition, Caller;
    AlreadyChanged = "ALREADY_CHANGED", Precondition, Caller;
    NothingToRecall = "NOTHING_TO_RECALL", Precondition, Caller;
    OperatorsOnly = "OPERATORS_ONLY", Denied, Caller;
    PayloadPurged = "PAYLOAD_PURGED", Precondition, Caller;
    NotDeadLetter = "NOT_DEAD_LETTER", Precondition, Caller;
    HoldNotFound = "HOLD_NOT_FOUND", NotFound, Caller;
    RecipientPayloadLimit = "RECIPIENT_PAYLOAD_LIMIT", TooLarge, Caller;
    DocumentTypeNotTaken = "DOCUMENT_TYPE_NOT_TAKEN", Precondition, Caller;
    SenderNotTaken = "SENDER_NOT_TAKEN", Denied, Caller;
    MessageNotFound = "MESSAGE_NOT_FOUND", NotFound, Caller;
    OrganNotFound = "ORGAN_NOT_FOUND", NotFound, Caller;
    InvalidCursor = "INVALID_CURSOR", Invalid, Caller;
    PushLinkNotFound = "PUSH_LINK_NOT_FOUND", NotFound, Caller;
    EndpointNotAllowed = "ENDPOINT_NOT_ALLOWED", Precondition, Caller;
    AttachedByAmqp = "ATTACHED_BY_AMQP", Precondition, Caller;
    LedgerUnavailable = "LEDGER_UNAVAILABLE", Unavailable, Gateway;
    ShuttingDown = "SHUTTING_DOWN", Unavailable, Gateway;
    Overloaded = "OVERLOADED", Exhausted, Gateway;
    Internal = "INTERNAL", Internal, Gateway;
    InvalidDossierCode = "INVALID_DOSSIER_CODE", Invalid, Caller;
    NotDossierOwner = "NOT_DOSSIER_OWNER", Denied, Caller;
    UnknownDossierStatus = "UNKNOWN_DOSSIER_STATUS", Invalid, Caller;
    StepConflict = "STEP_CONFLICT", Conflict, Caller;
    DossierEnded = "DOSSIER_ENDED", Precondition, Caller;
    StepBackwards = "STEP_BACKWARDS", Precondition, Caller;
    StepTooFar = "STEP_TOO_FAR", Precondition, Caller;
    DossierNotFound = "DOSSIER_NOT_FOUND", NotFound, Caller;
    DossierNotReadable = "DOSSIER_NOT_READABLE", Denied, Caller;
    ShareTakenOver = "SHARE_TAKEN_OVER", Aborted, Caller;
    TooManyConsumers = "TOO_MANY_CONSUMERS", Exhausted, Caller;
    ConsumerNotFound = "CONSUMER_NOT_FOUND", NotFound, Caller;
}

/// A typed no: the reason, the field at fault, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(Box<Parts>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    reason: Reason,
    message: String,
    field: String,
    hint: String,
    metadata: BTreeMap<String, String>,
    retry_delay: Option<Duration>,
}

impl Refusal {
    /// A refusal with a message for people, in English.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            reason,
            message: message.into(),
            field: String::new(),
            hint: String::new(),
            metadata: BTreeMap::new(),
            retry_delay: None,
        }))
    }

    /// Names the field at fault, as a path.
    pub fn field(mut self, path: impl Into<String>) -> Self {
        self.0.field = path.into();
        self
    }

    /// Puts a path before the field's own: `submission.edxml` before `From.OrganId`.
    pub fn under(mut self, path: &str) -> Self {
        self.0.field = match self.0.field.is_empty() {
            true => path.to_owned(),
            false => format!("{path}.{}", self.0.field),
        };
        self
    }

    /// Says what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = hint.into();
        self
    }

    /// Adds a fact for programs.
    pub fn fact(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.0.metadata.insert(key.to_owned(), value.to_string());
        self
    }

    /// Says when to try again.
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_delay = Some(delay);
        self
    }

    /// The reason.
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// The message for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The field at fault, or nothing.
    pub fn field_path(&self) -> &str {
        &self.0.field
    }

    /// What to do about it, or nothing.
    pub fn hint_text(&self) -> &str {
        &self.0.hint
    }

    /// Facts for programs.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.0.metadata
    }

    /// When to try again, where that helps.
    pub fn retry_delay(&self) -> Option<Duration> {
        self.0.retry_delay
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.reason.as_str(), self.0.message)?;
        if !self.0.field.is_empty() {
            write!(f, " (field {})", self.0.field)?;
        }
        if !self.0.hint.is_empty() {
            write!(f, " - {}", self.0.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    const PROTO: &str = include_str!("../../proto/truc/v1/errors.proto");

    fn grpc_code(class: Class) -> &'static str {
        match class {
            Class::Invalid => "INVALID_ARGUMENT",
            Class::TooLarge => "OUT_OF_RANGE",
            Class::Unauthenticated => "UNAUTHENTICATED",
            Class::Denied => "PERMISSION_DENIED",
            Class::NotFound => "NOT_FOUND",
            Class::Conflict => "ALREADY_EXISTS",
            Class::Precondition => "FAILED_PRECONDITION",
            Class::Aborted => "ABORTED",
            Class::Exhausted => "RESOURCE_EXHAUSTED",
            Class::Unavailable => "UNAVAILABLE",
            Class::Internal => "INTERNAL",
        }
    }

    fn pages() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors")
    }

    #[test]
    fn the_contract_lists_exactly_these_reasons_and_their_codes() {
        let mut comment = "";
        let mut listed = Vec::new();
        for line in PROTO.lines().map(str::trim) {
            if let Some(text) = line.strip_prefix("// ") {
                comment = text;
            } else if let Some(value) = line.strip_prefix("ERROR_REASON_") {
                let name = value.split(' ').next().unwrap();
                listed.push((name, comment.split('.').next().unwrap()));
            }
        }
        assert_eq!(listed.remove(0).0, "UNSPECIFIED");
        let ours: Vec<_> = Reason::ALL.iter().map(|r| (r.as_str(), grpc_code(r.class()))).collect();
        assert_eq!(listed, ours);
    }

    #[test]
    fn every_reason_has_a_page_in_both_languages() {
        let index = std::fs::read_to_string(pages().join("README.md")).unwrap();
        for reason in Reason::ALL {
            let (name, code) = (reason.as_str(), grpc_code(reason.class()));
            let page = std::fs::read_to_string(pages().join(format!("{name}.md"))).expect(name);
            assert!(page.starts_with(&format!("# {name}\n")), "{name}");
            let vietnamese = page.find("\n## Tiếng Việt\n").expect(name);
            let english = page.find("\n## English\n").expect(name);
            assert!(vietnamese < english, "{name}");
            assert!(page.contains(&format!("gRPC: `{code}`")), "{name} comes with {code}");
            let json = page.split("```json").nth(1).and_then(|rest| rest.split("```").next()).expect(name);
            let example: serde_json::Value = serde_json::from_str(json).expect(name);
            assert_eq!(example[0]["reason"], name);
            assert_eq!(example[0]["domain"], "truc");
            assert!(index.contains(&format!("| [{name}]({name}.md) | `{code}` |")), "{name} in the index");
        }
    }

    #[test]
    fn no_page_is_left_of_a_reason_that_is_gone() {
        let files = std::fs::read_dir(pages()).unwrap();
        let found: BTreeSet<_> = files.map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
        let pages = Reason::ALL.iter().map(|reason| format!("{}.md", reason.as_str()));
        assert_eq!(found, pages.chain(["README.md".to_owned()]).collect());
    }
}
