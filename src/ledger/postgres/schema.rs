//! The tables: made and brought to this program's version, by one node at a time.

use tokio_postgres::Client;

use super::fault::Fault;
use super::server::Server;
use super::{OpenError, Options};

/// One script per version, applied in order, each in a transaction of its own.
const MIGRATIONS: &[&str] = &[include_str!("0001_init.sql")];

/// Key of the advisory lock under which tables are made and changed: "truc" and 0.
const LOCK: i64 = 0x7472_7563_0000_0000;

/// Makes and changes the tables where needed. Nodes that start at once wait for each other.
pub(super) async fn prepare(server: &Server, options: &Options) -> Result<(), OpenError> {
    let failed = |fault: Fault| OpenError::failed(options, &fault);
    let (client, _reading) = server.connect_quiet().await.map_err(failed)?;
    super::server::check(&client).await.map_err(failed)?;
    // Tables with millions of rows may take longer to change than any statement of traffic.
    let set = client.batch_execute("SET statement_timeout = 0; SET lock_timeout = 0").await;
    set.map_err(|error| failed(error.into()))?;
    // schema.lock
    let locked = client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await;
    locked.map_err(|error| failed(error.into()))?;
    migrate(&client, options).await?;
    keep_outbox(&client, options.outbox).await.map_err(|error| failed(error.into()))
    // The lock ends with the connection.
}

async fn migrate(client: &Client, options: &Options) -> Result<(), OpenError> {
    let failed = |error: tokio_postgres::Error| OpenError::failed(options, &error.into());
    let made = client
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS schema_version (
                 version    integer     PRIMARY KEY,                    -- of the tables
                 applied_at timestamptz NOT NULL DEFAULT clock_timestamp() -- when they were brought to it
             )",
        )
        .await;
    made.map_err(failed)?;
    // schema.version
    let found = client.query_one("SELECT coalesce(max(version), 0) FROM schema_version", &[]).await;
    let found: i32 = found.and_then(|row| row.try_get(0)).map_err(failed)?;
    for (version, script) in (1..).zip(MIGRATIONS).skip(found.try_into().unwrap_or(0)) {
        let script =
            format!("BEGIN;\n{script}\nINSERT INTO schema_version (version) VALUES ({version});\nCOMMIT");
        client.batch_execute(&script).await.map_err(failed)?;
    }
    let known = MIGRATIONS.len();
    match usize::try_from(found) {
        Ok(found) if found > known => {
            Err(OpenError::TooNew { database: options.database.clone(), found, known })
        }
        _ => Ok(()),
    }
}

/// From the day an outbox is kept, it holds all that is ready; without one it is empty.
async fn keep_outbox(client: &Client, wanted: bool) -> Result<(), tokio_postgres::Error> {
    let wanted = if wanted { "1" } else { "0" };
    // outbox.kept
    let kept = client.query_opt("SELECT value FROM fact WHERE name = 'outbox'", &[]).await?;
    let kept: Option<String> = kept.map(|row| row.try_get(0)).transpose()?;
    if kept.as_deref().unwrap_or("0") == wanted {
        return Ok(());
    }
    // Nobody's, so that whoever comes first publishes them.
    let fill = match wanted {
        "1" => {
            "INSERT INTO outbox (delivery, attempt, node) SELECT id, attempt, 0 FROM delivery
             WHERE due_at IS NOT NULL AND state = 0 ON CONFLICT (delivery) DO NOTHING"
        }
        _ => "DELETE FROM outbox",
    };
    client
        .batch_execute(&format!(
            "BEGIN; {fill};
             INSERT INTO fact (name, value) VALUES ('outbox', '{wanted}')
             ON CONFLICT (name) DO UPDATE SET value = excluded.value; COMMIT"
        ))
        .await
}
