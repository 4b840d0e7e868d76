//! Checkpoints in quiet moments: when nothing was written for a while and the WAL has grown, what was committed is
//! moved into the database file. Nobody waits for it: it runs on a connection of its own.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use crate::model::error::OpError;

use super::{clock::pause, handle::Handle};

/// How long nothing must have been written.
const QUIET_MS: u64 = 200;
/// From how many pages of the WAL on it is worth it.
const PAGES: u64 = 1000;
/// Bytes of a page.
const PAGE_BYTES: u64 = 4096;
/// Pages that a commit writes whatever its changes are: the ends of the tables, the state, the counts.
const COMMIT_PAGES: u64 = 4;

/// Watches an instance for as long as it is in use.
pub(super) fn watch(handle: &Arc<Handle>) {
    let weak = Arc::downgrade(handle);
    let mut written = handle.written.subscribe();
    drop(tokio::spawn(async move {
        while written.changed().await.is_ok() {
            loop {
                let last_ms = *written.borrow_and_update();
                pause(Duration::from_millis(QUIET_MS)).await;
                let Some(handle) = weak.upgrade() else { return };
                if *written.borrow() == last_ms {
                    settle(handle).await;
                    break;
                }
            }
        }
    }));
}

impl Handle {
    /// Notes a commit, with roughly how much it wrote to the WAL.
    pub(super) fn note_commit(&self, changes: u64, bytes: usize) {
        let pages = COMMIT_PAGES + changes + bytes as u64 / PAGE_BYTES;
        if self.unsettled.fetch_add(pages, Ordering::Relaxed) + pages >= PAGES {
            self.written.send_replace(self.files.now_ms());
        }
    }
}

async fn settle(handle: Arc<Handle>) {
    handle.unsettled.store(0, Ordering::Relaxed);
    let work = move || -> Result<(), OpError> { handle.store.upkeep(&handle.id)?.settle() };
    if let Ok(Err(error)) = tokio::task::spawn_blocking(work).await {
        tracing::debug!(%error, "a checkpoint failed");
    }
}
