//! What can be wrong with a directory file, and what to do about it.

use std::fmt;

use crate::domain::limits::{CERTIFICATE_BINDINGS_MAX, ORGAN_NAME_CHARS_MAX, SUCCESSORS_MAX};
use crate::domain::organ_id::{OrganId, ParseOrganIdError};

/// Why a directory could not be loaded: the place, the fault and the way to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why} - {}", self.place(), self.hint())]
pub struct Error {
    /// The file, as it was named to the loader.
    pub file: String,
    /// The line, from 1; 0 when the whole file is meant.
    pub line: u64,
    /// The column at fault, or empty.
    pub field: String,
    /// The fault.
    pub why: Why,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum Why {
    #[error("the file cannot be read: {0}")]
    Unreadable(std::io::ErrorKind),
    #[error("not UTF-8")]
    NotUtf8,
    #[error("not CSV: {0}")]
    NotCsv(String),
    #[error("the row has {found} fields, the header {expected}")]
    FieldCount { expected: u64, found: u64 },
    #[error("the column is not known")]
    UnknownColumn,
    #[error("the column is missing")]
    MissingColumn,
    #[error("the column stands twice in the header")]
    RepeatedColumn,
    #[error("{0}")]
    BadOrganId(ParseOrganIdError),
    #[error("{id} is in the directory already: {file}, line {line}")]
    DuplicateOrgan { id: OrganId, file: String, line: u64 },
    #[error("the name is empty")]
    EmptyName,
    #[error("the name has {0} characters")]
    NameTooLong(usize),
    #[error("`{0}` is not a day")]
    BadDate(String),
    #[error("the organ closes before it has been open for a day")]
    CloseNotAfterOpen,
    #[error("successors, but no close_date")]
    SuccessorsWithoutClose,
    #[error("{0} successors")]
    TooManySuccessors(usize),
    #[error("{0} is named twice")]
    RepeatedSuccessor(OrganId),
    #[error("the successor {0} is not in the directory")]
    UnknownSuccessor(OrganId),
    #[error("{0} is none of the successors")]
    NoSuccessor(OrganId),
    #[error("a new name, but no rename_date")]
    NewNameWithoutDay,
    #[error("`{0}` is no time of an organ's certificates")]
    BadBinding(String),
    #[error("{0} organs' certificates")]
    TooManyBindings(usize),
    #[error("{0} is not in the directory")]
    UnknownOrgan(OrganId),
    #[error("the successors lead back to where they started: {}", Chain(.0))]
    SuccessorCycle(Vec<OrganId>),
    #[error("`{0}` is neither true nor false")]
    BadFlag(String),
    #[error("`{0}` is no kind of link")]
    BadLink(String),
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match &self.why {
            Why::Unreadable(_) => "check the path and the permissions".into(),
            Why::NotUtf8 => "save the file as UTF-8; spreadsheets call it \"CSV UTF-8\"".into(),
            Why::NotCsv(_) | Why::FieldCount { .. } => {
                "put a text that holds a comma or a quotation mark in quotation marks".into()
            }
            Why::UnknownColumn | Why::MissingColumn | Why::RepeatedColumn => {
                format!("the columns are {}", super::load::COLUMNS.join(","))
            }
            Why::BadOrganId(_) => "write H57.12 or 000.00.12.H57".into(),
            Why::DuplicateOrgan { .. } => "keep one of the two rows".into(),
            Why::EmptyName => "write the official name".into(),
            Why::NameTooLong(_) => format!("shorten it to {ORGAN_NAME_CHARS_MAX} characters"),
            Why::BadDate(_) => "write YYYY-MM-DD, or leave it empty".into(),
            Why::CloseNotAfterOpen => "close_date must be later than open_date".into(),
            Why::SuccessorsWithoutClose => "add the day the organ closes, or remove the successors".into(),
            Why::TooManySuccessors(_) => format!("name at most {SUCCESSORS_MAX}"),
            Why::RepeatedSuccessor(_) => "name it once".into(),
            Why::UnknownSuccessor(id) => format!("add a row for {id}, or correct the id"),
            Why::NoSuccessor(_) => "name one of the successors, or nobody".into(),
            Why::NewNameWithoutDay => "add the first day of the new name".into(),
            Why::BadBinding(_) => {
                "write H02:2025-07-01:2026-01-01, the second day later than the first".into()
            }
            Why::TooManyBindings(_) => format!("name at most {CERTIFICATE_BINDINGS_MAX}"),
            Why::UnknownOrgan(id) => format!("add a row for {id}, or correct the id"),
            Why::SuccessorCycle(_) => "remove one of these successors".into(),
            Why::BadFlag(_) => "write true or false, or leave it empty".into(),
            Why::BadLink(_) => "write grpc, amqp or amqp-json, or leave it empty".into(),
        }
    }

    fn place(&self) -> String {
        let mut place = self.file.clone();
        if self.line > 0 {
            place.push_str(&format!(", line {}", self.line));
        }
        if !self.field.is_empty() {
            place.push_str(&format!(", {}", self.field));
        }
        place
    }
}

struct Chain<'a>(&'a [OrganId]);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, id) in self.0.iter().enumerate() {
            write!(f, "{}{id}", if at == 0 { "" } else { " -> " })?;
        }
        Ok(())
    }
}
