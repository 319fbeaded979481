//! The contract in memory, as simply as can be: what a ledger's answers, commits and readers are compared with.

use std::collections::BTreeMap;
use std::sync::Arc;

use truc::domain::delivery::{self, DeliveryId, Entry, Progress, Step};
use truc::domain::duty::Duty;
use truc::domain::message::{Lane, MessageId};
use truc::domain::organ_id::OrganId;
use truc::domain::receipt::{Asserter, Receipt, ReceiptDelivery, ReceiptKind};
use truc::domain::status::{self, Decided, Party, Report, ReportRefused, Standing, StatusCode};
use truc::domain::time::Timestamp;
use truc::ledger::{
    AcceptRefused, Acceptance, Accepted, AcceptedDelivery, Changed, DeliveryRecord, Message, MessageKey,
    Ready, ReportError, ReportRequest, Reported, StepError, StepRequest, Stepped,
};

use super::Terms;

mod changes;
mod readers;

use changes::{Changes, Receiver, Wanted};

/// The ledger's numbers for messages.
pub type Keys = BTreeMap<(OrganId, MessageId), MessageKey>;

/// What commits tell of, all together.
#[derive(Debug, Default, PartialEq)]
pub struct Told {
    pub ready: BTreeMap<(OrganId, Lane), Vec<Ready>>,
    pub heads: BTreeMap<OrganId, u64>,
    pub due: Option<Timestamp>,
}

impl Told {
    pub fn due(&mut self, due: Option<Timestamp>) {
        self.due = [self.due, due].into_iter().flatten().min();
    }
}

#[derive(Debug)]
struct Letter {
    key: MessageKey,
    message: Arc<Message>,
    lane: Lane,
    deliveries: Vec<AcceptedDelivery>,
    changed: Option<Box<Changed>>,
    evidence: Vec<Receipt>,
    given: Acceptance,
}

impl Letter {
    fn accepted(&self, repeated: bool) -> Accepted {
        let (receipt, deliveries) = (self.evidence[0].clone(), self.deliveries.clone());
        Accepted { receipt, deliveries, changed: self.changed.clone(), repeated }
    }

    fn ready(&self, delivery: &DeliveryRecord) -> Ready {
        let payload_bytes = self.message.payload.len() as u64;
        Ready { delivery: delivery.id, message: self.key, payload_bytes, attempt: delivery.progress.attempt }
    }
}

/// A ledger in memory. Which numbers messages and deliveries get is the real one's choice, within the contract.
#[derive(Debug)]
pub struct Model {
    terms: Terms,
    letters: Vec<Letter>,
    // With the place of each one's letter.
    deliveries: BTreeMap<DeliveryId, (usize, DeliveryRecord)>,
    receipts: BTreeMap<OrganId, Vec<Receipt>>,
    changes: Changes,
    told: Told,
}

impl Model {
    pub fn new(terms: Terms) -> Self {
        let (letters, told) = (Vec::new(), Told::default());
        let (deliveries, receipts) = (BTreeMap::new(), BTreeMap::new());
        Self { terms, letters, deliveries, receipts, changes: Changes::default(), told }
    }

    pub fn letters(&self) -> usize {
        self.letters.len()
    }

    /// A letter to be handed over again.
    pub fn letter(&self, n: usize) -> Acceptance {
        self.letters[n].given.clone()
    }

    pub fn deliveries(&self) -> impl Iterator<Item = &DeliveryRecord> {
        self.deliveries.values().map(|(_, record)| record)
    }

    pub fn delivery(&self, id: DeliveryId) -> &DeliveryRecord {
        &self.deliveries[&id].1
    }

    /// What was to be told since the last look.
    pub fn told(&mut self) -> Told {
        std::mem::take(&mut self.told)
    }

    /// Checks one answer. `keys` are the ledger's numbers for messages.
    pub fn accept(&mut self, given: &Acceptance, answer: &Result<Accepted, AcceptRefused>, keys: &Keys) {
        let message = &given.message;
        let mut letters = self.letters.iter();
        let known = letters.find(|letter| {
            letter.message.sender == message.sender && letter.message.message_id == message.message_id
        });
        let expected = match known {
            Some(letter) if letter.message.content_hash == message.content_hash => Ok(letter.accepted(true)),
            Some(letter) => Err(AcceptRefused::Conflict {
                sender: message.sender.clone(),
                message_id: message.message_id.clone(),
                accepted: letter.message.content_hash,
            }),
            None => {
                self.receivers(given).and_then(|(receivers, effects)| match self.full_mailbox(&receivers) {
                    Some(full) => Err(full),
                    None => Ok(self.take_in(given, &receivers, &effects, answer, keys)),
                })
            }
        };
        assert_eq!(*answer, expected, "accepting {given:?}");
    }

