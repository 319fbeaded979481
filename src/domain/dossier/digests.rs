//! The digests of many dossiers, held so that any node of the tree is found at once.

use super::digest::place;
use super::{DossierDigest, Node, Sum};

/// A dossier's digest and where its code stands among the codes.
#[derive(Clone, Copy, Debug)]
struct Entry {
    place: u64,
    digest: DossierDigest,
    code_start: u32,
    code_bytes: u8,
}

/// Digests of dossiers, each with its code: some sixty bytes a dossier.
#[derive(Clone, Debug, Default)]
pub struct Digests {
    entries: Vec<Entry>,
    codes: String,
}

/// A dossier of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// The normal form of its code.
    pub code: &'a str,
    /// Its digest.
    pub digest: DossierDigest,
}

impl Digests {
    /// Of dossiers by the normal forms of their codes, each once.
    pub fn of<'a>(dossiers: impl IntoIterator<Item = (&'a str, DossierDigest)>) -> Self {
        let mut digests = Self::default();
        dossiers.into_iter().for_each(|(code, digest)| digests.push(code, digest));
        digests.sort();
        digests
    }

    /// Adds a dossier. To be followed by [`Digests::sort`].
    pub fn push(&mut self, code: &str, digest: DossierDigest) {
        let code_start =
            u32::try_from(self.codes.len()).expect("the codes of a comparison have less than 4 GiB");
        let code_bytes = u8::try_from(code.len()).expect("the normal form of a code has less than 60 bytes");
        self.codes.push_str(code);
        self.entries.push(Entry { place: place(code), digest, code_start, code_bytes });
    }

    /// Puts in order what was added.
    pub fn sort(&mut self) {
        self.entries.sort_unstable_by_key(|entry| entry.place);
        self.entries.shrink_to_fit();
        self.codes.shrink_to_fit();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The sum over a node.
    pub fn sum(&self, node: Node) -> Sum {
        self.entries_of(node).iter().fold(Sum::default(), |sum, entry| sum.with(entry.digest))
    }

    /// How many are in a node.
    pub fn count(&self, node: Node) -> usize {
        self.entries_of(node).len()
    }

    /// The dossiers of a node, in the order of their places.
    pub fn dossiers(&self, node: Node) -> impl Iterator<Item = Found<'_>> {
        self.entries_of(node).iter().map(|entry| {
            let start = entry.code_start as usize;
            let code = &self.codes[start..start + usize::from(entry.code_bytes)];
            Found { code, digest: entry.digest }
        })
    }

    fn entries_of(&self, node: Node) -> &[Entry] {
        let (first, last) = node.places();
        let start = self.entries.partition_point(|entry| entry.place < first);
        let end = self.entries.partition_point(|entry| entry.place <= last);
        &self.entries[start..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::dossier::Fingerprint;
    use crate::domain::message::Hash;

    fn digest(number: u32) -> DossierDigest {
        DossierDigest::of([(number, Fingerprint::of(&Hash::of(&number.to_be_bytes())))])
    }

    #[test]
    fn each_dossier_is_in_one_child_of_each_of_its_nodes() {
        let codes: Vec<_> = (0..1_000).map(|number| format!("H49-20260101-{number}")).collect();
        let of = || codes.iter().map(String::as_str).zip((0..).map(digest));
        let digests = Digests::of(of());
        let backwards = Digests::of(of().collect::<Vec<_>>().into_iter().rev());
        assert_eq!((digests.len(), digests.sum(Node::ROOT)), (1_000, backwards.sum(Node::ROOT)));
        let mut open = vec![Node::ROOT];
        let mut listed = 0;
        while let Some(node) = open.pop() {
            let sum = digests.sum(node);
            assert_eq!(sum.count, digests.count(node) as u64);
            if sum.count < 10 {
                listed += digests.dossiers(node).count();
                continue;
            }
            let whole = node.children().map(|child| digests.sum(child)).fold(Sum::default(), |all, sum| {
                Sum { count: all.count + sum.count, sum: all.sum.wrapping_add(sum.sum) }
            });
            assert_eq!(whole, sum);
            open.extend(node.children());
        }
        assert_eq!(listed, 1_000);
        let found: Vec<_> = digests.dossiers(Node::ROOT).collect();
        assert!(found.iter().all(|one| of().any(|(code, digest)| (code, digest) == (one.code, one.digest))));
    }

    #[test]
    fn of_nothing_there_is_nothing() {
        let none = Digests::default();
        assert!(none.is_empty());
        assert_eq!((none.sum(Node::ROOT), none.dossiers(Node::ROOT).count()), (Sum::default(), 0));
    }
}
