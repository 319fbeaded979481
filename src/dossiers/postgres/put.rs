//! Writes what a transaction has come to, and commits it, in one round trip.

use futures_util::try_join;
use tokio_postgres::Statement;
use tokio_postgres::types::ToSql;

use super::listener;
use super::rows::{column, step};
use super::statements::Link;
use crate::domain::time::Timestamp;
use crate::dossiers::packed;
use crate::dossiers::sheet::Sheet;
use crate::ledger::postgres::fault::Fault;

/// What a statement is given.
type Columns<'a> = [&'a (dyn ToSql + Sync)];

/// The columns of new or changed dossiers.
#[derive(Default)]
struct Dossiers<'a> {
    key: Vec<i64>,
    code: Vec<&'a str>,
    owner: Vec<&'a str>,
    procedure: Vec<&'a str>,
    due_at: Vec<Option<i64>>,
    open_due_at: Vec<Option<i64>>,
    course: Vec<Vec<u8>>,
    digest: Vec<Vec<u8>>,
}

/// The columns of events.
#[derive(Default)]
struct Events<'a> {
    position: Vec<i64>,
    dossier: Vec<i64>,
    step: Vec<i32>,
    flags: Vec<i16>,
    gap_from: Vec<i32>,
    shown_at: Vec<i64>,
    body: Vec<&'a [u8]>,
}

/// The columns of held steps.
#[derive(Default)]
struct HeldSteps<'a> {
    dossier: Vec<i64>,
    step: Vec<i32>,
    held_at: Vec<i64>,
    due_at: Vec<i64>,
    body: Vec<&'a [u8]>,
}

/// Writes the sheet. The statements are sent one after the other without waiting; the last one commits, and does not where one before it failed.
pub(super) async fn put(link: &Link, sheet: &Sheet) -> Result<(), Fault> {
    let (client, statements) = (&link.client, &link.statements);
    let (new, changed) = dossiers(sheet);
    let (events, held) = (events(sheet), held(sheet));
    let let_go: (Vec<i64>, Vec<i32>) =
        sheet.let_go.iter().map(|(dossier, number)| (column(*dossier), step(*number))).unzip();
    let (position, key) = (column(sheet.heads.position), column(sheet.heads.key));
    let note = listener::note(&sheet.commit());
    let unless = async |empty: bool, statement: &Statement, columns: &Columns<'_>| match empty {
        true => Ok(0),
        false => client.execute(statement, columns).await,
    };
    let enter: &Columns<'_> = &[
        &new.key,
        &new.code,
        &new.owner,
        &new.procedure,
        &new.due_at,
        &new.open_due_at,
        &new.course,
        &new.digest,
    ];
    let change: &Columns<'_> = &[
        &changed.key,
        &changed.procedure,
        &changed.due_at,
        &changed.open_due_at,
        &changed.course,
        &changed.digest,
    ];
    let append: &Columns<'_> = &[
        &events.position,
        &events.dossier,
        &events.step,
        &events.flags,
        &events.gap_from,
        &events.shown_at,
        &events.body,
    ];
    let hold: &Columns<'_> = &[&held.dossier, &held.step, &held.held_at, &held.due_at, &held.body];
    let go: &Columns<'_> = &[&let_go.0, &let_go.1];
    let (number, tell): (&Columns<'_>, &Columns<'_>) = (&[&position, &key], &[&listener::CHANNEL, &note]);
    try_join!(
        unless(new.key.is_empty(), &statements.enter, enter),
        unless(changed.key.is_empty(), &statements.change, change),
        unless(events.position.is_empty(), &statements.append, append),
        unless(held.dossier.is_empty(), &statements.hold, hold),
        unless(let_go.0.is_empty(), &statements.let_go, go),
        unless(sheet.is_blank(), &statements.number, number),
        unless(note.is_empty(), &statements.tell, tell),
        client.batch_execute("COMMIT"),
    )?;
    Ok(())
}

/// The new ones and those changed, in the order of their keys.
fn dossiers(sheet: &Sheet) -> (Dossiers<'_>, Dossiers<'_>) {
    let micros = |time: Option<Timestamp>| time.map(Timestamp::as_micros);
    let (mut new, mut changed) = (Dossiers::default(), Dossiers::default());
    let mut rows: Vec<_> = sheet.changed().collect();
    rows.sort_unstable_by_key(|(_, row)| row.key);
    for (code, row) in rows {
        let outline = row.outline();
        let into = if row.stored.is_none() { &mut new } else { &mut changed };
        into.key.push(column(row.key));
        into.code.push(code.as_str());
        into.owner.push(code.owner().as_str());
        into.procedure.push(row.procedure.as_str());
        into.due_at.push(micros(row.due_at));
        into.open_due_at.push(micros(outline.open_due_at));
        into.course.push(packed::pack(&row.course));
        into.digest.push(row.course.digest().to_bytes().to_vec());
    }
    (new, changed)
}

fn events(sheet: &Sheet) -> Events<'_> {
    let mut columns = Events::default();
    for new in &sheet.events {
        columns.position.push(column(new.position));
        columns.dossier.push(column(new.dossier));
        columns.step.push(step(new.step));
        columns.flags.push(new.flags.bits().into());
        columns.gap_from.push(step(new.gap_from));
        columns.shown_at.push(new.at.as_micros());
        columns.body.push(&new.body);
    }
    columns
}

fn held(sheet: &Sheet) -> HeldSteps<'_> {
    let mut columns = HeldSteps::default();
    for new in sheet.held.values() {
        columns.dossier.push(column(new.dossier));
        columns.step.push(step(new.step));
        columns.held_at.push(new.at.as_micros());
        columns.due_at.push(new.due_at.as_micros());
        columns.body.push(&new.body);
    }
    columns
}
