//! `[directory]`: where the organs are read from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::check::{self, Flaw};

/// The directory's files.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// CSV files, in the order they are read. None means the embedded directory.
    pub files: Vec<PathBuf>,
}

impl Directory {
    pub(super) fn check(&self) -> Result<(), Flaw> {
        self.files.iter().try_for_each(|file| check::path("directory.files", file))
    }
}
