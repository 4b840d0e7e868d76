//! A data folder from a backup: built beside its place out of files that nobody vouches for, each checked, and put in
//! place by one rename.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use crate::model::{
    erasure::Erasure,
    error::{OpError, Reason},
    instance::InstanceId,
    kind::Kind as _,
    value::BlobRef,
};

use super::{
    super::{
        SqliteStore,
        blobs::Blobs,
        connection::{self, Durability, explain},
        duty, examine, files,
    },
    busy, extent, listed,
};

/// A data folder in the making. Dropped before its end, it leaves nothing.
pub struct Rebuild {
    root: PathBuf,
    /// The store beside.
    beside: SqliteStore,
    /// Whose databases were asked for.
    begun: BTreeSet<InstanceId>,
    is_done: bool,
    /// Held until the folder is in its place.
    lock: Option<File>,
}

/// What a backup says of an instance.
#[derive(Debug, Clone)]
pub struct Expected {
    /// Its id.
    pub id: InstanceId,
    /// The seq of its last change.
    pub as_of_seq: u64,
    /// How many records it has.
    pub records: u64,
}

/// Where a data folder is built: `.<name>.restoring` beside it.
pub(in crate::store::sqlite) fn beside(root: &Path) -> Option<PathBuf> {
    let name = root.file_name()?.to_str()?;
    Some(root.with_file_name(format!(".{name}.restoring")))
}

impl SqliteStore {
    /// Begins to build the data folder. Errors: `already_exists` unless it is missing or empty; `unavailable` while
    /// another process builds it.
    pub fn rebuild(&self) -> Result<Rebuild, OpError> {
        self.refuse_network()?;
        let given = std::path::absolute(self.root()).unwrap_or_else(|_| self.root().to_owned());
        // A link stays and what it leads to is built.
        let root = fs::canonicalize(&given).unwrap_or(given);
        refuse_full(&root)?;
        let Some(place) = beside(&root) else {
            return Err(OpError::invalid("data-dir", "a folder with a name is needed", ""));
        };
        let failed = |error: io::Error| files::unavailable(&error, "write", &place);
        let lock = files::make_folder(&place).and_then(|()| files::shared_file(&place.join(files::LOCK)));
        let lock = lock.map_err(failed)?;
        if lock.try_lock().is_err() {
            return Err(busy("another process is restoring into this data folder"));
        }
        super::stage::empty(&place).map_err(failed)?;
        let beside = Self { root: place, shared: std::sync::Arc::default(), ..self.clone() };
        Ok(Rebuild { root, beside, begun: BTreeSet::new(), is_done: false, lock: Some(lock) })
    }
}

fn refuse_full(root: &Path) -> Result<(), OpError> {
    match fs::read_dir(root).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(files::unavailable(&error, "look into", root)),
        Ok(false) => Err(OpError::AlreadyExists {
            what: format!("something in the data folder {}", root.display()),
            remedy: "A backup is restored into an empty folder only: move this one away, or name another with \
                     --data-dir"
                .into(),
        }),
    }
}

impl Rebuild {
    /// A file for the database of an instance. Errors: when it was asked for before.
    pub fn database(&mut self, id: &InstanceId) -> Result<File, OpError> {
        let folder = self.beside.folder(id);
        self.begun.insert(id.clone());
        let made = files::make_folder(&folder)
            .and_then(|()| files::make_folder(&folder.join(files::BLOBS)))
            .and_then(|()| files::new_file(&folder.join(files::LOCK)))
            .and_then(|_| files::new_file(&folder.join(files::DATABASE)));
        made.map_err(|error| files::unavailable(&error, "create", &folder))
    }

    /// A file for a large value. Errors: when it was asked for before.
    pub fn large(&self, sha256: &str) -> Result<File, OpError> {
        let path = Blobs::of(self.beside.root()).path(sha256);
        let made = files::make_folder(path.parent().unwrap_or(&path)).and_then(|()| files::new_file(&path));
        made.map_err(|error| files::unavailable(&error, "create", &path))
    }

    /// Checks what was written and puts the data folder in its place, durable when this returns.
    pub fn finish(mut self, catalog: &Expected, instances: &[Expected]) -> Result<(), OpError> {
        let all = || [catalog].into_iter().chain(instances);
        // Also keeps an id that is none from becoming a path.
        if !all().map(|expected| &expected.id).eq(&self.begun_in_order(catalog)) {
            return Err(OpError::invalid("contents", "they list other instances than the backup has", ""));
        }
        for expected in all() {
            self.settle(expected)?;
        }
        self.compare(instances)?;
        let (place, failed) =
            (self.beside.root(), |error: io::Error| files::unavailable(&error, "put in place", &self.root));
        // The large values have their names in the instances.
        match fs::remove_dir_all(place.join(files::BLOBS)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other.map_err(failed)?,
        }
        sync_all(place).map_err(failed)?;
        if cfg!(windows) {
            // Nothing is renamed there while something in it is open.
            self.lock = None;
        }
        put(place, &self.root)?;
        self.is_done = true;
        files::sync_folder(self.root.parent().unwrap_or(Path::new("."))).map_err(failed)?;
        // Only now: without it another restore could have begun anew in this one's place.
        fs::remove_file(self.root.join(files::LOCK)).and_then(|()| files::sync_folder(&self.root)).map_err(failed)
    }

