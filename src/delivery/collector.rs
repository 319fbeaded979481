//! One collector: deliveries out under leases, settlements in, at most a window unsettled.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, OptionFuture};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::windows::{Room, Share};
use super::{Dispatch, Offered, Serving, SettleAnswer, WrittenSettlement};
use crate::broker::Consumer;
use crate::domain::delivery::{DeliveryId, Event, Hold, Lease};
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::{Asserter, Cause};
use crate::domain::time::Timestamp;
use crate::ledger::{self, MessageRecord, Ready, StepRequest};

/// Batches of settlements waiting for their commit; beyond it the collector reads no more of them.
const SETTLING_MAX: usize = 8;
/// Deliveries offered in one step of the ledger.
const OFFER_MAX: usize = 256;
/// Payload bytes handed out in one message, beyond which it takes no further delivery.
const MESSAGE_BYTES: usize = 256 * 1024;

/// What a collector asks for.
#[derive(Clone, Debug)]
pub struct CollectorOptions {
    /// Whose mailbox.
    pub organ: OrganId,
    /// Who serves it: the organ itself, or one that acts for it.
    pub by: OrganId,
    /// Most deliveries unsettled.
    pub window: usize,
    /// Most payload bytes unsettled.
    pub window_bytes: u64,
    /// How long a delivery is held.
    pub lease: Duration,
}

/// What a collector is handed.
#[derive(Debug)]
pub enum Handed {
    /// Deliveries, in the order they are to be processed.
    Deliveries(Vec<Offered>),
    /// Answers to settlements, in the order of those.
    Settled(Vec<SettleAnswer>),
    /// What is overdue, the newest first.
    Overdue(Vec<MessageRecord>),
}

/// Answers to hand out; the ledger's error ends the collector.
type Out = mpsc::Sender<Result<Handed, ledger::Error>>;
type Settling = BoxFuture<'static, Result<Vec<SettleAnswer>, ledger::Error>>;
type Offering = BoxFuture<'static, Result<OfferResult, ledger::Error>>;

struct OfferResult {
    taken: Vec<Ready>,
    offered: Vec<Offered>,
    room: Room,
}

#[derive(Clone, Copy)]
struct Held {
    lease: Lease,
    until: Timestamp,
    bytes: u64,
}

struct Collector {
    dispatch: Arc<Dispatch>,
    options: CollectorOptions,
    consumer: Box<dyn Consumer>,
    held: HashMap<DeliveryId, Held>,
    held_bytes: u64,
    offering: Option<Offering>,
    settling: VecDeque<Settling>,
    out: Out,
    stalled: bool,
    serving: Serving,
    share: Share,
}

impl Dispatch {
    /// Serves a mailbox until the settlements end, nobody takes what is handed out, or it is told to stop. What is
    /// unsettled then is ready again.
    pub async fn collect(
        self: Arc<Self>,
        options: CollectorOptions,
        mut settlements: mpsc::Receiver<Vec<WrittenSettlement>>,
        out: Out,
        stop: CancellationToken,
    ) {
        self.metrics.collectors.increment(1.0);
        let consumer = Arc::clone(&self.broker).consume(&options.organ);
        let (serving, share) = (self.served.serve(&options.organ), self.windows.share(&options.organ));
        let mut collector = Collector {
            dispatch: self,
            options,
            consumer,
            held: HashMap::new(),
            held_bytes: 0,
            offering: None,
            settling: VecDeque::new(),
            out,
            stalled: false,
            serving,
            share,
        };
        if let Err(error) = collector.serve(&mut settlements, &stop).await {
            // If nobody listens any more, nobody needs to be told.
            let _gone = collector.out.send(Err(error)).await.is_err();
        }
        collector.release().await;
    }
}

