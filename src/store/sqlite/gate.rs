//! The gate of an instance: an OS lock that makes the writers of all processes take turns (SQLite's own busy loop lets
//! one of them starve). Who holds it leaves its name in the file, so that those who wait in vain can say for whom.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use crate::{model::error::OpError, store::upkeep::Holder};

use super::files;

/// Bytes of the file that hold the name: all of them are written at once.
const NAME_BYTES: usize = 64;

/// The name of this process, as it stands in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name([u8; NAME_BYTES]);

impl Name {
    /// The name of this process, which runs `program`.
    pub(super) fn of(program: &str) -> Self {
        let mut name = [b'\n'; NAME_BYTES];
        let text = format!("{} {program}", std::process::id());
        for (place, byte) in name.iter_mut().zip(text.bytes().filter(|byte| *byte != b'\n')) {
            *place = byte;
        }
        Self(name)
    }
}

/// The gate, open but not held.
#[derive(Debug)]
pub(super) struct Gate {
    file: File,
    path: PathBuf,
    name: Name,
}

impl Gate {
    /// Opens the gate of an instance's folder.
    pub(super) fn open(folder: &Path, name: Name) -> Result<Self, OpError> {
        let path = folder.join(files::LOCK);
        let file = files::shared_file(&path).map_err(|error| files::unavailable(&error, "open", &path))?;
        Ok(Self { file, path, name })
    }

    /// Waits until it is this process's turn.
    pub(super) fn enter(&self) -> Result<Inside<'_>, OpError> {
        self.file.lock().map_err(|error| files::unavailable(&error, "lock", &self.path))?;
        let inside = Inside(self);
        if let Err(error) = self.sign() {
            tracing::debug!(%error, "cannot write who holds {}", self.path.display());
        }
        Ok(inside)
    }

    /// Leaves the name unless it is there already: reading is cheaper than making a file dirty.
    fn sign(&self) -> io::Result<()> {
        let mut found = [0; NAME_BYTES];
        let is_ours = files::read_at(&self.file, &mut found, 0).is_ok() && found == self.name.0;
        if is_ours { Ok(()) } else { files::write_at(&self.file, &self.name.0, 0) }
    }
}

/// The gate, held until this is dropped.
pub(super) struct Inside<'g>(&'g Gate);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.file.unlock() {
            // What is committed is committed; closing the file at the end lets go in any case.
            tracing::error!(%error, "cannot let go of {}", self.0.path.display());
        }
    }
}

/// Who holds the gate of a folder at this moment; nothing when nobody does or nobody said so. (Windows lets nobody
/// read a locked file, so there it is not known.)
pub(super) fn holder(folder: &Path) -> Option<Holder> {
    let mut file = File::open(folder.join(files::LOCK)).ok()?;
    if file.try_lock().is_ok() {
        // Closing the file lets go again.
        return None;
    }
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    let (pid, program) = text.trim_end().split_once(' ')?;
    Some(Holder { pid: pid.parse().ok()?, program: program.to_owned() })
}

/// Whether nobody holds the gate of a folder, or there is none.
pub(super) fn is_free(folder: &Path) -> bool {
    match File::open(folder.join(files::LOCK)) {
        Ok(file) => file.try_lock().is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_the_gate_is_known_while_it_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let gate = Gate::open(folder.path(), Name::of("mindcache test")).unwrap();
        assert_eq!(holder(folder.path()), None);
        assert!(is_free(folder.path()));
        let inside = gate.enter().unwrap();
        let expected = Holder { pid: std::process::id(), program: "mindcache test".into() };
        assert_eq!(holder(folder.path()), Some(expected));
        assert!(!is_free(folder.path()));
        drop(inside);
        assert_eq!(holder(folder.path()), None);
    }

    #[test]
    fn a_long_name_is_cut_and_the_next_holder_overwrites_it() {
        let folder = tempfile::tempdir().unwrap();
        drop(Gate::open(folder.path(), Name::of(&"x".repeat(200))).unwrap().enter().unwrap());
        let gate = Gate::open(folder.path(), Name::of("short")).unwrap();
        let _inside = gate.enter().unwrap();
        assert_eq!(holder(folder.path()).map(|holder| holder.program), Some("short".into()));
    }
}
