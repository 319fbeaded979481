//! Who gets in and who does not, with the figure each refusal is counted under.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use truc::domain::time::{Clock, SystemClock, Timestamp};
use truc::identity::Error;
use truc::identity::accept::AcceptLimits;
use truc::identity::pki::{Ca, Existing, Issued, Revoke, Subject, Validity};
use truc::identity::tls::ServerTls;

use crate::support::{Caller, DAY, Door, Journal, greet, until, within_patience};

/// The figure of one result, 0 before the first.
fn count(metrics: &PrometheusHandle, result: &str) -> u64 {
    let name = format!("truc_handshakes_total{{result=\"{result}\"}} ");
    let page = metrics.render();
    page.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |value| value.parse().unwrap())
}

async fn refused_as(metrics: &PrometheusHandle, result: &str, address: SocketAddr, caller: &Caller) {
    let before = count(metrics, result);
    let dialled = caller.dial(address).await;
    assert!(dialled.is_err(), "{result}: {dialled:?}");
    until(|| count(metrics, result) == before + 1).await;
}

/// A certificate of the CA that is good for servers and nothing else; one the CA makes for a gateway calls endpoints, too.
fn for_servers_only(door: &Door) -> Issued {
    let issued = door.organ("H53");
    let folder = door.ca.certificate_path().parent().unwrap().to_owned();
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let ca_key = KeyPair::from_pem(&read("ca.key")).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&read("ca.crt"), ca_key).unwrap();
    let mut params = CertificateParams::new(vec!["other".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::from_pem(&std::fs::read_to_string(&issued.key).unwrap()).unwrap();
    std::fs::write(&issued.certificate, params.signed_by(&key, &issuer).unwrap().pem()).unwrap();
    issued
}

#[tokio::test]
async fn each_wrong_caller_is_refused_and_counted_and_the_right_ones_are_known() {
    let journal = Journal::default();
    let _keeping = journal.keep();
    let door = Door::new();
    let metrics = door.page.clone();
    let (h49, revoked) = (door.organ("H49"), door.organ("H50"));
    let past = Validity { not_before: Door::year().not_before, not_after: SystemClock.now() };
    let expired = door.organ_valid("H51", past);
    let ahead = SystemClock.now().plus(DAY);
    let early = door.organ_valid("H52", Validity { not_before: ahead, not_after: ahead.plus(DAY) });
    let server = for_servers_only(&door);
    door.ca.revoke(Revoke::Certificate(&revoked.certificate), SystemClock.now()).unwrap();
    door.clock.put_forward(Duration::from_secs(2));
    let address = greet(&door.tls(), AcceptLimits::default()).await;

    let elsewhere = Door::new();
    let other_ca = Caller { ca: door.ca.certificate_path(), ..elsewhere.caller(&elsewhere.organ("H49")) };
    refused_as(&metrics, "missing", address, &door.stranger()).await;
    refused_as(&metrics, "unknown", address, &other_ca).await;
    refused_as(&metrics, "expired", address, &door.caller(&expired)).await;
    refused_as(&metrics, "revoked", address, &door.caller(&revoked)).await;
    refused_as(&metrics, "failed", address, &door.caller(&early)).await;
    refused_as(&metrics, "failed", address, &door.caller(&server)).await;
    refused_as(&metrics, "failed", address, &Caller { tls12: true, ..door.caller(&h49) }).await;
    refused_as(&metrics, "failed", address, &Caller { alpn: "http/1.1", ..door.caller(&h49) }).await;
    for said in [
        "the caller presented no certificate",
        "the certificate is of no CA trusted here",
        "the certificate has expired",
        "the certificate is revoked",
        "the certificate is not valid yet",
        "the certificate is not for clients",
        "no TLS version that is allowed here",
        "does not offer HTTP/2",
        &format!("CN=H50\" serial=\"{}\"", revoked.serial),
    ] {
        assert!(journal.text().contains(said), "{said}\n{}", journal.text());
    }

    assert_eq!(count(&metrics, "accepted"), 0);
    let operator = Subject::Operator("lan".into());
    let operator = door.ca.issue(&operator, Door::year(), Existing::Keep).unwrap();
    let line = door.caller(&h49).dial(address).await.unwrap();
    assert_eq!(line.greeting, "organ H49");
    assert_eq!(door.caller(&operator).dial(address).await.unwrap().greeting, "operator lan");
    assert_eq!(count(&metrics, "accepted"), 2);
    until(|| metrics.render().contains("\ntruc_connections 1\n")).await;
    drop(line);
    until(|| metrics.render().contains("\ntruc_connections 0\n")).await;
    assert!(metrics.render().contains("# HELP truc_handshakes_total TLS handshakes"), "{}", metrics.render());
}

#[tokio::test]
async fn what_is_not_tls_is_closed_and_counted_and_disturbs_nobody() {
    let door = Door::new();
    let metrics = door.page.clone();
    let address = greet(&door.tls(), AcceptLimits::default()).await;
    let inputs: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &[0xff; 4096],
        &[0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0x00, 0x00, 0x01, 0x00],
        &[0x16, 0x03, 0x01, 0xff, 0xff, 0x00],
    ];
    for (sent, input) in (1..).zip(inputs) {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        tcp.write_all(input).await.unwrap();
        let mut answer = Vec::new();
        // Closed, with an alert or without, in good order or not.
        let _ = within_patience(tcp.read_to_end(&mut answer)).await;
        until(|| count(&metrics, "failed") == sent).await;
    }
    assert!(door.caller(&door.organ("H49")).dial(address).await.is_ok());
}

