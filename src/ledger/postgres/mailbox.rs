//! What is open: ready deliveries, due ones, held ones, unpublished ones, and how many of each.

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Row;

use super::cells::{Cells, OrganRef};
use super::fault::Fault;
use super::names::Names;
use crate::domain::delivery::{DeliveryId, State};
use crate::domain::message::Lane;
use crate::domain::organ_id::OrganId;
use crate::domain::time::Timestamp;
use crate::ledger::codes::{Coded, at_most, bounded};
use crate::ledger::{BecameReady, MailboxTally, Ready, Tally, Unheld};

/// Ready deliveries of one lane, in order.
pub(super) async fn ready(
    client: &ClientWrapper,
    organ: OrganId,
    lane: Lane,
    after: DeliveryId,
    limit: usize,
) -> Result<Vec<Ready>, Fault> {
    // delivery.ready
    let statement = client
        .prepare_cached(
            "SELECT id, message, payload_bytes, attempt FROM delivery
             WHERE recipient = (SELECT ref FROM organ WHERE id = $1) AND lane = $2 AND id > $3 AND state = 0
             ORDER BY id LIMIT $4",
        )
        .await?;
    let rows = client
        .query(&statement, &[&organ.as_str(), &lane.code(), &bounded(after.0), &at_most(limit)])
        .await?;
    rows.iter().map(|row| ready_of(&mut Cells::of(row))).collect()
}

/// Ready deliveries of all lanes, as they are served.
pub(super) async fn ready_in_lanes(
    client: &ClientWrapper,
    organ: OrganId,
    limit: usize,
) -> Result<Vec<(Lane, Ready)>, Fault> {
    // delivery.ready_in_lanes
    let statement = client
        .prepare_cached(
            "SELECT id, message, payload_bytes, attempt, lane FROM delivery
             WHERE recipient = (SELECT ref FROM organ WHERE id = $1) AND state = 0 ORDER BY lane, id LIMIT $2",
        )
        .await?;
    let rows = client.query(&statement, &[&organ.as_str(), &at_most(limit)]).await?;
    let one = |row| {
        let mut cells = Cells::of(row);
        let ready = ready_of(&mut cells)?;
        Ok((cells.code()?, ready))
    };
    rows.iter().map(one).collect()
}

fn ready_of(cells: &mut Cells<'_>) -> Result<Ready, Fault> {
    Ok(Ready {
        delivery: cells.delivery()?,
        message: cells.key()?,
        payload_bytes: cells.number()?,
        attempt: cells.small()?,
    })
}

