//! The documents of a measurement. Everything about one - id, recipient, bytes - follows from who sends it and its
//! ordinal, so that the receiver, in another process, knows what it has to be.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::sizes::Sizes;

/// Which documents there are. Senders and recipients are numbers of organs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Documents {
    /// Distinguishes the documents of this measurement from all others a gateway has seen.
    pub run: String,
    /// What payloads and the order of recipients follow from.
    pub seed: u64,
    /// Payload bytes of each.
    pub sizes: Sizes,
    /// The organs 0 to this write to each other, unless `to` names recipients.
    pub organs: usize,
    /// Where it is not empty: the organs that get everything, in turn. Each sender begins where the share of the one before it ends.
    pub to: Vec<usize>,
}

/// The documents of one sender: to whom they go, in turn.
#[derive(Clone, Debug)]
pub struct Route {
    turns: Rc<[usize]>,
    // The place of the first one.
    first: usize,
}

impl Documents {
    /// The id of a document.
    pub fn id(&self, sender: usize, ordinal: u64) -> String {
        format!("{}.{sender}.{ordinal}", self.run)
    }

    /// Sender and ordinal of a document's id; none when it is of another measurement.
    pub fn parse(&self, id: &str) -> Option<(usize, u64)> {
        let (sender, ordinal) = id.strip_prefix(&self.run)?.strip_prefix('.')?.split_once('.')?;
        Some((sender.parse().ok()?, ordinal.parse().ok()?))
    }

    /// Payload bytes of a document.
    pub fn size_of(&self, sender: usize, ordinal: u64) -> usize {
        // Not what its payload follows from, lest sizes and contents go together.
        self.sizes.one(&mut self.rng(sender, !ordinal))
    }

    /// Writes a document's payload into `bytes`, which it fills.
    pub fn fill(&self, sender: usize, ordinal: u64, bytes: &mut [u8]) {
        self.rng(sender, ordinal.wrapping_add(1)).fill(bytes);
    }

    /// A document's payload.
    pub fn payload(&self, sender: usize, ordinal: u64) -> Vec<u8> {
        let mut bytes = vec![0; self.size_of(sender, ordinal)];
        self.fill(sender, ordinal, &mut bytes);
        bytes
    }

    /// Where the documents of a sender go: to all others equally often, each sender in an order of its own.
    pub fn route(&self, sender: usize) -> Route {
        if !self.to.is_empty() {
            return self.begin(sender, Rc::from(self.to.as_slice()));
        }
        let mut turns: Vec<usize> = (0..self.organs).filter(|organ| *organ != sender).collect();
        self.rng(sender, 0).shuffle(&mut turns);
        Route { turns: turns.into(), first: 0 }
    }

    /// Where the documents of the senders from 0 to this go.
    pub fn routes(&self, senders: usize) -> Vec<Route> {
        if self.to.is_empty() {
            return (0..senders).map(|sender| self.route(sender)).collect();
        }
        let turns: Rc<[usize]> = Rc::from(self.to.as_slice());
        (0..senders).map(|sender| self.begin(sender, Rc::clone(&turns))).collect()
    }

    fn begin(&self, sender: usize, turns: Rc<[usize]>) -> Route {
        let senders = self.organs.max(1);
        let before = (0..sender % senders).map(|sender| share(turns.len() as u64, sender, senders));
        Route { first: before.sum::<u64>() as usize % turns.len(), turns }
    }

    fn rng(&self, sender: usize, of: u64) -> fastrand::Rng {
        let place = (sender as u64).wrapping_shl(44) ^ of;
        fastrand::Rng::with_seed(self.seed ^ place.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }
}

impl Route {
    /// The recipient of the document with this ordinal.
    pub fn recipient(&self, ordinal: u64) -> usize {
        self.turns[((self.first as u64 + ordinal) % self.turns.len() as u64) as usize]
    }

    /// How many of the first `submitted` documents go to this recipient.
    pub fn expected(&self, recipient: usize, submitted: u64) -> u64 {
        let turns = self.turns.len() as u64;
        let place = self.turns.iter().position(|organ| *organ == recipient);
        place.map_or(0, |place| {
            let turn = (place + self.turns.len() - self.first) as u64 % turns;
            submitted / turns + u64::from(turn < submitted % turns)
        })
    }
}

/// The share of one of `parts` in `total`; the shares add up to it.
pub fn share(total: u64, part: usize, parts: usize) -> u64 {
    let (part, parts) = (part as u64, parts as u64);
    total / parts + u64::from(part < total % parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(to: Vec<usize>) -> Documents {
        Documents { run: "bench-1".to_owned(), seed: 7, sizes: Sizes::Each(64), organs: 5, to }
    }

    #[test]
    fn ids_are_read_back_and_others_are_not() {
        let documents = documents(Vec::new());
        assert_eq!(documents.parse(&documents.id(3, 41)), Some((3, 41)));
        for foreign in ["bench-11.3.41", "bench-1", "bench-1.3", "bench-1.3.x", "b", ""] {
            assert_eq!(documents.parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn payloads_follow_from_seed_sender_and_ordinal() {
        let documents = documents(Vec::new());
        let first = documents.payload(1, 0);
        assert_eq!(first, documents.payload(1, 0));
        for other in [documents.payload(1, 1), documents.payload(0, 0), documents.payload(2, 0)] {
            assert_ne!(first, other);
        }
        let reseeded = Documents { seed: 8, ..documents };
        assert_ne!(first, reseeded.payload(1, 0));
    }

    #[test]
    fn recipients_are_the_others_equally_often() {
        for documents in [documents(Vec::new()), documents(vec![7, 9])] {
            for sender in 0..5 {
                let route = documents.route(sender);
                let submitted = 23;
                let mut counts = [0; 10];
                (0..submitted).for_each(|ordinal| counts[route.recipient(ordinal)] += 1);
                assert_eq!(counts[sender], 0);
                for (recipient, count) in counts.into_iter().enumerate() {
                    assert_eq!(route.expected(recipient, submitted), count, "{recipient}");
                }
            }
        }
    }

    #[test]
    fn all_senders_together_reach_each_of_many_recipients_once() {
        let documents = documents((0..23).collect());
        let routes = documents.routes(5).into_iter().enumerate();
        let mut reached: Vec<_> = routes
            .flat_map(|(sender, route)| {
                (0..share(23, sender, 5)).map(move |ordinal| route.recipient(ordinal))
            })
            .collect();
        reached.sort_unstable();
        assert_eq!(reached, (0..23).collect::<Vec<_>>());
    }

    #[test]
    fn shares_add_up() {
        for (total, parts) in [(100, 16), (3, 16), (16, 16), (0, 2)] {
            assert_eq!((0..parts).map(|part| share(total, part, parts)).sum::<u64>(), total);
        }
    }
}
