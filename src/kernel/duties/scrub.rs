//! Making sure that what was taken out of an instance is in none of its files any more.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use crate::{
    model::{error::OpError, instance::InstanceId},
    store::Store,
};

use super::{super::handle::Handle, Kernel, VISIT, pause, stopped};

/// How often to try while somebody reads, and how long to wait in between.
const TRIES: usize = 50;
const BETWEEN: Duration = Duration::from_millis(20);

impl Kernel {
    /// Scrubs an instance from whose log values were taken. That was noted before it was done: what does not end here,
    /// because somebody reads, is done by the holder of the duties within a minute.
    pub(in super::super) async fn scrub_erased(&self, handle: &Handle) {
        if handle.erased.swap(false, Ordering::AcqRel)
            && let Err(error) = self.scrub(&handle.id).await
        {
            tracing::warn!(%error, instance = %handle.id, "what was purged is not all gone yet");
        }
    }

    /// Removes the large values that nothing names and empties the WAL, so that values that were overwritten, deleted
    /// or purged are in no file. `false` when readers or a stopped process did not let it end: what was noted is tried
    /// again.
    pub async fn scrub(&self, id: &InstanceId) -> Result<bool, OpError> {
        if !id.is_catalog() && !self.is_listed(id)? {
            self.store.note_scrub(id, true)?;
            return Ok(true);
        }
        let now_ms = self.clock.wall_ms();
        for _ in 0..TRIES {
            let (store, place) = (Arc::clone(&self.store), id.clone());
            let working = tokio::task::spawn_blocking(move || once(store.as_ref(), &place, now_ms));
            match tokio::time::timeout(VISIT, working).await {
                Ok(done) => {
                    if done.map_err(|_| stopped())?? {
                        self.store.note_scrub(id, true)?;
                        return Ok(true);
                    }
                }
                Err(_) => return Ok(false),
            }
            pause(BETWEEN).await;
        }
        Ok(false)
    }
}

fn once(store: &dyn Store, id: &InstanceId, now_ms: i64) -> Result<bool, OpError> {
    let mut upkeep = store.upkeep(id)?;
    // Also what was kept a moment ago: a turn that is about to name it makes sure of it.
    while upkeep.collect(now_ms.saturating_add(1))? > 0 {}
    upkeep.empty_wal()
}
