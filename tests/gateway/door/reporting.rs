//! Reports of business status that cannot be taken, each answered by itself, and batches that are none.

use prost_types::Timestamp;
use truc::proto::v1::{self, BusinessStatus};

use super::Door;
use super::table::Table;
use crate::support::{Agency, delivered, document};

fn report(delivery_id: &str, status: i32) -> v1::StatusReport {
    v1::StatusReport { delivery_id: delivery_id.into(), status, ..Default::default() }
}

async fn reported(
    agency: &Agency,
    organ: &str,
    reports: Vec<v1::StatusReport>,
) -> Result<v1::ReportStatusResponse, tonic::Status> {
    let request = v1::ReportStatusRequest { organ: organ.into(), reports };
    Ok(agency.exchange.clone().report_status(request).await?.into_inner())
}

pub async fn rows(door: &Door, table: &mut Table) {
    let none = reported(&door.h49, "", Vec::new()).await;
    table.row("no reports", none, "MISSING_FIELD", "reports");
    let many = reported(&door.h49, "", vec![report("d1", 1); 1_001]).await;
    table.row("1,001 reports", many, "INVALID_FIELD", "reports");
    let other = reported(&door.h49, "H57", vec![report("d1", 1)]).await;
    table.row("reports for a stranger", other, "NOT_ACTING_FOR_ORGAN", "organ");

    let accepted = door.submit(document("good-reporting", &["H49", "H05"], b"x".to_vec())).await.unwrap();
    let held = door.h49.fetch(100, 10).await.remove(0);
    let good = report(&held.delivery_id, BusinessStatus::Arrived.into());
    let with = |change: fn(&mut v1::StatusReport)| {
        let mut report = good.clone();
        change(&mut report);
        report
    };
    let staff = |change: fn(&mut v1::Staff)| {
        let mut staff = v1::Staff::default();
        change(&mut staff);
        v1::StatusReport { staff: Some(staff), ..good.clone() }
    };
    let rows = [
        ("no delivery", with(|r| r.delivery_id.clear()), "MISSING_FIELD", "delivery_id"),
        ("a delivery made up", with(|r| r.delivery_id = "mine".into()), "INVALID_FIELD", "delivery_id"),
        (
            "a delivery there is not",
            with(|r| r.delivery_id = "d999999999".into()),
            "DELIVERY_NOT_FOUND",
            "delivery_id",
        ),
        (
            "a delivery of another organ",
            report(&accepted.deliveries[1].delivery_id, 1),
            "DELIVERY_NOT_FOUND",
            "delivery_id",
        ),
        ("no status", with(|r| r.status = 0), "MISSING_FIELD", "status"),
        ("status 07", with(|r| r.status = 7), "INVALID_FIELD", "status"),
        ("status -1", with(|r| r.status = -1), "INVALID_FIELD", "status"),
        ("status 259", with(|r| r.status = 259), "INVALID_FIELD", "status"),
        ("a reason of 1,001", with(|r| r.reason = "x".repeat(1_001)), "FIELD_TOO_LONG", "reason"),
        ("a reason with a control character", with(|r| r.reason = "\u{7}".into()), "INVALID_FIELD", "reason"),
        ("a secret reason", with(|r| r.reason = "[MẬT] lý do".into()), "STATE_SECRET", "reason"),
        (
            "a time that is none",
            with(|r| r.status_time = Some(Timestamp { seconds: 0, nanos: -1 })),
            "INVALID_FIELD",
            "status_time",
        ),
        ("a clerk of 1,001", staff(|s| s.name = "x".repeat(1_001)), "FIELD_TOO_LONG", "staff.name"),
        ("an address of 101", staff(|s| s.email = "x".repeat(101)), "FIELD_TOO_LONG", "staff.email"),
        ("02 without a reason", with(|r| r.status = 2), "MISSING_FIELD", "reason"),
        ("06 before 03", with(|r| r.status = 6), "STATUS_NOT_POSSIBLE", "status"),
        ("15 without a request", with(|r| r.status = 15), "NO_OPEN_REQUEST", "status"),
        ("13 by the recipient", with(|r| r.status = 13), "STATUS_OF_OTHER_PARTY", "status"),
    ];
    let reports = rows.iter().map(|(_, report, ..)| report.clone()).collect();
    let results = reported(&door.h49, "", reports).await.unwrap().results;
    table.holds("each report is answered", results.len() == rows.len());
    for ((name, _, reason, field), result) in rows.iter().zip(&results) {
        table.refusal(name, result.refusal.as_ref(), reason, field);
    }
    let results = reported(&door.g22, "", vec![good.clone()]).await.unwrap().results;
    table.refusal("01 by the sender", results[0].refusal.as_ref(), "STATUS_OF_OTHER_PARTY", "status");
    let h05 = door.site.agency(&door.gateway, "H05").await;
    let early = report(&accepted.deliveries[1].delivery_id, 1);
    let results = reported(&h05, "", vec![early]).await.unwrap().results;
    table.refusal(
        "01 before it is offered",
        results[0].refusal.as_ref(),
        "DELIVERY_NOT_HANDED_OVER",
        "delivery_id",
    );
    let story = door.g22.track("", "good-reporting").await.unwrap();
    table.holds("nothing refused is recorded", story.deliveries.iter().all(|d| d.status == 0));
    let next = reported(&door.h49, "", vec![good]).await.unwrap().results;
    table.holds("a good report is recorded", next[0].refusal.is_none());
    door.h49.settle(vec![delivered(&held)]).await;
}