impl Collector {
    async fn serve(
        &mut self,
        settlements: &mut mpsc::Receiver<Vec<WrittenSettlement>>,
        stop: &CancellationToken,
    ) -> Result<(), ledger::Error> {
        let mut told = self.dispatch.notices.watch();
        // What is overdue already is told first.
        told.mark_changed();
        loop {
            let own = self.options.window.saturating_sub(self.held.len()).min(OFFER_MAX);
            let room_bytes = self.options.window_bytes.saturating_sub(self.held_bytes);
            let is_full = own == 0 || (room_bytes == 0 && !self.held.is_empty());
            let wants = !is_full && self.offering.is_none();
            let now = self.dispatch.clock.now();
            let window_max = self.dispatch.window_max(&self.options.organ);
            let room = self.share.room(window_max, if wants { own } else { 0 }, now);
            let shared_full = wants && room.count() == 0;
            self.note_stall(own == 0);
            self.serving.full(is_full || shared_full);
            let stall_in = (own == 0 && !self.stalled).then(|| self.first_lease_end());
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.out.closed() => return Ok(()),
                Ok(()) = told.changed() => self.notify().await?,
                () = tokio::time::sleep(stall_in.unwrap_or_default()), if stall_in.is_some() => {}
                written = settlements.recv(), if self.settling.len() < SETTLING_MAX => match written {
                    Some(written) => self.settle(written).await?,
                    None => return self.finish_settling().await,
                },
                Some(answers) = OptionFuture::from(self.settling.front_mut()) => {
                    self.settling.pop_front();
                    self.settled(answers?).await;
                }
                () = self.share.freed(now), if shared_full => {}
                taken = self.consumer.take(room.count(), room_bytes), if room.count() > 0 => {
                    self.offer(taken?, room);
                }
                Some(offered) = OptionFuture::from(self.offering.as_mut()) => {
                    self.offering = None;
                    self.hand_out(offered?).await;
                }
            }
        }
    }

    /// Tells what is overdue.
    async fn notify(&mut self) -> Result<(), ledger::Error> {
        let overdue = self.dispatch.overdue_notice(&self.options.organ).await?;
        if !overdue.is_empty() {
            send(&self.out, Handed::Overdue(overdue)).await;
        }
        Ok(())
    }

    /// Asks the ledger for leases, and loads the messages, while settlements go on.
    fn offer(&mut self, taken: Vec<Ready>, room: Room) {
        let dispatch = Arc::clone(&self.dispatch);
        let (organ, lease) = (self.options.organ.clone(), self.options.lease);
        self.offering = Some(Box::pin(async move {
            let offered = dispatch.offer(&organ, &taken, Hold::Stream, lease).await?;
            Ok(OfferResult { taken, offered, room })
        }));
    }

    fn hold(&mut self, taken: &[Ready], offered: &[Offered], room: Room) {
        for ready in taken {
            self.consumer.decided(ready.delivery);
        }
        for offered in offered {
            let bytes = offered.message.payload.len() as u64;
            let ((delivery, lease), until) = offered.held();
            self.held.insert(delivery, Held { lease, until, bytes });
            self.held_bytes += bytes;
        }
        room.hold(offered.iter().map(Offered::held));
    }

    async fn hand_out(&mut self, OfferResult { taken, offered, room }: OfferResult) {
        self.hold(&taken, &offered, room);
        self.serving.moved(taken.len());
        let mut batch = Vec::new();
        let mut bytes = 0;
        for offered in offered {
            bytes += offered.message.payload.len();
            batch.push(offered);
            if bytes >= MESSAGE_BYTES {
                send(&self.out, Handed::Deliveries(std::mem::take(&mut batch))).await;
                bytes = 0;
            }
        }
        if !batch.is_empty() {
            send(&self.out, Handed::Deliveries(batch)).await;
        }
    }

    async fn settle(&mut self, written: Vec<WrittenSettlement>) -> Result<(), ledger::Error> {
        let (batch, requests) = self.dispatch.settle_requests(&self.options.organ, &self.options.by, written);
        let pending = match requests.is_empty() {
            true => None,
            false => Some(self.dispatch.ledger.step(requests).await?),
        };
        let (dispatch, organ) = (Arc::clone(&self.dispatch), self.options.organ.clone());
        self.settling.push_back(Box::pin(async move {
            let answers = match pending {
                Some(pending) => pending.await?,
                None => Vec::new(),
            };
            Ok(dispatch.settle_answers(&organ, batch, answers))
        }));
        Ok(())
    }

    async fn settled(&mut self, answers: Vec<SettleAnswer>) {
        self.serving.moved(answers.len());
        for (id, _) in &answers {
            // Whatever the answer is, this collector is done with it.
            if let Some(held) = DeliveryId::parse(id).and_then(|id| self.held.remove(&id)) {
                self.held_bytes -= held.bytes;
            }
        }
        send(&self.out, Handed::Settled(answers)).await;
    }

    async fn finish_settling(&mut self) -> Result<(), ledger::Error> {
        while let Some(answers) = self.settling.pop_front() {
            self.settled(answers.await?).await;
        }
        Ok(())
    }

    fn first_lease_end(&self) -> Duration {
        let now = self.dispatch.clock.now();
        let ends = self.held.values().map(|held| held.until).min();
        // A little later, so that then it has ended.
        ends.map_or(Duration::ZERO, |end| end.since(now)) + Duration::from_millis(50)
    }

    /// A full window whose oldest lease has ended is a collector that stands still.
    fn note_stall(&mut self, full: bool) {
        let now = self.dispatch.clock.now();
        let stalled = full && self.held.values().any(|held| held.until <= now);
        if stalled != self.stalled {
            self.stalled = stalled;
            let gauge = &self.dispatch.metrics.collectors_stalled;
            if stalled {
                gauge.increment(1.0)
            } else {
                gauge.decrement(1.0)
            }
            let organ = &self.options.organ;
            match stalled {
                true => {
                    tracing::warn!(%organ, "a collector holds a full window past its leases; it gets nothing more")
                }
                false => tracing::info!(%organ, "a collector settles again"),
            }
        }
    }

    /// Makes ready again what is unsettled.
    async fn release(mut self) {
        if let Some(offering) = self.offering.take()
            && let Ok(OfferResult { taken, offered, room }) = offering.await
        {
            self.hold(&taken, &offered, room);
        }
        self.dispatch.metrics.collectors.decrement(1.0);
        if self.stalled {
            self.dispatch.metrics.collectors_stalled.decrement(1.0);
        }
        // What was being settled is settled first, so that it is not offered again.
        for settling in std::mem::take(&mut self.settling) {
            if let Ok(answers) = settling.await {
                for (id, _) in answers {
                    DeliveryId::parse(&id).map(|id| self.held.remove(&id));
                }
            }
        }
        if self.held.is_empty() {
            return;
        }
        let held: Vec<_> = self.held.iter().map(|(delivery, held)| (*delivery, held.lease)).collect();
        let at = self.dispatch.clock.now();
        let request = |(delivery, held): (DeliveryId, Held)| StepRequest {
            delivery,
            recipient: None,
            event: Event::Dropped { lease: held.lease, cause: Cause::Disconnected },
            at,
            by: Asserter::Gateway,
        };
        let mut requests: Vec<_> = self.held.drain().map(request).collect();
        requests.sort_by_key(|request| request.delivery);
        // Should the ledger fail here, the leases end by themselves.
        if let Ok(pending) = self.dispatch.ledger.step(requests).await {
            let _failed = pending.await.is_err();
        }
        self.dispatch.windows.release(&self.options.organ, held);
    }
}

