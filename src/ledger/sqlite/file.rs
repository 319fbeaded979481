//! A database file: its lock, its settings and its migrations.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

/// How long a connection waits for another's lock on the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a database file is to be like.
#[derive(Debug)]
pub(crate) struct Form {
    /// What is in it.
    pub name: &'static str,
    /// One script per version, applied in order, each in a transaction of its own.
    pub migrations: &'static [&'static str],
    /// Bytes of a page.
    pub page_bytes: u32,
    /// Pages in the write-ahead log before the writer copies them into the database.
    pub wal_pages_max: u32,
    /// Page cache of the writer, KiB.
    pub writer_cache_kib: i64,
    /// Page cache of each reader, KiB.
    pub reader_cache_kib: i64,
    /// Statements each connection keeps prepared.
    pub statements_max: usize,
}

/// Why a database file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or the lock file cannot be made.
    #[error("cannot open {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error("{path} is open in another process; one gateway at a time may serve it")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It was written by a later version.
    #[error("{path} has schema version {found}, this program knows up to {known}; use the newer program")]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The latest this program knows.
        known: u32,
    },
    /// SQLite says no.
    #[error("cannot open {path}: {source}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

impl OpenError {
    /// What SQLite says of a file.
    pub(crate) fn sqlite(path: &Path) -> impl Fn(rusqlite::Error) -> Self + Copy {
        move |source| Self::Sqlite { path: path.to_owned(), source }
    }

    /// What the system says of a file.
    pub(crate) fn io(path: &Path) -> impl Fn(std::io::Error) -> Self + Copy {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

/// Keeps other processes out for as long as it lives; makes the folder where needed.
pub(crate) fn lock(path: &Path) -> Result<File, OpenError> {
    let io = OpenError::io(path);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    let mut name = path.to_owned().into_os_string();
    name.push(".lock");
    let file = File::create(name).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

/// The connection that writes; makes and migrates the database where needed.
pub(crate) fn open_writer(path: &Path, form: &Form) -> Result<Connection, OpenError> {
    let mut db = open_to_write(path, form).map_err(OpenError::sqlite(path))?;
    migrate(&mut db, path, form.migrations)?;
    Ok(db)
}

fn open_to_write(path: &Path, form: &Form) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    db.pragma_update(None, "page_size", form.page_bytes)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    // Each commit is synced before it is answered.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "wal_autocheckpoint", form.wal_pages_max)?;
    // The log is cut back when it was emptied, so that one burst does not hold the disk for ever.
    db.pragma_update(None, "journal_size_limit", i64::from(form.wal_pages_max) * i64::from(form.page_bytes))?;
    db.pragma_update(None, "cache_size", -form.writer_cache_kib)?;
    // A statement that fails half-way is undone from memory, not from a temporary file.
    db.pragma_update(None, "temp_store", "MEMORY")?;
    prepare(&db, form)?;
    Ok(db)
}

/// A connection that reads beside the writer.
pub(crate) fn open_reader(path: &Path, form: &Form) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI,
    )?;
    db.pragma_update(None, "cache_size", -form.reader_cache_kib)?;
    prepare(&db, form)?;
    Ok(db)
}

fn prepare(db: &Connection, form: &Form) -> rusqlite::Result<()> {
    // Plans do not depend on the values bound, so statements are prepared once.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    db.set_prepared_statement_cache_capacity(form.statements_max);
    Ok(())
}

fn migrate(db: &mut Connection, path: &Path, scripts: &[&str]) -> Result<(), OpenError> {
    let sqlite = OpenError::sqlite(path);
    let found: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(sqlite)?;
    let known = scripts.len() as u32;
    if found > known {
        return Err(OpenError::TooNew { path: path.to_owned(), found, known });
    }
    for (version, script) in (1..=known).zip(scripts).skip(found as usize) {
        let tx = db.transaction().map_err(sqlite)?;
        tx.execute_batch(script).map_err(sqlite)?;
        tx.pragma_update(None, "user_version", version).map_err(sqlite)?;
        tx.commit().map_err(sqlite)?;
    }
    Ok(())
}
