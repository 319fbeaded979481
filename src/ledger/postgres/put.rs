//! The second half of a transaction: writes all that was decided, in one round trip.

use std::future::Future;

use futures_util::try_join;
use tokio_postgres::types::ToSql;

use super::columns::{Accounts, Attempts, Deliveries, Files, Messages, Moves, Receipts};
use super::fault::Fault;
use super::link::Link;
use super::sheet::Sheet;
use super::transaction::{CommitId, Context};
use crate::ledger::codes::Coded;

type Parameters<'p, const N: usize> = [&'p (dyn ToSql + Sync); N];

/// Writes all. Fails when a row is not as it was read, or when this node was taken off.
pub(super) async fn put(
    link: &Link,
    context: &Context<'_>,
    sheet: &Sheet<'_>,
    moves: &Moves,
    accounts: &Accounts,
    published: &Attempts,
) -> Result<(), Fault> {
    try_join!(
        insert_messages(link, &sheet.new_messages),
        insert_bodies(link, &sheet.new_messages),
        insert_deliveries(link, &sheet.new_deliveries),
        insert_receipts(link, &sheet.new_receipts),
        insert_files(link, &sheet.new_files),
        put_changes(link, sheet),
        move_deliveries(link, moves),
        write_accounts(link, accounts),
        forget_published(link, published),
        put_outbox(link, context.commit.node, &sheet.outbox),
        number_batch(link, context),
    )
    .map(drop)
}

/// Runs a statement that must change so many rows; not at all where it is about none.
async fn exactly(
    statement: &'static str,
    expected: usize,
    changed: impl Future<Output = Result<u64, tokio_postgres::Error>>,
) -> Result<(), Fault> {
    if expected == 0 {
        return Ok(());
    }
    match changed.await? {
        found if found == expected as u64 => Ok(()),
        found => Err(Fault::Rows { statement, expected, found }),
    }
}

async fn insert_messages(link: &Link, m: &Messages<'_>) -> Result<(), Fault> {
    let parameters: Parameters<'_, 13> = [
        &m.key,
        &m.sender,
        &m.message_id,
        &m.lane,
        &m.accepted_at,
        &m.expires_at,
        &m.first_delivery,
        &m.last_delivery,
        &m.content_hash,
        &m.payload_hash,
        &m.payload_bytes,
        &m.document_id,
        &m.header,
    ];
    let insert = link.client.execute(&link.statements.insert_messages, &parameters);
    exactly("insert_messages", m.key.len(), insert).await
}

async fn insert_bodies(link: &Link, m: &Messages<'_>) -> Result<(), Fault> {
    let parameters: Parameters<'_, 2> = [&m.key, &m.payload];
    let insert = link.client.execute(&link.statements.insert_bodies, &parameters);
    exactly("insert_bodies", m.key.len(), insert).await
}

async fn insert_deliveries(link: &Link, d: &Deliveries) -> Result<(), Fault> {
    let parameters: Parameters<'_, 13> = [
        &d.id,
        &d.message,
        &d.sender,
        &d.recipient,
        &d.addressed_to,
        &d.lane,
        &d.payload_bytes,
        &d.expires_at,
        &d.receipt_sequence,
        &d.receipt_time,
        &d.origin,
        &d.carries,
        &d.acknowledge_by,
    ];
    let insert = link.client.execute(&link.statements.insert_deliveries, &parameters);
    exactly("insert_deliveries", d.id.len(), insert).await
}

async fn insert_receipts(link: &Link, r: &Receipts<'_>) -> Result<(), Fault> {
    let kind: Vec<i16> = r.kind.iter().map(|kind| kind.code()).collect();
    let reason: Vec<Option<&[u8]>> = r.reason.iter().map(Option::as_deref).collect();
    let parameters: Parameters<'_, 16> = [
        &r.sender,
        &r.sender_sequence,
        &r.message,
        &r.message_sequence,
        &r.delivery,
        &kind,
        &r.time,
        &r.asserted_by,
        &r.attempt,
        &r.cause,
        &reason,
        &r.retry_time,
        &r.status,
        &r.noted,
        &r.change,
        &r.asked,
    ];
    let insert = link.client.execute(&link.statements.insert_receipts, &parameters);
    exactly("insert_receipts", r.sender.len(), insert).await
}

