//! Messages and their deliveries as they stand: tracking one, listing those sent and received.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use deadpool_postgres::ClientWrapper;
use tokio_postgres::Row;

use super::cells::{Cells, OrganRef};
use super::fault::Fault;
use super::names::Names;
use super::receipts;
use crate::domain::delivery::DeliveryId;
use crate::domain::message::MessageId;
use crate::domain::organ_id::OrganId;
use crate::ledger::changes::Carries;
use crate::ledger::codes::{at_most, bounded};
use crate::ledger::{DeliveryRecord, KeyedMessage, Message, MessageKey, MessageRecord, OverdueOf, Story};

macro_rules! message {
    () => {
        "m.key, m.sender, m.message_id, m.content_hash, m.payload_hash, m.header, m.accepted_at,
         m.expires_at, m.payload_bytes, m.purged_at"
    };
}

macro_rules! delivery_columns {
    () => {
        "d.id, d.recipient, d.addressed_to, d.state, d.attempt, d.hold, d.due_at, d.expires_at, d.spared, d.unsent,
         d.ended_at, d.status, d.request, d.carries, d.acknowledge_by, d.acknowledged_at, d.overdue_at"
    };
}
pub(super) use delivery_columns;

/// Messages with their payloads.
pub(super) async fn messages(
    client: &ClientWrapper,
    names: &Names,
    keys: Vec<MessageKey>,
) -> Result<Vec<KeyedMessage>, Fault> {
    // message.with_payload
    let statement = client
        .prepare_cached(concat!(
            "SELECT ",
            message!(),
            ", b.payload FROM message m JOIN body b ON b.message = m.key WHERE m.key = ANY($1)"
        ))
        .await?;
    let keys: Vec<_> = keys.into_iter().map(|key| bounded(key.0)).collect();
    let rows = client.query(&statement, &[&keys]).await?;
    learn_senders(client, names, &rows).await?;
    let one = |row| {
        let mut cells = Cells::of(row);
        let MessageRecord { key, mut message, .. } = record(names, &mut cells)?;
        message.payload = cells.bytes()?;
        Ok((key, Arc::new(message)))
    };
    rows.iter().map(one).collect()
}

/// One message and all its receipts, as of one moment.
pub(super) async fn track(
    client: &ClientWrapper,
    names: &Names,
    sender: OrganId,
    message_id: MessageId,
) -> Result<Option<Story>, Fault> {
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    // message.track
    let statement = client
        .prepare_cached(concat!(
            "SELECT ",
            message!(),
            " FROM message m
             WHERE m.sender = (SELECT ref FROM organ WHERE id = $1) AND m.message_id = $2"
        ))
        .await?;
    let rows = client.query(&statement, &[&sender.as_str(), &message_id.as_str()]).await?;
    let mut story = None;
    if let Some(record) = whole(client, names, &rows).await?.pop() {
        let receipts = receipts::of_message(client, names, record.key).await?;
        story = Some((record, receipts));
    }
    client.batch_execute("COMMIT").await?;
    Ok(story)
}

/// Messages by the ledger's numbers, as they stand.
pub(super) async fn by_keys(
    client: &ClientWrapper,
    names: &Names,
    keys: &[i64],
) -> Result<Vec<MessageRecord>, Fault> {
    // message.by_keys
    let statement = client
        .prepare_cached(concat!(
            "SELECT ",
            message!(),
            " FROM message m WHERE m.key = ANY($1) ORDER BY m.key"
        ))
        .await?;
    let rows = client.query(&statement, &[&keys]).await?;
    whole(client, names, &rows).await
}

/// What an organ sent, the newest first.
pub(super) async fn sent(
    client: &ClientWrapper,
    names: &Names,
    sender: OrganId,
    before: Option<MessageKey>,
    limit: usize,
) -> Result<Vec<MessageRecord>, Fault> {
    // message.sent
    let statement = client
        .prepare_cached(concat!(
            "SELECT ",
            message!(),
            " FROM message m WHERE m.sender = (SELECT ref FROM organ WHERE id = $1) AND m.key < $2
             ORDER BY m.key DESC LIMIT $3"
        ))
        .await?;
    let before = before.map_or(i64::MAX, |key| bounded(key.0));
    let rows = client.query(&statement, &[&sender.as_str(), &before, &at_most(limit)]).await?;
    whole(client, names, &rows).await
}

/// What was sent to an organ, the newest first.
pub(super) async fn received(
    client: &ClientWrapper,
    names: &Names,
    recipient: OrganId,
    before: Option<DeliveryId>,
    open_only: bool,
    limit: usize,
) -> Result<Vec<MessageRecord>, Fault> {
    // delivery.received
    let statement = client
        .prepare_cached(concat!(
            "SELECT ",
            message!(),
            ", ",
            delivery_columns!(),
            " FROM delivery d JOIN message m ON m.key = d.message
             WHERE d.recipient = (SELECT ref FROM organ WHERE id = $1) AND d.id < $2
                 AND (NOT $3 OR d.due_at IS NOT NULL)
             ORDER BY d.id DESC LIMIT $4"
        ))
        .await?;
    let before = before.map_or(i64::MAX, |id| bounded(id.0));
    let rows = client.query(&statement, &[&recipient.as_str(), &before, &open_only, &at_most(limit)]).await?;
    single(client, names, &rows).await
}

