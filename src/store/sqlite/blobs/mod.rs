//! Large values: files named by their SHA-256, written and synced before a record names them.

mod incoming;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read as _, Seek as _, Write as _},
    ops::Range,
    path::{Path, PathBuf},
};

use crate::model::{
    digest::sha256,
    error::{OpError, Reason},
    value::{BlobRef, Content},
};

use super::files;

/// The folder of an instance's blobs.
pub(super) fn folder_of(instance: &Path) -> PathBuf {
    instance.join(files::BLOBS)
}

/// The blobs of one instance.
#[derive(Debug, Clone)]
pub(super) struct Blobs {
    folder: PathBuf,
}

impl Blobs {
    pub(super) fn of(instance: &Path) -> Self {
        Self { folder: folder_of(instance) }
    }

    /// Keeps a value. The same bytes are kept once.
    pub(super) fn save(&self, content: &Content) -> Result<BlobRef, OpError> {
        let bytes = content.as_bytes();
        let sha256 = sha256(bytes);
        let path = self.path(&sha256);
        let failed = |error: io::Error| files::unavailable(&error, "write", &path);
        if is_whole(&path, bytes.len() as u64) {
            // Whoever put it there may not have come to this yet.
            path.parent().map_or(Ok(()), files::sync_folder).map_err(failed)?;
        } else {
            self.write(&path, bytes).map_err(failed)?;
        }
        files::sync_folder(&self.folder).map_err(failed)?;
        Ok(BlobRef { sha256, bytes: bytes.len() as u64, length: content.length() })
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = path.parent().unwrap_or(&self.folder);
        files::make_folder(folder)?;
        let beside = folder.join(format!(".new-{}", uuid::Uuid::new_v4()));
        let written = files::new_file(&beside).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&beside, path)?;
            files::sync_folder(folder)
        });
        if written.is_err()
            && let Err(error) = fs::remove_file(&beside)
        {
            tracing::debug!(%error, "nothing to remove after a failed write");
        }
        written
    }

    /// Keeps values that another instance has, durable when this returns. Errors: `unavailable` when one is missing.
    pub(super) fn share(&self, from: &Self, blobs: &[BlobRef]) -> Result<(), OpError> {
        let mut folders = BTreeSet::new();
        for blob in blobs {
            let (source, path) = (from.path(&blob.sha256), self.path(&blob.sha256));
            if !is_whole(&source, blob.bytes) {
                return Err(damaged(&source, "it is missing or cut"));
            }
            if !is_whole(&path, blob.bytes) {
                link(&source, &path).map_err(|error| files::unavailable(&error, "write", &path))?;
            }
            // Whoever put it there may not have come to this yet.
            folders.extend(path.parent().map(Path::to_owned));
        }
        self.sync(&folders)
    }

    /// Keeps all values that another instance has, durable when this returns. What goes there meanwhile is not missed.
    pub(super) fn share_all(&self, from: &Self) -> Result<(), OpError> {
        let mut folders = BTreeSet::new();
        for folder in entries(&from.folder)? {
            for source in entries(&folder)? {
                let Some(name) = source.file_name().and_then(|name| name.to_str()) else { continue };
                // A leading dot: it is still being written.
                let path = self.path(name);
                if name.starts_with('.') || path.exists() {
                    continue;
                }
                match link(&source, &path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound && !source.exists() => {}
                    other => other.map_err(|error| files::unavailable(&error, "write", &path))?,
                }
                folders.extend(path.parent().map(Path::to_owned));
            }
        }
        self.sync(&folders)
    }

    fn sync(&self, folders: &BTreeSet<PathBuf>) -> Result<(), OpError> {
        for folder in folders.iter().chain([&self.folder]) {
            files::sync_folder(folder).map_err(|error| files::unavailable(&error, "write", folder))?;
        }
        Ok(())
    }

    /// Reads a piece. Errors: `unavailable` when the file is missing or short.
    pub(super) fn read(&self, blob: &BlobRef, range: Range<u64>) -> Result<Vec<u8>, OpError> {
        let path = self.path(&blob.sha256);
        let length = range.end.min(blob.bytes).saturating_sub(range.start);
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(&path)?;
            file.seek(io::SeekFrom::Start(range.start))?;
            let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
            file.take(length).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        match read() {
            Ok(bytes) if bytes.len() as u64 == length => Ok(bytes),
            Ok(_) => Err(damaged(&path, "it is shorter than it was")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(damaged(&path, "it is missing")),
            Err(error) => Err(files::unavailable(&error, "read", &path)),
        }
    }

    /// Whether a value is there, whole.
    pub(super) fn has(&self, blob: &BlobRef) -> bool {
        is_whole(&self.path(&blob.sha256), blob.bytes)
    }

    /// Where a value is.
    pub(super) fn path(&self, sha256: &str) -> PathBuf {
        self.folder.join(sha256.get(..2).unwrap_or("00")).join(sha256)
    }
}

/// Gives a file a second name, or copies it where the file system has no such thing. Blobs are never written again, so
/// that one file can be of several instances; its bytes were synced before it got its first name.
fn link(source: &Path, path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    files::make_folder(folder)?;
    match fs::hard_link(source, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && same_length(source, path) => Ok(()),
        Err(_) => {
            let beside = folder.join(format!(".new-{}", uuid::Uuid::new_v4()));
            let copied = files::new_file(&beside).and_then(|mut file| {
                io::copy(&mut File::open(source)?, &mut file)?;
                file.sync_all()?;
                fs::rename(&beside, path)
            });
            if copied.is_err()
                && let Err(error) = fs::remove_file(&beside)
            {
                tracing::debug!(%error, "nothing to remove after a failed copy");
            }
            copied
        }
    }
}

fn same_length(one: &Path, other: &Path) -> bool {
    fs::metadata(one).is_ok_and(|found| is_whole(other, found.len()))
}

/// What is in a folder; nothing when it is not there.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, OpError> {
    let read = || fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>();
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(|error| files::unavailable(&error, "read", folder)),
    }
}

fn is_whole(path: &Path, bytes: u64) -> bool {
    fs::metadata(path).is_ok_and(|found| found.len() == bytes)
}

fn damaged(path: &Path, how: &str) -> OpError {
    OpError::Unavailable {
        reason: Reason::Damaged,
        what: format!("the stored value {} cannot be read: {how}", path.display()),
        remedy: "put the file back from a backup, or write the key anew".into(),
    }
}
