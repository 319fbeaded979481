//! `[log]`: the form and the volume of the log.

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use super::check::Flaw;

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For eyes.
    Text,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The form.
    pub format: Format,
    /// Levels, by module: the directives of [`EnvFilter`].
    pub filter: String,
}

impl Log {
    pub(super) fn check(&self) -> Result<(), Flaw> {
        match EnvFilter::try_new(&self.filter) {
            Ok(_) => Ok(()),
            Err(error) => {
                let hint = "write a level and exceptions by module, as in \"info,lapin=error\"";
                Err(Flaw::new("log.filter", error.to_string(), hint))
            }
        }
    }
}
