//! Who gets in: the user the broker validates, for its own organ, into one exchange.

use serde_json::json;

use crate::site::until;
use crate::world::{World, submission, submit};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_speaks_for_another_or_past_the_door() {
    let world = World::new("doors", &[("H72.1", "amqp-json"), ("H72.2", "amqp-json")]);
    let gateway = world.gateway();
    world.queue_exists(&gateway, "truc.receipts.H72.2").await;

    let mut forged = submit("f1", "H72.2");
    forged["user_id"] = json!("urn:truc:organ:H72.2");
    let closed = world.publish("H72.1", vec![forged]).await;
    assert_eq!(closed["closed"], 406, "{closed}");
    for exchange in ["truc.deliveries", "truc.receipts", "truc.dead", ""] {
        let mut elsewhere = submit("f2", "H72.2");
        elsewhere["exchange"] = json!(exchange);
        elsewhere["routing_key"] = json!("truc.mailbox.H72.2");
        let closed = world.publish("H72.1", vec![elsewhere]).await;
        assert_eq!(closed["closed"], 403, "{exchange}: {closed}");
    }

    let mut foreign = submission("f3", "H72.2");
    foreign["sender"] = json!("H72.2");
    let foreign =
        json!({ "type": "truc.v1.SubmitRequest", "body": { "submission": foreign }, "message_id": "c3" });
    let settled = json!({
        "type": "truc.v1.SettleRequest", "routing_key": "settle", "message_id": "c4",
        "body": { "organ": "H72.2", "settlements": [{ "deliveryId": "d1", "lease": "a1", "delivered": {} }] },
    });
    world.publish("H72.1", vec![foreign, settled]).await;
    let mut told = world.take("H72.1", "truc.receipts.H72.1", 2).await;
    told.sort_by_key(|answer| answer["correlation_id"].as_str().unwrap().to_owned());
    assert_eq!(told[0]["value"]["refusal"]["reason"], "ERROR_REASON_NOT_ACTING_FOR_ORGAN", "{told:?}");
    assert_eq!(told[0]["correlation_id"], "c3");
    let result = &told[1]["value"]["results"][0];
    assert_eq!(result["refusal"]["reason"], "ERROR_REASON_NOT_ACTING_FOR_ORGAN", "{told:?}");
    assert_eq!(gateway.metric("truc_refusals_total{reason=\"NOT_ACTING_FOR_ORGAN\"}").await, 2.0);

    let mut nameless = submit("f5", "H72.2");
    nameless["user_id"] = json!("");
    world.publish("H72.1", vec![nameless]).await;
    until("it is parked", async || {
        gateway.metric("truc_bridge_parked_total{cause=\"no_user\"}").await == 1.0
    })
    .await;
    assert_eq!(gateway.metric("truc_submissions_total{result=\"accepted\"}").await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_publishes_never_comes_in_again() {
    let world = World::new("loops", &[("H73.1", "amqp"), ("H73.2", "amqp")]);
    let gateway = world.gateway();
    world.queue_exists(&gateway, "truc.receipts.H73.2").await;
    // Somebody binds the gateway's own exchanges to its own door.
    for (exchange, key) in
        [("truc.deliveries", "truc.mailbox.H73.2"), ("truc.receipts", "H73.1"), ("truc.dead", "")]
    {
        world.bind(exchange, "truc.submissions", key).await;
    }
    world.publish("H73.1", vec![submit("l1", "H73.2")]).await;
    // Its delivery, and the receipts accepted and offered.
    until("all three are parked", async || {
        gateway.metric("truc_bridge_parked_total{cause=\"no_user\"}").await == 3.0
    })
    .await;
    assert_eq!(gateway.metric("truc_bridge_submissions_total{result=\"accepted\"}").await, 1.0);
    world.publish_as_gateway(&submit("l2", "H73.2")).await;
    until("it is parked", async || {
        gateway.metric("truc_bridge_parked_total{cause=\"own_user\"}").await == 1.0
    })
    .await;
    assert_eq!(gateway.metric("truc_bridge_submissions_total{result=\"accepted\"}").await, 1.0);
    assert_eq!(world.parked().len(), 4);
}
