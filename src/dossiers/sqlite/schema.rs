//! Opening the database: settings and migrations.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::OpenError;

/// One script per version, applied in order, each in a transaction of its own.
const MIGRATIONS: &[&str] = &[include_str!("0001_init.sql")];

/// Bytes of a page. Steps change dossiers all over the table: each of them writes one page again, so pages are small.
const PAGE_BYTES: u32 = 4_096;

/// Pages in the write-ahead log before the writer copies them into the database: 128 MB.
const WAL_PAGES_MAX: u32 = 32_768;

/// Page cache of the writer and of each reader, KiB.
const WRITER_CACHE_KIB: i64 = 131_072;
const READER_CACHE_KIB: i64 = 2_048;

/// The connection that writes; makes and migrates the database where needed.
pub(super) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    let sqlite = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let mut db = Connection::open(path).map_err(sqlite)?;
    db.pragma_update(None, "page_size", PAGE_BYTES).map_err(sqlite)?;
    db.pragma_update(None, "journal_mode", "WAL").map_err(sqlite)?;
    // Each commit is synced before it is answered.
    db.pragma_update(None, "synchronous", "FULL").map_err(sqlite)?;
    db.pragma_update(None, "wal_autocheckpoint", WAL_PAGES_MAX).map_err(sqlite)?;
    // The log is cut back when it was emptied, so that one burst does not hold the disk for ever.
    db.pragma_update(None, "journal_size_limit", i64::from(WAL_PAGES_MAX * PAGE_BYTES)).map_err(sqlite)?;
    db.pragma_update(None, "cache_size", -WRITER_CACHE_KIB).map_err(sqlite)?;
    db.pragma_update(None, "temp_store", "MEMORY").map_err(sqlite)?;
    // Plans do not depend on the values bound, so statements are prepared once.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(sqlite)?;
    db.busy_timeout(Duration::from_secs(10)).map_err(sqlite)?;
    db.set_prepared_statement_cache_capacity(32);
    migrate(&mut db, path)?;
    Ok(db)
}

/// A connection that reads beside the writer.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI,
    )?;
    db.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.busy_timeout(Duration::from_secs(10))?;
    db.set_prepared_statement_cache_capacity(32);
    Ok(db)
}

fn migrate(db: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let sqlite = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let found: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(sqlite)?;
    let known = MIGRATIONS.len() as u32;
    if found > known {
        return Err(OpenError::TooNew { path: path.to_owned(), found, known });
    }
    for (version, script) in (1..=known).zip(MIGRATIONS).skip(found as usize) {
        let tx = db.transaction().map_err(sqlite)?;
        tx.execute_batch(script).map_err(sqlite)?;
        tx.pragma_update(None, "user_version", version).map_err(sqlite)?;
        tx.commit().map_err(sqlite)?;
    }
    Ok(())
}
