//! A ledger whose pages of ready deliveries are let through one by one.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot, watch};
use truc::domain::calendar::Day;
use truc::domain::delivery::DeliveryId;
use truc::domain::link::LinkRecord;
use truc::domain::message::{Lane, MessageId};
use truc::domain::organ_id::OrganId;
use truc::domain::receipt::Receipt;
use truc::domain::retention::HoldId;
use truc::domain::time::Timestamp;
use truc::ledger::{
    AcceptAnswers, Acceptance, BecameReady, Between, Custody, DeadFilter, DeadLetter, DutyBounds,
    DutyFigures, Error, Hold, HoldError, HoldRequest, KeptBody, KeyedMessage, Ledger, Link, LinkChange,
    MailboxTally, MessageKey, MessageRecord, Nodes, OverdueOf, Pending, PurgeAnswers, PurgeRequest, Ready,
    ReleaseRequest, ReportAnswers, ReportRequest, StatusFile, StepAnswers, StepRequest, Story, Tally, Unheld,
};

type Answer<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// Lets one page through, as it was read or as a failure.
pub type Page = oneshot::Sender<Result<(), Error>>;

/// The gate. Each page is read at once, told of, and held until it is let through.
pub struct Gate {
    ledger: Arc<dyn Ledger>,
    read: mpsc::UnboundedSender<Page>,
}

impl Gate {
    pub fn before(ledger: Arc<dyn Ledger>) -> (Arc<Self>, mpsc::UnboundedReceiver<Page>) {
        let (read, pages) = mpsc::unbounded_channel();
        (Arc::new(Self { ledger, read }), pages)
    }
}

impl Ledger for Gate {
    fn ready<'a>(
        &'a self,
        organ: &'a OrganId,
        lane: Lane,
        after: DeliveryId,
        limit: usize,
    ) -> Answer<'a, Vec<Ready>> {
        Box::pin(async move {
            let page = self.ledger.ready(organ, lane, after, limit).await?;
            let (through, held) = oneshot::channel();
            self.read.send(through).unwrap();
            held.await.unwrap().map(|()| page)
        })
    }

    fn ready_in_lanes<'a>(&'a self, organ: &'a OrganId, limit: usize) -> Answer<'a, Vec<(Lane, Ready)>> {
        Box::pin(async move {
            let page = self.ledger.ready_in_lanes(organ, limit).await?;
            let (through, held) = oneshot::channel();
            self.read.send(through).unwrap();
            held.await.unwrap().map(|()| page)
        })
    }

    fn accept(&self, batch: Vec<Acceptance>) -> Answer<'_, Pending<AcceptAnswers>> {
        self.ledger.accept(batch)
    }

    fn step(&self, batch: Vec<StepRequest>) -> Answer<'_, Pending<StepAnswers>> {
        self.ledger.step(batch)
    }

    fn report(&self, batch: Vec<ReportRequest>) -> Answer<'_, Pending<ReportAnswers>> {
        self.ledger.report(batch)
    }

    fn messages(&self, keys: Vec<MessageKey>) -> Answer<'_, Vec<KeyedMessage>> {
        self.ledger.messages(keys)
    }

    fn due(&self, now: Timestamp, limit: usize) -> Answer<'_, Vec<DeliveryId>> {
        self.ledger.due(now, limit)
    }

    fn next_due(&self) -> Answer<'_, Option<Timestamp>> {
        self.ledger.next_due()
    }

    fn held_by_streams(&self, limit: usize) -> Answer<'_, Vec<(DeliveryId, u32)>> {
        self.ledger.held_by_streams(limit)
    }

    fn track<'a>(&'a self, sender: &'a OrganId, message_id: &'a MessageId) -> Answer<'a, Option<Story>> {
        self.ledger.track(sender, message_id)
    }

    fn receipts<'a>(&'a self, sender: &'a OrganId, after: u64, limit: usize) -> Answer<'a, Vec<Receipt>> {
        self.ledger.receipts(sender, after, limit)
    }

    fn delivery_of<'a>(
        &'a self,
        sender: &'a OrganId,
        document_id: &'a str,
        recipient: &'a OrganId,
        answers: bool,
    ) -> Answer<'a, Option<DeliveryId>> {
        self.ledger.delivery_of(sender, document_id, recipient, answers)
    }

    fn between(&self, delivery: DeliveryId) -> Answer<'_, Option<Between>> {
        self.ledger.between(delivery)
    }

    fn lineage(&self, message: MessageKey) -> Answer<'_, Vec<Link>> {
        self.ledger.lineage(message)
    }

    fn status_file<'a>(
        &'a self,
        sender: &'a OrganId,
        sender_sequence: u64,
    ) -> Answer<'a, Option<StatusFile>> {
        self.ledger.status_file(sender, sender_sequence)
    }

    fn sent<'a>(
        &'a self,
        sender: &'a OrganId,
        before: Option<MessageKey>,
        limit: usize,
    ) -> Answer<'a, Vec<MessageRecord>> {
        self.ledger.sent(sender, before, limit)
    }

    fn received<'a>(
        &'a self,
        recipient: &'a OrganId,
        before: Option<DeliveryId>,
        open_only: bool,
        limit: usize,
    ) -> Answer<'a, Vec<MessageRecord>> {
        self.ledger.received(recipient, before, open_only, limit)
    }

    fn note_overdue(&self, deliveries: Vec<DeliveryId>, at: Timestamp) -> Answer<'_, Pending<Vec<bool>>> {
        self.ledger.note_overdue(deliveries, at)
    }

    fn unacknowledged(&self, by: Timestamp, after: DeliveryId, limit: usize) -> Answer<'_, Vec<DeliveryId>> {
        self.ledger.unacknowledged(by, after, limit)
    }

    fn duty_bounds(&self, by: Timestamp, after: DeliveryId) -> Answer<'_, DutyBounds> {
        self.ledger.duty_bounds(by, after)
    }

    fn count_duty(&self, after: DeliveryId, from: Timestamp, by: Timestamp) -> Answer<'_, Pending<()>> {
        self.ledger.count_duty(after, from, by)
    }

    fn overdue<'a>(
        &'a self,
        of: &'a OverdueOf,
        before: Option<DeliveryId>,
        open_only: bool,
        limit: usize,
    ) -> Answer<'a, Vec<MessageRecord>> {
        self.ledger.overdue(of, before, open_only, limit)
    }

    fn overdue_recipients(&self) -> Answer<'_, Vec<OrganId>> {
        self.ledger.overdue_recipients()
    }

    fn duty_figures<'a>(
        &'a self,
        organ: Option<&'a OrganId>,
        days: (Day, Day),
        after: Option<&'a OrganId>,
        limit: usize,
    ) -> Answer<'a, Vec<DutyFigures>> {
        self.ledger.duty_figures(organ, days, after, limit)
    }

    fn held_in_queue<'a>(
        &'a self,
        organ: &'a OrganId,
        before: Timestamp,
        limit: usize,
    ) -> Answer<'a, Vec<(DeliveryId, u32)>> {
        self.ledger.held_in_queue(organ, before, limit)
    }

    fn unheld<'a>(&'a self, organ: &'a OrganId, after: DeliveryId, limit: usize) -> Answer<'a, Vec<Unheld>> {
        self.ledger.unheld(organ, after, limit)
    }

    fn unpublished(&self, after: DeliveryId, limit: usize) -> Answer<'_, Vec<BecameReady>> {
        self.ledger.unpublished(after, limit)
    }

    fn published(&self, ready: Vec<Ready>) -> Answer<'_, Pending<()>> {
        self.ledger.published(ready)
    }

    fn publish_again<'a>(&'a self, organ: Option<&'a OrganId>) -> Answer<'a, Pending<u64>> {
        self.ledger.publish_again(organ)
    }

    fn mark<'a>(&'a self, name: &'a str) -> Answer<'a, u64> {
        self.ledger.mark(name)
    }

    fn advance_mark<'a>(&'a self, name: &'a str, from: u64, to: u64) -> Answer<'a, Pending<bool>> {
        self.ledger.advance_mark(name, from, to)
    }

    fn links(&self, of: Option<Vec<OrganId>>) -> Answer<'_, Vec<LinkRecord>> {
        self.ledger.links(of)
    }

    fn change_link(&self, change: LinkChange) -> Answer<'_, Pending<bool>> {
        self.ledger.change_link(change)
    }

    fn nodes(&self) -> watch::Receiver<Nodes> {
        self.ledger.nodes()
    }

    fn mailboxes(&self) -> Answer<'_, Vec<MailboxTally>> {
        self.ledger.mailboxes()
    }

    fn tally(&self) -> Answer<'_, Tally> {
        self.ledger.tally()
    }

    fn probe(&self) -> Answer<'_, ()> {
        self.ledger.probe()
    }
}

