//! One instance: its writer, which makes groups of turns durable, and its readers.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, params};

use crate::{
    model::{
        actor::Actor,
        error::OpError,
        kind,
        record::{ChangeKind, Effect, IndexEntry},
        view::{Position, ReadView},
    },
    store::{Committed, Instance, Reader, Turn, Turns},
};

use super::{
    blobs::Blobs,
    connection::{self, Durability, explain},
    files,
    gate::{Gate, Name},
    hint::Hint,
    room::Room,
    view::View,
};

/// The writer of an instance.
pub(super) struct Writer {
    connection: Connection,
    path: PathBuf,
    blobs: Blobs,
    gate: Gate,
    room: Room,
    commits: Commits,
}

/// How commits are made and told.
pub(super) struct Commits {
    pub(super) durability: Durability,
    /// Slows each commit; only for a bench.
    pub(super) delay_ms: u64,
    /// What this process is called at the gate.
    pub(super) name: Name,
    /// Where commits are told; without it others look for themselves each second.
    pub(super) hint: Option<Arc<Hint>>,
    pub(super) slot: usize,
}

impl Writer {
    pub(super) fn open(folder: &Path, commits: Commits) -> Result<Self, OpError> {
        let connection = connection::open_writer(folder, commits.durability)?;
        let gate = Gate::open(folder, commits.name)?;
        let (path, blobs, room) = (folder.join(files::DATABASE), Blobs::of(folder), Room::of(folder));
        Ok(Self { connection, path, blobs, gate, room, commits })
    }

    fn told<T>(&self, result: rusqlite::Result<T>) -> Result<T, OpError> {
        result.map_err(|error| explain(&error, &self.path))
    }

    fn run(&self, turns: &mut dyn Turns) -> Result<Committed, OpError> {
        self.told(say(&self.connection, "BEGIN IMMEDIATE"))?;
        let outcome = self.inside(turns);
        if outcome.is_err() && !self.connection.is_autocommit() {
            // A failed COMMIT may have rolled back already: then there is nothing to take back.
            self.told(say(&self.connection, ROLLBACK))?;
        }
        outcome
    }

    fn inside(&self, turns: &mut dyn Turns) -> Result<Committed, OpError> {
        connection::refuse_newer(&self.connection, &self.path)?;
        let view = View { connection: &self.connection, path: &self.path, blobs: &self.blobs };
        let before = view.position()?;
        let mut position = before;
        let mut tally = Tally::default();
        let mut is_changed = false;
        while let Some(turn) = turns.next(&view, position) {
            if turn.done.is_empty() {
                continue;
            }
            is_changed = true;
            let first = position.head + 1;
            self.told(self.apply(&turn, &mut position, &mut tally))?;
            turns.applied(first, turn);
        }
        let changes = position.head - before.head;
        if is_changed {
            self.told(self.finish(position, &tally))?;
            if self.commits.durability == Durability::Full
                && let Err(error) = self.room.make()
            {
                tracing::debug!(%error, "cannot make room in the log of {}", self.path.display());
            }
            self.told(say(&self.connection, COMMIT))?;
        } else {
            self.told(say(&self.connection, ROLLBACK))?;
        }
        Ok(Committed { head: position.head, changes })
    }

    fn apply(&self, turn: &Turn, position: &mut Position, tally: &mut Tally) -> rusqlite::Result<()> {
        position.clock_ms = position.clock_ms.max(turn.now_ms);
        let (actor, system) = (as_json(&turn.actor)?, as_json(&Actor::system())?);
        let row = LogRow { at: turn.now_ms, txn: position.head + 1, operation: turn.operation, actor: &actor };
        // Nobody did it: whoever came by only noticed.
        let expiry = LogRow { actor: &system, ..row };
        for effect in &turn.done.effects {
            position.head += 1;
            let row = if effect.change == ChangeKind::Expired { &expiry } else { &row };
            self.log(position.head, effect, row)?;
            self.change_record(position.head, effect, row)?;
            self.change_entries(effect)?;
            tally.add(effect);
        }
        for blank in &turn.done.blanks {
            self.connection
                .prepare_cached("UPDATE log SET body = ?2 WHERE seq = ?1")?
                .execute(params![blank.seq, blank.body])?;
        }
        position.access = turn.done.access.unwrap_or(position.access);
        Ok(())
    }

