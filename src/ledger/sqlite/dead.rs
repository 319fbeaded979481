//! Dead letters as operators look at them.

use rusqlite::{Connection, Row};

use super::codes::{Code, at_most, bounded};
use super::history;
use super::organs::{Names, number};
use crate::domain::delivery::DeliveryId;
use crate::domain::message::MessageId;
use crate::domain::receipt::Cause;
use crate::ledger::{DeadFilter, DeadLetter};

/// How many columns follow those of the delivery.
const AFTER_DELIVERY: usize = 7;

/// Dead letters in order.
pub(super) fn dead(
    db: &Connection,
    names: &Names,
    filter: &DeadFilter,
    after: DeliveryId,
    limit: usize,
) -> rusqlite::Result<Vec<DeadLetter>> {
    let organ = match &filter.organ {
        None => None,
        Some(organ) => match number(db, organ)? {
            None => return Ok(Vec::new()),
            some => some,
        },
    };
    // delivery.dead
    let of_organ = if organ.is_some() { "d.recipient = ?1 AND" } else { "?1 IS NULL AND" };
    let mut statement = db.prepare_cached(&format!(
        "SELECT {}, m.sender, m.message_id, m.payload_bytes, m.accepted_at, r.time, r.cause, r.reason
         FROM delivery d JOIN message m ON m.key = d.message
         JOIN receipt r ON r.delivery = d.id AND r.kind = 9 AND r.message_sequence =
             (SELECT max(l.message_sequence) FROM receipt l WHERE l.delivery = d.id AND l.kind = 9)
         WHERE {of_organ} d.id > ?2 AND d.state = 7 AND (?3 IS NULL OR r.cause = ?3) ORDER BY d.id LIMIT ?4",
        history::DELIVERY
    ))?;
    let parameters = (organ, bounded(after.0), filter.cause.map(Code), at_most(limit));
    let rows = statement.query_map(parameters, |row| letter(db, names, row))?;
    rows.collect()
}

fn letter(db: &Connection, names: &Names, row: &Row<'_>) -> rusqlite::Result<DeadLetter> {
    let from = row.as_ref().column_count() - AFTER_DELIVERY;
    let message_id = MessageId::parse(row.get_ref(from + 1)?.as_str()?).map_err(|why| {
        rusqlite::Error::FromSqlConversionFailure(from + 1, rusqlite::types::Type::Text, Box::new(why))
    })?;
    Ok(DeadLetter {
        delivery: history::delivery(db, names, row, 0)?,
        sender: names.name(db, row.get(from)?)?,
        message_id,
        payload_bytes: row.get(from + 2)?,
        accepted_at: row.get::<_, Code<_>>(from + 3)?.0,
        dead_since: row.get::<_, Code<_>>(from + 4)?.0,
        cause: row.get::<_, Option<Code<Cause>>>(from + 5)?.map(|code| code.0),
        reason: row.get::<_, Option<String>>(from + 6)?.unwrap_or_default(),
    })
}
