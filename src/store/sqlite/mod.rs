//! The store on SQLite: a folder an instance, with `instance.db`, `search.db`, `blobs/` and `lock`.

mod backup;
mod blobs;
mod connection;
mod copy;
mod duty;
mod examine;
mod files;
mod gate;
mod hint;
mod instance;
mod network;
mod query;
mod room;
mod search;
mod upkeep;
mod view;
mod window;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use crate::model::{
    error::{OpError, Reason},
    instance::InstanceId,
    value::{BlobRef, Content},
    view::Access,
};

use super::{
    BlobReader, BlobWriter, Instance, Reader, Store, Watch,
    search::Search,
    upkeep::{Duty, Holder, Upkeep},
};
use connection::Durability;

pub(crate) use files::{make_folder, new_file, sync_folder};

pub use backup::{Copied, Expected, Large, Rebuild, Stage};
pub use connection::{Durability as DurabilitySetting, LATEST_VERSION};
pub use examine::{Examined, Fault};
pub use query::object;

/// The version of the SQLite that was built in.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}

/// All instances under one data folder.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    root: PathBuf,
    durability: Durability,
    commit_delay_ms: u64,
    name: gate::Name,
    is_network_allowed: bool,
    shared: Arc<Shared>,
}

/// What is found out or opened once.
#[derive(Debug, Default)]
struct Shared {
    /// Whether the data folder is on a file system that can carry a store.
    place: OnceLock<Result<(), OpError>>,
    hint: OnceLock<Arc<hint::Hint>>,
}

impl SqliteStore {
    /// A store in a data folder, which is made when it is first written to. `commit_delay_ms` slows each
    /// commit, as a slow disk would; 0 but for a bench.
    /// Errors: `unavailable` when the SQLite that was built in is one that can lose commits.
    pub fn new(root: PathBuf, durability: Durability, commit_delay_ms: u64) -> Result<Self, OpError> {
        connection::assert_sound_sqlite()?;
        let (name, shared) = (gate::Name::of("mindcache"), Arc::default());
        Ok(Self { root, durability, commit_delay_ms, name, is_network_allowed: false, shared })
    }

    /// The same for a program of this name, by which others tell who writes.
    #[must_use]
    pub fn named(self, program: &str) -> Self {
        Self { name: gate::Name::of(program), ..self }
    }

    /// The same where the data folder may be on a network file system.
    #[must_use]
    pub fn with_network(self, is_network_allowed: bool) -> Self {
        Self { is_network_allowed, ..self }
    }

    /// What a restore into this data folder has left that did not end.
    pub fn unfinished_restore(&self) -> Option<PathBuf> {
        let root = std::fs::canonicalize(&self.root).or_else(|_| std::path::absolute(&self.root)).ok()?;
        backup::beside(&root).filter(|beside| beside.exists() && gate::is_free(beside))
    }

    /// The data folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn folder(&self, id: &InstanceId) -> PathBuf {
        if id.is_catalog() {
            return self.root.join("catalog");
        }
        let id = id.as_str();
        // Ids are UUIDs, so the first two characters spread them over 256 folders.
        self.root.join("instances").join(id.get(..2).unwrap_or(id)).join(id)
    }

    /// Refuses a place where commits can get lost. Asked before each first touch, answered once.
    fn refuse_network(&self) -> Result<(), OpError> {
        if self.is_network_allowed {
            return Ok(());
        }
        self.shared.place.get_or_init(|| network::refuse(&self.root)).clone()
    }

    /// The hint file, open once for all who write or ask.
    fn hint_file(&self) -> std::io::Result<Arc<hint::Hint>> {
        if let Some(hint) = self.shared.hint.get() {
            return Ok(Arc::clone(hint));
        }
        let hint = Arc::new(hint::Hint::open(&self.root)?);
        Ok(Arc::clone(self.shared.hint.get_or_init(|| hint)))
    }

    /// A catalog that is missing while instances are there is a loss to be told of, not a fresh store.
    fn refuse_lost_catalog(&self) -> Result<(), OpError> {
        let instances = self.root.join("instances");
        let has_some = std::fs::read_dir(&instances).is_ok_and(|mut entries| entries.next().is_some());
        // Looked for again: another process may have made both since we looked for the first.
        if !has_some || self.root.join("catalog").exists() {
            return Ok(());
        }
        Err(OpError::Unavailable {
            reason: Reason::Damaged,
            what: format!(
                "the catalog is missing from {} although {} has instances",
                self.root.display(),
                instances.display()
            ),
            remedy: "put the folder `catalog` back from a backup; nothing was created in its place".into(),
        })
    }
}

