//! Registering links: who may, what is refused and why, and that it lasts.

use tonic::Status;
use truc::proto::v1::link_service_client::LinkServiceClient;
use truc::proto::v1::push_link::Server;
use truc::proto::v1::{self};

use crate::endpoint::Endpoint;
use crate::site::{Site, reason};
use crate::town::{get, link, links, set, site};

async fn refused(site: &Site, gateway: &crate::site::Process, id: &str, link: v1::PushLink) -> Status {
    let request = v1::SetPushLinkRequest { link: Some(link), receipts_after: 0 };
    links(site, gateway, id).await.set_push_link(request).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_kept_and_shown_as_it_was_registered() {
    let site = site(&[]);
    let endpoint = Endpoint::of(&site, "H49");
    let gateway = site.start();
    let mut of_h49 = links(&site, &gateway, "H49").await;
    let none = of_h49.get_push_link(v1::GetPushLinkRequest::default()).await.unwrap_err();
    assert_eq!(reason(&none), "PUSH_LINK_NOT_FOUND");
    let kept = set(&site, &gateway, "H49", link(&endpoint)).await;
    assert_eq!((kept.organ.as_str(), kept.max_in_flight, kept.set_by.as_str()), ("H49", 16, "H49"));
    assert_eq!(kept.timeout.unwrap().seconds, 30);
    assert_eq!(kept.server, Some(Server::ServerOrgan("H49".into())));
    assert!(!kept.paused && !kept.push_receipts && kept.set_time.is_some());
    gateway.kill();
    let gateway = site.start();
    assert_eq!(get(&site, &gateway, "H49").await, kept);
    let operator = site.channel(&gateway, &site.operator("lan")).await;
    let mut operator = LinkServiceClient::new(operator);
    let got = operator.get_push_link(v1::GetPushLinkRequest { organ: "H49".into() }).await.unwrap();
    assert_eq!(got.into_inner().link, Some(kept));
    let named = v1::PushLink { organ: "H49".into(), ..link(&endpoint) };
    let request = v1::SetPushLinkRequest { link: Some(named), receipts_after: 0 };
    let by_operator = operator.set_push_link(request).await.unwrap().into_inner().link.unwrap();
    assert_eq!(by_operator.set_by, "operator:lan");
    let delete = || v1::DeletePushLinkRequest { organ: "H49".into() };
    operator.delete_push_link(delete()).await.unwrap();
    let gone = operator.delete_push_link(delete()).await.unwrap_err();
    assert_eq!(reason(&gone), "PUSH_LINK_NOT_FOUND");
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_link_is_refused_with_its_reason() {
    let mut site = site(&[]);
    site.set("push.allow = []");
    std::fs::write(
        site.path("amqp.csv"),
        "organ_id,name,open_date,close_date,successors,legal_basis,acts_for_below,link\nH05,A,,,,,,amqp\nH49,B,,,,,,\nH57,C,,,,,,\n",
    )
    .unwrap();
    site.set(format!("directory.files = [{:?}]", site.path("amqp.csv")));
    let gateway = site.start();
    let at = |endpoint: &str| v1::PushLink { endpoint: endpoint.into(), ..Default::default() };
    let good = || at("https://inbox.example.vn:8443");
    for (organ, link, expected) in [
        ("H49", at(""), "MISSING_FIELD"),
        ("H49", at("http://inbox.example.vn"), "INVALID_FIELD"),
        ("H49", at("https://inbox.example.vn/path"), "INVALID_FIELD"),
        ("H49", at(&format!("https://{}.vn", "x".repeat(300))), "FIELD_TOO_LONG"),
        ("H49", at("https://127.0.0.1:7443"), "ENDPOINT_NOT_ALLOWED"),
        ("H49", at("https://10.1.2.3:7443"), "ENDPOINT_NOT_ALLOWED"),
        ("H49", at("https://[::1]:7443"), "ENDPOINT_NOT_ALLOWED"),
        ("H49", at("https://169.254.169.254"), "ENDPOINT_NOT_ALLOWED"),
        ("H49", v1::PushLink { max_in_flight: 257, ..good() }, "INVALID_FIELD"),
        (
            "H49",
            v1::PushLink { timeout: Some(prost_types::Duration { seconds: 301, nanos: 0 }), ..good() },
            "INVALID_FIELD",
        ),
        (
            "H49",
            v1::PushLink { server: Some(Server::ServerSha256(vec![1; 31].into())), ..good() },
            "INVALID_FIELD",
        ),
        (
            "H49",
            v1::PushLink { server: Some(Server::ServerOrgan("H57".into())), ..good() },
            "NOT_ACTING_FOR_ORGAN",
        ),
        ("H49", v1::PushLink { organ: "H57".into(), ..good() }, "NOT_ACTING_FOR_ORGAN"),
        ("H05", good(), "ATTACHED_BY_AMQP"),
    ] {
        let status = refused(&site, &gateway, organ, link.clone()).await;
        assert_eq!(reason(&status), expected, "{link:?}");
    }
    let request = v1::SetPushLinkRequest { link: Some(good()), receipts_after: 7 };
    let status = links(&site, &gateway, "H49").await.set_push_link(request).await.unwrap_err();
    assert_eq!(reason(&status), "INVALID_FIELD", "there is no receipt 7");
    assert_eq!(gateway.stop(), Some(0));
}

/// A name may point anywhere: the address is looked at when the connection is made.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_points_inward_is_not_connected_to() {
    let mut site = site(&[]);
    site.set("push.allow = []");
    let endpoint = Endpoint::of(&site, "H49");
    let gateway = site.start();
    let named = format!("https://localhost:{}", endpoint.address.port());
    set(&site, &gateway, "H49", v1::PushLink { endpoint: named, ..Default::default() }).await;
    let g22 = site.agency(&gateway, "G22").await;
    crate::town::submit(&g22, ["m".into()], "H49").await;
    crate::site::until("the link is out", async || get(&site, &gateway, "H49").await.outage.is_some()).await;
    let outage = get(&site, &gateway, "H49").await.outage.unwrap();
    assert_eq!(outage.reason, "the gateway may not call the endpoint's address");
    assert!(endpoint.memory.brought().is_empty());
    assert_eq!(gateway.stop(), Some(0));
}

/// The same by the command line, in both languages.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_registers_shows_and_deletes() {
    let site = site(&[]);
    let endpoint = Endpoint::of(&site, "H49");
    let gateway = site.start();
    let h49 = site.organ("H49");
    let truc = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_truc"));
        command.arg("link").args(arguments).arg("--endpoint").arg(format!("https://{}", gateway.address));
        command.arg("--ca").arg(site.ca.certificate_path());
        command.arg("--cert").arg(&h49.certificate).arg("--key").arg(&h49.key);
        let done = crate::site::soon("truc link", command.output()).await.unwrap();
        (done.status.code(), String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap())
    };
    let url = endpoint.url();
    let (code, out, err) =
        truc(&["set", &url, "--receipts", "--max-in-flight", "4", "--timeout", "5", "--json"]).await;
    assert_eq!(code, Some(0), "{err}");
    let set: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&set["type"], &set["organ"], &set["endpoint"]),
        (&"push_link".into(), &"H49".into(), &url.into())
    );
    assert_eq!((&set["max_in_flight"], &set["timeout_s"]), (&4.into(), &5.into()));
    assert_eq!((&set["push_receipts"], &set["outage"]), (&true.into(), &serde_json::Value::Null));
    let (_, out, _) = truc(&["show", "--lang", "vi"]).await;
    assert!(out.contains("Điểm nhận") && out.contains("đang nhận"), "{out}");
    let (port, _) = endpoint.kill();
    crate::town::submit(&site.agency(&gateway, "G22").await, ["m".into()], "H49").await;
    crate::site::until("the link is out", async || get(&site, &gateway, "H49").await.outage.is_some()).await;
    let (_, out, _) = truc(&["show", "--lang", "en"]).await;
    assert!(
        out.contains("takes nothing at present") && out.contains(&format!("https://127.0.0.1:{port}")),
        "{out}"
    );
    assert!(out.contains("again from") && out.contains("the recipient's endpoint takes nothing"), "{out}");
    assert_eq!(truc(&["delete"]).await.0, Some(0));
    let (code, _, err) = truc(&["show"]).await;
    assert!(code == Some(1) && err.contains("PUSH_LINK_NOT_FOUND"), "{code:?} {err}");
    assert_eq!(gateway.stop(), Some(0));
}
