-- The SQLite ledger, version 1. Times are microseconds since the Unix epoch, UTC.
-- Migrations only expand; what is no longer used is dropped a version later.

-- Organs that have sent or received anything; short numbers for their ids.
CREATE TABLE organ (
    ref             INTEGER PRIMARY KEY,        -- the number
    id              TEXT    NOT NULL UNIQUE,    -- the organ id, level 1 first
    receipt_head    INTEGER NOT NULL DEFAULT 0, -- the last number in its log of receipts as a sender
    open_deliveries INTEGER NOT NULL DEFAULT 0  -- deliveries for it that have not ended
);

-- Operators who decided something; short numbers for their names.
CREATE TABLE operator (
    ref  INTEGER PRIMARY KEY,        -- the number
    name TEXT    NOT NULL UNIQUE     -- the name in their certificates
);

-- Messages. What was accepted is never changed.
CREATE TABLE message (
    key            INTEGER PRIMARY KEY,  -- rises in the order of acceptance
    sender         INTEGER NOT NULL,     -- organ.ref
    message_id     TEXT    NOT NULL,     -- the sender's id for it
    lane           INTEGER NOT NULL,     -- 0 timed express, 1 express, 2 very urgent, 3 urgent, 4 normal: the order they are served in
    accepted_at    INTEGER NOT NULL,     -- when it was accepted
    expires_at     INTEGER NOT NULL,     -- when open deliveries expire
    first_delivery INTEGER NOT NULL,     -- its deliveries are numbered from here on ...
    deliveries     INTEGER NOT NULL,     -- ... this many
    content_hash   BLOB    NOT NULL,     -- SHA-256 by which a repeated submission is known
    payload_hash   BLOB    NOT NULL,     -- SHA-256 of the payload
    payload_bytes  INTEGER NOT NULL,     -- the payload's length
    document_id    TEXT,                 -- the id the sender's system gives the document, as edXML refers to it
    kept_since     INTEGER,              -- the payload goes not sooner than a set time after this; null where nothing is to go ...
    parked         INTEGER,              -- ... because this hold (hold.id) keeps it ...
    purged_at      INTEGER,              -- ... or because it is gone since then
    header         BLOB    NOT NULL      -- the header in the contract's encoding
);
CREATE UNIQUE INDEX message_by_id ON message (sender, message_id);
CREATE INDEX message_by_sender ON message (sender, key);
CREATE INDEX message_by_document ON message (sender, document_id) WHERE document_id IS NOT NULL;
CREATE INDEX message_kept ON message (kept_since) WHERE kept_since IS NOT NULL;
CREATE INDEX message_parked ON message (parked) WHERE parked IS NOT NULL;

-- Payloads, apart from the rows that stay, so that whole pages are free for others when they go.
CREATE TABLE body (
    message INTEGER PRIMARY KEY,         -- message.key
    payload BLOB    NOT NULL             -- the payload
);

