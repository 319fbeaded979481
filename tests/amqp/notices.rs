//! An agency attached by AMQP is told what it holds and has not acknowledged by the end of the working day.

use crate::site::until;
use crate::workday::ending_in;
use crate::world::{World, submit};

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_its_own_queue_is_told_once() {
    let mut world = World::new("notices", &[("H78.1", "amqp"), ("H78.2", "amqp-json")]);
    let settings = ending_in(15, &world.site.path("days.csv")).await;
    settings.iter().for_each(|setting| world.site.set(setting));
    let gateway = world.gateway();
    world.queue_exists(&gateway, "truc.receipts.H78.2").await;
    world.publish("H78.1", vec![submit("n-1", "H78.2"), submit("n-2", "H78.2")]).await;
    // One is taken and not settled, the other stays in the queue.
    world.take("H78.2", "truc.mailbox.H78.2", 1).await;
    let told = world.take("H78.2", "truc.receipts.H78.2", 1).await.remove(0);
    assert_eq!((&told["type"], &told["value"]["organ"]), (&"truc.v1.OverdueNotice".into(), &"H78.2".into()));
    let deliveries = told["value"]["deliveries"].as_array().unwrap();
    let ids: Vec<_> = deliveries.iter().map(|overdue| overdue["envelope"]["messageId"].as_str()).collect();
    assert_eq!(ids, [Some("n-2"), Some("n-1")]);
    assert!(deliveries[0]["delivery"]["overdueTime"].is_string());
    assert!(told["message_id"].as_str().unwrap().starts_with("H78.2-overdue-"));
    until("it is noted that it was told", async || gateway.metric("truc_bridge_notices_total").await == 1.0)
        .await;
    assert_eq!(gateway.stop(), Some(0));

    // Told once, across a restart: what comes next is the answer to what it says.
    let gateway = world.gateway();
    until("it has been looked", async || gateway.metric("truc_deliveries_overdue").await == 2.0).await;
    let unknown =
        serde_json::json!({ "settlements": [{ "deliveryId": "d999999", "lease": "a1", "delivered": {} }] });
    let message =
        serde_json::json!({ "type": "truc.v1.SettleRequest", "routing_key": "settle", "body": unknown });
    world.publish("H78.2", vec![message]).await;
    let next = world.take("H78.2", "truc.receipts.H78.2", 1).await.remove(0);
    assert_eq!(next["type"], "truc.v1.SettleResponse", "{next}");
    // The sender has its receipts.
    let receipts = world.take("H78.1", "truc.receipts.H78.1", 6).await;
    let overdue = receipts.iter().filter(|told| told["value"]["kind"] == "RECEIPT_KIND_OVERDUE").count();
    assert_eq!(overdue, 2, "{receipts:?}");
    assert_eq!(gateway.stop(), Some(0));
}
