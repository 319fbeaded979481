//! Publishing: from the outbox to RabbitMQ, in order as long as nothing fails, and until it is confirmed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::OptionFuture;
use futures_util::stream::FuturesOrdered;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Core;
use super::outbox::Next;
use super::parcel::{Load, Parcel};
use super::reserve::Reserve;
use crate::amqp::{Settled, Settling};
use crate::domain::delivery::DeliveryId;
use crate::domain::organ_id::OrganId;
use crate::ledger::{self, BecameReady, Pending, Ready};

/// Deliveries published together.
const BATCH: usize = 256;
/// Bytes published together; a larger message goes alone.
const BATCH_BYTES: usize = 4 << 20;
/// Batches on their way.
const FLIGHTS: usize = 4;
/// Confirmed batches the ledger has not written yet.
const PENDING_MAX: usize = 64;
/// The wait before the ledger is asked again, or a missing exchange is tried again.
const AGAIN_DELAY: Duration = Duration::from_secs(1);
/// RabbitMQ's code for what is not there.
const NOT_FOUND: u16 = 404;

/// Works until told to stop.
pub(super) async fn run(core: Arc<Core>, stop: CancellationToken) {
    let (declared_one, declared) = mpsc::unbounded_channel();
    let publishing = Publishing {
        core,
        flights: FuturesOrdered::new(),
        in_flight: 0,
        pending: VecDeque::new(),
        reserve: Reserve::default(),
        declared_one,
        declared,
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = publishing.run() => {}
    }
}

/// A batch on its way.
struct Flight {
    parcels: Vec<Parcel>,
    settled: Vec<Settled>,
}

async fn landing(parcels: Vec<Parcel>, settling: Settling) -> Flight {
    Flight { parcels, settled: settling.await }
}

fn deliveries_in(parcels: &[Parcel]) -> usize {
    parcels.iter().map(|parcel| parcel.deliveries.len()).sum()
}

type Landing = futures_util::future::BoxFuture<'static, Flight>;

struct Publishing {
    core: Arc<Core>,
    flights: FuturesOrdered<Landing>,
    in_flight: usize,
    pending: VecDeque<Pending<()>>,
    reserve: Reserve,
    // As many as are being declared at most.
    declared_one: mpsc::UnboundedSender<OrganId>,
    declared: mpsc::UnboundedReceiver<OrganId>,
}

impl Publishing {
    async fn run(mut self) {
        self.core.outbox.topology().await;
        loop {
            let went = match self.core.outbox.next(BATCH) {
                Some(Next::Publish(batch)) => self.send(batch).await,
                Some(Next::Read) => self.read().await,
                None => self.wait().await,
            };
            if went.is_err() {
                // The ledger has logged why; what was to be published is in its outbox.
                tokio::time::sleep(AGAIN_DELAY).await;
                self.core.outbox.look_again();
            }
            self.core.metrics.broker_backlog.set((self.in_flight + self.core.outbox.queued()) as f64);
        }
    }

    /// Waits until there is something to do.
    async fn wait(&mut self) -> Result<(), ledger::Error> {
        if self.flights.is_empty() && !self.reserve.is_declaring() {
            self.core.outbox.rest();
        }
        let core = Arc::clone(&self.core);
        let released = OptionFuture::from(self.reserve.next().map(tokio::time::sleep_until));
        let landed = tokio::select! {
            Some(flight) = self.flights.next() => Some(flight),
            () = core.outbox.something() => None,
            Some(organ) = self.declared.recv() => {
                self.reserve.end_declaring(organ);
                core.outbox.look_again();
                None
            }
            Some(()) = released => {
                self.reserve.release();
                core.outbox.look_again();
                None
            }
        };
        match landed {
            Some(flight) => self.settle(flight).await,
            None => Ok(()),
        }
    }

    /// Publishes everything the ledger says is not confirmed.
    async fn read(&mut self) -> Result<(), ledger::Error> {
        // What is confirmed is no longer in the outbox then, and is not published twice.
        while let Some(flight) = self.flights.next().await {
            self.settle(flight).await?;
        }
        while let Some(pending) = self.pending.pop_front() {
            pending.await?;
        }
        while let Ok(organ) = self.declared.try_recv() {
            self.reserve.end_declaring(organ);
        }
        self.core.outbox.begin_reading();
        let mut after = DeliveryId(0);
        loop {
            let page = self.core.ledger.unpublished(after, BATCH).await?;
            self.core.outbox.read(&page);
            let (last, full) = (page.last().map(|last| last.ready.delivery), page.len() == BATCH);
            self.send(page).await?;
            match last {
                Some(last) if full => after = last,
                _ => return Ok(()),
            }
        }
    }