    fn log(&self, seq: u64, effect: &Effect, row: &LogRow<'_>) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO log (seq, at, txn, previous, expires_at, kind, id, change, operation, actor, body) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                seq,
                row.at,
                row.txn,
                effect.previous,
                effect.expires_at,
                effect.kind,
                effect.id,
                effect.change.name(),
                row.operation,
                row.actor,
                effect.logged.as_ref().or(effect.body.as_ref()),
            ])
            .map(drop)
    }

    fn change_record(&self, seq: u64, effect: &Effect, row: &LogRow<'_>) -> rusqlite::Result<()> {
        let connection = &self.connection;
        match effect.change {
            ChangeKind::Created => {
                connection
                    .prepare_cached(
                        "INSERT INTO record (kind, id, version, created_at, updated_at, expires_at, updated_by, body) \
                         VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7)",
                    )?
                    .execute(params![effect.kind, effect.id, seq, row.at, effect.expires_at, row.actor, effect.body])?;
                if effect.previous.is_some() {
                    connection
                        .prepare_cached("DELETE FROM tombstone WHERE kind = ?1 AND id = ?2")?
                        .execute(params![effect.kind, effect.id])?;
                }
            }
            ChangeKind::Updated => {
                connection
                    .prepare_cached(
                        "UPDATE record SET version = ?3, updated_at = ?4, expires_at = ?5, updated_by = ?6, body = ?7 \
                         WHERE kind = ?1 AND id = ?2",
                    )?
                    .execute(params![effect.kind, effect.id, seq, row.at, effect.expires_at, row.actor, effect.body])?;
            }
            ChangeKind::Deleted | ChangeKind::Expired => {
                connection
                    .prepare_cached("DELETE FROM record WHERE kind = ?1 AND id = ?2")?
                    .execute(params![effect.kind, effect.id])?;
                connection
                    .prepare_cached("INSERT INTO tombstone (kind, id, seq) VALUES (?1, ?2, ?3)")?
                    .execute(params![effect.kind, effect.id, seq])?;
            }
        }
        Ok(())
    }

    fn change_entries(&self, effect: &Effect) -> rusqlite::Result<()> {
        for entry in &effect.leave {
            self.connection
                .prepare_cached("DELETE FROM entry WHERE name = ?1 AND key = ?2 AND kind = ?3 AND id = ?4")?
                .execute(params![entry.index, entry.key, effect.kind, effect.id])?;
        }
        for entry in &effect.enter {
            self.connection
                .prepare_cached("INSERT INTO entry (name, key, kind, id) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![entry.index, entry.key, effect.kind, effect.id])?;
        }
        Ok(())
    }

    fn finish(&self, position: Position, tally: &Tally) -> rusqlite::Result<()> {
        self.connection.prepare_cached("UPDATE state SET head = ?1, clock_ms = ?2, access = ?3")?.execute(params![
            position.head,
            position.clock_ms,
            position.access.number()
        ])?;
        for (kind, (records, bytes)) in &tally.records {
            self.connection
                .prepare_cached(
                    "INSERT INTO tally (kind, records, bytes) VALUES (?1, ?2, ?3) ON CONFLICT (kind) DO UPDATE \
                     SET records = records + excluded.records, bytes = bytes + excluded.bytes",
                )?
                .execute(params![kind, records, bytes])?;
        }
        for ((kind, entry), records) in tally.entries.iter().filter(|(_, records)| **records != 0) {
            self.connection
                .prepare_cached(
                    "INSERT INTO entry_tally (name, kind, key, records) VALUES (?1, ?2, ?3, ?4) \
                     ON CONFLICT (name, kind, key) DO UPDATE SET records = records + excluded.records",
                )?
                .execute(params![entry.index, kind, entry.key, records])?;
            if *records < 0 {
                self.connection
                    .prepare_cached(
                        "DELETE FROM entry_tally WHERE name = ?1 AND kind = ?2 AND key = ?3 AND records = 0",
                    )?
                    .execute(params![entry.index, kind, entry.key])?;
            }
        }
        Ok(())
    }

    /// Only for a bench that wants to see a slow disk on a fast one.
    #[expect(clippy::disallowed_methods, reason = "the delay is what was asked for")]
    fn delay(&self) {
        if self.commits.delay_ms > 0 {
            std::thread::sleep(std::time::Duration::from_millis(self.commits.delay_ms));
        }
    }
}

