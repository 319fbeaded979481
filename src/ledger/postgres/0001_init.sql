-- The PostgreSQL ledger, version 1. Times are microseconds since the Unix epoch, UTC, by the nodes' clocks, unless they are
-- of type timestamptz: those are by the database's clock. Migrations only expand; what is no longer used is dropped a
-- version later.

-- Gateway nodes at work. Who is silent too long is taken off; its unpublished deliveries are then everybody's, what its streams
-- held is ready again, and it can commit nothing any more.
CREATE TABLE node (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- given anew each time a node joins
    name       text        NOT NULL,                                 -- the operator's name for it
    joined_at  timestamptz NOT NULL DEFAULT clock_timestamp(),       -- when it joined
    seen_at    timestamptz NOT NULL DEFAULT clock_timestamp(),       -- when it was last heard of
    last_batch bigint      NOT NULL DEFAULT 0                        -- its last commit, to know what became of one without an answer
) WITH (fillfactor = 20);

-- Organs that have sent or received anything; short numbers for their ids. Each commit locks the rows of the senders
-- and recipients it concerns, in the order of the numbers, before it takes numbers for what it writes.
CREATE TABLE organ (
    ref             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- the number
    id              text   NOT NULL UNIQUE,                          -- the organ id, level 1 first
    receipt_head    bigint NOT NULL DEFAULT 0,                       -- the last number in its log of receipts as a sender
    open_deliveries bigint NOT NULL DEFAULT 0                        -- deliveries for it that have not ended
) WITH (fillfactor = 50);

-- Operators who decided something; short numbers for their names.
CREATE TABLE operator (
    ref  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- the number
    name text   NOT NULL UNIQUE                           -- the name in their certificates
);

-- Numbers of messages and deliveries. Of one sender, and of one recipient, they rise in the order of the commits; in between
-- numbers may be left out.
CREATE SEQUENCE message_key;
CREATE SEQUENCE delivery_id;

-- Messages. What was accepted is never changed.
CREATE TABLE message (
    key            bigint   PRIMARY KEY, -- from message_key
    sender         bigint   NOT NULL,    -- organ.ref
    accepted_at    bigint   NOT NULL,    -- when it was accepted
    expires_at     bigint   NOT NULL,    -- when open deliveries expire
    first_delivery bigint   NOT NULL,    -- the first of its deliveries ...
    last_delivery  bigint   NOT NULL,    -- ... and the last; others' may lie in between
    payload_bytes  bigint   NOT NULL,    -- the payload's length
    lane           smallint NOT NULL,    -- 0 timed express, 1 express, 2 very urgent, 3 urgent, 4 normal: the order they are served in
    message_id     text     NOT NULL COLLATE "C", -- the sender's id for it
    document_id    text     COLLATE "C", -- the id the sender's system gives the document, as edXML refers to it
    content_hash   bytea    NOT NULL,    -- SHA-256 by which a repeated submission is known
    payload_hash   bytea    NOT NULL,    -- SHA-256 of the payload
    kept_since     bigint,               -- the payload goes not sooner than a set time after this; null where nothing is to go ...
    parked         bigint,               -- ... because this hold (hold.id) keeps it ...
    purged_at      bigint,               -- ... or because it is gone since then
    header         bytea    NOT NULL     -- the header in the contract's encoding
) WITH (toast_tuple_target = 8160);
ALTER TABLE message ALTER COLUMN header SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX message_by_id ON message (sender, message_id);
CREATE INDEX message_by_sender ON message (sender, key);
CREATE INDEX message_by_document ON message (sender, document_id) WHERE document_id IS NOT NULL;
CREATE INDEX message_kept ON message (kept_since) WHERE kept_since IS NOT NULL;
CREATE INDEX message_parked ON message (parked) WHERE parked IS NOT NULL;

-- Payloads, apart from the rows that stay. Vacuumed when a fiftieth of them has gone, so that the space of what goes each day is
-- that of what comes the next.
CREATE TABLE body (
    message bigint PRIMARY KEY, -- message.key
    payload bytea  NOT NULL     -- the payload
) WITH (toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_scale_factor = 0.02);
-- Payloads are archives and images mostly; what can be compressed is not worth the time.
ALTER TABLE body ALTER COLUMN payload SET STORAGE EXTERNAL;

