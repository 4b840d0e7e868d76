//! The read view over a connection that is inside a transaction.

use std::{
    ops::{Bound, Range},
    path::Path,
};

use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, types::Type};

use crate::model::{
    error::OpError,
    record::{Change, ChangeKind, IndexEntry, Record},
    value::BlobRef,
    view::{Access, Found, IdRange, Position, ReadView, Selection, Touched, Window},
};

use super::{blobs::Blobs, connection::explain, window};

pub(super) const RECORD: &str = "id, version, created_at, updated_at, expires_at, updated_by, body";
const CHANGE: &str = "seq, at, txn, previous, expires_at, kind, id, change, operation, actor, body";

/// SQL of a range of an index.
pub(super) const INDEX_RANGE_SQL: &str = "SELECT key, kind, id FROM entry WHERE name = ?1 AND key >= ?2 AND key <= ?3 \
                                          ORDER BY key, kind, id LIMIT ?4";
/// SQL of the last change of a record, there or gone.
pub(super) const LAST_CHANGE_SQL: &str = "SELECT version FROM record WHERE kind = ?1 AND id = ?2 \
                                          UNION ALL SELECT seq FROM tombstone WHERE kind = ?1 AND id = ?2";

/// SQL of what was changed after a seq: it reads no values, which are last in their rows.
pub(super) const TOUCHED_SQL: &str = "SELECT seq, at, kind, id FROM log WHERE seq > ?1 ORDER BY seq LIMIT ?2";

/// One consistent state.
pub(super) struct View<'c> {
    pub(super) connection: &'c Connection,
    pub(super) path: &'c Path,
    pub(super) blobs: &'c Blobs,
}

impl View<'_> {
    fn told<T>(&self, result: rusqlite::Result<T>) -> Result<T, OpError> {
        result.map_err(|error| explain(&error, self.path))
    }

    fn rows<T>(
        &self,
        sql: &str,
        parameters: &[&dyn ToSql],
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, OpError> {
        let run = || self.connection.prepare_cached(sql)?.query_map(parameters, read)?.collect();
        self.told(run())
    }

    fn row<T>(
        &self,
        sql: &str,
        parameters: &[&dyn ToSql],
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, OpError> {
        let mut read = read;
        let run = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_row(parameters, |row| read(row)).optional()
        };
        let mut run = run;
        self.told(run())
    }
}

/// SQL of a page of records of a kind. The bounds are compared as bytes, so the index serves them; a bound that may be
/// absent would not be one, so there is a text with it and one without.
pub(super) fn records_sql(range: &IdRange) -> String {
    let bounds = bounds(range, "id");
    format!("SELECT {RECORD} FROM record WHERE kind = ?1 AND {bounds} ORDER BY id LIMIT ?4")
}

/// SQL of a page of records under one key of an index.
pub(super) fn index_records_sql(range: &IdRange) -> String {
    let bounds = bounds(range, "entry.id");
    format!(
        "SELECT record.id, version, created_at, updated_at, expires_at, updated_by, body FROM entry \
         CROSS JOIN record ON record.kind = entry.kind AND record.id = entry.id \
         WHERE entry.name = ?5 AND entry.key = ?6 AND entry.kind = ?1 AND {bounds} ORDER BY entry.id LIMIT ?4"
    )
}

fn bounds(range: &IdRange, id: &str) -> String {
    let above = if matches!(range.lower, Bound::Excluded(_)) { ">" } else { ">=" };
    // Without an upper bound ?3 is still bound, to nothing.
    let below = if range.upper.is_some() { format!("{id} < ?3") } else { "?3 IS NULL".to_owned() };
    format!("{id} {above} ?2 AND {below}")
}

fn lower_text(lower: &Bound<String>) -> &str {
    match lower {
        Bound::Included(text) | Bound::Excluded(text) => text,
        Bound::Unbounded => "",
    }
}