/// Due deliveries, the longest due first.
pub(super) async fn due(
    client: &ClientWrapper,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<DeliveryId>, Fault> {
    // delivery.due
    let statement = client
        .prepare_cached(
            "SELECT id FROM delivery WHERE due_at IS NOT NULL AND due_at <= $1 ORDER BY due_at LIMIT $2",
        )
        .await?;
    let rows = client.query(&statement, &[&now.as_micros(), &at_most(limit)]).await?;
    rows.iter().map(|row| Cells::of(row).delivery()).collect()
}

/// The earliest due time.
pub(super) async fn next_due(client: &ClientWrapper) -> Result<Option<Timestamp>, Fault> {
    // delivery.next_due
    let statement =
        client.prepare_cached("SELECT min(due_at) FROM delivery WHERE due_at IS NOT NULL").await?;
    Cells::of(&client.query_one(&statement, &[]).await?).time_if_any()
}

fn held(rows: &[Row]) -> Result<Vec<(DeliveryId, u32)>, Fault> {
    let one = |row| {
        let mut cells = Cells::of(row);
        Ok((cells.delivery()?, cells.small()?))
    };
    rows.iter().map(one).collect()
}

/// Deliveries in flight on a stream of a node that is gone.
pub(super) async fn held_by_streams(
    client: &ClientWrapper,
    limit: usize,
) -> Result<Vec<(DeliveryId, u32)>, Fault> {
    // delivery.held_by_streams
    let statement = client
        .prepare_cached(
            "SELECT d.id, d.attempt FROM delivery d
             WHERE d.hold = 0 AND NOT EXISTS (SELECT FROM node n WHERE n.id = d.holder) LIMIT $1",
        )
        .await?;
    held(&client.query(&statement, &[&at_most(limit)]).await?)
}

/// Deliveries in their recipient's own queue whose lease ends soon.
pub(super) async fn held_in_queue(
    client: &ClientWrapper,
    organ: OrganId,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<(DeliveryId, u32)>, Fault> {
    // delivery.held_in_queue
    let statement = client
        .prepare_cached(
            "SELECT id, attempt FROM delivery
             WHERE recipient = (SELECT ref FROM organ WHERE id = $1) AND hold = 2 AND due_at < $2
             ORDER BY due_at LIMIT $3",
        )
        .await?;
    held(&client.query(&statement, &[&organ.as_str(), &before.as_micros(), &at_most(limit)]).await?)
}

/// Open deliveries of one mailbox that nobody holds.
pub(super) async fn unheld(
    client: &ClientWrapper,
    organ: OrganId,
    after: DeliveryId,
    limit: usize,
) -> Result<Vec<Unheld>, Fault> {
    // delivery.unheld
    let statement = client
        .prepare_cached(
            "SELECT id, state FROM delivery
             WHERE recipient = (SELECT ref FROM organ WHERE id = $1) AND id > $2 AND state IN (0, 2, 7)
             ORDER BY id LIMIT $3",
        )
        .await?;
    let rows = client.query(&statement, &[&organ.as_str(), &bounded(after.0), &at_most(limit)]).await?;
    let one = |row| {
        let mut cells = Cells::of(row);
        Ok((cells.delivery()?, cells.code()?))
    };
    rows.iter().map(one).collect()
}

/// Unpublished deliveries of this node and of those that are gone, in order.
pub(super) async fn unpublished(
    client: &ClientWrapper,
    names: &Names,
    this_node: i64,
    after: DeliveryId,
    limit: usize,
) -> Result<Vec<BecameReady>, Fault> {
    // outbox.unpublished
    let statement = client
        .prepare_cached(
            "SELECT d.recipient, d.lane, o.delivery, d.message, d.payload_bytes, o.attempt
             FROM outbox o JOIN delivery d ON d.id = o.delivery
             WHERE o.delivery > $1 AND (o.node = $2 OR NOT EXISTS (SELECT FROM node n WHERE n.id = o.node))
             ORDER BY o.delivery LIMIT $3",
        )
        .await?;
    let rows = client.query(&statement, &[&bounded(after.0), &this_node, &at_most(limit)]).await?;
    learn_first_column(client, names, &rows).await?;
    let one = |row| {
        let mut cells = Cells::of(row);
        Ok(BecameReady {
            organ: names.name(cells.plain()?)?,
            lane: cells.code()?,
            ready: ready_of(&mut cells)?,
            message: None,
        })
    };
    rows.iter().map(one).collect()
}

async fn learn_first_column(client: &ClientWrapper, names: &Names, rows: &[Row]) -> Result<(), Fault> {
    let organs: Result<Vec<OrganRef>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    names.learn(client, organs?).await
}

/// A durable number.
pub(super) async fn mark(client: &ClientWrapper, name: String) -> Result<u64, Fault> {
    // mark.read
    let statement = client.prepare_cached("SELECT value FROM mark WHERE name = $1").await?;
    let found = client.query_opt(&statement, &[&name]).await?;
    found.map_or(Ok(0), |row| Cells::of(&row).number())
}

/// How many open deliveries an organ's mailbox holds.
pub(super) async fn open_deliveries(client: &ClientWrapper, organ: OrganId) -> Result<u64, Fault> {
    // organ.open_deliveries
    let statement = client.prepare_cached("SELECT open_deliveries FROM organ WHERE id = $1").await?;
    let found = client.query_opt(&statement, &[&organ.as_str()]).await?;
    found.map_or(Ok(0), |row| Cells::of(&row).number())
}

/// Open deliveries of each mailbox.
pub(super) async fn mailboxes(client: &ClientWrapper, names: &Names) -> Result<Vec<MailboxTally>, Fault> {
    // delivery.mailboxes
    let statement = client
        .prepare_cached(
            "SELECT o.recipient, o.ready, o.in_flight, o.waiting, o.dead, m.accepted_at, o.overdue
             FROM (SELECT recipient, count(*) FILTER (WHERE state = 0) AS ready,
                       count(*) FILTER (WHERE state = 1) AS in_flight,
                       count(*) FILTER (WHERE state = 2) AS waiting,
                       count(*) FILTER (WHERE state = 7) AS dead, min(message) AS oldest,
                       count(*) FILTER (WHERE overdue_at IS NOT NULL AND acknowledged_at IS NULL) AS overdue
                   FROM delivery WHERE due_at IS NOT NULL GROUP BY recipient) o
             JOIN message m ON m.key = o.oldest ORDER BY o.recipient",
        )
        .await?;
    let rows = client.query(&statement, &[]).await?;
    learn_first_column(client, names, &rows).await?;
    let one = |row| {
        let mut cells = Cells::of(row);
        Ok(MailboxTally {
            organ: names.name(cells.plain()?)?,
            ready: cells.number()?,
            in_flight: cells.number()?,
            waiting: cells.number()?,
            dead: cells.number()?,
            oldest: cells.time_if_any()?,
            overdue: cells.number()?,
        })
    };
    rows.iter().map(one).collect()
}

/// Open deliveries by state, and when the oldest of them was accepted.
pub(super) async fn tally(client: &ClientWrapper) -> Result<Tally, Fault> {
    // delivery.tally
    let open = client
        .prepare_cached(
            "SELECT o.state, o.deliveries, m.accepted_at
             FROM (SELECT state, count(*) AS deliveries, min(message) AS oldest
                   FROM delivery WHERE due_at IS NOT NULL GROUP BY state) o
             JOIN message m ON m.key = o.oldest ORDER BY o.state",
        )
        .await?;
    let mut tally = Tally::default();
    for row in client.query(&open, &[]).await? {
        let mut cells = Cells::of(&row);
        let (state, deliveries): (State, u64) = (cells.code()?, cells.number()?);
        tally.open.push((state, deliveries));
        tally.oldest_open = [tally.oldest_open, Some(cells.time()?)].into_iter().flatten().min();
    }
    // message.newest
    let newest = client.prepare_cached("SELECT accepted_at FROM message ORDER BY key DESC LIMIT 1").await?;
    let newest = client.query_opt(&newest, &[]).await?;
    tally.newest = newest.map(|row| Cells::of(&row).time()).transpose()?;
    // delivery.overdue_now
    let overdue = client
        .prepare_cached(
            "SELECT count(*) FROM delivery
             WHERE overdue_at IS NOT NULL AND acknowledged_at IS NULL AND due_at IS NOT NULL",
        )
        .await?;
    tally.overdue = Cells::of(&client.query_one(&overdue, &[]).await?).number()?;
    Ok(tally)
}
