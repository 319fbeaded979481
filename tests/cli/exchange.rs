//! Documents through a served gateway, by the client commands alone.

use serde_json::Value;

use crate::support::{Gateway, Running, end};

fn kinds(receipts: &Value) -> Vec<&str> {
    receipts.as_array().unwrap().iter().map(|receipt| receipt["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_file_goes_there_and_its_receipts_come_back() {
    let gateway = Gateway::start().await;
    let payload: Vec<u8> = (0..1_500_000_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(gateway.path("7816-VPCP.pdf"), &payload).unwrap();
    let send =
        "send 7816-VPCP.pdf --profile G22 --to H49,H02 --subject V/v --urgency express --json --id m-1";
    let accepted = gateway.run(send).await.ended(0).object();
    assert_eq!((&accepted["message_id"], &accepted["repeated_submission"]), (&"m-1".into(), &false.into()));
    assert_eq!(gateway.run(send).await.ended(0).object()["repeated_submission"], true);

    let delivery = gateway.run("collect --profile H49 --once --json --out in").await.ended(0).object();
    assert_eq!(delivery["state"], "delivered");
    let header = &delivery["envelope"]["header"];
    assert_eq!(header["code"], serde_json::json!({ "number": "7816", "notation": "G22" }));
    assert_eq!((&header["urgency"], &header["subject"]), (&"express".into(), &"V/v".into()));
    let file = delivery["file"].as_str().unwrap();
    assert!(file.starts_with("in/") && file.ends_with(".pdf"), "{file}");
    assert_eq!(std::fs::read(gateway.path(file)).unwrap(), payload);
    assert_eq!(std::fs::read_dir(gateway.path("in")).unwrap().count(), 1, "nothing half written is left");
    assert_eq!(gateway.run("collect --profile H49 --once --json --out in").await.ended(0).out, "");

    let receipts = "receipts --profile G22 --json --cursor-file cursor";
    assert_eq!(gateway.run(receipts).await.ended(0).objects().len(), 4);
    let reject = gateway.run("collect --profile H05 --max 1 --json --reject wrong-address").await.ended(0);
    assert_eq!(reject.object()["state"], "rejected");
    let rest = gateway.run(receipts).await.ended(0).objects();
    let kinds_of_rest: Vec<_> = rest.iter().map(|r| r["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds_of_rest, ["offered", "rejected"]);
    assert_eq!((&rest[1]["reason"], &rest[1]["asserted_by"]), (&"wrong-address".into(), &"H05".into()));
    assert_eq!(gateway.run(receipts).await.ended(0).out, "");

    let story = gateway.run("track m-1 --profile G22 --json").await.ended(0).object();
    assert_eq!(
        kinds(&story["receipts"]),
        ["accepted", "redirected", "offered", "delivered", "offered", "rejected"]
    );
    let seen = gateway.run("track m-1 --profile H49 --sender G22 --json").await.ended(0).object();
    assert_eq!(kinds(&seen["receipts"]), ["accepted", "offered", "delivered"]);
    let table = gateway.run("track m-1 --profile G22 --lang vi").await.ended(0).out;
    assert!(table.contains("bị từ chối") && table.contains("H02 → H05"), "{table}");
}

#[tokio::test]
async fn a_status_is_reported_and_seen() {
    let gateway = Gateway::start().await;
    std::fs::write(gateway.path("a.txt"), "xin chào").unwrap();
    gateway.run("send a.txt --profile G22 --to H49 --subject S --id m-1").await.ended(0);
    let delivery = gateway.run("collect --profile H49 --max 1 --json").await.ended(0).object();
    let id = delivery["delivery_id"].as_str().unwrap();
    let refused = gateway.run(&format!("status {id} 06 --profile H49")).await.ended(1);
    assert!(
        refused.err.contains("STATUS_NOT_POSSIBLE") && refused.err.contains("01, 02, 03"),
        "{}",
        refused.err
    );
    let report = format!("status {id} 03 --profile H49 --json --staff Mẫu --time 2026-01-31T09:30:00+07:00");
    let reported = gateway.run(&report).await.ended(0).object();
    assert_eq!((&reported["type"], &reported["repeated_report"]), (&"report_result".into(), &false.into()));
    let receipt = &reported["receipt"];
    assert_eq!((&receipt["kind"], &receipt["status"]), (&"status".into(), &"03".into()));
    assert_eq!((&receipt["staff"]["name"], &receipt["asserted_by"]), (&"Mẫu".into(), &"H49".into()));
    assert_eq!(receipt["status_time"], "2026-01-31T09:30:00+07:00");
    assert_eq!(gateway.run(&report).await.ended(0).object()["repeated_report"], true);
    let story = gateway.run("track m-1 --profile G22 --json").await.ended(0).object();
    assert_eq!(
        (&story["deliveries"][0]["state"], &story["deliveries"][0]["status"]),
        (&"delivered".into(), &"03".into())
    );
    let shown = gateway.run("track m-1 --profile G22 --lang vi").await.ended(0).out;
    assert!(shown.contains("03 đã tiếp nhận"), "{shown}");
    gateway.run("receipts --profile G22 --status-files statuses").await.ended(0);
    let file = std::fs::read_to_string(gateway.path("statuses/4.edxml")).unwrap();
    assert!(file.contains("<edXML:StatusCode>03</edXML:StatusCode>"), "{file}");
    gateway.run(&format!("status {id} 07 --profile H49")).await.ended(64);
    let done = gateway.run(&format!("status {id} 06 --profile H49 --lang en")).await.ended(0).out;
    assert!(done.contains("06 done"), "{done}");
}

const LIMITS: &str =
    concat!("[limits]\norgans = [\"", env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/limits.csv\"]\n");

#[tokio::test]
async fn limits_are_seen_before_sending() {
    let gateway = Gateway::start_with(LIMITS).await;
    let shown = gateway.run("limits H49 --profile G22 --json").await.ended(0).object();
    assert_eq!((&shown["organ_id"], &shown["window_max"]), (&"H49".into(), &3.into()));
    assert_eq!((&shown["takes_from_caller"], &shown["mailbox_room"]), (&true.into(), &"plenty".into()));
    assert_eq!((&shown["caller_rate_per_s"], &shown["caller_rate_burst"]), (&7.into(), &9.into()));
    let own = gateway.run("limits --profile H49 --lang vi").await.ended(0).out;
    assert!(own.contains("H49") && own.contains("công văn") && own.contains("còn nhiều"), "{own}");
    let others = gateway.run("limits 000.00.00.H49 --profile H05 --lang en").await.ended(0).out;
    assert!(others.contains("no\n") && others.contains("Largest payload"), "{others}");
    let nobody = gateway.run("limits H99 --profile G22").await.ended(1);
    assert!(nobody.err.contains("ORGAN_NOT_FOUND"), "{}", nobody.err);
    let operator = gateway.run("limits --profile lan").await.ended(1);
    assert!(operator.err.contains("OPERATOR_NOT_ALLOWED"), "{}", operator.err);
}

#[tokio::test]
async fn waiting_ends_with_the_last_delivery() {
    let gateway = Gateway::start().await;
    std::fs::write(gateway.path("a.txt"), "xin chào").unwrap();
    let wait = "send a.txt --profile G22 --to H49 --subject S --wait --json";
    let mut sending = Running::start(gateway.command(wait));
    let message_id = sending.object_of("acceptance").await["message_id"].as_str().unwrap().to_owned();
    assert_eq!(message_id.len(), 36, "a UUID");
    gateway.run("collect --profile H49 --max 1").await.ended(0);
    assert_eq!(sending.object_of("delivery_status").await["state"], "delivered");

    let mut refused = Running::start(gateway.command(wait));
    refused.object_of("acceptance").await;
    gateway.run("collect --profile H49 --max 1 --reject no").await.ended(0);
    assert_eq!(refused.object_of("delivery_status").await["state"], "rejected");
    assert_eq!(refused.ended().await, 1);
    assert_eq!(sending.ended().await, 0);
}

#[tokio::test]
async fn a_collector_and_a_follower_outlive_a_restart_of_the_gateway() {
    let mut gateway = Gateway::start().await;
    let send = |id: &str| {
        std::fs::write(gateway.path("a.txt"), id).unwrap();
        gateway.command(&format!("send a.txt --profile G22 --to H49 --subject S --id {id}"))
    };
    let (first, second) = (send("one"), send("two"));
    let mut collector = Running::start(gateway.command("collect --profile H49 --json --window 4"));
    let mut follower = Running::start(gateway.command("receipts --follow --profile G22 --json"));
    end(first).await.ended(0);
    assert_eq!(collector.object().await["envelope"]["message_id"], "one");
    gateway.restart().await;
    end(second).await.ended(0);
    assert_eq!(collector.object().await["envelope"]["message_id"], "two");
    let mut sequence = Vec::new();
    while sequence.len() < 6 {
        sequence.push(follower.object().await["sender_sequence"].as_u64().unwrap());
    }
    assert_eq!(sequence, [1, 2, 3, 4, 5, 6]);
    assert_eq!(collector.interrupt().await, 0);
    assert_eq!(follower.interrupt().await, 0);
    let story = gateway.run("track two --profile G22 --json").await.ended(0).object();
    assert_eq!(kinds(&story["receipts"]), ["accepted", "offered", "delivered"]);
}

#[tokio::test]
async fn an_edxml_file_is_its_own_header() {
    let gateway = Gateway::start().await;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/edxml/new.edxml");
    let send = format!("send --profile G22 --json --edxml {file}");
    let accepted = gateway.run(&send).await.ended(0).object();
    assert!(accepted["message_id"].as_str().unwrap().starts_with("edxml:"), "{accepted}");
    gateway.run("collect --profile H49 --max 1").await.ended(0);
    let kept: Vec<_> = std::fs::read_dir(gateway.path("received")).unwrap().collect();
    let kept = kept[0].as_ref().unwrap().path();
    assert_eq!(kept.extension().unwrap(), "edxml");
    assert_eq!(std::fs::read(kept).unwrap(), std::fs::read(file).unwrap());
    let other = gateway.run(&format!("send --profile H49 --edxml {file}")).await.ended(1);
    assert!(other.err.contains("SENDER_MISMATCH"), "{}", other.err);
}