    fn full_mailbox(&self, receivers: &[Receiver]) -> Option<AcceptRefused> {
        receivers.iter().map(|(addressee, _)| &addressee.recipient).find_map(|organ| {
            let open =
                self.deliveries().filter(|d| d.recipient == *organ && !d.progress.state.is_end()).count();
            let more = receivers.iter().filter(|(addressee, _)| addressee.recipient == *organ).count();
            let full = (open + more) as u64 > self.terms.mailbox_deliveries_max;
            full.then(|| AcceptRefused::MailboxFull { organ: organ.clone(), open: open as u64 })
        })
    }

    fn take_in(
        &mut self,
        given: &Acceptance,
        receivers: &[Receiver],
        effects: &[Wanted],
        answer: &Result<Accepted, AcceptRefused>,
        keys: &Keys,
    ) -> Accepted {
        let Ok(answer) = answer else { unreachable!("to be accepted: {given:?}, but {answer:?}") };
        let key = keys[&(given.message.sender.clone(), given.message.message_id.clone())];
        assert_eq!(receivers.len(), answer.deliveries.len(), "{given:?}");
        assert!(self.letters.last().is_none_or(|last| last.key < key), "message keys rise");
        let n = self.letters.len();
        let mut deliveries = Vec::new();
        for ((addressee, is_notice), answered) in receivers.iter().zip(&answer.deliveries) {
            let (id, recipient) = (answered.id, addressee.recipient.clone());
            let addressed_to = addressee.redirected.as_ref().map(|(closed, _)| closed.clone());
            assert!(self.deliveries.last_key_value().is_none_or(|(last, _)| *last < id), "delivery ids rise");
            deliveries.push(AcceptedDelivery {
                id,
                recipient: recipient.clone(),
                addressed_to: addressed_to.clone(),
            });
            let progress = Progress::accepted(given.message.expires_at);
            let duty = Duty::until(given.acknowledge_by);
            let (is_notice, request) = (*is_notice, None);
            let record = DeliveryRecord {
                id,
                recipient,
                addressed_to,
                progress,
                ended_at: None,
                status: None,
                request,
                is_notice,
                duty,
            };
            self.deliveries.insert(id, (n, record));
        }
        let message = Arc::clone(&given.message);
        let (changed, evidence, given) = (None, Vec::new(), given.clone());
        let lane = given.lane;
        self.letters.push(Letter { key, message, lane, deliveries, changed, evidence, given });
        self.leave_first_receipts(n, receivers);
        self.change(n, effects);
        self.letters[n].accepted(false)
    }

    fn leave_first_receipts(&mut self, n: usize, receivers: &[Receiver]) {
        let entry = |kind, reason| Entry { kind, cause: None, reason, retry_time: None };
        let (at, by) = (self.letters[n].message.accepted_at, Asserter::Gateway);
        self.append(n, None, entry(ReceiptKind::Accepted, String::new()), at, by.clone());
        for (place, (addressee, _)) in receivers.iter().enumerate() {
            let id = self.letters[n].deliveries[place].id;
            self.tell(id, true);
            if let Some((_, basis)) = &addressee.redirected {
                self.append(n, Some(id), entry(ReceiptKind::Redirected, basis.clone()), at, by.clone());
            }
        }
    }

    /// Checks one answer to a step.
    pub fn step(&mut self, request: &StepRequest, answer: &Result<Stepped, StepError>) {
        let expected = self.stepped(request);
        assert_eq!(*answer, expected, "taking {request:?}");
    }

    fn stepped(&mut self, request: &StepRequest) -> Result<Stepped, StepError> {
        let (n, record) = self.deliveries.get_mut(&request.delivery).ok_or(StepError::NotFound)?;
        if request.recipient.as_ref().is_some_and(|organ| *organ != record.recipient) {
            return Err(StepError::NotFound);
        }
        let n = *n;
        let decided = delivery::step(&record.progress, &request.event, request.at, &self.terms.policy, 0.5)?;
        let mut stepped = Stepped {
            delivery: record.id,
            message: self.letters[n].key,
            recipient: record.recipient.clone(),
            addressed_to: record.addressed_to.clone(),
            progress: record.progress,
            about: self.changes.carried.get(&request.delivery).cloned().unwrap_or_default(),
            is_notice: record.is_notice,
            duty: record.duty,
        };
        if let Step::Moved(next, entry) = decided {
            stepped.progress = next;
            self.moved(n, request.delivery, (next, entry), request.at, &request.by, None);
            stepped.duty = self.deliveries[&request.delivery].1.duty;
        }
        Ok(stepped)
    }

