//! Probes, metrics, logs, health and reflection of a gateway at work.

use std::collections::BTreeSet;

use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use truc::proto::v1::{self, settlement::Outcome, submission::Content};

use crate::support::{Process, Site, delivered, document, edxml, soon};

const SERVICES: [&str; 2] = ["truc.v1.DirectoryService", "truc.v1.DocumentExchangeService"];

/// Stands in every text of a document, and so must stand nowhere in a log.
const MARK: &str = "chimlac9041";

#[tokio::test(flavor = "multi_thread")]
async fn readyz_names_the_check_that_fails_and_livez_is_of_no_check() {
    let site = Site::new(&["ledger.disk_free_bytes_min = 4611686018427387904"]);
    let gateway = site.start();
    let (status, body) = gateway.get("/readyz").await;
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    let report: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(report["ready"], false);
    let checks = report["checks"].as_array().unwrap();
    let failed: Vec<_> = checks.iter().filter(|check| check["ok"] == false).collect();
    assert_eq!(failed.len(), 1, "{body}");
    assert_eq!(failed[0]["name"], "disk_above_floor");
    assert!(failed[0]["detail"].as_str().unwrap().contains("4611686018427387904"), "{body}");
    let names: BTreeSet<&str> = checks.iter().filter_map(|check| check["name"].as_str()).collect();
    for name in ["ledger_writable", "keys_loaded", "clock_sane", "delivery_progressing"] {
        assert!(names.contains(name), "{name}: {body}");
    }
    assert_eq!(gateway.get("/livez").await, ("HTTP/1.1 200 OK".to_owned(), "alive\n".to_owned()));
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn readyz_fails_when_the_key_is_gone() {
    let site = Site::new(&[]);
    let gateway = site.start();
    assert_eq!(gateway.get("/readyz").await.0, "HTTP/1.1 200 OK");
    std::fs::remove_file(site.path("pki/localhost.crt")).unwrap();
    let (status, body) = gateway.get("/readyz").await;
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert!(body.contains("keys_loaded") && body.contains("localhost.crt"), "{body}");
    assert_eq!(gateway.stop(), Some(0));
}

/// The names of metrics in the first column of the table in docs/metrics.md.
fn documented() -> BTreeSet<String> {
    let page = include_str!("../../../docs/metrics.md");
    let (aggregated, _) = page.split_once("## Per mailbox").unwrap();
    let rows = aggregated.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_are_those_of_the_page_and_no_organ_or_message_is_a_label() {
    let site = Site::new(&[]);
    let gateway = site.start();
    some_traffic(&site, &gateway).await;
    let (_, page) = gateway.get("/metrics").await;
    let families = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let shown: BTreeSet<String> = families.filter_map(|f| f.split(' ').next()).map(str::to_owned).collect();
    assert_eq!(shown, documented());
    let helped = page.lines().filter(|line| line.starts_with("# HELP ")).count();
    assert_eq!(helped, shown.len());
    for private in ["G22", "H49", "watched-1", MARK] {
        assert!(!page.contains(private), "{private}");
    }
    for (name, value) in [
        ("truc_submissions_total{result=\"accepted\"}", 2.0),
        ("truc_submissions_total{result=\"repeated\"}", 1.0),
        ("truc_submissions_total{result=\"refused\"}", 2.0),
        ("truc_refusals_total{reason=\"UNKNOWN_RECIPIENT\"}", 1.0),
        ("truc_receipts_total{kind=\"accepted\"}", 2.0),
        ("truc_receipts_total{kind=\"rejected\"}", 1.0),
        ("truc_settlements_total{outcome=\"rejected\"}", 1.0),
        ("truc_deliveries_open{state=\"queued\"}", 1.0),
        ("truc_offers_total", 2.0),
    ] {
        assert_eq!(gateway.metric(name).await, value, "{name}");
    }
    assert_eq!(gateway.stop(), Some(0));
}

/// Two documents, one taken twice and one refused, whose every text carries the mark.
async fn some_traffic(site: &Site, gateway: &Process) {
    let (g22, h49) = (site.agency(gateway, "G22").await, site.agency(gateway, "H49").await);
    let marked = |id: &str, to: &str| {
        let mut submission = document(id, &[to], format!("noi dung {MARK}"));
        let Some(Content::Document(document)) = &mut submission.content else { panic!() };
        let header = document.header.as_mut().unwrap();
        for text in
            [&mut header.subject, &mut header.content, &mut header.document_type, &mut header.document_id]
        {
            *text = format!("{MARK} {text}");
        }
        header.signer = Some(v1::Signer { full_name: MARK.into(), ..Default::default() });
        header.promulgation_place = MARK.into();
        submission
    };
    for _ in 0..2 {
        g22.submit(marked("watched-1", "H49")).await.unwrap();
    }
    g22.submit(marked("watched-2", "K99")).await.unwrap_err();
    let file = include_str!("../../fixtures/edxml/new.edxml").replace("V/v thử", &format!("{MARK} thử"));
    g22.submit(edxml("watched-3", file.clone())).await.unwrap();
    g22.submit(edxml("watched-4", file.replace("</edXML:Subject>", ""))).await.unwrap_err();
    let first = h49.fetch(1, 10).await.remove(0);
    let no = v1::Settlement {
        outcome: Some(Outcome::Rejected(v1::Rejected { reason: format!("không nhận {MARK}") })),
        ..delivered(&first)
    };
    h49.settle(vec![no.clone(), v1::Settlement { delivery_id: MARK.into(), ..no }]).await;
    let mut collecting = h49.collect(1).await;
    let second = collecting.deliveries().await;
    collecting.settle(vec![delivered(&second[0])]).await;
    collecting.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_message_ids_and_nothing_of_what_is_in_a_document() {
    let mut site = Site::new(&[]);
    site.set("log.filter = \"debug,truc=trace\"");
    let gateway = site.start();
    some_traffic(&site, &gateway).await;
    // Whatever is to be logged about it is logged by the time it has stopped.
    gateway.signal("TERM");
    gateway.logged("the gateway has stopped").await;
    let log = gateway.log();
    for id in ["watched-1", "watched-2", "watched-3", "watched-4"] {
        assert!(log.contains(id), "{id}");
    }
    let events: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    let said = |message: &str| events.iter().filter(|e| e["message"] == message).count();
    assert_eq!((said("accepted"), said("refused")), (3, 2));
    assert_eq!((said("offered"), said("settled"), said("not settled")), (2, 2, 1));
    let accepted = events.iter().find(|e| e["message"] == "accepted").unwrap();
    assert_eq!((&accepted["message_id"], &accepted["sender"]), (&"watched-1".into(), &"G22".into()));
    let leak = log.lines().find(|line| line.contains(MARK));
    assert_eq!(leak, None);
    assert_eq!(gateway.exited().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_answer() {
    let site = Site::new(&[]);
    let gateway = site.start();
    let channel = site.channel(&gateway, &site.operator("lan")).await;
    let mut health = HealthClient::new(channel.clone());
    for service in ["", SERVICES[0], SERVICES[1]] {
        let answer = health.check(HealthCheckRequest { service: service.into() }).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving, "{service}");
    }
    let mut reflection = ServerReflectionClient::new(channel);
    let questions = [
        MessageRequest::ListServices(String::new()),
        MessageRequest::FileContainingSymbol("truc.v1.DocumentExchangeService.Submit".into()),
        MessageRequest::FileContainingSymbol("truc.v1.Receipt".into()),
    ];
    let ask = |question| ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let questions = futures_util::stream::iter(questions.map(ask));
    let mut answers = reflection.server_reflection_info(questions).await.unwrap().into_inner();
    let mut next = async || soon("reflection", answers.message()).await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = next().await else { panic!("no list") };
    let names: BTreeSet<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
    assert!(SERVICES.iter().all(|service| names.contains(service)), "{names:?}");
    for _ in 0..2 {
        assert!(matches!(next().await, Some(MessageResponse::FileDescriptorResponse(_))));
    }
    assert_eq!(gateway.stop(), Some(0));
}
