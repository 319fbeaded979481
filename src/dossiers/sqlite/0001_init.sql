-- The log of dossiers on SQLite, version 1. Times are microseconds since the Unix epoch, UTC.

-- Dossiers. Their steps as far as decisions need them are packed into one value: one row is read and written for a step, whatever came before.
CREATE TABLE dossier (
    key         INTEGER PRIMARY KEY, -- in the order of their first steps
    code        TEXT    NOT NULL,    -- the normal form of the code
    owner       TEXT    NOT NULL,    -- the organ of the code
    procedure   TEXT    NOT NULL,    -- by the last step
    due_at      INTEGER,             -- when it is to be done, by the last step that said so
    open_due_at INTEGER,             -- the same while it is not done
    course      BLOB    NOT NULL,    -- what is known of its steps
    digest      BLOB    NOT NULL     -- of its steps, for comparisons
);
CREATE UNIQUE INDEX dossier_by_code ON dossier (code);
CREATE INDEX dossier_by_owner ON dossier (owner, key);
-- What is or will be overdue.
CREATE INDEX dossier_open ON dossier (owner, key, open_due_at) WHERE open_due_at IS NOT NULL;

-- What subscribers are shown, in that order. Appended to, never updated.
CREATE TABLE event (
    position INTEGER PRIMARY KEY, -- without a hole
    dossier  INTEGER NOT NULL,    -- dossier.key
    step     INTEGER NOT NULL,    -- its number in the dossier
    flags    INTEGER NOT NULL,    -- what is peculiar about it
    gap_from INTEGER NOT NULL,    -- the first of the steps missing right before it; 0 without a gap
    shown_at INTEGER NOT NULL,    -- when it became visible
    body     BLOB    NOT NULL     -- the step in the contract's encoding
);

-- Steps that wait for their predecessors.
CREATE TABLE held (
    dossier INTEGER NOT NULL,    -- dossier.key
    step    INTEGER NOT NULL,    -- its number in the dossier
    held_at INTEGER NOT NULL,    -- when it was published
    due_at  INTEGER NOT NULL,    -- when it is released
    body    BLOB    NOT NULL,    -- the step in the contract's encoding
    PRIMARY KEY (dossier, step)
) WITHOUT ROWID;
CREATE INDEX held_by_due ON held (due_at);

-- Where consumers stand. A consumer has as many rows as shares.
CREATE TABLE place (
    organ    TEXT    NOT NULL,   -- the consumer's organ
    name     TEXT    NOT NULL,   -- its name
    share    INTEGER NOT NULL,   -- from 0
    shares   INTEGER NOT NULL,   -- how many there are
    position INTEGER NOT NULL,   -- the last it is done with
    filter   BLOB    NOT NULL,   -- what it wants: truc.v1.DossierFilter
    PRIMARY KEY (organ, name, share)
) WITHOUT ROWID;

-- Written to know that it can be.
CREATE TABLE probe (
    id    INTEGER PRIMARY KEY CHECK (id = 1), -- one row
    count INTEGER NOT NULL                    -- how often
);