    /// Checks one answer to a report.
    pub fn report(&mut self, request: &ReportRequest, answer: &Result<Reported, ReportError>) {
        let expected = self.reported(request);
        assert_eq!(*answer, expected, "reporting {request:?}");
    }

    fn reported(&mut self, request: &ReportRequest) -> Result<Reported, ReportError> {
        let (n, record) = self.deliveries.get_mut(&request.delivery).ok_or(ReportError::NotFound)?;
        let (n, letter) = (*n, &self.letters[*n]);
        let sides = [(&letter.message.sender, Party::Sender), (&record.recipient, Party::Recipient)];
        let parties: Vec<_> = sides.iter().filter(|(id, _)| **id == request.organ).map(|(_, p)| *p).collect();
        if parties.is_empty() {
            return Err(ReportError::NotFound);
        }
        let its = |receipt: &&Receipt| receipt.delivery.as_ref().is_some_and(|d| d.id == request.delivery);
        let (receipts, reports): (Vec<&Receipt>, Vec<Report>) =
            letter.evidence.iter().filter(its).filter_map(|r| Some((r, r.report()?))).unzip();
        let now = Standing { status: record.status, request: record.request, reports: reports.len() as u32 };
        let decided: Result<_, ReportRefused> =
            status::decide(&now, &record.progress, &parties, &request.report, reports.iter());
        let next = match decided? {
            Decided::Repeated(at) => return Ok(Reported { receipt: receipts[at].clone(), repeated: true }),
            Decided::Recorded(next) => next,
        };
        record.status = next.status;
        record.request = next.request;
        let is_open = !record.progress.state.is_end();
        let answers = now.request.is_some() && next.request.is_none();
        let open = answers.then(|| self.changes.open.remove(&request.delivery)).flatten();
        let change = open.map(|open| open.change);
        let time = request.at.max(letter.evidence.last().expect("its acceptance is there").time);
        if self.terms.policy.acknowledged_by.is_met_by_status(request.report.status.code) {
            record.duty = record.duty.acknowledged(time);
        }
        let reason = request.report.reason.clone();
        let entry = Entry { kind: ReceiptKind::Status, cause: None, reason, retry_time: None };
        self.append(n, Some(request.delivery), entry, time, Asserter::Organ(request.by.clone()));
        let sender = &self.letters[n].message.sender;
        let log = self.receipts.get_mut(sender).expect("it was just appended to");
        for kept in [log.last_mut(), self.letters[n].evidence.last_mut()].into_iter().flatten() {
            kept.status = Some(Box::new(request.report.status.clone()));
        }
        self.mark(n, change.clone());
        let receipt = self.letters[n].evidence.last().expect("it was just appended").clone();
        if is_open && receipt.status.as_ref().is_some_and(|s| s.code == StatusCode::ChangeAgreed) {
            let by = Asserter::Organ(request.by.clone());
            self.cancel(request.delivery, true, &receipt.reason, request.at, &by, change);
        }
        Ok(Reported { receipt, repeated: false })
    }

    fn tell(&mut self, id: DeliveryId, ready: bool) {
        let (n, record) = &self.deliveries[&id];
        let letter = &self.letters[*n];
        self.told.due(record.progress.due_at);
        if ready {
            let lane = self.told.ready.entry((record.recipient.clone(), letter.lane)).or_default();
            lane.push(letter.ready(record));
        }
    }

    fn append(&mut self, n: usize, id: Option<DeliveryId>, entry: Entry, time: Timestamp, by: Asserter) {
        let delivery = id.map(|id| &self.deliveries[&id].1).map(|record| ReceiptDelivery {
            id: record.id,
            recipient: record.recipient.clone(),
            addressed_to: record.addressed_to.clone(),
            replaces: None,
            attempt: record.progress.attempt,
        });
        let letter = &mut self.letters[n];
        let message = &letter.message;
        let log = self.receipts.entry(message.sender.clone()).or_default();
        let receipt = Receipt {
            sender_sequence: log.len() as u64 + 1,
            message_sequence: letter.evidence.len() as u32 + 1,
            kind: entry.kind,
            sender: message.sender.clone(),
            message_id: message.message_id.clone(),
            content_hash: message.content_hash,
            payload_hash: message.payload_hash,
            time,
            asserted_by: by,
            delivery,
            cause: entry.cause,
            reason: entry.reason,
            retry_time: entry.retry_time,
            status: None,
            change: None,
        };
        self.told.heads.insert(message.sender.clone(), receipt.sender_sequence);
        log.push(receipt.clone());
        letter.evidence.push(receipt);
    }
}
