//! Whether the files of an instance are well: for `mindcache doctor`. Reads and changes nothing.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read as _},
    path::Path,
};

use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

use super::{SqliteStore, blobs, connection, files, network, view::json};
use crate::model::{actor::Actor, digest::hex, error::OpError, instance::InstanceId, kind, value::BlobRef};

/// A log beside the database that is larger than this is not being emptied.
const LARGE_WAL_BYTES: u64 = 64 * 1024 * 1024;

/// How much of a large value is in memory at once.
const PIECE_BYTES: usize = 64 * 1024;

/// What was found of an instance.
#[derive(Debug, Default)]
pub struct Examined {
    /// How many records it has.
    pub records: u64,
    /// The size of its database.
    pub database_bytes: u64,
    /// The latest time that it has seen, in milliseconds.
    pub clock_ms: i64,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// Something that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Fault {
    /// A fault and its remedy.
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

impl From<OpError> for Fault {
    fn from(error: OpError) -> Self {
        match error {
            OpError::Unavailable { what, remedy, .. } => Self { what, remedy },
            other => Self::new(other.to_string(), "see the message"),
        }
    }
}

impl SqliteStore {
    /// Whether the data folder is on a file system that can carry a store.
    pub fn examine_place(&self) -> Option<Fault> {
        network::refuse(self.root()).err().map(Fault::from)
    }

    /// Looks at an instance: that it can be opened and read; when `is_deep`, every page, index, count, row of the log
    /// and large value of it.
    pub fn examine(&self, id: &InstanceId, is_deep: bool) -> Examined {
        let folder = self.folder(id);
        let mut examined = Examined::default();
        let connection = match connection::open_reader(&folder) {
            Ok(connection) => connection,
            Err(error) => {
                examined.faults.push(error.into());
                return examined;
            }
        };
        let size = |name: &str| fs::metadata(folder.join(name)).map_or(0, |found| found.len());
        examined.database_bytes = size(files::DATABASE);
        if size(files::LOG) > LARGE_WAL_BYTES {
            let what =
                format!("the log of {} has {} bytes and is not being emptied", folder.display(), size(files::LOG));
            examined
                .faults
                .push(Fault::new(what, "end the program that reads it all the time, or restart the clients"));
        }
        // One state, although others write to it.
        let found = connection.unchecked_transaction().and_then(|state| {
            look(&state, &mut examined)?;
            if is_deep {
                examined.faults.extend(database_faults(&state, &folder));
                look_at_blobs(&state, &folder, &mut examined)?;
            }
            Ok(())
        });
        if let Err(error) = found {
            examined.faults.push(connection::explain(&error, &folder.join(files::DATABASE)).into());
        }
        examined
    }
}

fn look(connection: &Connection, examined: &mut Examined) -> rusqlite::Result<()> {
    examined.clock_ms = connection.query_row("SELECT clock_ms FROM state", [], |row| row.get(0))?;
    examined.records = connection.query_row("SELECT coalesce(sum(records), 0) FROM tally", [], |row| row.get(0))?;
    Ok(())
}

/// What is wrong with a database: every page, index, count and row of the log.
pub(super) fn database_faults(connection: &Connection, folder: &Path) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Err(error) = look_through(connection, &mut faults) {
        faults.push(connection::explain(&error, &folder.join(files::DATABASE)).into());
    }
    faults
}

fn look_through(connection: &Connection, faults: &mut Vec<Fault>) -> rusqlite::Result<()> {
    const RESTORE: &str = "restore the instance from a snapshot or a backup";
    let mut damaged: Vec<String> = Vec::new();
    connection.pragma_query(None, "integrity_check", |row| {
        let said: String = row.get(0)?;
        if said != "ok" {
            damaged.push(said);
        }
        Ok(())
    })?;
    faults.extend(damaged.into_iter().map(|said| Fault::new(format!("the database is damaged: {said}"), RESTORE)));
    let (stored, computed) = (stored_entries(connection)?, computed_entries(connection, faults)?);
    if stored != computed {
        faults.push(Fault::new("the indexes are not what the records say", RESTORE));
    }
    let wrong = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0));
    if wrong(MISCOUNTED)? + wrong(MISCOUNTED_ENTRIES)? > 0 {
        faults.push(Fault::new("the counts are not what the records say", RESTORE));
    }
    let lost = wrong(LOST_ROWS)?;
    if lost > 0 {
        faults.push(Fault::new(format!("{lost} records are not what the log says"), RESTORE));
    }
    if wrong(GAPS)? > 0 {
        faults.push(Fault::new("rows of the log are missing", RESTORE));
    }
    Ok(())
}

fn look_at_blobs(connection: &Connection, folder: &Path, examined: &mut Examined) -> rusqlite::Result<()> {
    let large = blobs::folder_of(folder);
    for blob in named_blobs(connection)? {
        if let Some(what) = blob_fault(&large, &blob) {
            examined.faults.push(Fault::new(what, "put the file back from a backup, or write the key anew"));
        }
    }
    Ok(())
}

