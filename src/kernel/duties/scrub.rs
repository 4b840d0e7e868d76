//! Making sure that what was taken out of an instance is in none of its files any more.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use crate::{
    model::{erasure::Erasure, error::OpError, instance::InstanceId, kind::Kind as _, view::IdRange},
    ops::{expiry::ExpireDue, keys::purge::GoOn, operation::Operation as _},
    store::Store,
};

use super::{
    super::{Caller, handle::Handle, order::Order, search::clean_index},
    Kernel, VISIT, pause, stopped,
};

/// How often to try while somebody reads, and how long to wait in between.
const TRIES: usize = 50;
const BETWEEN: Duration = Duration::from_millis(20);
/// Slices of a long purge in one round: writers come in between.
const SLICES: usize = 200;

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

    /// Removes the large values that nothing names, empties the WAL and cleans the search index, so that values that were overwritten, deleted
    /// or purged are in no file. `false` when readers or a stopped process did not let it end: what was noted is tried
    /// again.
    pub async fn scrub(&self, id: &InstanceId) -> Result<bool, OpError> {
        // What is noted later is another purge, which this may come too early for.
        let noted = self.store.noted_scrubs(id)?;
        if !id.is_catalog() && !self.is_listed(id)? {
            self.store.note_scrubbed(&noted)?;
            return Ok(true);
        }
        if !self.erase_rest(id).await? {
            return Ok(false);
        }
        // One at a time: a visit that waits at a stopped process's gate must not be joined by another each round.
        let Some(_turn) = self.turn_at(id).await else { return Ok(false) };
        let now_ms = self.clock.wall_ms();
        for _ in 0..TRIES {
            let (store, place) = (Arc::clone(&self.store), id.clone());
            let Some(turn) = Turn::take(&self.visiting, id) else { return Ok(false) };
            let with_search = self.care.search;
            let working = tokio::task::spawn_blocking(move || {
                let done = once(store.as_ref(), &place, now_ms, with_search);
                drop(turn);
                done
            });
            match tokio::time::timeout(VISIT, working).await {
                Ok(done) => {
                    if done.map_err(|_| stopped())?? {
                        self.store.note_scrubbed(&noted)?;
                        return Ok(true);
                    }
                }
                Err(_) => return Ok(false),
            }
            pause(BETWEEN).await;
        }
        Ok(false)
    }

    /// Waits for whoever scrubs the instance already, who may have begun before what is to be gone was gone.
    async fn turn_at(&self, id: &InstanceId) -> Option<Turn> {
        for _ in 0..TRIES {
            if let Some(turn) = Turn::take(&self.scrubbing, id) {
                return Some(turn);
            }
            pause(BETWEEN).await;
        }
        None
    }

    /// Goes on with the purges of an instance whose logs were too long for one turn; answers whether all are done.
    async fn erase_rest(&self, id: &InstanceId) -> Result<bool, OpError> {
        let handle = self.handle(id)?;
        for _ in 0..SLICES {
            let left = handle.peek(|view, _| view.records(Erasure::KIND, &IdRange::all(), 1))??;
            let Some(next) = left.first() else { return Ok(true) };
            let call = Arc::new(GoOn { key: next.id.clone() });
            let order = Order::new(ExpireDue::NAME, call, Caller::system());
            handle.write(Order { is_about_access: true, ..order }).await?;
        }
        Ok(false)
    }
}

/// The right to work at an instance, which only one has.
pub(in super::super) struct Turn {
    all: Arc<Mutex<HashSet<InstanceId>>>,
    id: InstanceId,
}

impl Turn {
    fn take(all: &Arc<Mutex<HashSet<InstanceId>>>, id: &InstanceId) -> Option<Self> {
        let is_free = all.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
        is_free.then(|| Self { all: Arc::clone(all), id: id.clone() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

fn once(store: &dyn Store, id: &InstanceId, now_ms: i64, with_search: bool) -> Result<bool, OpError> {
    let mut upkeep = store.upkeep(id)?;
    // Also what was kept a moment ago: a turn that is about to name it makes sure of it.
    while upkeep.collect(now_ms.saturating_add(1))? > 0 {}
    Ok(upkeep.empty_wal()? && clean_index(store, id, with_search)?)
}
