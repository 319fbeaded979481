//! `truc sandbox`: what a newcomer sees first.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Running, run, truc};

fn of<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["type"] == kind).collect()
}

#[tokio::test]
async fn once_shows_every_rung_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let done = run(dir.path(), "sandbox --once --json --port-base 0").await.ended(0);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    let objects = done.objects();
    let receipts = of(&objects, "receipt");
    let rungs = |recipient: &str| -> Vec<&str> {
        let its = |r: &&&Value| r["recipient"].is_null() || r["recipient"] == recipient;
        receipts.iter().filter(its).map(|r| r["kind"].as_str().unwrap()).collect()
    };
    assert_eq!(rungs("H49"), ["accepted", "offered", "delivered"]);
    assert_eq!(rungs("H05"), ["accepted", "redirected", "offered", "delivered"]);
    let sequence: Vec<_> = receipts.iter().map(|r| r["message_sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequence, [1, 2, 3, 4, 5, 6]);
    let redirected = receipts.iter().find(|r| r["kind"] == "redirected").unwrap();
    assert_eq!((&redirected["addressed_to"], &redirected["recipient"]), (&"H02".into(), &"H05".into()));
    assert!(redirected["reason"].as_str().unwrap().contains("09/2025"));
    for receipt in &receipts {
        assert_eq!(receipt["sender"], "G22");
        assert!(receipt["time"].as_str().unwrap().ends_with("+07:00"));
        let asserter = match receipt["kind"].as_str().unwrap() {
            "delivered" => receipt["recipient"].as_str().unwrap(),
            _ => "gateway",
        };
        assert_eq!(receipt["asserted_by"], asserter);
    }
    let collected = of(&objects, "collected");
    assert!(collected.len() == 2 && collected.iter().all(|one| one["equal"] == true), "{collected:?}");
    assert_eq!(of(&objects, "verdict")[0]["ok"], true);
    let place = of(&objects, "place")[0]["dir"].as_str().unwrap();
    assert!(!Path::new(place).exists(), "{place}");
    assert_eq!(done.err, "");
}

#[tokio::test]
async fn it_starts_again_on_its_data_in_either_language() {
    let dir = tempfile::tempdir().unwrap();
    let first = run(dir.path(), "sandbox --once --data box --port-base 0 --lang en").await.ended(0);
    for words in ["H02 → H05", "redirected", "delivered", "Legal basis", "legal basis"] {
        assert!(first.out.to_lowercase().contains(&words.to_lowercase()), "{words}: {}", first.out);
    }
    let again = run(dir.path(), "sandbox --once --data box --port-base 0 --lang vi").await.ended(0);
    for words in ["chuyển hướng", "đã giao", "căn cứ pháp lý", "Ủy ban nhân dân tỉnh Quảng Ninh"]
    {
        assert!(again.out.contains(words), "{words}: {}", again.out);
    }
    assert_eq!(std::fs::read_dir(dir.path().join("box/received/H49")).unwrap().count(), 2);
}

#[tokio::test]
async fn it_stays_up_for_a_second_terminal_until_it_is_told_to_stop() {
    let dir = tempfile::tempdir().unwrap();
    let mut sandbox = Running::start(truc(dir.path(), "sandbox --json --port-base 0"));
    let place = sandbox.object_of("place").await["dir"].as_str().unwrap().to_owned();
    let mut profiles = Vec::new();
    while profiles.len() < 4 {
        profiles.push(sandbox.object_of("profile").await["dir"].as_str().unwrap().to_owned());
    }
    let [g22, h49, _, operator] = &profiles[..] else { panic!("{profiles:?}") };
    let send = format!("send --json --profile {g22} --edxml {place}/document.edxml --id second");
    run(dir.path(), &send).await.ended(0);
    let collected =
        run(dir.path(), &format!("collect --json --once --profile {h49}")).await.ended(0).object();
    assert_eq!(collected["envelope"]["message_id"], "second");
    let track = format!("track --json --profile {operator} --sender G22 second");
    assert_eq!(run(dir.path(), &track).await.ended(0).object()["deliveries"][0]["state"], "delivered");
    assert_eq!(sandbox.interrupt().await, 0);
    assert!(!Path::new(&place).exists());
}

#[tokio::test]
async fn what_is_not_its_own_it_leaves_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("thesis.odt"), "x").unwrap();
    let done = run(dir.path(), "sandbox --once --data . --port-base 0").await.ended(64);
    assert!(done.err.contains("neither empty nor a sandbox's"), "{}", done.err);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let done = run(dir.path(), &format!("sandbox --once --port-base {port}")).await.ended(64);
    assert!(done.err.contains("is taken"), "{}", done.err);
}
