//! Organ ids in their two written forms, normalised to one.

use std::fmt;
use std::sync::Arc;

use super::limits::{ORGAN_ID_CHARS_MAX, ORGAN_ID_GROUPS_MAX};

/// The id of an organ, level 1 first (`H57.12`), the form of QĐ 20/2020/QĐ-TTg.
///
/// [`OrganId::parse`] also takes the QCVN 102:2016/BTTTT form, four groups with level 1 last
/// (`000.00.12.H57`), and mixtures of the two seen in traffic (`28.22.H17`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrganId(Arc<str>);

/// Why a text is not an organ id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseOrganIdError {
    /// Nothing, or the literal `null` some senders write.
    #[error("an organ id is missing")]
    Missing,
    /// Longer than 35 characters.
    #[error("an organ id has at most {ORGAN_ID_CHARS_MAX} characters")]
    TooLong,
    /// More than four dot groups.
    #[error("an organ id has at most {ORGAN_ID_GROUPS_MAX} dot-separated groups")]
    TooManyGroups,
    /// A group is empty or holds something else than ASCII letters and digits.
    #[error("each group of an organ id is one or more ASCII letters or digits")]
    BadGroup,
    /// Neither the first nor the last group is a level-1 code: a letter A to K and two digits.
    #[error(
        "an organ id starts (H57.12) or ends (000.00.12.H57) with a level-1 code: a letter A to K and two digits"
    )]
    NoLevelOne,
}

impl OrganId {
    /// Parses either form; surrounding white space and letter case do not matter.
    pub fn parse(text: &str) -> Result<Self, ParseOrganIdError> {
        let text = text.trim();
        if text.is_empty() || text.eq_ignore_ascii_case("null") {
            return Err(ParseOrganIdError::Missing);
        }
        if text.chars().count() > ORGAN_ID_CHARS_MAX {
            return Err(ParseOrganIdError::TooLong);
        }
        let upper = text.to_ascii_uppercase();
        let mut groups: Vec<&str> = upper.split('.').collect();
        if groups.len() > ORGAN_ID_GROUPS_MAX {
            return Err(ParseOrganIdError::TooManyGroups);
        }
        if groups.iter().any(|g| g.is_empty() || !g.bytes().all(|b| b.is_ascii_alphanumeric())) {
            return Err(ParseOrganIdError::BadGroup);
        }
        if !is_level_one(groups[0]) {
            if !is_level_one(groups[groups.len() - 1]) {
                return Err(ParseOrganIdError::NoLevelOne);
            }
            groups.reverse();
        }
        // In the four-group form, groups of zeros stand for levels that are not there.
        while groups.len() > 1 && groups[groups.len() - 1].bytes().all(|b| b == b'0') {
            groups.pop();
        }
        Ok(Self(groups.join(".").into()))
    }

    /// The id, level 1 first.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The level-1 code: `H57` of `H57.12`.
    pub fn level_one(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }

    /// True for `H49.12` below `H49`; false for `H49` below itself.
    pub fn is_below(&self, other: &Self) -> bool {
        self.0.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('.'))
    }

    /// The ids above, the nearest first: `H57.12.3` gives `H57.12`, `H57`.
    pub fn above(&self) -> impl Iterator<Item = Self> + '_ {
        self.0.match_indices('.').rev().map(|(at, _)| Self(self.0[..at].into()))
    }
}

fn is_level_one(group: &str) -> bool {
    matches!(group.as_bytes(), [b'A'..=b'K', d1, d2] if d1.is_ascii_digit() && d2.is_ascii_digit())
}

impl fmt::Display for OrganId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for OrganId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for OrganId {
    type Err = ParseOrganIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_forms_become_one() {
        for (written, normal) in [
            ("H57.12", "H57.12"),
            ("000.00.12.H57", "H57.12"),
            ("000.00.00.G22", "G22"),
            ("28.22.H17", "H17.22.28"),
            ("G22.34.98", "G22.34.98"),
            ("H37.DN.001", "H37.DN.001"),
            (" h49 ", "H49"),
            ("A80", "A80"),
        ] {
            assert_eq!(OrganId::parse(written).unwrap().as_str(), normal, "{written}");
        }
    }

    #[test]
    fn what_is_not_an_organ_id_says_why() {
        use ParseOrganIdError::*;
        for (written, why) in [
            ("", Missing),
            ("null", Missing),
            ("H57.12.1.2.3", TooManyGroups),
            ("H57..1", BadGroup),
            ("H57.1 2", BadGroup),
            ("H57.Đ1", BadGroup),
            ("12.34", NoLevelOne),
            ("Z01", NoLevelOne),
            ("H57.ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", TooLong),
        ] {
            assert_eq!(OrganId::parse(written), Err(why), "{written}");
        }
    }

    #[test]
    fn below_and_above() {
        let id = |s| OrganId::parse(s).unwrap();
        assert!(id("H49.12").is_below(&id("H49")));
        assert!(!id("H49").is_below(&id("H49")));
        assert!(!id("H49.123").is_below(&id("H49.12")));
        let above: Vec<_> = id("H49.12.3").above().collect();
        assert_eq!(above, [id("H49.12"), id("H49")]);
    }

    proptest! {
        #[test]
        fn parsing_what_was_parsed_changes_nothing(text in "\\PC{0,40}") {
            if let Ok(id) = OrganId::parse(&text) {
                prop_assert_eq!(OrganId::parse(id.as_str()).unwrap(), id);
            }
        }

        #[test]
        fn the_two_forms_agree(l1 in "[A-K][0-9]{2}", l2 in "[1-9][0-9]", l3 in "[1-9][0-9]") {
            let qcvn = OrganId::parse(&format!("000.{l3}.{l2}.{l1}")).unwrap();
            let qd20 = OrganId::parse(&format!("{l1}.{l2}.{l3}")).unwrap();
            prop_assert_eq!(qcvn, qd20);
        }
    }
}
