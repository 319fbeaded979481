-- The SQLite ledger, version 2: what a broker outside the gateway has not confirmed.

-- Deliveries that became ready and that the broker has not confirmed to have.
CREATE TABLE outbox (
    delivery INTEGER PRIMARY KEY, -- delivery.id
    attempt  INTEGER NOT NULL     -- how often it had been offered when it became ready
);

-- Deliveries in their recipients' own queues, by the end of their lease.
CREATE INDEX delivery_in_queue ON delivery (recipient, due_at) WHERE hold = 2;

-- Durable numbers that others than the ledger keep in it.
CREATE TABLE mark (
    name  TEXT PRIMARY KEY, -- which
    value INTEGER NOT NULL  -- its value
) WITHOUT ROWID;
