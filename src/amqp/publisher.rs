//! Publishing whose fate is told, message by message: mandatory, confirmed, whole batches at a time.
//!
//! RabbitMQ tells of an unroutable message twice, returned and then acknowledged, and lapin may hang the return on another message's
//! acknowledgement. So one task owns the channel, collects what is returned by message id, and judges a batch only
//! when all of it is acknowledged.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use lapin::options::ConfirmSelectOptions;
use lapin::{BasicProperties, Channel};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::link::{Link, Lost, State};
use super::tasks::Tasks;
use crate::metrics::Metrics;

mod in_flight;

use in_flight::{Flight, Returns, Verdict};

/// Batches handed over and not begun, before a caller waits.
const BATCHES_WAITING: usize = 16;
/// Batches published and not judged, so that the channel is not idle while the first of them is synced to disk.
const BATCHES_IN_FLIGHT: usize = 3;

/// A message to be published.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The exchange; empty for the default one.
    pub exchange: String,
    /// The routing key.
    pub routing_key: String,
    /// Its properties. The message id tells it from others on their way; one is given to a message without.
    pub properties: BasicProperties,
    /// What it says.
    pub body: Bytes,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is in a queue, safely.
    Confirmed,
    /// No queue was bound for it.
    Returned {
        /// RabbitMQ's code.
        code: u16,
        /// Its words.
        text: String,
    },
    /// A queue would not have it: it is full.
    Nacked,
    /// RabbitMQ closed the channel over it: no such exchange, too large, not allowed.
    Refused {
        /// RabbitMQ's code.
        code: u16,
        /// Its words.
        text: String,
    },
    /// RabbitMQ confirmed others and not this one, within the time for it: what is behind it was held up. It may be in a queue.
    Silent,
    /// The connection was lost, or too slow, or told to stop, before it was told. It may be in a queue.
    Unknown,
}

/// What will have become of a batch, in its order.
pub struct Settling(oneshot::Receiver<Vec<Settled>>, usize);

impl Future for Settling {
    type Output = Vec<Settled>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let unknown = self.1;
        let settled = Pin::new(&mut self.0).poll(cx);
        settled.map(|settled| settled.unwrap_or_else(|_| vec![Settled::Unknown; unknown]))
    }
}

struct Batch {
    messages: Vec<Outgoing>,
    answer: oneshot::Sender<Vec<Settled>>,
}

/// Publishes on a channel of its own. Clones share it.
#[derive(Clone)]
pub struct Publisher {
    batches: mpsc::Sender<Batch>,
}

impl Publisher {
    /// A publisher on a connection.
    pub fn start(link: &Link, metrics: Arc<Metrics>, tasks: &Tasks) -> Self {
        Self::started(link, metrics, tasks, true)
    }

    /// One whose messages are as well when no queue is bound for them: those are confirmed, too.
    pub fn for_whoever_listens(link: &Link, metrics: Arc<Metrics>, tasks: &Tasks) -> Self {
        Self::started(link, metrics, tasks, false)
    }

    fn started(link: &Link, metrics: Arc<Metrics>, tasks: &Tasks, mandatory: bool) -> Self {
        let (batches, waiting) = mpsc::channel(BATCHES_WAITING);
        let flights = VecDeque::new();
        let work = Work { link: link.clone(), metrics, mandatory, waiting, flights, named: 0 };
        tasks.spawn(work.run(tasks.stop_token()));
        Self { batches }
    }

    /// Hands over a batch: some hundred messages, a few megabytes. Waits while many wait already. Batches are published in
    /// the order of these calls. While RabbitMQ is away or takes no messages, so does this and what it gives.
    pub async fn publish(&self, messages: Vec<Outgoing>) -> Settling {
        let (answer, settled) = oneshot::channel();
        let settling = Settling(settled, messages.len());
        // A publisher that has stopped drops the batch, and that is an answer too.
        let _stopped = self.batches.send(Batch { messages, answer }).await;
        settling
    }
}

struct Work {
    link: Link,
    metrics: Arc<Metrics>,
    mandatory: bool,
    waiting: mpsc::Receiver<Batch>,
    flights: VecDeque<(Flight, oneshot::Sender<Vec<Settled>>)>,
    named: u64,
}

/// Why a channel is over.
enum Over {
    Stopped,
    Lost,
}

impl Work {
    async fn run(mut self, stop: CancellationToken) {
        loop {
            let opened = tokio::select! {
                () = stop.cancelled() => return,
                opened = open(&self.link) => opened,
            };
            let Ok((epoch, channel)) = opened else { return };
            let over = self.on_channel(epoch, &channel, &stop).await;
            self.abandon(Settled::Unknown);
            if matches!(over, Over::Stopped) {
                return;
            }
        }
    }

    /// Publishes and judges until the channel is over.
    async fn on_channel(&mut self, epoch: u64, channel: &Channel, stop: &CancellationToken) -> Over {
        let mut returns = Returns::default();
        loop {
            let room = self.flights.len() < BATCHES_IN_FLIGHT;
            let verdict = tokio::select! {
                () = stop.cancelled() => return Over::Stopped,
                verdict = first(&mut self.flights, &self.link, epoch), if !self.flights.is_empty() => verdict,
                batch = self.waiting.recv(), if room => match batch {
                    Some(batch) => {
                        self.begin(channel, batch);
                        continue;
                    }
                    None if self.flights.is_empty() => return Over::Stopped,
                    None => first(&mut self.flights, &self.link, epoch).await,
                },
            };
            match verdict {
                Verdict::Acknowledged => self.judge(&mut returns),
                Verdict::ChannelClosed => return self.one_by_one(stop).await,
                Verdict::Silent => {
                    self.abandon(Settled::Silent);
                    self.link.suspect(epoch).await;
                    return Over::Lost;
                }
                Verdict::ConnectionLost => return Over::Lost,
            }
        }
    }

