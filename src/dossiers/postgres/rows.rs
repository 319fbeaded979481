//! Rows of dossiers, as the writer and the readers take them.

use tokio_postgres::Row as Record;

use crate::domain::dossier::{DossierCode, ProcedureCode};
use crate::dossiers::Dossier;
use crate::dossiers::packed;
use crate::ledger::postgres::cells::Cells;
use crate::ledger::postgres::fault::Fault;

/// A dossier of the columns `key, code, procedure, due_at, course`.
pub(super) fn dossier(row: &Record) -> Result<Dossier, Fault> {
    let mut cells = Cells::of(row);
    Ok(Dossier {
        key: cells.number()?,
        code: DossierCode::parse(cells.plain()?).map_err(|_| Fault::Invalid("dossier code"))?,
        procedure: ProcedureCode::parse(cells.plain()?).map_err(|_| Fault::Invalid("procedure"))?,
        due_at: cells.time_if_any()?,
        course: packed::unpack(cells.plain()?).ok_or(Fault::Invalid("course"))?,
    })
}

/// A number as a column holds it.
pub(super) fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A step's number, likewise.
pub(super) fn step(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
