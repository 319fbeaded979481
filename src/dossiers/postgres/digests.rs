//! Digests of dossiers, page by page, by ranges of the index of codes.

use tokio_postgres::Client;

use super::rows::column;
use crate::domain::dossier::DossierDigest;
use crate::dossiers::{Digested, Extent};
use crate::ledger::postgres::cells::Cells;
use crate::ledger::postgres::fault::Fault;

/// The first owner from an id on.
const OWNER_FROM: &str = "SELECT owner FROM dossier WHERE owner >= $1 AND owner < $2 ORDER BY owner LIMIT 1";
/// The first owner after an id.
const OWNER_AFTER: &str = "SELECT owner FROM dossier WHERE owner > $1 AND owner < $2 ORDER BY owner LIMIT 1";

/// A page after a code.
pub(super) async fn page(
    db: &Client,
    extent: Extent,
    after: Option<String>,
    limit: usize,
) -> Result<Vec<Digested>, Fault> {
    let (first, end) = extent.owners();
    let after = after.as_deref();
    let mut found = Vec::new();
    let mut owner = match after.and_then(|code| code.split_once('-')) {
        Some((owner, _)) => Some(owner.to_owned()),
        None => next_owner(db, OWNER_FROM, first, &end).await?,
    };
    while let Some(at) = owner {
        of_owner(db, &extent, &at, after, limit - found.len(), &mut found).await?;
        if found.len() == limit {
            break;
        }
        owner = next_owner(db, OWNER_AFTER, &at, &end).await?;
    }
    Ok(found)
}

async fn next_owner(db: &Client, sql: &str, from: &str, end: &str) -> Result<Option<String>, Fault> {
    let found = db.query_opt(sql, &[&from, &end]).await?;
    found.map(|row| Cells::of(&row).plain::<String>()).transpose()
}

async fn of_owner(
    db: &Client,
    extent: &Extent,
    owner: &str,
    after: Option<&str>,
    limit: usize,
    into: &mut Vec<Digested>,
) -> Result<(), Fault> {
    let (first, end) = extent.codes(owner);
    let first = after.filter(|code| *code > first.as_str()).unwrap_or(&first);
    // dossier.digests
    let sql = "SELECT code, digest FROM dossier WHERE code > $1 AND code < $2 ORDER BY code LIMIT $3";
    for row in &db.query(sql, &[&first, &end, &column(limit as u64)]).await? {
        let mut cells = Cells::of(row);
        let code = cells.plain::<String>()?;
        let digest = DossierDigest::from_slice(&cells.bytes()?).ok_or(Fault::Invalid("digest"))?;
        into.push((code, digest));
    }
    Ok(())
}