impl Custody for Gate {
    fn kept(&self, until: Timestamp, limit: usize) -> Answer<'_, Vec<KeptBody>> {
        self.ledger.kept(until, limit)
    }

    fn kept_since(&self) -> Answer<'_, Option<Timestamp>> {
        self.ledger.kept_since()
    }

    fn purge(&self, batch: Vec<PurgeRequest>) -> Answer<'_, Pending<PurgeAnswers>> {
        self.ledger.purge(batch)
    }

    fn hold(&self, request: HoldRequest) -> Answer<'_, Pending<Result<Hold, HoldError>>> {
        self.ledger.hold(request)
    }

    fn release(&self, request: ReleaseRequest) -> Answer<'_, Pending<Result<Hold, HoldError>>> {
        self.ledger.release(request)
    }

    fn let_go(&self, limit: usize) -> Answer<'_, Pending<u64>> {
        self.ledger.let_go(limit)
    }

    fn holds(&self, released: bool, before: Option<HoldId>, limit: usize) -> Answer<'_, Vec<Hold>> {
        self.ledger.holds(released, before, limit)
    }

    fn dead<'a>(
        &'a self,
        filter: &'a DeadFilter,
        after: DeliveryId,
        limit: usize,
    ) -> Answer<'a, Vec<DeadLetter>> {
        self.ledger.dead(filter, after, limit)
    }

    fn open_deliveries<'a>(&'a self, organ: &'a OrganId) -> Answer<'a, u64> {
        self.ledger.open_deliveries(organ)
    }

    fn bytes(&self) -> Answer<'_, u64> {
        self.ledger.bytes()
    }
}
