-- The store of one instance. STRICT costs nothing; page_size stays 4096, the smallest WAL per write.

CREATE TABLE state (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    head      INTEGER NOT NULL, -- seq of the last change
    clock_ms  INTEGER NOT NULL, -- latest time seen: no later turn runs before it
    log_start INTEGER NOT NULL, -- seq of the oldest row that the log still holds whole
    access    INTEGER NOT NULL  -- 0 open, 1 read-only, 2 deleted
) STRICT;
INSERT INTO state VALUES (1, 0, 0, 1, 0);

-- What exists. A rowid table: bodies over 200 bytes would make WITHOUT ROWID twice as dear.
-- `body` is last: a column behind a long one is read through its overflow pages.
CREATE TABLE record (
    rowid      INTEGER PRIMARY KEY,
    kind       TEXT NOT NULL,
    id         TEXT NOT NULL,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER,
    updated_by TEXT NOT NULL,
    body       TEXT NOT NULL,
    UNIQUE (kind, id)
) STRICT;

-- The declared indexes of all kinds: which record is found under which key of which index.
CREATE TABLE entry (
    name TEXT NOT NULL,
    key  BLOB NOT NULL,
    kind TEXT NOT NULL,
    id   TEXT NOT NULL,
    PRIMARY KEY (name, key, kind, id)
) STRICT, WITHOUT ROWID;

-- The ordered change log. `previous` chains the changes of one record, so its history needs no index.
CREATE TABLE log (
    seq        INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    txn        INTEGER NOT NULL,
    previous   INTEGER,
    expires_at INTEGER,
    kind       TEXT NOT NULL,
    id         TEXT NOT NULL,
    change     TEXT NOT NULL,
    operation  TEXT NOT NULL,
    actor      TEXT NOT NULL,
    body       TEXT
) STRICT;

-- Where the chain of a record that is gone begins.
CREATE TABLE tombstone (
    kind TEXT NOT NULL,
    id   TEXT NOT NULL,
    seq  INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

-- Counts are kept, never computed per request.
CREATE TABLE tally (
    kind    TEXT PRIMARY KEY,
    records INTEGER NOT NULL,
    bytes   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
