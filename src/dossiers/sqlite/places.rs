//! Where consumers stand.

use rusqlite::{Connection, Row as Record};

use super::read::bounded;
use crate::domain::organ_id::OrganId;
use crate::dossiers::{Consumer, Place, Share};

fn of_consumer(db: &Connection, consumer: &Consumer) -> rusqlite::Result<Vec<(Share, u64)>> {
    // place.of_consumer
    let mut statement =
        db.prepare_cached("SELECT share, shares, position FROM place WHERE organ = ?1 AND name = ?2")?;
    let rows = statement.query_map((consumer.organ.as_str(), &consumer.name), |row| {
        Ok((Share { index: row.get(0)?, of: row.get(1)? }, row.get(2)?))
    })?;
    rows.collect()
}

/// Where a share goes on: where it stood, or where the last of the shares stood when they were others.
pub(super) fn place(db: &Connection, consumer: &Consumer, share: Share) -> rusqlite::Result<Option<u64>> {
    let places = of_consumer(db, consumer)?;
    let own = places.iter().find(|(known, _)| *known == share).map(|(_, position)| *position);
    Ok(own.or_else(|| places.iter().map(|(_, position)| *position).min()))
}

/// Advances a share.
pub(super) fn advance(db: &Connection, place: &Place) -> rusqlite::Result<()> {
    let Place { consumer, share, position } = place;
    let key = (consumer.organ.as_str(), &consumer.name);
    let places = of_consumer(db, consumer)?;
    if places.first().is_none_or(|(known, _)| known.of != share.of) {
        let start = places.iter().map(|(_, position)| *position).min().unwrap_or(0);
        // place.forget
        db.prepare_cached("DELETE FROM place WHERE organ = ?1 AND name = ?2")?.execute(key)?;
        for index in 0..share.of {
            // place.begin
            db.prepare_cached(
                "INSERT INTO place (organ, name, share, shares, position) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((key.0, key.1, index, share.of, bounded(start)))?;
        }
    }
    // place.advance
    db.prepare_cached(
        "UPDATE place SET position = max(position, ?4) WHERE organ = ?1 AND name = ?2 AND share = ?3",
    )?
    .execute((key.0, key.1, share.index, bounded(*position)))
    .map(drop)
}

/// All of them.
pub(super) fn all(db: &Connection) -> rusqlite::Result<Vec<Place>> {
    // place.all
    let mut statement = db.prepare_cached(
        "SELECT organ, name, share, shares, position FROM place ORDER BY organ, name, share",
    )?;
    let rows = statement.query_map([], one)?;
    rows.collect()
}

fn one(row: &Record<'_>) -> rusqlite::Result<Place> {
    let organ = OrganId::parse(row.get_ref(0)?.as_str()?).map_err(|_| {
        rusqlite::Error::InvalidColumnType(0, "organ".to_owned(), rusqlite::types::Type::Text)
    })?;
    Ok(Place {
        consumer: Consumer { organ, name: row.get(1)? },
        share: Share { index: row.get(2)?, of: row.get(3)? },
        position: row.get(4)?,
    })
}
