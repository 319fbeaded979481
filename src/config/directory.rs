//! `[directory]`: where the organs are read from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::check::{self, Flaw};

/// What is done with a document to a closed organ from which several took over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ambiguous {
    /// It goes to the organ named as handler, if one is; else it is refused.
    Handler,
    /// It is refused.
    Refuse,
}

/// The directory's files.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// CSV files, in the order they are read. None means the embedded directory.
    pub files: Vec<PathBuf>,
    /// CSV file of what was changed since; `truc directory apply` writes it.
    pub changes: PathBuf,
    /// Append-only file that says who changed what when.
    pub audit: PathBuf,
    /// Where documents go that several organs could get.
    pub ambiguous: Ambiguous,
}

impl Directory {
    pub(super) fn check(&self) -> Result<(), Flaw> {
        self.files.iter().try_for_each(|file| check::path("directory.files", file))?;
        check::path("directory.changes", &self.changes)?;
        check::path("directory.audit", &self.audit)
    }
}
