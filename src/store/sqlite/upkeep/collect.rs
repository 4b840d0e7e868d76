//! Collecting large values that nothing names any more.
//!
//! Looked for without holding anybody up; removed at the gate, after another look at what was written meanwhile. A
//! turn that is about to name a value asks at the gate whether its file is still there, so nothing that is named goes.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OptionalExtension as _};

use crate::model::error::OpError;

use super::{SqliteUpkeep, written_ms};
use crate::store::sqlite::{blobs, files};

/// Rows of one look.
const SLICE: u32 = 500;
/// Files that one call removes: others wait at the gate meanwhile.
const MOST: usize = 1000;
/// How old a file must be that is still being written, or was when its process died.
const UNFINISHED_MS: i64 = 3600 * 1000;
/// How a body names a large value.
const NAMED: &str = "\"sha256\":\"";
const HASH_CHARACTERS: usize = 64;

/// SQL of the bodies that name large values, a slice at a time.
pub(in super::super) const NAMING_SQL: [&str; 2] = [
    "SELECT rowid, CASE WHEN instr(body, '\"sha256\":\"') THEN body END FROM record WHERE rowid > ?1 ORDER BY rowid \
     LIMIT ?2",
    "SELECT seq, CASE WHEN instr(body, '\"sha256\":\"') THEN body END FROM log WHERE seq > ?1 ORDER BY seq LIMIT ?2",
];

/// Removes the files that nothing names; answers how many.
pub(super) fn unreferenced(upkeep: &mut SqliteUpkeep, before_ms: i64) -> Result<u64, OpError> {
    let folder = blobs::folder_of(&upkeep.folder);
    let told = |error: io::Error| files::unavailable(&error, "look through", &folder);
    let mut found = old_files(&folder, before_ms).map_err(told)?;
    if found.is_empty() {
        return Ok(0);
    }
    let head = upkeep.told(look_through(&upkeep.connection, &mut found))?;
    if found.is_empty() {
        return Ok(0);
    }
    let removed = upkeep.inside(|transaction| {
        forget_newer(transaction, head, &mut found)?;
        Ok(found.values().take(MOST).filter(|path| remove(path)).count())
    })?;
    Ok(removed as u64)
}

/// Large values by their hash, and what was left half-written, as far as it is old enough.
fn old_files(folder: &Path, before_ms: i64) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    // What streams in lies in the folder itself until it has its name.
    let mut places = vec![folder.to_owned()];
    places.extend(entries(folder)?.into_iter().filter(|path| path.is_dir()));
    for place in places {
        for path in entries(&place)?.into_iter().filter(|path| path.is_file()) {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let age_ms = if name.starts_with('.') { UNFINISHED_MS } else { 0 };
            let written = fs::metadata(&path).ok().as_ref().and_then(written_ms);
            if written.is_some_and(|at| at < before_ms - age_ms) {
                found.insert(name.to_owned(), path);
            }
        }
    }
    Ok(found)
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Takes out of `found` what is named; answers up to which seq it has looked.
fn look_through(connection: &Connection, found: &mut BTreeMap<String, PathBuf>) -> rusqlite::Result<u64> {
    let head = connection.query_row("SELECT head FROM state", [], |row| row.get(0))?;
    for sql in NAMING_SQL {
        let mut last = Some(0_i64);
        while let Some(after) = last.take() {
            // A statement that is not finished would be a read transaction; each slice is one of its own.
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query((after, SLICE))?;
            let mut count = 0;
            while let Some(row) = rows.next()? {
                count += 1;
                if let Some(body) = row.get_ref(1)?.as_str_or_null()? {
                    forget_named(body, found);
                }
                last = Some(row.get(0)?);
            }
            last = last.filter(|_| count == SLICE);
        }
    }
    Ok(head)
}

/// Takes out of `found` what was named since that look, by the log or by a record of which the log keeps less.
fn forget_newer(connection: &Connection, since: u64, found: &mut BTreeMap<String, PathBuf>) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("SELECT kind, id, body FROM log WHERE seq > ?1 ORDER BY seq")?;
    let mut record = connection.prepare_cached("SELECT body FROM record WHERE kind = ?1 AND id = ?2")?;
    let mut rows = statement.query([since])?;
    while let Some(row) = rows.next()? {
        if let Some(body) = row.get_ref(2)?.as_str_or_null()? {
            forget_named(body, found);
        }
        let (kind, id): (String, String) = (row.get(0)?, row.get(1)?);
        let body: Option<String> = record.query_row([kind, id], |row| row.get(0)).optional()?;
        forget_named(body.as_deref().unwrap_or_default(), found);
    }
    Ok(())
}

fn forget_named(body: &str, found: &mut BTreeMap<String, PathBuf>) {
    for (at, _) in body.match_indices(NAMED) {
        let from = at + NAMED.len();
        if let Some(hash) = body.get(from..from + HASH_CHARACTERS) {
            found.remove(hash);
        }
    }
}

fn remove(path: &Path) -> bool {
    let removed = fs::remove_file(path);
    if let Err(error) = &removed {
        tracing::warn!(%error, "cannot remove {}", path.display());
    }
    removed.is_ok()
}
