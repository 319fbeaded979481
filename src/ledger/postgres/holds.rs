//! Holds: setting, releasing, listing them, and what they keep.

use std::collections::HashMap;

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::cells::{Cells, OrganRef};
use super::custody;
use super::fault::Fault;
use super::link::Link;
use super::sheet::Sheet;
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::{Asserter, ReceiptKind};
use crate::domain::retention::{Held, HoldId};
use crate::domain::time::Timestamp;
use crate::ledger::codes::{at_most, bounded};
use crate::ledger::{Decision, Hold, HoldError, HoldRequest, MessageKey, ReleaseRequest};

/// Key of the advisory lock that those who purge share, and whoever sets a hold has alone: "truc" and 1. Taken after the accounts,
/// so that who has it waits for nobody.
const LOCK: i64 = 0x7472_7563_0000_0001;

/// No hold is set until this transaction has ended.
pub(super) async fn shut_out(link: &Link) -> Result<(), Fault> {
    // hold.shut_out
    link.client.execute("SELECT pg_advisory_xact_lock_shared($1)", &[&LOCK]).await?;
    Ok(())
}

/// Sets a hold, or says why not.
pub(super) async fn hold(
    link: &Link,
    sheet: &mut Sheet<'_>,
    request: &HoldRequest,
) -> Result<Result<Hold, HoldError>, Fault> {
    // hold.alone: whoever purges has ended, and sees the hold next time
    link.client.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    let mut held: (Option<MessageKey>, Option<OrganRef>) = (None, None);
    match &request.held {
        Held::Organ(organ) => held.1 = Some(sheet.number(organ)?),
        Held::Message { sender, message_id } => {
            let sender = sheet.number(sender)?;
            // message.to_hold
            let sql = "SELECT key, purged_at IS NOT NULL FROM message WHERE sender = $1 AND message_id = $2";
            let found = link.client.query_opt(sql, &[&sender, &message_id.as_str()]).await?;
            let Some(found) = found else { return Ok(Err(HoldError::NoMessage)) };
            let mut cells = Cells::of(&found);
            held.0 = Some(cells.key()?);
            if cells.plain()? {
                return Ok(Err(HoldError::Purged));
            }
        }
    }
    let (message, organ) = (held.0.map(|key| bounded(key.0)), held.1);
    let reason = request.reason.as_bytes();
    // hold.same
    let sql = "SELECT id FROM hold WHERE message IS NOT DISTINCT FROM $1::bigint AND organ IS NOT DISTINCT FROM $2::bigint
                   AND released_at IS NULL AND set_by = $3 AND reason = $4";
    let parameters: [&(dyn ToSql + Sync); 4] = [&message, &organ, &request.by, &reason];
    let id: i64 = match link.client.query_opt(sql, &parameters).await? {
        Some(same) => same.try_get(0)?,
        None => {
            let at = note(link, sheet, message, ReceiptKind::Held, &request.by, &request.reason, request.at)
                .await?;
            // hold.set
            let sql = "INSERT INTO hold (message, organ, set_at, set_by, reason) VALUES ($1, $2, $3, $4, $5) RETURNING id";
            let parameters: [&(dyn ToSql + Sync); 5] =
                [&message, &organ, &at.as_micros(), &request.by, &reason];
            link.client.query_one(sql, &parameters).await?.try_get(0)?
        }
    };
    read(link, id).await.map(|hold| hold.ok_or(HoldError::NoHold))
}

/// Releases a hold, or says why not.
pub(super) async fn release(
    link: &Link,
    sheet: &mut Sheet<'_>,
    request: &ReleaseRequest,
) -> Result<Result<Hold, HoldError>, Fault> {
    let id = bounded(request.hold.0);
    // hold.to_release
    let sql = "SELECT h.message, h.released_at IS NOT NULL FROM hold h WHERE h.id = $1 FOR UPDATE";
    if let Some(found) = link.client.query_opt(sql, &[&id]).await? {
        let (message, is_released): (Option<i64>, bool) = (found.try_get(0)?, found.try_get(1)?);
        if !is_released {
            let at =
                note(link, sheet, message, ReceiptKind::Released, &request.by, &request.reason, request.at)
                    .await?;
            // hold.release
            let sql = "UPDATE hold SET released_at = $2, released_by = $3, release_reason = $4 WHERE id = $1";
            let reason = request.reason.as_bytes();
            link.client.execute(sql, &[&id, &at.as_micros(), &request.by, &reason]).await?;
        }
    }
    read(link, id).await.map(|hold| hold.ok_or(HoldError::NoHold))
}

/// Leaves a receipt where the hold is of one message; gives when it happened.
async fn note(
    link: &Link,
    sheet: &mut Sheet<'_>,
    message: Option<i64>,
    kind: ReceiptKind,
    by: &str,
    reason: &str,
    at: Timestamp,
) -> Result<Timestamp, Fault> {
    let Some(key) = message else { return Ok(at) };
    // message.sender
    let row = link.client.query_one("SELECT key, sender FROM message WHERE key = $1", &[&key]).await?;
    let mut cells = Cells::of(&row);
    let (message, sender): (MessageKey, OrganRef) = (cells.key()?, cells.plain()?);
    custody::last_receipts(link, sheet, &[key]).await?;
    let asserted_by = sheet.asserter(&Asserter::Operator(by.to_owned()))?;
    let at = custody::note(sheet, message, sender, kind, asserted_by, reason, at)?;
    custody::written(link, sheet, &[key]).await?;
    Ok(at)
}

