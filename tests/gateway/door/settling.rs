//! Settlements that cannot be taken, each answered by itself, and batches that are none.

use prost_types::Timestamp;
use truc::proto::v1::settlement::Outcome;
use truc::proto::v1::{self, DeliveryState};

use super::Door;
use super::table::Table;
use crate::support::{delivered, document};

const NOT_FOUND: &str = "DELIVERY_NOT_FOUND";

const INVALID: &str = "INVALID_FIELD";

fn rejected(reason: &str) -> Option<Outcome> {
    Some(Outcome::Rejected(v1::Rejected { reason: reason.into() }))
}

fn deferred(reason: &str, nanos: i32) -> Option<Outcome> {
    let retry_time = Some(Timestamp { seconds: 4_000_000_000, nanos });
    Some(Outcome::Deferred(v1::Deferred { reason: reason.into(), retry_time }))
}

pub async fn rows(door: &Door, table: &mut Table) {
    batches(door, table).await;
    door.submit(document("good-settling", &["H49", "H05"], b"x".to_vec())).await.unwrap();
    let held = door.h49.fetch(100, 10).await.remove(0);
    let h05 = door.site.agency(&door.gateway, "H05").await;
    let others = h05.fetch(100, 10).await.remove(0);
    let good = delivered(&held);
    let with = |change: fn(&mut v1::Settlement)| {
        let mut settlement = good.clone();
        change(&mut settlement);
        settlement
    };
    let rows = [
        ("no delivery", with(|s| s.delivery_id.clear()), "MISSING_FIELD", "delivery_id"),
        ("a delivery made up", with(|s| s.delivery_id = "x".repeat(10_000)), INVALID, "delivery_id"),
        ("a delivery there is not", with(|s| s.delivery_id = "d999999999".into()), NOT_FOUND, "delivery_id"),
        (
            "a delivery of the last number",
            with(|s| s.delivery_id = format!("d{}", i64::MAX)),
            NOT_FOUND,
            "delivery_id",
        ),
        (
            "a delivery beyond the last",
            with(|s| s.delivery_id = format!("d{}", 1_u64 << 63)),
            INVALID,
            "delivery_id",
        ),
        (
            "a delivery beyond u64",
            with(|s| s.delivery_id = format!("d{}0", u64::MAX)),
            INVALID,
            "delivery_id",
        ),
        ("a delivery of another organ", delivered(&others), NOT_FOUND, "delivery_id"),
        ("no lease", with(|s| s.lease.clear()), "MISSING_FIELD", "lease"),
        ("a lease made up", with(|s| s.lease = "mine".into()), INVALID, "lease"),
        ("a lease not given yet", with(|s| s.lease = "a7".into()), "LEASE_LOST", "lease"),
        ("a lease before the first", with(|s| s.lease = "a0".into()), "LEASE_LOST", "lease"),
        ("no outcome", with(|s| s.outcome = None), "MISSING_FIELD", "outcome"),
        (
            "rejected without a reason",
            with(|s| s.outcome = rejected(" ")),
            "MISSING_FIELD",
            "rejected.reason",
        ),
        (
            "rejected at length",
            with(|s| s.outcome = rejected(&"ộ".repeat(1_001))),
            "FIELD_TOO_LONG",
            "rejected.reason",
        ),
        (
            "deferred without a reason",
            with(|s| s.outcome = deferred("", 0)),
            "MISSING_FIELD",
            "deferred.reason",
        ),
        (
            "deferred at length",
            with(|s| s.outcome = deferred(&"ộ".repeat(1_001), 0)),
            "FIELD_TOO_LONG",
            "deferred.reason",
        ),
        ("deferred to no time", with(|s| s.outcome = deferred("bận", -1)), INVALID, "deferred.retry_time"),
    ];
    // All in one batch, with a good one behind them.
    let batch = rows.iter().map(|(_, settlement, ..)| settlement.clone()).chain([good.clone()]).collect();
    let results = door.h49.settle(batch).await;
    table.holds("each settlement has its result", results.len() == rows.len() + 1);
    for ((name, settlement, reason, field), result) in rows.iter().zip(&results) {
        table.refusal(name, result.refusal.as_ref(), reason, field);
        table.holds("a result names its delivery", result.delivery_id == settlement.delivery_id);
    }
    table
        .holds("a good one among bad ones is taken", results[rows.len()].state() == DeliveryState::Delivered);

    let late = v1::Settlement { outcome: rejected("nhầm"), ..good.clone() };
    let results = door.h49.settle(vec![late, good]).await;
    table.refusal(
        "rejected after it was delivered",
        results[0].refusal.as_ref(),
        "ALREADY_SETTLED",
        "outcome",
    );
    table.holds("the same again is the same", results[1].state() == DeliveryState::Delivered);
    h05.settle(vec![delivered(&others)]).await;
}

async fn batches(door: &Door, table: &mut Table) {
    let settle = async |count: usize| {
        let settlements = vec![super::nobody(); count];
        let request = v1::SettleRequest { organ: String::new(), settlements };
        door.h49.exchange.clone().settle(request).await
    };
    table.row("no settlements", settle(0).await, "MISSING_FIELD", "settlements");
    table.row("1,001 settlements", settle(1_001).await, INVALID, "settlements");
    table.holds("1,000 settlements are a batch", settle(1_000).await.is_ok());
}
