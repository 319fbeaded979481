//! What a sender knows of its documents: when each was submitted, and whether its receipts are as they have to be.

use serde::{Deserialize, Serialize};

use super::faults::Faults;
use super::latency::Latency;
use crate::domain::time::Timestamp;
use crate::proto::v1::{Receipt, ReceiptKind};

/// What became of the documents of one sender.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sent {
    /// The sender's number.
    pub organ: usize,
    /// Documents submitted.
    pub submitted: u64,
    /// Of these, accepted (confirmed, by a RabbitMQ node).
    pub accepted: u64,
    /// Of these, those with all their receipts: accepted, offered, delivered.
    pub delivered: u64,
    /// Receipts of attempts that did not settle.
    pub deferred: u64,
    /// Submissions refused for a moment and submitted again.
    pub resubmitted: u64,
    /// What was wrong.
    pub faults: Faults,
}

/// A sender's log.
#[derive(Debug, Default)]
pub struct SentLog {
    documents: Vec<Entry>,
    // The number of the last receipt seen.
    sequence: u64,
    /// The counts.
    pub sent: Sent,
    /// From submitting to the answer, of this phase.
    pub accept_latency: Latency,
    /// From submitting to the delivered receipt, of this phase.
    pub end_latency: Latency,
    /// The first submission and the last end of this phase.
    pub span: Option<(Timestamp, Timestamp)>,
}

#[derive(Debug)]
struct Entry {
    submitted_at: Timestamp,
    answered: bool,
    receipts: u32,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Submitted,
    Accepted,
    Offered,
    Deferred,
    Delivered,
}

impl SentLog {
    /// The log of a sender.
    pub fn new(organ: usize) -> Self {
        Self { sent: Sent { organ, ..Sent::default() }, ..Self::default() }
    }

    /// Begins a phase: figures start anew.
    pub fn begin(&mut self) {
        self.accept_latency.clear();
        self.end_latency.clear();
        self.span = None;
    }

    /// A document is submitted; gives its ordinal.
    pub fn submit(&mut self, at: Timestamp) -> u64 {
        let entry = Entry { submitted_at: at, answered: false, receipts: 0, stage: Stage::Submitted };
        self.documents.push(entry);
        self.span.get_or_insert((at, at));
        self.sent.submitted += 1;
        self.sent.submitted - 1
    }

    /// The answer to a submission: accepted.
    pub fn accepted(&mut self, ordinal: u64, at: Timestamp) {
        match entry(&mut self.documents, ordinal) {
            Some(entry) if !entry.answered => {
                entry.answered = true;
                self.accept_latency.record(at.since(entry.submitted_at));
                self.sent.accepted += 1;
            }
            Some(_) => self.sent.faults.add(|| format!("document {ordinal} was answered twice")),
            None => self.sent.faults.add(|| format!("an answer about document {ordinal}, never submitted")),
        }
    }

    /// A document has ended.
    pub fn ended(&mut self, at: Timestamp) {
        if let Some((_, last)) = &mut self.span {
            *last = at.max(*last);
        }
    }

    /// Where the log of receipts stands that this measurement has no part in.
    pub fn starts_after(&mut self, sequence: u64) {
        self.sequence = sequence;
    }

    /// A receipt, with the ordinal of the document it is about when that is of this measurement. True when it is the
    /// last one of its document.
    pub fn receipt(&mut self, receipt: &Receipt, ordinal: Option<u64>, at: Timestamp) -> bool {
        self.sequence += 1;
        if receipt.sender_sequence != self.sequence {
            let (came, due) = (receipt.sender_sequence, self.sequence);
            self.sent.faults.add(|| format!("receipt {came} came where {due} was due"));
            self.sequence = came;
        }
        let Some(ordinal) = ordinal else { return false };
        let Some(entry) = entry(&mut self.documents, ordinal) else {
            self.sent.faults.add(|| format!("a receipt of document {ordinal}, never submitted"));
            return false;
        };
        entry.receipts += 1;
        let next = entry.stage.after(receipt.kind()).filter(|_| receipt.message_sequence == entry.receipts);
        let Some(next) = next else {
            let (stage, kind, number) = (entry.stage, receipt.kind().as_str_name(), receipt.message_sequence);
            self.sent.faults.add(|| format!("document {ordinal}, {stage:?}, got {kind} as number {number}"));
            return false;
        };
        entry.stage = next;
        match next {
            Stage::Deferred => self.sent.deferred += 1,
            Stage::Delivered => {
                self.end_latency.record(at.since(entry.submitted_at));
                self.sent.delivered += 1;
                self.ended(at);
            }
            Stage::Submitted | Stage::Accepted | Stage::Offered => {}
        }
        next == Stage::Delivered
    }
}