-- Deliveries: one message for one recipient. The only rows of traffic that change.
CREATE TABLE delivery (
    id            bigint   PRIMARY KEY, -- from delivery_id
    message       bigint   NOT NULL,    -- message.key
    sender        bigint   NOT NULL,    -- organ.ref of the message's sender, whose log gets the receipts
    recipient     bigint   NOT NULL,    -- organ.ref
    addressed_to  bigint,               -- organ.ref of the closed organ the sender wrote, where redirected
    origin        bigint,               -- delivery.id of the one whose place it took when that one's recipient closed
    payload_bytes bigint   NOT NULL,    -- as in message
    expires_at    bigint   NOT NULL,    -- as in message
    attempt       bigint   NOT NULL,    -- how often it was offered
    due_at        bigint,               -- when something must be done about it; null exactly when it has ended
    ended_at      bigint,               -- when it ended
    holder        bigint,               -- node.id of the node on whose stream it is; null when on none
    receipt_sequence bigint,            -- the number of its message's last receipt; null where the message has several deliveries ...
    receipt_time  bigint,               -- ... and that receipt's time
    lane          smallint NOT NULL,    -- as in message
    state         smallint NOT NULL,    -- 0 queued, 1 in flight, 2 waiting, 3 delivered, 4 rejected, 5 expired, 6 cancelled, 7 dead, 8 redirected
    hold          smallint,             -- what holds its lease: 0 a stream, 1 a fetch, 2 the recipient's own queue
    status        smallint,             -- the last business status, by its number; null while none was reported
    spared        bigint   NOT NULL DEFAULT 0, -- attempts among those made that do not count: failed for reasons of the link, or made before a replay
    unsent        bigint   NOT NULL DEFAULT 0, -- attempts among those made of which nothing left the gateway
    request       smallint,             -- what its recipient is asked and has not answered: 1 recall, 2 update, 3 replacement
    carries       smallint NOT NULL,    -- 0 its message, 1 its message and requests about earlier ones, 2 requests only
    acknowledge_by  bigint NOT NULL,    -- until when it is to be acknowledged
    acknowledged_at bigint,             -- when it was
    overdue_at      bigint              -- when it was noted that it had not been in time
) WITH (fillfactor = 70);
CREATE INDEX delivery_ready ON delivery (recipient, lane, id) WHERE state = 0;
CREATE INDEX delivery_due ON delivery (due_at, state) WHERE due_at IS NOT NULL;
CREATE INDEX delivery_by_recipient ON delivery (recipient, id);
CREATE INDEX delivery_dead ON delivery (id) WHERE state = 7;
CREATE INDEX delivery_dead_of ON delivery (recipient, id) WHERE state = 7;
CREATE INDEX delivery_redirected ON delivery (message) WHERE origin IS NOT NULL;
CREATE INDEX delivery_overdue ON delivery (id) WHERE overdue_at IS NOT NULL;
CREATE INDEX delivery_overdue_by_recipient ON delivery (recipient, id) WHERE overdue_at IS NOT NULL;
CREATE INDEX delivery_overdue_by_sender ON delivery (sender, id) WHERE overdue_at IS NOT NULL;
CREATE INDEX delivery_on_stream ON delivery (holder) WHERE hold = 0;
CREATE INDEX delivery_in_queue ON delivery (recipient, due_at) WHERE hold = 2;

-- Receipts, each in its sender's log. Append-only.
CREATE TABLE receipt (
    sender           bigint   NOT NULL, -- organ.ref
    sender_sequence  bigint   NOT NULL, -- 1, 2, 3, ... per sender
    message          bigint   NOT NULL, -- message.key
    message_sequence bigint   NOT NULL, -- 1, 2, 3, ... per message
    delivery         bigint,            -- delivery.id; null where it is about the whole message
    time             bigint   NOT NULL, -- when it happened
    asserted_by      bigint,            -- organ.ref; below zero operator.ref with the sign changed; null for the gateway itself
    attempt          bigint   NOT NULL, -- the attempt; 0 where it is about none
    retry_time       bigint,            -- when it is offered again at the earliest
    kind             smallint NOT NULL, -- 1 accepted, 2 redirected, 3 offered, 4 deferred, 5 delivered, 6 rejected, 7 expired, 8 cancelled, 9 dead, 10 status, 11 requested, 12 lapsed, 14 purged, 15 held, 16 released, 17 replayed, 18 overdue
    cause            smallint,          -- 1 recipient deferred, 2 lease expired, 3 disconnected, 4 gateway restarted, 5 attempts exhausted, 6 queue refused, 7 recipient closed,
                                        -- 10 push unreachable, 11 push timed out, 12 push failed, 13 push refused, 14 push link refused, 20 discarded
    status           smallint,          -- the business status reported, by its number; null where the kind is another
    reason           bytea,             -- words for people, UTF-8; no text, which cannot hold every character
    noted            text,              -- when it came about and who acted, as its reporter says, in JSON
    change           bigint,            -- message.key of the change it comes from, asks for or answers
    asked            smallint,          -- what that change asks, as in delivery.request
    PRIMARY KEY (sender, sender_sequence)
);
CREATE UNIQUE INDEX receipt_by_message ON receipt (message, message_sequence);
CREATE INDEX receipt_of_report ON receipt (delivery) WHERE kind = 10;
CREATE INDEX receipt_of_death ON receipt (delivery) WHERE kind = 9;

