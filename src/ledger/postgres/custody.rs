//! Payloads that go when their time has come.

use std::collections::HashMap;

use deadpool_postgres::ClientWrapper;
use futures_util::try_join;

use super::cells::{Cells, OrganRef};
use super::columns::NewReceipt;
use super::fault::Fault;
use super::holds;
use super::link::Link;
use super::names::Names;
use super::sheet::Sheet;
use crate::domain::receipt::ReceiptKind;
use crate::domain::retention::{Fate, HoldId, Kept, fate};
use crate::domain::time::Timestamp;
use crate::ledger::codes::{at_most, bounded};
use crate::ledger::custody::{Work, Worked};
use crate::ledger::{KeptBody, MessageKey, PurgeAnswers, PurgeRequest, Purged};

/// Does what is asked, in the open transaction.
pub(super) async fn work<'a>(link: &Link, sheet: &mut Sheet<'a>, work: &'a Work) -> Result<Worked, Fault> {
    Ok(match work {
        Work::Purge(batch, _) => Worked::Purged(purge(link, sheet, batch).await?),
        Work::Hold(request, _) => Worked::Hold(holds::hold(link, sheet, request).await?),
        Work::Release(request, ..) => Worked::Hold(holds::release(link, sheet, request).await?),
        Work::LetGo(limit, _) => Worked::LetGo(holds::let_go(link, *limit).await?),
    })
}

/// A message of which something is kept.
struct Row {
    sender: OrganRef,
    payload_bytes: u64,
    since: Timestamp,
    is_purged: bool,
    ends: Vec<Option<Timestamp>>,
    hold: Option<HoldId>,
}

/// What a batch of purges changes.
#[derive(Default)]
struct Changes {
    gone: Vec<i64>,
    later: (Vec<i64>, Vec<i64>),
    parked: (Vec<i64>, Vec<i64>),
}

async fn purge(link: &Link, sheet: &mut Sheet<'_>, batch: &[PurgeRequest]) -> Result<PurgeAnswers, Fault> {
    holds::shut_out(link).await?;
    let keys: Vec<i64> = batch.iter().map(|request| bounded(request.message.0)).collect();
    let mut rows = read(link, &keys).await?;
    let mut changes = Changes::default();
    let mut answers = Vec::with_capacity(batch.len());
    let mut gone = Vec::new();
    for request in batch {
        let key = bounded(request.message.0);
        // One that is asked for twice is decided about once.
        let row = rows.remove(&key).filter(|row| sheet.accounts.contains_key(&row.sender));
        let Some(row) = row else {
            answers.push(Purged::Nothing);
            continue;
        };
        let Row { since, is_purged, ends, hold, .. } = row;
        let kept = Kept { since, is_purged, ends: ends.into_iter(), hold };
        answers.push(match fate(kept, request.ended_until, request.at) {
            Fate::Since(since) => {
                changes.later.0.push(key);
                changes.later.1.push(since.as_micros());
                Purged::Stays
            }
            Fate::Held(hold) => {
                changes.parked.0.push(key);
                changes.parked.1.push(bounded(hold.0));
                Purged::Held
            }
            Fate::Purge => {
                changes.gone.push(key);
                gone.push((answers.len(), row.sender, request));
                Purged::Gone(if is_purged { 0 } else { row.payload_bytes })
            }
        });
    }
    let files = write(link, &changes).await?;
    last_receipts(link, sheet, &changes.gone).await?;
    let mut times = Vec::with_capacity(gone.len());
    for (place, sender, request) in gone {
        if let Purged::Gone(bytes) = &mut answers[place] {
            *bytes += files.get(&bounded(request.message.0)).copied().unwrap_or(0);
        }
        times.push(
            note(sheet, request.message, sender, ReceiptKind::Purged, None, "", request.at)?.as_micros(),
        );
    }
    link.client
        .execute(
            // message.purged
            "UPDATE message m SET kept_since = NULL, purged_at = coalesce(m.purged_at, w.time)
             FROM unnest($1::bigint[], $2::bigint[]) AS w (key, time) WHERE m.key = w.key",
            &[&changes.gone, &times],
        )
        .await?;
    written(link, sheet, &changes.gone).await?;
    Ok(answers)
}

