//! Whether every document of a measurement came to its receiver as it was sent, once, and with its receipts.

use serde::Serialize;

use super::documents::Documents;
use super::faults::Faults;
use super::received::Received;
use super::sent::Sent;

/// What was checked of all documents, the warm-up's too.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// Every document was accepted, was delivered byte for byte and once, and - at a gateway - has its receipts, in order
    /// and without a gap.
    pub verified: bool,
    /// Documents submitted.
    pub submitted: u64,
    /// Of these, answered as accepted.
    pub accepted: u64,
    /// Documents received, each counted once.
    pub received: u64,
    /// Documents whose senders have all their receipts.
    pub receipted: u64,
    /// Documents received again in the same attempt.
    pub duplicates: u64,
    /// Documents received again in a later attempt.
    pub redelivered: u64,
    /// Documents whose bytes were not those sent.
    pub altered: u64,
    /// Documents of nobody's measurement, left alone.
    pub foreign: u64,
    /// Receipts of attempts that did not settle.
    pub deferred: u64,
    /// Submissions refused for a moment and submitted again.
    pub resubmitted: u64,
    /// Settlements refused.
    pub unsettled: u64,
    /// Whatever else was wrong.
    pub faults: u64,
    /// The first of these, in words.
    pub first_faults: Vec<String>,
}

/// What has to hold of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// It is accepted.
    Accepted,
    /// And received.
    Received,
    /// And its sender has all receipts.
    Receipted,
}

impl Verdict {
    /// Judges what all client processes saw.
    pub fn of(documents: &Documents, promise: Promise, sent: &[Sent], received: &[Received]) -> Self {
        let mut verdict = Self::default();
        let mut faults = Faults::default();
        for sent in sent {
            verdict.submitted += sent.submitted;
            verdict.accepted += sent.accepted;
            verdict.receipted += sent.delivered;
            verdict.deferred += sent.deferred;
            verdict.resubmitted += sent.resubmitted;
            faults.merge(sent.faults.clone());
            if promise >= Promise::Received {
                check_arrivals(documents, sent, received, &mut faults);
            }
        }
        for received in received {
            verdict.received += received.from.iter().map(|(distinct, _)| distinct).sum::<u64>();
            verdict.duplicates += received.duplicates;
            verdict.redelivered += received.redelivered;
            verdict.altered += received.altered;
            verdict.foreign += received.foreign;
            verdict.unsettled += received.unsettled;
            faults.merge(received.faults.clone());
        }
        let owed = |owed: bool, got: u64| !owed || got == verdict.submitted;
        verdict.verified = faults.count == 0
            && verdict.submitted > 0
            && verdict.duplicates + verdict.redelivered == 0
            && owed(true, verdict.accepted)
            && owed(promise >= Promise::Received, verdict.received)
            && owed(promise == Promise::Receipted, verdict.receipted);
        (verdict.faults, verdict.first_faults) = (faults.count, faults.told);
        verdict
    }

    /// The verdict of two measurements together.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.verified &= other.verified;
        self.submitted += other.submitted;
        self.accepted += other.accepted;
        self.received += other.received;
        self.receipted += other.receipted;
        self.duplicates += other.duplicates;
        self.redelivered += other.redelivered;
        self.altered += other.altered;
        self.foreign += other.foreign;
        self.deferred += other.deferred;
        self.resubmitted += other.resubmitted;
        self.unsettled += other.unsettled;
        self.faults += other.faults;
        self.first_faults.extend(other.first_faults.iter().cloned());
        self
    }
}

/// Each receiver has from this sender as many different documents as were sent to it, and none beyond the last one sent.
fn check_arrivals(documents: &Documents, sent: &Sent, received: &[Received], faults: &mut Faults) {
    // Those that only receive are no senders to the others.
    if received.first().is_some_and(|to| to.from.len() <= sent.organ) {
        return;
    }
    let route = documents.route(sent.organ);
    for to in received {
        let (distinct, beyond) = to.from.get(sent.organ).copied().unwrap_or_default();
        let expected = route.expected(to.organ, sent.submitted);
        if distinct != expected || beyond > sent.submitted {
            let (from, to) = (sent.organ, to.organ);
            faults.add(|| format!("organ {to} has {distinct} documents of organ {from}, not {expected}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::sizes::Sizes;

    fn two_organs() -> (Documents, Vec<Sent>, Vec<Received>) {
        let documents =
            Documents { run: "b".to_owned(), seed: 1, sizes: Sizes::Each(1), organs: 2, to: Vec::new() };
        let sent = |organ| Sent { organ, submitted: 3, accepted: 3, delivered: 3, ..Sent::default() };
        let received = |organ, from| Received { organ, from, ..Received::default() };
        let got = vec![received(0, vec![(0, 0), (3, 3)]), received(1, vec![(3, 3), (0, 0)])];
        (documents, vec![sent(0), sent(1)], got)
    }

    #[test]
    fn all_there_is_verified() {
        let (documents, sent, received) = two_organs();
        let verdict = Verdict::of(&documents, Promise::Receipted, &sent, &received);
        assert!(verdict.verified, "{verdict:?}");
        assert_eq!((verdict.submitted, verdict.received, verdict.receipted), (6, 6, 6));
    }

    #[test]
    fn anything_amiss_is_not() {
        type Spoil = fn(&mut Vec<Sent>, &mut Vec<Received>);
        let spoils: [(&str, Spoil); 8] = [
            ("lost", |_, received| received[0].from[1] = (2, 3)),
            ("from beyond", |_, received| received[0].from[1] = (3, 4)),
            ("no acceptance", |sent, _| sent[0].accepted = 2),
            ("no receipt", |sent, _| sent[0].delivered = 2),
            ("twice", |_, received| received[1].duplicates = 1),
            ("twice, later", |_, received| received[1].redelivered = 1),
            ("a fault", |sent, _| sent[1].faults.add(|| "why".to_owned())),
            ("nothing sent", |sent, received| {
                sent.clear();
                received.clear();
            }),
        ];
        for (what, spoil) in spoils {
            let (documents, mut sent, mut received) = two_organs();
            spoil(&mut sent, &mut received);
            assert!(!Verdict::of(&documents, Promise::Receipted, &sent, &received).verified, "{what}");
        }
    }

    #[test]
    fn a_promise_asks_for_no_more() {
        let (documents, mut sent, received) = two_organs();
        sent.iter_mut().for_each(|sent| sent.delivered = 0);
        assert!(Verdict::of(&documents, Promise::Received, &sent, &received).verified);
        assert!(Verdict::of(&documents, Promise::Accepted, &sent, &[]).verified);
        assert!(!Verdict::of(&documents, Promise::Received, &sent, &received[..1]).verified);
    }
}
