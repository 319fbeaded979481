//! Ends other than delivered: put off, refused, expired, given up. Each leaves its receipt.

use truc::proto::v1::{self, DeliveryCause, DeliveryState, ErrorReason, ReceiptKind};

use super::{deferred, in_ms, ms, rejected, rungs};
use crate::support::{Agency, Site, delivered, document, until};

async fn state(sender: &Agency, message_id: &str) -> v1::DeliveryStatus {
    sender.track("", message_id).await.unwrap().deliveries.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_delivery_comes_again_at_its_time_and_not_before() {
    let site = Site::new(&["delivery.retry_delay_min = \"10ms\""]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    g22.submit(document("m-1", &["H49"], b"x".to_vec())).await.unwrap();
    let first = h49.fetch(1, 10).await.remove(0);
    let at = in_ms(1_500);
    let results = h49.settle(vec![deferred(&first, "đang bảo trì", Some(at))]).await;
    assert_eq!(results[0].state(), DeliveryState::Waiting);
    let waiting = state(&g22, "m-1").await;
    assert_eq!((waiting.state(), waiting.due_time), (DeliveryState::Waiting, Some(at)));
    assert!(h49.fetch(1, 0).await.is_empty());
    let second = h49.fetch(1, 10).await.remove(0);
    assert!(ms(&in_ms(0)) >= ms(&at), "not before its time");
    assert_eq!((second.attempt, &second.delivery_id), (2, &first.delivery_id));

    // The second time without a time: the backoff's.
    h49.settle(vec![deferred(&second, "vẫn bảo trì", None)]).await;
    let third = h49.fetch(1, 10).await.remove(0);
    h49.settle(vec![delivered(&third)]).await;
    let story = g22.track("", "m-1").await.unwrap();
    let told: Vec<_> = story.receipts.iter().filter(|r| r.kind() == ReceiptKind::Deferred).collect();
    assert_eq!(told[0].retry_time, Some(at));
    assert_eq!((told[0].reason.as_str(), told[0].asserted_by.as_str()), ("đang bảo trì", "H49"));
    assert_eq!((told[1].reason.as_str(), told[1].cause()), ("vẫn bảo trì", DeliveryCause::RecipientDeferred));
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_delivery_has_ended_and_its_sender_is_told_why() {
    let site = Site::new(&[]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    g22.submit(document("m-1", &["H49"], b"x".to_vec())).await.unwrap();
    let held = h49.fetch(1, 10).await.remove(0);
    let no = rejected(&held, "Gửi nhầm cơ quan");
    let results = h49.settle(vec![no.clone(), no.clone(), delivered(&held)]).await;
    assert_eq!(results[0].state(), DeliveryState::Rejected);
    assert_eq!(results[1].state(), DeliveryState::Rejected, "the same again is the same");
    let refusal = results[2].refusal.as_ref().unwrap();
    assert_eq!(
        (refusal.reason(), refusal.metadata["state"].as_str()),
        (ErrorReason::AlreadySettled, "rejected")
    );
    let story = g22.track("", "m-1").await.unwrap();
    let end = story.receipts.last().unwrap();
    assert_eq!((end.kind(), end.reason.as_str()), (ReceiptKind::Rejected, "Gửi nhầm cơ quan"));
    assert_eq!((end.asserted_by.as_str(), end.recipient.as_str()), ("H49", "H49"));
    assert_eq!(story.receipts.len(), 3);
    assert!(h49.fetch(1, 0).await.is_empty());
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_nobody_takes_expires_with_a_receipt() {
    let site = Site::new(&["delivery.retry_delay_min = \"1h\""]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    let soon_over = |id: &str, organ: &str| v1::Submission {
        expire_time: Some(in_ms(1_500)),
        ..document(id, &[organ], b"x".to_vec())
    };
    // One waits in the mailbox, one for a retry, one in a collector's hands.
    g22.submit(soon_over("queued", "H05")).await.unwrap();
    g22.submit(soon_over("waiting", "H49")).await.unwrap();
    let put_off = h49.fetch(1, 10).await.remove(0);
    h49.settle(vec![deferred(&put_off, "bận", None)]).await;
    for id in ["queued", "waiting"] {
        until("the end", async || state(&g22, id).await.state() == DeliveryState::Expired).await;
        let story = g22.track("", id).await.unwrap();
        let end = story.receipts.last().unwrap();
        assert_eq!((end.kind(), end.asserted_by.as_str()), (ReceiptKind::Expired, "gateway"), "{id}");
        let expiry = story.envelope.unwrap().expire_time.unwrap();
        assert!(ms(&end.time.unwrap()) >= ms(&expiry), "{id}: not before its deadline");
        assert_eq!(story.deliveries[0].due_time, None, "{id}");
    }
    assert!(site.agency(&gateway, "H05").await.fetch(1, 0).await.is_empty());
    let late = h49.settle(vec![delivered(&put_off)]).await;
    assert_eq!(late[0].refusal.as_ref().unwrap().reason(), ErrorReason::AlreadySettled);
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_offered_too_often_is_dead_and_says_so() {
    let site = Site::new(&["delivery.attempts_max = 2", "delivery.prompt_attempts = 2"]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    g22.submit(document("m-1", &["H49"], b"x".to_vec())).await.unwrap();
    for _ in 0..2 {
        h49.collect(1).await.deliveries().await;
    }
    until("its death", async || state(&g22, "m-1").await.state() == DeliveryState::Dead).await;
    let end = rungs(&g22, "m-1").await.pop().unwrap();
    assert_eq!(end, (ReceiptKind::Dead, 2, DeliveryCause::AttemptsExhausted));
    assert!(h49.fetch(1, 0).await.is_empty());
    assert_eq!(gateway.metric("truc_deliveries_open{state=\"dead\"}").await, 1.0);
    assert_eq!(gateway.stop(), Some(0));
}
