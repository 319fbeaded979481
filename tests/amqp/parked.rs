//! Parked messages in an operator's hands.

use serde_json::json;

use crate::site::until;
use crate::world::{World, submit};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_parked_can_be_looked_at_replayed_and_thrown_away() {
    let mut world = World::new("parked", &[("H74.1", "amqp-json"), ("H74.2", "amqp-json")]);
    world.attach("H74.1", "grpc");
    let gateway = world.gateway();
    world.queue_exists(&gateway, "truc.receipts.H74.2").await;
    let malformed =
        json!({ "type": "truc.v1.SubmitRequest", "body": "{\"submision\": 1}", "message_id": "bad" });
    world.publish("H74.2", vec![malformed]).await;
    world.publish("H74.1", vec![submit("p1", "H74.2"), submit("p2", "H74.2")]).await;
    until("they are parked", async || world.parked().len() == 3).await;

    let listed = world.parked();
    assert_eq!(listed, world.parked(), "looking changes nothing");
    let causes: Vec<_> = listed.iter().map(|parked| parked["cause"].as_str().unwrap()).collect();
    assert_eq!(causes, ["malformed", "not_attached", "not_attached"]);
    assert_eq!(listed[1]["user"], "urn:truc:organ:H74.1");
    let id = |at: usize| listed[at]["id"].as_str().unwrap();
    let shown = world.truc(&["amqp", "parked", "show", id(0), "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["body"], "{\"submision\": 1}");
    assert!(shown["detail"].as_str().unwrap().contains("submision"), "{shown}");

    // As long as the organ is not attached, it is parked anew.
    world.truc(&["amqp", "parked", "replay", id(1)]);
    until("it is parked anew", async || world.parked().len() == 3).await;
    world.attach("H74.1", "amqp-json");
    gateway.signal("HUP");
    world.queue_exists(&gateway, "truc.receipts.H74.1").await;
    let replayed = world.truc(&["amqp", "parked", "replay", "--all", "--json"]);
    assert!(replayed.contains("\"count\":3"), "{replayed}");
    let told = world.take("H74.1", "truc.receipts.H74.1", 4).await;
    let accepted = told.iter().filter(|told| told["value"]["kind"] == "RECEIPT_KIND_ACCEPTED").count();
    assert_eq!(accepted, 2, "{told:?}");
    until("the malformed one is parked anew", async || world.parked().len() == 1).await;

    let left = world.parked()[0]["id"].as_str().unwrap().to_owned();
    let (gone, why) = world.try_truc(&["amqp", "parked", "show", id(0)]);
    assert!(gone.is_none() && why.contains("no parked message"), "{why}");
    world.truc(&["amqp", "parked", "discard", &left]);
    assert!(world.parked().is_empty());
}
