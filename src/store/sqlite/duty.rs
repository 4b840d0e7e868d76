//! What one process does for all that share a store: the lock that says which one, and what concerns the store as a
//! whole.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use crate::{
    model::{error::OpError, instance::InstanceId},
    store::upkeep::Duty,
};

use super::{backup, connection, files, gate, upkeep::written_ms};

/// Whose lock is the right to the duties.
const LOCK: &str = "duty.lock";
/// A file for each instance that is to be scrubbed, named by its id.
const SCRUB: &str = "scrub";
/// How old a folder must be that nothing names: younger ones are being made.
const ORPHAN_MS: i64 = 3600 * 1000;

/// The lock, held until this is dropped.
pub(super) struct SqliteDuty {
    root: PathBuf,
    /// Closing it lets go.
    _lock: File,
}

impl SqliteDuty {
    /// Takes the lock; nothing while another process has it.
    pub(super) fn take(root: &Path) -> Result<Option<Self>, OpError> {
        let path = root.join(LOCK);
        let lock = files::shared_file(&path).map_err(|error| files::unavailable(&error, "open", &path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { root: root.to_owned(), _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(files::unavailable(&error, "lock", &path)),
        }
    }
}

/// Notes that an instance is to be scrubbed.
pub(super) fn note_scrub(root: &Path, id: &InstanceId) -> Result<(), OpError> {
    let folder = root.join(SCRUB);
    let note = || {
        files::make_folder(&folder)?;
        // A file of its own for each purge: whoever scrubs for another has not done this one.
        files::shared_file(&folder.join(format!("{id}.{}", uuid::Uuid::new_v4())))?.sync_all()?;
        files::sync_folder(&folder)
    };
    note().map_err(|error| files::unavailable(&error, "note in", &folder))
}

/// The notes that an instance is to be scrubbed.
pub(super) fn noted_scrubs(root: &Path, id: &InstanceId) -> Result<Vec<String>, OpError> {
    Ok(scrubs(root)?.into_iter().filter(|name| of_note(name) == Some(id.as_str())).collect())
}

/// Notes that an instance was scrubbed for what these notes say; what was noted since stays.
pub(super) fn note_scrubbed(root: &Path, noted: &[String]) -> Result<(), OpError> {
    let folder = root.join(SCRUB);
    noted.iter().try_for_each(|name| match fs::remove_file(folder.join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(files::unavailable(&error, "note in", &folder)),
        _ => Ok(()),
    })
}

/// All notes.
fn scrubs(root: &Path) -> Result<Vec<String>, OpError> {
    let folder = root.join(SCRUB);
    let names = match fs::read_dir(&folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    let names = names.map_err(|error| files::unavailable(&error, "look through", &folder))?;
    Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect())
}

/// The instance of a note; those of the first version have no more than its id.
fn of_note(name: &str) -> Option<&str> {
    name.split('.').next()
}

impl Duty for SqliteDuty {
    fn sweep(&self, now_ms: i64, is_wanted: &dyn Fn(&InstanceId) -> Result<bool, OpError>) -> Result<u64, OpError> {
        let told = |error: io::Error| files::unavailable(&error, "look through", &self.root);
        let mut places = vec![self.root.clone()];
        places.extend(folders(&self.root.join("instances")).map_err(told)?);
        let mut removed = 0;
        for place in places {
            for folder in folders(&place).map_err(told)? {
                let is_old = fs::metadata(&folder).ok().as_ref().and_then(written_ms);
                if is_old.is_none_or(|at| at > now_ms - ORPHAN_MS) || !is_orphan(&folder, is_wanted)? {
                    continue;
                }
                if gate::is_free(&folder) {
                    files::remove_instance(&folder)?;
                    tracing::info!("removed {}, which nothing names", folder.display());
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    fn to_scrub(&self) -> Result<Vec<InstanceId>, OpError> {
        backup::sweep(&self.root).map_err(|error| files::unavailable(&error, "tidy", &self.root))?;
        let mut ids: Vec<_> = scrubs(&self.root)?.iter().filter_map(|name| InstanceId::parse(of_note(name)?)).collect();
        ids.sort();
        ids.dedup();
        Ok(ids)
    }
}

/// Whether a folder was left behind: one that was being built or removed, or an instance that no record names and
/// nobody has written to. What is neither is not ours to judge: an instance with something in it may be one that a
/// catalog from a backup does not know yet.
fn is_orphan(folder: &Path, is_wanted: &dyn Fn(&InstanceId) -> Result<bool, OpError>) -> Result<bool, OpError> {
    let Some(name) = folder.file_name().and_then(|name| name.to_str()) else { return Ok(false) };
    if name.starts_with(".new-") || name.starts_with(".old-") {
        return Ok(true);
    }
    let shelf = folder.parent().and_then(Path::file_name).and_then(|shelf| shelf.to_str());
    match InstanceId::parse(name) {
        Some(id) if !id.is_catalog() && shelf == name.get(..2) => Ok(!is_wanted(&id)? && is_unwritten(folder)),
        _ => Ok(false),
    }
}

/// Whether a folder is an instance to which nothing was ever written.
fn is_unwritten(folder: &Path) -> bool {
    let head = connection::open_reader(folder)
        .ok()
        .and_then(|connection| connection.query_row("SELECT head FROM state", [], |row| row.get::<_, u64>(0)).ok());
    if head.is_some_and(|head| head > 0) {
        tracing::warn!("{} is an instance that the catalog does not list; it is left as it is", folder.display());
    }
    head == Some(0)
}

fn folders(place: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let paths: Vec<PathBuf> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    Ok(paths.into_iter().filter(|path| path.is_dir()).collect())
}
