//! Where consumers stand.

use tokio_postgres::{Client, Row as Record};

use super::rows::{column, step};
use super::statements::Link;
use crate::domain::organ_id::OrganId;
use crate::dossiers::{Consumer, Place, Share};
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

/// Where a share goes on: where it stood, or where the last of the shares stood when they were others.
pub(super) async fn place(db: &Client, consumer: Consumer, share: Share) -> Result<Option<u64>, Fault> {
    // place.of_consumer
    let rows = db
        .query(
            "SELECT share, shares, position FROM dossier_place WHERE organ = $1 AND name = $2",
            &[&consumer.organ.as_str(), &consumer.name],
        )
        .await?;
    let places = places(&rows)?;
    let own = places.iter().find(|(known, _)| *known == share).map(|(_, position)| *position);
    Ok(own.or_else(|| places.iter().map(|(_, position)| *position).min()))
}

/// Advances a share.
pub(super) async fn advance(link: &Link, place: &Place) -> Result<(), Fault> {
    let (db, statements) = (&link.client, &link.statements);
    let Place { consumer, share, position } = place;
    let (organ, name) = (consumer.organ.as_str(), consumer.name.as_str());
    let places = places(&db.query(&statements.places, &[&organ, &name]).await?)?;
    if places.first().is_none_or(|(known, _)| known.of != share.of) {
        let start = places.iter().map(|(_, position)| *position).min().unwrap_or(0);
        db.execute(&statements.forget_place, &[&organ, &name]).await?;
        db.execute(&statements.begin_place, &[&organ, &name, &step(share.of), &column(start)]).await?;
    }
    db.execute(&statements.advance_place, &[&organ, &name, &step(share.index), &column(*position)]).await?;
    Ok(())
}

/// All of them.
pub(super) async fn all(db: &Client) -> Result<Vec<Place>, Fault> {
    // place.all
    let rows = db
        .query(
            "SELECT organ, name, share, shares, position FROM dossier_place ORDER BY organ, name, share",
            &[],
        )
        .await?;
    let place = |row| {
        let mut cells = Cells::of(row);
        let organ: OrganId = cells.organ()?;
        Ok(Place {
            consumer: Consumer { organ, name: cells.plain()? },
            share: share(&mut cells)?,
            position: cells.number()?,
        })
    };
    rows.iter().map(place).collect()
}
