//! What can be changed of push links, and which node sees to which.

use crate::domain::link::{Outage, PushLink};
use crate::domain::message::Hash;
use crate::domain::organ_id::OrganId;
use crate::domain::time::Timestamp;

/// A change of a push link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkChange {
    /// The organ registers an endpoint, in place of the one it had.
    Set(Box<PushLink>),
    /// The organ has none any more.
    Delete(OrganId),
    /// The endpoint does not take what it is brought, or does again.
    Note {
        /// Whose link.
        organ: OrganId,
        /// Which: the link that was registered then.
        set_at: Timestamp,
        /// How it does now.
        outage: Option<Outage>,
    },
}

impl LinkChange {
    /// Whose link.
    pub fn organ(&self) -> &OrganId {
        match self {
            Self::Set(link) => &link.organ,
            Self::Delete(organ) | Self::Note { organ, .. } => organ,
        }
    }
}

/// The nodes at work on a ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nodes {
    /// This node's number.
    pub this: i64,
    /// All numbers, this one among them; none while it is not known who there is.
    pub all: Vec<i64>,
}

impl Nodes {
    /// A node that is the only one.
    pub fn alone() -> Self {
        Self { this: 0, all: vec![0] }
    }

    /// Whether what concerns an organ and only one node can do is this node's to do. All nodes that know of each other agree, and few organs
    /// go to another node when one comes or goes.
    pub fn sees_to(&self, organ: &OrganId) -> bool {
        let weight = |node: &i64| {
            let hash = Hash::of_parts([organ.as_str().as_bytes(), &node.to_be_bytes()[..]]);
            (*hash.as_bytes(), *node)
        };
        self.all.iter().max_by_key(|node| weight(node)) == Some(&self.this)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_organ_has_one_node_and_keeps_it_while_others_come_and_go() {
        let organs: Vec<_> = (0..1_000).map(|n| OrganId::parse(&format!("H57.{n}")).unwrap()).collect();
        let of = |all: &[i64]| -> Vec<i64> {
            let one = |organ| {
                let mut seen =
                    all.iter().filter(|this| Nodes { this: **this, all: all.to_vec() }.sees_to(organ));
                let node = *seen.next().unwrap();
                assert_eq!(seen.next(), None);
                node
            };
            organs.iter().map(one).collect()
        };
        let (two, three) = (of(&[4, 7]), of(&[4, 7, 9]));
        let moved = two.iter().zip(&three).filter(|(before, after)| before != after).count();
        assert!((200..500).contains(&moved), "{moved}");
        assert!(two.iter().zip(&three).all(|(before, after)| before == after || *after == 9));
        assert!(organs.iter().all(|organ| Nodes::alone().sees_to(organ) && !Nodes::default().sees_to(organ)));
    }
}
