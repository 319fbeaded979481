//! What one transaction works on: the accounts it has locked, the rows it has read, and what it is going to write. Operations of
//! one batch see each other here, one after the other.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::Options;
use super::cells::OrganRef;
use super::change::Changes;
use super::columns::{
    Accounts, Answers, Attempts, Carriers, Deliveries, Effects, Files, Messages, Moves, Receipts, Targets,
};
use super::facts::{MessageFacts, NewFacts};
use super::fault::Fault;
use super::names::Names;
use super::transaction::Context;
use crate::domain::delivery::{DeliveryId, Progress};
use crate::domain::duty::Duty;
use crate::domain::message::{Hash, Lane, MessageId};
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::{Asserter, Receipt};
use crate::domain::status::{Request, StatusCode};
use crate::domain::time::Timestamp;
use crate::ledger::changes::Carries;
use crate::ledger::{Accepted, BecameReady, Commit, MessageKey, Ready};

/// What is known of one locked organ.
#[derive(Debug)]
pub(super) struct Account {
    pub id: OrganId,
    pub receipt_head: u64,
    pub open_deliveries: u64,
    pub was_head: u64,
    pub changed: bool,
}

/// A message the sender has sent before.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub content_hash: Hash,
    /// As it is answered again.
    pub accepted: Accepted,
}

/// A delivery under the locks.
#[derive(Debug)]
pub(super) struct Row {
    pub message: MessageKey,
    pub sender: OrganRef,
    pub recipient: OrganRef,
    pub addressed_to: Option<OrganId>,
    pub addressed_ref: Option<OrganRef>,
    pub replaces: Option<DeliveryId>,
    pub lane: Lane,
    pub payload_bytes: u64,
    /// The node on whose stream it is.
    pub holder: Option<i64>,
    pub progress: Progress,
    /// As the table has it.
    pub was: Progress,
    /// Whether it is its message's only one. Then the message's last receipt is known by it.
    pub alone: bool,
    pub ended_at: Option<Timestamp>,
    /// As the table has it.
    pub was_ended_at: Option<Timestamp>,
    /// Its duty to be acknowledged.
    pub duty: Duty,
    /// Its last business status.
    pub status: Option<StatusCode>,
    /// As the table has it.
    pub was_status: Option<StatusCode>,
    /// What its recipient is asked.
    pub request: Option<Request>,
    /// As the table has it.
    pub was_request: Option<Request>,
    pub carries: Carries,
    /// Whether something beside a step has left a receipt of it, or of its whole message, now.
    pub is_changed: bool,
    /// Whether it was noted now that it was not acknowledged in time.
    pub is_noted: bool,
}

impl Row {
    /// A delivery that is new, of the organ it has yet to be given.
    pub fn accepted(
        message: MessageKey,
        sender: OrganRef,
        (lane, payload_bytes): (Lane, u64),
        progress: Progress,
        (alone, carries, acknowledge_by): (bool, Carries, Timestamp),
    ) -> Self {
        Self {
            message,
            sender,
            recipient: sender,
            addressed_to: None,
            addressed_ref: None,
            replaces: None,
            lane,
            payload_bytes,
            holder: None,
            progress,
            was: progress,
            alone,
            ended_at: None,
            status: None,
            was_status: None,
            request: None,
            was_request: None,
            carries,
            is_changed: false,
            is_noted: false,
            was_ended_at: None,
            duty: Duty::until(acknowledge_by),
        }
    }

    /// Whether anything of it is other than the table has it.
    fn is_other(&self) -> bool {
        self.progress != self.was || self.is_changed || self.is_noted
    }
}

/// The sheet of one transaction.
pub(super) struct Sheet<'a> {
    pub node: i64,
    pub options: &'a Options,
    pub names: &'a Names,
    pub chance: fastrand::Rng,
    pub accounts: HashMap<OrganRef, Account>,
    pub known: HashMap<(OrganRef, &'a MessageId), Known>,
    pub deliveries: BTreeMap<i64, Row>,
    /// The number and the time of a message's last receipt.
    pub last_receipts: HashMap<MessageKey, (u32, Timestamp)>,
    /// The receipts of the reports of deliveries that are reported on, in order.
    pub reports: HashMap<i64, Vec<Receipt>>,
    /// The messages of those.
    pub messages: HashMap<i64, MessageFacts>,
    pub message_keys: VecDeque<MessageKey>,
    pub delivery_ids: VecDeque<DeliveryId>,
    pub new_messages: Messages<'a>,
    pub new_deliveries: Deliveries,
    pub new_receipts: Receipts<'a>,
    pub new_files: Files<'a>,
    pub new_targets: Targets<'a>,
    pub new_effects: Effects,
    pub answers: Answers,
    pub carriers: Carriers,
    pub changes: Changes,
    pub outbox: Attempts,
    /// What is no longer to be published.
    pub withdrawn: Attempts,
    pub new_facts: NewFacts,
    pub commit: Commit,
}

