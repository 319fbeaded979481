//! Declaring, and comparing with what RabbitMQ has.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lapin::options::{
    BasicGetOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, ExchangeKind};

use super::{Exchange, Queue, Spread, Topology};
use crate::amqp::link::{Link, Lost};
use crate::amqp::refusal;

const NOT_FOUND: u16 = 404;
/// The shortest limit of the wait for what is declared. A RabbitMQ that makes thousands of quorum queues takes seconds for one; giving
/// the connection up for that would begin all of it anew.
const DECLARE_TIMEOUT: Duration = Duration::from_secs(20);
/// A queue that says nothing for so long has nobody who could answer; an election takes less.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// RabbitMQ itself waits 5 s for a queue to delete itself before it deletes it without.
const DELETE_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest wait for a channel to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What declaring came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// Messages ready in the queue.
    pub messages: u32,
    /// Its consumers, everybody's.
    pub consumers: u32,
    /// Where RabbitMQ has it differently, in its words, with the name of the queue or exchange. It is used as it is.
    pub differences: Vec<String>,
}

/// One answer of RabbitMQ about one thing.
enum Answer<T> {
    Done(T),
    No(u16, String),
    Again,
}

/// Asks on the channel, which is opened where there is none, until it is answered.
async fn ask<T>(
    link: &Link,
    channel: &mut Option<(u64, Channel)>,
    question: impl Fn(Channel) -> BoxFuture<'static, lapin::Result<T>>,
) -> Result<Result<T, (u16, String)>, Lost> {
    loop {
        let (epoch, open) = match channel.take() {
            Some(open) => open,
            None => link.open().await?,
        };
        let limit = link.options().connect_timeout.max(DECLARE_TIMEOUT);
        let answer = match tokio::time::timeout(limit, question(open.clone())).await {
            Ok(Ok(done)) => Answer::Done(done),
            Ok(Err(error)) => refusal(&error).map_or(Answer::Again, |(code, text)| Answer::No(code, text)),
            Err(_) => Answer::Again,
        };
        match answer {
            Answer::Done(done) => {
                *channel = Some((epoch, open));
                return Ok(Ok(done));
            }
            // RabbitMQ closed the channel with it.
            Answer::No(code, text) => return Ok(Err((code, text))),
            Answer::Again => link.suspect(epoch).await,
        }
    }
}

fn question_exchange(
    exchange: &Exchange,
    options: ExchangeDeclareOptions,
) -> impl Fn(Channel) -> BoxFuture<'static, lapin::Result<()>> {
    let kind = match exchange.spread {
        Spread::Direct => ExchangeKind::Direct,
        Spread::Fanout => ExchangeKind::Fanout,
        Spread::Topic => ExchangeKind::Topic,
    };
    let name: ShortString = exchange.name.as_str().into();
    move |channel| {
        let (name, kind) = (name.clone(), kind.clone());
        async move { channel.exchange_declare(name, kind, options, FieldTable::default()).await }.boxed()
    }
}

fn question_queue(
    name: &str,
    options: QueueDeclareOptions,
    arguments: FieldTable,
) -> impl Fn(Channel) -> BoxFuture<'static, lapin::Result<lapin::Queue>> {
    let name: ShortString = name.into();
    move |channel| {
        let (name, arguments) = (name.clone(), arguments.clone());
        async move { channel.queue_declare(name, options, arguments).await }.boxed()
    }
}

fn question_binding(
    queue: &str,
    exchange: &str,
    key: &str,
) -> impl Fn(Channel) -> BoxFuture<'static, lapin::Result<()>> {
    let [queue, exchange, key] = [queue, exchange, key].map(ShortString::from);
    move |channel| {
        let (queue, exchange, key) = (queue.clone(), exchange.clone(), key.clone());
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        async move { channel.queue_bind(queue, exchange, key, options, none).await }.boxed()
    }
}

/// Whether RabbitMQ has the exchange through which mailboxes are reached: where not, it has lost everything, or is new.
pub async fn exists(link: &Link, topology: &Topology) -> Result<bool, Lost> {
    let mut channel = None;
    let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let exchange = Exchange { name: topology.names.deliveries(), spread: Spread::Direct };
    let found = ask(link, &mut channel, question_exchange(&exchange, options)).await?;
    close(channel).await;
    Ok(!matches!(found, Err((NOT_FOUND, _))))
}

/// Declares the fixed part; tells where RabbitMQ has it differently.
pub async fn declare(link: &Link, topology: &Topology) -> Result<Vec<String>, Lost> {
    let mut channel = None;
    let mut differences = Vec::new();
    // Durable: it survives a restart of RabbitMQ, as the queues do.
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    for exchange in topology.exchanges() {
        if let Err((_, why)) = ask(link, &mut channel, question_exchange(&exchange, durable)).await? {
            differences.push(format!("exchange {}: {why}", exchange.name));
        }
    }
    for queue in topology.queues() {
        differences.extend(declare_on(link, &mut channel, &queue).await?.differences);
    }
    close(channel).await;
    Ok(differences)
}

