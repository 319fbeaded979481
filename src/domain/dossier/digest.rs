//! What two sides of an exchange compare: digests of dossiers, and sums of them over the nodes of a tree that is the same everywhere.
//! How they are made is part of the contract (`docs/compare.md`).

use std::fmt;

use super::super::message::Hash;
use super::{Course, Fingerprint};

/// A digest of all steps of one dossier, held ones too.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DossierDigest(u128);

impl DossierDigest {
    /// How many bytes it has.
    pub const BYTES: usize = 16;

    /// Of steps in the order of their numbers.
    pub fn of(steps: impl IntoIterator<Item = (u32, Fingerprint)>) -> Self {
        let mut written = Vec::new();
        for (number, fingerprint) in steps {
            written.extend_from_slice(&number.to_be_bytes());
            written.extend_from_slice(fingerprint.as_bytes());
        }
        Self(first_half(&Hash::of(&written)))
    }

    /// From its bytes; nothing when they are not as many.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(u128::from_be_bytes).map(Self)
    }

    /// Its bytes.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        self.0.to_be_bytes()
    }
}

impl fmt::Debug for DossierDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Course {
    /// The digest of its steps.
    pub fn digest(&self) -> DossierDigest {
        DossierDigest::of(self.marks().iter().map(|mark| (mark.number, mark.fingerprint)))
    }
}

fn first_half(hash: &Hash) -> u128 {
    let (half, _) = hash.as_bytes().split_first_chunk().expect("a hash has 32 bytes");
    u128::from_be_bytes(*half)
}

/// Where a dossier stands in the tree: the first eight bytes of the SHA-256 of its code's normal form.
pub(super) fn place(code: &str) -> u64 {
    let hash = Hash::of(code.as_bytes());
    let (start, _) = hash.as_bytes().split_first_chunk().expect("a hash has 32 bytes");
    u64::from_be_bytes(*start)
}

/// How many dossiers there are in a node, and the sum of their digests, modulo 2^128.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub count: u64,
    /// The sum.
    pub sum: u128,
}

impl Sum {
    /// With one more.
    #[must_use]
    pub fn with(self, digest: DossierDigest) -> Self {
        Self { count: self.count + 1, sum: self.sum.wrapping_add(digest.0) }
    }
}

/// A node of the tree: the dossiers whose place begins with these hexadecimal digits; none is the root.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Node {
    depth: u8,
    start: u64,
}

/// Why a text names no node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a node is 0 to {} digits 0-9 a-f", Node::DEPTH_MAX)]
pub struct ParseNodeError;

impl Node {
    /// All dossiers.
    pub const ROOT: Self = Self { depth: 0, start: 0 };
    /// How deep the tree is; nodes there have no children.
    pub const DEPTH_MAX: u8 = 16;

    /// Of its digits.
    pub fn parse(text: &str) -> Result<Self, ParseNodeError> {
        let depth = u8::try_from(text.len()).ok().filter(|depth| *depth <= Self::DEPTH_MAX);
        let depth = depth.ok_or(ParseNodeError)?;
        let digits = text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        let bits = match (digits, depth) {
            (false, _) => return Err(ParseNodeError),
            (true, 0) => 0,
            (true, _) => u64::from_str_radix(text, 16).map_err(|_| ParseNodeError)?,
        };
        // The root's bits would be shifted out altogether.
        Ok(Self { depth, start: bits.checked_shl(64 - 4 * u32::from(depth)).unwrap_or(0) })
    }

    /// Its sixteen children, in order; none at the bottom.
    pub fn children(self) -> impl Iterator<Item = Self> {
        let depth = self.depth + 1;
        let children = if depth > Self::DEPTH_MAX { 0..0 } else { 0..16_u64 };
        children.map(move |digit| Self { depth, start: self.start | digit << (64 - 4 * u32::from(depth)) })
    }

    /// Whether it has no children.
    pub fn is_bottom(self) -> bool {
        self.depth == Self::DEPTH_MAX
    }

    /// The first and the last place in it.
    pub(super) fn places(self) -> (u64, u64) {
        let width = u64::MAX.checked_shr(4 * u32::from(self.depth)).unwrap_or(0);
        (self.start, self.start | width)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:016x}", self.start);
        f.write_str(&digits[..usize::from(self.depth)])
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_written_as_the_digits_their_places_begin_with() {
        for text in ["", "0", "f", "3fa", "0123456789abcdef", "ffffffffffffffff"] {
            let node = Node::parse(text).unwrap();
            assert_eq!(node.to_string(), text);
            let (first, last) = node.places();
            assert!(format!("{first:016x}").starts_with(text) && format!("{last:016x}").starts_with(text));
            let children: Vec<_> = node.children().map(|child| child.to_string()).collect();
            assert_eq!(children.len(), if text.len() == 16 { 0 } else { 16 });
            assert!(children.iter().all(|child| child.starts_with(text) && child.len() == text.len() + 1));
            assert_eq!(node.is_bottom(), text.len() == 16);
        }
        assert_eq!(Node::ROOT.places(), (0, u64::MAX));
        assert_eq!(Node::parse("ffffffffffffffff").unwrap().places(), (u64::MAX, u64::MAX));
        for bad in ["g", "F", "+1", "-", " ", "0123456789abcdef0", "ả"] {
            assert_eq!(Node::parse(bad), Err(ParseNodeError), "{bad}");
        }
    }

    #[test]
    fn a_digest_is_of_numbers_and_fingerprints() {
        let fingerprint = |text: &str| Fingerprint::of(&Hash::of(text.as_bytes()));
        let (a, b) = (fingerprint("a"), fingerprint("b"));
        let digests =
            [vec![(1, a)], vec![(2, a)], vec![(1, b)], vec![(1, a), (2, b)], vec![(1, a), (3, b)], vec![]];
        let different: std::collections::HashSet<_> = digests.into_iter().map(DossierDigest::of).collect();
        assert_eq!(different.len(), 6);
        let digest = DossierDigest::of([(1, a)]);
        assert_eq!(DossierDigest::from_slice(&digest.to_bytes()), Some(digest));
        assert_eq!(DossierDigest::from_slice(&[0; 15]), None);
    }
}
