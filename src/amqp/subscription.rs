//! A queue's messages, for as long as anybody wants them: taken up again whenever the connection or the subscription was lost.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::link::Link;
use super::tasks::Tasks;
use super::topology::{self, Queue};
use crate::metrics::Metrics;

/// The wait before a subscription that RabbitMQ ended or refused is tried again.
const AGAIN_DELAY: Duration = Duration::from_secs(1);

/// A subscription to one queue, on a channel of its own. After a loss the same messages come again, as redelivered; to acknowledge one
/// of a channel that was lost does nothing.
pub struct Subscription {
    deliveries: mpsc::Receiver<Delivery>,
    _ends: DropGuard,
}

impl Subscription {
    /// Subscribes to a queue, which is declared first. At most `prefetch` messages are handed over and not acknowledged.
    pub fn start(link: &Link, queue: Queue, prefetch: u16, metrics: Arc<Metrics>, tasks: &Tasks) -> Self {
        let (handed, deliveries) = mpsc::channel(usize::from(prefetch.max(1)));
        let end = tasks.stop_token().child_token();
        let work = Work { link: link.clone(), queue, prefetch: prefetch.max(1), metrics, handed };
        tasks.spawn(work.run(end.clone()));
        Self { deliveries, _ends: end.drop_guard() }
    }

    /// The next message; None once the connection was told to stop. Nothing is lost when the wait is given up.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.deliveries.recv().await
    }

    /// Messages that are there, at least one and at most `limit`; none once the connection was told to stop.
    pub async fn next_many(&mut self, limit: usize) -> Vec<Delivery> {
        let mut many = Vec::new();
        self.deliveries.recv_many(&mut many, limit).await;
        many
    }
}

struct Work {
    link: Link,
    queue: Queue,
    prefetch: u16,
    metrics: Arc<Metrics>,
    handed: mpsc::Sender<Delivery>,
}

impl Work {
    async fn run(self, end: CancellationToken) {
        loop {
            let over = tokio::select! {
                () = end.cancelled() => return,
                channel = self.link.channel() => match channel {
                    Ok(channel) => self.follow(&channel, &end).await,
                    Err(lost) => Err(lost.to_string()),
                },
            };
            match over {
                Ok(()) => return,
                Err(why) => {
                    tracing::warn!(queue = self.queue.name, why, "a subscription ended; it is made again");
                }
            }
            tokio::select! {
                () = end.cancelled() => return,
                () = tokio::time::sleep(AGAIN_DELAY) => {}
            }
        }
    }

    /// Hands over what comes. Ends well only when nobody wants more.
    async fn follow(&self, channel: &Channel, end: &CancellationToken) -> Result<(), String> {
        let text = |error: lapin::Error| super::causes(&error);
        let limit = self.link.options().connect_timeout;
        let subscribing = tokio::time::timeout(limit, async {
            // Declared on another channel, since a difference closes it.
            topology::declare_queue(&self.link, &self.queue).await.map_err(|lost| lost.to_string())?;
            channel.basic_qos(self.prefetch, BasicQosOptions::default()).await.map_err(text)?;
            let options = BasicConsumeOptions::default();
            let queue = self.queue.name.as_str().into();
            channel.basic_consume(queue, "".into(), options, FieldTable::default()).await.map_err(text)
        });
        let consumer = tokio::select! {
            () = end.cancelled() => return Ok(()),
            consumer = subscribing => consumer.map_err(|_| "no answer in time".to_owned()).flatten()?,
        };
        let mut deliveries = consumer;
        loop {
            let delivery = tokio::select! {
                () = end.cancelled() => break,
                delivery = deliveries.next() => delivery,
            };
            let delivery = match delivery {
                Some(delivery) => delivery.map_err(text)?,
                None => return Err("RabbitMQ cancelled it".to_owned()),
            };
            self.metrics.broker_delivered.increment(1);
            self.metrics.broker_redelivered.increment(u64::from(delivery.redelivered));
            if self.handed.send(delivery).await.is_err() {
                break;
            }
        }
        // What was not acknowledged goes back into the queue.
        let closing = channel.close(200, "no longer wanted".into());
        let _unanswered = tokio::time::timeout(limit, closing).await;
        Ok(())
    }
}