async fn send(out: &Out, handed: Handed) {
    // A receiver that is gone ends the collector at its next turn.
    let _gone = out.send(Ok(handed)).await.is_err();
}

impl Dispatch {
    /// How many deliveries all who serve an organ's mailbox on this node may hold together, where that is bounded.
    pub(super) fn window_max(&self, organ: &OrganId) -> Option<u32> {
        self.allowances.load().of(organ).window_max
    }

    /// Leases deliveries taken from the broker; gives those the ledger granted, with their messages, in order.
    pub async fn offer(
        &self,
        organ: &OrganId,
        taken: &[Ready],
        hold: Hold,
        lease: Duration,
    ) -> Result<Vec<Offered>, ledger::Error> {
        let at = self.clock.now();
        let event = Event::Offer { hold, until: at.plus(lease) };
        let answers = self.ledger.step(self.offers(organ, taken, &event, at)).await?.await?;
        let granted: Vec<_> = answers.into_iter().flatten().collect();
        let messages = self.hot.load(&*self.ledger, granted.iter().map(|s| s.message)).await?;
        self.metrics.offers.increment(granted.len() as u64);
        let offered = granted.into_iter().filter_map(|stepped| {
            let message = messages.get(&stepped.message).map(Arc::clone);
            if message.is_none() {
                tracing::error!(delivery = %stepped.delivery, "a delivery without its message; it stays leased");
            }
            Some(Offered { message: message?, stepped })
        });
        Ok(offered.collect())
    }
}
