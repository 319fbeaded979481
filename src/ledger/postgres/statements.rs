//! The statements of the writer's transaction, prepared once for each connection.

use futures_util::try_join;
use tokio_postgres::{Client, Statement};

use super::receipts::receipt_columns;

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident: $sql:expr;)*) => {
        /// The writer's statements.
        pub(super) struct Statements {
            $($(#[$doc])* pub $name: Statement,)*
        }

        impl Statements {
            /// Prepares them all, in one round trip.
            pub async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
                let ($($name,)*) = try_join!($(client.prepare($sql),)*)?;
                Ok(Self { $($name,)* })
            }
        }
    };
}

statements! {
    /// Locks the accounts of these organs, and of the senders and recipients of these deliveries, in one order everywhere.
    lock: "SELECT o.ref, o.id, o.receipt_head, o.open_deliveries FROM organ o
        WHERE o.ref = ANY (ARRAY(
            SELECT unnest($1::bigint[])
            UNION SELECT d.sender FROM delivery d WHERE d.id = ANY ($2::bigint[])
            UNION SELECT d.recipient FROM delivery d WHERE d.id = ANY ($2::bigint[])))
        ORDER BY o.ref FOR UPDATE OF o";
    /// Messages these senders have sent under these ids.
    known: "SELECT w.place, m.key, m.content_hash
        FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS w (sender, message_id, place)
        JOIN message m ON m.sender = w.sender AND m.message_id = w.message_id";
    /// These deliveries as they stand, with the last receipt of the message of each.
    deliveries: "SELECT d.id, d.message, d.sender, d.recipient, a.id, d.addressed_to, d.lane, d.payload_bytes, d.holder,
            d.state, d.attempt, d.hold, d.due_at, d.expires_at, d.spared, d.unsent, d.receipt_sequence IS NOT NULL,
            coalesce(d.receipt_sequence, l.message_sequence), coalesce(d.receipt_time, l.time), d.status, d.origin,
            d.request, d.carries, d.ended_at, d.acknowledge_by, d.acknowledged_at, d.overdue_at
        FROM delivery d LEFT JOIN organ a ON a.ref = d.addressed_to
        LEFT JOIN LATERAL (SELECT r.message_sequence, r.time FROM receipt r
            WHERE d.receipt_sequence IS NULL AND r.message = d.message
            ORDER BY r.message_sequence DESC LIMIT 1) l ON true
        WHERE d.id = ANY ($1::bigint[])";
    /// So many numbers for messages.
    message_keys: "SELECT nextval('message_key') FROM generate_series(1, $1::bigint)";
    /// So many numbers for deliveries.
    delivery_ids: "SELECT nextval('delivery_id') FROM generate_series(1, $1::bigint)";
    /// The receipts of the acceptance of these messages.
    first_receipts: concat!(receipt_columns!(), "WHERE r.message = ANY ($1::bigint[]) AND r.message_sequence = 1
        ORDER BY r.message");
    /// The receipts of these deliveries' reports.
    reports: concat!(receipt_columns!(), "WHERE r.delivery = ANY ($1::bigint[]) AND r.kind = 10
        ORDER BY r.message, r.message_sequence");
    /// Who these messages go to.
    addresses: "SELECT m.key, d.id, r.id, a.id FROM message m
        JOIN delivery d ON d.id BETWEEN m.first_delivery AND m.last_delivery AND d.message = m.key
        JOIN organ r ON r.ref = d.recipient LEFT JOIN organ a ON a.ref = d.addressed_to
        WHERE m.key = ANY ($1::bigint[]) ORDER BY d.id";
    /// New messages.
    insert_messages: "INSERT INTO message (key, sender, message_id, lane, accepted_at, expires_at, first_delivery,
            last_delivery, content_hash, payload_hash, payload_bytes, document_id, header, kept_since)
        SELECT w.*, w.accepted_at FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::smallint[], $5::bigint[],
            $6::bigint[], $7::bigint[], $8::bigint[], $9::bytea[], $10::bytea[], $11::bigint[], $12::text[], $13::bytea[])
            AS w (key, sender, message_id, lane, accepted_at, expires_at, first_delivery, last_delivery, content_hash,
                payload_hash, payload_bytes, document_id, header)";
    /// Their payloads.
    insert_bodies: "INSERT INTO body (message, payload) SELECT * FROM unnest($1::bigint[], $2::bytea[])";
    /// New deliveries: ready, never offered, due at their expiry.
    insert_deliveries: "INSERT INTO delivery (id, message, sender, recipient, addressed_to, lane, payload_bytes,
            expires_at, receipt_sequence, receipt_time, origin, carries, acknowledge_by, due_at, state, attempt)
        SELECT w.*, w.expires_at, 0, 0 FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
            $6::smallint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::smallint[],
            $13::bigint[])
            AS w (id, message, sender, recipient, addressed_to, lane, payload_bytes, expires_at, receipt_sequence,
                receipt_time, origin, carries, acknowledge_by)";
    /// Steps: from what each delivery was to what it is now.
    move_deliveries: "UPDATE delivery d SET state = w.state, attempt = w.attempt, hold = w.hold, holder = w.holder,
            due_at = w.due_at, ended_at = coalesce(w.ended_at, d.ended_at),
            receipt_sequence = w.receipt_sequence, receipt_time = w.receipt_time, status = w.status,
            request = w.request, spared = w.spared, acknowledged_at = w.acknowledged_at,
            overdue_at = w.overdue_at, unsent = w.unsent
        FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::smallint[], $5::bigint[], $6::smallint[],
            $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::smallint[], $13::smallint[],
            $14::smallint[], $15::smallint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[])
            AS w (id, was_state, was_attempt, state, attempt, hold, holder, due_at, ended_at, receipt_sequence,
                receipt_time, was_status, status, was_request, request, spared, acknowledged_at, overdue_at,
                unsent)
        WHERE d.id = w.id AND d.state = w.was_state AND d.attempt = w.was_attempt
            AND d.status IS NOT DISTINCT FROM w.was_status AND d.request IS NOT DISTINCT FROM w.was_request";
    /// New receipts.
    insert_receipts: "INSERT INTO receipt (sender, sender_sequence, message, message_sequence, delivery, kind, time,
            asserted_by, attempt, cause, reason, retry_time, status, noted, change, asked)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::smallint[],
            $7::bigint[], $8::bigint[], $9::bigint[], $10::smallint[], $11::bytea[], $12::bigint[], $13::smallint[],
            $14::text[], $15::bigint[], $16::smallint[])";
    /// Files that reports came in.
    insert_files: "INSERT INTO status_file (sender, sender_sequence, file)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])";
    /// The messages these senders name, by message id or document id, and the deliveries of each.
    targets: "SELECT w.place, m.key, m.message_id, d.id
        FROM unnest($1::bigint[], $2::text[], $3::text[]) WITH ORDINALITY AS w (sender, message_id, document_id, place)
        JOIN LATERAL (
            SELECT key, message_id, first_delivery, last_delivery FROM message
            WHERE sender = w.sender AND message_id = w.message_id
            UNION ALL (SELECT key, message_id, first_delivery, last_delivery FROM message
                WHERE sender = w.sender AND document_id = w.document_id ORDER BY key DESC LIMIT 100)) m ON true
        LEFT JOIN LATERAL (
            SELECT id FROM delivery WHERE id BETWEEN m.first_delivery AND m.last_delivery AND message = m.key
            UNION ALL SELECT id FROM delivery WHERE message = m.key AND origin IS NOT NULL) d ON true
        ORDER BY w.place, m.key, d.id";
    /// What is asked about these deliveries, and what took their place before they were offered.
    effects: "SELECT e.delivery, e.effect, e.message, m.message_id, e.asked, o.id
        FROM effect e JOIN message m ON m.key = e.message
        LEFT JOIN delivery c ON c.id = e.carrier LEFT JOIN organ o ON o.ref = c.recipient
        WHERE e.delivery = ANY ($1::bigint[])
            AND (e.effect = 2 AND e.answer IS NULL OR e.effect = 1 AND e.asked IN (2, 3))";
    /// What these deliveries carry.
    carried: "SELECT e.carrier, e.delivery, t.message_id, t.document_id, e.asked, e.answer IS NULL
        FROM effect e JOIN message t ON t.key = e.target
        WHERE e.carrier = ANY ($1::bigint[]) ORDER BY e.delivery";
    /// Which messages are changed by which.
    insert_targets: "INSERT INTO change (message, place, named, target)
        SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::bigint[])";
    /// What that does.
    insert_effects: "INSERT INTO effect (message, delivery, target, carrier, asked, effect, state)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::smallint[], $6::smallint[],
            $7::smallint[])";
    /// What became of what was asked.
    answer: "UPDATE effect e SET answer = w.answer
        FROM unnest($1::bigint[], $2::bigint[], $3::smallint[]) AS w (message, delivery, answer)
        WHERE e.message = w.message AND e.delivery = w.delivery AND e.answer IS NULL";
    /// Requests carried by other deliveries from now on.
    carry_on: "UPDATE effect e SET carrier = w.now FROM unnest($1::bigint[], $2::bigint[]) AS w (was, now)
        WHERE e.carrier = w.was";
    /// The time of files that came after their messages' payloads were gone.
    keep_again: "UPDATE message m SET kept_since = w.time FROM unnest($1::bigint[], $2::bigint[]) AS w (key, time)
        WHERE m.key = w.key AND m.kept_since IS NULL AND m.parked IS NULL";
    /// The accounts of the organs.
    write_accounts: "UPDATE organ o SET receipt_head = w.receipt_head, open_deliveries = w.open_deliveries
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS w (ref, receipt_head, open_deliveries)
        WHERE o.ref = w.ref";
    /// Deliveries that have become ready, to be published by this node.
    put_outbox: "INSERT INTO outbox (delivery, attempt, node)
        SELECT w.delivery, w.attempt, $3::bigint FROM unnest($1::bigint[], $2::bigint[]) AS w (delivery, attempt)
        ON CONFLICT (delivery) DO UPDATE SET attempt = excluded.attempt, node = excluded.node";
    /// Deliveries the broker has, of these very attempts.
    published: "DELETE FROM outbox o USING unnest($1::bigint[], $2::bigint[]) AS w (delivery, attempt)
        WHERE o.delivery = w.delivery AND o.attempt = w.attempt";
    /// What is ready of one organ is to be published again.
    publish_again: "INSERT INTO outbox (delivery, attempt, node)
        SELECT id, attempt, $1::bigint FROM delivery
        WHERE recipient = (SELECT ref FROM organ WHERE id = $2::text) AND lane BETWEEN 0 AND 4 AND state = 0
        ON CONFLICT (delivery) DO UPDATE SET attempt = excluded.attempt, node = excluded.node";
    /// What is ready of all organs.
    publish_all_again: "INSERT INTO outbox (delivery, attempt, node)
        SELECT id, attempt, $1::bigint FROM delivery WHERE due_at IS NOT NULL AND state = 0
        ON CONFLICT (delivery) DO UPDATE SET attempt = excluded.attempt, node = excluded.node";
    /// How the duty was met, by recipient and day; a day is 86,400 s, and begins 7 h earlier than in UTC.
    count_duty: "INSERT INTO duty_day (recipient, day, due, overdue)
        SELECT d.recipient, ((d.acknowledge_by + 25200000000) / 86400000000)::integer, count(*), count(d.overdue_at)
        FROM delivery d
        WHERE d.id > $1::bigint AND d.acknowledge_by > $2::bigint AND d.acknowledge_by <= $3::bigint
            AND (d.ended_at IS NULL OR d.ended_at > d.acknowledge_by OR d.acknowledged_at IS NOT NULL)
        GROUP BY 1, 2
        ON CONFLICT (recipient, day) DO UPDATE SET due = excluded.due, overdue = excluded.overdue";
    /// Sets a durable number that is $2 to $3.
    advance_mark: "INSERT INTO mark AS m (name, value)
        SELECT $1::text, $3::bigint WHERE $2::bigint = 0 OR EXISTS (SELECT FROM mark WHERE name = $1)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE m.value = $2";
    /// An organ's endpoint, in place of the one it had.
    set_link: "INSERT INTO push_link (organ, endpoint, server_organ, server_sha256, deliveries_max, timeout_ms, receipts,
            enabled, set_at, set_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (organ) DO UPDATE SET endpoint = excluded.endpoint, server_organ = excluded.server_organ,
            server_sha256 = excluded.server_sha256, deliveries_max = excluded.deliveries_max,
            timeout_ms = excluded.timeout_ms, receipts = excluded.receipts, enabled = excluded.enabled,
            set_at = excluded.set_at, set_by = excluded.set_by, out_since = NULL, failures = 0, cause = NULL,
            reason = NULL, retry_at = NULL";
    /// The organ has none any more.
    delete_link: "DELETE FROM push_link WHERE organ = $1";
    /// How the endpoint that was registered at $2 does.
    note_link: "UPDATE push_link SET out_since = $3, failures = $4, cause = $5, reason = $6, retry_at = $7
        WHERE organ = $1 AND set_at = $2";
    /// This commit's number; none is changed when the node was taken off.
    number_batch: "UPDATE node SET last_batch = $2 WHERE id = $1";
    /// The last commit of a node, once none of it is under way any more.
    last_batch: "SELECT last_batch FROM node WHERE id = $1 FOR UPDATE";
}
