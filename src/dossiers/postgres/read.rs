//! What is read beside the writer.

use tokio_postgres::Client;
use tokio_postgres::Row as Record;

use super::rows::{self, column};
use crate::domain::dossier::{DossierCode, Flags};
use crate::domain::time::Timestamp;
use crate::dossiers::{After, Dossier, Event, History, Selection, Tally};
use crate::ledger::postgres::cells::Cells;
use crate::ledger::postgres::fault::Fault;

fn at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// An event of the columns `position, step, flags, gap_from, shown_at, body`.
fn event(row: &Record) -> Result<Event, Fault> {
    let small = |number: i32| u32::try_from(number).map_err(|_| Fault::Invalid("number"));
    let mut cells = Cells::of(row);
    Ok(Event {
        position: Some(cells.number()?),
        step: small(cells.plain()?)?,
        flags: Flags::from_bits(u8::try_from(cells.plain::<i16>()?).map_err(|_| Fault::Invalid("flags"))?),
        gap_from: small(cells.plain()?)?,
        at: cells.time()?,
        body: cells.bytes()?,
    })
}

/// The last position.
pub(super) async fn head(db: &Client) -> Result<u64, Fault> {
    // dossier_head.position
    let row = db.query_one("SELECT position FROM dossier_head WHERE id", &[]).await?;
    Cells::of(&row).number()
}

/// Events above a position.
pub(super) async fn events(db: &Client, after: u64, limit: usize) -> Result<Vec<Event>, Fault> {
    // event.page
    let rows = db
        .query(
            "SELECT position, step, flags, gap_from, shown_at, body FROM dossier_event
             WHERE position > $1 ORDER BY position LIMIT $2",
            &[&column(after), &at_most(limit)],
        )
        .await?;
    rows.iter().map(event).collect()
}

/// Halves the log until the place is found: events become visible in the order of their times.
pub(super) async fn position_at(db: &Client, time: Timestamp) -> Result<u64, Fault> {
    let (mut before, mut end) = (0, head(db).await? + 1);
    while end - before > 1 {
        let middle = before + (end - before) / 2;
        // event.shown_at
        let row = db
            .query_one("SELECT shown_at FROM dossier_event WHERE position = $1", &[&column(middle)])
            .await?;
        match Cells::of(&row).time()? < time {
            true => before = middle,
            false => end = middle,
        }
    }
    Ok(before)
}

/// A dossier and its steps, in one view of the rows, whatever is written meanwhile.
pub(super) async fn history(db: &Client, code: DossierCode) -> Result<Option<History>, Fault> {
    db.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let found = history_in_view(db, &code).await;
    // A connection on which something failed does not go back to the others.
    db.batch_execute("COMMIT").await?;
    found
}

async fn history_in_view(db: &Client, code: &DossierCode) -> Result<Option<History>, Fault> {
    // dossier.find
    let find = "SELECT key, code, procedure, due_at, course FROM dossier WHERE code = $1";
    let Some(row) = db.query_opt(find, &[&code.as_str()]).await? else { return Ok(None) };
    let dossier = rows::dossier(&row)?;
    let positions: Vec<i64> =
        dossier.course.marks().iter().filter_map(|mark| mark.position.map(column)).collect();
    // event.of_dossier
    let shown = db
        .query(
            "SELECT position, step, flags, gap_from, shown_at, body FROM dossier_event
             WHERE position = ANY ($1::bigint[])",
            &[&positions],
        )
        .await?;
    let mut events: Vec<Event> = shown.iter().map(event).collect::<Result<_, _>>()?;
    // held.of_dossier
    let held = db
        .query(
            "SELECT 0::bigint, step, 0::smallint, 0, held_at, body FROM dossier_held WHERE dossier = $1",
            &[&column(dossier.key)],
        )
        .await?;
    for row in &held {
        let held = event(row)?;
        let flags = dossier.course.mark(held.step).map_or(held.flags, |mark| mark.flags);
        events.push(Event { position: None, flags, ..held });
    }
    events.sort_by_key(|event| event.step);
    Ok(Some((dossier, events)))
}

/// Dossiers of an organ and those below it.
pub(super) async fn dossiers(
    db: &Client,
    selection: Selection,
    after: Option<After>,
    limit: usize,
) -> Result<Vec<Dossier>, Fault> {
    let top = selection.at_or_below.as_str();
    let (owner, key) = after.as_ref().map_or((top, 0), |(owner, key)| (owner.as_str(), column(*key)));
    // '/' is the character after '.': all ids below the organ's lie in between.
    let end = format!("{top}/");
    let overdue = match selection.overdue_at {
        Some(_) => "AND open_due_at IS NOT NULL AND open_due_at < $5",
        None => "AND $5::bigint IS NULL",
    };
    let at = selection.overdue_at.map(Timestamp::as_micros);
    // dossier.list
    let list = format!(
        "SELECT key, code, procedure, due_at, course FROM dossier
         WHERE (owner, key) > ($1, $2) AND owner < $3 {overdue} ORDER BY owner, key LIMIT $4"
    );
    let rows = db.query(&list, &[&owner, &key, &end, &at_most(limit), &at]).await?;
    rows.iter().map(rows::dossier).collect()
}

/// The earliest due time.
pub(super) async fn next_due(db: &Client) -> Result<Option<Timestamp>, Fault> {
    // held.next_due
    let found = db.query_opt("SELECT due_at FROM dossier_held ORDER BY due_at LIMIT 1", &[]).await?;
    found.map(|row| Cells::of(&row).time()).transpose()
}

/// How much there is.
pub(super) async fn tally(db: &Client) -> Result<Tally, Fault> {
    // held.tally
    let tally =
        "SELECT count(*), min(held_at), (SELECT position FROM dossier_head WHERE id) FROM dossier_held";
    let row = db.query_one(tally, &[]).await?;
    let mut cells = Cells::of(&row);
    Ok(Tally { held: cells.number()?, oldest_held: cells.time_if_any()?, head: cells.number()? })
}
