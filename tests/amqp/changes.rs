//! Recall, update and replacement over AMQP, with the very examples of `docs/asyncapi.yaml`.

use serde_json::{Value, json};

use crate::description;
use crate::site::Process;
use crate::world::{World, submit};

const SENDER: &str = "H77.1";
/// Who stands in the examples, and who takes their place here.
const NAMES: [(&str, &str); 3] = [("G22", SENDER), ("H49", "H77.2"), ("H57", "H77.3")];

/// An example of a message.
fn example(message: &str, name: &str) -> Value {
    let document = description::document();
    let examples = document["components"]["messages"][message]["examples"].as_array().unwrap().clone();
    let found = examples.into_iter().find(|example| example["name"] == name).unwrap();
    let text = NAMES.iter().fold(found["payload"].to_string(), |text, (theirs, ours)| {
        text.replace(&format!("\"{theirs}\""), &format!("\"{ours}\""))
    });
    serde_json::from_str(&text).unwrap()
}

/// What one of the agencies is told, and what it reads.
struct Talk {
    world: World,
    /// Receipts the sender has read.
    told: Vec<Value>,
}

impl Talk {
    async fn change(&self, name: &str) {
        let body = example("SubmitRequest", name);
        let message = json!({ "type": "truc.v1.SubmitRequest", "body": body, "message_id": name });
        self.world.publish(SENDER, vec![message]).await;
    }

    /// The next delivery of an organ, read and not settled.
    async fn delivery(&self, organ: &str, urgent: bool) -> Value {
        let queue = format!("truc.mailbox.{organ}{}", if urgent { ".urgent" } else { "" });
        let mut taken = self.world.take(organ, &queue, 1).await;
        assert_eq!(taken[0]["type"], "truc.v1.Delivery", "{taken:?}");
        taken.remove(0)["value"].take()
    }

    /// Answers what a delivery asks, the one or other way.
    async fn answer(&self, organ: &str, asked: &Value, name: &str) {
        let mut body = example("ReportStatusRequest", name);
        body["reports"][0]["deliveryId"] = asked["deliveryId"].clone();
        let message = json!({
            "type": "truc.v1.ReportStatusRequest",
            "routing_key": "status",
            "body": body,
            "message_id": name,
        });
        self.world.publish(organ, vec![message]).await;
    }

    /// Reads the sender's queue until a receipt of this kind about a message has come; gives it.
    async fn told(&mut self, kind: &str, id: &str, recipient: &str) -> Value {
        let kind = format!("RECEIPT_KIND_{kind}");
        let is_it = |value: &Value| {
            value["kind"] == kind
                && value["messageId"] == id
                && value["recipient"].as_str() == Some(recipient)
        };
        loop {
            if let Some(at) = self.told.iter().position(is_it) {
                return self.told.remove(at);
            }
            let queue = format!("truc.receipts.{SENDER}");
            let mut taken = self.world.take(SENDER, &queue, 1).await;
            assert!(taken[0]["late"].is_null(), "{kind} of {id}: {taken:?}");
            self.told.push(taken.remove(0)["value"].take());
        }
    }
}

