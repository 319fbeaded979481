//! RabbitMQ: the place of gateways that use it, and the baseline: the same documents through plain RabbitMQ - a quorum queue for each organ, persistent and mandatory
//! publishing with confirms, consuming with manual acknowledgements.

use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, PublisherConfirm,
};
use tokio::sync::mpsc;

use super::desk::{Desk, Organ, Outbox, Tasks, now};
use super::error::Error;
use super::received::Arrival;
use crate::domain::time::Timestamp;

mod quarters;
pub mod steps;

pub use quarters::Quarters;

/// lapin itself waits for a connection without a limit.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// What AMQP calls a persistent message.
const PERSISTENT: u8 = 2;

/// The queues of a measurement.
pub struct Queues {
    connection: Connection,
    channel: Channel,
    names: Vec<String>,
}

impl Queues {
    /// Declares a quorum queue for each organ.
    pub async fn declare(url: &str, run: &str, organs: &[String]) -> Result<Self, Error> {
        let connection = connect(url).await?;
        let channel = connection.create_channel().await.map_err(broker)?;
        let names: Vec<_> = organs.iter().map(|organ| format!("truc.{run}.{organ}")).collect();
        for name in &names {
            let mut arguments = FieldTable::default();
            let quorum = AMQPValue::LongString(LongString::from("quorum"));
            arguments.insert(ShortString::from("x-queue-type"), quorum);
            let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            channel.queue_declare(name.as_str().into(), options, arguments).await.map_err(broker)?;
        }
        Ok(Self { connection, channel, names })
    }

    /// Their names, by the numbers of the organs.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Deletes them, with all that is in them.
    pub async fn delete(self) -> Result<(), Error> {
        for name in &self.names {
            let deleted =
                self.channel.queue_delete(name.as_str().into(), QueueDeleteOptions::default()).await;
            deleted.map_err(broker)?;
        }
        self.connection.close(200, "done".into()).await.map_err(broker)
    }
}

/// Connects an organ twice, to publish and to consume, and starts both.
pub async fn start(
    desk: &Rc<Desk>,
    organ: &Rc<Organ>,
    url: &str,
    queues: &[String],
    tasks: &mut Tasks,
) -> Result<(), Error> {
    let consumer = consume(url, &queues[organ.number], desk.plan.window).await?;
    let publisher = connect(url).await?;
    let channel = publisher.create_channel().await.map_err(broker)?;
    channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(broker)?;
    let (published, confirms) = mpsc::channel(desk.plan.window);
    let outbox = Outbox::new(desk, organ);
    tasks.spawn_local(publish(Rc::clone(desk), organ.number, outbox, channel, queues.to_vec(), published));
    tasks.spawn_local(confirm(Rc::clone(organ), confirms, publisher));
    tasks.spawn_local(take(Rc::clone(desk), Rc::clone(organ), consumer, queues[organ.number].clone()));
    Ok(())
}

async fn connect(url: &str) -> Result<Connection, Error> {
    let connecting = Connection::connect(url, ConnectionProperties::default());
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(connected) => connected.map_err(broker),
        Err(_) => Err(Error::Amqp(format!("no connection within {} s", CONNECT_TIMEOUT.as_secs()))),
    }
}

fn broker(error: lapin::Error) -> Error {
    Error::Amqp(error.to_string())
}

async fn consume(url: &str, queue: &str, window: usize) -> Result<(Connection, Consumer), Error> {
    let connection = connect(url).await?;
    let channel = connection.create_channel().await.map_err(broker)?;
    let prefetch = u16::try_from(window).unwrap_or(u16::MAX);
    channel.basic_qos(prefetch, BasicQosOptions::default()).await.map_err(broker)?;
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await;
    Ok((connection, consumer.map_err(broker)?))
}

async fn publish(
    desk: Rc<Desk>,
    sender: usize,
    mut outbox: Outbox,
    channel: Channel,
    queues: Vec<String>,
    published: mpsc::Sender<(u64, PublisherConfirm)>,
) -> Result<(), Error> {
    let documents = &desk.plan.documents;
    let route = documents.route(sender);
    while let Some((ordinal, at)) = outbox.next().await {
        let payload = documents.payload(sender, ordinal);
        let properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_message_id(documents.id(sender, ordinal).into())
            .with_timestamp(u64::try_from(at.as_micros()).unwrap_or_default());
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let queue = queues[route.recipient(ordinal)].as_str().into();
        let confirm = channel.basic_publish("".into(), queue, options, &payload, properties).await;
        if published.send((ordinal, confirm.map_err(broker)?)).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn confirm(
    organ: Rc<Organ>,
    mut confirms: mpsc::Receiver<(u64, PublisherConfirm)>,
    _publisher: Connection,
) -> Result<(), Error> {
    while let Some((ordinal, confirm)) = confirms.recv().await {
        let confirmation = confirm.await.map_err(broker)?;
        let mut log = organ.sent.borrow_mut();
        match confirmation {
            Confirmation::Ack(None) => log.accepted(ordinal, now()),
            other => log.sent.faults.add(|| format!("document {ordinal}: {other:?}")),
        }
        organ.window.add_permits(1);
    }
    Ok(())
}

async fn take(
    desk: Rc<Desk>,
    organ: Rc<Organ>,
    (_connection, consumer): (Connection, Consumer),
    queue: String,
) -> Result<(), Error> {
    let mut batches = consumer.ready_chunks(desk.plan.window);
    loop {
        let batch = tokio::select! {
            () = desk.stop.cancelled() => return Ok(()),
            batch = batches.next() => batch.ok_or_else(|| cancelled(&queue))?,
        };
        let batch = batch.into_iter().collect::<Result<Vec<_>, _>>().map_err(broker)?;
        for delivery in &batch {
            arrived(&desk, &organ, delivery);
        }
        // Acknowledged together, as a collector settles.
        if let Some(last) = batch.last() {
            last.ack(BasicAckOptions { multiple: true }).await.map_err(broker)?;
        }
        let at = now();
        for sent_at in batch.iter().filter_map(|delivery| *delivery.properties.timestamp()) {
            let sent_at = Timestamp::from_micros(i64::try_from(sent_at).unwrap_or_default());
            organ.end_latency.borrow_mut().record(at.since(sent_at));
        }
        organ.sent.borrow_mut().ended(at);
        desk.ended(batch.len());
    }
}

fn cancelled(queue: &str) -> Error {
    Error::Amqp(format!("the consumer of {queue} was cancelled"))
}

fn arrived(desk: &Desk, organ: &Organ, delivery: &Delivery) {
    let id = delivery.properties.message_id().as_ref().map_or("", ShortString::as_str);
    let arrival = Arrival { id, attempt: 1 + u32::from(delivery.redelivered), payload: &delivery.data };
    organ.received.borrow_mut().arrived(&desk.plan.documents, arrival);
}
