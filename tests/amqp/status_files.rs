//! A sender that speaks edXML over AMQP gets statuses in edXML, after their receipts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use truc::edxml::{Edxml, read};
use truc::proto::v1::{self, BusinessStatus};

use crate::site::{delivered, soon};
use crate::world::{World, submit};

fn fixture(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/edxml");
    std::fs::read(folder.join(name)).unwrap()
}

/// The message that submits an edXML file.
fn edxml(message_id: &str, file: &[u8]) -> Value {
    let body =
        json!({ "submission": { "messageId": message_id, "edxml": { "file": STANDARD.encode(file) } } });
    json!({ "type": "truc.v1.SubmitRequest", "body": body, "message_id": message_id })
}

/// What comes after the next receipt of kind status: the receipt, and it.
async fn after_status(world: &World) -> (Value, Value) {
    let queue = "truc.receipts.G22";
    loop {
        let told = world.take("G22", queue, 1).await.remove(0);
        if told["value"]["kind"] == "RECEIPT_KIND_STATUS" {
            return (told, world.take("G22", queue, 1).await.remove(0));
        }
        assert!(told["late"].is_null(), "{told}");
    }
}

fn bytes(told: &Value) -> Vec<u8> {
    assert_eq!(told["type"], "truc.v1.StatusFile", "{told}");
    STANDARD.decode(told["value"]["file"].as_str().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_of_a_status_follows_its_receipt() {
    let world = World::new("files", &[("G22", "amqp-json"), ("H49", "amqp-json"), ("H02", "grpc")]);
    let gateway = world.gateway();
    world.queue_exists(&gateway, "truc.receipts.H49").await;
    world.publish("G22", vec![edxml("m-1", &fixture("new.edxml"))]).await;
    for queue in ["truc.mailbox.H49.urgent", "truc.mailbox.H49"] {
        let taken = world.agency("json", &["take", "H49", queue, "--seconds", "3"]).run(Vec::new()).await;
        if taken[0]["late"].is_null() {
            break;
        }
    }

    // Written by the recipient: byte for byte.
    world.publish("H49", vec![edxml("", &fixture("status_03.edxml"))]).await;
    let (receipt, file) = after_status(&world).await;
    assert_eq!(bytes(&file), fixture("status_03.edxml"));
    assert_eq!(file["value"]["original"], true);
    assert_eq!(file["value"]["senderSequence"], receipt["value"]["senderSequence"]);
    assert_eq!(file["correlation_id"], "m-1");
    assert_eq!(file["message_id"], format!("{}-edxml", receipt["message_id"].as_str().unwrap()));

    // Reported over gRPC: made by the gateway.
    let h02 = world.site.agency(&gateway, "H02").await;
    let held = h02.fetch(1, 10).await.remove(0);
    h02.settle(vec![delivered(&held)]).await;
    let report = |delivery: &v1::Delivery| v1::ReportStatusRequest {
        organ: String::new(),
        reports: vec![v1::StatusReport {
            delivery_id: delivery.delivery_id.clone(),
            status: BusinessStatus::Accepted.into(),
            ..Default::default()
        }],
    };
    soon("report", h02.exchange.clone().report_status(report(&held))).await.unwrap();
    let (_, file) = after_status(&world).await;
    assert!(file["value"]["original"].is_null(), "not the reporter's own");
    let Ok(Edxml::Status(status)) = read(&bytes(&file)) else { panic!("{file}") };
    assert_eq!((status.from.organ.as_str(), status.code.as_str()), ("H02", "03"));

    // What was no edXML file has none: the next receipt follows at once.
    world.publish("G22", vec![submit("m-2", "H02"), submit("m-3", "H02")]).await;
    let held = h02.fetch(1, 10).await.remove(0);
    soon("report", h02.exchange.clone().report_status(report(&held))).await.unwrap();
    h02.settle(vec![delivered(&held)]).await;
    let (_, next) = after_status(&world).await;
    assert_eq!(next["type"], "truc.v1.Receipt", "{next}");
    assert_eq!(gateway.metric("truc_bridge_status_files_total").await, 2.0);
    assert_eq!(gateway.stop(), Some(0));
}
