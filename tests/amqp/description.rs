//! `docs/asyncapi.yaml` and `docs/amqp.md` name what the program names.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use truc::amqp::Names;
use truc::bridge::codec::{self, Body, Form, Label};
use truc::bridge::dossiers::written;
use truc::domain::message::Lane;
use truc::domain::organ_id::OrganId;
use truc::metrics::{Label as _, ParkCause};
use truc::proto::v1;

use crate::world::python;

pub fn document() -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = Command::new(python())
        .arg(root.join("tests/amqp/asyncapi.py"))
        .arg(root.join("docs/asyncapi.yaml"))
        .output()
        .unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    serde_json::from_slice(&read.stdout).unwrap()
}

fn names_of(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_description_for_tools_agrees_with_the_program() {
    let document = document();
    assert_eq!(document["asyncapi"], "3.0.0");
    let names = Names::default();
    let organ = OrganId::parse("H49").unwrap();
    let named = |name: String| name.replace("H49", "{organ}");
    let channel = |name: &str| &document["channels"][name];
    assert_eq!(channel("submissions")["address"], Names::SUBMIT);
    assert_eq!(channel("outcomes")["address"], Names::SETTLE);
    assert_eq!(channel("reports")["address"], Names::STATUS);
    assert_eq!(channel("steps")["address"], Names::STEPS);
    for name in ["submissions", "outcomes", "reports", "steps"] {
        let exchange = &channel(name)["bindings"]["amqp"]["exchange"];
        assert_eq!(
            (exchange["name"].as_str(), exchange["type"].as_str()),
            (Some(&*names.submissions()), Some("direct"))
        );
    }
    assert_eq!(channel("mailbox")["address"], named(names.mailbox(&organ, Lane::Normal)));
    assert_eq!(channel("mailboxUrgent")["address"], named(names.mailbox(&organ, Lane::Urgent)));
    assert_eq!(channel("receipts")["address"], named(names.receipts_of(&organ)));
    let on = |operation: &Value| operation["channel"]["$ref"].as_str().unwrap().to_owned();
    let used: BTreeSet<_> = document["operations"].as_object().unwrap().values().map(on).collect();
    let channels = names_of(&document["channels"]).into_iter();
    assert_eq!(used, channels.map(|name| format!("#/channels/{name}")).collect());
    assert_eq!(channel("dossiers")["address"], named(names.dossiers_of(&organ)));
    let topics = &channel("dossierTopics")["bindings"]["amqp"]["exchange"];
    assert_eq!((topics["name"].as_str(), topics["type"].as_str()), (Some(&*names.dossiers()), Some("topic")));

    let bodies = [
        v1::SubmitRequest::NAME,
        v1::SettleRequest::NAME,
        v1::Delivery::NAME,
        v1::Receipt::NAME,
        v1::SubmitResult::NAME,
        v1::SettleResponse::NAME,
        v1::ReportStatusRequest::NAME,
        v1::ReportStatusResponse::NAME,
        v1::StatusFile::NAME,
        v1::OverdueNotice::NAME,
        v1::PublishRequest::NAME,
        v1::PublishResponse::NAME,
        v1::DossierEvent::NAME,
    ];
    let messages = &document["components"]["messages"];
    for (name, message) in messages.as_object().unwrap() {
        assert_eq!(message["name"], format!("truc.v1.{name}"));
        assert_eq!(message["bindings"]["amqp"]["messageType"], message["name"]);
        assert_eq!(message["contentType"], Form::Protobuf.content_type());
    }
    let described: BTreeSet<_> =
        names_of(messages).into_iter().map(|name| format!("truc.v1.{name}")).collect();
    assert_eq!(described, bodies.map(str::to_owned).into());
    let headers = names_of(&messages["DossierEvent"]["headers"]["properties"]);
    let written = [
        written::POSITION_HEADER,
        written::PREVIOUS_HEADER,
        written::DOSSIER_HEADER,
        written::STEP_HEADER,
        written::OWNER_HEADER,
        written::PROCEDURE_HEADER,
        written::STATUS_HEADER,
        written::FLAGS_HEADER,
    ];
    assert_eq!(headers, written.into());
    let headers = names_of(&messages["Delivery"]["headers"]["properties"]);
    assert!(
        headers.contains(truc::bridge::letter::DELIVERY_HEADER)
            && headers.contains(truc::bridge::letter::LEASE_HEADER)
    );
}

fn is_read<M: Body>(message: &Value) -> usize {
    let examples = message["examples"].as_array().map_or(&[][..], Vec::as_slice);
    for example in examples {
        let label = Label { content_type: Form::Json.content_type(), name: M::NAME };
        let body = serde_json::to_vec(&example["payload"]).unwrap();
        let read = codec::read::<M>(label, body.into(), 1 << 20);
        assert!(read.is_ok(), "{}: {:?}", example["name"], read.err());
    }
    examples.len()
}

#[test]
fn the_examples_for_tools_are_messages_of_the_contract() {
    let document = document();
    let messages = &document["components"]["messages"];
    let read = is_read::<v1::SubmitRequest>(&messages["SubmitRequest"])
        + is_read::<v1::ReportStatusRequest>(&messages["ReportStatusRequest"])
        + is_read::<v1::Delivery>(&messages["Delivery"])
        + is_read::<v1::Receipt>(&messages["Receipt"])
        + is_read::<v1::SubmitResult>(&messages["SubmitResult"]);
    let examples =
        messages.as_object().unwrap().values().filter_map(|message| message["examples"].as_array());
    assert_eq!(examples.map(Vec::len).sum::<usize>(), read, "all of them are looked at");
    assert_eq!(read, 12);
}

#[test]
fn the_page_for_people_names_every_cause_and_message() {
    let page = include_str!("../../docs/amqp.md");
    for cause in ParkCause::ALL {
        assert!(page.contains(&format!("| `{}` |", cause.as_str())), "{cause:?}");
    }
    let names = Names::default();
    for name in [names.submissions(), v1::SettleResponse::NAME.into(), Form::Json.content_type().into()] {
        assert!(page.contains(&name), "{name}");
    }
}