impl Stage {
    /// Where a document stands after one more receipt; none when that receipt cannot follow.
    fn after(self, kind: ReceiptKind) -> Option<Self> {
        match (self, kind) {
            (Self::Submitted, ReceiptKind::Accepted) => Some(Self::Accepted),
            (Self::Accepted | Self::Deferred, ReceiptKind::Offered) => Some(Self::Offered),
            (Self::Offered, ReceiptKind::Deferred) => Some(Self::Deferred),
            (Self::Offered, ReceiptKind::Delivered) => Some(Self::Delivered),
            _ => None,
        }
    }
}

fn entry(documents: &mut [Entry], ordinal: u64) -> Option<&mut Entry> {
    documents.get_mut(usize::try_from(ordinal).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReceiptKind::{Accepted, Deferred, Delivered, Expired, Offered};

    fn log(kinds: &[(u64, u64, ReceiptKind)]) -> SentLog {
        let mut log = SentLog::new(0);
        let at = Timestamp::from_micros;
        assert_eq!((log.submit(at(10)), log.submit(at(20))), (0, 1));
        let mut numbers = [0; 2];
        for (sequence, ordinal, kind) in kinds {
            numbers[*ordinal as usize] += 1;
            let receipt = Receipt {
                sender_sequence: *sequence,
                message_sequence: numbers[*ordinal as usize],
                kind: (*kind).into(),
                ..Receipt::default()
            };
            log.receipt(&receipt, Some(*ordinal), at(1_000));
        }
        log
    }

    #[test]
    fn a_good_log_has_no_fault() {
        let good =
            log(&[(1, 1, Accepted), (2, 0, Accepted), (3, 0, Offered), (4, 0, Delivered), (5, 1, Offered)]);
        assert_eq!(good.sent.faults.count, 0, "{:?}", good.sent.faults);
        assert_eq!((good.sent.delivered, good.end_latency.count()), (1, 1));
        let again =
            log(&[(1, 0, Accepted), (2, 0, Offered), (3, 0, Deferred), (4, 0, Offered), (5, 0, Delivered)]);
        assert_eq!((again.sent.faults.count, again.sent.deferred, again.sent.delivered), (0, 1, 1));
    }

    #[test]
    fn what_is_wrong_is_a_fault() {
        for (kinds, what) in [
            (vec![(1, 0, Accepted), (3, 0, Offered)], "a gap"),
            (vec![(1, 0, Accepted), (1, 0, Offered)], "a repeat"),
            (vec![(1, 0, Offered)], "an offer before the acceptance"),
            (vec![(1, 0, Accepted), (2, 0, Delivered)], "a delivery without an offer"),
            (vec![(1, 0, Accepted), (2, 0, Accepted)], "two acceptances"),
            (vec![(1, 0, Accepted), (2, 0, Expired)], "an expiry"),
            (vec![(1, 0, Accepted), (2, 0, Offered), (3, 0, Delivered), (4, 0, Delivered)], "two deliveries"),
        ] {
            assert_eq!(log(&kinds).sent.faults.count, 1, "{what}");
        }
    }

    #[test]
    fn a_repeated_or_unknown_answer_is_a_fault() {
        let mut log = log(&[]);
        log.accepted(0, Timestamp::from_micros(50));
        assert_eq!((log.sent.accepted, log.sent.faults.count), (1, 0));
        log.accepted(0, Timestamp::from_micros(60));
        log.accepted(9, Timestamp::from_micros(60));
        assert_eq!((log.sent.accepted, log.sent.faults.count), (1, 2));
    }

    #[test]
    fn receipts_of_others_only_count_in_the_sequence() {
        let mut log = log(&[]);
        log.starts_after(41);
        let receipt = Receipt { sender_sequence: 42, ..Receipt::default() };
        assert!(!log.receipt(&receipt, None, Timestamp::EPOCH));
        assert_eq!(log.sent.faults.count, 0);
    }
}
