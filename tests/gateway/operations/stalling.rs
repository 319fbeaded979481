//! The stall detector and the figures per mailbox.

use crate::support::{Site, delivered, document, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_whose_collector_does_not_settle_is_told_until_it_moves() {
    let site = Site::new(&["delivery.stall_after = \"1s\""]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    let h05 = site.agency(&gateway, "H05").await;
    let mut still = h49.collect(1).await;
    let mut busy = h05.collect(1).await;
    for n in 0..3 {
        g22.submit(document(&format!("m-{n}"), &["H49", "H05"], b"x".to_vec())).await.unwrap();
    }
    for _ in 0..3 {
        let deliveries = busy.deliveries().await;
        busy.settle(vec![delivered(&deliveries[0])]).await;
        assert_eq!(busy.settled().await.len(), 1);
    }
    let held = still.deliveries().await;
    let stalled = "truc_mailboxes_stalled{reason=\"collectors_full\"}";
    until("the stall", async || gateway.metric(stalled).await == 1.0).await;
    gateway.logged("those who serve it hold full windows and do not settle").await;
    assert!(gateway.log().contains("\"organ\":\"H49\""), "{}", gateway.log());

    let (status, page) = gateway.get("/metrics/per-object").await;
    assert!(status.contains("200"));
    for line in [
        "truc_mailbox_messages_ready{organ=\"H49\"} 2",
        "truc_mailbox_messages_unacked{organ=\"H49\"} 1",
        "truc_mailbox_consumers{organ=\"H49\"} 1",
        "truc_mailbox_consumers{organ=\"H05\"} 1",
        "truc_mailbox_messages{organ=\"H05\"} 0",
    ] {
        assert!(page.lines().any(|shown| shown == line), "no line {line} in\n{page}");
    }
    let (_, aggregated) = gateway.get("/metrics").await;
    assert!(!aggregated.contains("organ="), "no organ is a label there");

    still.settle(vec![delivered(&held[0])]).await;
    until("its end", async || gateway.metric(stalled).await == 0.0).await;
    gateway.logged("moves again").await;
    assert_eq!(gateway.stop(), Some(0));
}
