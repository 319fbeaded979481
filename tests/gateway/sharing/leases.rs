//! Leases: when they end, with their time or their connection, and what outlives a restart.

use truc::proto::v1::{self, DeliveryCause, DeliveryState, ErrorReason, ReceiptKind};

use super::{SHORTEST, id, rungs, submit_many};
use crate::support::{Agency, Site, delivered, document, until};

fn reason_of(result: &v1::SettleResult) -> ErrorReason {
    result.refusal.as_ref().map(v1::Refusal::reason).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_lease_ends_another_collector_gets_the_delivery_and_the_late_settlement_is_refused() {
    let site = Site::new(&["delivery.retry_delay_min = \"10ms\""]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    let open = |window| v1::CollectOpen { window, lease: SHORTEST, ..Default::default() };
    let mut dead = h49.collect_by(open(1)).await;
    g22.submit(document("m-1", &["H49"], b"x".to_vec())).await.unwrap();
    let first = dead.deliveries().await.remove(0);
    let mut live = site.agency(&gateway, "H49").await.collect(8).await;
    let second = live.deliveries().await.remove(0);
    assert_eq!((first.attempt, second.attempt), (1, 2));
    assert_eq!(second.delivery_id, first.delivery_id);
    assert_ne!(second.lease, first.lease);

    // The one that let its lease end gets nothing in place of it until it settles that one.
    submit_many(&g22, "next", "H49", 3).await;
    let mut others = Vec::new();
    while others.len() < 3 {
        others.extend(live.deliveries().await);
    }
    assert_eq!(others.iter().map(id).collect::<Vec<_>>(), ["next-0", "next-1", "next-2"]);
    dead.settle(vec![delivered(&first)]).await;
    let late = dead.settled().await;
    assert_eq!(reason_of(&late[0]), ErrorReason::LeaseLost);
    live.settle(vec![delivered(&second)]).await;
    assert_eq!(live.settled().await[0].state(), DeliveryState::Delivered);
    let none = DeliveryCause::Unspecified;
    let expected = [
        (ReceiptKind::Offered, 1, none),
        (ReceiptKind::Deferred, 1, DeliveryCause::LeaseExpired),
        (ReceiptKind::Offered, 2, none),
        (ReceiptKind::Delivered, 2, none),
    ];
    assert_eq!(rungs(&g22, "m-1").await, expected);

    // It takes part again.
    drop(live);
    assert_eq!(id(&dead.deliveries().await[0]), "next-0");
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_disconnected_collector_held_is_offered_again_at_once() {
    // An hour's backoff: what comes within a test did not wait for it.
    let site = Site::new(&["delivery.retry_delay_min = \"1h\""]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    submit_many(&g22, "m", "H49", 3).await;
    for attempt in 1..=3 {
        let mut collecting = h49.collect(8).await;
        let mut held = Vec::new();
        while held.len() < 3 {
            held.extend(collecting.deliveries().await);
        }
        assert!(held.iter().all(|delivery| delivery.attempt == attempt));
        assert_eq!(held.iter().map(id).collect::<Vec<_>>(), ["m-0", "m-1", "m-2"]);
    }
    let fetched = h49.fetch(10, 10).await;
    assert_eq!(fetched.len(), 3);
    h49.settle(fetched.iter().map(delivered).collect()).await;
    let again = (ReceiptKind::Deferred, 3, DeliveryCause::Disconnected);
    assert_eq!(rungs(&g22, "m-0").await[5], again);
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetched_lease_outlives_a_crash_and_a_streamed_one_ends_with_it() {
    let site = Site::new(&["delivery.retry_delay_min = \"1h\""]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    g22.submit(document("fetched", &["H49"], b"x".to_vec())).await.unwrap();
    let fetched = h49.fetch(1, 10).await.remove(0);
    g22.submit(document("streamed", &["H49"], b"x".to_vec())).await.unwrap();
    let mut collecting = h49.collect(8).await;
    let streamed = collecting.deliveries().await.remove(0);
    assert_eq!(id(&streamed), "streamed");
    gateway.kill();

    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    let again = h49.fetch(10, 10).await;
    assert_eq!(again.iter().map(|d| (id(d), d.attempt)).collect::<Vec<_>>(), [("streamed", 2)]);
    let results = h49.settle(vec![delivered(&fetched), delivered(&streamed), delivered(&again[0])]).await;
    assert_eq!(results[0].state(), DeliveryState::Delivered, "the lease of the fetch held");
    assert_eq!(reason_of(&results[1]), ErrorReason::LeaseLost);
    assert_eq!(results[2].state(), DeliveryState::Delivered);
    let cause = (ReceiptKind::Deferred, 1, DeliveryCause::GatewayRestarted);
    assert_eq!(rungs(&g22, "streamed").await[1], cause);
    assert_eq!(rungs(&g22, "fetched").await.len(), 2);
    assert_eq!(gateway.stop(), Some(0));
}

/// Fetches under a short lease and lets it end.
async fn forget(h49: &Agency) -> v1::Delivery {
    let request = v1::FetchRequest { max_deliveries: 1, lease: SHORTEST, ..Default::default() };
    h49.exchange.clone().fetch(request).await.unwrap().into_inner().deliveries.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_after_the_lease_counts_as_long_as_nobody_else_has_the_delivery() {
    let site = Site::new(&["delivery.retry_delay_min = \"1h\""]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    g22.submit(document("m-1", &["H49"], b"x".to_vec())).await.unwrap();
    let held = forget(&h49).await;
    until("the end of the lease", async || {
        g22.track("", "m-1").await.unwrap().deliveries[0].state() == DeliveryState::Waiting
    })
    .await;
    assert_eq!(h49.settle(vec![delivered(&held)]).await[0].state(), DeliveryState::Delivered);
    let kinds: Vec<_> = rungs(&g22, "m-1").await.into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(kinds, [ReceiptKind::Offered, ReceiptKind::Deferred, ReceiptKind::Delivered]);
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poller_that_hung_up_while_it_waited_holds_nothing() {
    let site = Site::new(&[]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    for n in 0..5 {
        let poller = site.agency(&gateway, "H49").await;
        let waiting = tokio::spawn(async move { poller.fetch(10, 60).await });
        // It waits for certain once it has been given something to wait behind.
        g22.submit(document(&format!("first-{n}"), &["H05"], b"x".to_vec())).await.unwrap();
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        until("its connection is closed", async || gateway.metric("truc_connections").await == 2.0).await;
        g22.submit(document(&format!("m-{n}"), &["H49"], b"x".to_vec())).await.unwrap();
        let got = h49.fetch(10, 20).await;
        assert_eq!(got.iter().map(|d| (id(d), d.attempt)).collect::<Vec<_>>(), [(&*format!("m-{n}"), 1)]);
        h49.settle(vec![delivered(&got[0])]).await;
    }
    assert_eq!(gateway.stop(), Some(0));
}
