//! Thousands of deliveries wait for organs that close: each reaches the right successor or the rule for the ambiguous, once, with its
//! receipt, and as it was planned.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;
use tokio::sync::Mutex;
use truc::proto::v1;

use crate::country::{self, Closing, DAY};
use crate::nodes::RabbitMq;
use crate::setup::SetUp;
use crate::site::{Agency, Site, delivered, document, reason, until};

/// Messages that wait, each for all of ...
const MESSAGES: usize = 20;
/// ... these organs, all of which close: ten thousand deliveries.
const ORGANS: usize = 500;
/// Those of the organs that were divided.
const DIVIDED: usize = 60;

/// One at a time: each makes RabbitMQ as busy as the machine allows.
static TURN: Mutex<()> = Mutex::const_new(());

/// Runs a command of the program with the gateway's configuration; its answer, one object a line.
fn truc(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_truc"))
        .args(arguments)
        .arg("--config")
        .arg(site.config_file())
        .arg("--json")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "truc {arguments:?}: {errors}");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What becomes of the mail of each organ: where it goes, how many deliveries.
type Mail = BTreeMap<String, (Option<String>, u64)>;

fn mail(objects: &[Value]) -> Mail {
    let mail = objects.iter().filter(|object| object["type"] == "mail");
    mail.map(|object| {
        let to = object["to"].as_str().map(str::to_owned);
        assert_eq!(object["in_flight"], 0);
        (object["organ"].as_str().unwrap().to_owned(), (to, object["deliveries"].as_u64().unwrap()))
    })
    .collect()
}

async fn all_wait_then_close(mut site: Site, rule: &str, rabbitmq: Option<&RabbitMq>) {
    let closings = country::closings(ORGANS, DIVIDED);
    country::eve(&mut site, &closings);
    site.set(format!("directory.ambiguous = {rule:?}"));
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    let recipients: Vec<_> = closings.iter().map(|closing| closing.organ.as_str()).collect();
    for n in 0..MESSAGES {
        g22.submit(document(&format!("m-{n}"), &recipients, b"x".to_vec())).await.unwrap();
    }
    let file = country::reform(&site, &closings);
    let file = file.to_str().unwrap();
    let planned = truc(&site, &["directory", "plan", file]);
    assert_eq!(planned.iter().filter(|object| object["type"] == "change").count(), ORGANS);
    let started = Instant::now();
    let applied = truc(&site, &["directory", "apply", file]);
    let took = started.elapsed();
    assert_eq!(mail(&planned), mail(&applied), "as it was planned");
    let expected: Mail = closings
        .iter()
        .map(|closing| {
            let to = closing.destination(rule).map(str::to_owned);
            (closing.organ.clone(), (to, MESSAGES as u64))
        })
        .collect();
    assert_eq!(mail(&applied), expected);
    println!("{rule}: {} deliveries of {ORGANS} closed organs in {took:?}", MESSAGES * ORGANS);

    for n in 0..MESSAGES {
        let id = format!("m-{n}");
        check_story(&g22.track("G22", &id).await.unwrap(), &closings, rule);
    }
    check_audit(&site);
    if let Some(rabbitmq) = rabbitmq {
        left_empty(rabbitmq, &closings).await;
    }
    check_later_mail(&g22, &closings, rule).await;
    check_successor(&site, &gateway, &closings, rule).await;
    assert!(
        truc(&site, &["directory", "plan", &nothing(&site)]).iter().all(|object| object["type"] != "mail")
    );
    assert_eq!(gateway.stop(), Some(0));
}

