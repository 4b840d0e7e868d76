//! Connections: opened with every setting of ours, the file's identity checked, errors told in our words.

use std::path::Path;
use std::sync::OnceLock;

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig, ffi::SQLITE_IOERR_SHMSIZE};
use serde::{Deserialize, Serialize};

use crate::model::error::{OpError, Reason};

use super::files;

/// `application_id` of our files: the bytes `mind`.
const APPLICATION_ID: i32 = 0x6d69_6e64;
/// SQL of each version, in order.
const MIGRATIONS: &[&str] = &[include_str!("migrations/0001_initial.sql"), include_str!("migrations/0002_browse.sql")];
/// A file beside the database: the version of mindcache that upgraded it last.
const UPGRADED_BY: &str = "upgraded_by";
/// The version of the file format that this program writes.
pub const LATEST_VERSION: i32 = 2;
/// The first SQLite without the WAL-reset fault, which loses commits when two connections write and
/// checkpoint at once: exactly our shape.
const LEAST_SQLITE: i32 = 3_051_003;

/// What an acknowledged write has survived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// It is on the disk: a power cut loses nothing acknowledged.
    #[default]
    Full,
    /// It is with the operating system: a power cut may lose the last moments, consistently.
    Normal,
}

/// Opens the database of an instance for writing.
pub(super) fn open_writer(folder: &Path, durability: Durability) -> Result<Connection, OpError> {
    let mut connection = open(folder, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let path = folder.join(files::DATABASE);
    let told = |error: rusqlite::Error| explain(&error, &path);
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous).map_err(told)?;
    // macOS: fsync alone leaves the data in the drive's cache.
    connection.pragma_update(None, "fullfsync", true).map_err(told)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true).map_err(told)?;
    // What was overwritten, deleted or purged must not stay readable in the file.
    connection.pragma_update(None, "secure_delete", true).map_err(told)?;
    // A backstop: whoever commits the 4,000th page pays for the others.
    connection.pragma_update(None, "wal_autocheckpoint", 4000).map_err(told)?;
    connection.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024).map_err(told)?;
    // What was overwritten, deleted or purged does not stay in the pages that held it.
    connection.pragma_update(None, "secure_delete", true).map_err(told)?;
    if version(&connection).map_err(told)? < LATEST_VERSION {
        migrate(&mut connection).map_err(told)?;
        sign_upgrade(&path);
    }
    Ok(connection)
}

