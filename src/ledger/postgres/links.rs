//! Push links: what organs have registered, and how their endpoints do.

use std::time::Duration;

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Row;

use super::cells::Cells;
use super::fault::Fault;
use super::link::Link;
use crate::domain::link::{LinkRecord, Outage, PushLink, Server};
use crate::domain::organ_id::OrganId;
use crate::domain::time::Timestamp;
use crate::ledger::LinkChange;
use crate::ledger::codes::Coded;

/// Links of some organs, or all, by organ.
pub(super) async fn read(client: &ClientWrapper, of: Option<Vec<OrganId>>) -> Result<Vec<LinkRecord>, Fault> {
    let organs: Option<Vec<&str>> = of.as_ref().map(|of| of.iter().map(OrganId::as_str).collect());
    // push_link.read
    let statement = client
        .prepare_cached(
            "SELECT organ, endpoint, server_organ, server_sha256, deliveries_max, timeout_ms, receipts, enabled,
                 set_at, set_by, out_since, failures, cause, reason, retry_at
             FROM push_link WHERE $1::text[] IS NULL OR organ = ANY ($1::text[]) ORDER BY organ",
        )
        .await?;
    client.query(&statement, &[&organs]).await?.iter().map(record).collect()
}

/// Changes one; gives whether there was one to change.
pub(super) async fn change(link: &Link, change: &LinkChange) -> Result<bool, Fault> {
    let (client, statements) = (&link.client, &link.statements);
    let changed = match change {
        LinkChange::Set(link) => {
            let (organ, sha256) = match &link.server {
                Server::Organ(organ) => (Some(organ.as_str()), None),
                Server::Certificate(hash) => (None, Some(&hash.as_bytes()[..])),
            };
            let timeout_ms = i64::try_from(link.timeout.as_millis()).unwrap_or(i64::MAX);
            let (endpoint, window) = (link.endpoint.as_str(), i64::from(link.window));
            let (set_at, set_by) = (link.set_at.as_micros(), link.set_by.as_str());
            client
                .execute(
                    &statements.set_link,
                    &[
                        &link.organ.as_str(),
                        &endpoint,
                        &organ,
                        &sha256,
                        &window,
                        &timeout_ms,
                        &link.receipts,
                        &link.enabled,
                        &set_at,
                        &set_by,
                    ],
                )
                .await?
        }
        LinkChange::Delete(organ) => client.execute(&statements.delete_link, &[&organ.as_str()]).await?,
        LinkChange::Note { organ, set_at, outage } => {
            let outage = outage.as_ref();
            let since = outage.map(|outage| outage.since.as_micros());
            let failures = outage.map_or(0, |outage| i64::from(outage.failures));
            let cause = outage.map(|outage| outage.cause.code());
            let reason = outage.map(|outage| outage.reason.as_bytes());
            let retry_at = outage.map(|outage| outage.retry_at.as_micros());
            let (organ, set_at) = (organ.as_str(), set_at.as_micros());
            client
                .execute(
                    &statements.note_link,
                    &[&organ, &set_at, &since, &failures, &cause, &reason, &retry_at],
                )
                .await?
        }
    };
    Ok(changed == 1)
}

fn record(row: &Row) -> Result<LinkRecord, Fault> {
    let mut cells = Cells::of(row);
    let (organ, endpoint) = (cells.organ()?, cells.plain()?);
    let (server_organ, sha256) = (cells.organ_if_any()?, cells.plain::<Option<&[u8]>>()?);
    let server = match (server_organ, sha256) {
        (Some(organ), _) => Server::Organ(organ),
        (None, Some(bytes)) => Server::Certificate(
            crate::domain::message::Hash::from_slice(bytes).ok_or(Fault::Invalid("hash"))?,
        ),
        (None, None) => return Err(Fault::Invalid("server of a link")),
    };
    let (window, timeout) = (cells.small()?, Duration::from_millis(cells.number()?));
    let (receipts, enabled) = (cells.plain()?, cells.plain()?);
    let (set_at, set_by) = (cells.time()?, cells.plain()?);
    let link = PushLink { organ, endpoint, server, window, timeout, receipts, enabled, set_at, set_by };
    let since = cells.time_if_any()?;
    let failures = cells.small()?;
    let Some(since) = since else { return Ok(LinkRecord { link, outage: None }) };
    let cause = cells.code()?;
    let reason = String::from_utf8_lossy(cells.plain::<&[u8]>()?).into_owned();
    let retry_at: Timestamp = cells.time()?;
    Ok(LinkRecord { link, outage: Some(Outage { since, failures, cause, reason, retry_at }) })
}
