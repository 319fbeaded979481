//! The receipts, read by sender and by message.

use std::collections::HashMap;

use deadpool_postgres::ClientWrapper;
use tokio_postgres::{Client, Row};

use super::cells::{Cells, OrganRef};
use super::facts::{DeliveryFacts, MessageFacts};
use super::fault::Fault;
use super::names::Names;
use crate::domain::delivery::DeliveryId;
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::{Receipt, ReceiptChange, ReceiptDelivery};
use crate::domain::status::{Request, Status, StatusCode};
use crate::ledger::codes::{at_most, bounded};
use crate::ledger::{MessageKey, reports};

/// What [`receipts`] reads.
macro_rules! receipt_columns {
    () => {
        "SELECT r.message, r.delivery, r.sender, r.asserted_by, r.attempt, r.sender_sequence, r.message_sequence,
             r.kind, r.time, r.cause, r.reason, r.retry_time, r.status, r.noted, r.change, r.asked FROM receipt r "
    };
}
pub(super) use receipt_columns;

/// The place of the change among those columns.
const CHANGE: usize = 14;

/// Receipts of a sender with numbers above `after`, in order.
pub(super) async fn of_sender(
    client: &ClientWrapper,
    names: &Names,
    sender: OrganId,
    after: u64,
    limit: usize,
) -> Result<Vec<Receipt>, Fault> {
    // receipt.of_sender
    let statement = client
        .prepare_cached(concat!(
            receipt_columns!(),
            "WHERE r.sender = (SELECT ref FROM organ WHERE id = $1) AND r.sender_sequence > $2
             ORDER BY r.sender_sequence LIMIT $3"
        ))
        .await?;
    let rows = client.query(&statement, &[&sender.as_str(), &bounded(after), &at_most(limit)]).await?;
    receipts(client, names, &rows).await
}

/// All receipts of a message, in order.
pub(super) async fn of_message(
    client: &ClientWrapper,
    names: &Names,
    message: MessageKey,
) -> Result<Vec<Receipt>, Fault> {
    // receipt.of_message
    let statement = client
        .prepare_cached(concat!(receipt_columns!(), "WHERE r.message = $1 ORDER BY r.message_sequence"))
        .await?;
    let rows = client.query(&statement, &[&bounded(message.0)]).await?;
    receipts(client, names, &rows).await
}

/// Reads rows of [`receipt_columns`].
pub(super) async fn receipts(client: &Client, names: &Names, rows: &[Row]) -> Result<Vec<Receipt>, Fault> {
    let mut about = Vec::with_capacity(rows.len());
    for row in rows {
        about.push((row.try_get::<_, i64>(0)?, row.try_get::<_, Option<i64>>(1)?));
    }
    let mut keys: Vec<i64> = about.iter().map(|(message, _)| *message).collect();
    for row in rows {
        keys.extend(row.try_get::<_, Option<i64>>(CHANGE)?);
    }
    let messages = names.facts.messages(client, keys.into_iter()).await?;
    let deliveries = names.facts.deliveries(client, about.iter().filter_map(|(_, id)| *id)).await?;
    let mut organs: Vec<OrganRef> =
        deliveries.values().flat_map(|d| [Some(d.recipient), d.addressed_to]).flatten().collect();
    for row in rows {
        organs.push(row.try_get(2)?);
        organs.extend(row.try_get::<_, Option<OrganRef>>(3)?);
    }
    names.learn(client, organs).await?;
    let about = about.into_iter().map(|(message, delivery)| {
        let message = messages.get(&message).ok_or(Fault::Invalid("message of a receipt"))?;
        let between = |id: i64| deliveries.get(&id).ok_or(Fault::Invalid("delivery of a receipt"));
        Ok::<_, Fault>((message, delivery.map(between).transpose()?))
    });
    rows.iter().zip(about).map(|(row, about)| receipt(names, row, about?, &messages)).collect()
}

fn receipt(
    names: &Names,
    row: &Row,
    (message, between): (&MessageFacts, Option<&DeliveryFacts>),
    messages: &HashMap<i64, MessageFacts>,
) -> Result<Receipt, Fault> {
    let mut cells = Cells::of(row);
    let (_, delivery): (i64, Option<i64>) = (cells.plain()?, cells.plain()?);
    let organ = |number: Option<OrganRef>| number.map(|number| names.name(number)).transpose();
    let (sender, asserted_by) = (names.name(cells.plain()?)?, names.asserter(cells.plain()?)?);
    let attempt = cells.small()?;
    let delivery = match (delivery, between) {
        (Some(id), Some(between)) => {
            let delivery = |id| u64::try_from(id).map(DeliveryId).map_err(|_| Fault::Invalid("delivery"));
            let (id, replaces) = (delivery(id)?, between.origin.map(delivery).transpose()?);
            let (recipient, addressed_to) = (names.name(between.recipient)?, organ(between.addressed_to)?);
            Some(ReceiptDelivery { id, recipient, addressed_to, replaces, attempt })
        }
        _ => None,
    };
    Ok(Receipt {
        sender,
        asserted_by,
        delivery,
        sender_sequence: cells.number()?,
        message_sequence: cells.small()?,
        kind: cells.code()?,
        time: cells.time()?,
        cause: cells.code_if_any()?,
        reason: reason(cells.plain()?)?,
        retry_time: cells.time_if_any()?,
        status: status(cells.code_if_any()?, cells.plain()?)?,
        change: change(cells.plain()?, cells.code_if_any()?, messages)?,
        message_id: message.message_id.clone(),
        content_hash: message.content_hash,
        payload_hash: message.payload_hash,
    })
}

fn change(
    key: Option<i64>,
    asked: Option<Request>,
    messages: &HashMap<i64, MessageFacts>,
) -> Result<Option<ReceiptChange>, Fault> {
    let (Some(key), Some(asked)) = (key, asked) else { return Ok(None) };
    let behind = messages.get(&key).ok_or(Fault::Invalid("change of a receipt"))?;
    Ok(Some(ReceiptChange { message_id: behind.message_id.clone(), asked }))
}

fn status(code: Option<StatusCode>, noted: Option<&str>) -> Result<Option<Box<Status>>, Fault> {
    let Some(code) = code else { return Ok(None) };
    let status = reports::status(code, noted).ok_or(Fault::Invalid("status"))?;
    Ok(Some(Box::new(status)))
}

/// Words for people.
pub(super) fn reason(bytes: Option<&[u8]>) -> Result<String, Fault> {
    let text = std::str::from_utf8(bytes.unwrap_or_default());
    text.map(str::to_owned).map_err(|_| Fault::Invalid("reason"))
}
