//! The facts sorted by what they are about.

use std::collections::BTreeMap;

use truc::proto::v1::{
    Acceptance, DeliveryStatus, Receipt, ReceiptKind, SettleResult, Settlement, TrackResponse,
};

use super::Ending;
use crate::document::Document;
use crate::journal::{Call, Fact, Offer};

/// All that is known of one message.
#[derive(Default)]
pub struct Case<'a> {
    pub document: Option<&'a Document>,
    pub submitted: usize,
    pub acceptances: Vec<&'a Acceptance>,
    pub story: Option<&'a TrackResponse>,
    /// In the order of the sender's log.
    pub receipts: Vec<&'a Receipt>,
}

/// An offer and when it was seen.
pub struct Offered<'a> {
    pub order: usize,
    pub call: Call,
    pub offer: &'a Offer,
}

/// An answer to a settlement and when it was seen.
pub struct Settled<'a> {
    pub order: usize,
    pub call: Call,
    pub settlement: &'a Settlement,
    pub result: &'a SettleResult,
}

/// All that is known of one delivery.
#[derive(Default)]
pub struct Course<'a> {
    pub message: Option<&'a str>,
    pub status: Option<&'a DeliveryStatus>,
    pub offers: Vec<Offered<'a>>,
    pub settling: Vec<&'a Settlement>,
    pub settled: Vec<Settled<'a>>,
    /// In the order of the sender's log.
    pub receipts: Vec<&'a Receipt>,
}

/// The facts by message, by delivery and by watcher.
pub struct Evidence<'a> {
    pub cases: BTreeMap<&'a str, Case<'a>>,
    pub courses: BTreeMap<&'a str, Course<'a>>,
    /// What each watcher saw, and whose receipts those are.
    pub watched: BTreeMap<&'a str, (&'a str, Vec<&'a Receipt>)>,
    pub logs: Vec<(&'a str, &'a [Receipt])>,
    pub broken: Vec<(&'a str, &'a str)>,
}

impl<'a> Evidence<'a> {
    /// Sorts what was seen and what is said at the end.
    pub fn sort(facts: &'a [Fact], ending: &'a Ending) -> Self {
        let mut evidence = Self {
            cases: BTreeMap::new(),
            courses: BTreeMap::new(),
            watched: BTreeMap::new(),
            logs: ending.logs.iter().map(|(sender, log)| (&**sender, &**log)).collect(),
            broken: Vec::new(),
        };
        for (order, fact) in facts.iter().enumerate() {
            evidence.add(order, fact);
        }
        for (id, story) in &ending.stories {
            evidence.cases.entry(id).or_default().story = Some(story);
            for status in &story.deliveries {
                let course = evidence.courses.entry(&status.delivery_id).or_default();
                (course.message, course.status) = (Some(id.as_str()), Some(status));
            }
        }
        for receipt in ending.logs.values().flatten() {
            evidence.cases.entry(&receipt.message_id).or_default().receipts.push(receipt);
            if receipt.kind() != ReceiptKind::Accepted {
                evidence.courses.entry(&receipt.delivery_id).or_default().receipts.push(receipt);
            }
        }
        evidence
    }

    fn add(&mut self, order: usize, fact: &'a Fact) {
        match fact {
            Fact::Submitting(document) => {
                let case = self.cases.entry(&document.message_id).or_default();
                case.document = Some(document);
                case.submitted += 1;
            }
            Fact::Accepted { message_id, acceptance } => {
                self.cases.entry(message_id).or_default().acceptances.push(acceptance);
            }
            Fact::Offered { offer, call } => {
                let course = self.courses.entry(&offer.delivery.delivery_id).or_default();
                course.offers.push(Offered { order, call: *call, offer });
            }
            Fact::Settling(settlement) => {
                self.courses.entry(&settlement.delivery_id).or_default().settling.push(settlement);
            }
            Fact::Settled { settlement, result, call } => {
                let course = self.courses.entry(&settlement.delivery_id).or_default();
                course.settled.push(Settled { order, call: *call, settlement, result });
            }
            Fact::Watched { watcher, receipt } => {
                let (_, seen) = self.watched.entry(watcher).or_insert((&receipt.sender, Vec::new()));
                seen.push(receipt);
            }
            Fact::Broken { client, what } => self.broken.push((client, what)),
        }
    }
}
