//! What a receiver knows of the documents it got: which, how often, and whether each is what its sender sent.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::documents::{Documents, Route};
use super::faults::Faults;

/// What one receiver got.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Received {
    /// The receiver's number.
    pub organ: usize,
    /// From each sender: how many documents, each counted once, and one more than the highest ordinal.
    pub from: Vec<(u64, u64)>,
    /// Documents that came again in the same attempt.
    pub duplicates: u64,
    /// Documents that came again in a later attempt.
    pub redelivered: u64,
    /// Documents whose bytes were not those sent.
    pub altered: u64,
    /// Documents of other measurements, left alone.
    pub foreign: u64,
    /// Settlements that were refused.
    pub unsettled: u64,
    /// What was wrong.
    pub faults: Faults,
}

/// One document as it came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Its id.
    pub id: &'a str,
    /// 1 when it was offered for the first time.
    pub attempt: u32,
    /// Its bytes.
    pub payload: &'a [u8],
}

/// A receiver's log.
#[derive(Debug)]
pub struct ReceivedLog {
    routes: Rc<[Route]>,
    // By sender, one bit for each ordinal.
    seen: Vec<Vec<u64>>,
    expected: Vec<u8>,
    /// The counts.
    pub received: Received,
}

impl ReceivedLog {
    /// The log of a receiver of documents of the senders of these routes.
    pub fn new(organ: usize, routes: Rc<[Route]>) -> Self {
        let senders = routes.len();
        Self {
            routes,
            seen: vec![Vec::new(); senders],
            expected: Vec::new(),
            received: Received { organ, from: vec![(0, 0); senders], ..Received::default() },
        }
    }

    /// Checks a document. False when it is none of this measurement.
    pub fn arrived(&mut self, documents: &Documents, arrival: Arrival<'_>) -> bool {
        let known = documents.parse(arrival.id).filter(|(sender, _)| *sender < self.routes.len());
        let Some((sender, ordinal)) = known else {
            self.received.foreign += 1;
            return false;
        };
        let organ = self.received.organ;
        if self.routes[sender].recipient(ordinal) != organ {
            self.received.faults.add(|| format!("{} is not for organ {organ}", arrival.id));
            return true;
        }
        self.expected.resize(documents.size_of(sender, ordinal), 0);
        documents.fill(sender, ordinal, &mut self.expected);
        if self.expected != arrival.payload {
            self.received.altered += 1;
            self.received.faults.add(|| format!("{} is not what was sent", arrival.id));
        }
        if self.see(sender, ordinal) {
            let (distinct, beyond) = &mut self.received.from[sender];
            *distinct += 1;
            *beyond = (*beyond).max(ordinal + 1);
        } else if arrival.attempt > 1 {
            self.received.redelivered += 1;
        } else {
            self.received.duplicates += 1;
        }
        true
    }

    /// Notes a document; true the first time.
    fn see(&mut self, sender: usize, ordinal: u64) -> bool {
        let (word, bit) = ((ordinal / 64) as usize, 1 << (ordinal % 64));
        let seen = &mut self.seen[sender];
        if seen.len() <= word {
            seen.resize(word + 1, 0);
        }
        let first = seen[word] & bit == 0;
        seen[word] |= bit;
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::sizes::Sizes;

    #[test]
    fn every_way_to_be_wrong_is_counted_by_its_name() {
        let documents =
            Documents { run: "b".to_owned(), seed: 1, sizes: Sizes::Each(16), organs: 3, to: Vec::new() };
        let route = documents.route(0);
        let mine = route.recipient(0);
        let mut log = ReceivedLog::new(mine, documents.routes(3).into());
        let mut arrive =
            |id: &str, attempt, payload: &[u8]| log.arrived(&documents, Arrival { id, attempt, payload });
        let (id, good) = (documents.id(0, 0), documents.payload(0, 0));
        assert!(arrive(&id, 1, &good));
        assert!(arrive(&id, 1, &good));
        assert!(arrive(&id, 2, &good));
        assert!(arrive(&documents.id(0, 2), 1, &good));
        assert!(arrive(&documents.id(0, 1), 1, &documents.payload(0, 1)));
        assert!(!arrive("other", 1, &good));
        assert!(!arrive(&documents.id(9, 0), 1, &good));
        let Received { from, duplicates, redelivered, altered, foreign, faults, .. } = log.received;
        assert_eq!(from, [(2, 3), (0, 0), (0, 0)]);
        assert_eq!((duplicates, redelivered, altered, foreign), (1, 1, 1, 2));
        assert_eq!(faults.count, 2, "altered, and one for another organ: {faults:?}");
    }
}
