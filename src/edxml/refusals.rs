//! How the reader words its refusals: reason, path of the field, what to do. No document content goes into them.

use crate::domain::refusal::{Reason, Refusal};

/// The file is not edXML that can be read safely.
pub(super) fn malformed(message: &str, hint: &str) -> Refusal {
    Refusal::new(Reason::MalformedEdxml, message).hint(hint)
}

/// A required field is absent, empty, or the text `null`.
pub(super) fn missing(path: &str) -> Refusal {
    Refusal::new(Reason::MissingField, format!("{} is missing or empty", last_of(path)))
        .field(path)
        .hint("QCVN 102:2016/BTTTT requires this field")
}

/// A field has more characters than the field's limit.
pub(super) fn too_long(path: &str, chars: usize, max: usize) -> Refusal {
    let name = last_of(path);
    Refusal::new(Reason::FieldTooLong, format!("{name} has {chars} characters; {max} are allowed"))
        .field(path)
        .hint(format!("shorten {name} to {max} characters"))
        .fact("limit", max)
        .fact("length", chars)
}

/// A field has a value it cannot have.
pub(super) fn invalid(path: &str, hint: &str) -> Refusal {
    Refusal::new(Reason::InvalidField, format!("{} has a value it cannot have", last_of(path)))
        .field(path)
        .hint(hint)
}

/// The document is marked as a state secret.
pub(super) fn state_secret(path: &str, marking: &str) -> Refusal {
    Refusal::new(Reason::StateSecret, "the document is marked as a state secret")
        .field(path)
        .hint("this network must not carry state secrets (QĐ 28/2018/QĐ-TTg, Art. 1(2)); use the isolated system")
        .fact("marking", marking)
}

/// An element that may be there once is there again.
pub(super) fn repeated(path: &str) -> Refusal {
    malformed(&format!("{} is there more than once", last_of(path)), "keep one of them").field(path)
}

fn last_of(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}
