//! Fills the shelf of one mailbox from its two queues, as long as somebody serves it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{OptionFuture, join_all};
use futures_util::{FutureExt, StreamExt};
use lapin::Consumer;
use lapin::message::{BasicGetMessage, Delivery};
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, ChannelFlowOptions};
use lapin::types::FieldTable;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::acks::SharedChannel;
use super::mailbox::{Look, Mailbox};
use super::parking::Origin;
use super::{Core, dead, pointer};
use crate::amqp::{MailboxQueue, refusal};
use crate::domain::message::Lane;

/// How long a mailbox stays at hand after its last consumer left, for the next call of a system that polls.
const LINGER: Duration = Duration::from_secs(1);
/// The wait before the mailbox is tried again.
const AGAIN_DELAY: Duration = Duration::from_millis(250);

/// Works until the mailbox is closed, or told to stop.
pub(super) async fn run(
    core: Arc<Core>,
    mailbox: Arc<Mailbox>,
    looks: mpsc::Receiver<Look>,
    stop: CancellationToken,
) {
    let mut pump = Pump { core, mailbox, looks, unanswered: None, subscribed: false, silent: false };
    loop {
        let over = tokio::select! {
            () = stop.cancelled() => return,
            over = pump.serve() => over,
        };
        match over {
            Ok(()) => break,
            Err(why) => {
                tracing::debug!(organ = %pump.mailbox.organ, why, "a mailbox is taken up again");
            }
        }
        let again = async {
            if std::mem::take(&mut pump.silent) {
                // What failed is tried again when it is silent again.
                let _failed = pump.core.restore_mailbox(&pump.mailbox.organ).await.is_err();
            }
            tokio::time::sleep(AGAIN_DELAY).await;
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = again => {}
        }
        if pump.core.served.close(&pump.mailbox) {
            break;
        }
    }
    // Closed: what nobody took goes back, on whichever channel it came.
    pump.mailbox.shelf().requeue();
}

/// Resolves when the mailbox is closed, a while after its last consumer left.
async fn closed(core: &Core, mailbox: &Arc<Mailbox>) {
    let mut close_at: Option<Instant> = (mailbox.consumers() == 0).then(|| Instant::now() + LINGER);
    loop {
        let closing = OptionFuture::from(close_at.map(tokio::time::sleep_until));
        tokio::select! {
            () = mailbox.left.notified() => close_at = Some(Instant::now() + LINGER),
            Some(()) = closing => {
                close_at = None;
                if core.served.close(mailbox) {
                    return;
                }
            }
        }
    }
}

struct Pump {
    core: Arc<Core>,
    mailbox: Arc<Mailbox>,
    looks: mpsc::Receiver<Look>,
    // A look that RabbitMQ has not answered.
    unanswered: Option<Look>,
    // Somebody waits, or did: the queues are to be subscribed to.
    subscribed: bool,
    // A queue did not answer in time.
    silent: bool,
}

/// A message that was taken.
struct Got {
    deliveries: usize,
    // Messages behind it.
    left: usize,
}

/// What a mailbox takes from.
struct Source {
    channel: Arc<SharedChannel>,
    // In the order of the queues.
    consumers: Option<[Consumer; 2]>,
}

impl Source {
    /// The next message of a subscription.
    async fn next(&mut self) -> (MailboxQueue, Option<lapin::Result<Delivery>>) {
        let Some([urgent, normal]) = &mut self.consumers else { return std::future::pending().await };
        tokio::select! {
            biased;
            delivery = urgent.next() => (MailboxQueue::Urgent, delivery),
            delivery = normal.next() => (MailboxQueue::Normal, delivery),
        }
    }

    /// What is there already, of one queue as of the other; a subscription's end, once.
    fn next_now(&mut self) -> Option<(MailboxQueue, Option<lapin::Result<Delivery>>)> {
        let mut consumers = MailboxQueue::ALL.into_iter().zip(self.consumers.iter_mut().flatten());
        consumers.find_map(|(queue, consumer)| Some((queue, consumer.next().now_or_never()?)))
    }
}

impl Pump {
    /// Serves on one channel. Ends well only when the mailbox is closed.
    async fn serve(&mut self) -> Result<(), String> {
        let (core, mailbox) = (Arc::clone(&self.core), Arc::clone(&self.mailbox));
        // Whoever comes and leaves meanwhile does not begin it anew: it may take longer than they stay.
        let opened = tokio::select! {
            opened = core.pool.channel() => opened,
            () = closed(&core, &mailbox) => return Ok(()),
        };
        let (epoch, channel) = opened.map_err(|lost| lost.to_string())?;
        core.declare_mailbox(&mailbox.organ, epoch).await.map_err(|error| error.to_string())?;
        mailbox.shelf().forget_lost();
        let mut source = Source { channel, consumers: None };
        let served = self.serve_from(&mut source).await;
        self.unsubscribe(&mut source).await;
        served
    }

