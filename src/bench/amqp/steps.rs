//! Steps of dossiers through plain RabbitMQ: publishers and one consumer at one quorum queue.

use std::rc::Rc;

use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection, PublisherConfirm};
use prost::Message;
use tokio::sync::mpsc;

use super::{PERSISTENT, broker, cancelled, connect, consume};
use crate::bench::desk::{Desk, Organ, Outbox, Tasks, now};
use crate::bench::dossiers::{Follower, Script, Steps};
use crate::bench::error::Error;
use crate::proto::v1;

/// Connects a publisher and starts it.
pub async fn publish(
    desk: &Rc<Desk>,
    organ: &Rc<Organ>,
    (url, queue): (&str, &str),
    steps: &Steps,
    tasks: &mut Tasks,
) -> Result<(), Error> {
    let publisher = connect(url).await?;
    let channel = publisher.create_channel().await.map_err(broker)?;
    channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(broker)?;
    let (published, confirms) = mpsc::channel(desk.plan.window);
    let outbox = Outbox::new(desk, organ);
    let script = Script::new(steps.clone(), &desk.plan.organs);
    tasks.spawn_local(send(organ.number, outbox, channel, queue.to_owned(), script, published));
    tasks.spawn_local(confirm(Rc::clone(desk), Rc::clone(organ), confirms, publisher));
    Ok(())
}

async fn send(
    sender: usize,
    mut outbox: Outbox,
    channel: Channel,
    queue: String,
    script: Script,
    published: mpsc::Sender<(u64, PublisherConfirm)>,
) -> Result<(), Error> {
    let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    while let Some((ordinal, at)) = outbox.next().await {
        let body = script.step(sender, ordinal, at).encode_to_vec();
        let queue = queue.as_str().into();
        let confirm = channel.basic_publish("".into(), queue, options, &body, properties.clone()).await;
        if published.send((ordinal, confirm.map_err(broker)?)).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn confirm(
    desk: Rc<Desk>,
    organ: Rc<Organ>,
    mut confirms: mpsc::Receiver<(u64, PublisherConfirm)>,
    _publisher: Connection,
) -> Result<(), Error> {
    while let Some((ordinal, confirm)) = confirms.recv().await {
        let confirmation = confirm.await.map_err(broker)?;
        let (mut log, at) = (organ.sent.borrow_mut(), now());
        match confirmation {
            Confirmation::Ack(None) => log.accepted(ordinal, at),
            other => log.sent.faults.add(|| format!("step {ordinal}: {other:?}")),
        }
        log.ended(at);
        organ.window.add_permits(1);
        desk.ended(1);
    }
    Ok(())
}

/// Connects the consumer and starts it.
pub async fn follow(
    desk: &Rc<Desk>,
    organ: &Rc<Organ>,
    (url, queue): (&str, &str),
    steps: &Steps,
    tasks: &mut Tasks,
) -> Result<(), Error> {
    // As much unacknowledged as all publishers together may have unconfirmed.
    let window = desk.plan.window * desk.plan.senders;
    let (connection, consumer) = consume(url, queue, window).await?;
    let mut follower = Follower::new(Script::new(steps.clone(), &desk.plan.organs));
    let (desk, organ, queue) = (Rc::clone(desk), Rc::clone(organ), queue.to_owned());
    tasks.spawn_local(async move {
        let _connection = connection;
        let mut batches = consumer.ready_chunks(window);
        loop {
            let batch = tokio::select! {
                () = desk.stop.cancelled() => return Ok(()),
                batch = batches.next() => batch.ok_or_else(|| cancelled(&queue))?,
            };
            let batch = batch.into_iter().collect::<Result<Vec<_>, _>>().map_err(broker)?;
            let at = now();
            for delivery in &batch {
                let received = &mut organ.received.borrow_mut().received;
                received.redelivered += u64::from(delivery.redelivered);
                match v1::DossierStep::decode(delivery.data.as_slice()) {
                    Ok(step) => {
                        let published = follower.see(&step, received);
                        organ.end_latency.borrow_mut().record(at.since(published));
                    }
                    Err(why) => received.faults.add(|| why.to_string()),
                }
            }
            if let Some(last) = batch.last() {
                last.ack(BasicAckOptions { multiple: true }).await.map_err(broker)?;
            }
            organ.sent.borrow_mut().span.get_or_insert((at, at)).1 = at;
            desk.ended(batch.len());
        }
    });
    Ok(())
}
