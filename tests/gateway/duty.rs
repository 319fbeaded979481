//! The duty to acknowledge on the working day, with a gateway whose day ends soon.

use truc::domain::time::{Clock, SystemClock};
use truc::proto::v1::{self, ReceiptKind};

use crate::support::{Agency, Process, Site, delivered, document, soon, until};
use crate::workday::{ending_in, vietnam};

/// A site on which today is worked, and ends so many seconds from now.
async fn site_of_a_day(seconds: i64) -> Site {
    let mut site = Site::new(&[]);
    let settings = ending_in(seconds, &site.path("days.csv")).await;
    settings.iter().for_each(|setting| site.set(setting));
    site
}

async fn overdue(agency: &Agency, request: v1::ListOverdueRequest) -> Vec<v1::OverdueDelivery> {
    soon("list", agency.exchange.clone().list_overdue(request)).await.unwrap().into_inner().deliveries
}

fn of(side: v1::OverdueSide) -> v1::ListOverdueRequest {
    v1::ListOverdueRequest { side: side.into(), ..Default::default() }
}

async fn noted(gateway: &Process, count: f64) {
    let metric = "truc_receipts_total{kind=\"overdue\"}";
    until("what is overdue is noted", async || gateway.metric(metric).await == count).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_acknowledged_by_the_end_of_the_day_is_told_to_both_sides() {
    let site = site_of_a_day(12).await;
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    let (h49, h05) = (site.agency(&gateway, "H49").await, site.agency(&gateway, "H05").await);
    let mut collecting = h05.collect(10).await;
    for (id, to) in [("m-1", "H49"), ("m-2", "H49"), ("m-3", "H05")] {
        g22.submit(document(id, &[to], b"x".to_vec())).await.unwrap();
    }
    // In time, and told until when; H05's collector takes its document and says nothing.
    let first = h49.fetch(1, 10).await.remove(0);
    let due = first.acknowledge_due_time.unwrap();
    assert!(first.overdue_time.is_none());
    h49.settle(vec![delivered(&first)]).await;
    assert_eq!(collecting.deliveries().await.len(), 1);
    assert_eq!(overdue(&g22, of(v1::OverdueSide::Sender)).await, []);
    noted(&gateway, 2.0).await;

    // The sender: by receipts, in the list and in the story.
    let receipts = g22.receipts("").await.0;
    let told: Vec<_> = receipts.iter().filter(|receipt| receipt.kind() == ReceiptKind::Overdue).collect();
    let mut who: Vec<_> = told.iter().map(|receipt| (&*receipt.message_id, &*receipt.recipient)).collect();
    who.sort_unstable();
    assert_eq!(who, [("m-2", "H49"), ("m-3", "H05")]);
    assert!(told.iter().all(|receipt| receipt.asserted_by == "gateway"));
    assert_eq!(overdue(&g22, of(v1::OverdueSide::Sender)).await.len(), 2);
    let story = g22.track("", "m-1").await.unwrap().deliveries.remove(0);
    assert!(story.acknowledge_due_time == Some(due) && story.acknowledge_time.is_some());
    assert!(story.overdue_time.is_none());
    // The recipients: on the stream, with a fetch, in the list, and on the delivery itself.
    let notice = loop {
        let response = soon("a notice", collecting.responses.message()).await.unwrap().unwrap();
        if let Some(notice) = response.overdue.first() {
            break notice.clone();
        }
    };
    assert_eq!(notice.envelope.unwrap().message_id, "m-3");
    assert!(notice.delivery.unwrap().overdue_time.is_some());
    let fetch = v1::FetchRequest { max_deliveries: 5, ..Default::default() };
    let fetched = soon("fetch", h49.exchange.clone().fetch(fetch.clone())).await.unwrap().into_inner();
    assert_eq!((fetched.deliveries.len(), fetched.overdue.len()), (1, 1));
    assert!(fetched.deliveries[0].overdue_time.is_some());
    assert_eq!(overdue(&h49, of(v1::OverdueSide::Recipient)).await.len(), 1);
    assert!(gateway.metric("truc_deliveries_overdue").await == 2.0);
    assert!(
        gateway.get("/metrics/per-object").await.1.contains("truc_mailbox_messages_overdue{organ=\"H49\"} 1")
    );

    // Acknowledged late: no longer overdue now, and for ever in the figures.
    h49.settle(vec![delivered(&fetched.deliveries[0])]).await;
    assert_eq!(overdue(&h49, of(v1::OverdueSide::Recipient)).await, []);
    let past = v1::ListOverdueRequest { include_past: true, ..of(v1::OverdueSide::Recipient) };
    assert_eq!(overdue(&h49, past).await.len(), 1);
    let asked = v1::ListDutyFiguresRequest::default();
    let figures =
        soon("figures", h49.exchange.clone().list_duty_figures(asked)).await.unwrap().into_inner().organs;
    assert_eq!((figures[0].due, figures[0].overdue, figures[0].overdue_now), (2, 1, 0));
    assert_eq!(figures[0].days[0].date, vietnam(SystemClock.now()).1);
    // After a restart nothing is noted again, and who has some is still told.
    assert_eq!(gateway.stop(), Some(0));
    let gateway = site.start();
    let h05 = site.agency(&gateway, "H05").await;
    until("the recipient is told", async || {
        let fetched = h05.exchange.clone().fetch(fetch.clone()).await.unwrap().into_inner();
        fetched.overdue.len() == 1
    })
    .await;
    let g22 = site.agency(&gateway, "G22").await;
    let again = g22.receipts("").await.0.into_iter().filter(|receipt| receipt.kind() == ReceiptKind::Overdue);
    assert_eq!(again.count(), 2);
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_look_at_what_is_overdue() {
    let site = Site::new(&[]);
    let gateway = site.start();
    let (h49, operator) = (site.agency(&gateway, "H49").await, site.operator("truc-operator"));
    let operator = Agency::new(site.channel(&gateway, &operator).await, "operator");
    assert_eq!(overdue(&operator, v1::ListOverdueRequest::default()).await, []);
    let others = v1::ListOverdueRequest { organ: "H05".into(), ..Default::default() };
    assert_eq!(overdue(&operator, others.clone()).await, []);
    let refused = h49.exchange.clone().list_overdue(others).await.unwrap_err();
    assert_eq!(crate::support::reason(&refused), "NOT_ACTING_FOR_ORGAN");
    for (first, last, field) in [
        ("2026-02-30", "", "first_date"),
        ("", "x", "last_date"),
        ("2026-02-02", "2026-02-01", "last_date"),
        ("2025-01-01", "2026-02-01", "last_date"),
    ] {
        let request = v1::ListDutyFiguresRequest {
            first_date: first.into(),
            last_date: last.into(),
            ..Default::default()
        };
        let refused = h49.exchange.clone().list_duty_figures(request).await.unwrap_err();
        assert_eq!(crate::support::reason(&refused), "INVALID_FIELD", "{field}");
    }
    let strange = v1::ListOverdueRequest { page_token: "AAAA".into(), ..Default::default() };
    let refused = h49.exchange.clone().list_overdue(strange).await.unwrap_err();
    assert_eq!(crate::support::reason(&refused), "INVALID_CURSOR");
    assert_eq!(gateway.stop(), Some(0));
}