    async fn serve_from(&mut self, source: &mut Source) -> Result<(), String> {
        let (core, mailbox) = (Arc::clone(&self.core), Arc::clone(&self.mailbox));
        if self.subscribed {
            self.subscribe(source).await?;
        }
        if let Some(look) = self.unanswered.take() {
            self.look(source, look).await?;
        }
        let mut closed = pin!(closed(&core, &mailbox));
        loop {
            tokio::select! {
                (queue, delivery) = source.next() => self.arrived(source, queue, delivery)?,
                Some(look) = self.looks.recv() => self.look(source, look).await?,
                () = mailbox.wanted.notified(), if !self.subscribed => {
                    self.subscribed = true;
                    self.subscribe(source).await?;
                }
                () = &mut closed => return Ok(()),
            }
        }
    }

    /// Subscribes to both queues, the urgent one first and until what it has is here.
    async fn subscribe(&mut self, source: &mut Source) -> Result<(), String> {
        let limit = self.core.options.connection.connect_timeout;
        let subscribing = tokio::time::timeout(limit, async {
            let urgent = self.consume(source, MailboxQueue::Urgent).await?;
            self.fence(source, MailboxQueue::Urgent).await?;
            let normal = self.consume(source, MailboxQueue::Normal).await?;
            Ok::<_, String>([urgent, normal])
        });
        let subscribed = subscribing.await;
        self.silent |= subscribed.is_err();
        let consumers = subscribed.map_err(|_| "no answer in time".to_owned())??;
        source.consumers = Some(consumers);
        self.drain(source)
    }

    async fn consume(&self, source: &Source, queue: MailboxQueue) -> Result<Consumer, String> {
        let queue = self.core.options.topology.names.mailbox(&self.mailbox.organ, queue);
        let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
        let subscribed = source.channel.channel.basic_consume(queue.into(), "".into(), options, none).await;
        subscribed.map_err(|error| self.trouble(&error))
    }

    /// Takes one message past any subscription. None when there was none.
    async fn get(&self, source: &Source, queue: MailboxQueue) -> Result<Option<Got>, String> {
        let name = self.core.options.topology.names.mailbox(&self.mailbox.organ, queue);
        let got = source.channel.channel.basic_get(name.into(), BasicGetOptions::default()).await;
        let got = got.map_err(|error| self.trouble(&error))?;
        Ok(got.map(|BasicGetMessage { delivery, message_count }| {
            let deliveries = self.shelve(source, queue, delivery);
            Got { deliveries, left: usize::try_from(message_count).unwrap_or(usize::MAX) }
        }))
    }

    /// Resolves when what the queue had for a subscription is here. The queue answers a request after it has sent that to the
    /// channel's process; and that answers the next request after it has passed it on.
    async fn fence(&self, source: &Source, queue: MailboxQueue) -> Result<(), String> {
        self.get(source, queue).await?;
        let flowing = source.channel.channel.channel_flow(ChannelFlowOptions { active: true }).await;
        flowing.map(drop).map_err(|error| self.trouble(&error))
    }

    fn trouble(&self, error: &lapin::Error) -> String {
        if refusal(error).is_some() {
            // It may have been deleted.
            self.core.declarations.forget(&self.mailbox.organ);
        }
        error.to_string()
    }

    /// A subscription has something; whatever else is there comes along.
    fn arrived(
        &self,
        source: &mut Source,
        queue: MailboxQueue,
        delivery: Option<lapin::Result<Delivery>>,
    ) -> Result<(), String> {
        self.receive(source, queue, delivery)?;
        self.drain(source)
    }

    fn receive(
        &self,
        source: &Source,
        queue: MailboxQueue,
        delivery: Option<lapin::Result<Delivery>>,
    ) -> Result<(), String> {
        let Some(delivery) = delivery else {
            self.core.declarations.forget(&self.mailbox.organ);
            return Err("RabbitMQ ended the subscription".to_owned());
        };
        self.shelve(source, queue, delivery.map_err(|error| self.trouble(&error))?);
        Ok(())
    }

    fn drain(&self, source: &mut Source) -> Result<(), String> {
        let mut drained = Ok(());
        while let Some((queue, delivery)) = source.next_now() {
            drained = drained.and(self.receive(source, queue, delivery));
        }
        self.mailbox.something.notify_one();
        drained
    }