-- How recipients met their duty to acknowledge, by working day.
CREATE TABLE duty_day (
    recipient bigint  NOT NULL, -- organ.ref
    day       integer NOT NULL, -- the day in Vietnam, counted from 1 January 1970
    due       bigint  NOT NULL, -- deliveries that were to be acknowledged by its end
    overdue   bigint  NOT NULL, -- those that were not
    PRIMARY KEY (recipient, day)
);

-- Files that reports of business status came in, as their reporters wrote them. They go with their message's payload.
CREATE TABLE status_file (
    sender          bigint NOT NULL, -- organ.ref, and ...
    sender_sequence bigint NOT NULL, -- ... the number of the report's receipt in that sender's log
    file            bytea  NOT NULL, -- the file
    PRIMARY KEY (sender, sender_sequence)
);

-- Files among these that are gone.
CREATE TABLE status_file_purged (
    sender          bigint NOT NULL, -- as in status_file
    sender_sequence bigint NOT NULL, -- as in status_file
    PRIMARY KEY (sender, sender_sequence)
);

-- Holds that operators set and released. Never removed.
CREATE TABLE hold (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- rises
    message        bigint,          -- message.key of the one message it keeps, or ...
    organ          bigint,          -- ... organ.ref of the organ whose messages, sent and received, it keeps
    set_at         bigint NOT NULL, -- when it was set
    set_by         text   NOT NULL, -- by which operator
    reason         bytea  NOT NULL, -- why, UTF-8
    released_at    bigint,          -- when it was released; null while it holds
    released_by    text,            -- by which operator
    release_reason bytea            -- why, UTF-8
);
CREATE INDEX hold_of_message ON hold (message) WHERE message IS NOT NULL AND released_at IS NULL;
CREATE INDEX hold_of_organ ON hold (organ) WHERE organ IS NOT NULL AND released_at IS NULL;

-- Which messages change which earlier ones of their sender.
CREATE TABLE change (
    message bigint   NOT NULL,          -- message.key of the recall, update or replacement
    place   smallint NOT NULL,          -- 0, 1, 2, ... per message
    named   text     NOT NULL,          -- the earlier message as the sender named it
    target  bigint,                     -- message.key of it; null where there is none
    PRIMARY KEY (message, place)
);
CREATE INDEX change_of_target ON change (target) WHERE target IS NOT NULL;

-- What they did to the deliveries of those.
CREATE TABLE effect (
    message  bigint   NOT NULL,         -- message.key of the change
    delivery bigint   NOT NULL,         -- delivery.id of the earlier delivery
    target   bigint   NOT NULL,         -- message.key of the earlier message
    carrier  bigint,                    -- delivery.id of the delivery by which the recipient is asked
    asked    smallint NOT NULL,         -- what it wanted, as in delivery.request
    effect   smallint NOT NULL,         -- 1 cancelled, 2 asked, 3 nothing
    state    smallint NOT NULL,         -- the state it found the delivery in
    answer   smallint,                  -- 1 agreed, 2 refused, 3 lapsed; null while a request is open, or where none was made
    PRIMARY KEY (message, delivery)
);
CREATE INDEX effect_on_delivery ON effect (delivery);
CREATE INDEX effect_carried ON effect (carrier) WHERE carrier IS NOT NULL;

-- Deliveries that became ready and that the broker has not confirmed to have.
CREATE TABLE outbox (
    delivery bigint PRIMARY KEY, -- delivery.id
    attempt  bigint NOT NULL,    -- how often it had been offered when it became ready
    node     bigint NOT NULL     -- node.id of the node that is to publish it; everybody's when that node is gone
);

-- Durable numbers that others than the ledger keep in it.
CREATE TABLE mark (
    name  text   PRIMARY KEY, -- which
    value bigint NOT NULL     -- its value
);

-- Single facts: `outbox` says whether one is kept.
CREATE TABLE fact (
    name  text PRIMARY KEY, -- which
    value text NOT NULL     -- its value
);

-- Endpoints that organs have registered, to be brought their mail. At most one an organ.
CREATE TABLE push_link (
    organ         text     PRIMARY KEY, -- the organ id; the organ need not have sent or received anything
    endpoint      text     NOT NULL,    -- https://host:port
    server_organ  text,                 -- the organ id its certificate must name, or ...
    server_sha256 bytea,                -- ... the SHA-256 of its certificate
    deliveries_max bigint NOT NULL,     -- most deliveries brought at a time
    timeout_ms    bigint   NOT NULL,    -- how long one call may take
    receipts      boolean  NOT NULL,    -- whether receipts are brought too
    enabled       boolean  NOT NULL,    -- whether anything is
    set_at        bigint   NOT NULL,    -- when it was registered so
    set_by        text     NOT NULL,    -- by whom: an organ id, or `operator:NAME`
    out_since     bigint,               -- since when the endpoint takes nothing; null while it does
    failures      bigint   NOT NULL DEFAULT 0, -- how often it was tried in vain since
    cause         smallint,             -- why, as in receipt
    reason        bytea,                -- the same in words, UTF-8
    retry_at      bigint                -- when it is tried again
);
