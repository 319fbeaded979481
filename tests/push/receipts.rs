//! Receipts are brought: all, in order, from where the endpoint has taken them.

use tonic::Status;
use truc::proto::v1::{self, ReceiptKind};

use crate::endpoint::{Endpoint, Memory};
use crate::site::{document, until};
use crate::town::{get, link, set, site, submit};

fn numbers(memory: &Memory) -> Vec<u64> {
    memory.receipts().iter().map(|receipt| receipt.sender_sequence).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_receipt_comes_in_order_across_failures_and_a_kill() {
    let site = site(&[]);
    let endpoint = Endpoint::of(&site, "G22");
    endpoint.memory.receipts_fail(Some(Status::unimplemented("chưa có")));
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    submit(&g22, (0..20).map(|n| format!("m-{n}")), "H49").await;
    set(&site, &gateway, "G22", v1::PushLink { push_receipts: true, ..link(&endpoint) }).await;
    gateway.logged("does not take it").await;
    // That is no reason not to bring deliveries.
    submit(&site.agency(&gateway, "H49").await, ["back".into()], "G22").await;
    endpoint.memory.has(1).await;
    assert!(endpoint.memory.receipts().is_empty());

    endpoint.memory.receipts_fail(None);
    until("all receipts", async || endpoint.memory.receipts().len() >= 20).await;
    until("it is kept", async || get(&site, &gateway, "G22").await.receipts_taken == 20).await;
    gateway.kill();
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    g22.submit(document("after", &["H49"], b"x".to_vec())).await.unwrap();
    until("the next receipt", async || endpoint.memory.receipts().len() >= 21).await;
    assert_eq!(numbers(&endpoint.memory), (1..=21).collect::<Vec<_>>());
    assert!(endpoint.memory.receipts().iter().all(|receipt| receipt.kind() == ReceiptKind::Accepted));

    // Without the first ones, for one that has them from elsewhere.
    let elsewhere = Endpoint::of(&site, "G22");
    let request = v1::SetPushLinkRequest {
        link: Some(v1::PushLink { push_receipts: true, ..link(&elsewhere) }),
        receipts_after: 15,
    };
    crate::town::links(&site, &gateway, "G22").await.set_push_link(request).await.unwrap();
    until("the rest", async || elsewhere.memory.receipts().len() >= 6).await;
    assert_eq!(numbers(&elsewhere.memory), (16..=21).collect::<Vec<_>>());
    assert_eq!(gateway.stop(), Some(0));
}
