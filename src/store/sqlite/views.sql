-- What `mindcache sql` shows: a table for each kind of record, and what happened. In memory, made anew each time.

CREATE TEMP VIEW keys AS
SELECT id AS key,
       json_extract(body, '$.type') AS type,
       json_extract(body, '$.value.inline') AS value, -- base64 for images and files; nothing where it is a file
       coalesce(json_extract(body, '$.value.blob.bytes'), length(CAST(json_extract(body, '$.value.inline') AS BLOB)))
           AS stored_bytes,
       json_extract(body, '$.content_type') AS content_type,
       version,
       coalesce(json_extract(body, '$.tags'), '[]') AS tags,
       json_extract(body, '$.system_tags') AS system_tags,
       coalesce(json_extract(body, '$.z_index'), 0) AS z_index,
       json_extract(body, '$.description') AS description,
       strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', updated_at / 1000.0, 'unixepoch') AS updated_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', expires_at / 1000.0, 'unixepoch') AS expires_at,
       json_extract(updated_by, '$.principal') AS updated_by_principal,
       json_extract(updated_by, '$.client') AS updated_by_client
FROM main.record
WHERE kind = 'key' AND (expires_at IS NULL OR expires_at > CAST(unixepoch('subsec') * 1000 AS INTEGER));

CREATE TEMP VIEW key_tags AS
SELECT entry.id AS key, CAST(entry.key AS TEXT) AS tag
FROM main.entry JOIN temp.keys ON keys.key = entry.id WHERE entry.name = 'tag' AND entry.kind = 'key';

CREATE TEMP VIEW changes AS
SELECT seq,
       strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS at,
       txn, kind, id, change, operation,
       json_extract(actor, '$.principal') AS principal,
       json_extract(actor, '$.client') AS client,
       json_extract(body, '$.value.inline') AS value
FROM main.log
WHERE kind NOT IN ($internal);

CREATE TEMP VIEW instances AS
SELECT id,
       json_extract(body, '$.name') AS name,
       json_extract(body, '$.parent') AS parent,
       json_extract(body, '$.note') AS note,
       json_extract(body, '$.read_only') AS read_only,
       json_extract(body, '$.deleted_at') AS deleted_at_ms
FROM main.record
WHERE kind = 'instance';
