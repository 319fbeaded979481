//! Endpoints that fail: what is tried when, what becomes of the delivery, and what its sender sees.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use truc::proto::v1::{self, ChangeEffect, DeliveryCause, DeliveryState, ReceiptKind};

use crate::endpoint::{Does, Endpoint};
use crate::site::{Agency, soon, until};
use crate::town::{get, link, rungs, set, site, stands, submit};

fn unavailable() -> Does {
    Does::Fails(Status::unavailable("bảo trì"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_fails_a_hundred_times_costs_no_delivery_and_is_probed_with_one() {
    let site = site(&["delivery.attempts_max = 5", "push.retry_delay_max = \"100ms\""]);
    let endpoint = Endpoint::of(&site, "H49");
    endpoint.memory.next(vec![unavailable(); 100]);
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    set(&site, &gateway, "H49", link(&endpoint)).await;
    submit(&g22, (0..10).map(|n| format!("m-{n}")), "H49").await;
    endpoint.memory.has(5).await;
    let story = g22.track("", "m-9").await.unwrap();
    let outage = story.deliveries[0].push_outage.clone().unwrap();
    assert_eq!(
        (outage.cause(), outage.reason.as_str()),
        (DeliveryCause::PushUnreachable, "Unavailable: bảo trì")
    );
    assert!(outage.failures >= 3 && outage.next_attempt_time.is_some() && outage.since_time.is_some());
    assert_eq!(rungs(&g22, "m-9").await, [], "it was not tried");
    for n in 0..10 {
        stands(&g22, &format!("m-{n}"), DeliveryState::Delivered).await;
    }
    assert_eq!(endpoint.memory.brought().len(), 110);
    let probed = endpoint.memory.ids().into_iter().take(100).filter(|id| id == "m-0").count();
    assert!(probed >= 95, "the oldest keeps its place: {probed}");
    let first = rungs(&g22, "m-0").await;
    assert_eq!(first.len(), 2 * (probed + 1));
    assert_eq!(first[1], (ReceiptKind::Deferred, 1, DeliveryCause::PushUnreachable));
    assert_eq!(first.last().unwrap().0, ReceiptKind::Delivered, "though attempts_max is 5");
    assert!(g22.track("", "m-9").await.unwrap().deliveries[0].push_outage.is_none());
    assert!(get(&site, &gateway, "H49").await.outage.is_none());
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_retry_is_obeyed_and_told() {
    let site = site(&[]);
    let endpoint = Endpoint::of(&site, "H49");
    let mut details = ErrorDetails::new();
    details.set_retry_info(Some(Duration::from_secs(2)));
    endpoint.memory.next([Does::Fails(Status::with_error_details(Code::Unavailable, "sau", details))]);
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    set(&site, &gateway, "H49", link(&endpoint)).await;
    submit(&g22, ["m".into()], "H49").await;
    let brought = endpoint.memory.has(2).await;
    let waited = brought[1].at - brought[0].at;
    assert!(waited >= Duration::from_secs(2), "{waited:?}");
    let story = stands(&g22, "m", DeliveryState::Delivered).await;
    let deferred = &story.receipts[2];
    let (time, retry) = (deferred.time.unwrap(), deferred.retry_time.unwrap());
    assert!((1..=3).contains(&(retry.seconds - time.seconds)));
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_not_there_gets_all_when_it_comes_and_a_gateway_remembers_that_it_was_not() {
    let site =
        site(&["push.retry_delay_min = \"1s\"", "push.retry_delay_max = \"10s\"", "push.retry_jitter = 0.0"]);
    let endpoint = Endpoint::of(&site, "H49");
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    set(&site, &gateway, "H49", link(&endpoint)).await;
    let (port, memory) = endpoint.kill();
    submit(&g22, (0..5).map(|n| format!("m-{n}")), "H49").await;
    until("two attempts in vain", async || {
        get(&site, &gateway, "H49").await.outage.is_some_and(|outage| outage.failures >= 2)
    })
    .await;
    let outage = get(&site, &gateway, "H49").await.outage.unwrap();
    assert_eq!(outage.cause(), DeliveryCause::PushUnreachable);
    assert_eq!(gateway.metric("truc_push_links{state=\"out\"}").await, 1.0);
    gateway.kill();
    let gateway = site.start();
    let remembered = get(&site, &gateway, "H49").await.outage.unwrap();
    assert!(remembered.failures >= outage.failures && remembered.since_time == outage.since_time);
    let endpoint = Endpoint::start(&site, &site.organ("H49"), memory, port);
    // Registered anew, it is tried at once, whatever the backoff.
    set(&site, &gateway, "H49", link(&endpoint)).await;
    let g22 = site.agency(&gateway, "G22").await;
    for n in 0..5 {
        stands(&g22, &format!("m-{n}"), DeliveryState::Delivered).await;
    }
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_and_broken_calls_are_attempts_of_their_delivery() {
    let site = site(&[]);
    let endpoint = Endpoint::of(&site, "H49");
    endpoint.memory.next([Does::Hangs]);
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    let timeout = Some(prost_types::Duration { seconds: 1, nanos: 0 });
    set(&site, &gateway, "H49", v1::PushLink { timeout, ..link(&endpoint) }).await;
    submit(&g22, ["slow".into()], "H49").await;
    stands(&g22, "slow", DeliveryState::Delivered).await;
    let timed_out = (ReceiptKind::Deferred, 1, DeliveryCause::PushTimedOut);
    assert_eq!(rungs(&g22, "slow").await[1], timed_out);

    endpoint.memory.next([Does::Hangs]);
    submit(&g22, ["broken".into()], "H49").await;
    endpoint.memory.has(3).await;
    let (port, memory) = endpoint.kill();
    until("it is known", async || rungs(&g22, "broken").await.len() >= 2).await;
    assert_eq!(rungs(&g22, "broken").await[1], (ReceiptKind::Deferred, 1, DeliveryCause::PushFailed));
    let _endpoint = Endpoint::start(&site, &site.organ("H49"), memory, port);
    stands(&g22, "broken", DeliveryState::Delivered).await;
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permanent_answer_is_about_the_delivery_or_about_the_link() {
    let site = site(&["delivery.stall_after = \"1s\""]);
    let endpoint = Endpoint::of(&site, "H49");
    endpoint.memory.next([Does::Fails(Status::invalid_argument("không đọc được"))]);
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    set(&site, &gateway, "H49", link(&endpoint)).await;
    submit(&g22, ["poison".into(), "good".into()], "H49").await;
    let story = stands(&g22, "poison", DeliveryState::Dead).await;
    let last = story.receipts.last().unwrap();
    assert_eq!(
        (last.cause(), last.reason.as_str()),
        (DeliveryCause::PushRefused, "InvalidArgument: không đọc được")
    );
    stands(&g22, "good", DeliveryState::Delivered).await;

    endpoint.memory.always(Does::Fails(Status::permission_denied("không cho phép")));
    submit(&g22, ["shut-0".into(), "shut-1".into()], "H49").await;
    gateway.logged("the endpoint it is brought to takes nothing").await;
    let stalled = "truc_mailboxes_stalled{reason=\"link_out\"}";
    until("it is a stall of known cause", async || gateway.metric(stalled).await == 1.0).await;
    let outage = get(&site, &gateway, "H49").await.outage.unwrap();
    assert_eq!(outage.cause(), DeliveryCause::PushLinkRefused);
    endpoint.memory.always(Does::takes());
    stands(&g22, "shut-0", DeliveryState::Delivered).await;
    stands(&g22, "shut-1", DeliveryState::Delivered).await;
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_document_the_endpoint_cannot_bear_does_not_hold_up_the_others() {
    let site = site(&["delivery.attempts_max = 4", "delivery.retry_delay_max = \"100ms\""]);
    let endpoint = Endpoint::of(&site, "H49");
    endpoint.memory.next(vec![Does::Fails(Status::resource_exhausted("quá lớn"))]);
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    set(&site, &gateway, "H49", link(&endpoint)).await;
    submit(&g22, ["large".into(), "small".into()], "H49").await;
    stands(&g22, "small", DeliveryState::Delivered).await;
    stands(&g22, "large", DeliveryState::Delivered).await;

    endpoint.memory.always(Does::Fails(Status::internal("lỗi")));
    submit(&g22, ["bad".into()], "H49").await;
    let story = stands(&g22, "bad", DeliveryState::Dead).await;
    assert_eq!(story.receipts.last().unwrap().cause(), DeliveryCause::AttemptsExhausted);
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_or_paused_nothing_is_brought_and_what_waits_can_be_fetched() {
    let site = site(&[]);
    let endpoint = Endpoint::of(&site, "H49");
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    set(&site, &gateway, "H49", v1::PushLink { paused: true, ..link(&endpoint) }).await;
    submit(&g22, ["paused".into()], "H49").await;
    assert_eq!(h49.fetch(1, 10).await.len(), 1, "it is there to be fetched");
    set(&site, &gateway, "H49", link(&endpoint)).await;
    submit(&g22, ["brought".into()], "H49").await;
    stands(&g22, "brought", DeliveryState::Delivered).await;
    let mut links = crate::town::links(&site, &gateway, "H49").await;
    soon("delete", links.delete_push_link(v1::DeletePushLinkRequest::default())).await.unwrap();
    until("it is served no more", async || gateway.metric("truc_push_links{state=\"up\"}").await == 0.0)
        .await;
    submit(&g22, ["left".into()], "H49").await;
    assert_eq!(h49.fetch(1, 10).await.len(), 1);
    assert_eq!(endpoint.memory.ids(), ["brought"]);
    assert_eq!(gateway.stop(), Some(0));
}

async fn taken_back(by: &Agency, id: &str) -> ChangeEffect {
    let document = Some(v1::change_target::Document::MessageId(id.to_owned()));
    let request = v1::RecallRequest {
        message_id: format!("back-{id}"),
        target: Some(v1::ChangeTarget { document, recipients: Vec::new() }),
        reason: "phát hành nhầm".to_owned(),
        ..Default::default()
    };
    let recalled = soon("recall", by.exchange.clone().recall(request)).await.unwrap().into_inner();
    recalled.acceptance.unwrap().changed.unwrap().deliveries[0].effect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_left_the_gateway_is_taken_back_at_once_and_what_may_have_is_asked_for() {
    let site = site(&["push.retry_delay_min = \"1s\"", "push.retry_delay_max = \"10s\""]);
    let endpoint = Endpoint::of(&site, "H49");
    let url = link(&endpoint);
    let (port, memory) = endpoint.kill();
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    set(&site, &gateway, "H49", url.clone()).await;
    submit(&g22, (0..3).map(|n| format!("m-{n}")), "H49").await;
    let failures = async || get(&site, &gateway, "H49").await.outage.map_or(0, |outage| outage.failures);
    until("two attempts in vain", async || failures().await >= 2).await;
    let tried = rungs(&g22, "m-0").await;
    assert!(tried.contains(&(ReceiptKind::Deferred, 2, DeliveryCause::PushUnreachable)), "{tried:?}");
    for id in ["m-0", "m-1"] {
        assert_eq!(taken_back(&g22, id).await, ChangeEffect::Cancelled, "{id}");
        stands(&g22, id, DeliveryState::Cancelled).await;
    }
    // It is there again, and has a look at what it is brought before it says that it takes nothing.
    memory.always(unavailable());
    let endpoint = Endpoint::start(&site, &site.organ("H49"), memory, port);
    set(&site, &gateway, "H49", url).await;
    let brought = endpoint.memory.has(1).await;
    assert_eq!(brought[0].id, "m-2");
    stands(&g22, "m-2", DeliveryState::Queued).await;
    assert_eq!(taken_back(&g22, "m-2").await, ChangeEffect::Asked);
    assert!(endpoint.memory.ids().iter().all(|id| id == "m-2"), "nothing else left the gateway");
    assert_eq!(gateway.stop(), Some(0));
}