    fn begin(&mut self, channel: &Channel, Batch { mut messages, answer }: Batch) {
        for message in &mut messages {
            if message.properties.message_id().is_none() {
                self.named += 1;
                let name = format!("p{}", self.named);
                message.properties = std::mem::take(&mut message.properties).with_message_id(name.into());
            }
        }
        self.metrics.broker_published.increment(messages.len() as u64);
        let timeout = self.link.options().confirm_timeout;
        self.flights.push_back((Flight::begin(channel, messages, self.mandatory, timeout), answer));
    }

    /// The first batch is acknowledged. What was returned of it may hang on later ones.
    fn judge(&mut self, returns: &mut Returns) {
        for (flight, _) in &mut self.flights {
            flight.collect(returns);
        }
        if let Some((flight, answer)) = self.flights.pop_front() {
            let settled = flight.settle(returns);
            self.count(&settled);
            let _nobody_waits = answer.send(settled);
        }
    }

    fn count(&self, settled: &[Settled]) {
        for one in settled {
            let counter = match one {
                Settled::Confirmed => &self.metrics.broker_confirmed,
                Settled::Returned { .. } => &self.metrics.broker_returned,
                Settled::Nacked | Settled::Refused { .. } => &self.metrics.broker_nacked,
                Settled::Silent | Settled::Unknown => &self.metrics.broker_unconfirmed,
            };
            counter.increment(1);
        }
    }

    /// Everything on its way has an unknown fate; of the first that is waited for it is known why.
    fn abandon(&mut self, waited_for: Settled) {
        let mut waited_for = Some(waited_for);
        for (flight, answer) in std::mem::take(&mut self.flights) {
            let mut settled = vec![Settled::Unknown; flight.len()];
            if let (Some(first), Some(known)) =
                (settled.get_mut(flight.acknowledged_up_to()), waited_for.take())
            {
                *first = known;
            }
            self.count(&settled);
            let _nobody_waits = answer.send(settled);
        }
    }

    /// RabbitMQ closed the channel over a message and does not say which: each goes on a channel of its own where need be.
    async fn one_by_one(&mut self, stop: &CancellationToken) -> Over {
        let timeout = self.link.options().confirm_timeout;
        for (flight, answer) in std::mem::take(&mut self.flights) {
            let mut settled = Vec::with_capacity(flight.len());
            let mut at: Option<(u64, Channel)> = None;
            for message in flight.into_messages() {
                if at.is_none() {
                    at = tokio::select! {
                        () = stop.cancelled() => return Over::Stopped,
                        opened = open(&self.link) => opened.ok(),
                    };
                }
                let Some((epoch, channel)) = &at else { return Over::Stopped };
                let flight = Flight::begin(channel, vec![message], self.mandatory, timeout);
                let mut alone = VecDeque::from([(flight, ())]);
                let verdict = tokio::select! {
                    () = stop.cancelled() => return Over::Stopped,
                    verdict = first(&mut alone, &self.link, *epoch) => verdict,
                };
                let mut returns = Returns::default();
                let (mut flight, ()) = alone.pop_front().expect("nobody else takes it");
                flight.collect(&mut returns);
                settled.extend(match verdict {
                    Verdict::Acknowledged => flight.settle(&mut returns),
                    Verdict::ChannelClosed => vec![flight.refusal()],
                    Verdict::Silent | Verdict::ConnectionLost => vec![Settled::Unknown],
                });
                if !matches!(verdict, Verdict::Acknowledged) {
                    at = None;
                }
            }
            self.count(&settled);
            let _nobody_waits = answer.send(settled);
        }
        Over::Lost
    }
}

async fn open(link: &Link) -> Result<(u64, Channel), Lost> {
    loop {
        let (epoch, channel) = link.open().await?;
        let selecting = channel.confirm_select(ConfirmSelectOptions::default());
        match tokio::time::timeout(link.options().connect_timeout, selecting).await {
            Ok(Ok(())) => return Ok((epoch, channel)),
            Ok(Err(_)) | Err(_) => link.suspect(epoch).await,
        }
    }
}

/// Waits for the first batch. While RabbitMQ takes no messages, its time does not run.
async fn first<A>(flights: &mut VecDeque<(Flight, A)>, link: &Link, epoch: u64) -> Verdict {
    let Some((flight, _)) = flights.front_mut() else { return std::future::pending().await };
    let mut state = link.state();
    loop {
        let blocked = match &*state.borrow_and_update() {
            State::Up(now) if *now == epoch => false,
            State::Blocked(now, _) if *now == epoch => true,
            _ => return Verdict::ConnectionLost,
        };
        tokio::select! {
            biased;
            verdict = flight.acknowledged(blocked) => return verdict,
            changed = state.changed() => {
                flight.restart_time();
                if changed.is_err() {
                    return Verdict::ConnectionLost;
                }
            }
        }
    }
}
