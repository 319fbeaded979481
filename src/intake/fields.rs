//! Checks of single fields, the same for every message of the contract.

use time::Date;
use time::macros::format_description;

use crate::domain::organ_id::{OrganId, ParseOrganIdError};
use crate::domain::refusal::{Reason, Refusal};

/// A required text of bounded length.
pub fn required(text: &str, chars_max: usize, path: &str) -> Result<(), Refusal> {
    if text.trim().is_empty() {
        return Err(missing(path));
    }
    bounded(text, chars_max, path)
}

/// A text of bounded length.
pub fn bounded(text: &str, chars_max: usize, path: &str) -> Result<(), Refusal> {
    // Cheap first: no text has more characters than bytes.
    if text.len() > chars_max && text.chars().count() > chars_max {
        return Err(Refusal::new(Reason::FieldTooLong, format!("longer than {chars_max} characters"))
            .field(path)
            .fact("limit", chars_max)
            .fact("length", text.chars().count())
            .hint("shorten it"));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Refusal::new(Reason::InvalidField, "a control character in a text")
            .field(path)
            .hint("remove it"));
    }
    Ok(())
}

/// A refusal for a field that is not there.
pub fn missing(path: &str) -> Refusal {
    Refusal::new(Reason::MissingField, "a required field is missing or empty").field(path).hint("give it")
}

/// A date of the form `YYYY-MM-DD`.
pub fn date(text: &str, path: &str) -> Result<Date, Refusal> {
    Date::parse(text, format_description!("[year]-[month]-[day]")).map_err(|_| {
        Refusal::new(Reason::InvalidField, "not a date").field(path).hint("YYYY-MM-DD, a day that exists")
    })
}

/// A date of the same form, or nothing.
pub fn optional_date(text: &str, path: &str) -> Result<(), Refusal> {
    if text.is_empty() { Ok(()) } else { date(text, path).map(drop) }
}

/// An organ id.
pub fn organ(text: &str, path: &str) -> Result<OrganId, Refusal> {
    OrganId::parse(text).map_err(|why| {
        let reason = match why {
            ParseOrganIdError::Missing => Reason::MissingField,
            _ => Reason::InvalidOrganId,
        };
        Refusal::new(reason, why.to_string())
            .field(path)
            .hint("an organ id such as H57.12 or 000.00.12.H57; ListOrgans gives those there are")
    })
}
