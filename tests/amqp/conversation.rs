//! The whole conversation of two agencies, in both forms.

use crate::world::World;

async fn conversation(form: &str, link: &str, vhost: &str, organs: [&str; 2]) {
    let mut world = World::new(vhost, &organs.map(|organ| (organ, link)));
    world.site.set("delivery.retry_delay_min = \"200ms\"");
    let gateway = world.gateway();
    let ready = format!("truc.receipts.{}", organs[1]);
    world.queue_exists(&gateway, &ready).await;
    let talking = world.agency(form, &["conversation", organs[0], organs[1]]).run(Vec::new());
    let told = match tokio::spawn(talking).await {
        Ok(told) => told,
        Err(error) => panic!("{error}\n{}", gateway.log()),
    };
    println!("conversation in {form}: {told:?}");
    let total = |name: &'static str| gateway.metric(name);
    let forwarded = total("truc_bridge_receipts_total").await;
    assert!(forwarded >= told[0]["receipts"].as_f64().unwrap());
    assert_eq!(total("truc_bridge_dead_lettered_total").await, 1.0);
    assert_eq!(total("truc_bridge_submissions_total{result=\"accepted\"}").await, 5.0);
    assert_eq!(total("truc_bridge_submissions_total{result=\"repeated\"}").await, 1.0);
    assert_eq!(total("truc_bridge_submissions_total{result=\"refused\"}").await, 3.0);
    assert_eq!(total("truc_deliveries_open{state=\"in_flight\"}").await, 0.0);
    assert_eq!(world.parked(), Vec::<serde_json::Value>::new());
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agency_talks_protobuf() {
    conversation("protobuf", "amqp", "protobuf", ["H70.1", "H70.2"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agency_talks_json() {
    conversation("json", "amqp-json", "json", ["H71.1", "H71.2"]).await;
}