/// What was noted as overdue, the newest first.
pub(super) async fn overdue(
    client: &ClientWrapper,
    names: &Names,
    of: OverdueOf,
    before: Option<DeliveryId>,
    open_only: bool,
    limit: usize,
) -> Result<Vec<MessageRecord>, Fault> {
    macro_rules! overdue_of {
        ($whose:literal) => {
            concat!(
                "SELECT ",
                message!(),
                ", ",
                delivery_columns!(),
                " FROM delivery d JOIN message m ON m.key = d.message
                 WHERE ",
                $whose,
                " AND d.overdue_at IS NOT NULL AND d.id < $2
                     AND (NOT $3 OR (d.due_at IS NOT NULL AND d.acknowledged_at IS NULL))
                 ORDER BY d.id DESC LIMIT $4"
            )
        };
    }
    // delivery.overdue
    let (sql, organ) = match &of {
        OverdueOf::Recipient(organ) => {
            (overdue_of!("d.recipient = (SELECT ref FROM organ WHERE id = $1::text)"), Some(organ))
        }
        OverdueOf::Sender(organ) => {
            (overdue_of!("d.sender = (SELECT ref FROM organ WHERE id = $1::text)"), Some(organ))
        }
        OverdueOf::Everybody => (overdue_of!("$1::text IS NULL"), None),
    };
    let statement = client.prepare_cached(sql).await?;
    let before = before.map_or(i64::MAX, |id| bounded(id.0));
    let organ = organ.map(OrganId::as_str);
    let rows = client.query(&statement, &[&organ, &before, &open_only, &at_most(limit)]).await?;
    single(client, names, &rows).await
}

/// Messages each with one of its deliveries.
async fn single(client: &ClientWrapper, names: &Names, rows: &[Row]) -> Result<Vec<MessageRecord>, Fault> {
    learn_senders(client, names, rows).await?;
    learn_recipients(client, names, rows, 11).await?;
    let one = |row| {
        let mut cells = Cells::of(row);
        let mut record = record(names, &mut cells)?;
        record.deliveries.push(delivery(names, &mut cells)?);
        Ok(record)
    };
    rows.iter().map(one).collect()
}

/// Messages with all their deliveries, in the order of the rows.
async fn whole(client: &ClientWrapper, names: &Names, rows: &[Row]) -> Result<Vec<MessageRecord>, Fault> {
    learn_senders(client, names, rows).await?;
    let mut records: Vec<MessageRecord> =
        rows.iter().map(|row| record(names, &mut Cells::of(row))).collect::<Result<_, _>>()?;
    // delivery.of_messages
    let statement = client
        .prepare_cached(concat!(
            "SELECT ",
            delivery_columns!(),
            ", d.message FROM message m
             JOIN delivery d ON d.id BETWEEN m.first_delivery AND m.last_delivery AND d.message = m.key
             WHERE m.key = ANY($1)
             UNION ALL SELECT ",
            delivery_columns!(),
            ", d.message FROM delivery d WHERE d.message = ANY($1) AND d.origin IS NOT NULL ORDER BY 1"
        ))
        .await?;
    let keys: Vec<_> = records.iter().map(|record| bounded(record.key.0)).collect();
    let rows = client.query(&statement, &[&keys]).await?;
    learn_recipients(client, names, &rows, 1).await?;
    let mut deliveries: HashMap<MessageKey, Vec<DeliveryRecord>> = HashMap::new();
    for row in &rows {
        let mut cells = Cells::of(row);
        let one = delivery(names, &mut cells)?;
        deliveries.entry(cells.key()?).or_default().push(one);
    }
    for record in &mut records {
        record.deliveries = deliveries.remove(&record.key).unwrap_or_default();
    }
    Ok(records)
}

async fn learn_senders(client: &ClientWrapper, names: &Names, rows: &[Row]) -> Result<(), Fault> {
    let organs: Result<Vec<OrganRef>, _> = rows.iter().map(|row| row.try_get(1)).collect();
    names.learn(client, organs?).await
}

/// The recipients in one column, and in the next the closed organs they stand for.
async fn learn_recipients(
    client: &ClientWrapper,
    names: &Names,
    rows: &[Row],
    column: usize,
) -> Result<(), Fault> {
    let mut organs: Vec<OrganRef> = Vec::with_capacity(rows.len());
    for row in rows {
        organs.push(row.try_get(column)?);
        organs.extend(row.try_get::<_, Option<OrganRef>>(column + 1)?);
    }
    names.learn(client, organs).await
}

fn record(names: &Names, cells: &mut Cells<'_>) -> Result<MessageRecord, Fault> {
    Ok(MessageRecord {
        key: cells.key()?,
        message: Message {
            sender: names.name(cells.plain()?)?,
            message_id: cells.message_id()?,
            content_hash: cells.hash()?,
            payload_hash: cells.hash()?,
            header: cells.bytes()?,
            payload: Bytes::new(),
            accepted_at: cells.time()?,
            expires_at: cells.time()?,
        },
        payload_bytes: cells.number()?,
        purged_at: cells.time_if_any()?,
        deliveries: Vec::new(),
    })
}

/// A delivery, from [`delivery_columns`].
pub(super) fn delivery(names: &Names, cells: &mut Cells<'_>) -> Result<DeliveryRecord, Fault> {
    let (id, recipient): (_, OrganRef) = (cells.delivery()?, cells.plain()?);
    let addressed_to: Option<OrganRef> = cells.plain()?;
    Ok(DeliveryRecord {
        id,
        recipient: names.name(recipient)?,
        addressed_to: addressed_to.map(|organ| names.name(organ)).transpose()?,
        progress: cells.progress()?,
        ended_at: cells.time_if_any()?,
        status: cells.code_if_any()?,
        request: cells.code_if_any()?,
        is_notice: cells.code::<Carries>()? == Carries::Notice,
        duty: cells.duty()?,
    })
}
