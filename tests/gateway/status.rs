//! Business statuses: what a recipient reports comes to the sender as receipts, apart from the transport.

mod edxml;

use truc::proto::v1::ReceiptKind::{Accepted, Delivered, Offered, Status};
use truc::proto::v1::{self, BusinessStatus, DeliveryState};

use crate::support::{Agency, Site, delivered, document, soon};

fn report(delivery_id: &str, status: BusinessStatus, reason: &str) -> v1::StatusReport {
    v1::StatusReport {
        delivery_id: delivery_id.into(),
        status: status.into(),
        reason: reason.into(),
        ..Default::default()
    }
}

async fn reported(agency: &Agency, reports: Vec<v1::StatusReport>) -> Vec<v1::ReportResult> {
    let request = v1::ReportStatusRequest { organ: String::new(), reports };
    soon("report", agency.exchange.clone().report_status(request)).await.unwrap().into_inner().results
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_recipient_reports_comes_to_the_sender() {
    let site = Site::new(&[]);
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    let (h49, h05) = (site.agency(&gateway, "H49").await, site.agency(&gateway, "H05").await);
    let accepted = g22.submit(document("m-1", &["H49", "H05"], b"x".to_vec())).await.unwrap();
    let ids: Vec<_> = accepted.deliveries.iter().map(|d| d.delivery_id.clone()).collect();
    let mut watch = g22.exchange.clone().watch_receipts(v1::WatchReceiptsRequest::default()).await.unwrap();

    // Before the settlement and after it; the transport stays what it is.
    let held = h49.fetch(1, 10).await.remove(0);
    let staff =
        v1::Staff { department: "Văn thư".into(), name: "Trần Thị Mẫu".into(), ..Default::default() };
    let full = v1::StatusReport {
        status_time: Some(prost_types::Timestamp { seconds: 1_764_000_000, nanos: 5_000 }),
        staff: Some(staff.clone()),
        ..report(&ids[0], BusinessStatus::Arrived, "đã vào hệ thống")
    };
    let first = reported(&h49, vec![full.clone()]).await.remove(0);
    let receipt = first.receipt.clone().unwrap();
    assert_eq!((receipt.kind(), receipt.status()), (Status, BusinessStatus::Arrived));
    assert_eq!((receipt.staff, receipt.status_time), (Some(staff), full.status_time));
    assert_eq!((&*receipt.reason, &*receipt.asserted_by), ("đã vào hệ thống", "H49"));
    assert_eq!(h49.settle(vec![delivered(&held)]).await[0].state(), DeliveryState::Delivered);
    let rest = reported(
        &h49,
        vec![
            report(&ids[0], BusinessStatus::Accepted, ""),
            full,
            report(&ids[0], BusinessStatus::InProcess, ""),
            report(&ids[0], BusinessStatus::Done, ""),
        ],
    )
    .await;
    assert!(rest[1].repeated_report && rest[1].receipt == first.receipt, "{:?}", rest[1]);
    assert!(rest.iter().all(|result| result.refusal.is_none()));
    h05.fetch(1, 10).await;
    let refusing = reported(&h05, vec![report(&ids[1], BusinessStatus::Refused, "sai nơi nhận")]).await;
    assert_eq!(refusing[0].receipt.as_ref().unwrap().reason, "sai nơi nhận");

    let story = g22.track("", "m-1").await.unwrap();
    let stands: Vec<_> = story.deliveries.iter().map(|d| (d.state(), d.status())).collect();
    assert_eq!(
        stands,
        [
            (DeliveryState::Delivered, BusinessStatus::Done),
            (DeliveryState::InFlight, BusinessStatus::Refused)
        ]
    );
    let kinds: Vec<_> = story.receipts.iter().map(v1::Receipt::kind).collect();
    assert_eq!(kinds, [Accepted, Offered, Status, Delivered, Status, Status, Status, Offered, Status]);
    // Whoever watches is woken.
    let mut watched = Vec::new();
    while watched.len() < story.receipts.len() {
        let page = soon("receipts", watch.get_mut().message()).await.unwrap().unwrap();
        watched.extend(page.receipts);
    }
    assert_eq!(watched, story.receipts);
    // A recipient sees its own.
    let seen = h05.track("G22", "m-1").await.unwrap();
    assert_eq!(seen.receipts.iter().filter(|r| r.kind() == Status).count(), 1);
    assert_eq!(gateway.metric("truc_statuses_total{status=\"03\"}").await, 1.0);
    assert_eq!(gateway.metric("truc_receipts_total{kind=\"status\"}").await, 5.0);
    assert_eq!(gateway.stop(), Some(0));

    // All of it is there after a restart, and a report that is repeated then too.
    let gateway = site.start();
    let h49 = site.agency(&gateway, "H49").await;
    let again = reported(&h49, vec![report(&ids[0], BusinessStatus::Accepted, "")]).await.remove(0);
    assert!(again.repeated_report && again.receipt == rest[0].receipt);
    assert_eq!(gateway.stop(), Some(0));
}
