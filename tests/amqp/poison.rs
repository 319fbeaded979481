//! Messages nobody understands delay nobody.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::site::until;
use crate::world::{World, submit};

const GOOD: usize = 100;
const POISON: usize = 1_000;

/// Milliseconds from publishing to acceptance, sorted.
async fn latencies(world: &World, published: &Value, prefix: &str) -> Vec<f64> {
    let times: HashMap<String, f64> = serde_json::from_value(published["times"].clone()).unwrap();
    let told = world.take("H75.1", "truc.receipts.H75.1", 2 * GOOD).await;
    let accepted = told.iter().filter(|told| told["value"]["kind"] == "RECEIPT_KIND_ACCEPTED");
    let latency = |told: &Value| {
        let id = told["value"]["messageId"].as_str().unwrap();
        assert!(id.starts_with(prefix), "{id}");
        (told["epoch"].as_f64().unwrap() - times[id]) * 1_000.0
    };
    let mut found: Vec<_> = accepted.map(latency).collect();
    found.sort_by(f64::total_cmp);
    assert_eq!(found.len(), GOOD);
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_poison_messages_delay_the_good_ones_by_nothing_measurable() {
    let world = World::new("poison", &[("H75.1", "amqp-json"), ("H75.2", "amqp-json")]);
    let gateway = world.gateway();
    world.queue_exists(&gateway, "truc.receipts.H75.2").await;
    let good = |prefix: &str| (0..GOOD).map(|n| submit(&format!("{prefix}{n}"), "H75.2")).collect::<Vec<_>>();
    let published = world.publish("H75.1", good("alone")).await;
    let alone = latencies(&world, &published, "alone").await;

    let poison = |n: usize| match n % 4 {
        0 => {
            json!({ "type": "truc.v1.SubmitRequest", "body": "\u{ff}\u{fe}", "content_type": "application/x-protobuf" })
        }
        1 => json!({ "type": "truc.v1.SubmitRequest", "body": "{" }),
        2 => json!({ "type": "truc.v1.Delivery", "body": "{}" }),
        _ => json!({ "type": "truc.v1.SubmitRequest", "body": "hello", "content_type": "text/plain" }),
    };
    let each = POISON / GOOD;
    let mixed = good("among")
        .into_iter()
        .enumerate()
        .flat_map(|(at, good)| (at * each..(at + 1) * each).map(poison).chain([good]).collect::<Vec<_>>());
    let published = world.publish("H75.1", mixed.collect()).await;
    assert_eq!(published["published"], GOOD + POISON);
    let among = latencies(&world, &published, "among").await;
    until("all are parked", async || {
        let mut parked = 0.0;
        for cause in ["malformed", "type", "content_type"] {
            parked += gateway.metric(&format!("truc_bridge_parked_total{{cause=\"{cause}\"}}")).await;
        }
        parked == POISON as f64
    })
    .await;
    let [alone_median, among_median] = [&alone, &among].map(|sorted| sorted[GOOD / 2]);
    let [alone_most, among_most] = [&alone, &among].map(|sorted| sorted[GOOD - 1]);
    println!(
        "good submissions, published to accepted: alone {alone_median:.1} ms (most {alone_most:.1}), \
         among {POISON} poison messages {among_median:.1} ms (most {among_most:.1})"
    );
    assert!(among_median < alone_median + 25.0, "{among_median} ms in place of {alone_median} ms");
    assert_eq!(world.parked().len(), POISON);
}
