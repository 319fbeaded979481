//! One batch on its way.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lapin::message::BasicReturnMessage;
use lapin::options::BasicPublishOptions;
use lapin::{Channel, Confirmation, PublisherConfirm};
use tokio::time::Instant;

use super::{Outgoing, Settled};

/// How the wait for a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All of it is acknowledged, one way or the other.
    Acknowledged,
    /// RabbitMQ closed the channel.
    ChannelClosed,
    /// Nothing came in time.
    Silent,
    /// The connection is gone.
    ConnectionLost,
}

/// What was returned and not told yet, by message id.
#[derive(Debug, Default)]
pub(super) struct Returns(HashMap<String, (usize, u16, String)>);

impl Returns {
    fn add(&mut self, returned: &BasicReturnMessage) {
        if let Some(id) = returned.properties.message_id() {
            let text = returned.reply_text.to_string();
            self.0.entry(id.to_string()).or_insert((0, returned.reply_code, text)).0 += 1;
        }
    }

    fn take(&mut self, id: &str) -> Option<Settled> {
        let (count, code, text) = self.0.get_mut(id)?;
        *count -= 1;
        let settled = Settled::Returned { code: *code, text: text.clone() };
        if *count == 0 {
            self.0.remove(id);
        }
        Some(settled)
    }
}

enum Fate {
    Sending(BoxFuture<'static, lapin::Result<PublisherConfirm>>),
    Sent(PublisherConfirm),
    Acked,
    Nacked,
    Failed(lapin::Error),
}

struct Row {
    message: Outgoing,
    fate: Fate,
    returned: Option<BasicReturnMessage>,
}

impl Row {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let next = match &mut self.fate {
                Fate::Sending(sending) => match std::task::ready!(Pin::new(sending).poll(cx)) {
                    Ok(confirm) => Fate::Sent(confirm),
                    Err(error) => Fate::Failed(error),
                },
                Fate::Sent(confirm) => {
                    let confirmation = std::task::ready!(Pin::new(confirm).poll(cx));
                    self.confirmed(confirmation)
                }
                Fate::Acked | Fate::Nacked | Fate::Failed(_) => return Poll::Ready(()),
            };
            self.fate = next;
        }
    }

    fn confirmed(&mut self, confirmation: lapin::Result<Confirmation>) -> Fate {
        match confirmation {
            Ok(Confirmation::Ack(returned)) => {
                self.returned = returned;
                Fate::Acked
            }
            Ok(Confirmation::Nack(returned)) => {
                self.returned = returned;
                Fate::Nacked
            }
            // Confirms were asked for when the channel was opened; without them nothing is known.
            Ok(Confirmation::NotRequested) => Fate::Failed(
                lapin::ErrorKind::InvalidChannelState(lapin::ChannelState::Initial, "confirm").into(),
            ),
            Err(error) => Fate::Failed(error),
        }
    }
}

/// The batch.
pub(super) struct Flight {
    rows: Vec<Row>,
    // Those before are acknowledged.
    at: usize,
    timeout: Duration,
    until: Instant,
}

impl Flight {
    /// Hands every message to the connection, in order.
    pub fn begin(channel: &Channel, messages: Vec<Outgoing>, mandatory: bool, timeout: Duration) -> Self {
        let mut cx = Context::from_waker(Waker::noop());
        let rows = messages.into_iter().map(|message| {
            let mut row =
                Row { fate: Fate::Sending(sending(channel, &message, mandatory)), message, returned: None };
            // The first poll hands it over; so they go in this order.
            let _pending = row.poll(&mut cx);
            row
        });
        Self { rows: rows.collect(), at: 0, timeout, until: Instant::now() + timeout }
    }

    /// How many messages.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many of the first messages are acknowledged.
    pub fn acknowledged_up_to(&self) -> usize {
        self.at
    }

    /// Time begins to run anew.
    pub fn restart_time(&mut self) {
        self.until = Instant::now() + self.timeout;
    }

    /// Waits until all is acknowledged. Each acknowledgement gives the others their time again.
    pub async fn acknowledged(&mut self, without_limit: bool) -> Verdict {
        while self.at < self.rows.len() {
            let row = &mut self.rows[self.at];
            let acknowledged = std::future::poll_fn(|cx| row.poll(cx));
            if without_limit {
                acknowledged.await;
            } else if tokio::time::timeout_at(self.until, acknowledged).await.is_err() {
                return Verdict::Silent;
            }
            if let Fate::Failed(error) = &self.rows[self.at].fate {
                return match crate::amqp::refusal(error) {
                    Some(_) => Verdict::ChannelClosed,
                    None => Verdict::ConnectionLost,
                };
            }
            self.at += 1;
            self.restart_time();
        }
        Verdict::Acknowledged
    }

    /// Gathers what is known to be returned by now.
    pub fn collect(&mut self, returns: &mut Returns) {
        let mut cx = Context::from_waker(Waker::noop());
        for row in self.rows.iter_mut().skip(self.at) {
            let _pending = row.poll(&mut cx);
        }
        for returned in self.rows.iter_mut().filter_map(|row| row.returned.take()) {
            returns.add(&returned);
        }
    }

    /// What became of each, once all is acknowledged.
    pub fn settle(self, returns: &mut Returns) -> Vec<Settled> {
        let settled = self.rows.into_iter().map(|row| {
            let id = row.message.properties.message_id().as_ref().map_or("", |id| id.as_str());
            match (returns.take(id), row.fate) {
                (Some(returned), _) => returned,
                (None, Fate::Acked) => Settled::Confirmed,
                (None, Fate::Nacked) => Settled::Nacked,
                (None, Fate::Sending(_) | Fate::Sent(_) | Fate::Failed(_)) => Settled::Unknown,
            }
        });
        settled.collect()
    }

    /// What RabbitMQ said when it closed the channel over it.
    pub fn refusal(&self) -> Settled {
        let error = self.rows.iter().find_map(|row| match &row.fate {
            Fate::Failed(error) => crate::amqp::refusal(error),
            _ => None,
        });
        error.map_or(Settled::Unknown, |(code, text)| Settled::Refused { code, text })
    }

    /// The messages, to be published again.
    pub fn into_messages(self) -> Vec<Outgoing> {
        self.rows.into_iter().map(|row| row.message).collect()
    }
}

fn sending(
    channel: &Channel,
    message: &Outgoing,
    mandatory: bool,
) -> BoxFuture<'static, lapin::Result<PublisherConfirm>> {
    let channel = channel.clone();
    let Outgoing { exchange, routing_key, properties, body } = message.clone();
    let options = BasicPublishOptions { mandatory, immediate: false };
    async move {
        channel
            .basic_publish(exchange.into(), routing_key.into(), options, &body, properties)
            .await
    }
    .boxed()
}
