//! Rows of dossiers and of held steps, as the writer and the readers take them.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row as Record};

use crate::domain::dossier::{DossierCode, ProcedureCode};
use crate::domain::time::Timestamp;
use crate::dossiers::Dossier;
use crate::dossiers::packed;
use crate::dossiers::sheet::{Held, Row};

/// The columns [`dossier`] reads.
pub(super) const COLUMNS: &str = "key, code, procedure, due_at, course";

/// A dossier of these columns.
pub(super) fn dossier(row: &Record<'_>) -> rusqlite::Result<Dossier> {
    let text = |place: usize| row.get_ref(place)?.as_str().map_err(rusqlite::Error::from);
    let code = DossierCode::parse(text(1)?).map_err(|_| invalid(1, "code"))?;
    dossier_of(row, code)
}

fn dossier_of(row: &Record<'_>, code: DossierCode) -> rusqlite::Result<Dossier> {
    let text = |place: usize| row.get_ref(place)?.as_str().map_err(rusqlite::Error::from);
    Ok(Dossier {
        key: row.get(0)?,
        code,
        procedure: ProcedureCode::parse(text(2)?).map_err(|_| invalid(2, "procedure"))?,
        due_at: row.get::<_, Option<i64>>(3)?.map(Timestamp::from_micros),
        course: packed::unpack(row.get_ref(4)?.as_blob()?).ok_or_else(|| invalid(4, "course"))?,
    })
}

/// A dossier by its code.
pub(super) fn find(db: &Connection, code: &DossierCode) -> rusqlite::Result<Option<Dossier>> {
    // dossier.find
    db.prepare_cached("SELECT key, code, procedure, due_at, course FROM dossier WHERE code = ?1")?
        .query_row([code.as_str()], |row| dossier_of(row, code.clone()))
        .optional()
}

/// A dossier as a transaction works on it, with what it holds.
pub(super) fn row(db: &Connection, found: Dossier) -> rusqlite::Result<(DossierCode, Row)> {
    let (code, mut row) = Row::of(found);
    if row.course.is_holding() {
        row.held = held(db, row.key)?.into_iter().map(|(step, _, held)| (step, held)).collect();
    }
    Ok((code, row))
}

/// What a dossier holds: the step, when it was published, the rest.
pub(super) fn held(db: &Connection, key: u64) -> rusqlite::Result<Vec<(u32, Timestamp, Held)>> {
    // held.of_dossier
    let mut statement =
        db.prepare_cached("SELECT step, held_at, due_at, body FROM held WHERE dossier = ?1 ORDER BY step")?;
    let rows = statement.query_map([key], |row| {
        let time = |place| Ok::<_, rusqlite::Error>(Timestamp::from_micros(row.get(place)?));
        let body = Bytes::copy_from_slice(row.get_ref(3)?.as_blob()?);
        Ok((row.get(0)?, time(1)?, Held { body, due_at: time(2)? }))
    })?;
    rows.collect()
}

fn invalid(place: usize, column: &str) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(place, column.to_owned(), rusqlite::types::Type::Blob)
}
