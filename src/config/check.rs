//! Checks of values against their bounds and against each other.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use super::duration;
use super::error::{Error, Origin};
use super::layer::Override;

/// A value that breaks a rule, before it is known where it was written.
#[derive(Debug)]
pub(super) struct Flaw {
    key: &'static str,
    why: String,
    hint: String,
}

impl Flaw {
    /// A broken rule of a key, written `section.key`.
    pub(super) fn new(key: &'static str, why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { key, why: why.into(), hint: hint.into() }
    }

    /// The error, with the place where the key was last set.
    pub(super) fn found_in(self, overrides: &[Override]) -> Error {
        let origin = overrides.iter().rev().find(|o| o.key() == self.key).map(Override::origin);
        Error::Value {
            origin: origin.unwrap_or(Origin::Default),
            key: self.key.to_owned(),
            why: self.why,
            hint: Some(self.hint),
        }
    }
}

/// A number lies within its bounds.
pub(super) fn number<T: PartialOrd + Display>(
    key: &'static str,
    value: T,
    bounds: RangeInclusive<T>,
) -> Result<(), Flaw> {
    if bounds.contains(&value) {
        return Ok(());
    }
    Err(Flaw::new(
        key,
        format!("{value} is out of bounds"),
        format!("give a number from {} to {}", bounds.start(), bounds.end()),
    ))
}

/// A time lies within its bounds.
pub(super) fn time(key: &'static str, value: Duration, bounds: RangeInclusive<Duration>) -> Result<(), Flaw> {
    if bounds.contains(&value) {
        return Ok(());
    }
    Err(Flaw::new(
        key,
        format!("{} is out of bounds", duration::render(value)),
        format!(
            "give a time from {} to {}",
            duration::render(*bounds.start()),
            duration::render(*bounds.end())
        ),
    ))
}

/// A path is not empty.
pub(super) fn path(key: &'static str, value: &Path) -> Result<(), Flaw> {
    match value.as_os_str().is_empty() {
        true => Err(Flaw::new(key, "the path is empty", "name a file")),
        false => Ok(()),
    }
}
