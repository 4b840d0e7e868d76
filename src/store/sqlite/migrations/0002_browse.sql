-- What lists for people need: records by their last change, keys by their last writer, and counts that are kept.

-- With the id, so that a filter by name reads no record.
CREATE INDEX record_recent ON record (kind, version, id);

-- How many records are under each key of the counted indexes.
CREATE TABLE entry_tally (
    name    TEXT NOT NULL,
    kind    TEXT NOT NULL,
    key     BLOB NOT NULL,
    records INTEGER NOT NULL,
    PRIMARY KEY (name, kind, key)
) STRICT, WITHOUT ROWID;

INSERT INTO entry (name, key, kind, id)
SELECT 'writer',
       CAST((updated_by ->> 'kind') || '/' ||
            iif(updated_by ->> 'kind' = 'human' OR updated_by ->> 'client' = '',
                updated_by ->> 'principal', updated_by ->> 'client') AS BLOB),
       kind, id
FROM record
WHERE kind = 'key';

INSERT INTO entry_tally (name, kind, key, records)
SELECT name, kind, key, count(*) FROM entry WHERE name IN ('tag', 'type', 'writer') GROUP BY name, kind, key;
