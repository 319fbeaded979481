//! Dead letters as operators look at them.

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Row;

use super::cells::{Cells, OrganRef};
use super::fault::Fault;
use super::history;
use super::names::Names;
use super::receipts;
use crate::domain::delivery::DeliveryId;
use crate::ledger::codes::{Coded, at_most, bounded};
use crate::ledger::{DeadFilter, DeadLetter};

macro_rules! dead_letters {
    ($organ:literal) => {
        concat!(
            "SELECT ",
            history::delivery_columns!(),
            ", m.sender, m.message_id, m.payload_bytes, m.accepted_at, r.time, r.cause, r.reason
             FROM delivery d JOIN message m ON m.key = d.message
             JOIN LATERAL (SELECT l.time, l.cause, l.reason FROM receipt l WHERE l.delivery = d.id AND l.kind = 9
                 ORDER BY l.message_sequence DESC LIMIT 1) r ON true
             WHERE ",
            $organ,
            " AND d.id > $2 AND d.state = 7 AND ($3::smallint IS NULL OR r.cause = $3) ORDER BY d.id LIMIT $4"
        )
    };
}

/// Dead letters in order.
pub(super) async fn dead(
    client: &ClientWrapper,
    names: &Names,
    filter: DeadFilter,
    after: DeliveryId,
    limit: usize,
) -> Result<Vec<DeadLetter>, Fault> {
    // delivery.dead
    let statement = match filter.organ {
        Some(_) => dead_letters!("d.recipient = (SELECT ref FROM organ WHERE id = $1::text)"),
        None => dead_letters!("$1::text IS NULL"),
    };
    let statement = client.prepare_cached(statement).await?;
    let organ = filter.organ.as_ref().map(|organ| organ.as_str());
    let cause = filter.cause.map(Coded::code);
    let rows = client.query(&statement, &[&organ, &bounded(after.0), &cause, &at_most(limit)]).await?;
    let mut organs: Vec<OrganRef> = Vec::with_capacity(2 * rows.len());
    for row in &rows {
        organs.extend([row.try_get::<_, OrganRef>(1)?, row.try_get("sender")?]);
        organs.extend(row.try_get::<_, Option<OrganRef>>(2)?);
    }
    names.learn(client, organs).await?;
    rows.iter().map(|row| letter(names, row)).collect()
}

fn letter(names: &Names, row: &Row) -> Result<DeadLetter, Fault> {
    let mut cells = Cells::of(row);
    Ok(DeadLetter {
        delivery: history::delivery(names, &mut cells)?,
        sender: names.name(cells.plain()?)?,
        message_id: cells.message_id()?,
        payload_bytes: cells.number()?,
        accepted_at: cells.time()?,
        dead_since: cells.time()?,
        cause: cells.code_if_any()?,
        reason: receipts::reason(cells.plain()?)?,
    })
}
