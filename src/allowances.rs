//! What single organs may do and may be sent, where it differs from what holds for all: an operator's CSV files (`limits.organs`).
//!
//! An immutable snapshot, replaced as a whole when it is read again. Of the rows that fit an organ the nearest one holds, alone: its own, else that of the nearest
//! organ above it with `.*`, else `*`.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::Path;

use crate::domain::organ_id::OrganId;

mod error;
mod load;

pub use error::{Error, Why};

/// How fast an organ may submit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Submissions per second in the long run.
    pub per_s: NonZeroU32,
    /// Submissions at once after a pause.
    pub burst: NonZeroU32,
}

/// What one organ may do and may be sent. What is not given is as for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// How fast it may submit.
    pub rate: Option<Rate>,
    /// The largest payload it takes, bytes.
    pub payload_bytes_max: Option<u64>,
    /// Open deliveries its mailbox may hold.
    pub mailbox_deliveries_max: Option<u64>,
    /// Deliveries its collectors and fetches may hold unsettled on a node, together.
    pub window_max: Option<u32>,
    /// The document types it takes, in lower case; empty for all.
    pub document_types: Box<[Box<str>]>,
    /// Whose documents it takes; empty for everybody's.
    pub senders: Box<[Pattern]>,
}

impl Allowance {
    /// Whether it takes documents of this type, as their header names it.
    pub fn takes_type(&self, document_type: &str) -> bool {
        self.document_types.is_empty()
            || self.document_types.iter().any(|taken| **taken == *document_type.trim().to_lowercase())
    }

    /// Whether it takes documents of this sender.
    pub fn takes_from(&self, sender: &OrganId) -> bool {
        self.senders.is_empty() || self.senders.iter().any(|pattern| pattern.fits(sender))
    }
}

/// One organ, or many.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// `*`: all.
    All,
    /// `H49`: this one.
    Organ(OrganId),
    /// `H49.*`: those below it.
    Below(OrganId),
}

impl Pattern {
    /// Reads one; nothing when the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix(".*") {
            _ if text == "*" => Some(Self::All),
            Some(above) => OrganId::parse(above).ok().map(Self::Below),
            None => OrganId::parse(text).ok().map(Self::Organ),
        }
    }

    /// Whether an organ is meant.
    pub fn fits(&self, organ: &OrganId) -> bool {
        match self {
            Self::All => true,
            Self::Organ(one) => one == organ,
            Self::Below(above) => organ.is_below(above),
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Organ(organ) => f.write_str(organ.as_str()),
            Self::Below(above) => write!(f, "{above}.*"),
        }
    }
}

/// All that differs.
#[derive(Debug, Default)]
pub struct Allowances {
    rows: HashMap<Pattern, Allowance>,
    none: Allowance,
}

impl Allowances {
    /// Reads files; without any, what holds for all holds for each.
    pub fn read(paths: &[impl AsRef<Path>]) -> Result<Self, Error> {
        let mut rows = HashMap::new();
        for path in paths {
            let path = path.as_ref();
            let file = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|error| Error {
                file: file.clone(),
                line: 0,
                why: Why::Unreadable(error.kind()),
            })?;
            load::read(&file, &text, &mut rows)?;
        }
        Ok(Self { rows, none: Allowance::default() })
    }

    /// What an organ may do and may be sent.
    pub fn of(&self, organ: &OrganId) -> &Allowance {
        if self.rows.is_empty() {
            return &self.none;
        }
        let own = self.rows.get(&Pattern::Organ(organ.clone()));
        let above = || organ.above().find_map(|above| self.rows.get(&Pattern::Below(above)));
        own.or_else(above).or_else(|| self.rows.get(&Pattern::All)).unwrap_or(&self.none)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organ(id: &str) -> OrganId {
        OrganId::parse(id).unwrap()
    }

    fn read(rows: &str) -> Result<Allowances, Error> {
        let mut found = HashMap::new();
        load::read("limits.csv", rows, &mut found)?;
        Ok(Allowances { rows: found, none: Allowance::default() })
    }

    #[test]
    fn the_nearest_row_holds_alone() {
        let all = read(
            "organ_id,rate_per_s,rate_burst,payload_bytes_max,mailbox_deliveries_max,window_max,document_types,senders\n\
             *,100,200,,,,,\n# a comment\nH49.*,,,5000,,,,\nH49.12,,,,7,3,Công văn;Quyết định,G22;H05.*\n",
        )
        .unwrap();
        let rate = Rate { per_s: NonZeroU32::new(100).unwrap(), burst: NonZeroU32::new(200).unwrap() };
        assert_eq!(all.of(&organ("H05")).rate, Some(rate));
        assert_eq!(all.of(&organ("H49")).rate, Some(rate), "it is not below itself");
        assert_eq!(
            (all.of(&organ("H49.3")).payload_bytes_max, all.of(&organ("H49.3")).rate),
            (Some(5_000), None)
        );
        assert_eq!(all.of(&organ("H49.12.1")).payload_bytes_max, Some(5_000));
        let one = all.of(&organ("H49.12"));
        assert_eq!(
            (one.mailbox_deliveries_max, one.window_max, one.payload_bytes_max),
            (Some(7), Some(3), None)
        );
        assert!(one.takes_type("CÔNG VĂN ") && !one.takes_type("Tờ trình") && !one.takes_type(""));
        assert!(
            one.takes_from(&organ("G22"))
                && one.takes_from(&organ("H05.2"))
                && !one.takes_from(&organ("H05"))
        );
        assert!(
            all.of(&organ("H05")).takes_type("gì cũng được")
                && all.of(&organ("H05")).takes_from(&organ("G01"))
        );
        assert!(Allowances::default().of(&organ("H05")).rate.is_none());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let head = "organ_id,rate_per_s,rate_burst,payload_bytes_max,mailbox_deliveries_max,window_max,document_types,senders\n";
        for (rows, line, why) in [
            ("H49,1,,,,,,\n", 2, Why::HalfARate),
            ("H49,,,,,,,\nH49,,,,,,,\n", 3, Why::Repeated("H49".into())),
            ("?,,,,,,,\n", 2, Why::BadOrgan("?".into())),
            ("H49,,,0,,,,\n", 2, Why::BadNumber("payload_bytes_max".into(), "0".into())),
            ("H49,,,x,,,,\n", 2, Why::BadNumber("payload_bytes_max".into(), "x".into())),
            ("H49,,,,,1001,,\n", 2, Why::BadNumber("window_max".into(), "1001".into())),
            ("H49,,,,,,,G22;?\n", 2, Why::BadOrgan("?".into())),
        ] {
            let error = read(&format!("{head}{rows}")).unwrap_err();
            assert_eq!((error.line, error.why), (line, why), "{rows}");
        }
        assert!(matches!(read("organ_id,colour\nH49,red\n").unwrap_err().why, Why::BadColumns));
        assert!(matches!(read(&format!("{head}H49,1\n")).unwrap_err().why, Why::NotCsv(_)));
    }
}
