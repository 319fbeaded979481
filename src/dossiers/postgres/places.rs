//! Where consumers stand.

use tokio_postgres::{Client, Row as Record};

use super::rows::{column, step};
use super::statements::Link;
use crate::domain::limits::CONSUMERS_PER_ORGAN_MAX;
use crate::domain::organ_id::OrganId;
use crate::dossiers::{Advanced, Consumer, Enrolled, Enrolment, Follower, Place, Share, TooManyConsumers};
use crate::ledger::postgres::cells::Cells;
use crate::ledger::postgres::fault::Fault;

fn share(cells: &mut Cells<'_>) -> Result<Share, Fault> {
    let mut small = || u32::try_from(cells.plain::<i32>()?).map_err(|_| Fault::Invalid("share"));
    Ok(Share { index: small()?, of: small()? })
}

fn places(rows: &[Record]) -> Result<Vec<(Share, u64)>, Fault> {
    let place = |row| {
        let mut cells = Cells::of(row);
        Ok((share(&mut cells)?, cells.number()?))
    };
    rows.iter().map(place).collect()
}

async fn of_consumer(link: &Link, consumer: &Consumer) -> Result<Vec<(Share, u64)>, Fault> {
    let (organ, name) = (consumer.organ.as_str(), consumer.name.as_str());
    places(&link.client.query(&link.statements.places, &[&organ, &name]).await?)
}

/// A share begins, or goes on: where it stood, or where the last of the shares stood when they were others.
pub(super) async fn enrol(link: &Link, enrolment: &Enrolment) -> Result<Enrolled, Fault> {
    let (db, statements) = (&link.client, &link.statements);
    let Enrolment { consumer, share, start, filter } = enrolment;
    let (organ, name) = (consumer.organ.as_str(), consumer.name.as_str());
    let places = of_consumer(link, consumer).await?;
    if places.is_empty() {
        let count = db.query_one(&statements.count_consumers, &[&organ]).await?;
        if Cells::of(&count).number()? >= CONSUMERS_PER_ORGAN_MAX as u64 {
            return Ok(Err(TooManyConsumers));
        }
    }
    if places.first().is_none_or(|(known, _)| known.of != share.of) {
        let start = places.iter().map(|(_, position)| *position).min().unwrap_or(*start);
        dismiss(link, consumer).await?;
        db.execute(&statements.begin_place, &[&organ, &name, &step(share.of), &column(start)]).await?;
    }
    let row = db.query_one(&statements.want, &[&organ, &name, &step(share.index), &filter.as_ref()]).await?;
    Ok(Ok(Cells::of(&row).number()?))
}

/// Advances a share.
pub(super) async fn advance(link: &Link, place: &Place) -> Result<Advanced, Fault> {
    let Place { consumer, share, position } = place;
    match of_consumer(link, consumer).await?.first() {
        None => return Ok(Advanced::Unknown),
        Some((known, _)) if known.of != share.of => return Ok(Advanced::Shares(known.of)),
        Some(_) => {}
    }
    let (organ, name) = (consumer.organ.as_str(), consumer.name.as_str());
    link.client
        .execute(&link.statements.advance_place, &[&organ, &name, &step(share.index), &column(*position)])
        .await?;
    Ok(Advanced::Done)
}

/// Forgets a consumer.
pub(super) async fn dismiss(link: &Link, consumer: &Consumer) -> Result<bool, Fault> {
    let (organ, name) = (consumer.organ.as_str(), consumer.name.as_str());
    Ok(link.client.execute(&link.statements.forget_place, &[&organ, &name]).await? > 0)
}

/// All of them.
pub(super) async fn all(db: &Client) -> Result<Vec<Follower>, Fault> {
    // place.all
    let rows = db
        .query(
            "SELECT organ, name, share, shares, position, filter FROM dossier_place ORDER BY organ, name, share",
            &[],
        )
        .await?;
    let follower = |row| {
        let mut cells = Cells::of(row);
        let organ: OrganId = cells.organ()?;
        let place = Place {
            consumer: Consumer { organ, name: cells.plain()? },
            share: share(&mut cells)?,
            position: cells.number()?,
        };
        Ok(Follower { place, filter: cells.bytes()? })
    };
    rows.iter().map(follower).collect()
}