impl Instance for Writer {
    fn group(&mut self, turns: &mut dyn Turns) -> Result<Committed, OpError> {
        let _inside = self.gate.enter()?;
        let committed = self.run(turns);
        self.delay();
        if let Ok(Committed { head, changes: 1.. }) = &committed
            && let Some(hint) = &self.commits.hint
            && let Err(error) = hint.note(self.commits.slot, *head)
        {
            // The followers look for themselves each second.
            tracing::warn!(%error, "cannot tell other processes of a commit");
        }
        committed
    }
}

fn as_json(actor: &Actor) -> rusqlite::Result<String> {
    serde_json::to_string(actor).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// What the rows of one turn have in common.
#[derive(Clone, Copy)]
struct LogRow<'t> {
    at: i64,
    txn: u64,
    operation: &'static str,
    actor: &'t str,
}

/// By how much the counts change: of each kind, and of each key of a counted index.
#[derive(Default)]
struct Tally {
    records: BTreeMap<&'static str, (i64, i64)>,
    entries: BTreeMap<(&'static str, IndexEntry), i64>,
}

impl Tally {
    fn add(&mut self, effect: &Effect) {
        let (records, bytes) = self.records.entry(effect.kind).or_default();
        *records += effect.grown_records();
        *bytes += effect.grown_bytes;
        for (entries, by) in [(&effect.enter, 1), (&effect.leave, -1)] {
            for entry in entries.iter().filter(|entry| kind::COUNTED.contains(&entry.index)) {
                *self.entries.entry((effect.kind, entry.clone())).or_default() += by;
            }
        }
    }
}

/// A reader of an instance.
pub(super) struct SqliteReader {
    connection: Connection,
    path: PathBuf,
    blobs: Blobs,
}

impl SqliteReader {
    pub(super) fn open(folder: &Path) -> Result<Self, OpError> {
        let connection = connection::open_reader(folder)?;
        Ok(Self { connection, path: folder.join(files::DATABASE), blobs: Blobs::of(folder) })
    }
}

impl Reader for SqliteReader {
    fn read(&mut self, look: &mut dyn FnMut(&dyn ReadView)) -> Result<(), OpError> {
        let told = |error: rusqlite::Error| explain(&error, &self.path);
        say(&self.connection, "BEGIN").map_err(told)?;
        let shown = Shown(&self.connection);
        look(&View { connection: shown.0, path: &self.path, blobs: &self.blobs });
        say(shown.0, COMMIT).map_err(told)
    }
}

/// A state that is shown. If whoever looks panics, the reader is ready for the next nevertheless.
struct Shown<'c>(&'c Connection);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit()
            && let Err(error) = say(self.0, ROLLBACK)
        {
            tracing::error!(%error, "cannot end a read");
        }
    }
}

const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";

/// Begins or ends a transaction: the words are parsed once.
fn say(connection: &Connection, words: &'static str) -> rusqlite::Result<()> {
    connection.prepare_cached(words)?.execute([]).map(drop)
}
