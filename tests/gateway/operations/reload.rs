//! SIGHUP: certificates, revocation lists and the directory are taken anew while calls go on.

use truc::domain::time::{Clock, SystemClock};
use truc::identity::client::{ClientFiles, ClientTls, connect};
use truc::identity::pki::{Ca, Existing, Revoke, Subject};
use truc::proto::v1;

use crate::support::{Agency, Collecting, Process, Site, delivered, document, reason, soon};

const RELOADED: &str = "the directory is reloaded";

/// Has a gateway reload, and waits until it says so once more.
async fn reload(gateway: &Process, said: &str) {
    let times = || gateway.log().matches(said).count();
    let before = times();
    gateway.signal("HUP");
    crate::support::until(said, async || times() > before).await;
}

/// One document over connections that have long been there.
async fn still_serves(g22: &Agency, collecting: &mut Collecting, message_id: &str, to: &str) {
    g22.submit(document(message_id, &[to], b"x".to_vec())).await.unwrap();
    let deliveries = collecting.deliveries().await;
    collecting.settle(vec![delivered(&deliveries[0])]).await;
    assert_eq!(collecting.settled().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_certificate_is_cut_off_and_the_others_stay() {
    let site = Site::new(&[]);
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    let mut revoked = site.agency(&gateway, "H49").await.collect(1).await;
    let mut stays = site.agency(&gateway, "H05").await.collect(1).await;
    still_serves(&g22, &mut revoked, "m-1", "H49").await;
    still_serves(&g22, &mut stays, "m-2", "H05").await;

    let certificate = site.organ("H49").certificate;
    site.ca.revoke(Revoke::Certificate(&certificate), SystemClock.now()).unwrap();
    reload(&gateway, RELOADED).await;
    assert!(revoked.end().await.is_some(), "its stream is cut");
    still_serves(&g22, &mut stays, "m-3", "H05").await;
    let again = connect_by(&site, &gateway, &site.ca).await;
    let refused =
        soon("a call", again.exchange.clone().fetch(v1::FetchRequest::default())).await.unwrap_err();
    assert_eq!(reason(&refused), "", "not even an answer: {refused:?}");
    gateway.logged("the certificate is revoked").await;
    assert!(gateway.metric("truc_handshakes_total{result=\"revoked\"}").await >= 1.0);
    assert_eq!(gateway.stop(), Some(0));
}

/// H49, which takes a gateway's certificate from this CA alone. The connection may be refused only at its first call.
async fn connect_by(site: &Site, gateway: &Process, ca: &Ca) -> Agency {
    let issued = site.organ("H49");
    let files = ClientFiles { ca: ca.certificate_path(), certificate: issued.certificate, key: issued.key };
    let tls = ClientTls::load(&files).unwrap();
    let endpoint = format!("https://{}", gateway.address);
    Agency::new(soon("connect", connect(&endpoint, &tls)).await.unwrap(), "H49")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_of_the_gateway_is_shown_to_newcomers_and_old_connections_stay() {
    let site = Site::new(&[]);
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    let mut collecting = site.agency(&gateway, "H49").await.collect(1).await;
    // Another CA's, so that who trusts which tells which is shown.
    let other = Ca::create(&site.path("other"), SystemClock.now(), Existing::Keep).unwrap();
    let subject = Subject::Server { dns: vec!["localhost".into()], ips: vec![[127, 0, 0, 1].into()] };
    let issued = other.issue(&subject, Site::year(), Existing::Keep).unwrap();
    std::fs::copy(&issued.certificate, site.path("pki/localhost.crt")).unwrap();
    std::fs::copy(&issued.key, site.path("pki/localhost.key")).unwrap();
    reload(&gateway, RELOADED).await;
    let newcomer = connect_by(&site, &gateway, &other).await;
    newcomer.submit(document("new", &["G22"], b"x".to_vec())).await.unwrap();
    still_serves(&g22, &mut collecting, "m-1", "H49").await;
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_taken_anew_and_a_broken_one_is_not() {
    let mut site = Site::new(&[]);
    site.directory("H49.1,Sở thử,,,,,");
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    let submit = async |id: &str, to: &str| g22.submit(document(id, &[to], b"x".to_vec())).await;
    assert_eq!(reason(&submit("m-1", "H49.2").await.unwrap_err()), "UNKNOWN_RECIPIENT");
    site.directory("H49.1,Sở thử,,2025-07-01,H49.2,QĐ thử,\nH49.2,Sở mới,,,,,");
    reload(&gateway, RELOADED).await;
    submit("m-1", "H49.2").await.unwrap();
    let redirected = submit("m-2", "H49.1").await.unwrap();
    assert_eq!(
        (&*redirected.deliveries[0].recipient, &*redirected.deliveries[0].addressed_to),
        ("H49.2", "H49.1")
    );

    site.directory("H49.3,Sở nữa,,,,,\nH49.3,Sở ấy hai lần,,,,,");
    reload(&gateway, "not everything was reloaded").await;
    assert!(gateway.log().contains("organs.csv"), "it says which file: {}", gateway.log());
    submit("m-3", "H49.2").await.unwrap();
    assert_eq!(reason(&submit("m-4", "H49.3").await.unwrap_err()), "UNKNOWN_RECIPIENT");
    assert_eq!(gateway.get("/readyz").await.0, "HTTP/1.1 200 OK");
    assert_eq!(gateway.stop(), Some(0));
}