/// Declares a queue and its bindings.
pub async fn declare_queue(link: &Link, queue: &Queue) -> Result<Declared, Lost> {
    let mut channel = None;
    let declared = declare_on(link, &mut channel, queue).await?;
    close(channel).await;
    Ok(declared)
}

/// Looks for a queue without declaring it; none where there is none.
pub async fn find_queue(link: &Link, queue: &Queue) -> Result<Option<Declared>, Lost> {
    let mut channel = None;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let found = ask(link, &mut channel, question_queue(&queue.name, passive, FieldTable::default())).await?;
    close(channel).await;
    Ok(found.ok().map(|found| Declared {
        messages: found.message_count(),
        consumers: found.consumer_count(),
        differences: Vec::new(),
    }))
}

/// Declares one queue after another on a channel of its own, opened when it is first needed: a channel for each would cost RabbitMQ
/// more than the queues do.
#[derive(Default)]
pub struct Declarer {
    channel: Option<(u64, Channel)>,
}

impl Declarer {
    /// Declares a queue, and leaves it to [`Self::bind`] that messages come into it.
    pub async fn declare(&mut self, link: &Link, queue: &Queue) -> Result<Declared, Lost> {
        declare_only(link, &mut self.channel, queue).await
    }

    /// Binds a declared queue; tells what RabbitMQ does not allow.
    pub async fn bind(&mut self, link: &Link, queue: &Queue) -> Result<Vec<String>, Lost> {
        bind_on(link, &mut self.channel, queue).await
    }
}

/// Whether a queue answers, whatever it says.
pub async fn answers(link: &Link, queue: &Queue) -> Result<bool, Lost> {
    loop {
        let (epoch, channel) = link.open().await?;
        let asking = channel.basic_get(queue.name.as_str().into(), BasicGetOptions::default());
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, asking).await;
        // A message that came goes back with the channel.
        close(Some((epoch, channel))).await;
        match answer {
            Ok(Err(error)) if refusal(&error).is_none() => link.suspect(epoch).await,
            answer => return Ok(answer.is_ok()),
        }
    }
}

/// Deletes a queue, with what it holds.
pub async fn delete(link: &Link, queue: &Queue) -> Result<(), Lost> {
    let (epoch, channel) = link.open().await?;
    let deleting = channel.queue_delete(queue.name.as_str().into(), QueueDeleteOptions::default());
    if tokio::time::timeout(DELETE_TIMEOUT, deleting).await.is_err() {
        tracing::error!(queue = queue.name, "RabbitMQ did not delete a queue in time");
    }
    close(Some((epoch, channel))).await;
    Ok(())
}

async fn close(channel: Option<(u64, Channel)>) {
    if let Some((_, channel)) = channel {
        let closing = channel.close(200, "declared".into());
        // One that does not close goes with its connection.
        let _unanswered = tokio::time::timeout(CLOSE_TIMEOUT, closing).await;
    }
}

async fn declare_on(
    link: &Link,
    channel: &mut Option<(u64, Channel)>,
    queue: &Queue,
) -> Result<Declared, Lost> {
    let mut declared = declare_only(link, channel, queue).await?;
    declared.differences.extend(bind_on(link, channel, queue).await?);
    Ok(declared)
}

async fn declare_only(
    link: &Link,
    channel: &mut Option<(u64, Channel)>,
    queue: &Queue,
) -> Result<Declared, Lost> {
    let mut declared = Declared::default();
    // Quorum queues are durable, or not at all; exclusive or deleted by itself would lose mail.
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let found = match ask(link, channel, question_queue(&queue.name, options, queue.table())).await? {
        Ok(found) => Some(found),
        Err((_, why)) => {
            declared.differences.push(format!("queue {}: {why}", queue.name));
            let passive = QueueDeclareOptions { passive: true, ..options };
            ask(link, channel, question_queue(&queue.name, passive, FieldTable::default())).await?.ok()
        }
    };
    if let Some(found) = found {
        (declared.messages, declared.consumers) = (found.message_count(), found.consumer_count());
    }
    Ok(declared)
}

async fn bind_on(
    link: &Link,
    channel: &mut Option<(u64, Channel)>,
    queue: &Queue,
) -> Result<Vec<String>, Lost> {
    let mut differences = Vec::new();
    for (exchange, key) in &queue.bindings {
        let bound = ask(link, channel, question_binding(&queue.name, exchange, key)).await?;
        if let Err((_, why)) = bound {
            differences.push(format!("binding of queue {} to {exchange}: {why}", queue.name));
        }
    }
    Ok(differences)
}
