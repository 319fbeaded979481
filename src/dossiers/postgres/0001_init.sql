-- The log of dossiers on PostgreSQL, version 1. Times are microseconds since the Unix epoch, UTC, by the nodes' clocks.

-- The last numbers given. Each commit locks this one row first and writes it last, so that positions become visible in their order, without a hole,
-- whichever node gives them.
CREATE TABLE dossier_head (
    id       boolean PRIMARY KEY DEFAULT true CHECK (id), -- one row
    position bigint  NOT NULL,                            -- of events
    key      bigint  NOT NULL,                            -- of dossiers
    probes   bigint  NOT NULL DEFAULT 0                   -- written to know that it can be
) WITH (fillfactor = 10);
INSERT INTO dossier_head (position, key) VALUES (0, 0);

-- Dossiers. Their steps as far as decisions need them are packed into one value: one row is read and written for a step, whatever came before.
CREATE TABLE dossier (
    key         bigint PRIMARY KEY,           -- in the order of their first steps
    code        text   NOT NULL COLLATE "C",  -- the normal form of the code
    owner       text   NOT NULL COLLATE "C",  -- the organ of the code
    procedure   text   NOT NULL,              -- by the last step
    due_at      bigint,                       -- when it is to be done, by the last step that said so
    open_due_at bigint,                       -- the same while it is not done
    course      bytea  NOT NULL,              -- what is known of its steps
    digest      bytea  NOT NULL               -- of its steps, for comparisons
) WITH (fillfactor = 60);
CREATE UNIQUE INDEX dossier_by_code ON dossier (code);
CREATE INDEX dossier_by_owner ON dossier (owner, key);
-- What is or will be overdue. The time itself is not in it, so that steps do not change the index as long as there is one.
CREATE INDEX dossier_open ON dossier (owner, key) WHERE open_due_at IS NOT NULL;

-- What subscribers are shown, in that order. Appended to, never updated.
CREATE TABLE dossier_event (
    position bigint   PRIMARY KEY, -- without a hole
    dossier  bigint   NOT NULL,    -- dossier.key
    step     integer  NOT NULL,    -- its number in the dossier
    flags    smallint NOT NULL,    -- what is peculiar about it
    gap_from integer  NOT NULL,    -- the first of the steps missing right before it; 0 without a gap
    shown_at bigint   NOT NULL,    -- when it became visible
    body     bytea    NOT NULL     -- the step in the contract's encoding
);

-- Steps that wait for their predecessors.
CREATE TABLE dossier_held (
    dossier bigint  NOT NULL,    -- dossier.key
    step    integer NOT NULL,    -- its number in the dossier
    held_at bigint  NOT NULL,    -- when it was published
    due_at  bigint  NOT NULL,    -- when it is released
    body    bytea   NOT NULL,    -- the step in the contract's encoding
    PRIMARY KEY (dossier, step)
);
CREATE INDEX dossier_held_by_due ON dossier_held (due_at);

-- Where consumers stand. A consumer has as many rows as shares.
CREATE TABLE dossier_place (
    organ    text    NOT NULL COLLATE "C", -- the consumer's organ
    name     text    NOT NULL COLLATE "C", -- its name
    share    integer NOT NULL,             -- from 0
    shares   integer NOT NULL,             -- how many there are
    position bigint  NOT NULL,             -- the last it is done with
    filter   bytea   NOT NULL,             -- what it wants: truc.v1.DossierFilter
    PRIMARY KEY (organ, name, share)
);
