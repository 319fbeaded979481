//! Mail is brought: once, in order, with every outcome, and none is lost when somebody dies in the middle of it.

use std::collections::HashSet;
use std::time::Duration;

use truc::proto::v1::deliver_response::Outcome;
use truc::proto::v1::{self, DeliveryCause, DeliveryState, ReceiptKind};

use crate::endpoint::{Does, Endpoint};
use crate::setup::SetUp;
use crate::site::{Site, document, until};
use crate::town::{link, rungs, set, site, stands, submit};

const NONE: DeliveryCause = DeliveryCause::Unspecified;

crate::setup::in_each_set_up! { all_is_brought_in_order_and_nothing_is_lost_by_a_kill }

/// The ids of documents of one sender.
fn ids(sender: &str, range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("{sender}-{n:04}")).collect()
}

async fn all_is_brought_in_order_and_nothing_is_lost_by_a_kill(set_up: SetUp) {
    let around = set_up.surroundings();
    let mut site = site(&["postgres.node_timeout = \"3s\""]);
    around.tell(&mut site);
    let endpoint = Endpoint::of(&site, "H49");
    let gateway = site.start();
    let (g22, h01) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H01").await);
    submit(&g22, ids("before", 0..20), "H49").await;
    set(&site, &gateway, "H49", v1::PushLink { max_in_flight: 4, push_receipts: true, ..link(&endpoint) })
        .await;
    tokio::join!(submit(&g22, ids("g22", 0..40), "H49"), submit(&h01, ids("h01", 0..40), "H49"));
    endpoint.memory.has(100).await;
    let of = |prefix: &str| {
        let its = endpoint.memory.ids().into_iter().filter(|id| id.starts_with(prefix));
        its.collect::<Vec<_>>()
    };
    assert_eq!(of("before"), ids("before", 0..20));
    assert_eq!(of("g22"), ids("g22", 0..40));
    assert_eq!(of("h01"), ids("h01", 0..40));
    assert!(endpoint.memory.in_progress_max() <= 2, "one at a time of each of two senders");
    stands(&g22, "g22-0039", DeliveryState::Delivered).await;
    let expected = [(ReceiptKind::Offered, 1, NONE), (ReceiptKind::Delivered, 1, NONE)];
    assert_eq!(rungs(&g22, "g22-0000").await, expected);
    let story = g22.track("", "g22-0000").await.unwrap();
    assert_eq!(story.receipts[2].asserted_by, "H49", "the endpoint's certificate said so");

    // In the middle of a call the gateway dies.
    endpoint.memory.next([Does::Hangs]);
    submit(&g22, ids("late", 0..3), "H49").await;
    endpoint.memory.has(101).await;
    gateway.kill();
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    submit(&g22, ids("later", 0..3), "H49").await;
    for id in ids("late", 0..3).into_iter().chain(ids("later", 0..3)) {
        stands(&g22, &id, DeliveryState::Delivered).await;
    }
    let late = rungs(&g22, "late-0000").await;
    assert_eq!(late[1], (ReceiptKind::Deferred, 1, DeliveryCause::GatewayRestarted), "{late:?}");
    let late: Vec<_> = endpoint.memory.brought().into_iter().filter(|b| b.id == "late-0000").collect();
    assert_eq!(late.iter().map(|b| b.attempt).collect::<Vec<_>>(), [1, 2]);
    let deliveries: HashSet<_> = late.into_iter().map(|b| b.delivery_id).collect();
    assert_eq!(deliveries.len(), 1, "the same delivery each time");
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_outcome_is_recorded_as_the_recipient_says() {
    let site = site(&[]);
    let endpoint = Endpoint::of(&site, "H49");
    let says = |outcome| Does::Says(outcome);
    endpoint.memory.next([
        says(Outcome::Rejected(v1::Rejected { reason: "sai thẩm quyền".into() })),
        says(Outcome::Deferred(v1::Deferred { reason: "đang bảo trì".into(), retry_time: None })),
        Does::takes(),
        Does::Fails(tonic::Status::already_exists("có rồi")),
    ]);
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    set(&site, &gateway, "H49", link(&endpoint)).await;
    submit(&g22, ["rejected".into()], "H49").await;
    let story = stands(&g22, "rejected", DeliveryState::Rejected).await;
    assert_eq!(story.receipts[2].reason, "sai thẩm quyền");
    submit(&g22, ["deferred".into()], "H49").await;
    let story = stands(&g22, "deferred", DeliveryState::Delivered).await;
    let deferred = (story.receipts[2].cause(), story.receipts[2].reason.as_str());
    assert_eq!(deferred, (DeliveryCause::RecipientDeferred, "đang bảo trì"));
    submit(&g22, ["known".into()], "H49").await;
    stands(&g22, "known", DeliveryState::Delivered).await;
    assert_eq!(gateway.metric("truc_pushes_total{outcome=\"delivered\"}").await, 2.0);
    assert_eq!(gateway.metric("truc_pushes_total{outcome=\"rejected\"}").await, 1.0);
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_document_is_brought_byte_for_byte() {
    let site = site(&["limits.payload_bytes_max = 20000000"]);
    let endpoint = Endpoint::of(&site, "H49");
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    set(&site, &gateway, "H49", link(&endpoint)).await;
    g22.submit(document("large", &["H49"], vec![7; 20_000_000])).await.unwrap();
    stands(&g22, "large", DeliveryState::Delivered).await;
    assert_eq!(gateway.stop(), Some(0));
}

/// Two nodes; each organ's mail is brought by one of them, by the other when that one dies.
#[tokio::test(flavor = "multi_thread")]
async fn one_node_of_two_brings_the_mail_of_an_organ_and_the_other_takes_over() {
    let around = SetUp::ScaleOut.surroundings();
    let mut site = site(&["postgres.node_timeout = \"3s\""]);
    around.tell(&mut site);
    let nodes: Vec<Site> = ["a", "b"]
        .iter()
        .map(|name| {
            let mut node = site.beside(name);
            node.set(format!("gateway.node = {name:?}"));
            node
        })
        .collect();
    let organs = ["H49", "H05", "H57", "H29"];
    let endpoints: Vec<_> = organs.iter().map(|organ| Endpoint::of(&site, organ)).collect();
    let (a, b) = (nodes[0].start(), nodes[1].start());
    for node in [&a, &b] {
        until("each knows of the other", async || node.metric("truc_ledger_nodes").await == 2.0).await;
    }
    let served =
        async |gateway: &crate::site::Process| gateway.metric("truc_push_links{state=\"up\"}").await as usize;
    for (organ, endpoint) in organs.iter().zip(&endpoints) {
        // Registered at one node, it takes effect at both.
        set(&nodes[0], &a, organ, link(endpoint)).await;
    }
    until("each link has one node", async || served(&a).await + served(&b).await == organs.len()).await;
    let g22 = nodes[1].agency(&b, "G22").await;
    for organ in organs {
        submit(&g22, (0..10).map(|n| format!("{organ}-{n}")), organ).await;
    }
    for organ in organs {
        stands(&g22, &format!("{organ}-9"), DeliveryState::Delivered).await;
    }
    a.kill();
    until("the other sees to all", async || served(&b).await == organs.len()).await;
    for (organ, endpoint) in organs.iter().zip(&endpoints) {
        submit(&g22, (10..20).map(|n| format!("{organ}-{n}")), organ).await;
        endpoint.memory.has(20).await;
        let expected: Vec<_> = (0..20).map(|n| format!("{organ}-{n}")).collect();
        assert_eq!(endpoint.memory.ids(), expected, "each once, in order");
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(endpoints.iter().all(|endpoint| endpoint.memory.brought().len() == 20));
    assert_eq!(b.stop(), Some(0));
}
