//! Chains of changes: what a message changed, by what it was changed, and what became of that.

use std::collections::{BTreeSet, HashMap};

use deadpool_postgres::ClientWrapper;
use tokio_postgres::{Client, Row};

use super::cells::{Cells, OrganRef};
use super::fault::Fault;
use super::history;
use super::names::Names;
use crate::domain::change::Answer;
use crate::domain::delivery::DeliveryId;
use crate::domain::message::MessageId;
use crate::ledger::codes::{at_most, bounded};
use crate::ledger::{Changed, Effected, LINEAGE_MAX, Link, MessageKey};

type Outcome = (Effected, Option<Answer>);

/// The chain a message belongs to, as of one moment.
pub(super) async fn lineage(
    client: &ClientWrapper,
    names: &Names,
    start: MessageKey,
) -> Result<Vec<Link>, Fault> {
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let keys = bound(client, bounded(start.0)).await?;
    let links = match keys.len() {
        0 | 1 => Vec::new(),
        _ => links(client, names, &keys).await?,
    };
    client.batch_execute("COMMIT").await?;
    Ok(links)
}

async fn links(client: &ClientWrapper, names: &Names, keys: &[i64]) -> Result<Vec<Link>, Fault> {
    // change.targets_of
    let statement = client
        .prepare_cached(
            "SELECT c.message, t.message_id FROM change c JOIN message t ON t.key = c.target
             WHERE c.message = ANY($1) ORDER BY c.message, c.place",
        )
        .await?;
    let mut targets: HashMap<MessageKey, Vec<MessageId>> = HashMap::new();
    for row in &client.query(&statement, &[&keys]).await? {
        let mut cells = Cells::of(row);
        targets.entry(cells.key()?).or_default().push(cells.message_id()?);
    }
    let mut effects = effects(client, names, keys).await?;
    let records = history::by_keys(client, names, keys).await?;
    let link = |record: crate::ledger::MessageRecord| Link {
        targets: targets.remove(&record.key).unwrap_or_default(),
        effects: effects.remove(&record.key).unwrap_or_default(),
        record,
    };
    Ok(records.into_iter().map(link).collect())
}

/// The messages bound to one, the nearest first found.
async fn bound(client: &ClientWrapper, start: i64) -> Result<Vec<i64>, Fault> {
    // change.bound
    let statement = client
        .prepare_cached(
            "SELECT target FROM change WHERE message = ANY($1) AND target IS NOT NULL
             UNION SELECT message FROM change WHERE target = ANY($1) ORDER BY 1 LIMIT $2",
        )
        .await?;
    let (mut known, mut next) = (BTreeSet::from([start]), vec![start]);
    while !next.is_empty() {
        let rows = client.query(&statement, &[&next, &at_most(LINEAGE_MAX * 2)]).await?;
        next.clear();
        for row in &rows {
            let key = row.try_get(0)?;
            if known.len() < LINEAGE_MAX && known.insert(key) {
                next.push(key);
            }
        }
    }
    Ok(known.into_iter().collect())
}

/// What messages did to the deliveries of earlier ones.
async fn effects(
    client: &Client,
    names: &Names,
    keys: &[i64],
) -> Result<HashMap<MessageKey, Vec<Outcome>>, Fault> {
    // effect.of_messages
    let sql =
        "SELECT e.message, t.message_id, e.delivery, d.recipient, d.addressed_to, e.asked, e.effect, e.state,
            e.carrier, e.answer
        FROM effect e JOIN message t ON t.key = e.target JOIN delivery d ON d.id = e.delivery
        WHERE e.message = ANY($1) ORDER BY e.message, e.delivery";
    let rows = client.query(sql, &[&keys]).await?;
    let mut organs: Vec<OrganRef> = Vec::with_capacity(rows.len());
    for row in &rows {
        organs.push(row.try_get(3)?);
        organs.extend(row.try_get::<_, Option<OrganRef>>(4)?);
    }
    names.learn(client, organs).await?;
    let mut effects: HashMap<MessageKey, Vec<Outcome>> = HashMap::new();
    for row in &rows {
        let (key, outcome) = effect(names, row)?;
        effects.entry(key).or_default().push(outcome);
    }
    Ok(effects)
}

fn effect(names: &Names, row: &Row) -> Result<(MessageKey, Outcome), Fault> {
    let mut cells = Cells::of(row);
    let (key, message_id, delivery) = (cells.key()?, cells.message_id()?, cells.delivery()?);
    let recipient = names.name(cells.plain()?)?;
    let addressed_to: Option<OrganRef> = cells.plain()?;
    let effected = Effected {
        message_id,
        delivery,
        recipient,
        addressed_to: addressed_to.map(|organ| names.name(organ)).transpose()?,
        asked: cells.code()?,
        effect: cells.code()?,
        state: cells.code()?,
        carrier: cells
            .plain::<Option<i64>>()?
            .map(|id| u64::try_from(id).map(DeliveryId).map_err(|_| Fault::Invalid("delivery")))
            .transpose()?,
    };
    Ok((key, (effected, cells.code_if_any()?)))
}

/// What messages were answered to have changed; those that are no changes are left out.
pub(super) async fn changed(
    client: &Client,
    names: &Names,
    keys: &[i64],
) -> Result<HashMap<MessageKey, Changed>, Fault> {
    // change.of_messages
    let sql =
        "SELECT message, named, target IS NULL FROM change WHERE message = ANY($1) ORDER BY message, place";
    let mut changed: HashMap<MessageKey, Changed> = HashMap::new();
    for row in &client.query(sql, &[&keys]).await? {
        let mut cells = Cells::of(row);
        let (key, named, is_unknown): (_, String, bool) = (cells.key()?, cells.plain()?, cells.plain()?);
        let one = changed.entry(key).or_default();
        one.unknown.extend(is_unknown.then_some(named));
    }
    if !changed.is_empty() {
        for (key, effects) in effects(client, names, keys).await? {
            changed.entry(key).or_default().effects =
                effects.into_iter().map(|(effected, _)| effected).collect();
        }
    }
    Ok(changed)
}
