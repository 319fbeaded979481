//! The writer's connection, with its statements prepared.

use futures_util::{FutureExt, try_join};
use tokio_postgres::{Client, Statement};

use crate::ledger::postgres::fault::Fault;
use crate::ledger::postgres::server::{Reading, Server, check};

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident: $sql:expr;)*) => {
        /// The writer's statements.
        pub(super) struct Statements {
            $($(#[$doc])* pub $name: Statement,)*
        }

        impl Statements {
            /// Prepares them all, in one round trip.
            async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
                let ($($name,)*) = try_join!($(client.prepare($sql),)*)?;
                Ok(Self { $($name,)* })
            }
        }
    };
}

statements! {
    /// Waits for the turn; gives the last numbers.
    lock: "SELECT position, key FROM dossier_head WHERE id FOR UPDATE";
    /// Dossiers by their codes.
    find: "SELECT key, code, procedure, due_at, course FROM dossier WHERE code = ANY ($1::text[])";
    /// Dossiers that hold something whose time is up.
    due: "SELECT key, code, procedure, due_at, course FROM dossier WHERE key IN (
            SELECT dossier FROM (SELECT dossier FROM dossier_held WHERE due_at <= $1 ORDER BY due_at LIMIT $2) h)";
    /// What these dossiers hold.
    held: "SELECT dossier, step, due_at, body FROM dossier_held WHERE dossier = ANY ($1::bigint[])";
    /// New dossiers.
    enter: "INSERT INTO dossier (key, code, owner, procedure, due_at, open_due_at, course, digest)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bytea[], $8::bytea[])";
    /// Dossiers as they are now.
    change: "UPDATE dossier d SET procedure = w.procedure, due_at = w.due_at, open_due_at = w.open_due_at,
            course = w.course, digest = w.digest
        FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[])
            AS w (key, procedure, due_at, open_due_at, course, digest)
        WHERE d.key = w.key";
    /// What becomes visible.
    append: "INSERT INTO dossier_event (position, dossier, step, flags, gap_from, shown_at, body)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::smallint[], $5::integer[], $6::bigint[], $7::bytea[])";
    /// What is held from now on.
    hold: "INSERT INTO dossier_held (dossier, step, held_at, due_at, body)
        SELECT * FROM unnest($1::bigint[], $2::integer[], $3::bigint[], $4::bigint[], $5::bytea[])";
    /// What is held no longer.
    let_go: "DELETE FROM dossier_held h USING unnest($1::bigint[], $2::integer[]) AS w (dossier, step)
        WHERE h.dossier = w.dossier AND h.step = w.step";
    /// The last numbers now.
    number: "UPDATE dossier_head SET position = $1, key = $2 WHERE id";
    /// Tells the other nodes, once it is committed.
    tell: "SELECT pg_notify($1, $2)";
    /// Writes something.
    probe: "UPDATE dossier_head SET probes = probes + 1 WHERE id";
    /// Where a consumer stands.
    places: "SELECT share, shares, position FROM dossier_place WHERE organ = $1 AND name = $2";
    /// How many consumers an organ has.
    count_consumers: "SELECT count(DISTINCT name) FROM dossier_place WHERE organ = $1";
    /// Forgets a consumer.
    forget_place: "DELETE FROM dossier_place WHERE organ = $1 AND name = $2";
    /// Begins shares, all at one position.
    begin_place: "INSERT INTO dossier_place (organ, name, share, shares, position, filter)
        SELECT $1::text, $2::text, share, $3::integer, $4::bigint, ''::bytea FROM generate_series(0, $3::integer - 1) AS s (share)";
    /// Notes what a share wants.
    want: "UPDATE dossier_place SET filter = $4 WHERE organ = $1 AND name = $2 AND share = $3 RETURNING position";
    /// Advances a share.
    advance_place: "UPDATE dossier_place SET position = greatest(position, $4)
        WHERE organ = $1 AND name = $2 AND share = $3";
}

/// The writer's connection.
pub(super) struct Link {
    pub client: Client,
    pub statements: Statements,
    _reading: Reading,
}

impl Link {
    /// Connects, to a server that keeps what it confirms.
    pub async fn open(server: &Server) -> Result<Self, Fault> {
        let (client, reading) = server.connect_quiet().await?;
        check(&client).await?;
        let statements = Statements::prepare(&client).boxed().await?;
        Ok(Self { client, statements, _reading: reading })
    }
}
