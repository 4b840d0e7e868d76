//! A file that is whole or not there: written beside its place, synced, renamed.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use super::output::Failure;
use crate::store::sqlite::{new_file, sync_folder};

/// What stands between a file's name and the random end of the one beside it.
const NEW: &str = ".new-";
/// Bytes that are written at once.
const PIECE_BYTES: usize = 256 * 1024;

/// A file in the making. Dropped before its end, it leaves nothing.
pub(super) struct WholeFile {
    place: PathBuf,
    new: PathBuf,
    file: BufWriter<File>,
    is_put: bool,
}

impl WholeFile {
    /// Begins a file that will stand in this place, for this user alone when it `is_private`, and removes what was left
    /// beside it by those that did not end.
    pub(super) fn begin(place: &Path, is_private: bool) -> Result<Self, Failure> {
        let not_a_file = || Failure::Usage(format!("{} is no file", place.display()));
        let name = place.file_name().ok_or_else(not_a_file)?.to_owned();
        // A device or a pipe would be replaced.
        if fs::metadata(place).is_ok_and(|found| !found.is_file()) {
            return Err(not_a_file());
        }
        let mut begin = name;
        begin.push(NEW);
        sweep(place, &begin.to_string_lossy());
        begin.push(uuid::Uuid::new_v4().simple().to_string());
        let new = place.with_file_name(begin);
        let file = if is_private { new_file(&new) } else { File::create_new(&new) };
        let file = file.map_err(|error| told(place, &error))?;
        // Held while it is written: by it others tell what was left.
        if let Err(error) = file.try_lock() {
            tracing::debug!(%error, "cannot lock {}", new.display());
        }
        let file = BufWriter::with_capacity(PIECE_BYTES, file);
        Ok(Self { place: place.to_owned(), new, file, is_put: false })
    }

    /// Where its bytes go.
    pub(super) fn out(&mut self) -> &mut BufWriter<File> {
        &mut self.file
    }

    /// What was written so far, from the beginning.
    pub(super) fn again(&mut self) -> Result<File, Failure> {
        self.file.flush().and_then(|()| File::open(&self.new)).map_err(|error| told(&self.place, &error))
    }

    /// Puts it in its place, durable when this returns.
    pub(super) fn put(mut self) -> Result<(), Failure> {
        let folder = self.place.parent().unwrap_or(Path::new("."));
        let put = self.file.flush().and_then(|()| {
            self.file.get_ref().sync_all()?;
            fs::rename(&self.new, &self.place)?;
            self.is_put = true;
            sync_folder(folder)
        });
        put.map_err(|error| told(&self.place, &error))
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if !self.is_put {
            // It says why by itself.
            drop(fs::remove_file(&self.new));
        }
    }
}

fn told(place: &Path, error: &io::Error) -> Failure {
    Failure::Other(anyhow::anyhow!("cannot write {}: {error}", place.display()))
}

/// Removes the files beside a place that begin so, end in 32 random digits, and that nobody writes any more.
fn sweep(place: &Path, begin: &str) {
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let random = name.to_str().and_then(|name| name.strip_prefix(begin)).unwrap_or_default();
        let is_ours = random.len() == 32 && random.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_ours && is_file && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            tracing::info!("removing {}, which nobody writes any more", entry.path().display());
            drop(fs::remove_file(entry.path()));
        }
    }
}
