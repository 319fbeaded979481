//! What is overdue is told to an endpoint, once after the end of the day, whatever becomes of the deliveries.

use tonic::Status;

use crate::endpoint::{Does, Endpoint};
use crate::site::until;
use crate::town::{link, set, site, submit};
use crate::workday::ending_in;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_overdue_is_told_once_across_failures_and_a_kill() {
    let mut site = site(&[]);
    let settings = ending_in(15, &site.path("days.csv")).await;
    settings.iter().for_each(|setting| site.set(setting));
    // Both are brought a document and put it off; one of them does without notices.
    let (endpoint, plain) = (Endpoint::of(&site, "H49"), Endpoint::of(&site, "H05"));
    for memory in [&endpoint.memory, &plain.memory] {
        memory.always(Does::Fails(Status::internal("lỗi")));
    }
    endpoint.memory.notices_fail(Some(Status::unavailable("bận")));
    plain.memory.notices_fail(Some(Status::unimplemented("không có")));
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    set(&site, &gateway, "H49", link(&endpoint)).await;
    set(&site, &gateway, "H05", link(&plain)).await;
    submit(&g22, ["m-0".into(), "m-1".into()], "H49").await;
    submit(&g22, ["m-2".into()], "H05").await;
    let taken = "truc_push_notices_total";
    until("the one without has been asked", async || gateway.metric(taken).await == 1.0).await;
    gateway.logged("\"what\":\"notices\"").await;
    assert!(endpoint.memory.notices().is_empty());
    endpoint.memory.notices_fail(None);
    until("the other is told", async || gateway.metric(taken).await == 2.0).await;
    let told = endpoint.memory.notices();
    assert_eq!((told.len(), told[0].organ.as_str()), (1, "H49"));
    let overdue = |notice: &truc::proto::v1::OverdueNotice| {
        let ids = notice.deliveries.iter().map(|overdue| overdue.envelope.clone().unwrap().message_id);
        ids.collect::<Vec<_>>()
    };
    assert_eq!(overdue(&told[0]), ["m-1", "m-0"], "the newest first");
    let delivery = told[0].deliveries[0].delivery.clone().unwrap();
    assert_eq!(delivery.acknowledge_due_time, told[0].day_end_time);
    assert!(delivery.overdue_time.is_some());

    gateway.kill();
    let gateway = site.start();
    gateway.logged("a push link is served").await;
    until("it has been looked", async || gateway.metric("truc_deliveries_overdue").await == 3.0).await;
    // A link that is registered anew asks again, and is told nothing new either.
    set(&site, &gateway, "H49", link(&endpoint)).await;
    let pushed = "truc_pushes_total{outcome=\"failed\"}";
    until("it is served", async || gateway.metric(pushed).await > 0.0).await;
    assert_eq!((endpoint.memory.notices().len(), gateway.metric(taken).await), (1, 0.0));
    assert_eq!(gateway.stop(), Some(0));
}
