//! Cursors and page tokens: opaque to callers, bound to what they continue, and checked.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::message::Hash;
use crate::domain::refusal::{Reason, Refusal};

const CHECK_BYTES: usize = 4;

/// What a cursor continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// The receipts of a sender.
    Receipts,
    /// What an organ sent.
    Sent,
    /// What an organ received.
    Received,
    /// What is overdue.
    Overdue,
    /// How organs meet their duty.
    Duty,
    /// The organs, page by page.
    Organs,
    /// The versions of the directory.
    Directory,
    /// The log of dossiers.
    Dossiers,
    /// The dossiers of an organ, page by page.
    DossierList,
    /// Dead letters, page by page.
    DeadLetters,
    /// Holds, page by page.
    Holds,
}

impl Log {
    fn letter(self) -> char {
        match self {
            Self::Receipts => 'r',
            Self::Sent => 's',
            Self::Received => 'v',
            Self::Overdue => 'w',
            Self::Duty => 'y',
            Self::Organs => 'o',
            Self::Directory => 'd',
            Self::Dossiers => 'e',
            Self::DossierList => 'l',
            Self::DeadLetters => 'x',
            Self::Holds => 'h',
        }
    }
}

/// A cursor into a log of an organ, after `place`.
pub fn write(log: Log, organ: &str, place: impl std::fmt::Display) -> String {
    let mut bytes = format!("{}|{organ}|{place}", log.letter()).into_bytes();
    let check = Hash::of_parts([b"truc.v1 cursor".as_slice(), &bytes]);
    bytes.extend_from_slice(&check.as_bytes()[..CHECK_BYTES]);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place a cursor names in this log of this organ; none for the empty cursor.
pub fn read(log: Log, organ: &str, cursor: &str, path: &str) -> Result<Option<String>, Refusal> {
    if cursor.is_empty() {
        return Ok(None);
    }
    place(log, organ, cursor).map(Some).ok_or_else(|| invalid(path))
}

/// The same for a log whose places are numbers. They are those of the ledger, which counts in 63 bits.
pub fn read_number(log: Log, organ: &str, cursor: &str, path: &str) -> Result<Option<u64>, Refusal> {
    let number = |place: String| place.parse::<i64>().ok().and_then(|place| u64::try_from(place).ok());
    let place = read(log, organ, cursor, path)?;
    place.map(|place| number(place).ok_or_else(|| invalid(path))).transpose()
}

/// The refusal of a cursor.
pub fn invalid(path: &str) -> Refusal {
    Refusal::new(Reason::InvalidCursor, "not a cursor this gateway gave for this log")
        .field(path)
        .hint("use a cursor as it was given, for the same organ and call; the empty one starts anew")
}

fn place(log: Log, organ: &str, cursor: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (text, check) = bytes.split_at_checked(bytes.len().checked_sub(CHECK_BYTES)?)?;
    if Hash::of_parts([b"truc.v1 cursor".as_slice(), text]).as_bytes()[..CHECK_BYTES] != *check {
        return None;
    }
    let prefix = format!("{}|{organ}|", log.letter());
    std::str::from_utf8(text).ok()?.strip_prefix(&prefix).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_no_number_of_the_ledger_is_refused() {
        let number = |place: &str| {
            read_number(Log::Sent, "H49", &write(Log::Sent, "H49", place), "page_token").ok().flatten()
        };
        assert_eq!(number("17"), Some(17));
        assert_eq!(number("9223372036854775807"), Some(i64::MAX as u64));
        for none in ["9223372036854775808", "18446744073709551616", "-1", "x", ""] {
            assert_eq!(number(none), None, "{none}");
        }
    }

    #[test]
    fn a_cursor_is_good_for_its_log_alone() {
        let cursor = write(Log::Receipts, "H49", 17);
        assert_eq!(read(Log::Receipts, "H49", &cursor, "cursor").unwrap().as_deref(), Some("17"));
        assert_eq!(read(Log::Receipts, "H49", "", "cursor").unwrap(), None);
        assert!(read(Log::Receipts, "H4", &cursor, "cursor").is_err());
        assert!(read(Log::Sent, "H49", &cursor, "cursor").is_err());
        for at in 0..cursor.len() {
            let mut broken = cursor.clone().into_bytes();
            broken[at] = if broken[at] == b'A' { b'B' } else { b'A' };
            let broken = String::from_utf8(broken).unwrap();
            assert!(read(Log::Receipts, "H49", &broken, "cursor").is_err(), "{broken}");
        }
        for broken in ["A", "????", "AAAA", "AAAAAAAAAA", &cursor[1..], &format!("{cursor}A")] {
            assert!(read(Log::Receipts, "H49", broken, "cursor").is_err(), "{broken}");
        }
    }
}
