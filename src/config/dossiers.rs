//! `[dossiers]`: the log of dossiers, and who may follow it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::check::{self, Flaw};
use super::duration;
use crate::domain::dossier::ProcedureCode;
use crate::domain::limits::DOSSIER_STEPS_BATCH_MAX;
use crate::domain::organ_id::OrganId;

/// The log of dossiers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Dossiers {
    /// The database file, for SQLite; empty for the one beside the ledger.
    pub path: PathBuf,
    /// How long a step waits for its predecessors.
    #[serde(with = "duration")]
    pub gap_hold: Duration,
    /// Events kept in memory.
    pub tail_events: usize,
    /// The map of codes; empty for the built-in one.
    pub codes: PathBuf,
    /// Steps an organ may publish per second.
    pub steps_per_s: u32,
    /// Steps at once after a pause.
    pub steps_burst: u32,
    /// Who may follow what.
    pub readers: Vec<Grant>,
}

impl Dossiers {
    /// The database file, where the ledger is in this one.
    pub fn path_beside(&self, ledger: &Path) -> PathBuf {
        match self.path.as_os_str().is_empty() {
            true => ledger.with_extension("dossiers.db"),
            false => self.path.clone(),
        }
    }

    pub(super) fn check(&self) -> Result<(), Flaw> {
        let day = Duration::from_secs(86_400);
        check::time("dossiers.gap_hold", self.gap_hold, Duration::from_secs(1)..=30 * day)?;
        check::number("dossiers.tail_events", self.tail_events, 1_000..=1_000_000)?;
        check::number("dossiers.steps_per_s", self.steps_per_s, 1..=1_000_000)?;
        check::number("dossiers.steps_burst", self.steps_burst, DOSSIER_STEPS_BATCH_MAX as u32..=10_000_000)
    }
}

/// An organ that may follow dossiers of others: `READER SUBTREE PROCEDURE`, with `*` for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who may follow.
    pub reader: OrganId,
    /// The dossiers of this organ and those below it; all without one.
    pub at_or_below: Option<OrganId>,
    /// Of this procedure; all without one.
    pub procedure: Option<ProcedureCode>,
}

impl Grant {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (reader, subtree) = (OrganId::parse(words.next()?).ok()?, words.next()?);
        let procedure = words.next()?;
        let at_or_below = match subtree {
            "*" => None,
            organ => Some(OrganId::parse(organ).ok()?),
        };
        let procedure = match procedure {
            "*" => None,
            code => Some(ProcedureCode::parse(code).ok()?),
        };
        words.next().is_none().then_some(Self { reader, at_or_below, procedure })
    }
}

impl Serialize for Grant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let subtree = self.at_or_below.as_ref().map_or("*", OrganId::as_str);
        let procedure = self.procedure.as_ref().map_or("*", ProcedureCode::as_str);
        serializer.collect_str(&format_args!("{} {subtree} {procedure}", self.reader))
    }
}

impl<'de> Deserialize<'de> for Grant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::custom(format!(
                "\"{text}\" is not a grant; write READER SUBTREE PROCEDURE, as in \"G09 * *\" or \"G22 H49 1.004194\""
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_read_and_written() {
        for text in ["G09 * *", "G22 H49 1.004194", "G22 H49.12 *"] {
            let grant = Grant::parse(text).unwrap();
            assert_eq!(serde_json::to_value(&grant).unwrap(), text);
        }
        for bad in ["", "G09", "G09 *", "G09 * * *", "x * *", "G09 x *", "G09 * ä"] {
            assert_eq!(Grant::parse(bad), None, "{bad}");
        }
    }
}
