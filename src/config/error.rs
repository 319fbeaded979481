//! What can be wrong with a configuration: where, which key, why, and what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A line, counted from 1, of a configuration file.
    File {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
    },
    /// An environment variable.
    Environment {
        /// The variable's name.
        variable: String,
    },
    /// `config/truc.default.toml`.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line } => write!(f, "{}:{line}", file.display()),
            Self::Environment { variable } => write!(f, "environment variable {variable}"),
            Self::Default => f.write_str("defaults"),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{}: cannot be read: {cause}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        #[source]
        cause: io::Error,
    },
    /// The file is not TOML.
    #[error("{}:{line}: not TOML: {why}", .file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What the parser stumbled over.
        why: String,
    },
    /// A key that does not exist.
    #[error("{origin}: there is no key `{key}`{}", hint_after(.nearest.as_deref().map(|k| format!("did you mean `{k}`?"))))]
    UnknownKey {
        /// Where it stands.
        origin: Origin,
        /// The key, as `section.key`.
        key: String,
        /// The key that was probably meant.
        nearest: Option<String>,
    },
    /// A value its key cannot have.
    #[error("{origin}: `{key}`: {why}{}", hint_after(.hint.clone()))]
    Value {
        /// Where it stands.
        origin: Origin,
        /// The key, as `section.key`.
        key: String,
        /// What is wrong with the value.
        why: String,
        /// What to do about it.
        hint: Option<String>,
    },
}

impl Error {
    /// The key at fault, as `section.key`, where one is.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Unreadable { .. } | Self::Syntax { .. } => None,
            Self::UnknownKey { key, .. } | Self::Value { key, .. } => Some(key),
        }
    }
}

fn hint_after(hint: Option<String>) -> String {
    hint.map(|hint| format!("; {hint}")).unwrap_or_default()
}
