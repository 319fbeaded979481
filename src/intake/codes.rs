//! The map that translates statuses of dossiers from the codes of agencies' own systems.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::domain::dossier::{DossierStatus, OwnCode};
use crate::domain::organ_id::OrganId;

/// The map the program carries.
const EMBEDDED: &str = include_str!("../../config/dossier-codes.csv");

/// Codes of each organ's system, and those that hold for all.
#[derive(Clone, Debug, Default)]
pub struct CodeMap {
    of_organs: HashMap<OrganId, HashMap<OwnCode, DossierStatus>>,
    of_all: HashMap<OwnCode, DossierStatus>,
}

/// Why a map of codes cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the map of dossier codes {path}{}: {why}", .line.map_or(String::new(), |line| format!(", line {line}")))]
pub struct CodeMapError {
    /// The file.
    pub path: PathBuf,
    /// The line, where it is one.
    pub line: Option<u64>,
    /// What is wrong with it.
    pub why: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// Whose system; `*` for all.
    organ: String,
    code_set: String,
    code: String,
    /// 1 to 10.
    status: u32,
}

impl CodeMap {
    /// Reads a file; the map the program carries where the path is empty.
    pub fn read(path: &Path) -> Result<Self, CodeMapError> {
        if path.as_os_str().is_empty() {
            return Self::of_csv(Path::new("config/dossier-codes.csv"), EMBEDDED);
        }
        let text = std::fs::read_to_string(path).map_err(|error| CodeMapError {
            path: path.to_owned(),
            line: None,
            why: error.to_string(),
        })?;
        Self::of_csv(path, &text)
    }

    fn of_csv(path: &Path, text: &str) -> Result<Self, CodeMapError> {
        let mut map = Self::default();
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        for row in reader.deserialize::<Row>() {
            let fault = |line, why: String| CodeMapError { path: path.to_owned(), line, why };
            let row =
                row.map_err(|error| fault(error.position().map(csv::Position::line), error.to_string()))?;
            let wrong = |what: &str| fault(None, format!("{} {}: {what}", row.code_set, row.code));
            let status = DossierStatus::from_number(row.status)
                .ok_or_else(|| wrong("the status is not a number from 1 to 10"))?;
            let of = match row.organ.as_str() {
                "*" => &mut map.of_all,
                organ => {
                    let organ = OrganId::parse(organ).map_err(|error| wrong(&error.to_string()))?;
                    map.of_organs.entry(organ).or_default()
                }
            };
            let own = OwnCode { set: row.code_set.clone(), code: row.code.clone() };
            if of.insert(own, status).is_some_and(|before| before != status) {
                return Err(wrong("the code is there twice, with different statuses"));
            }
        }
        Ok(map)
    }

    /// What an organ's code stands for: by its own entries, those of the organs above it, and those for all.
    pub fn status(&self, organ: &OrganId, own: &OwnCode) -> Option<DossierStatus> {
        let of = |organ: &OrganId| self.of_organs.get(organ).and_then(|codes| codes.get(own)).copied();
        of(organ)
            .or_else(|| organ.above().find_map(|above| of(&above)))
            .or_else(|| self.of_all.get(own).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<CodeMap, CodeMapError> {
        CodeMap::of_csv(Path::new("codes.csv"), &format!("organ,code_set,code,status\n{text}"))
    }

    #[test]
    fn the_nearest_entry_holds() {
        let map = read("*,egov,05,4\nH49,egov,05,5\nH49.12,egov,05,6\n").unwrap();
        let own = |code: &str| OwnCode { set: "egov".to_owned(), code: code.to_owned() };
        let status = |organ: &str, code: &str| map.status(&OrganId::parse(organ).unwrap(), &own(code));
        assert_eq!(status("G09", "05"), Some(DossierStatus::InProcess));
        assert_eq!(status("H49", "05"), Some(DossierStatus::SupplementRequired));
        assert_eq!(status("H49.7", "05"), Some(DossierStatus::SupplementRequired));
        assert_eq!(status("H49.12", "05"), Some(DossierStatus::PaymentRequired));
        assert_eq!(status("H49.12", "06"), None);
    }

    #[test]
    fn a_map_that_says_nothing_clear_is_refused() {
        for (bad, why) in [
            ("*,egov,05,11\n", "1 to 10"),
            ("*,egov,05,x\n", "line 2"),
            ("x,egov,05,1\n", "organ id"),
            ("*,egov,05,1\n*,egov,05,2\n", "twice"),
        ] {
            let error = read(bad).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("codes.csv"), "{error}");
        }
        assert!(CodeMap::read(Path::new("no-such-file.csv")).is_err());
    }

    #[test]
    fn the_map_the_program_carries_knows_the_portals_texts() {
        let map = CodeMap::read(Path::new("")).unwrap();
        for status in DossierStatus::ALL {
            let own = OwnCode { set: "portal-text".to_owned(), code: status.vietnamese().to_owned() };
            assert_eq!(map.status(&OrganId::parse("H49").unwrap(), &own), Some(status));
        }
    }
}