async fn read(link: &Link, keys: &[i64]) -> Result<HashMap<i64, Row>, Fault> {
    // message.to_purge
    let sql = "SELECT key, sender, payload_bytes, kept_since, purged_at IS NOT NULL FROM message
               WHERE key = ANY($1::bigint[]) AND kept_since IS NOT NULL";
    let messages = link.client.query(sql, &[&keys]).await?;
    let (ends, holds) = try_join!(ends(link, keys), holds::keeping(link, keys))?;
    let mut rows = HashMap::with_capacity(messages.len());
    for row in &messages {
        let mut cells = Cells::of(row);
        let key = cells.plain()?;
        let row = Row {
            sender: cells.plain()?,
            payload_bytes: cells.number()?,
            since: cells.time()?,
            is_purged: cells.plain()?,
            ends: ends.get(&key).cloned().unwrap_or_default(),
            hold: holds.get(&key).copied(),
        };
        rows.insert(key, row);
    }
    Ok(rows)
}

/// When the deliveries of messages ended, those that took another's place among them.
async fn ends(link: &Link, keys: &[i64]) -> Result<HashMap<i64, Vec<Option<Timestamp>>>, Fault> {
    let rows = link
        .client
        .query(
            // delivery.ends
            "SELECT d.message, d.ended_at FROM message m
                 JOIN delivery d ON d.id BETWEEN m.first_delivery AND m.last_delivery AND d.message = m.key
                 WHERE m.key = ANY($1::bigint[])
             UNION ALL SELECT d.message, d.ended_at FROM delivery d
                 WHERE d.message = ANY($1::bigint[]) AND d.origin IS NOT NULL",
            &[&keys],
        )
        .await?;
    let mut ends: HashMap<i64, Vec<_>> = HashMap::new();
    for row in &rows {
        let mut cells = Cells::of(row);
        ends.entry(cells.plain()?).or_default().push(cells.time_if_any()?);
    }
    Ok(ends)
}

/// Removes what is to go and moves what is to stay; gives the bytes of the files that went, by their messages.
async fn write(link: &Link, changes: &Changes) -> Result<HashMap<i64, u64>, Fault> {
    let client = &link.client;
    let (later, parked) = (&changes.later, &changes.parked);
    client
        .execute(
            // message.keep
            "UPDATE message m SET kept_since = w.since FROM unnest($1::bigint[], $2::bigint[]) AS w (key, since)
             WHERE m.key = w.key",
            &[&later.0, &later.1],
        )
        .await?;
    client
        .execute(
            // message.park
            "UPDATE message m SET kept_since = NULL, parked = w.hold
             FROM unnest($1::bigint[], $2::bigint[]) AS w (key, hold) WHERE m.key = w.key",
            &[&parked.0, &parked.1],
        )
        .await?;
    // body.remove
    client.execute("DELETE FROM body WHERE message = ANY($1::bigint[])", &[&changes.gone]).await?;
    let files = client
        .query(
            // status_file.remove
            "WITH gone AS (
                 DELETE FROM status_file f USING receipt r
                 WHERE r.message = ANY($1::bigint[]) AND r.kind = 10
                     AND f.sender = r.sender AND f.sender_sequence = r.sender_sequence
                 RETURNING r.message, f.sender, f.sender_sequence, length(f.file)::bigint AS bytes),
             noted AS (INSERT INTO status_file_purged SELECT sender, sender_sequence FROM gone)
             SELECT message, sum(bytes)::bigint FROM gone GROUP BY message",
            &[&changes.gone],
        )
        .await?;
    let mut bytes = HashMap::with_capacity(files.len());
    for row in &files {
        let mut cells = Cells::of(row);
        bytes.insert(cells.plain()?, cells.number()?);
    }
    Ok(bytes)
}

/// Reads the last receipts of messages, where the sheet does not know them.
pub(super) async fn last_receipts(link: &Link, sheet: &mut Sheet<'_>, keys: &[i64]) -> Result<(), Fault> {
    let rows = link
        .client
        .query(
            // receipt.last_of_messages
            "SELECT w.key, l.message_sequence, l.time FROM unnest($1::bigint[]) AS w (key),
                 LATERAL (SELECT r.message_sequence, r.time FROM receipt r WHERE r.message = w.key
                     ORDER BY r.message_sequence DESC LIMIT 1) l",
            &[&keys],
        )
        .await?;
    for row in &rows {
        let mut cells = Cells::of(row);
        let (message, last) = (cells.key()?, (cells.small()?, cells.time()?));
        // What this transaction is going to append is not in the table yet.
        let known = sheet.last_receipts.entry(message).or_insert(last);
        *known = (*known).max(last);
    }
    Ok(())
}