/// A reform that concerns nobody with mail.
fn nothing(site: &Site) -> String {
    let file = site.path("nothing.toml");
    let text =
        "title = \"t\"\n[[change]]\ndo = \"rename\"\norgan = \"G22\"\nname = \"Tên mới\"\non = 2030-01-01\n";
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

/// Each of a message's first deliveries was moved once, or is dead with the candidates.
fn check_story(story: &v1::TrackResponse, closings: &[Closing], rule: &str) {
    let receipts: BTreeMap<&str, &v1::Receipt> = story
        .receipts
        .iter()
        .filter(|receipt| !receipt.replaces_delivery_id.is_empty())
        .map(|receipt| (receipt.replaces_delivery_id.as_str(), receipt))
        .collect();
    let moved = closings.iter().filter(|closing| closing.destination(rule).is_some()).count();
    assert_eq!(
        (receipts.len(), story.deliveries.len()),
        (moved, closings.len() + moved),
        "one receipt for each that moved"
    );
    assert_eq!(story.receipts.len(), 1 + closings.len(), "the acceptance, and one for each delivery");
    for (closing, first) in closings.iter().zip(&story.deliveries) {
        assert_eq!(first.recipient, closing.organ);
        match closing.destination(rule) {
            Some(to) => {
                assert_eq!(first.state(), v1::DeliveryState::Redirected);
                let receipt = receipts[first.delivery_id.as_str()];
                assert_eq!(receipt.kind(), v1::ReceiptKind::Redirected);
                assert_eq!((receipt.recipient.as_str(), &receipt.addressed_to), (to, &closing.organ));
                assert_eq!(receipt.reason, closing.legal_basis);
                let next =
                    story.deliveries.iter().find(|next| next.delivery_id == receipt.delivery_id).unwrap();
                assert_eq!((next.recipient.as_str(), next.state()), (to, v1::DeliveryState::Queued));
            }
            None => {
                assert_eq!(first.state(), v1::DeliveryState::Dead);
                let dead =
                    story.receipts.iter().find(|receipt| receipt.delivery_id == first.delivery_id).unwrap();
                assert_eq!(
                    (dead.kind(), dead.cause()),
                    (v1::ReceiptKind::Dead, v1::DeliveryCause::RecipientClosed)
                );
                assert!(closing.successors.iter().all(|successor| dead.reason.contains(successor)));
            }
        }
    }
}

/// Nothing is left at RabbitMQ of what waited for organs that have closed.
async fn left_empty(rabbitmq: &RabbitMq, closings: &[Closing]) {
    let connection =
        lapin::Connection::connect(&rabbitmq.uri(), lapin::ConnectionProperties::default()).await;
    let connection = connection.unwrap();
    for closing in closings {
        let queue = format!("truc.mailbox.{}", closing.organ);
        until(&queue, async || {
            // A queue that was never made ends the channel, and holds nothing.
            let channel = connection.create_channel().await.unwrap();
            let options = lapin::options::QueueDeclareOptions { passive: true, ..Default::default() };
            let declared = channel.queue_declare(queue.as_str().into(), options, Default::default()).await;
            let messages = declared.map_or(0, |declared| declared.message_count());
            let _closed_already = channel.close(200, "looked".into()).await.is_err();
            messages == 0
        })
        .await;
    }
}

fn check_audit(site: &Site) {
    let audit = std::fs::read_to_string(site.path("audit.jsonl")).unwrap();
    let lines: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [applying, applied] = lines.as_slice() else { panic!("{audit}") };
    assert_eq!((&applying["step"], &applied["step"]), (&"applying".into(), &"applied".into()));
    assert_eq!(applying["changes"].as_array().unwrap().len(), ORGANS);
    assert_eq!(applying["file_sha256"], applied["file_sha256"]);
    assert!(applied["who"]["uid"].is_number());
}

/// What is sent to closed organs from now on goes where what waited went.
async fn check_later_mail(g22: &Agency, closings: &[Closing], rule: &str) {
    for closing in [&closings[0], closings.iter().find(|closing| closing.successors.len() > 1).unwrap()] {
        let sent =
            g22.submit(document(&format!("later-{}", closing.organ), &[&closing.organ], b"x".to_vec())).await;
        match closing.destination(rule) {
            Some(to) => assert_eq!(sent.unwrap().deliveries[0].recipient, to),
            None => {
                let refused = sent.unwrap_err();
                assert_eq!(reason(&refused), "RECIPIENT_CLOSED");
                let details = tonic_types::StatusExt::get_error_details(&refused);
                let facts = details.error_info().unwrap().metadata.clone();
                let named: BTreeSet<_> = facts["candidates"].split(',').collect();
                assert_eq!(named, closing.successors.iter().map(String::as_str).collect());
                assert_eq!(facts["default_successor"], closing.handler);
            }
        }
    }
}

/// One successor takes what came to it: each once, in the order it was sent.
async fn check_successor(site: &Site, gateway: &crate::site::Process, closings: &[Closing], rule: &str) {
    let to = closings.iter().rev().find_map(|closing| closing.destination(rule)).unwrap();
    let sources = closings.iter().filter(|closing| closing.destination(rule) == Some(to)).count();
    let agency = site.agency(gateway, to).await;
    let mut taken = Vec::new();
    while taken.len() < sources * MESSAGES {
        let fetched = agency.fetch(100, 25).await;
        assert!(!fetched.is_empty(), "{} of {}", taken.len(), sources * MESSAGES);
        agency.settle(fetched.iter().map(delivered).collect()).await;
        taken.extend(fetched.into_iter().map(|delivery| delivery.delivery_id));
    }
    let each: BTreeSet<_> = taken.iter().collect();
    assert_eq!((taken.len(), each.len()), (sources * MESSAGES, sources * MESSAGES));
    assert!(agency.fetch(100, 1).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_wait_and_the_divided_are_refused() {
    in_set_up(SetUp::Standalone, "refuse").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_wait_and_handlers_are_named() {
    in_set_up(SetUp::Standalone, "handler").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_rabbitmq_the_mailboxes_of_the_closed_are_left_empty() {
    in_set_up(SetUp::Bridge, "handler").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_and_rabbitmq() {
    in_set_up(SetUp::ScaleOut, "refuse").await;
}

async fn in_set_up(set_up: SetUp, rule: &str) {
    let _turn = TURN.lock().await;
    let around = set_up.surroundings();
    let mut site = Site::new(&[]);
    around.tell(&mut site);
    all_wait_then_close(site, rule, around.rabbitmq.as_deref()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_flight_follows_when_it_comes_back() {
    let mut site = Site::new(&[]);
    let closings = country::closings(40, 5);
    country::eve(&mut site, &closings);
    let gateway = site.start();
    let (g22, closed) = (site.agency(&gateway, "G22").await, &closings[0]);
    g22.submit(document("m-1", &[&closed.organ], b"x".to_vec())).await.unwrap();
    let mut collecting = site.agency(&gateway, &closed.organ).await.collect(1).await;
    assert_eq!(collecting.deliveries().await.len(), 1);
    let file = country::reform(&site, &closings);
    let applied = truc(&site, &["directory", "apply", file.to_str().unwrap()]);
    let told: Vec<_> = applied.iter().filter(|object| object["type"] == "mail").collect();
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["deliveries"], &told[0]["in_flight"]),
        (&0.into(), &1.into()),
        "who holds it keeps it"
    );
    drop(collecting);
    let to = site.agency(&gateway, &closed.successors[0]).await;
    let followed = to.fetch(1, 20).await;
    assert_eq!((followed.len(), followed[0].addressed_to.as_str()), (1, closed.organ.as_str()));
    let again = Command::new(env!("CARGO_BIN_EXE_truc"))
        .args(["directory", "apply", file.to_str().unwrap(), "--config"])
        .arg(site.config_file())
        .output()
        .unwrap();
    let why = String::from_utf8(again.stderr).unwrap();
    assert!(again.status.code() == Some(64) && why.contains("closed already"), "{why}");
    assert_eq!(gateway.stop(), Some(0));
    let resolved = truc(&site, &["directory", "resolve", &closed.organ]);
    assert_eq!(
        (&resolved[0]["resolution"], &resolved[0]["organ"]),
        (&"redirected".into(), &closed.successors[0].as_str().into())
    );
    let eve = truc(&site, &["directory", "resolve", &closed.organ, "--on", "2025-06-30"]);
    assert_eq!(eve[0]["resolution"], "open", "{DAY}");
}
