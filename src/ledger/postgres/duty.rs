//! The duty to acknowledge: what was not is noted under the locks, counted by day, and listed.

use std::collections::HashMap;

use deadpool_postgres::ClientWrapper;

use super::cells::{Cells, OrganRef};
use super::columns::NewReceipt;
use super::fault::Fault;
use super::link::Link;
use super::names::Names;
use super::sheet::Sheet;
use crate::domain::calendar::Day;
use crate::domain::delivery::DeliveryId;
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::ReceiptKind;
use crate::domain::time::Timestamp;
use crate::ledger::codes::{at_most, bounded};
use crate::ledger::{DutyBounds, DutyDay, DutyFigures};

/// Notes that a delivery was not acknowledged in time; whether that was so and is noted now.
pub(super) fn note(sheet: &mut Sheet<'_>, delivery: DeliveryId, at: Timestamp) -> Result<bool, Fault> {
    let Some(row) = sheet.deliveries.get_mut(&bounded(delivery.0)) else { return Ok(false) };
    if !row.duty.is_to_be_noted(row.ended_at.or(row.was_ended_at), at) {
        return Ok(false);
    }
    let last = sheet.last_receipts.get_mut(&row.message).ok_or(Fault::Invalid("receipt of a message"))?;
    let (message_sequence, time) = (last.0 + 1, at.max(last.1));
    *last = (message_sequence, time);
    row.duty.overdue_at = Some(time);
    row.is_noted = true;
    let (sender, message, attempt) = (row.sender, row.message, row.progress.attempt);
    let sender_sequence = sheet.next_receipt(sender)?;
    sheet.new_receipts.push(NewReceipt {
        sender,
        sender_sequence,
        message,
        message_sequence,
        delivery: Some(delivery),
        kind: ReceiptKind::Overdue,
        time,
        asserted_by: None,
        attempt,
        cause: None,
        reason: [].as_slice().into(),
        retry_time: None,
        status: None,
        change: None,
    });
    Ok(true)
}

/// Counts by recipient and day.
pub(super) async fn count(
    link: &Link,
    after: DeliveryId,
    from: Timestamp,
    by: Timestamp,
) -> Result<(), Fault> {
    // It takes as long as there are deliveries of a day.
    link.client.batch_execute("SET LOCAL statement_timeout = 0").await?;
    let (from, by) = (from.as_micros(), by.as_micros());
    link.client.execute(&link.statements.count_duty, &[&bounded(after.0), &from, &by]).await?;
    Ok(())
}

/// Deliveries to be noted.
pub(super) async fn unacknowledged(
    client: &ClientWrapper,
    by: Timestamp,
    after: DeliveryId,
    limit: usize,
) -> Result<Vec<DeliveryId>, Fault> {
    // delivery.unacknowledged
    let statement = client
        .prepare_cached(
            "SELECT id FROM delivery WHERE id > $1 AND acknowledge_by <= $2 AND overdue_at IS NULL
                 AND (acknowledged_at IS NULL OR acknowledged_at > acknowledge_by)
                 AND (ended_at IS NULL OR ended_at > acknowledge_by)
             ORDER BY id LIMIT $3",
        )
        .await?;
    let rows = client.query(&statement, &[&bounded(after.0), &by.as_micros(), &at_most(limit)]).await?;
    rows.iter().map(|row| Cells::of(row).delivery()).collect()
}

/// Where those of a span lie.
pub(super) async fn bounds(
    client: &ClientWrapper,
    by: Timestamp,
    after: DeliveryId,
) -> Result<DutyBounds, Fault> {
    // delivery.first_later
    let first_later = client
        .prepare_cached("SELECT id FROM delivery WHERE id > $1 AND acknowledge_by > $2 ORDER BY id LIMIT 1")
        .await?;
    let first_later = client.query_opt(&first_later, &[&bounded(after.0), &by.as_micros()]).await?;
    // delivery.last
    let last =
        client.prepare_cached("SELECT id FROM delivery WHERE id > $1 ORDER BY id DESC LIMIT 1").await?;
    let last = client.query_opt(&last, &[&bounded(after.0)]).await?;
    let id = |row: Option<tokio_postgres::Row>| row.map(|row| Cells::of(&row).delivery()).transpose();
    Ok(DutyBounds { first_later: id(first_later)?, last: id(last)? })
}