async fn start() -> (Talk, Process) {
    let organs = NAMES.map(|(_, ours)| (ours, "amqp-json"));
    let world = World::new("changes", &organs);
    let gateway = world.gateway();
    for (_, organ) in NAMES {
        world.queue_exists(&gateway, &format!("truc.receipts.{organ}")).await;
    }
    (Talk { world, told: Vec::new() }, gateway)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_taken_back_updated_and_replaced() {
    let (mut talk, gateway) = start().await;
    let (one, other) = ("H77.2", "H77.3");
    let both = |id: &str| {
        let mut message = submit(id, one);
        message["body"]["submission"]["document"]["header"]["recipients"] = json!([one, other]);
        message
    };
    let sent =
        vec![submit("van-ban-1", one), both("van-ban-2"), submit("van-ban-3", one), submit("van-ban-4", one)];
    talk.world.publish(SENDER, sent).await;
    let mut handed = Vec::new();
    for id in ["van-ban-1", "van-ban-2", "van-ban-3", "van-ban-4"] {
        let delivery = talk.delivery(one, false).await;
        assert_eq!(delivery["envelope"]["messageId"], id);
        handed.push(delivery["deliveryId"].clone());
    }
    assert_eq!(talk.delivery(other, false).await["envelope"]["messageId"], "van-ban-2");

    // A recall: who has the document is asked, agrees, and has it no more.
    talk.change("recall").await;
    let asked = talk.delivery(one, true).await;
    assert_eq!(asked["envelope"]["kind"], "MESSAGE_KIND_RECALL");
    assert_eq!(asked["payload"], example("Delivery", "asked")["payload"]);
    let about = asked["about"][0].clone();
    assert_eq!((&about["messageId"], &about["deliveryId"]), (&json!("van-ban-1"), &handed[0]));
    let requested = talk.told("REQUESTED", "van-ban-1", one).await;
    assert_eq!((&requested["changeMessageId"], &requested["asked"]), (&json!("thu-hoi-1"), &about["asked"]));
    talk.answer(one, &about, "agreed").await;
    let answered = talk.told("STATUS", "van-ban-1", one).await;
    assert_eq!(answered["status"], "BUSINESS_STATUS_CHANGE_AGREED");
    let cancelled = talk.told("CANCELLED", "van-ban-1", one).await;
    assert_eq!(cancelled["changeMessageId"], "thu-hoi-1");

    // An update: one gets the newer form and keeps the old one, the other is removed and agrees.
    talk.change("update").await;
    let newer = talk.delivery(one, false).await;
    assert_eq!(
        (&newer["envelope"]["messageId"], &newer["about"][0]["asked"]),
        (&json!("cap-nhat-1"), &json!("MESSAGE_KIND_UPDATE"))
    );
    talk.answer(one, &newer["about"][0], "refused").await;
    let answered = talk.told("STATUS", "van-ban-2", one).await;
    assert_eq!(
        (&answered["status"], &answered["reason"]),
        (&json!("BUSINESS_STATUS_CHANGE_REFUSED"), &json!("đã xử lý xong"))
    );
    let removed = talk.delivery(other, false).await;
    assert_eq!(removed["about"][0]["asked"], "MESSAGE_KIND_RECALL");
    talk.answer(other, &removed["about"][0], "agreed").await;
    talk.told("CANCELLED", "van-ban-2", other).await;

    // A replacement of two; a recall of what is asked about already is refused.
    talk.change("replacement").await;
    let newest = talk.delivery(one, false).await;
    let about: Vec<_> =
        newest["about"].as_array().unwrap().iter().map(|about| &about["deliveryId"]).collect();
    assert_eq!(about, [&handed[2], &handed[3]]);
    let recall = json!({ "submission": { "messageId": "thu-hoi-2", "recall": {
        "targets": [{ "messageId": "van-ban-3" }], "reason": "nhầm" } } });
    let message = json!({ "type": "truc.v1.SubmitRequest", "body": recall, "message_id": "second" });
    talk.world.publish(SENDER, vec![message]).await;
    let refused = loop {
        let mut taken = talk.world.take(SENDER, &format!("truc.receipts.{SENDER}"), 1).await;
        if taken[0]["type"] == "truc.v1.SubmitResult" {
            break taken.remove(0);
        }
        talk.told.push(taken.remove(0)["value"].take());
    };
    assert_eq!(refused["correlation_id"], "second");
    let described = example("SubmitResult", "refused");
    for fact in ["reason", "field"] {
        assert_eq!(refused["value"]["refusal"][fact], described["refusal"][fact]);
    }
    for (n, id) in [(0, "van-ban-3"), (1, "van-ban-4")] {
        talk.answer(one, &newest["about"][n], "agreed").await;
        talk.told("CANCELLED", id, one).await;
    }
    assert_eq!(gateway.stop(), Some(0));
}
