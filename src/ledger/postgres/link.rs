//! The writer's connection.

use futures_util::{FutureExt, try_join};
use tokio_postgres::Client;

use super::fault::Fault;
use super::server::{Reading, Server, check};
use super::statements::Statements;

/// The server's side of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backend {
    pid: i32,
    started: i64,
}

/// The writer's connection, with its statements prepared.
pub(super) struct Link {
    pub client: Client,
    pub statements: Statements,
    pub backend: Backend,
    _reading: Reading,
}

impl Link {
    /// Connects, to a server that keeps what it confirms. What the connection before has left open is ended, where the server
    /// has not noticed yet that nobody is at its other end.
    pub async fn open(server: &Server, before: Option<Backend>) -> Result<Self, Fault> {
        let (client, reading) = server.connect_quiet().await?;
        check(&client).await?;
        if let Some(Backend { pid, started }) = before {
            // connection.end_before
            client
                .execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE pid = $1 AND (extract(epoch FROM backend_start) * 1000000)::bigint = $2",
                    &[&pid, &started],
                )
                .await?;
        }
        // connection.backend
        let row = client.query_one(
            "SELECT pid, (extract(epoch FROM backend_start) * 1000000)::bigint FROM pg_stat_activity
             WHERE pid = pg_backend_pid()",
            &[],
        );
        let (row, statements) = try_join!(row, Statements::prepare(&client).boxed())?;
        let backend = Backend { pid: row.try_get(0)?, started: row.try_get(1)? };
        Ok(Self { client, statements, backend, _reading: reading })
    }

    /// The last commit of a node; none when it was taken off. Waits until none is under way.
    pub async fn last_batch(&self, node: i64) -> Result<Option<i64>, Fault> {
        let found = self.client.query_opt(&self.statements.last_batch, &[&node]).await?;
        Ok(found.map(|row| row.try_get(0)).transpose()?)
    }
}