/// Appends a receipt about a whole message, whose last one the sheet knows; gives when it happened.
pub(super) fn note(
    sheet: &mut Sheet<'_>,
    message: MessageKey,
    sender: OrganRef,
    kind: ReceiptKind,
    asserted_by: Option<OrganRef>,
    reason: &str,
    at: Timestamp,
) -> Result<Timestamp, Fault> {
    let last = sheet.last_receipts.get_mut(&message).ok_or(Fault::Invalid("receipt of a message"))?;
    let (message_sequence, time) = (last.0 + 1, at.max(last.1));
    *last = (message_sequence, time);
    let sender_sequence = sheet.next_receipt(sender)?;
    sheet.new_receipts.push(NewReceipt {
        sender,
        sender_sequence,
        message,
        message_sequence,
        delivery: None,
        kind,
        time,
        asserted_by,
        attempt: 0,
        cause: None,
        reason: reason.as_bytes().to_vec().into(),
        retry_time: None,
        status: None,
        change: None,
    });
    Ok(time)
}

/// Receipts about whole messages were appended: deliveries by which their messages' last receipts are known say so.
pub(super) async fn written(link: &Link, sheet: &mut Sheet<'_>, keys: &[i64]) -> Result<(), Fault> {
    let (mut sequences, mut times) = (Vec::with_capacity(keys.len()), Vec::with_capacity(keys.len()));
    for key in keys {
        let message = u64::try_from(*key).map(MessageKey).map_err(|_| Fault::Invalid("number"))?;
        let (sequence, time) =
            sheet.last_receipts.get(&message).ok_or(Fault::Invalid("receipt of a message"))?;
        sequences.push(i64::from(*sequence));
        times.push(time.as_micros());
        // What else this batch appends comes later, and is written with the rest.
        sheet
            .deliveries
            .values_mut()
            .filter(|row| row.message == message)
            .for_each(|row| row.is_changed = true);
    }
    link.client
        .execute(
            // delivery.last_receipts
            "UPDATE delivery d SET receipt_sequence = w.sequence, receipt_time = w.time
             FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS w (message, sequence, time),
                 message m
             WHERE m.key = w.message AND d.message = m.key AND d.receipt_sequence IS NOT NULL
                 AND (d.id BETWEEN m.first_delivery AND m.last_delivery OR d.origin IS NOT NULL)",
            &[&keys, &sequences, &times],
        )
        .await?;
    Ok(())
}

/// Messages with something kept that may be to go.
pub(super) async fn kept(
    client: &ClientWrapper,
    names: &Names,
    until: Timestamp,
    limit: usize,
) -> Result<Vec<KeptBody>, Fault> {
    // message.kept
    let statement = client
        .prepare_cached(
            "SELECT key, sender, payload_bytes FROM message WHERE kept_since IS NOT NULL AND kept_since <= $1
             ORDER BY kept_since LIMIT $2",
        )
        .await?;
    let rows = client.query(&statement, &[&until.as_micros(), &at_most(limit)]).await?;
    let senders: Result<Vec<OrganRef>, _> = rows.iter().map(|row| row.try_get(1)).collect();
    names.learn(client, senders?).await?;
    let one = |row| {
        let mut cells = Cells::of(row);
        let (message, sender) = (cells.key()?, names.name(cells.plain()?)?);
        Ok(KeptBody { message, sender, payload_bytes: cells.number()? })
    };
    rows.iter().map(one).collect()
}

/// Since when the oldest of them is kept.
pub(super) async fn kept_since(client: &ClientWrapper) -> Result<Option<Timestamp>, Fault> {
    // message.kept_since
    let statement =
        client.prepare_cached("SELECT min(kept_since) FROM message WHERE kept_since IS NOT NULL").await?;
    Cells::of(&client.query_one(&statement, &[]).await?).time_if_any()
}

/// Bytes of the database.
pub(super) async fn bytes(client: &ClientWrapper) -> Result<u64, Fault> {
    // ledger.bytes
    let statement = client.prepare_cached("SELECT pg_database_size(current_database())").await?;
    Cells::of(&client.query_one(&statement, &[]).await?).number()
}
