//! What was not as it has to be.

use serde::{Deserialize, Serialize};

/// Faults told in words; more are only counted.
const TOLD_MAX: usize = 5;

/// Counted faults, the first ones in words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// How many.
    pub count: u64,
    /// The first ones.
    pub told: Vec<String>,
}

impl Faults {
    /// Adds one.
    pub fn add(&mut self, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(what());
        }
    }

    /// Adds those of another.
    pub fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.told.extend(other.told);
        self.told.truncate(TOLD_MAX);
    }
}
