//! Folders and files that are whole or not there: built beside, synced, renamed, the parent synced.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use crate::model::error::{OpError, Reason};

/// Name of the database file of an instance.
pub(super) const DATABASE: &str = "instance.db";
/// Name of what SQLite keeps beside it: commits that are not in it yet.
pub(super) const LOG: &str = "instance.db-wal";
/// Name of the folder of large values.
pub(super) const BLOBS: &str = "blobs";
/// Name of the file whose lock makes writers take turns.
pub(super) const LOCK: &str = "lock";

/// Says what could not be done with a path.
pub(super) fn unavailable(error: &io::Error, what: &str, path: &Path) -> OpError {
    let (reason, remedy) = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (Reason::DiskFull, "free some space, then try again")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            (Reason::ReadOnly, "make the folder writable for this user, or choose another with --data-dir")
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            (Reason::Io, "a file is where a folder should be: move it away, or choose another folder with --data-dir")
        }
        _ => (Reason::Io, "see the message of the system, then try again"),
    };
    OpError::Unavailable { reason, what: format!("cannot {what} {}: {error}", path.display()), remedy: remedy.into() }
}

/// Makes a folder and its parents, private to this user, each durable.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(Path::new("."));
    if !parent.as_os_str().is_empty() {
        make_folder(parent)?;
    }
    match private_folder(folder) {
        // Another process made it in between.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_folder(parent),
    }
}

#[cfg(unix)]
fn private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn private_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir(folder)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    // Windows has no such call; there a rename is made durable by the file system itself.
    if cfg!(unix) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Makes the names on the way to a folder durable. Who made them may have been killed before it came to that, and
/// nobody can see whether it did.
fn sync_path(folder: &Path, root: &Path) -> io::Result<()> {
    for above in folder.ancestors().skip(1) {
        let synced = sync_folder(above);
        if above.starts_with(root) {
            synced?;
        } else if let Err(error) = synced {
            // Not a folder in which this user makes others: it was there before the data folder.
            tracing::debug!(%error, "{} is taken to be durable", above.display());
            break;
        }
    }
    Ok(())
}

/// Makes durable what stands in the log of the database of an instance. Its last writer may have been killed between
/// writing and syncing, and what the next to open it finds there counts as committed.
pub(super) fn sync_log(folder: &Path) -> Result<(), OpError> {
    let path = folder.join(LOG);
    // No lock of SQLite is on this file, so that closing it lets go of none.
    let synced = match OpenOptions::new().write(true).open(&path) {
        Ok(log) => log.sync_all().and_then(|()| sync_folder(folder)),
        // All of it is in the database, which was synced before its log went.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    synced.map_err(|error| unavailable(&error, "sync", &path))
}

/// A new file, private to this user.
pub(crate) fn new_file(path: &Path) -> io::Result<File> {
    private(OpenOptions::new().write(true).create_new(true), path)
}

/// A file that processes share, made private to this user if it is not there.
pub(super) fn shared_file(path: &Path) -> io::Result<File> {
    private(OpenOptions::new().read(true).write(true).create(true), path)
}

fn private(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// Makes the folder of an instance from an image of its database. `false` when another process was first.
pub(super) fn create_instance(folder: &Path, root: &Path, image: &[u8]) -> Result<bool, OpError> {
    build_beside(folder, root, |beside| {
        let write = || {
            new_file(&beside.join(DATABASE)).and_then(|mut database| {
                database.write_all(image)?;
                database.sync_all()
            })
        };
        write().map_err(|error| unavailable(&error, "create", folder))
    })
}

/// Makes the folder of an instance, built beside, synced, renamed, and all names from the data folder down to it
/// durable. `false` when another process was first.
pub(super) fn build_beside(
    folder: &Path,
    root: &Path,
    fill: impl FnOnce(&Path) -> Result<(), OpError>,
) -> Result<bool, OpError> {
    let failed = |error: io::Error| unavailable(&error, "create", folder);
    let parent = folder.parent().unwrap_or(Path::new("."));
    make_folder(parent).map_err(failed)?;
    // A leading dot and a random name: no start of another process takes it for an instance.
    let beside = parent.join(format!(".new-{}", uuid::Uuid::new_v4()));
    let begun = begin(&beside).map_err(failed);
    // While it is locked no sweep takes it for what a crash has left, however long the filling takes.
    let built = begun.and_then(|lock| fill(&beside).map(|()| drop(lock)));
    let built = built.and_then(|()| put_in_place(&beside, folder, root).map_err(failed));
    if !matches!(built, Ok(true))
        && let Err(error) = fs::remove_dir_all(&beside)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "could not remove {}", beside.display());
    }
    built
}

/// What every instance has beside its database. Answers its lock, held.
fn begin(beside: &Path) -> io::Result<File> {
    private_folder(beside)?;
    private_folder(&beside.join(BLOBS))?;
    let lock = new_file(&beside.join(LOCK))?;
    lock.lock()?;
    Ok(lock)
}

fn put_in_place(beside: &Path, folder: &Path, root: &Path) -> io::Result<bool> {
    sync_folder(beside)?;
    match fs::rename(beside, folder) {
        Err(_) if folder.is_dir() => Ok(false),
        Err(error) => Err(error),
        Ok(()) => sync_path(folder, root).map(|()| true),
    }
}

/// Removes the folder of an instance: renamed first, so that it is gone at once and whole.
pub(super) fn remove_instance(folder: &Path) -> Result<(), OpError> {
    let failed = |error: io::Error| unavailable(&error, "remove", folder);
    let parent = folder.parent().unwrap_or(Path::new("."));
    let beside = parent.join(format!(".old-{}", uuid::Uuid::new_v4()));
    match fs::rename(folder, &beside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(failed)?,
    }
    sync_folder(parent).map_err(failed)?;
    fs::remove_dir_all(&beside).map_err(failed)
}

/// Writes at a place of a file that processes share.
#[cfg(unix)]
pub(super) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

/// Reads at a place of a file that processes share.
#[cfg(unix)]
pub(super) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
pub(super) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::windows::fs::FileExt::seek_write(file, bytes, offset).map(drop)
}

#[cfg(windows)]
pub(super) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::windows::fs::FileExt::seek_read(file, bytes, offset).map(drop)
}
