//! An agency that reads its queue and does nothing is told of, and told of again when it moves.

use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use tokio_stream::StreamExt;

use crate::site::{soon, until};
use crate::world::{World, submit};

#[tokio::test(flavor = "multi_thread")]
async fn an_agency_that_stands_still_is_told_of_until_it_moves() {
    let mut world = World::new("still", &[("H76.1", "amqp-json"), ("H76.2", "amqp-json")]);
    world.site.set("delivery.stall_after = \"1s\"");
    let gateway = world.gateway();
    world.queue_exists(&gateway, "truc.receipts.H76.2").await;
    world.publish("H76.1", vec![submit("s1", "H76.2"), submit("s2", "H76.2")]).await;
    let stalled = "truc_mailboxes_stalled{reason=\"agency_still\"}";

    let uri = format!("amqp://guest:guest@127.0.0.1:{}/{}", world.node.port, world.vhost);
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.basic_qos(1, BasicQosOptions::default()).await.unwrap();
    let (queue, options) = ("truc.mailbox.H76.2", BasicConsumeOptions::default());
    let consuming = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
    let mut deliveries = consuming.await.unwrap();
    let first = soon("the first delivery", deliveries.next()).await.unwrap().unwrap();
    until("it is told of", async || gateway.metric(stalled).await == 1.0).await;
    assert!(gateway.log().contains("\"organ\":\"H76.2\""), "{}", gateway.log());

    first.ack(BasicAckOptions::default()).await.unwrap();
    let second = soon("the second delivery", deliveries.next()).await.unwrap().unwrap();
    second.ack(BasicAckOptions::default()).await.unwrap();
    gateway.logged("an agency's mailbox moves again").await;
    // It goes away; who does not read is not standing still.
    connection.close(200, "done".into()).await.unwrap();
    until("nobody is told of", async || gateway.metric(stalled).await == 0.0).await;
    assert_eq!(gateway.stop(), Some(0));
}
