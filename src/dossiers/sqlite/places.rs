//! Where consumers stand.

use bytes::Bytes;
use rusqlite::{Connection, Row as Record};

use super::read::bounded;
use crate::domain::limits::CONSUMERS_PER_ORGAN_MAX;
use crate::domain::organ_id::OrganId;
use crate::dossiers::{Advanced, Consumer, Enrolled, Enrolment, Follower, Place, Share, TooManyConsumers};

fn of_consumer(db: &Connection, consumer: &Consumer) -> rusqlite::Result<Vec<(Share, u64)>> {
    // place.of_consumer
    let mut statement =
        db.prepare_cached("SELECT share, shares, position FROM place WHERE organ = ?1 AND name = ?2")?;
    let rows = statement.query_map((consumer.organ.as_str(), &consumer.name), |row| {
        Ok((Share { index: row.get(0)?, of: row.get(1)? }, row.get(2)?))
    })?;
    rows.collect()
}

/// A share begins, or goes on: where it stood, or where the last of the shares stood when they were others.
pub(super) fn enrol(db: &Connection, enrolment: &Enrolment) -> rusqlite::Result<Enrolled> {
    let Enrolment { consumer, share, start, filter } = enrolment;
    let key = (consumer.organ.as_str(), &consumer.name);
    let places = of_consumer(db, consumer)?;
    if places.is_empty() && count(db, &consumer.organ)? >= CONSUMERS_PER_ORGAN_MAX {
        return Ok(Err(TooManyConsumers));
    }
    if places.first().is_none_or(|(known, _)| known.of != share.of) {
        let start = places.iter().map(|(_, position)| *position).min().unwrap_or(*start);
        dismiss(db, consumer)?;
        for index in 0..share.of {
            // place.begin
            db.prepare_cached(
                "INSERT INTO place (organ, name, share, shares, position, filter) VALUES (?1, ?2, ?3, ?4, ?5, x'')",
            )?
            .execute((key.0, key.1, index, share.of, bounded(start)))?;
        }
    }
    // place.want
    db.prepare_cached(
        "UPDATE place SET filter = ?4 WHERE organ = ?1 AND name = ?2 AND share = ?3 RETURNING position",
    )?
    .query_row((key.0, key.1, share.index, filter.as_ref()), |row| row.get(0))
    .map(Ok)
}

fn count(db: &Connection, organ: &OrganId) -> rusqlite::Result<usize> {
    // place.count
    db.prepare_cached("SELECT count(DISTINCT name) FROM place WHERE organ = ?1")?
        .query_row([organ.as_str()], |row| row.get(0))
}

/// Advances a share.
pub(super) fn advance(db: &Connection, place: &Place) -> rusqlite::Result<Advanced> {
    let Place { consumer, share, position } = place;
    match of_consumer(db, consumer)?.first() {
        None => return Ok(Advanced::Unknown),
        Some((known, _)) if known.of != share.of => return Ok(Advanced::Shares(known.of)),
        Some(_) => {}
    }
    // place.advance
    db.prepare_cached(
        "UPDATE place SET position = max(position, ?4) WHERE organ = ?1 AND name = ?2 AND share = ?3",
    )?
    .execute((consumer.organ.as_str(), &consumer.name, share.index, bounded(*position)))?;
    Ok(Advanced::Done)
}

/// Forgets a consumer.
pub(super) fn dismiss(db: &Connection, consumer: &Consumer) -> rusqlite::Result<bool> {
    // place.dismiss
    let mut statement = db.prepare_cached("DELETE FROM place WHERE organ = ?1 AND name = ?2")?;
    Ok(statement.execute((consumer.organ.as_str(), &consumer.name))? > 0)
}

/// All of them.
pub(super) fn all(db: &Connection) -> rusqlite::Result<Vec<Follower>> {
    // place.all
    let mut statement = db.prepare_cached(
        "SELECT organ, name, share, shares, position, filter FROM place ORDER BY organ, name, share",
    )?;
    let rows = statement.query_map([], one)?;
    rows.collect()
}

fn one(row: &Record<'_>) -> rusqlite::Result<Follower> {
    let organ = OrganId::parse(row.get_ref(0)?.as_str()?).map_err(|_| {
        rusqlite::Error::InvalidColumnType(0, "organ".to_owned(), rusqlite::types::Type::Text)
    })?;
    let place = Place {
        consumer: Consumer { organ, name: row.get(1)? },
        share: Share { index: row.get(2)?, of: row.get(3)? },
        position: row.get(4)?,
    };
    Ok(Follower { place, filter: Bytes::from(row.get::<_, Vec<u8>>(5)?) })
}
