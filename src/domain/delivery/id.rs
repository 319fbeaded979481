//! The names of a delivery and of its attempts.

use std::fmt;

/// The gateway's id for one message to one recipient. Rises in the order of acceptance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub u64);

impl DeliveryId {
    /// Parses the contract's form, `d42`.
    pub fn parse(text: &str) -> Option<Self> {
        numbered(text, 'd').map(Self)
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "d{}", self.0)
    }
}

impl fmt::Debug for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Names one attempt of a delivery; the fencing token of its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease(pub u32);

impl Lease {
    /// Parses the contract's form, `a1`.
    pub fn parse(text: &str) -> Option<Self> {
        numbered(text, 'a').and_then(|n| u32::try_from(n).ok()).map(Self)
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a{}", self.0)
    }
}

fn numbered(text: &str, prefix: char) -> Option<u64> {
    let digits = text.strip_prefix(prefix)?;
    let canonical = digits == "0" || !digits.starts_with('0');
    if !canonical || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // The ledger counts in 63 bits: a greater number is none it gave, and one it could not even look for.
    u64::try_from(digits.parse::<i64>().ok()?).ok()
}
