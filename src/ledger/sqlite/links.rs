//! Push links: what organs have registered, and how their endpoints do.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row};

use super::codes::Code;
use super::writer::Book;
use crate::domain::link::{LinkRecord, Outage, PushLink, Server};
use crate::domain::organ_id::OrganId;
use crate::ledger::LinkChange;

const COLUMNS: &str = "organ, endpoint, server_organ, server_sha256, deliveries_max, timeout_ms, receipts, enabled, set_at, set_by,
    out_since, failures, cause, reason, retry_at";

/// Links of some organs, or all, by organ.
pub(super) fn read(db: &Connection, of: Option<&[OrganId]>) -> rusqlite::Result<Vec<LinkRecord>> {
    let Some(organs) = of else {
        // push_link.all
        let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM push_link ORDER BY organ"))?;
        return statement.query_map([], record)?.collect();
    };
    // push_link.of_organ
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM push_link WHERE organ = ?1"))?;
    let mut found = Vec::with_capacity(organs.len());
    for organ in organs {
        found.extend(statement.query_row([organ.as_str()], record).optional()?);
    }
    Ok(found)
}

/// Changes one; gives whether there was one to change.
pub(super) fn change(db: &Connection, book: &mut Book, change: &LinkChange) -> rusqlite::Result<bool> {
    let changed = match change {
        LinkChange::Set(link) => {
            set(db, link)?;
            true
        }
        LinkChange::Delete(organ) => {
            // push_link.delete
            db.prepare_cached("DELETE FROM push_link WHERE organ = ?1")?.execute([organ.as_str()])? == 1
        }
        LinkChange::Note { organ, set_at, outage } => {
            let outage = outage.as_ref();
            // push_link.note
            db.prepare_cached(
                "UPDATE push_link SET out_since = ?3, failures = ?4, cause = ?5, reason = ?6, retry_at = ?7
                 WHERE organ = ?1 AND set_at = ?2",
            )?
            .execute((
                organ.as_str(),
                Code(*set_at),
                outage.map(|outage| Code(outage.since)),
                outage.map_or(0, |outage| outage.failures),
                outage.map(|outage| Code(outage.cause)),
                outage.map(|outage| outage.reason.as_str()),
                outage.map(|outage| Code(outage.retry_at)),
            ))? == 1
        }
    };
    if changed {
        book.commit.links.push(change.organ().clone());
    }
    Ok(changed)
}

fn set(db: &Connection, link: &PushLink) -> rusqlite::Result<()> {
    let (organ, sha256) = match &link.server {
        Server::Organ(organ) => (Some(organ.as_str()), None),
        Server::Certificate(hash) => (None, Some(Code(*hash))),
    };
    // push_link.set
    db.prepare_cached(
        "INSERT OR REPLACE INTO push_link (organ, endpoint, server_organ, server_sha256, deliveries_max, timeout_ms, receipts,
             enabled, set_at, set_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute((
        link.organ.as_str(),
        &link.endpoint,
        organ,
        sha256,
        link.window,
        millis(link.timeout),
        link.receipts,
        link.enabled,
        Code(link.set_at),
        &link.set_by,
    ))
    .map(drop)
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn record(row: &Row<'_>) -> rusqlite::Result<LinkRecord> {
    let server = match row.get::<_, Option<String>>(2)? {
        Some(text) => Server::Organ(super::organs::parsed(&text)?),
        None => Server::Certificate(row.get::<_, Code<_>>(3)?.0),
    };
    let link = PushLink {
        organ: super::organs::parsed(row.get_ref(0)?.as_str()?)?,
        endpoint: row.get(1)?,
        server,
        window: row.get(4)?,
        timeout: Duration::from_millis(row.get(5)?),
        receipts: row.get(6)?,
        enabled: row.get(7)?,
        set_at: row.get::<_, Code<_>>(8)?.0,
        set_by: row.get(9)?,
    };
    let since: Option<Code<_>> = row.get(10)?;
    let outage = since.map(|since| {
        Ok::<_, rusqlite::Error>(Outage {
            since: since.0,
            failures: row.get(11)?,
            cause: row.get::<_, Code<_>>(12)?.0,
            reason: row.get(13)?,
            retry_at: row.get::<_, Code<_>>(14)?.0,
        })
    });
    Ok(LinkRecord { link, outage: outage.transpose()? })
}
