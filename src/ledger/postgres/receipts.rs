//! The receipts, read by sender and by message.

use deadpool_postgres::ClientWrapper;
use tokio_postgres::{Client, Row};

use super::cells::{Cells, OrganRef};
use super::fault::Fault;
use super::names::Names;
use crate::domain::delivery::DeliveryId;
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::{Asserter, Receipt, ReceiptDelivery};
use crate::ledger::MessageKey;
use crate::ledger::codes::{at_most, bounded};

/// What [`receipts`] reads.
macro_rules! receipt_columns {
    () => {
        "SELECT r.sender, r.asserted_by, d.recipient, d.addressed_to, r.delivery, r.attempt,
             r.sender_sequence, r.message_sequence, r.kind, r.time, r.cause, r.reason, r.retry_time,
             m.message_id, m.content_hash, m.payload_hash
         FROM receipt r JOIN message m ON m.key = r.message LEFT JOIN delivery d ON d.id = r.delivery "
    };
}
pub(super) use receipt_columns;

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
    let mut organs: Vec<OrganRef> = Vec::with_capacity(rows.len());
    for row in rows {
        for column in 0..4 {
            organs.extend(row.try_get::<_, Option<OrganRef>>(column)?);
        }
    }
    names.learn(client, organs).await?;
    rows.iter().map(|row| receipt(names, row)).collect()
}

fn receipt(names: &Names, row: &Row) -> Result<Receipt, Fault> {
    let mut cells = Cells::of(row);
    let organ = |number: Option<OrganRef>| number.map(|number| names.name(number)).transpose();
    let (sender, asserted_by) = (names.name(cells.plain()?)?, organ(cells.plain()?)?);
    let (recipient, addressed_to) = (organ(cells.plain()?)?, organ(cells.plain()?)?);
    let delivery: Option<i64> = cells.plain()?;
    let attempt = cells.small()?;
    let delivery = match (delivery, recipient) {
        (Some(id), Some(recipient)) => {
            let id = DeliveryId(u64::try_from(id).map_err(|_| Fault::Invalid("delivery"))?);
            Some(ReceiptDelivery { id, recipient, addressed_to, attempt })
        }
        _ => None,
    };
    Ok(Receipt {
        sender,
        asserted_by: asserted_by.map_or(Asserter::Gateway, Asserter::Organ),
        delivery,
        sender_sequence: cells.number()?,
        message_sequence: cells.small()?,
        kind: cells.code()?,
        time: cells.time()?,
        cause: cells.code_if_any()?,
        reason: reason(cells.plain()?)?,
        retry_time: cells.time_if_any()?,
        message_id: cells.message_id()?,
        content_hash: cells.hash()?,
        payload_hash: cells.hash()?,
    })
}

fn reason(bytes: Option<&[u8]>) -> Result<String, Fault> {
    let text = std::str::from_utf8(bytes.unwrap_or_default());
    text.map(str::to_owned).map_err(|_| Fault::Invalid("reason"))
}
