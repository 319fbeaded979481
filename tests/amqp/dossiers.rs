//! Dossiers over AMQP: published, followed from a queue and from the exchange, with full queues and with parts killed.

use std::time::Duration;

use serde_json::{Value, json};

use crate::nodes::Postgres;
use crate::site::{Process, Site, until};
use crate::world::{Node, World};

const FULL: &str = "truc_bridge_dossier_queues_full";

async fn conversation(form: &str, link: &str, vhost: &str, organs: [&str; 3]) {
    let mut world = World::new(vhost, &organs.map(|organ| (organ, link)));
    let wanted = organs.map(|organ| format!("{organ} * *"));
    world.site.set(format!("bridge.dossier_queues = {wanted:?}"));
    world.site.set(format!("dossiers.readers = [\"{} {} *\"]", organs[2], organs[0]));
    let gateway = world.gateway();
    for organ in organs {
        world.queue_exists(&gateway, &format!("truc.dossiers.{organ}")).await;
    }
    let talking = world.agency(form, &[&["dossiers"], &organs[..]].concat()).run(Vec::new());
    let told = match tokio::spawn(talking).await {
        Ok(told) => told,
        Err(error) => panic!("{error}\n{}", gateway.log()),
    };
    assert_eq!(told[0]["events"], 4);
    // Two queues and the exchange.
    assert_eq!(gateway.metric("truc_bridge_dossier_events_total").await, 12.0);
    assert_eq!(gateway.metric("truc_dossier_peculiar_steps_total{peculiarity=\"unmapped\"}").await, 1.0);
    assert_eq!(gateway.metric("truc_dossier_steps_total{result=\"refused\"}").await, 7.0);
    assert_eq!(gateway.metric("truc_bridge_steps_total").await, 11.0);
    assert_eq!(world.parked(), Vec::<Value>::new());
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_are_published_and_followed_in_protobuf() {
    conversation("protobuf", "amqp", "steps-protobuf", ["H80.1", "H80.2", "H80.3"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_are_published_and_followed_in_json() {
    conversation("json", "amqp-json", "steps-json", ["H81.1", "H81.2", "H81.3"]).await;
}

/// A message that publishes steps of one dossier.
fn publish(organ: &str, dossier: u32, numbers: impl IntoIterator<Item = u32>) -> Value {
    let step = |number: u32| {
        json!({
            "dossierCode": format!("{organ}-20260105-{dossier}"), "step": number, "procedureCode": "1.004194",
            "status": if number == 1 { 2 } else { 4 }, "occurredTime": "2026-01-05T01:00:00Z",
        })
    };
    let steps: Vec<_> = numbers.into_iter().map(step).collect();
    json!({ "type": "truc.v1.PublishRequest", "routing_key": "steps", "body": { "steps": steps } })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exchange_has_every_event_by_organ_procedure_and_status() {
    let world =
        World::new("topics", &[("H82.1", "amqp-json"), ("H82.1.5", "amqp-json"), ("H83", "amqp-json")]);
    let gateway = world.gateway();
    world.queue_exists(&gateway, "truc.receipts.H83").await;
    let bound =
        [("subtree", "H82.1.#"), ("own", "H82.1.*.*"), ("procedure", "#.1_004194.*"), ("status", "#.2")];
    for (queue, pattern) in bound {
        world.declare(queue).await;
        world.bind("truc.dossiers", queue, pattern).await;
    }
    for organ in ["H82.1", "H82.1.5", "H83"] {
        world.publish(organ, vec![publish(organ, 1, [1, 2])]).await;
    }
    until("all are published", async || gateway.metric("truc_bridge_dossier_events_total").await == 6.0)
        .await;
    let mut counts = Vec::new();
    for (queue, _) in bound {
        counts.push(world.keys_in(queue).await);
    }
    assert_eq!(
        counts[0],
        ["H82.1.1_004194.2", "H82.1.1_004194.4", "H82.1.5.1_004194.2", "H82.1.5.1_004194.4"]
    );
    assert_eq!(counts[1], ["H82.1.1_004194.2", "H82.1.1_004194.4"]);
    assert_eq!((counts[2].len(), counts[3].len()), (6, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agency_does_not_fetch_waits_in_the_log_and_costs_others_nothing() {
    let organs = [("H84.1", "amqp-json"), ("H84.2", "amqp-json"), ("H84.3", "amqp")];
    let mut world = World::new("full", &organs);
    world.site.set("bridge.dossier_queues = [\"H84.2 * *\", \"H84.3 * *\"]");
    world.site.set("bridge.dossier_queue_length = 100");
    world.site.set("dossiers.readers = [\"H84.2 * *\", \"H84.3 * *\"]");
    let gateway = world.gateway();
    world.queue_exists(&gateway, "truc.dossiers.H84.3").await;
    let following =
        tokio::spawn(world.agency("protobuf", &["follow", "H84.3", "--count", "1500"]).run(Vec::new()));
    for dossier in 1..=5 {
        world.publish("H84.1", vec![publish("H84.1", dossier, 1..=300)]).await;
    }
    let followed = following.await.unwrap();
    assert_eq!((&followed[0]["events"], &followed[0]["disordered"]), (&json!(1_500), &json!(0)));
    until("the other queue is full", async || gateway.metric(FULL).await == 1.0).await;
    let listed = world.truc(&["amqp", "dossiers", "--json"]);
    let rows: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&rows[0]["organ"], &rows[0]["events"]), (&json!("H84.2"), &json!(100)), "{rows:?}");
    assert_eq!((&rows[1]["organ"], &rows[1]["events"]), (&json!("H84.3"), &json!(0)), "{rows:?}");
    gateway.kill();
    let gateway = world.gateway();
    let followed = world.agency("json", &["follow", "H84.2", "--count", "1500"]).run(Vec::new()).await;
    println!("behind a queue of 100: {followed:?}");
    assert_eq!((&followed[0]["events"], &followed[0]["disordered"]), (&json!(1_500), &json!(0)));
    assert_eq!(followed[0]["gaps"], 0);
    until("it is no longer full", async || gateway.metric(FULL).await == 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_asked_for_when_its_organ_is_attached_begins_at_the_beginning() {
    let mut world = World::new("late", &[("H85.1", "amqp-json"), ("H85.2", "grpc")]);
    world.site.set("bridge.dossier_queues = [\"H85.2 H85.1 *\"]");
    world.site.set("dossiers.readers = [\"H85.2 * 1.004194\"]");
    let gateway = world.gateway();
    world.queue_exists(&gateway, "truc.receipts.H85.1").await;
    let mut other = publish("H85.1", 2, [1]);
    other["body"]["steps"][0]["procedureCode"] = json!("2.000815");
    world.publish("H85.1", vec![publish("H85.1", 1, [1, 2]), other]).await;
    world.take("H85.1", "truc.receipts.H85.1", 2).await;
    world.attach("H85.2", "amqp-json");
    let users = ["amqp", "users", "--organ", "H85.2", "--secrets", "secrets"];
    let (commands, folder) = (world.truc(&users), world.site.dir.path().display().to_string());
    world.node.shell(&format!("cd '{folder}'\n{commands}"));
    gateway.signal("HUP");
    world.queue_exists(&gateway, "truc.dossiers.H85.2").await;
    world.publish("H85.1", vec![publish("H85.1", 1, [3])]).await;
    let followed = world.agency("json", &["follow", "H85.2", "--count", "3"]).run(Vec::new()).await;
    assert_eq!((&followed[0]["dossiers"], &followed[0]["disordered"]), (&json!(1), &json!(0)));
}

const DOSSIERS: usize = 20;
const STEPS: usize = 50;

/// Kills gateways and RabbitMQ while one organ publishes and another follows.
async fn killed_in_between(world: World, sites: Vec<Site>) {
    let mut gateways: Vec<Process> = sites.iter().map(Site::start).collect();
    world.queue_exists(&gateways[0], "truc.dossiers.H86.2").await;
    let (dossiers, steps, count) = (DOSSIERS.to_string(), STEPS.to_string(), (DOSSIERS * STEPS).to_string());
    let publish = ["steps", "H86.1", "--dossiers", &dossiers, "--steps", &steps, "--pause", "0.01"];
    let publishing = tokio::spawn(world.agency("json", &publish).run(Vec::new()));
    let following =
        tokio::spawn(world.agency("protobuf", &["follow", "H86.2", "--count", &count]).run(Vec::new()));
    for round in 0..4 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        if round == 1 || round == 3 {
            let node = std::sync::Arc::clone(&world.node);
            tokio::task::spawn_blocking(move || node.crash()).await.unwrap();
        }
        let killed = round % gateways.len();
        gateways.remove(killed).kill();
        gateways.insert(killed, sites[killed].start());
    }
    let (published, followed) = (publishing.await.unwrap(), following.await.unwrap());
    println!("4 gateways and RabbitMQ twice killed: {published:?} {followed:?}");
    let followed = &followed[0];
    assert_eq!((&followed["events"], &followed["dossiers"]), (&json!(DOSSIERS * STEPS), &json!(DOSSIERS)));
    assert_eq!((&followed["disordered"], &followed["gaps"]), (&json!(0), &json!(0)));
    let mut taken = 0.0;
    for gateway in &gateways {
        taken += gateway.metric("truc_bridge_dossier_events_total").await;
    }
    assert!(taken > 0.0);
}

fn killed_world() -> World {
    let organs = [("H86.1", "amqp-json"), ("H86.2", "amqp")];
    let mut world = World::on(Node::own(), "killed-steps", &organs);
    world.site.set("bridge.dossier_queues = [\"H86.2 * *\"]");
    world.site.set("dossiers.readers = [\"H86.2 * *\"]");
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_on_sqlite_no_step_is_lost_and_none_out_of_order() {
    let world = killed_world();
    drop(world.site.command());
    let site = world.site.beside("one");
    killed_in_between(world, vec![site]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_on_postgresql_with_two_nodes_no_step_is_lost_and_none_out_of_order() {
    let mut world = killed_world();
    let postgres = tokio::task::spawn_blocking(Postgres::start).await.unwrap();
    for setting in [
        "ledger.store = \"postgres\"",
        "postgres.user = \"postgres\"",
        "postgres.database = \"postgres\"",
        "postgres.tls = \"off\"",
        "postgres.node_timeout = \"3s\"",
        &format!("postgres.hosts = [\"127.0.0.1:{}\"]", postgres.port()),
    ] {
        world.site.set(setting);
    }
    let sites = ["a", "b"].map(|name| {
        let mut site = world.site.beside(name);
        site.set(format!("gateway.node = {name:?}"));
        site
    });
    killed_in_between(world, sites.into()).await;
}
