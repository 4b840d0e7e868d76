-- The word index of one instance. Nothing here is the truth: deleting the file loses nothing.

CREATE TABLE state (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  seq INTEGER NOT NULL,      -- the last change of the instance's log that is taken in
  at INTEGER NOT NULL,       -- when that change was made
  remains INTEGER NOT NULL   -- words were removed since the last scrub
) STRICT;
INSERT INTO state VALUES (1, 0, 0, 0);

CREATE TABLE doc (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  version INTEGER NOT NULL
) STRICT;

-- Without the texts: what was found is read from the instance.
CREATE VIRTUAL TABLE words USING fts5(
  name, about, value, content='', contentless_delete=1,
  -- Marks belong to words: vowels are marks in many scripts.
  tokenize = "porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
);