impl ReadView for View<'_> {
    fn position(&self) -> Result<Position, OpError> {
        let read = |row: &Row<'_>| {
            Ok(Position {
                head: row.get(0)?,
                clock_ms: row.get(1)?,
                log_start: row.get(2)?,
                access: Access::from_number(row.get(3)?),
            })
        };
        let position = self.row("SELECT head, clock_ms, log_start, access FROM state", &[], read)?;
        self.told(position.ok_or(rusqlite::Error::QueryReturnedNoRows))
    }

    fn record(&self, kind: &str, id: &str) -> Result<Option<Record>, OpError> {
        self.row(
            "SELECT id, version, created_at, updated_at, expires_at, updated_by, body FROM record WHERE kind = ?1 AND id = ?2",
            &[&kind, &id],
            record,
        )
    }

    fn records(&self, kind: &str, range: &IdRange, limit: usize) -> Result<Vec<Record>, OpError> {
        let (lower, limit) = (lower_text(&range.lower), as_limit(limit));
        self.rows(&records_sql(range), &[&kind, &lower, &range.upper, &limit], record)
    }

    fn index_records(
        &self,
        at: &IndexEntry,
        kind: &str,
        range: &IdRange,
        limit: usize,
    ) -> Result<Vec<Record>, OpError> {
        let (lower, limit) = (lower_text(&range.lower), as_limit(limit));
        let sql = index_records_sql(range);
        self.rows(&sql, &[&kind, &lower, &range.upper, &limit, &at.index, &at.key], record)
    }

    fn index_range(&self, index: &str, low: &[u8], high: &[u8], limit: usize) -> Result<Vec<Found>, OpError> {
        let limit = as_limit(limit);
        let read = |row: &Row<'_>| Ok(Found { key: row.get(0)?, kind: row.get(1)?, id: row.get(2)? });
        self.rows(INDEX_RANGE_SQL, &[&index, &low, &high, &limit], read)
    }

    fn window(&self, kind: &str, selection: &Selection, start: u64, limit: usize) -> Result<Window, OpError> {
        self.told(window::window(self.connection, kind, selection, start, limit))
    }

    fn rank(&self, kind: &str, selection: &Selection, id: &str) -> Result<u64, OpError> {
        self.told(window::rank(self.connection, kind, selection, id))
    }

    fn counts(&self, index: &str, kind: &str, limit: usize) -> Result<Vec<(Vec<u8>, u64)>, OpError> {
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        self.rows(window::COUNTS_SQL, &[&index, &kind, &as_limit(limit)], read)
    }

    fn count(&self, kind: &str) -> Result<u64, OpError> {
        let count = self.row("SELECT records FROM tally WHERE kind = ?1", &[&kind], |row| row.get(0))?;
        Ok(count.unwrap_or_default())
    }

    fn last_change(&self, kind: &str, id: &str) -> Result<Option<u64>, OpError> {
        self.row(LAST_CHANGE_SQL, &[&kind, &id], |row| row.get(0))
    }

    fn change(&self, seq: u64) -> Result<Option<Change>, OpError> {
        // A seq beyond what SQLite can hold is one that does not exist.
        let Ok(seq) = i64::try_from(seq) else { return Ok(None) };
        self.row(&format!("SELECT {CHANGE} FROM log WHERE seq = ?1"), &[&seq], change)
    }

    fn changes(&self, since: u64, limit: usize) -> Result<Vec<Change>, OpError> {
        let (since, limit) = (i64::try_from(since).unwrap_or(i64::MAX), as_limit(limit));
        self.rows(&format!("SELECT {CHANGE} FROM log WHERE seq > ?1 ORDER BY seq LIMIT ?2"), &[&since, &limit], change)
    }

    fn touched(&self, since: u64, limit: usize) -> Result<Vec<Touched>, OpError> {
        let (since, limit) = (i64::try_from(since).unwrap_or(i64::MAX), as_limit(limit));
        let read =
            |row: &Row<'_>| Ok(Touched { seq: row.get(0)?, at: row.get(1)?, kind: row.get(2)?, id: row.get(3)? });
        self.rows(TOUCHED_SQL, &[&since, &limit], read)
    }

    fn blob(&self, blob: &BlobRef, range: Range<u64>) -> Result<Vec<u8>, OpError> {
        self.blobs.read(blob, range)
    }
}

fn as_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record {
        id: row.get(0)?,
        version: row.get(1)?,
        created_at: row.get(2)?,
        updated_at: row.get(3)?,
        expires_at: row.get(4)?,
        updated_by: json(row, 5)?,
        body: row.get(6)?,
    })
}

fn change(row: &Row<'_>) -> rusqlite::Result<Change> {
    let word: String = row.get(7)?;
    Ok(Change {
        seq: row.get(0)?,
        at: row.get(1)?,
        transaction: row.get(2)?,
        previous: row.get(3)?,
        expires_at: row.get(4)?,
        kind: row.get(5)?,
        id: row.get(6)?,
        change: ChangeKind::from_name(&word)
            .ok_or_else(|| rusqlite::Error::InvalidColumnType(7, word.clone(), Type::Text))?,
        operation: row.get(8)?,
        actor: json(row, 9)?,
        body: row.get(10)?,
    })
}
