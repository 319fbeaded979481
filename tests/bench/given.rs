//! A gateway that runs already, with a document in a mailbox that is none of the measurement's.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use truc::config::Config;
use truc::domain::organ_id::OrganId;
use truc::domain::time::{Clock, SystemClock};
use truc::identity::client::{ClientFiles, ClientTls, connect};
use truc::identity::pki::{Ca, Existing, Subject, Validity};
use truc::proto::v1::document_exchange_service_client::DocumentExchangeServiceClient;
use truc::proto::v1::{self, DeliveryState, submission::Content};

use super::{number, verified};

const ORGANS: [&str; 4] = ["G01", "G02", "H49", "H57"];

struct Gateway {
    child: Child,
    folder: TempDir,
    endpoint: String,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

async fn gateway() -> Gateway {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    let ca = Ca::create(&folder.path().join("pki"), SystemClock.now(), Existing::Keep).unwrap();
    let year = Validity::days(SystemClock.now(), 365);
    for organ in ORGANS {
        let subject = Subject::Organ(OrganId::parse(organ).unwrap(), String::new());
        ca.issue(&subject, year, Existing::Keep).unwrap();
    }
    let here = Subject::Server { dns: Vec::new(), ips: vec![[127, 0, 0, 1].into()] };
    let server = ca.issue(&here, year, Existing::Keep).unwrap();
    (config.tls.cert, config.tls.key) = (server.certificate, server.key);
    config.tls.client_ca = ca.certificate_path();
    config.ops.control = folder.path().join("truc.sock");
    config.ledger.path = folder.path().join("ledger.db");
    config.gateway.listen = ([127, 0, 0, 1], 0).into();
    config.ops.listen = ([127, 0, 0, 1], 0).into();
    let file = folder.path().join("truc.toml");
    fs::write(&file, config.render()).unwrap();
    let log = folder.path().join("log");
    let child = Command::new(env!("CARGO_BIN_EXE_truc"))
        .arg("serve")
        .arg("--config")
        .arg(file)
        .stdout(Stdio::null())
        .stderr(File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut gateway = Gateway { child, folder, endpoint: String::new() };
    gateway.endpoint = format!("https://{}", address(&log).await);
    gateway
}

async fn address(log: &Path) -> String {
    for _ in 0..3_000 {
        let text = fs::read_to_string(log).unwrap();
        if let Some((_, rest)) = text.split_once("\"address\":\"") {
            return rest.split('"').next().unwrap().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the gateway does not come up: {}", fs::read_to_string(log).unwrap())
}

#[tokio::test]
async fn mail_that_is_none_of_the_measurement_is_left_alone() {
    let gateway = gateway().await;
    let pki = gateway.folder.path().join("pki");
    let file = |name: &str| pki.join(name);
    let tls = ClientTls::load(&ClientFiles {
        ca: file("ca.crt"),
        certificate: file("G01.crt"),
        key: file("G01.key"),
    });
    let channel = connect(&gateway.endpoint, &tls.unwrap()).await.unwrap();
    let mut client = DocumentExchangeServiceClient::new(channel);
    client.submit(v1::SubmitRequest { submission: Some(letter()) }).await.unwrap();

    let (endpoint, folder) = (gateway.endpoint.clone(), pki.to_str().unwrap().to_owned());
    let run = move || {
        let at = ["--endpoint", &endpoint, "--pki", &folder];
        verified(&[&at[..], &["--organs", "4", "--documents", "500", "--rounds", "2"]].concat())
    };
    let report = tokio::task::spawn_blocking(run).await.unwrap();
    assert!(number(&report, "throughput_per_s") > 0.0 && report["gateway_rss_mb"].is_null(), "{report}");
    assert!(report["checks"]["foreign"].as_u64().unwrap() >= 1, "{report}");

    let asked = v1::TrackRequest { sender: String::new(), message_id: "letter".to_owned() };
    let story = client.track(asked).await.unwrap().into_inner();
    let state = story.deliveries[0].state();
    assert!(matches!(state, DeliveryState::Queued | DeliveryState::Waiting), "{state:?}");
}

fn letter() -> v1::Submission {
    let header = v1::DocumentHeader {
        recipients: vec!["H49".to_owned()],
        subject: "Thư của một cơ quan".to_owned(),
        code: Some(v1::DocumentCode { number: "1".to_owned(), notation: "CV".to_owned() }),
        promulgation_date: "2026-01-15".to_owned(),
        ..v1::DocumentHeader::default()
    };
    let document = v1::OpaqueDocument {
        header: Some(header),
        payload: b"letter".as_slice().into(),
        media_type: "text/plain".to_owned(),
    };
    let content = Some(Content::Document(document));
    v1::Submission { message_id: "letter".to_owned(), content, ..v1::Submission::default() }
}
