//! What the tests of push links share: sites that may call loopback, links, waits.

use truc::proto::v1::link_service_client::LinkServiceClient;
use truc::proto::v1::{self, DeliveryCause, DeliveryState, ReceiptKind};

use crate::endpoint::Endpoint;
use crate::site::{Agency, Process, Site, document, soon, until};

/// Endpoints of tests are on this machine; their outages are short.
pub const SETTINGS: [&str; 5] = [
    "push.allow = [\"127.0.0.0/8\"]",
    "push.retry_delay_min = \"50ms\"",
    "push.retry_delay_max = \"400ms\"",
    "push.retry_wish_max = \"5s\"",
    "delivery.retry_delay_min = \"50ms\"",
];

/// A site whose gateway calls endpoints on this machine.
pub fn site(more: &[&str]) -> Site {
    let mut site = Site::new(&SETTINGS);
    more.iter().for_each(|setting| site.set(setting));
    site
}

/// The calls about links of one organ.
pub async fn links(site: &Site, gateway: &Process, id: &str) -> LinkServiceClient<tonic::transport::Channel> {
    LinkServiceClient::new(site.channel(gateway, &site.organ(id)).await)
}

/// A link as an organ registers it.
pub fn link(endpoint: &Endpoint) -> v1::PushLink {
    v1::PushLink { endpoint: endpoint.url(), ..Default::default() }
}

/// Registers a link.
pub async fn set(site: &Site, gateway: &Process, id: &str, link: v1::PushLink) -> v1::PushLink {
    let request = v1::SetPushLinkRequest { link: Some(link), receipts_after: 0 };
    let setting = Box::pin(async { links(site, gateway, id).await.set_push_link(request).await });
    let set = soon("set link", setting).await;
    set.unwrap().into_inner().link.unwrap()
}

/// A link as it stands, as an operator sees it.
pub async fn get(site: &Site, gateway: &Process, id: &str) -> v1::PushLink {
    let request = v1::GetPushLinkRequest { organ: id.into() };
    let operator = site.operator("lan");
    let getting = Box::pin(async {
        LinkServiceClient::new(site.channel(gateway, &operator).await).get_push_link(request).await
    });
    let got = soon("get link", getting).await;
    got.unwrap().into_inner().link.unwrap()
}

/// Submits documents one after the other.
pub async fn submit(sender: &Agency, ids: impl IntoIterator<Item = String>, to: &str) {
    for id in ids {
        sender.submit(document(&id, &[to], format!("nội dung {id}"))).await.unwrap();
    }
}

/// Waits until the one delivery of a message is in a state.
pub async fn stands(sender: &Agency, id: &str, state: DeliveryState) -> v1::TrackResponse {
    until(&format!("{id} is {state:?}"), async || {
        sender.track("", id).await.unwrap().deliveries[0].state() == state
    })
    .await;
    sender.track("", id).await.unwrap()
}

/// What happened to the delivery of a message with one recipient, after its acceptance.
pub async fn rungs(sender: &Agency, id: &str) -> Vec<(ReceiptKind, u32, DeliveryCause)> {
    let story = sender.track("", id).await.unwrap();
    story.receipts[1..].iter().map(|r| (r.kind(), r.attempt, r.cause())).collect()
}