async fn insert_files(link: &Link, f: &Files<'_>) -> Result<(), Fault> {
    let parameters: Parameters<'_, 3> = [&f.sender, &f.sender_sequence, &f.file];
    let insert = link.client.execute(&link.statements.insert_files, &parameters);
    exactly("insert_files", f.sender.len(), insert).await?;
    if !f.sender.is_empty() {
        // Where the payload is gone already, the file's time begins.
        link.client.execute(&link.statements.keep_again, &[&f.message, &f.time]).await?;
    }
    Ok(())
}

/// What messages change, in an order in which each finds what was before it.
async fn put_changes(link: &Link, sheet: &Sheet<'_>) -> Result<(), Fault> {
    let (client, s) = (&link.client, &link.statements);
    let (t, e) = (&sheet.new_targets, &sheet.new_effects);
    let targets: Parameters<'_, 4> = [&t.message, &t.place, &t.named, &t.target];
    let effects: Parameters<'_, 7> =
        [&e.message, &e.delivery, &e.target, &e.carrier, &e.asked, &e.effect, &e.state];
    let answers: Parameters<'_, 3> = [&sheet.answers.message, &sheet.answers.delivery, &sheet.answers.answer];
    let carriers: Parameters<'_, 2> = [&sheet.carriers.from, &sheet.carriers.to];
    let carry_on = async {
        match sheet.carriers.from.is_empty() {
            true => Ok(()),
            false => Ok(client.execute(&s.carry_on, &carriers).await.map(drop)?),
        }
    };
    try_join!(
        exactly("insert_targets", t.message.len(), client.execute(&s.insert_targets, &targets)),
        exactly("insert_effects", e.message.len(), client.execute(&s.insert_effects, &effects)),
        exactly("answer", sheet.answers.message.len(), client.execute(&s.answer, &answers)),
        carry_on,
    )
    .map(drop)
}

async fn move_deliveries(link: &Link, m: &Moves) -> Result<(), Fault> {
    let parameters: Parameters<'_, 19> = [
        &m.id,
        &m.was_state,
        &m.was_attempt,
        &m.state,
        &m.attempt,
        &m.hold,
        &m.holder,
        &m.due_at,
        &m.ended_at,
        &m.receipt_sequence,
        &m.receipt_time,
        &m.was_status,
        &m.status,
        &m.was_request,
        &m.request,
        &m.spared,
        &m.acknowledged_at,
        &m.overdue_at,
        &m.unsent,
    ];
    let update = link.client.execute(&link.statements.move_deliveries, &parameters);
    exactly("move_deliveries", m.id.len(), update).await
}

async fn write_accounts(link: &Link, a: &Accounts) -> Result<(), Fault> {
    let parameters: Parameters<'_, 3> = [&a.organ, &a.receipt_head, &a.open_deliveries];
    let update = link.client.execute(&link.statements.write_accounts, &parameters);
    exactly("write_accounts", a.organ.len(), update).await
}

/// The broker has these. One that became ready anew meanwhile, or that nobody has, stays as it is.
pub(super) async fn forget_published(link: &Link, published: &Attempts) -> Result<(), Fault> {
    let (delivery, attempt) = published.columns();
    if !delivery.is_empty() {
        link.client.execute(&link.statements.published, &[&delivery, &attempt]).await?;
    }
    Ok(())
}

async fn put_outbox(link: &Link, node: i64, outbox: &Attempts) -> Result<(), Fault> {
    let (delivery, attempt) = outbox.columns();
    let parameters: Parameters<'_, 3> = [&delivery, &attempt, &node];
    let put = link.client.execute(&link.statements.put_outbox, &parameters);
    exactly("put_outbox", delivery.len(), put).await
}

/// The last statement of each transaction: what became of its commit can be asked for later, and a node that was taken off
/// comes to nothing.
async fn number_batch(link: &Link, context: &Context<'_>) -> Result<(), Fault> {
    let CommitId { node, number } = &context.commit;
    let numbered = link.client.execute(&link.statements.number_batch, &[node, number]).await?;
    if numbered == 1 { Ok(()) } else { Err(Fault::TakenOff) }
}