impl Store for SqliteStore {
    fn open(&self, id: &InstanceId) -> Result<Box<dyn Instance>, OpError> {
        self.refuse_network()?;
        // What is written to an instance is lost without the catalog's record of it, which another process made.
        if !id.is_catalog() && self.durability == Durability::Full {
            files::sync_log(&self.folder(&InstanceId::catalog()))?;
        }
        let hint = self
            .hint_file()
            .inspect_err(|error| tracing::warn!(%error, "no hint file: others hear of changes a second late"));
        let commits = instance::Commits {
            durability: self.durability,
            delay_ms: self.commit_delay_ms,
            name: self.name,
            hint: hint.ok(),
            slot: hint::slot_of(id),
        };
        Ok(Box::new(instance::Writer::open(&self.folder(id), commits)?))
    }

    fn reader(&self, id: &InstanceId) -> Result<Box<dyn Reader>, OpError> {
        self.refuse_network()?;
        Ok(Box::new(instance::SqliteReader::open(&self.folder(id))?))
    }

    fn create(&self, id: &InstanceId) -> Result<bool, OpError> {
        self.refuse_network()?;
        let folder = self.folder(id);
        if folder.exists() {
            return Ok(false);
        }
        if id.is_catalog() {
            self.refuse_lost_catalog()?;
        }
        files::create_instance(&folder, &self.root, &connection::template_image()?)
    }

    fn copy(&self, from: &InstanceId, to: &InstanceId, access: Access) -> Result<(), OpError> {
        copy::copy_instance(&self.folder(from), &self.folder(to), &self.root, access)
    }

    fn share_blobs(&self, from: &InstanceId, to: &InstanceId, blobs: &[BlobRef]) -> Result<(), OpError> {
        blobs::Blobs::of(&self.folder(to)).share(&blobs::Blobs::of(&self.folder(from)), blobs)
    }

    fn remove(&self, id: &InstanceId) -> Result<(), OpError> {
        files::remove_instance(&self.folder(id))
    }

    fn hint(&self, id: &InstanceId) -> Option<u64> {
        self.hint_file().ok()?.said(hint::slot_of(id)).ok()
    }

    fn watch(&self) -> Result<Box<dyn Watch>, OpError> {
        let watch = hint::HintWatch::open(&self.root);
        Ok(Box::new(watch.map_err(|error| files::unavailable(&error, "open the hint file of", &self.root))?))
    }

    fn save_blob(&self, id: &InstanceId, content: &Content) -> Result<BlobRef, OpError> {
        blobs::Blobs::of(&self.folder(id)).save(content)
    }

    fn begin_blob(&self, id: &InstanceId) -> Result<Box<dyn BlobWriter>, OpError> {
        Ok(Box::new(blobs::Blobs::of(&self.folder(id)).begin()?))
    }

    fn open_blob(&self, id: &InstanceId, blob: &BlobRef) -> Result<Box<dyn BlobReader>, OpError> {
        Ok(Box::new(blobs::Blobs::of(&self.folder(id)).open(blob)?))
    }

    fn has_blob(&self, id: &InstanceId, blob: &BlobRef) -> bool {
        blobs::Blobs::of(&self.folder(id)).has(blob)
    }

    fn holder(&self, id: &InstanceId) -> Option<Holder> {
        gate::holder(&self.folder(id))
    }

    fn upkeep(&self, id: &InstanceId) -> Result<Box<dyn Upkeep>, OpError> {
        self.refuse_network()?;
        Ok(Box::new(upkeep::SqliteUpkeep::open(&self.folder(id), self.durability, self.name)?))
    }

    fn search(&self, id: &InstanceId) -> Result<Box<dyn Search>, OpError> {
        self.refuse_network()?;
        Ok(Box::new(search::SqliteSearch::open(&self.folder(id))?))
    }

    fn has_search(&self, id: &InstanceId) -> bool {
        search::exists(&self.folder(id))
    }

    fn forget_search(&self, id: &InstanceId) -> Result<(), OpError> {
        search::forget(&self.folder(id))
    }

    fn note_scrub(&self, id: &InstanceId) -> Result<(), OpError> {
        duty::note_scrub(&self.root, id)
    }

    fn noted_scrubs(&self, id: &InstanceId) -> Result<Vec<String>, OpError> {
        duty::noted_scrubs(&self.root, id)
    }

    fn note_scrubbed(&self, noted: &[String]) -> Result<(), OpError> {
        duty::note_scrubbed(&self.root, noted)
    }

    fn duty(&self) -> Result<Option<Box<dyn Duty>>, OpError> {
        if !self.root.join("catalog").exists() {
            return Ok(None);
        }
        self.refuse_network()?;
        Ok(duty::SqliteDuty::take(&self.root)?.map(|duty| Box::new(duty) as Box<dyn Duty>))
    }
}

#[cfg(test)]
mod tests;
