//! How much was written: for who measures.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many changes were made durable, and in how many commits.
#[derive(Debug, Default)]
pub struct Stats {
    commits: AtomicU64,
    changes: AtomicU64,
}

impl Stats {
    /// Commits and changes since the start.
    pub fn read(&self) -> (u64, u64) {
        (self.commits.load(Ordering::Relaxed), self.changes.load(Ordering::Relaxed))
    }

    /// Counts a commit.
    pub(super) fn record(&self, changes: u64) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.changes.fetch_add(changes, Ordering::Relaxed);
    }
}
