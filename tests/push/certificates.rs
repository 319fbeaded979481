//! Who may be at the other end: the organ, or the holder of one certificate, and nobody else; on either side.

use truc::domain::organ_id::OrganId;
use truc::domain::time::{Clock, SystemClock};
use truc::identity::inspect;
use truc::identity::pki::{Existing, Revoke, Subject};
use truc::proto::v1::push_link::Server;
use truc::proto::v1::{self, DeliveryCause, DeliveryState};

use crate::endpoint::{Endpoint, Memory};
use crate::site::{Process, Site, until};
use crate::town::{get, link, set, site, stands, submit};

/// Waits until the link is out, for its certificate.
async fn refused(site: &Site, gateway: &Process) -> String {
    until("the link is out", async || get(site, gateway, "H49").await.outage.is_some()).await;
    let outage = get(site, gateway, "H49").await.outage.unwrap();
    assert_eq!(outage.cause(), DeliveryCause::PushLinkRefused, "{outage:?}");
    outage.reason
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_brought_to_somebody_else_and_a_new_certificate_is_taken_up() {
    let site = site(&[]);
    let impostor = Endpoint::of(&site, "H05");
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    set(&site, &gateway, "H49", link(&impostor)).await;
    submit(&g22, ["m".into()], "H49").await;
    refused(&site, &gateway).await;
    let (port, memory) = impostor.kill();
    assert!(memory.brought().is_empty());

    // The organ's own certificate, and a new one after it.
    let endpoint = Endpoint::start(&site, &site.organ("H49"), memory, port);
    stands(&g22, "m", DeliveryState::Delivered).await;
    let (port, memory) = endpoint.kill();
    let organ = Subject::Organ(OrganId::parse("H49").unwrap(), "Đà Nẵng".into());
    let renewed = site.ca.issue(&organ, Site::year(), Existing::Replace).unwrap();
    let endpoint = Endpoint::start(&site, &renewed, memory, port);
    submit(&g22, ["renewed".into()], "H49").await;
    stands(&g22, "renewed", DeliveryState::Delivered).await;

    // Revoked, it is cut off at the next reload, on a connection that is open too.
    site.ca.revoke(Revoke::Serial(&renewed.serial), SystemClock.now()).unwrap();
    gateway.signal("HUP");
    gateway.logged("the directory is reloaded").await;
    submit(&g22, ["revoked".into()], "H49").await;
    refused(&site, &gateway).await;
    assert_eq!(endpoint.memory.ids(), ["m", "renewed"]);
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_can_be_named_by_its_fingerprint() {
    let site = site(&[]);
    let endpoint = Endpoint::of(&site, "H05");
    let fingerprint = inspect(&site.organ("H05").certificate).unwrap().fingerprint;
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    let pinned = |bytes: Vec<u8>| Some(Server::ServerSha256(bytes.into()));
    let wrong = v1::PushLink { server: pinned(vec![1; 32]), ..link(&endpoint) };
    set(&site, &gateway, "H49", wrong).await;
    submit(&g22, ["m".into()], "H49").await;
    refused(&site, &gateway).await;
    let right = v1::PushLink { server: pinned(fingerprint.as_bytes().to_vec()), ..link(&endpoint) };
    set(&site, &gateway, "H49", right).await;
    let story = stands(&g22, "m", DeliveryState::Delivered).await;
    assert_eq!(story.receipts.last().unwrap().asserted_by, "H49", "the organ whose link names it");
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_does_not_know_the_gateway_is_a_link_to_be_mended() {
    let site = site(&[]);
    let elsewhere = Site::new(&[]);
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    // It trusts another authority than the gateway's.
    let endpoint = Endpoint::start(&elsewhere, &site.organ("H49"), Memory::default(), 0);
    set(&site, &gateway, "H49", link(&endpoint)).await;
    submit(&g22, ["m".into()], "H49").await;
    refused(&site, &gateway).await;
    assert!(endpoint.memory.brought().is_empty());
    assert_eq!(gateway.stop(), Some(0));
}