/// Opens the database of an instance for reading. One of an older version is brought to this one first: what is read may
/// need what the older one had not.
pub(super) fn open_reader(folder: &Path) -> Result<Connection, OpError> {
    let reader = open(folder, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let found = version(&reader).map_err(|error| explain(&error, &folder.join(files::DATABASE)))?;
    if found >= LATEST_VERSION {
        return Ok(reader);
    }
    drop(reader);
    drop(open_writer(folder, Durability::Full)?);
    open(folder, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn open(folder: &Path, access: OpenFlags) -> Result<Connection, OpError> {
    let path = folder.join(files::DATABASE);
    if !path.exists() {
        return Err(OpError::Unavailable {
            reason: Reason::Damaged,
            what: format!("{} is missing", path.display()),
            remedy: "put it back from a backup; nothing was created in its place".into(),
        });
    }
    let told = |error: rusqlite::Error| explain(&error, &path);
    let connection = Connection::open_with_flags(&path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(told)?;
    // First: while a last closer deletes the WAL even reads are told to wait.
    connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(told)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(told)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false).map_err(told)?;
    // Every plan is a search of one index, whatever the limit and the bounds. Without this each new limit, even the
    // same one again, throws a prepared statement away: parsing it anew takes longer than the query.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(told)?;
    connection.pragma_update(None, "cache_size", -2048).map_err(told)?;
    let id: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(told)?;
    if id != APPLICATION_ID {
        return Err(OpError::Unavailable {
            reason: Reason::Damaged,
            what: format!("{} is not a mindcache database, or its beginning is lost", path.display()),
            remedy: "put it back from a backup; the file was left as it is".into(),
        });
    }
    refuse_newer(&connection, &path)?;
    Ok(connection)
}

/// Stops when a newer mindcache has upgraded the file.
pub(super) fn refuse_newer(connection: &Connection, path: &Path) -> Result<(), OpError> {
    let found = version(connection).map_err(|error| explain(&error, path))?;
    if found <= LATEST_VERSION {
        return Ok(());
    }
    Err(OpError::Unavailable {
        reason: Reason::Newer,
        what: format!(
            "{} was upgraded by {} (format {found}; this is {} with format {LATEST_VERSION})",
            path.display(),
            upgrader(path),
            env!("CARGO_PKG_VERSION")
        ),
        remedy: "restart this client so that it runs the new version, or install that version here".into(),
    })
}

/// Who upgraded a file, as it said itself.
fn upgrader(path: &Path) -> String {
    let told = std::fs::read_to_string(path.with_file_name(UPGRADED_BY)).unwrap_or_default();
    let version: String = told.trim().chars().filter(|c| !c.is_control()).take(32).collect();
    if version.is_empty() { "a newer mindcache".into() } else { format!("mindcache {version}") }
}

/// Leaves the version of this program for those that it leaves behind.
fn sign_upgrade(path: &Path) {
    if let Err(error) = std::fs::write(path.with_file_name(UPGRADED_BY), env!("CARGO_PKG_VERSION")) {
        tracing::warn!(%error, "older processes will not know which version has upgraded {}", path.display());
    }
}

fn version(connection: &Connection) -> rusqlite::Result<i32> {
    connection.prepare_cached("PRAGMA user_version")?.query_row([], |row| row.get(0))
}

/// Brings a file to the latest version, in one transaction.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Another process may have been first.
    let from = usize::try_from(version(&transaction)?).unwrap_or_default();
    for sql in MIGRATIONS.iter().skip(from) {
        transaction.execute_batch(sql)?;
    }
    transaction.pragma_update(None, "user_version", LATEST_VERSION)?;
    transaction.commit()
}

/// The bytes of an empty instance: copying them takes a third of what making the tables in place does.
pub(super) fn template_image() -> Result<Vec<u8>, OpError> {
    static IMAGE: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(image) = IMAGE.get() {
        return Ok(image.clone());
    }
    let image = build_image().map_err(|error| explain(&error, Path::new("the template of an instance")))?;
    Ok(IMAGE.get_or_init(|| image).clone())
}

/// The tables and indexes of a database: type, name, table, SQL.
pub(super) type Schema = Vec<(String, String, String, Option<String>)>;

/// What a database consists of.
pub(super) fn schema(connection: &Connection) -> rusqlite::Result<Schema> {
    let mut statement = connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?.collect()
}

/// What a database of ours consists of.
pub(super) fn fresh_schema() -> Result<Schema, OpError> {
    let build = || {
        let mut connection = Connection::open_in_memory()?;
        migrate(&mut connection)?;
        schema(&connection)
    };
    build().map_err(|error| explain(&error, Path::new("the template of an instance")))
}

fn build_image() -> rusqlite::Result<Vec<u8>> {
    let mut connection = Connection::open_in_memory()?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    migrate(&mut connection)?;
    let mut image = connection.serialize(rusqlite::MAIN_DB)?.to_vec();
    // File format 2: it is born in WAL mode, which otherwise costs a rollback journal and its flushes.
    for version_byte in image.iter_mut().skip(18).take(2) {
        *version_byte = 2;
    }
    Ok(image)
}

/// Refuses to run on a SQLite that can lose commits.
pub(super) fn assert_sound_sqlite() -> Result<(), OpError> {
    if rusqlite::version_number() >= LEAST_SQLITE {
        return Ok(());
    }
    Err(OpError::Unavailable {
        reason: Reason::Stopped,
        what: format!("SQLite {} may lose commits in WAL mode", rusqlite::version()),
        remedy: "build mindcache with its bundled SQLite (3.51.3 or newer)".into(),
    })
}

/// An error of SQLite in our words.
pub(super) fn explain(error: &rusqlite::Error, path: &Path) -> OpError {
    // The shared memory beside the database cannot grow: SQLite does not say there that the disk is full.
    let is_no_room = error.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_IOERR_SHMSIZE);
    let (reason, remedy) = match error.sqlite_error_code() {
        Some(code) if code == ErrorCode::DiskFull || is_no_room => {
            (Reason::DiskFull, "free some space, then try again; nothing was changed")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => (
            Reason::ReadOnly,
            "make the folder writable for this user, which SQLite needs also for reading; if it is, this process has too \
             many files open",
        ),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            (Reason::Damaged, "put the file back from a backup; it was left as it is")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (Reason::Busy, "another program holds the file: close it, then try again")
        }
        Some(ErrorCode::SystemIoFailure) => (Reason::Io, "the disk reported an error; check it, then try again"),
        _ => (Reason::Damaged, "this should not happen: check the file, and report it"),
    };
    OpError::Unavailable { reason, what: format!("{}: {error}", path.display()), remedy: remedy.into() }
}
