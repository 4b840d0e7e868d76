//! The word index on FTS5: a table without the texts, and one that maps ids to its rows.

mod place;

use std::{path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Transaction, TransactionBehavior, params};

use crate::{
    model::{
        error::OpError,
        search::{Document, Entry, Hit, Slice, Stand, Term},
    },
    store::search::{ReadOn, Search},
};

use super::connection::explain;
use place::Place;

pub(super) use place::{exists, forget};

/// How long a reader waits for another connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long emptying the WAL waits for readers.
const READERS: Duration = Duration::from_millis(50);

/// SQL of the best rows: a word in the name counts most, then one in the tags or the description.
const FIND_SQL: &str = "SELECT doc.id, doc.version, found.score FROM \
                        (SELECT rowid AS number, bm25(words, 8.0, 4.0, 1.0) AS score FROM words WHERE words MATCH ?1 \
                        ORDER BY score, rowid LIMIT ?3 OFFSET ?2) AS found \
                        CROSS JOIN doc ON doc.number = found.number ORDER BY found.score, doc.id";

/// The index of one instance.
pub(super) struct SqliteSearch {
    place: Place,
}

impl SqliteSearch {
    pub(super) fn open(folder: &Path) -> Result<Self, OpError> {
        place::open(folder).map(|place| Self { place })
    }

    fn told<T>(&self, result: rusqlite::Result<T>) -> Result<T, OpError> {
        result.map_err(|error| explain(&error, &self.place.path))
    }
}

impl Search for SqliteSearch {
    fn stand(&mut self) -> Result<Stand, OpError> {
        self.told(stand(&self.place.connection))
    }

    fn take(&mut self, wait: Duration, read_on: &mut ReadOn<'_>) -> Result<Option<Stand>, OpError> {
        let Place { connection, path, .. } = &mut self.place;
        let told = |error: rusqlite::Error| explain(&error, path);
        connection.busy_timeout(wait).map_err(told)?;
        let taken = take(connection, path, read_on);
        connection.busy_timeout(PATIENCE).map_err(told)?;
        taken
    }

    fn find(&mut self, terms: &[Term], skip: usize, limit: usize) -> Result<Vec<Hit>, OpError> {
        if terms.is_empty() {
            return Ok(Vec::new());
        }
        let find = || -> rusqlite::Result<Vec<Hit>> {
            let mut statement = self.place.connection.prepare_cached(FIND_SQL)?;
            let rows = statement.query_map(params![expression(terms), skip, limit], |row| {
                // FTS5 says the better, the less.
                Ok(Hit { id: row.get(0)?, version: row.get(1)?, score: -row.get::<_, f64>(2)? })
            })?;
            rows.collect()
        };
        self.told(find())
    }

    fn has_remains(&mut self) -> Result<bool, OpError> {
        self.told(self.place.connection.query_row("SELECT remains FROM state", [], |row| row.get(0)))
    }

    fn bytes(&mut self) -> Result<u64, OpError> {
        let sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
        self.told(self.place.connection.query_row(sql, [], |row| row.get(0)))
    }

    fn scrub(&mut self) -> Result<bool, OpError> {
        // Removing a row leaves its words in the segments until they are merged, and then in pages of the WAL.
        let scrub = |connection: &Connection| -> rusqlite::Result<bool> {
            connection.execute_batch(
                "BEGIN IMMEDIATE; INSERT INTO words (words) VALUES ('optimize'); UPDATE state SET remains = 0; COMMIT",
            )?;
            connection.busy_timeout(READERS)?;
            let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
            let is_empty = connection.query_row(checkpoint, [], |row| row.get::<_, i64>(0).map(|busy| busy == 0))?;
            if !is_empty {
                connection.execute_batch("UPDATE state SET remains = 1")?;
            }
            connection.busy_timeout(PATIENCE)?;
            Ok(is_empty)
        };
        let scrubbed = scrub(&self.place.connection);
        if scrubbed.is_err() && !self.place.connection.is_autocommit() {
            self.told(self.place.connection.execute_batch("ROLLBACK"))?;
        }
        self.told(scrubbed)
    }
}

fn take(connection: &mut Connection, path: &Path, read_on: &mut ReadOn<'_>) -> Result<Option<Stand>, OpError> {
    let told = |error: rusqlite::Error| explain(&error, path);
    let transaction = match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
        Ok(transaction) => transaction,
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => return Ok(None),
        Err(error) => return Err(told(error)),
    };
    let from = stand(&transaction).map_err(told)?;
    let slice = read_on(from, &|id| row_of(&transaction, id).ok().flatten().map(|(_, version)| version))?;
    apply(&transaction, &slice).map_err(told)?;
    transaction.commit().map_err(told)?;
    Ok(Some(slice.stand))
}

fn apply(transaction: &Transaction<'_>, slice: &Slice) -> rusqlite::Result<()> {
    if slice.anew {
        clear(transaction)?;
    }
    for entry in &slice.entries {
        match entry {
            Entry::Put(document) => put(transaction, document)?,
            Entry::Gone(id) => remove(transaction, id)?,
        }
    }
    let mut state = transaction.prepare_cached("UPDATE state SET seq = ?1, at = ?2")?;
    state.execute(params![slice.stand.seq, slice.stand.at]).map(drop)
}

fn stand(connection: &Connection) -> rusqlite::Result<Stand> {
    connection
        .prepare_cached("SELECT seq, at FROM state")?
        .query_row([], |row| Ok(Stand { seq: row.get(0)?, at: row.get(1)? }))
}

fn clear(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction
        .execute_batch("DELETE FROM doc; INSERT INTO words (words) VALUES ('delete-all'); UPDATE state SET remains = 1")
}

fn row_of(transaction: &Transaction<'_>, id: &str) -> rusqlite::Result<Option<(i64, u64)>> {
    transaction
        .prepare_cached("SELECT number, version FROM doc WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

fn put(transaction: &Transaction<'_>, document: &Document) -> rusqlite::Result<()> {
    remove(transaction, &document.id)?;
    let mut row = transaction.prepare_cached("INSERT INTO doc (id, version) VALUES (?1, ?2)")?;
    let number = row.insert(params![document.id, document.version])?;
    let mut words =
        transaction.prepare_cached("INSERT INTO words (rowid, name, about, value) VALUES (?1, ?2, ?3, ?4)")?;
    words.execute(params![number, document.name, document.about, document.value]).map(drop)
}

fn remove(transaction: &Transaction<'_>, id: &str) -> rusqlite::Result<()> {
    let Some((number, _)) = row_of(transaction, id)? else { return Ok(()) };
    transaction.prepare_cached("DELETE FROM words WHERE rowid = ?1")?.execute([number])?;
    transaction.prepare_cached("DELETE FROM doc WHERE number = ?1")?.execute([number])?;
    transaction.prepare_cached("UPDATE state SET remains = 1 WHERE remains = 0")?.execute([]).map(drop)
}

/// Any of the words, each quoted: FTS5 knows operators, and takes words together as all of them.
fn expression(terms: &[Term]) -> String {
    let quoted = |term: &Term| {
        let star = if term.is_prefix { "*" } else { "" };
        format!("\"{}\"{star}", term.word.replace('"', "\"\""))
    };
    terms.iter().map(quoted).collect::<Vec<_>>().join(" OR ")
}

#[cfg(test)]
mod tests;
