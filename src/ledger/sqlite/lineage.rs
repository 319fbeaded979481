//! Chains of changes: what a message changed, by what it was changed, and what became of that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rusqlite::{Connection, Row};

use super::codes::{Code, bounded};
use super::history;
use super::organs::{Names, OrganRef};
use super::receipts::message_id;
use crate::domain::change::Answer;
use crate::domain::delivery::DeliveryId;
use crate::ledger::{Changed, Effected, LINEAGE_MAX, Link, MessageKey};

/// The chain a message belongs to, as of one moment.
pub(super) fn lineage(db: &Connection, names: &Names, start: MessageKey) -> rusqlite::Result<Vec<Link>> {
    let snapshot = db.unchecked_transaction()?;
    let keys = bound(&snapshot, start)?;
    if keys.len() < 2 {
        return Ok(Vec::new());
    }
    let mut links = BTreeMap::new();
    for key in keys {
        let Some(record) = history::by_key(&snapshot, names, key)? else { continue };
        // change.targets
        let mut statement = snapshot.prepare_cached(
            "SELECT t.message_id FROM change c JOIN message t ON t.key = c.target WHERE c.message = ?1
             ORDER BY c.place",
        )?;
        let targets = statement.query_map([bounded(key.0)], |row| message_id(row, 0))?;
        let targets = targets.collect::<rusqlite::Result<_>>()?;
        let effects = effects(&snapshot, names, key)?;
        links.insert(key, Link { record, targets, effects });
    }
    Ok(links.into_values().collect())
}

/// The messages bound to one, the nearest first found.
fn bound(db: &Connection, start: MessageKey) -> rusqlite::Result<BTreeSet<MessageKey>> {
    let (mut known, mut next) = (BTreeSet::from([start]), VecDeque::from([start]));
    // change.bound
    let mut statement = db.prepare_cached(
        "SELECT target FROM change WHERE message = ?1 AND target IS NOT NULL
         UNION SELECT message FROM change WHERE target = ?1 ORDER BY 1 LIMIT ?2",
    )?;
    while let Some(key) = next.pop_front() {
        let others = statement.query_map((bounded(key.0), LINEAGE_MAX), |row| row.get(0).map(MessageKey))?;
        for other in others {
            let other = other?;
            if known.len() < LINEAGE_MAX && known.insert(other) {
                next.push_back(other);
            }
        }
    }
    Ok(known)
}

/// What a message did to the deliveries of earlier ones.
fn effects(
    db: &Connection,
    names: &Names,
    key: MessageKey,
) -> rusqlite::Result<Vec<(Effected, Option<Answer>)>> {
    // effect.of_message
    let mut statement = db.prepare_cached(
        "SELECT t.message_id, e.delivery, d.recipient, d.addressed_to, e.asked, e.effect, e.state, e.carrier, e.answer
         FROM effect e JOIN message t ON t.key = e.target JOIN delivery d ON d.id = e.delivery
         WHERE e.message = ?1 ORDER BY e.delivery",
    )?;
    let rows = statement.query_map([bounded(key.0)], |row| effect(db, names, row))?;
    rows.collect()
}

fn effect(db: &Connection, names: &Names, row: &Row<'_>) -> rusqlite::Result<(Effected, Option<Answer>)> {
    let addressed_to: Option<OrganRef> = row.get(3)?;
    let effected = Effected {
        message_id: message_id(row, 0)?,
        delivery: DeliveryId(row.get(1)?),
        recipient: names.name(db, row.get(2)?)?,
        addressed_to: addressed_to.map(|organ| names.name(db, organ)).transpose()?,
        asked: row.get::<_, Code<_>>(4)?.0,
        effect: row.get::<_, Code<_>>(5)?.0,
        state: row.get::<_, Code<_>>(6)?.0,
        carrier: row.get::<_, Option<u64>>(7)?.map(DeliveryId),
    };
    Ok((effected, row.get::<_, Option<Code<_>>>(8)?.map(|code| code.0)))
}

/// What a message was answered to have changed; none where it is no change.
pub(super) fn changed(db: &Connection, names: &Names, key: MessageKey) -> rusqlite::Result<Option<Changed>> {
    // change.of_message
    let mut statement =
        db.prepare_cached("SELECT named, target FROM change WHERE message = ?1 ORDER BY place")?;
    let rows = statement.query_map([bounded(key.0)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let targets: Vec<(String, Option<u64>)> = rows.collect::<rusqlite::Result<_>>()?;
    if targets.is_empty() {
        return Ok(None);
    }
    let effects = effects(db, names, key)?.into_iter().map(|(effected, _)| effected).collect();
    let unknown =
        targets.into_iter().filter(|(_, target)| target.is_none()).map(|(named, _)| named).collect();
    Ok(Some(Changed { effects, unknown }))
}