    /// Whose databases there are: the catalog's first, the others by id.
    fn begun_in_order(&self, catalog: &Expected) -> Vec<InstanceId> {
        let of_catalog = self.begun.iter().filter(|id| **id == catalog.id);
        of_catalog.chain(self.begun.iter().filter(|id| **id != catalog.id)).cloned().collect()
    }

    /// Makes sure that an instance is what the backup says, and gives it its large values.
    fn settle(&self, expected: &Expected) -> Result<(), OpError> {
        let folder = self.beside.folder(&expected.id);
        let refused = |rule: String| OpError::invalid(format!("instance {}", expected.id), rule, "");
        // For writing: it may be of an older version, and what was opened so leaves one file behind.
        let connection = connection::open_writer(&folder, Durability::Normal)?;
        let told = |error: rusqlite::Error| explain(&error, &folder.join(files::DATABASE));
        if connection::schema(&connection).map_err(told)? != connection::fresh_schema()? {
            return Err(refused("its database has other tables than those of mindcache".into()));
        }
        if let Some(fault) = examine::database_faults(&connection, &folder).into_iter().next() {
            return Err(refused(fault.what));
        }
        if extent(&connection).map_err(told)? != (expected.as_of_seq, expected.records) {
            return Err(refused("it has another state than the backup says".into()));
        }
        let (pool, named) = (Blobs::of(self.beside.root()), examine::named_blobs(&connection).map_err(told)?);
        if let Some(lost) = named.iter().find(|blob| !is_name(blob) || !pool.has(blob)) {
            return Err(refused(format!("the backup lacks a large value of it ({})", lost.sha256.escape_debug())));
        }
        Blobs::of(&folder).share(&pool, &named)?;
        let sql = "SELECT EXISTS (SELECT * FROM record WHERE kind = ?1)";
        if connection.query_row(sql, [Erasure::KIND], |row| row.get(0)).map_err(told)? {
            // A purge was not at its end: upkeep goes on with what is noted.
            duty::note_scrub(self.beside.root(), &expected.id)?;
        }
        connection.close().map_err(|(_, error)| told(error))
    }

    /// The catalog lists exactly these instances; of those that were deleted some may be gone.
    fn compare(&self, instances: &[Expected]) -> Result<(), OpError> {
        let folder = self.beside.folder(&InstanceId::catalog());
        let connection = connection::open_writer(&folder, Durability::Normal)?;
        let mut had: BTreeSet<_> = instances.iter().map(|expected| expected.id.clone()).collect();
        let refused = |id: &InstanceId, rule: &str| Err(OpError::invalid(format!("instance {id}"), rule, ""));
        for (id, listed) in listed(&connection, &folder)? {
            if !had.remove(&id) && listed.deleted_at.is_none() {
                return refused(&id, "the catalog lists it and the backup does not have it");
            }
        }
        match had.first() {
            Some(id) => refused(id, "the backup has it and the catalog does not list it"),
            None => connection.close().map_err(|(_, error)| explain(&error, &folder.join(files::DATABASE))),
        }
    }
}

/// Whether a name could be that of a large value: it becomes a path.
fn is_name(blob: &BlobRef) -> bool {
    blob.sha256.len() == 64 && blob.sha256.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Makes all files and names below a folder durable.
fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { sync_all(&entry.path())? } else { File::open(entry.path())?.sync_all()? }
    }
    files::sync_folder(folder)
}

fn put(place: &Path, root: &Path) -> Result<(), OpError> {
    // Windows renames onto nothing only; elsewhere an empty folder is replaced in one step.
    if cfg!(windows) && root.exists() {
        fs::remove_dir(root).map_err(|error| files::unavailable(&error, "put in place", root))?;
    }
    fs::rename(place, root).map_err(|error| match error.kind() {
        io::ErrorKind::DirectoryNotEmpty => {
            refuse_full(root).err().unwrap_or_else(|| busy("the data folder is in use"))
        }
        io::ErrorKind::CrossesDevices | io::ErrorKind::ResourceBusy => OpError::Unavailable {
            reason: Reason::Io,
            what: format!(
                "{} is the root of a file system, and a data folder is put in place as a whole",
                root.display()
            ),
            remedy: "name a folder in it with --data-dir".into(),
        },
        _ => files::unavailable(&error, "put in place", root),
    })
}

impl Drop for Rebuild {
    fn drop(&mut self) {
        if !self.is_done
            && let Err(error) = fs::remove_dir_all(self.beside.root())
        {
            tracing::warn!(%error, "could not remove {}", self.beside.root().display());
        }
    }
}