/// Kinds whose counts are not those of their records.
const MISCOUNTED: &str = "SELECT count(*) FROM \
    (SELECT kind, count(*) AS records, sum(length(CAST(body AS BLOB))) AS bytes FROM record GROUP BY kind) AS counted \
    FULL JOIN (SELECT * FROM tally WHERE records <> 0) AS kept ON kept.kind = counted.kind \
    WHERE counted.records IS NOT kept.records OR counted.bytes IS NOT kept.bytes";
/// Counted keys of indexes whose counts are not those of their entries.
const MISCOUNTED_ENTRIES: &str = "SELECT count(*) FROM \
    (SELECT name, kind, key, count(*) AS records FROM entry WHERE name IN ('tag', 'type', 'writer') \
     GROUP BY name, kind, key) AS counted \
    FULL JOIN entry_tally AS kept ON kept.name = counted.name AND kept.kind = counted.kind AND kept.key = counted.key \
    WHERE counted.records IS NOT kept.records";
/// Records whose last change is not in the log.
const LOST_ROWS: &str = "SELECT count(*) FROM record LEFT JOIN log ON log.seq = record.version \
    WHERE log.seq IS NULL OR log.kind <> record.kind OR log.id <> record.id";
/// Whether rows are missing from the part of the log that is whole.
const GAPS: &str =
    "SELECT (SELECT count(*) FROM log WHERE seq >= log_start) <> max(head - log_start + 1, 0) FROM state";

/// All entries of all indexes, in whatever order they come: how many, and a sum of what they are.
type Entries = (u64, u64);

fn add(entries: &mut Entries, name: &str, key: &[u8], kind: &str, id: &str) {
    let mut hasher = DefaultHasher::new();
    (name, key, kind, id).hash(&mut hasher);
    *entries = (entries.0 + 1, entries.1.wrapping_add(hasher.finish()));
}

fn stored_entries(connection: &Connection) -> rusqlite::Result<Entries> {
    let mut entries = Entries::default();
    let mut statement = connection.prepare("SELECT name, key, kind, id FROM entry")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (name, key): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let (kind, id): (String, String) = (row.get(2)?, row.get(3)?);
        add(&mut entries, &name, &key, &kind, &id);
    }
    Ok(entries)
}

fn computed_entries(connection: &Connection, faults: &mut Vec<Fault>) -> rusqlite::Result<Entries> {
    let mut entries = Entries::default();
    let mut statement = connection.prepare("SELECT kind, id, expires_at, body, updated_by FROM record")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (kind, id): (String, String) = (row.get(0)?, row.get(1)?);
        let (expires_at, body): (Option<i64>, String) = (row.get(2)?, row.get(3)?);
        // Of one that cannot be understood no key is: its index differs then.
        let by = json(row, 4).unwrap_or_else(|_| Actor::system());
        match kind::recompute(&kind, &id, &body, expires_at, &by) {
            Some(Ok(found)) => found.iter().for_each(|entry| add(&mut entries, entry.index, &entry.key, &kind, &id)),
            Some(Err(error)) => {
                let what = format!("the {kind} \"{id}\" cannot be understood ({error})");
                faults.push(Fault::new(what, "restore it to an older version, or delete it"));
            }
            None => faults.push(Fault::new(
                format!("the {kind} \"{id}\" is of a kind that this version does not know"),
                "install the version that wrote it",
            )),
        }
    }
    Ok(entries)
}

/// Large values that a record or the log names.
pub(super) fn named_blobs(connection: &Connection) -> rusqlite::Result<Vec<BlobRef>> {
    let mut statement = connection.prepare(
        "SELECT DISTINCT json_extract(body, '$.value.blob.sha256'), json_extract(body, '$.value.blob.bytes') FROM \
         (SELECT body FROM record WHERE kind = 'key' UNION ALL SELECT body FROM log WHERE kind = 'key') \
         WHERE json_extract(body, '$.value.blob.sha256') IS NOT NULL",
    )?;
    let named = statement.query_map([], |row| {
        let bytes = row.get(1)?;
        Ok(BlobRef { sha256: row.get(0)?, bytes, length: bytes })
    })?;
    named.collect()
}

/// Reads a file into a hash; answers how many bytes there were.
fn hashed(mut file: File, hash: &mut Sha256) -> io::Result<u64> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut piece)?;
        let Some(read) = piece.get(..read).filter(|read| !read.is_empty()) else { return Ok(bytes) };
        hash.update(read);
        bytes += read.len() as u64;
    }
}

fn blob_fault(folder: &Path, blob: &BlobRef) -> Option<String> {
    let path = folder.join(blob.sha256.get(..2).unwrap_or("00")).join(&blob.sha256);
    let told = |how: &str| Some(format!("the stored value {} {how}", path.display()));
    let mut hash = Sha256::new();
    match File::open(&path).and_then(|file| hashed(file, &mut hash)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => told("is missing"),
        Err(error) => told(&format!("cannot be read: {error}")),
        Ok(bytes) if bytes != blob.bytes => told("has another size than it had"),
        Ok(_) => {
            if hex(&hash.finalize()) == blob.sha256 {
                None
            } else {
                told("is not what it was")
            }
        }
    }
}