#[tokio::test]
async fn tls_1_2_gets_in_when_it_is_asked_for() {
    let mut door = Door::new();
    door.files.tls12 = true;
    let address = greet(&door.tls(), AcceptLimits::default()).await;
    let caller = door.caller(&door.organ("H49"));
    assert!(Caller { tls12: true, ..caller.clone() }.dial(address).await.is_ok());
    assert!(caller.dial(address).await.is_ok());
    let stranger = Caller { tls12: true, ..door.stranger() };
    assert!(stranger.dial(address).await.is_err());
}

#[tokio::test]
async fn an_old_revocation_list_still_counts_and_a_foreign_one_does_not() {
    let mut door = Door::new();
    let (good, revoked) = (door.organ("H49"), door.organ("H50"));
    let long_ago = Timestamp::EPOCH.plus(SystemClock.now().since(Timestamp::EPOCH) - DAY * 500);
    door.ca.revoke(Revoke::Certificate(&revoked.certificate), long_ago).unwrap();
    let elsewhere = Door::new();
    let foreign = elsewhere.ca.revoke(Revoke::Serial(&good.serial), SystemClock.now());
    assert_eq!(foreign.unwrap(), good.serial);
    door.files.crls.push(elsewhere.ca.crl_path());
    let journal = Journal::default();
    let _keeping = journal.keep();
    let address = greet(&door.tls(), AcceptLimits::default()).await;
    assert!(journal.text().contains("past its next update"), "{}", journal.text());
    assert!(journal.text().contains("not among the client CAs"), "{}", journal.text());
    assert!(door.caller(&revoked).dial(address).await.is_err());
    assert!(door.caller(&good).dial(address).await.is_ok());
}

#[tokio::test]
async fn wrong_files_are_told_apart() {
    let door = Door::new();
    let load = |change: &dyn Fn(&mut truc::identity::tls::TlsFiles)| {
        let mut files = door.files.clone();
        change(&mut files);
        ServerTls::load(files, Arc::clone(&door.clock) as Arc<dyn Clock>, Arc::clone(&door.metrics))
            .map(|_| ())
            .unwrap_err()
    };
    let h49 = door.organ("H49");
    let mismatch = load(&|files| files.key = h49.key.clone());
    assert!(matches!(&mismatch, Error::KeyMismatch { .. }), "{mismatch}");
    assert!(mismatch.to_string().contains("H49.key"), "{mismatch}");
    assert!(matches!(load(&|files| files.key = files.certificate.clone()), Error::NoKey { .. }));
    assert!(matches!(load(&|files| files.certificate = files.key.clone()), Error::NoCertificate { .. }));
    assert!(matches!(load(&|files| files.client_ca = "/nowhere.crt".into()), Error::Unreadable { .. }));
    assert!(matches!(load(&|files| files.crls = vec![h49.certificate.clone()]), Error::BadCrl { .. }));

    let forged = door.dir.path().join("forged.pem");
    let forger = Ca::open(door.dir.path()).unwrap();
    let mut der = rcgen_crl_der(&forger);
    *der.last_mut().unwrap() ^= 1;
    std::fs::write(&forged, der).unwrap();
    let refusal = load(&|files| files.crls = vec![forged.clone()]);
    assert!(matches!(refusal, Error::ForgedCrl { .. }), "{refusal}");
}

/// The CA's list as DER, the other form a list may have.
fn rcgen_crl_der(ca: &Ca) -> Vec<u8> {
    use rustls_pki_types::CertificateRevocationListDer;
    use rustls_pki_types::pem::PemObject;
    CertificateRevocationListDer::from_pem_file(ca.crl_path()).unwrap().to_vec()
}

#[tokio::test]
async fn a_list_in_der_is_as_good() {
    let mut door = Door::new();
    let revoked = door.organ("H50");
    door.ca.revoke(Revoke::Serial(&revoked.serial), SystemClock.now()).unwrap();
    let der = door.dir.path().join("crl.der");
    std::fs::write(&der, rcgen_crl_der(&door.ca)).unwrap();
    door.files.crls = vec![der];
    let address = greet(&door.tls(), AcceptLimits::default()).await;
    assert!(door.caller(&revoked).dial(address).await.is_err());
}

#[test]
fn debug_output_holds_no_key() {
    let door = Door::new();
    let issued = door.organ("H49");
    let tls = format!("{:?}", door.tls());
    let client = truc::identity::client::ClientTls::load(&door.client_files(&issued)).unwrap();
    assert_eq!(format!("{client:?}"), "ClientTls");
    assert_eq!(tls, format!("ServerTls {{ files: {:?}, live: Live(0), .. }}", door.files));
}
