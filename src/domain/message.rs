//! Messages: their ids, hashes, urgency and lanes.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::limits::MESSAGE_ID_CHARS_MAX;

/// The sender's own id for a message; unique per sender.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Arc<str>);

/// Why a text is not a message id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseMessageIdError {
    /// Empty.
    #[error("a message id is missing")]
    Missing,
    /// Longer than 128 characters.
    #[error("a message id has at most {MESSAGE_ID_CHARS_MAX} characters")]
    TooLong,
    /// A character that is not allowed.
    #[error("a message id is made of the characters A-Z a-z 0-9 . _ : / , + @ = -")]
    BadCharacter,
}

impl MessageId {
    /// Parses an id: 1 to 128 characters out of `A-Z a-z 0-9 . _ : / , + @ = -`.
    pub fn parse(text: &str) -> Result<Self, ParseMessageIdError> {
        if text.is_empty() {
            return Err(ParseMessageIdError::Missing);
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:/,+@=-".contains(&b)) {
            return Err(ParseMessageIdError::BadCharacter);
        }
        if text.len() > MESSAGE_ID_CHARS_MAX {
            return Err(ParseMessageIdError::TooLong);
        }
        Ok(Self(text.into()))
    }

    /// The id of an edXML file whose sender gave none.
    pub fn of_edxml(file: &Hash) -> Self {
        Self(format!("edxml:{}", &file.to_string()[..32]).into())
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A SHA-256 value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The hash of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The hash of several parts, each preceded by its length so that no two lists of parts collide.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// From its 32 bytes; nothing when they are not 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// From its 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Option<Vec<u8>> =
            text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
        let bytes: Vec<u8> =
            digits?.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
        Self::from_slice(&bytes).filter(|_| text.len() == 64)
    }

    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How urgent a document is (NĐ 30/2020/NĐ-CP; edXML `Priority`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// Thường.
    #[default]
    Normal,
    /// Khẩn.
    Urgent,
    /// Thượng khẩn.
    VeryUrgent,
    /// Hỏa tốc.
    Express,
    /// Hỏa tốc hẹn giờ.
    TimedExpress,
}

impl Urgency {
    /// By its edXML `Priority`, 0 to 4.
    pub fn from_priority(priority: u8) -> Option<Self> {
        Some(match priority {
            0 => Self::Normal,
            1 => Self::Urgent,
            2 => Self::VeryUrgent,
            3 => Self::Express,
            4 => Self::TimedExpress,
            _ => return None,
        })
    }

    /// The lane of a mailbox it travels in.
    pub fn lane(self) -> Lane {
        match self {
            Self::Normal => Lane::Normal,
            Self::Urgent => Lane::Urgent,
            Self::VeryUrgent => Lane::VeryUrgent,
            Self::Express => Lane::Express,
            Self::TimedExpress => Lane::TimedExpress,
        }
    }
}

/// A lane of a mailbox: one for each urgency, the most urgent served first. [`crate::domain::turns`] says how long a lower one waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Hỏa tốc hẹn giờ.
    TimedExpress,
    /// Hỏa tốc.
    Express,
    /// Thượng khẩn.
    VeryUrgent,
    /// Khẩn.
    Urgent,
    /// Thường.
    Normal,
}

impl Lane {
    /// All of them, in the order they are served.
    pub const ALL: [Self; 5] =
        [Self::TimedExpress, Self::Express, Self::VeryUrgent, Self::Urgent, Self::Normal];

    /// Its place in the order they are served.
    pub fn place(self) -> usize {
        self as usize
    }

    /// The edXML `Priority` of what travels in it, 0 to 4.
    pub fn priority(self) -> u8 {
        match self {
            Self::Normal => 0,
            Self::Urgent => 1,
            Self::VeryUrgent => 2,
            Self::Express => 3,
            Self::TimedExpress => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_ids_are_bounded() {
        assert!(MessageId::parse("000.00.00.G22,2015/09/30,7816-a").is_ok());
        assert_eq!(MessageId::parse(""), Err(ParseMessageIdError::Missing));
        assert_eq!(MessageId::parse("a b"), Err(ParseMessageIdError::BadCharacter));
        assert_eq!(MessageId::parse("Đ"), Err(ParseMessageIdError::BadCharacter));
        assert!(MessageId::parse(&"x".repeat(128)).is_ok());
        assert_eq!(MessageId::parse(&"x".repeat(129)), Err(ParseMessageIdError::TooLong));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let a: [&[u8]; 2] = [b"ab", b"c"];
        let b: [&[u8]; 2] = [b"a", b"bc"];
        assert_ne!(Hash::of_parts(a), Hash::of_parts(b));
        assert_eq!(
            Hash::of(b"abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn each_level_has_a_lane_the_most_urgent_first() {
        let lanes: Vec<_> = (0..=4).rev().filter_map(Urgency::from_priority).map(Urgency::lane).collect();
        assert_eq!(lanes, Lane::ALL);
        assert!(Lane::ALL.is_sorted());
        for (place, lane) in Lane::ALL.into_iter().enumerate() {
            assert_eq!((lane.place(), usize::from(lane.priority())), (place, 4 - place));
        }
        assert_eq!(Urgency::from_priority(5), None);
    }
}