    /// Publishes a batch, when there is room on the way.
    async fn send(&mut self, mut batch: Vec<BecameReady>) -> Result<(), ledger::Error> {
        batch.retain(|became| self.reserve.lets_through(became));
        if batch.is_empty() {
            return Ok(());
        }
        let packed = self.core.packer.pack(&batch).await?;
        let mut load = Load::default();
        let mut ended = Vec::new();
        for (became, packed) in batch.into_iter().zip(packed) {
            let Some(packed) = packed else {
                ended.push(became.ready);
                continue;
            };
            if load.is_full_for(&packed, BATCH_BYTES) {
                self.launch(std::mem::take(&mut load).parcels).await?;
            }
            load.add(became, packed);
        }
        self.published(ended).await?;
        match load.parcels.is_empty() {
            true => Ok(()),
            false => self.launch(load.parcels).await,
        }
    }

    async fn launch(&mut self, parcels: Vec<Parcel>) -> Result<(), ledger::Error> {
        while self.flights.len() >= FLIGHTS
            && let Some(flight) = self.flights.next().await
        {
            self.settle(flight).await?;
        }
        let names = &self.core.options.topology.names;
        let outgoing = parcels.iter().map(|parcel| parcel.outgoing(names)).collect();
        let settling = self.core.publisher.publish(outgoing).await;
        self.in_flight += deliveries_in(&parcels);
        self.flights.push_back(Box::pin(landing(parcels, settling)));
        Ok(())
    }

    /// Does what the fate of a batch asks for.
    async fn settle(&mut self, Flight { parcels, settled }: Flight) -> Result<(), ledger::Error> {
        let deliveries = deliveries_in(&parcels);
        self.in_flight -= deliveries;
        let mut confirmed = Vec::with_capacity(deliveries);
        let mut again = false;
        for (parcel, settled) in parcels.into_iter().zip(settled) {
            if settled == Settled::Confirmed {
                confirmed.extend(parcel.deliveries.iter().map(|became| became.ready));
                continue;
            }
            if let Some(lease) = parcel.lease() {
                self.core.packer.failed(&parcel.deliveries[0], lease).await;
            }
            again |= self.failed(&parcel, settled);
        }
        if again {
            self.core.outbox.look_again();
        }
        self.published(confirmed).await
    }

    /// Holds back what should be; true when the rest is to be tried again at once.
    fn failed(&mut self, parcel: &Parcel, settled: Settled) -> bool {
        let BecameReady { organ, lane, .. } = &parcel.deliveries[0];
        let delay = self.core.options.retry_delay;
        match settled {
            Settled::Confirmed => false,
            // The connection was lost; the next batch waits for it.
            Settled::Unknown => true,
            Settled::Nacked => {
                self.reserve.hold_queue(organ, (*lane).into(), delay);
                false
            }
            Settled::Returned { .. } => {
                if self.reserve.begin_declaring(organ, delay) {
                    self.declare(organ.clone(), false);
                }
                false
            }
            // Held back until the queue was looked at; the others were held up by it, and go on.
            Settled::Silent => {
                if self.reserve.begin_declaring(organ, delay) {
                    self.declare(organ.clone(), true);
                }
                true
            }
            Settled::Refused { code: NOT_FOUND, .. } => {
                self.core.redeclare.notify_one();
                self.reserve.hold_queue(organ, (*lane).into(), AGAIN_DELAY * 2);
                false
            }
            Settled::Refused { code, text } => {
                for BecameReady { ready, .. } in &parcel.deliveries {
                    tracing::error!(delivery = %ready.delivery, code, text, "RabbitMQ will not have a delivery");
                    self.reserve.hold_delivery(ready.delivery);
                }
                false
            }
        }
    }

    /// Declares a mailbox beside all else; what it held, if it was there before, is published again. One that is silent may have
    /// to be made anew first.
    fn declare(&self, organ: OrganId, silent: bool) {
        let (core, done) = (Arc::clone(&self.core), self.declared_one.clone());
        let stop = self.core.tasks.stop_token();
        self.core.tasks.spawn(async move {
            let declaring = async {
                core.declarations.forget(&organ);
                if silent {
                    // What failed is tried again when it is silent again.
                    let _failed = core.restore_mailbox(&organ).await.is_err();
                }
                if let Ok(epoch) = core.consume.up().await {
                    // What failed is tried again with the next message that comes back.
                    let _failed = core.declare_mailbox(&organ, epoch).await.is_err();
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = declaring => {}
            }
            // Nobody listens once the broker stops.
            let _stopped = done.send(organ);
        });
    }

    async fn published(&mut self, ready: Vec<Ready>) -> Result<(), ledger::Error> {
        if ready.is_empty() {
            return Ok(());
        }
        self.pending.push_back(self.core.ledger.published(ready).await?);
        while self.pending.len() > PENDING_MAX
            && let Some(first) = self.pending.pop_front()
        {
            first.await?;
        }
        Ok(())
    }
}