-- Deliveries: one message for one recipient. The only rows that change.
CREATE TABLE delivery (
    id            INTEGER PRIMARY KEY,   -- rises in the order of acceptance
    message       INTEGER NOT NULL,      -- message.key
    sender        INTEGER NOT NULL,      -- organ.ref of the message's sender, whose log gets the receipts
    recipient     INTEGER NOT NULL,      -- organ.ref
    addressed_to  INTEGER,               -- organ.ref of the closed organ the sender wrote, where redirected
    origin        INTEGER,               -- delivery.id of the one whose place it took when that one's recipient closed
    lane          INTEGER NOT NULL,      -- as in message
    payload_bytes INTEGER NOT NULL,      -- as in message
    expires_at    INTEGER NOT NULL,      -- as in message
    state         INTEGER NOT NULL,      -- see codes.rs
    attempt       INTEGER NOT NULL,      -- how often it was offered
    hold          INTEGER,               -- what holds its lease: 0 a stream, 1 a fetch
    due_at        INTEGER,               -- when something must be done about it; null exactly when it has ended
    ended_at      INTEGER,               -- when it ended
    status        INTEGER,               -- the last business status, by its number; null while none was reported
    spared        INTEGER NOT NULL DEFAULT 0, -- attempts among those made that do not count: failed for reasons of the link, or made before a replay
    unsent        INTEGER NOT NULL DEFAULT 0, -- attempts among those made of which nothing left the gateway
    request       INTEGER,               -- what its recipient is asked and has not answered: 1 recall, 2 update, 3 replacement
    carries       INTEGER NOT NULL DEFAULT 0, -- 0 its message, 1 its message and requests about earlier ones, 2 requests only
    acknowledge_by  INTEGER NOT NULL,    -- until when it is to be acknowledged
    acknowledged_at INTEGER,             -- when it was
    overdue_at      INTEGER              -- when it was noted that it had not been in time
);
CREATE INDEX delivery_overdue ON delivery (id) WHERE overdue_at IS NOT NULL;
CREATE INDEX delivery_overdue_by_recipient ON delivery (recipient, id) WHERE overdue_at IS NOT NULL;
CREATE INDEX delivery_overdue_by_sender ON delivery (sender, id) WHERE overdue_at IS NOT NULL;
CREATE INDEX delivery_ready ON delivery (recipient, lane, id) WHERE state = 0;
CREATE INDEX delivery_due ON delivery (due_at, state) WHERE due_at IS NOT NULL;
CREATE INDEX delivery_by_recipient ON delivery (recipient, id);
CREATE INDEX delivery_dead ON delivery (id) WHERE state = 7;
CREATE INDEX delivery_dead_of ON delivery (recipient, id) WHERE state = 7;
CREATE INDEX delivery_redirected ON delivery (message) WHERE origin IS NOT NULL;

-- Receipts, each in its sender's log. Append-only.
CREATE TABLE receipt (
    sender           INTEGER NOT NULL,   -- organ.ref
    sender_sequence  INTEGER NOT NULL,   -- 1, 2, 3, ... per sender
    message          INTEGER NOT NULL,   -- message.key
    message_sequence INTEGER NOT NULL,   -- 1, 2, 3, ... per message
    delivery         INTEGER,            -- delivery.id; null where it is about the whole message
    kind             INTEGER NOT NULL,   -- see codes.rs
    time             INTEGER NOT NULL,   -- when it happened
    asserted_by      INTEGER,            -- organ.ref; below zero operator.ref with the sign changed; null for the gateway itself
    attempt          INTEGER NOT NULL,   -- the attempt; 0 where it is about none
    cause            INTEGER,            -- see codes.rs
    reason           TEXT,               -- words for people
    retry_time       INTEGER,            -- when it is offered again at the earliest
    status           INTEGER,            -- the business status reported, by its number; null where the kind is another
    noted            TEXT,               -- when it came about and who acted, as its reporter says, in JSON
    change           INTEGER,            -- message.key of the change it comes from, asks for or answers
    asked            INTEGER,            -- what that change asks, as in delivery.request
    PRIMARY KEY (sender, sender_sequence)
) WITHOUT ROWID;
CREATE UNIQUE INDEX receipt_by_message ON receipt (message, message_sequence);
CREATE INDEX receipt_of_report ON receipt (delivery) WHERE kind = 10;
CREATE INDEX receipt_of_death ON receipt (delivery) WHERE kind = 9;

-- How recipients met their duty to acknowledge, by working day.
CREATE TABLE duty_day (
    recipient INTEGER NOT NULL, -- organ.ref
    day       INTEGER NOT NULL, -- the day in Vietnam, counted from 1 January 1970
    due       INTEGER NOT NULL, -- deliveries that were to be acknowledged by its end
    overdue   INTEGER NOT NULL, -- those that were not
    PRIMARY KEY (recipient, day)
) WITHOUT ROWID;

-- Files that reports of business status came in, as their reporters wrote them. They go with their message's payload.
CREATE TABLE status_file (
    sender          INTEGER NOT NULL,    -- organ.ref, and ...
    sender_sequence INTEGER NOT NULL,    -- ... the number of the report's receipt in that sender's log
    file            BLOB    NOT NULL,    -- the file
    PRIMARY KEY (sender, sender_sequence)
);