impl<'a> Sheet<'a> {
    /// A sheet on which nothing stands yet.
    pub fn blank(context: &Context<'a>) -> Self {
        Self {
            node: context.commit.node,
            options: context.options,
            names: context.names,
            chance: fastrand::Rng::new(),
            accounts: HashMap::new(),
            known: HashMap::new(),
            deliveries: BTreeMap::new(),
            last_receipts: HashMap::new(),
            reports: HashMap::new(),
            messages: HashMap::new(),
            message_keys: VecDeque::new(),
            delivery_ids: VecDeque::new(),
            new_messages: Messages::default(),
            new_deliveries: Deliveries::default(),
            new_receipts: Receipts::default(),
            new_files: Files::default(),
            new_targets: Targets::default(),
            new_effects: Effects::default(),
            answers: Answers::default(),
            carriers: Carriers::default(),
            changes: Changes::default(),
            outbox: Attempts::default(),
            withdrawn: Attempts::default(),
            new_facts: NewFacts::default(),
            commit: Commit::default(),
        }
    }

    /// The number of an organ that was entered before the transaction began.
    pub fn number(&self, organ: &OrganId) -> Result<OrganRef, Fault> {
        self.names.number(organ).ok_or(Fault::Unfamiliar)
    }

    /// Who asserts a receipt, as its column holds it.
    pub fn asserter(&self, by: &Asserter) -> Result<Option<OrganRef>, Fault> {
        match by {
            Asserter::Gateway => Ok(None),
            Asserter::Organ(organ) => self.number(organ).map(Some),
            Asserter::Operator(name) => self.names.operator(name).map(Some).ok_or(Fault::Unfamiliar),
        }
    }

    /// The account of an organ that must be locked.
    pub fn account(&self, organ: OrganRef) -> Result<&Account, Fault> {
        self.accounts.get(&organ).ok_or(Fault::Unfamiliar)
    }

    /// The same, to change it.
    pub fn change(&mut self, organ: OrganRef) -> Result<&mut Account, Fault> {
        let account = self.accounts.get_mut(&organ).ok_or(Fault::Unfamiliar)?;
        account.changed = true;
        Ok(account)
    }

    /// The next number in a sender's log.
    pub fn next_receipt(&mut self, sender: OrganRef) -> Result<u64, Fault> {
        let account = self.change(sender)?;
        account.receipt_head += 1;
        Ok(account.receipt_head)
    }

    /// Tells of a delivery that has become ready.
    pub fn became_ready(&mut self, became: BecameReady) {
        if self.options.outbox {
            self.outbox.put(&became.ready);
        }
        self.commit.ready.push(became);
    }

    /// A delivery is no longer to be published.
    pub fn withdraw(&mut self, gone: &Ready) {
        self.outbox.forget(gone.delivery);
        self.withdrawn.put(gone);
        self.commit.ready.retain(|became| became.ready.delivery != gone.delivery);
    }

    /// A delivery that is new is at hand for the changes that follow in the batch.
    pub fn keep(&mut self, id: DeliveryId, row: Row) {
        if self.changes.any {
            self.changes.keep(row.message, id);
            self.deliveries.insert(super::bounded(id.0), row);
        }
    }

    /// Tells of a due time.
    pub fn due(&mut self, due: Option<Timestamp>) {
        self.commit.due = [self.commit.due, due].into_iter().flatten().min();
    }

    /// The deliveries that have moved on.
    pub fn moves(&self) -> Moves {
        let mut moves = Moves::default();
        for (id, row) in self.deliveries.iter().filter(|(_, row)| row.is_other()) {
            let last = self.last_receipts.get(&row.message).filter(|_| row.alone);
            moves.push(*id, row, last.copied());
        }
        moves
    }

    /// The accounts that have changed; tells of the logs that have grown.
    pub fn close_accounts(&mut self) -> Accounts {
        let mut columns = Accounts::default();
        for (organ, account) in self.accounts.iter().filter(|(_, account)| account.changed) {
            columns.organ.push(*organ);
            columns.receipt_head.push(super::bounded(account.receipt_head));
            columns.open_deliveries.push(super::bounded(account.open_deliveries));
            if account.receipt_head != account.was_head {
                self.commit.receipt_heads.push((account.id.clone(), account.receipt_head));
            }
        }
        columns
    }
}
