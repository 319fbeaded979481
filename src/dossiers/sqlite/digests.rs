//! Digests of dossiers, page by page, by ranges of the index of codes.

use rusqlite::{Connection, OptionalExtension};

use crate::domain::dossier::DossierDigest;
use crate::dossiers::{Digested, Extent};

/// The first owner from an id on.
const OWNER_FROM: &str = "SELECT owner FROM dossier WHERE owner >= ?1 AND owner < ?2 ORDER BY owner LIMIT 1";
/// The first owner after an id.
const OWNER_AFTER: &str = "SELECT owner FROM dossier WHERE owner > ?1 AND owner < ?2 ORDER BY owner LIMIT 1";

/// A page after a code.
pub(super) fn page(
    db: &Connection,
    extent: &Extent,
    after: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Vec<Digested>> {
    let (first, end) = extent.owners();
    let mut found = Vec::new();
    let mut owner = match after.and_then(|code| code.split_once('-')) {
        Some((owner, _)) => Some(owner.to_owned()),
        None => next_owner(db, OWNER_FROM, first, &end)?,
    };
    while let Some(at) = owner {
        of_owner(db, extent, &at, after, limit - found.len(), &mut found)?;
        if found.len() == limit {
            break;
        }
        owner = next_owner(db, OWNER_AFTER, &at, &end)?;
    }
    Ok(found)
}

fn next_owner(db: &Connection, sql: &str, from: &str, end: &str) -> rusqlite::Result<Option<String>> {
    db.prepare_cached(sql)?.query_row((from, end), |row| row.get(0)).optional()
}

fn of_owner(
    db: &Connection,
    extent: &Extent,
    owner: &str,
    after: Option<&str>,
    limit: usize,
    into: &mut Vec<Digested>,
) -> rusqlite::Result<()> {
    let (first, end) = extent.codes(owner);
    let first = after.filter(|code| *code > first.as_str()).unwrap_or(&first);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    // dossier.digests
    let mut statement = db.prepare_cached(
        "SELECT code, digest FROM dossier WHERE code > ?1 AND code < ?2 ORDER BY code LIMIT ?3",
    )?;
    let mut rows = statement.query((first, end, limit))?;
    while let Some(row) = rows.next()? {
        let digest = DossierDigest::from_slice(row.get_ref(1)?.as_blob()?).ok_or_else(|| {
            rusqlite::Error::InvalidColumnType(1, "digest".to_owned(), rusqlite::types::Type::Blob)
        })?;
        into.push((row.get_ref(0)?.as_str()?.to_owned(), digest));
    }
    Ok(())
}
