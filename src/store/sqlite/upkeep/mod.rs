//! Upkeep of one instance on a connection of its own, so that its writer is never held up by more than a slice.

mod collect;
mod trim;

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rusqlite::{Connection, TransactionBehavior};

use crate::{
    model::error::OpError,
    store::upkeep::{Retention, Upkeep},
};

use super::{
    connection::{self, Durability, explain},
    files,
    gate::{Gate, Name},
};

/// How long emptying the WAL waits for readers, who need microseconds; writers wait meanwhile.
const READERS: Duration = Duration::from_millis(50);
/// How long anything else waits, as everywhere.
const PATIENCE: Duration = Duration::from_secs(5);

/// Upkeep of one instance.
pub(super) struct SqliteUpkeep {
    connection: Connection,
    folder: PathBuf,
    path: PathBuf,
    gate: Gate,
    /// The last seq beyond the bound in bytes: it takes a look at the whole log, so it is found once.
    over_bytes: Option<u64>,
}

impl SqliteUpkeep {
    pub(super) fn open(folder: &Path, durability: Durability, name: Name) -> Result<Self, OpError> {
        let connection = connection::open_writer(folder, durability)?;
        let gate = Gate::open(folder, name)?;
        Ok(Self { connection, folder: folder.to_owned(), path: folder.join(files::DATABASE), gate, over_bytes: None })
    }

    fn told<T>(&self, result: rusqlite::Result<T>) -> Result<T, OpError> {
        result.map_err(|error| explain(&error, &self.path))
    }

    /// Works as a writer does: at the gate, in one transaction, which `work` commits or leaves to be taken back.
    fn inside<T>(
        &mut self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, OpError> {
        let told = |error: rusqlite::Error| explain(&error, &self.path);
        let _inside = self.gate.enter()?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(told)?;
        connection::refuse_newer(&transaction, &self.path)?;
        let done = work(&transaction).map_err(told)?;
        transaction.commit().map_err(told)?;
        Ok(done)
    }

    /// Whether the checkpoint came to its end.
    fn checkpoint(&self, how: &str) -> rusqlite::Result<bool> {
        self.connection
            .query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |row| row.get::<_, i64>(0).map(|busy| busy == 0))
    }
}

impl Upkeep for SqliteUpkeep {
    fn trim(&mut self, keep: &Retention, now_ms: i64) -> Result<bool, OpError> {
        trim::slice(self, keep, now_ms)
    }

    fn collect(&mut self, before_ms: i64) -> Result<u64, OpError> {
        collect::unreferenced(self, before_ms)
    }

    fn settle(&mut self) -> Result<(), OpError> {
        self.told(self.checkpoint("PASSIVE").map(drop))
    }

    fn empty_wal(&mut self) -> Result<bool, OpError> {
        // Most of the work is done while writers go on; at the gate only the rest is left.
        self.settle()?;
        let _inside = self.gate.enter()?;
        self.told(self.connection.busy_timeout(READERS))?;
        let is_empty = self.told(self.checkpoint("TRUNCATE"));
        self.told(self.connection.busy_timeout(PATIENCE))?;
        is_empty
    }

    fn wal_written_ms(&self) -> Option<i64> {
        // Looked at by its name only: closing a second descriptor of it would drop SQLite's locks.
        let mut wal = self.path.clone().into_os_string();
        wal.push("-wal");
        let found = std::fs::metadata(wal).ok().filter(|found| found.len() > 0)?;
        written_ms(&found)
    }
}

/// When a file was last written, in milliseconds.
pub(super) fn written_ms(found: &std::fs::Metadata) -> Option<i64> {
    let at: SystemTime = found.modified().ok()?;
    i64::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

#[cfg(test)]
mod tests;
