//! Copies for a backup: one state of each instance, and every large value that one of those states names, held by a
//! second name so that no collection takes it away before it is in the backup.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use crate::model::{
    error::{OpError, Reason},
    instance::{Instance, InstanceId},
    value::BlobRef,
    view::Access,
};

use super::{
    super::{
        SqliteStore,
        blobs::{self, Blobs},
        connection::{self, explain},
        copy, examine, files,
    },
    busy, damaged, extent, listed,
};

/// Where the copies are made, in the data folder: second names need its file system.
const FOLDER: &str = ".new-backup";
/// How often an instance is copied whose large values were collected meanwhile.
const TRIES: usize = 5;

/// Copies in the making. Dropped, it leaves nothing.
pub struct Stage {
    store: SqliteStore,
    folder: PathBuf,
    named: BTreeMap<String, u64>,
    /// Held as long as this.
    _lock: File,
}

/// The database of one instance, copied as it was at one seq, checked. Dropped, it goes.
pub struct Copied {
    folder: PathBuf,
    /// The seq of its last change.
    pub as_of_seq: u64,
    /// How many records it has.
    pub records: u64,
}

/// A large value.
pub struct Large {
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Its file.
    pub file: File,
}

impl SqliteStore {
    /// Begins to copy the store. Errors: `not_found` when there is none; `unavailable` while another backup is made.
    pub fn stage(&self) -> Result<Stage, OpError> {
        self.refuse_network()?;
        if !self.root().join("catalog").exists() {
            self.refuse_lost_catalog()?;
            return Err(OpError::NotFound {
                what: format!("a store in {}", self.root().display()),
                remedy: "There is nothing to back up; --data-dir names another folder".into(),
            });
        }
        let folder = self.root().join(FOLDER);
        let failed = |error: io::Error| files::unavailable(&error, "write", &folder);
        let path = folder.join(files::LOCK);
        let lock = loop {
            let lock = files::make_folder(&folder).and_then(|()| files::shared_file(&path)).map_err(failed)?;
            if lock.try_lock().is_err() {
                return Err(busy("another backup of this store is being made"));
            }
            // Not one that upkeep was just taking away.
            if path.exists() {
                break lock;
            }
        };
        empty(&folder).map_err(failed)?;
        files::make_folder(&blobs::folder_of(&folder)).map_err(failed)?;
        Ok(Stage { store: self.clone(), folder, named: BTreeMap::new(), _lock: lock })
    }
}

/// Removes what a backup has left that did not end: it may hold what was purged since.
pub(in crate::store::sqlite) fn sweep(root: &Path) -> io::Result<()> {
    let folder = root.join(FOLDER);
    match File::open(folder.join(files::LOCK)) {
        Ok(lock) if lock.try_lock().is_ok() => fs::remove_dir_all(folder),
        _ => Ok(()),
    }
}

/// Removes all but the lock: what one left that did not end.
pub(super) fn empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() == files::LOCK {
            continue;
        }
        if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
    }
    Ok(())
}

impl Stage {
    /// Copies the catalog: first, so that every instance that it lists is there.
    pub fn catalog(&mut self) -> Result<Copied, OpError> {
        let copied = self.copy(&InstanceId::catalog(), Access::Open)?;
        copied.ok_or_else(|| damaged("the catalog is gone".into(), "put it back from a backup"))
    }

    /// The instances that the copied catalog lists, deleted ones too.
    pub fn listed(&self, catalog: &Copied) -> Result<Vec<(InstanceId, Instance)>, OpError> {
        listed(&connection::open_reader(&catalog.folder)?, &catalog.folder)
    }

    /// Copies one instance that the copied catalog lists; nothing when it was deleted and its time was up meanwhile.
    pub fn instance(&mut self, id: &InstanceId, listed: &Instance) -> Result<Option<Copied>, OpError> {
        let copied = self.copy(id, listed.access())?;
        if copied.is_some() || listed.deleted_at.is_some() {
            return Ok(copied);
        }
        let what = format!("the files of instance \"{}\" ({id}) are missing", listed.name);
        Err(damaged(what, "put them back from a backup, or delete the instance"))
    }

    /// The large values that the copies name, each once.
    pub fn large(&self) -> impl Iterator<Item = Result<Large, OpError>> + '_ {
        let held = Blobs::of(&self.folder);
        self.named.iter().map(move |(sha256, bytes)| {
            let blob = BlobRef { sha256: sha256.clone(), bytes: *bytes, length: *bytes };
            Ok(Large { file: held.open(&blob)?, sha256: blob.sha256, bytes: *bytes })
        })
    }

    fn copy(&mut self, id: &InstanceId, access: Access) -> Result<Option<Copied>, OpError> {
        let from = self.store.folder(id);
        let mut tries = 1;
        loop {
            if !from.exists() {
                return Ok(None);
            }
            match self.attempt(&from, id, access) {
                // It was removed meanwhile, or a large value of it was purged.
                Err(_) if !from.exists() => return Ok(None),
                Ok(Err(_)) | Err(OpError::Unavailable { reason: Reason::Busy, .. }) if tries < TRIES => tries += 1,
                Ok(Err(lost)) => {
                    let what = format!("a large value of {} is missing ({lost})", from.display());
                    let remedy = "see `mindcache doctor --deep`; write the key that has it anew, or purge it";
                    return Err(damaged(what, remedy));
                }
                Ok(Ok(copied)) => return Ok(Some(copied)),
                Err(error) => return Err(error),
            }
        }
    }

    /// Copies it once; or says which large value went away between two looks.
    fn attempt(&mut self, from: &Path, id: &InstanceId, access: Access) -> Result<Result<Copied, String>, OpError> {
        let (source, large, held) = (connection::open_reader(from)?, Blobs::of(from), Blobs::of(&self.folder));
        let folder = self.folder.join(id.as_str());
        files::make_folder(&folder).map_err(|error| files::unavailable(&error, "write", &folder))?;
        let mut copied = Copied { folder, as_of_seq: 0, records: 0 };
        // Held before the state is taken, and again for what had come until then: as when an instance is cloned.
        held.share_all(&large)?;
        copy::back_up(&source, from, &copied.folder)?;
        held.share_all(&large)?;
        // What the catalog's copy says: the instance itself may have been opened or closed since.
        copy::set_access(&copied.folder, access)?;
        let copy = connection::open_reader(&copied.folder)?;
        if let Some(fault) = examine::database_faults(&copy, &copied.folder).into_iter().next() {
            let what = format!("{}: {}", from.display(), fault.what);
            return Err(damaged(
                what,
                "see `mindcache doctor --deep`; `mindcache export` still writes what can be read",
            ));
        }
        let told = |error: rusqlite::Error| explain(&error, &copied.folder);
        (copied.as_of_seq, copied.records) = extent(&copy).map_err(told)?;
        let named = examine::named_blobs(&copy).map_err(told)?;
        if let Some(lost) = named.iter().find(|blob| !held.has(blob)) {
            return Ok(Err(lost.sha256.clone()));
        }
        self.named.extend(named.into_iter().map(|blob| (blob.sha256, blob.bytes)));
        Ok(Ok(copied))
    }
}

impl Copied {
    /// The database and its size.
    pub fn open(&self) -> Result<(File, u64), OpError> {
        let path = self.folder.join(files::DATABASE);
        let opened = File::open(&path).and_then(|file| file.metadata().map(|found| (file, found.len())));
        opened.map_err(|error| files::unavailable(&error, "read", &path))
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        tidy(&self.folder);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        tidy(&self.folder);
    }
}

fn tidy(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder) {
        tracing::warn!(%error, "could not remove {}", folder.display());
    }
}
