//! What an operator does at the broker itself, as the gateway's user.

use lapin::options::{BasicGetOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use serde_json::Value;

use crate::site::{Process, soon, until};
use crate::world::World;

impl World {
    async fn channel(&self) -> (Connection, Channel) {
        let uri = format!("amqp://guest:guest@127.0.0.1:{}/{}", self.node.port, self.vhost);
        let connecting = Connection::connect(&uri, ConnectionProperties::default());
        let connection = soon("connect", connecting).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
    }

    /// Waits until the gateway has declared a queue.
    pub async fn queue_exists(&self, gateway: &Process, queue: &str) {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let (connection, _) = self.channel().await;
        until(&format!("{queue}: {}", gateway.log()), async || {
            let channel = connection.create_channel().await.unwrap();
            channel.queue_declare(queue.into(), options, FieldTable::default()).await.is_ok()
        })
        .await;
    }

    /// Binds a queue to an exchange.
    pub async fn bind(&self, exchange: &str, queue: &str, key: &str) {
        let (_connection, channel) = self.channel().await;
        let options = QueueBindOptions::default();
        channel
            .queue_bind(queue.into(), exchange.into(), key.into(), options, FieldTable::default())
            .await
            .unwrap();
    }

    /// Declares a queue of the operator's own.
    pub async fn declare(&self, queue: &str) {
        let (_connection, channel) = self.channel().await;
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap();
    }

    /// The routing keys of the messages in a queue, in order; it is empty then.
    pub async fn keys_in(&self, queue: &str) -> Vec<String> {
        let (_connection, channel) = self.channel().await;
        let mut keys = Vec::new();
        let options = BasicGetOptions { no_ack: true };
        while let Some(message) = channel.basic_get(queue.into(), options).await.unwrap() {
            keys.push(message.delivery.routing_key.to_string());
        }
        keys
    }

    /// Publishes a submission with the gateway's own user.
    pub async fn publish_as_gateway(&self, message: &Value) {
        let (_connection, channel) = self.channel().await;
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_type(message["type"].as_str().unwrap().into())
            .with_user_id("guest".into());
        let body = message["body"].to_string();
        let options = BasicPublishOptions::default();
        channel
            .basic_publish("truc.submissions".into(), "submit".into(), options, body.as_bytes(), properties)
            .await
            .unwrap()
            .await
            .unwrap();
    }

    /// What `truc amqp parked list` lists.
    pub fn parked(&self) -> Vec<Value> {
        let listed = self.truc(&["amqp", "parked", "list", "--limit", "10000", "--json"]);
        listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
