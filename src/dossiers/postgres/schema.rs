//! The tables: made and brought to this program's version, by one node at a time.

use tokio_postgres::Client;

use crate::ledger::postgres::fault::Fault;
use crate::ledger::postgres::server::{self, Server};
use crate::ledger::postgres::{OpenError, Options};

/// One script per version, applied in order, each in a transaction of its own.
const MIGRATIONS: &[&str] = &[include_str!("0001_init.sql")];

/// Key of the advisory lock under which tables are made and changed: "truc" and 1.
const LOCK: i64 = 0x7472_7563_0000_0001;

/// Makes and changes the tables where needed. Nodes that start at once wait for each other.
pub(super) async fn prepare(server: &Server, options: &Options) -> Result<(), OpenError> {
    let failed = |fault: Fault| OpenError::failed(options, &fault);
    let (client, _reading) = server.connect_quiet().await.map_err(failed)?;
    server::check(&client).await.map_err(failed)?;
    let found = migrate(&client).await.map_err(failed)?;
    let known = MIGRATIONS.len();
    match found > known {
        true => Err(OpenError::TooNew { database: options.database.clone(), found, known }),
        false => Ok(()),
    }
    // The lock ends with the connection.
}

/// Gives the version that was found.
async fn migrate(client: &Client) -> Result<usize, Fault> {
    // Tables with millions of rows may take longer to change than any statement of traffic.
    client.batch_execute("SET statement_timeout = 0; SET lock_timeout = 0").await?;
    // schema.lock
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await?;
    client
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS dossier_schema_version (
                 version    integer     PRIMARY KEY,                    -- of the tables
                 applied_at timestamptz NOT NULL DEFAULT clock_timestamp() -- when they were brought to it
             )",
        )
        .await?;
    // schema.version
    let found = client.query_one("SELECT coalesce(max(version), 0) FROM dossier_schema_version", &[]).await?;
    let found = usize::try_from(found.try_get::<_, i32>(0)?).unwrap_or(0);
    for (version, script) in (1..).zip(MIGRATIONS).skip(found) {
        let done = format!("INSERT INTO dossier_schema_version (version) VALUES ({version})");
        client.batch_execute(&format!("BEGIN;\n{script}\n{done};\nCOMMIT")).await?;
    }
    Ok(found)
}
