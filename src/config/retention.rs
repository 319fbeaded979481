//! `[retention]`: how long what was exchanged is kept.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::{self, Flaw};
use super::duration;

/// What goes when.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// From the end of a message's last delivery to the removal of its payload; zero where none is removed.
    #[serde(with = "duration")]
    pub body_after: Duration,
}

impl Retention {
    pub(super) fn check(&self) -> Result<(), Flaw> {
        if self.body_after.is_zero() {
            return Ok(());
        }
        let day = Duration::from_secs(86_400);
        check::time("retention.body_after", self.body_after, Duration::from_secs(1)..=36_500 * day)
    }
}