/// Who sent the one message a hold keeps.
pub(super) async fn sender(client: &ClientWrapper, hold: HoldId) -> Result<Option<OrganId>, Fault> {
    // hold.sender
    let sql = "SELECT o.id FROM hold h JOIN message m ON m.key = h.message JOIN organ o ON o.ref = m.sender WHERE h.id = $1";
    let statement = client.prepare_cached(sql).await?;
    let found = client.query_opt(&statement, &[&bounded(hold.0)]).await?;
    found.map(|row| Cells::of(&row).organ()).transpose()
}

/// The first hold that keeps each of these messages: on itself, on its sender, or on an organ one of its deliveries is for.
pub(super) async fn keeping(link: &Link, keys: &[i64]) -> Result<HashMap<i64, HoldId>, Fault> {
    let rows = link
        .client
        .query(
            // hold.keeping
            "SELECT k.message, min(k.id) FROM (
                 SELECT h.message, h.id FROM hold h WHERE h.message = ANY($1::bigint[]) AND h.released_at IS NULL
                 UNION ALL SELECT m.key, h.id FROM message m JOIN hold h ON h.organ = m.sender
                     WHERE m.key = ANY($1::bigint[]) AND h.released_at IS NULL
                 UNION ALL SELECT m.key, h.id FROM message m
                     JOIN delivery d ON d.id BETWEEN m.first_delivery AND m.last_delivery AND d.message = m.key
                     JOIN hold h ON h.organ = d.recipient OR h.organ = d.addressed_to
                     WHERE m.key = ANY($1::bigint[]) AND h.released_at IS NULL
                 UNION ALL SELECT d.message, h.id FROM delivery d JOIN hold h ON h.organ = d.recipient
                     WHERE d.message = ANY($1::bigint[]) AND d.origin IS NOT NULL AND h.released_at IS NULL) k
             GROUP BY k.message",
            &[&keys],
        )
        .await?;
    let mut holds = HashMap::with_capacity(rows.len());
    for row in &rows {
        let mut cells = Cells::of(row);
        holds.insert(cells.plain()?, HoldId(cells.number()?));
    }
    Ok(holds)
}

/// Gives what released holds have kept its time again.
pub(super) async fn let_go(link: &Link, limit: usize) -> Result<u64, Fault> {
    // message.let_go
    let sql = "UPDATE message SET kept_since = accepted_at, parked = NULL WHERE key = ANY (ARRAY(
                   SELECT m.key FROM message m JOIN hold h ON h.id = m.parked
                   WHERE m.parked IS NOT NULL AND h.released_at IS NOT NULL LIMIT $1 FOR UPDATE OF m SKIP LOCKED))";
    Ok(link.client.execute(sql, &[&at_most(limit)]).await?)
}

macro_rules! hold_columns {
    () => {
        "SELECT h.id, o.id, s.id, m.message_id, h.set_by, h.set_at, h.reason, h.released_by, h.released_at,
             h.release_reason
         FROM hold h LEFT JOIN message m ON m.key = h.message LEFT JOIN organ s ON s.ref = m.sender
         LEFT JOIN organ o ON o.ref = h.organ "
    };
}

async fn read(link: &Link, id: i64) -> Result<Option<Hold>, Fault> {
    // hold.read
    let found = link.client.query_opt(concat!(hold_columns!(), "WHERE h.id = $1"), &[&id]).await?;
    found.map(|row| one(&row)).transpose()
}

/// Holds, the newest first.
pub(super) async fn holds(
    client: &ClientWrapper,
    released: bool,
    before: Option<HoldId>,
    limit: usize,
) -> Result<Vec<Hold>, Fault> {
    // hold.list
    let statement = client
        .prepare_cached(concat!(
            hold_columns!(),
            "WHERE h.id < $1 AND ($2 OR h.released_at IS NULL) ORDER BY h.id DESC LIMIT $3"
        ))
        .await?;
    let before = before.map_or(i64::MAX, |id| bounded(id.0));
    let rows = client.query(&statement, &[&before, &released, &at_most(limit)]).await?;
    rows.iter().map(one).collect()
}

fn one(row: &Row) -> Result<Hold, Fault> {
    let mut cells = Cells::of(row);
    let (id, organ, sender) = (HoldId(cells.number()?), cells.organ_if_any()?, cells.organ_if_any()?);
    let held = match (organ, sender) {
        (Some(organ), _) => {
            let _no_message: Option<&str> = cells.plain()?;
            Held::Organ(organ)
        }
        (None, Some(sender)) => Held::Message { sender, message_id: cells.message_id()? },
        (None, None) => return Err(Fault::Invalid("hold")),
    };
    let set = Decision { by: cells.plain()?, at: cells.time()?, reason: words(cells.plain()?)? };
    let (by, at, reason): (Option<String>, _, Option<&[u8]>) =
        (cells.plain()?, cells.time_if_any()?, cells.plain()?);
    let released = match (by, at, reason) {
        (Some(by), Some(at), Some(reason)) => Some(Decision { by, at, reason: words(reason)? }),
        _ => None,
    };
    Ok(Hold { id, held, set, released })
}

fn words(bytes: &[u8]) -> Result<String, Fault> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Fault::Invalid("reason"))
}