-- Files among these that are gone.
CREATE TABLE status_file_purged (
    sender          INTEGER NOT NULL,    -- as in status_file
    sender_sequence INTEGER NOT NULL,    -- as in status_file
    PRIMARY KEY (sender, sender_sequence)
) WITHOUT ROWID;

-- Holds that operators set and released. Never removed.
CREATE TABLE hold (
    id             INTEGER PRIMARY KEY,  -- rises
    message        INTEGER,              -- message.key of the one message it keeps, or ...
    organ          INTEGER,              -- ... organ.ref of the organ whose messages, sent and received, it keeps
    set_at         INTEGER NOT NULL,     -- when it was set
    set_by         TEXT    NOT NULL,     -- by which operator
    reason         TEXT    NOT NULL,     -- why
    released_at    INTEGER,              -- when it was released; null while it holds
    released_by    TEXT,                 -- by which operator
    release_reason TEXT                  -- why
);
CREATE INDEX hold_of_message ON hold (message) WHERE message IS NOT NULL AND released_at IS NULL;
CREATE INDEX hold_of_organ ON hold (organ) WHERE organ IS NOT NULL AND released_at IS NULL;

-- Which messages change which earlier ones of their sender.
CREATE TABLE change (
    message INTEGER NOT NULL,            -- message.key of the recall, update or replacement
    place   INTEGER NOT NULL,            -- 0, 1, 2, ... per message
    named   TEXT    NOT NULL,            -- the earlier message as the sender named it
    target  INTEGER,                     -- message.key of it; null where there is none
    PRIMARY KEY (message, place)
) WITHOUT ROWID;
CREATE INDEX change_of_target ON change (target) WHERE target IS NOT NULL;

-- What they did to the deliveries of those.
CREATE TABLE effect (
    message  INTEGER NOT NULL,           -- message.key of the change
    delivery INTEGER NOT NULL,           -- delivery.id of the earlier delivery
    target   INTEGER NOT NULL,           -- message.key of the earlier message
    asked    INTEGER NOT NULL,           -- what it wanted, as in delivery.request
    effect   INTEGER NOT NULL,           -- 1 cancelled, 2 asked, 3 nothing
    state    INTEGER NOT NULL,           -- the state it found the delivery in
    carrier  INTEGER,                    -- delivery.id of the delivery by which the recipient is asked
    answer   INTEGER,                    -- 1 agreed, 2 refused, 3 lapsed; null while a request is open, or where none was made
    PRIMARY KEY (message, delivery)
) WITHOUT ROWID;
CREATE INDEX effect_on_delivery ON effect (delivery);
CREATE INDEX effect_carried ON effect (carrier) WHERE carrier IS NOT NULL;

-- Single facts: `probe` is rewritten by the check that the ledger can write.
CREATE TABLE fact (
    name  TEXT PRIMARY KEY, -- which
    value TEXT NOT NULL     -- its value
) WITHOUT ROWID;

-- Endpoints that organs have registered, to be brought their mail. At most one an organ.
CREATE TABLE push_link (
    organ         TEXT    PRIMARY KEY,   -- the organ id; the organ need not have sent or received anything
    endpoint      TEXT    NOT NULL,      -- https://host:port
    server_organ  TEXT,                  -- the organ id its certificate must name, or ...
    server_sha256 BLOB,                  -- ... the SHA-256 of its certificate
    deliveries_max INTEGER NOT NULL,     -- most deliveries brought at a time
    timeout_ms    INTEGER NOT NULL,      -- how long one call may take
    receipts      INTEGER NOT NULL,      -- 1 when receipts are brought too
    enabled       INTEGER NOT NULL,      -- 1 when anything is
    set_at        INTEGER NOT NULL,      -- when it was registered so
    set_by        TEXT    NOT NULL,      -- by whom: an organ id, or `operator:NAME`
    out_since     INTEGER,               -- since when the endpoint takes nothing; null while it does
    failures      INTEGER NOT NULL DEFAULT 0, -- how often it was tried in vain since
    cause         INTEGER,               -- why, see codes.rs
    reason        TEXT,                  -- the same in words
    retry_at      INTEGER                -- when it is tried again
) WITHOUT ROWID;
