//! A fresh data folder for a bench, gone when the bench is done.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// A folder of its own. `store()` inside it is the data folder of the servers started on it.
pub(super) struct Scratch {
    root: PathBuf,
}

impl Scratch {
    /// Makes the folder under `parent`: what is measured is the disk `parent` lies on.
    pub(super) fn new(parent: &Path) -> anyhow::Result<Self> {
        let root = parent.join(format!("mindcache-bench-{}", uuid::Uuid::new_v4()));
        fs::create_dir_all(root.join("data"))
            .with_context(|| format!("cannot create a bench folder {}", root.display()))?;
        Ok(Self { root })
    }

    /// The data folder given to servers; empty until the first of them writes.
    pub(super) fn store(&self) -> PathBuf {
        self.root.join("data")
    }

    /// A path beside the data folder, for what the bench itself keeps.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.root) {
            // Nothing depends on this line: stderr may be closed.
            drop(writeln!(std::io::stderr(), "bench: {} stays, remove it by hand: {error}", self.root.display()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_folder_is_removed_with_all_it_holds() {
        let scratch = Scratch::new(&std::env::temp_dir()).unwrap();
        let other = Scratch::new(&std::env::temp_dir()).unwrap();
        let inside = scratch.store().join("kept");
        fs::write(&inside, b"x").unwrap();
        drop(scratch);
        assert!(!inside.exists());
        assert!(other.store().is_dir());
    }
}
