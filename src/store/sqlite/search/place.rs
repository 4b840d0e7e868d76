//! The file of a word index: opened, made, and thrown away when it is not what it should be.
//!
//! Who uses it holds a shared lock on a file beside it, who removes it an exclusive one: SQLite's files must never
//! change under an open connection.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior, config::DbConfig};

use crate::model::error::{OpError, Reason};

use super::super::{connection::explain, files};

/// Name of the file.
const DATABASE: &str = "search.db";
/// Name of the file with the lock.
const LOCK: &str = "search.lock";
/// `application_id` of the file: the bytes `mids`.
const APPLICATION_ID: i32 = 0x6d69_6473;
/// Version of what is in it, and of how texts become words: another one is made anew.
const VERSION: i32 = 1;
/// How often it is tried: another process may remove it in between.
const TRIES: usize = 4;
const TABLES: &str = include_str!("initial.sql");

/// A connection to the index, with the lock that keeps its files in place.
pub(super) struct Place {
    /// Closed before the lock is let go.
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    _lock: File,
}

/// Whether an instance has an index.
pub(in super::super) fn exists(folder: &Path) -> bool {
    folder.join(DATABASE).exists()
}

/// Opens the index of an instance's folder, and makes it if it is missing, of an older version or no index at all.
/// Errors: `unavailable`, among them `newer`: two versions must not take turns in making it anew.
pub(super) fn open(folder: &Path) -> Result<Place, OpError> {
    for _ in 0..TRIES {
        match try_open(folder) {
            Ok(Some(place)) => return Ok(place),
            Ok(None) => make(folder)?,
            Err(OpError::Unavailable { reason: Reason::Damaged, .. }) => forget(folder)?,
            Err(error) => return Err(error),
        }
    }
    Err(damaged(&folder.join(DATABASE), "cannot be made anew"))
}

/// Nothing when there is none yet.
fn try_open(folder: &Path) -> Result<Option<Place>, OpError> {
    let path = folder.join(DATABASE);
    if !path.exists() {
        return Ok(None);
    }
    let lock = lock_file(folder)?;
    lock.lock_shared().map_err(|error| files::unavailable(&error, "lock", &folder.join(LOCK)))?;
    if !path.exists() {
        return Ok(None);
    }
    let told = |error: rusqlite::Error| explain(&error, &path);
    let connection = connect(&path).map_err(told)?;
    match identity(&connection).map_err(told)? {
        (APPLICATION_ID, VERSION) => Ok(Some(Place { connection, path, _lock: lock })),
        (0, 0) => Ok(None),
        (APPLICATION_ID, version) if version > VERSION => Err(OpError::Unavailable {
            reason: Reason::Newer,
            what: format!("the search index {} is of a newer mindcache", path.display()),
            remedy: "restart this client so that it runs the new version".into(),
        }),
        _ => Err(damaged(&path, "is no index of this version")),
    }
}

/// Makes an empty index where there is none yet. Nobody has the file open meanwhile: turning to WAL mode takes that.
fn make(folder: &Path) -> Result<(), OpError> {
    let (path, lock) = (folder.join(DATABASE), lock_file(folder)?);
    lock.lock().map_err(|error| files::unavailable(&error, "lock", &folder.join(LOCK)))?;
    match files::new_file(&path) {
        // A file of no bytes is an empty database.
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(files::unavailable(&error, "create", &path)),
    }
    let fill = || -> rusqlite::Result<()> {
        let mut connection = connect(&path)?;
        // Another process may have been first.
        if identity(&connection)? != (0, 0) {
            return Ok(());
        }
        // What a power cut makes of an index that was just begun is made anew: it is worth no flush.
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()
    };
    fill().map_err(|error| explain(&error, &path))
}

fn damaged(path: &Path, what: &str) -> OpError {
    OpError::Unavailable {
        reason: Reason::Damaged,
        what: format!("the search index {} {what}", path.display()),
        remedy: "remove it: it is made anew from the instance".into(),
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let access = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, access)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // The last to close leaves the WAL to upkeep: a search must not wait for the disk.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // What a power cut takes is taken in again.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "journal_size_limit", 4 * 1024 * 1024)?;
    Ok(connection)
}

fn identity(connection: &Connection) -> rusqlite::Result<(i32, i32)> {
    let ask = |pragma: &str| connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0));
    Ok((ask("application_id")?, ask("user_version")?))
}

/// Removes the index of a folder. Errors: `unavailable` and `busy` while another process searches.
pub(in super::super) fn forget(folder: &Path) -> Result<(), OpError> {
    if !exists(folder) {
        return Ok(());
    }
    let lock = lock_file(folder)?;
    lock.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => OpError::Unavailable {
            reason: Reason::Busy,
            what: format!("the search index {} is in use and has to be made anew", folder.join(DATABASE).display()),
            remedy: "try again in a moment".into(),
        },
        TryLockError::Error(error) => files::unavailable(&error, "lock", &folder.join(LOCK)),
    })?;
    // The database goes last: while it is there, so is the right to remove what is beside it.
    for suffix in ["-wal", "-shm", ""] {
        let path = folder.join(format!("{DATABASE}{suffix}"));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(files::unavailable(&error, "remove", &path));
            }
            _ => {}
        }
    }
    tracing::debug!("removed the search index of {}", folder.display());
    Ok(())
}

fn lock_file(folder: &Path) -> Result<File, OpError> {
    let path = folder.join(LOCK);
    files::shared_file(&path).map_err(|error| files::unavailable(&error, "open", &path))
}
