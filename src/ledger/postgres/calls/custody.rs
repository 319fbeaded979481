//! What is asked of the ledger about payloads that go or are held, and dead letters.

use futures_util::future::BoxFuture;

use crate::domain::delivery::DeliveryId;
use crate::domain::organ_id::OrganId;
use crate::domain::retention::HoldId;
use crate::domain::time::Timestamp;
use crate::ledger::custody::Work;
use crate::ledger::postgres::command::Command;
use crate::ledger::postgres::{PostgresLedger, custody, dead, holds, mailbox};
use crate::ledger::{
    Custody, DeadFilter, DeadLetter, Error, Hold, HoldError, HoldRequest, KeptBody, Pending, PurgeAnswers,
    PurgeRequest, ReleaseRequest,
};

impl Custody for PostgresLedger {
    fn kept(&self, until: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<KeptBody>, Error>> {
        Box::pin(self.readers.read(move |db, names| Box::pin(custody::kept(db, names, until, limit))))
    }

    fn kept_since(&self) -> BoxFuture<'_, Result<Option<Timestamp>, Error>> {
        Box::pin(self.readers.read(|db, _| Box::pin(custody::kept_since(db))))
    }

    fn purge(&self, batch: Vec<PurgeRequest>) -> BoxFuture<'_, Result<Pending<PurgeAnswers>, Error>> {
        Box::pin(self.writer.ask(|answer| Command::Custody(Work::Purge(batch, answer))))
    }

    fn hold(&self, request: HoldRequest) -> BoxFuture<'_, Result<Pending<Result<Hold, HoldError>>, Error>> {
        Box::pin(self.writer.ask(|answer| Command::Custody(Work::Hold(request, answer))))
    }

    fn release(
        &self,
        request: ReleaseRequest,
    ) -> BoxFuture<'_, Result<Pending<Result<Hold, HoldError>>, Error>> {
        Box::pin(async move {
            // Whoever sent a message that is held gets the receipt, so that its account has to be locked.
            let hold = request.hold;
            let sender = self.readers.read(|db, _| Box::pin(holds::sender(db, hold))).await?;
            self.writer.ask(|answer| Command::Custody(Work::Release(request, sender, answer))).await
        })
    }

    fn let_go(&self, limit: usize) -> BoxFuture<'_, Result<Pending<u64>, Error>> {
        Box::pin(self.writer.ask(move |answer| Command::Custody(Work::LetGo(limit, answer))))
    }

    fn holds(
        &self,
        released: bool,
        before: Option<HoldId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Hold>, Error>> {
        Box::pin(self.readers.read(move |db, _| Box::pin(holds::holds(db, released, before, limit))))
    }

    fn dead<'a>(
        &'a self,
        filter: &'a DeadFilter,
        after: DeliveryId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<DeadLetter>, Error>> {
        Box::pin(
            self.readers.read(move |db, names| Box::pin(dead::dead(db, names, filter.clone(), after, limit))),
        )
    }

    fn open_deliveries<'a>(&'a self, organ: &'a OrganId) -> BoxFuture<'a, Result<u64, Error>> {
        let organ = organ.clone();
        Box::pin(self.readers.read(move |db, _| Box::pin(mailbox::open_deliveries(db, organ.clone()))))
    }

    fn bytes(&self) -> BoxFuture<'_, Result<u64, Error>> {
        Box::pin(self.readers.read(|db, _| Box::pin(custody::bytes(db))))
    }
}