    /// Brings in what RabbitMQ has, up to the limit, and says so.
    async fn look(&mut self, source: &mut Source, look: Look) -> Result<(), String> {
        if look.done.is_closed() {
            return Ok(());
        }
        let limit = look.limit.min(usize::from(self.core.options.prefetch));
        let looking = tokio::time::timeout(self.core.options.connection.connect_timeout, async {
            match source.consumers.is_some() {
                // The subscription brings it; this only waits until it has.
                true => {
                    for queue in MailboxQueue::ALL {
                        self.fence(source, queue).await?;
                    }
                    Ok(())
                }
                false => self.get_many(source, limit).await,
            }
        });
        let looked = looking.await;
        self.silent |= looked.is_err();
        let looked = looked.map_err(|_| "no answer in time".to_owned()).flatten();
        match looked.and_then(|()| self.drain(source)) {
            Ok(()) => {
                // Whoever looked may have given up.
                let _gone = look.done.send(());
                Ok(())
            }
            Err(why) => {
                self.unanswered = Some(look);
                Err(why)
            }
        }
    }

    /// Takes messages until there are so many deliveries, perhaps a few more, or none are left. One of the normal lane is at hand always,
    /// so that it can have its turn.
    async fn get_many(&self, source: &Source, limit: usize) -> Result<(), String> {
        let left = self.get_some(source, MailboxQueue::Urgent, limit).await?;
        let waiting = self.mailbox.shelf().waiting(Lane::Normal);
        let wanted = left.max(limit.min(1)).saturating_sub(waiting);
        self.get_some(source, MailboxQueue::Normal, wanted).await.map(drop)
    }

    /// Takes messages of one queue; how many deliveries were wanted and not there.
    async fn get_some(
        &self,
        source: &Source,
        queue: MailboxQueue,
        mut wanted: usize,
    ) -> Result<usize, String> {
        // As many at a time as would do if each held what those before did on average.
        let (mut messages, mut deliveries, mut next) = (0, 0, 1);
        while wanted > 0 && next > 0 {
            let mut left = 0;
            for got in join_all((0..next).map(|_| self.get(source, queue))).await {
                let Some(got) = got? else { continue };
                messages += 1;
                deliveries += got.deliveries;
                wanted = wanted.saturating_sub(got.deliveries);
                left = got.left;
            }
            next = (wanted * messages).div_ceil(deliveries.max(1)).min(left);
        }
        Ok(wanted)
    }

    /// Puts what a message points to on the shelf; how many deliveries that is.
    fn shelve(&self, source: &Source, queue: MailboxQueue, delivery: Delivery) -> usize {
        self.core.metrics.broker_delivered.increment(1);
        self.core.metrics.broker_redelivered.increment(u64::from(delivery.redelivered));
        let pointers = pointer::unpack(&delivery.properties, &delivery.data).unwrap_or_default();
        let mut tags = source.channel.tags(delivery.delivery_tag, pointers.len().max(1));
        if pointers.is_empty() {
            let tag = tags.next().expect("there is one at least");
            self.strange(queue, delivery, Origin::Shared(tag));
            return 0;
        }
        let lane = queue.lane(*delivery.properties.priority());
        let mut shelf = self.mailbox.shelf();
        for (ready, tag) in pointers.iter().zip(tags) {
            shelf.arrive(lane, *ready, tag);
        }
        pointers.len()
    }

    /// No pointer: the packer may know it, or it is parked. Nothing waits for that.
    fn strange(&self, queue: MailboxQueue, delivery: Delivery, origin: Origin) {
        let (core, organ) = (Arc::clone(&self.core), self.mailbox.organ.clone());
        let stop = core.tasks.stop_token();
        let judged = Arc::clone(&core);
        let judging = async move {
            let known = match dead::delivery_of(&delivery) {
                Some(id) => core.packer.came_back(&organ, id, &delivery.properties).await,
                None => Ok(false),
            };
            match known {
                Ok(true) => origin.ack(&core.metrics).await,
                Ok(false) => {
                    let queue = core.options.topology.names.mailbox(&organ, queue);
                    core.parking.park(&queue, "no pointer", delivery.properties, delivery.data, origin);
                }
                Err(_) => {
                    tokio::time::sleep(AGAIN_DELAY).await;
                    origin.requeue().await;
                }
            }
        };
        judged.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = judging => {}
            }
        });
    }

    /// Ends the subscriptions; all they have brought is on the shelf then.
    async fn unsubscribe(&mut self, source: &mut Source) {
        let limit = self.core.options.connection.connect_timeout;
        let channel = source.channel.channel.clone();
        if !self.silent {
            let cancelling = tokio::time::timeout(limit, async {
                for consumer in source.consumers.iter().flatten() {
                    // What fails is a channel that is lost, which gives back everything by itself.
                    let _lost = channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await;
                }
            });
            self.silent = cancelling.await.is_err();
        }
        if self.silent && channel.status().connected() {
            // What it brings in answer to those who wait no more would be with nobody, and stay there.
            self.core.tasks.spawn(async move {
                let closing = channel.close(200, "no answer in time".into());
                let _late = tokio::time::timeout(limit, closing).await;
            });
        }
        while let Some((queue, delivery)) = source.next_now() {
            if let Some(Ok(delivery)) = delivery {
                self.shelve(source, queue, delivery);
            }
        }
        self.mailbox.something.notify_one();
    }
}
