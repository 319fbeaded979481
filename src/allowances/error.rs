//! What can be wrong with a file of limits.

/// Why a file of limits could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {why}", if *.line > 0 { format!(", line {}", .line) } else { String::new() })]
pub struct Error {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1; 0 when the whole file is meant.
    pub line: u64,
    /// What is wrong.
    pub why: Why,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum Why {
    #[error("the file cannot be read: {0}; check the path, the permissions, and that it is UTF-8")]
    Unreadable(std::io::ErrorKind),
    #[error("not CSV: {0}; put a text that holds a comma in quotation marks")]
    NotCsv(String),
    #[error("the columns are {}", super::load::COLUMNS.join(","))]
    BadColumns,
    #[error("{0:?} is no organ; write H49, H49.* for those below it, or * for all")]
    BadOrgan(String),
    #[error("{0} has a row already; keep one")]
    Repeated(String),
    #[error("{0}: {1:?} is out of bounds, or no whole number")]
    BadNumber(String, String),
    #[error("give both rate_per_s and rate_burst, or neither")]
    HalfARate,
}