/// Whose overdue deliveries are open and not acknowledged.
pub(super) async fn recipients(client: &ClientWrapper, names: &Names) -> Result<Vec<OrganId>, Fault> {
    // delivery.overdue_recipients
    let statement = client
        .prepare_cached(
            "SELECT DISTINCT recipient FROM delivery
             WHERE overdue_at IS NOT NULL AND acknowledged_at IS NULL AND due_at IS NOT NULL",
        )
        .await?;
    let rows = client.query(&statement, &[]).await?;
    let organs: Vec<OrganRef> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    names.learn(client, organs.iter().copied()).await?;
    organs.into_iter().map(|organ| names.name(organ)).collect()
}

/// How organs meet their duty, in the order of their numbers.
pub(super) async fn figures(
    client: &ClientWrapper,
    names: &Names,
    organ: Option<OrganId>,
    (first, last): (Day, Day),
    after: Option<OrganId>,
    limit: usize,
) -> Result<Vec<DutyFigures>, Fault> {
    // duty_day.figures
    let statement = client
        .prepare_cached(
            "SELECT recipient, sum(due)::bigint, sum(overdue)::bigint FROM duty_day
             WHERE recipient > coalesce((SELECT ref FROM organ WHERE id = $1::text), 0)
                 AND ($2::text IS NULL OR recipient = (SELECT ref FROM organ WHERE id = $2::text))
             GROUP BY recipient ORDER BY recipient LIMIT $3",
        )
        .await?;
    let (after, organ) = (after.as_ref().map(OrganId::as_str), organ.as_ref().map(OrganId::as_str));
    let totals = client.query(&statement, &[&after, &organ, &at_most(limit)]).await?;
    let organs: Vec<OrganRef> = totals.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    names.learn(client, organs.iter().copied()).await?;
    let mut days = days(client, &organs, first, last).await?;
    let overdue_now = overdue_now(client, &organs).await?;
    let one = |row| {
        let mut cells = Cells::of(row);
        let (organ, due, overdue): (OrganRef, _, _) = (cells.plain()?, cells.number()?, cells.number()?);
        let overdue_now = overdue_now.get(&organ).copied().unwrap_or(0);
        let days = days.remove(&organ).unwrap_or_default();
        Ok(DutyFigures { organ: names.name(organ)?, due, overdue, overdue_now, days })
    };
    totals.iter().map(one).collect()
}

async fn days(
    client: &ClientWrapper,
    organs: &[OrganRef],
    first: Day,
    last: Day,
) -> Result<HashMap<OrganRef, Vec<DutyDay>>, Fault> {
    // duty_day.days
    let statement = client
        .prepare_cached(
            "SELECT recipient, day, due, overdue FROM duty_day
             WHERE recipient = ANY($1) AND day BETWEEN $2 AND $3 ORDER BY recipient, day",
        )
        .await?;
    let mut days: HashMap<OrganRef, Vec<DutyDay>> = HashMap::new();
    for row in &client.query(&statement, &[&organs, &first.0, &last.0]).await? {
        let mut cells = Cells::of(row);
        let (organ, day) = (cells.plain()?, Day(cells.plain()?));
        let day = DutyDay { day, due: cells.number()?, overdue: cells.number()? };
        days.entry(organ).or_default().push(day);
    }
    Ok(days)
}

async fn overdue_now(client: &ClientWrapper, organs: &[OrganRef]) -> Result<HashMap<OrganRef, u64>, Fault> {
    // delivery.overdue_now_of
    let statement = client
        .prepare_cached(
            "SELECT recipient, count(*) FROM delivery WHERE recipient = ANY($1) AND overdue_at IS NOT NULL
                 AND acknowledged_at IS NULL AND due_at IS NOT NULL GROUP BY recipient",
        )
        .await?;
    let rows = client.query(&statement, &[&organs]).await?;
    let one = |row| {
        let mut cells = Cells::of(row);
        Ok((cells.plain()?, cells.number()?))
    };
    rows.iter().map(one).collect()
}
