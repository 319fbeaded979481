//! What the ledger is asked: each call is handed to the writer, or to a reader.

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::writer::Command;
use super::{SqliteLedger, duty, history, lineage, links, mailbox, outbox, receipts, report};
use crate::domain::calendar::Day;
use crate::domain::delivery::DeliveryId;
use crate::domain::link::LinkRecord;
use crate::domain::message::{Lane, MessageId};
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::Receipt;
use crate::domain::time::Timestamp;
use crate::ledger::{
    AcceptAnswers, Acceptance, BecameReady, Between, DutyBounds, DutyFigures, Error, KeyedMessage, Ledger,
    Link, LinkChange, MailboxTally, MessageKey, MessageRecord, Nodes, OverdueOf, Pending, Ready,
    ReportAnswers, ReportRequest, StatusFile, StepAnswers, StepRequest, Story, Tally, Unheld,
};

mod custody;

impl Ledger for SqliteLedger {
    fn accept(&self, batch: Vec<Acceptance>) -> BoxFuture<'_, Result<Pending<AcceptAnswers>, Error>> {
        Box::pin(self.writer.ask(|answer| Command::Accept(batch, answer)))
    }

    fn step(&self, batch: Vec<StepRequest>) -> BoxFuture<'_, Result<Pending<StepAnswers>, Error>> {
        Box::pin(self.writer.ask(|answer| Command::Step(batch, answer)))
    }

    fn report(&self, batch: Vec<ReportRequest>) -> BoxFuture<'_, Result<Pending<ReportAnswers>, Error>> {
        Box::pin(self.writer.ask(|answer| Command::Report(batch, answer)))
    }

    fn ready<'a>(
        &'a self,
        organ: &'a OrganId,
        lane: Lane,
        after: DeliveryId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Ready>, Error>> {
        let organ = organ.clone();
        Box::pin(self.read(move |db, _| mailbox::ready(db, &organ, lane, after, limit)))
    }

    fn ready_in_lanes<'a>(
        &'a self,
        organ: &'a OrganId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Lane, Ready)>, Error>> {
        let organ = organ.clone();
        Box::pin(self.read(move |db, _| mailbox::ready_in_lanes(db, &organ, limit)))
    }

    fn messages(&self, keys: Vec<MessageKey>) -> BoxFuture<'_, Result<Vec<KeyedMessage>, Error>> {
        Box::pin(self.read(move |db, names| history::messages(db, names, &keys)))
    }

    fn due(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<DeliveryId>, Error>> {
        Box::pin(self.read(move |db, _| mailbox::due(db, now, limit)))
    }

    fn next_due(&self) -> BoxFuture<'_, Result<Option<Timestamp>, Error>> {
        Box::pin(self.read(|db, _| mailbox::next_due(db)))
    }

    fn held_by_streams(&self, limit: usize) -> BoxFuture<'_, Result<Vec<(DeliveryId, u32)>, Error>> {
        Box::pin(self.read(move |db, _| mailbox::held_by_streams(db, limit)))
    }

    fn track<'a>(
        &'a self,
        sender: &'a OrganId,
        message_id: &'a MessageId,
    ) -> BoxFuture<'a, Result<Option<Story>, Error>> {
        let (sender, message_id) = (sender.clone(), message_id.clone());
        Box::pin(self.read(move |db, names| history::track(db, names, &sender, &message_id)))
    }

    fn receipts<'a>(
        &'a self,
        sender: &'a OrganId,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Receipt>, Error>> {
        let sender = sender.clone();
        Box::pin(self.read(move |db, names| receipts::of_sender(db, names, &sender, after, limit)))
    }

    fn delivery_of<'a>(
        &'a self,
        sender: &'a OrganId,
        document_id: &'a str,
        recipient: &'a OrganId,
        answers: bool,
    ) -> BoxFuture<'a, Result<Option<DeliveryId>, Error>> {
        let (sender, document_id, recipient) = (sender.clone(), document_id.to_owned(), recipient.clone());
        Box::pin(self.read(move |db, _| report::delivery_of(db, &sender, &document_id, &recipient, answers)))
    }

    fn between(&self, delivery: DeliveryId) -> BoxFuture<'_, Result<Option<Between>, Error>> {
        Box::pin(self.read(move |db, names| report::between(db, names, delivery)))
    }

    fn lineage(&self, message: MessageKey) -> BoxFuture<'_, Result<Vec<Link>, Error>> {
        Box::pin(self.read(move |db, names| lineage::lineage(db, names, message)))
    }

    fn status_file<'a>(
        &'a self,
        sender: &'a OrganId,
        sender_sequence: u64,
    ) -> BoxFuture<'a, Result<Option<StatusFile>, Error>> {
        let sender = sender.clone();
        Box::pin(self.read(move |db, _| report::file(db, &sender, sender_sequence)))
    }

    fn sent<'a>(
        &'a self,
        sender: &'a OrganId,
        before: Option<MessageKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<MessageRecord>, Error>> {
        let sender = sender.clone();
        Box::pin(self.read(move |db, names| history::sent(db, names, &sender, before, limit)))
    }

    fn received<'a>(
        &'a self,
        recipient: &'a OrganId,
        before: Option<DeliveryId>,
        open_only: bool,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<MessageRecord>, Error>> {
        let recipient = recipient.clone();
        Box::pin(
            self.read(move |db, names| history::received(db, names, &recipient, before, open_only, limit)),
        )
    }

    fn note_overdue(
        &self,
        deliveries: Vec<DeliveryId>,
        at: Timestamp,
    ) -> BoxFuture<'_, Result<Pending<Vec<bool>>, Error>> {
        Box::pin(self.writer.ask(move |answer| Command::NoteOverdue(deliveries, at, answer)))
    }

    fn unacknowledged(
        &self,
        by: Timestamp,
        after: DeliveryId,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<DeliveryId>, Error>> {
        Box::pin(self.read(move |db, _| duty::unacknowledged(db, by, after, limit)))
    }

    fn duty_bounds(&self, by: Timestamp, after: DeliveryId) -> BoxFuture<'_, Result<DutyBounds, Error>> {
        Box::pin(self.read(move |db, _| duty::bounds(db, by, after)))
    }

    fn count_duty(
        &self,
        after: DeliveryId,
        from: Timestamp,
        by: Timestamp,
    ) -> BoxFuture<'_, Result<Pending<()>, Error>> {
        Box::pin(self.writer.ask(move |answer| Command::CountDuty { after, from, by, answer }))
    }

    fn overdue<'a>(
        &'a self,
        of: &'a OverdueOf,
        before: Option<DeliveryId>,
        open_only: bool,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<MessageRecord>, Error>> {
        let of = of.clone();
        Box::pin(self.read(move |db, names| history::overdue(db, names, &of, before, open_only, limit)))
    }

    fn overdue_recipients(&self) -> BoxFuture<'_, Result<Vec<OrganId>, Error>> {
        Box::pin(self.read(duty::recipients))
    }

    fn duty_figures<'a>(
        &'a self,
        organ: Option<&'a OrganId>,
        days: (Day, Day),
        after: Option<&'a OrganId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<DutyFigures>, Error>> {
        let (organ, after) = (organ.cloned(), after.cloned());
        Box::pin(
            self.read(move |db, names| duty::figures(db, names, organ.as_ref(), days, after.as_ref(), limit)),
        )
    }

    fn held_in_queue<'a>(
        &'a self,
        organ: &'a OrganId,
        before: Timestamp,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(DeliveryId, u32)>, Error>> {
        let organ = organ.clone();
        Box::pin(self.read(move |db, _| mailbox::held_in_queue(db, &organ, before, limit)))
    }

    fn unheld<'a>(
        &'a self,
        organ: &'a OrganId,
        after: DeliveryId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Unheld>, Error>> {
        let organ = organ.clone();
        Box::pin(self.read(move |db, _| mailbox::unheld(db, &organ, after, limit)))
    }

    fn unpublished(&self, after: DeliveryId, limit: usize) -> BoxFuture<'_, Result<Vec<BecameReady>, Error>> {
        Box::pin(self.read(move |db, names| outbox::unpublished(db, names, after, limit)))
    }

    fn published(&self, ready: Vec<Ready>) -> BoxFuture<'_, Result<Pending<()>, Error>> {
        Box::pin(self.writer.ask(|answer| Command::Published(ready, answer)))
    }

    fn publish_again<'a>(&'a self, organ: Option<&'a OrganId>) -> BoxFuture<'a, Result<Pending<u64>, Error>> {
        let organ = organ.cloned();
        Box::pin(self.writer.ask(|answer| Command::PublishAgain(organ, answer)))
    }

    fn mark<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<u64, Error>> {
        let name = name.to_owned();
        Box::pin(self.read(move |db, _| outbox::mark(db, &name)))
    }

    fn advance_mark<'a>(
        &'a self,
        name: &'a str,
        from: u64,
        to: u64,
    ) -> BoxFuture<'a, Result<Pending<bool>, Error>> {
        let name = name.to_owned();
        Box::pin(self.writer.ask(move |answer| Command::AdvanceMark(name, from, to, answer)))
    }

    fn links(&self, of: Option<Vec<OrganId>>) -> BoxFuture<'_, Result<Vec<LinkRecord>, Error>> {
        Box::pin(self.read(move |db, _| links::read(db, of.as_deref())))
    }

    fn change_link(&self, change: LinkChange) -> BoxFuture<'_, Result<Pending<bool>, Error>> {
        Box::pin(self.writer.ask(|answer| Command::ChangeLink(change, answer)))
    }

    fn nodes(&self) -> watch::Receiver<Nodes> {
        self.nodes.subscribe()
    }

    fn mailboxes(&self) -> BoxFuture<'_, Result<Vec<MailboxTally>, Error>> {
        Box::pin(self.read(mailbox::mailboxes))
    }

    fn tally(&self) -> BoxFuture<'_, Result<Tally, Error>> {
        Box::pin(self.read(mailbox::tally))
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { self.writer.ask(Command::Probe).await?.await })
    }
}
