//! A gateway that is killed while agencies talk to it.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::world::{World, submit};

const DOCUMENTS: usize = 300;
const KILLS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_between_nothing_is_lost() {
    let world = World::new("killed", &[("H76.1", "amqp-json"), ("H76.2", "amqp-json")]);
    let mut gateway = world.gateway();
    world.queue_exists(&gateway, "truc.receipts.H76.2").await;
    let documents = (0..DOCUMENTS).map(|n| submit(&format!("k{n}"), "H76.2")).collect();
    let publishing =
        tokio::spawn(world.agency("json", &["publish", "H76.1", "--pause", "0.01"]).run(documents));
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(700)).await;
        gateway.kill();
        gateway = world.gateway();
    }
    let published = publishing.await.unwrap();
    assert_eq!(published[0]["published"], DOCUMENTS, "{published:?}");
    let serving =
        world.agency("json", &["serve", "H76.2", "--count", &DOCUMENTS.to_string()]).run(Vec::new());
    let watching =
        world.agency("json", &["watch", "H76.1", "--count", &DOCUMENTS.to_string()]).run(Vec::new());
    let (served, watched) = tokio::join!(serving, watching);
    let wanted: BTreeSet<_> = (0..DOCUMENTS).map(|n| format!("k{n}")).collect();
    let ids = |list: &serde_json::Value| serde_json::from_value::<BTreeSet<String>>(list.clone()).unwrap();
    assert_eq!(ids(&served[0]["messages"]), wanted);
    assert_eq!(ids(&watched[0]["delivered"]), wanted);
    println!(
        "{KILLS} kills, {DOCUMENTS} documents: deliveries repeated {}, receipts {} of which repeated {}",
        served[0]["repeated"], watched[0]["receipts"], watched[0]["repeated"]
    );
    assert_eq!(watched[0]["gaps"], 0, "{watched:?}");
    drop(gateway);
}
