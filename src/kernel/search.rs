//! Searching: the index says which keys, the instance says what they are now. The index is fed from the log, here and
//! by the holder of the duties; no write waits for it or knows of it.

use std::{sync::Arc, time::Duration};

use crate::{
    model::{
        error::{OpError, Reason},
        instance::{InstanceId, InstanceRef},
        limits, permission,
        search::Stand,
        view::{Access, Position, ReadView},
    },
    ops::{
        keys::{
            indexing,
            search::{Matches, SearchKeys, switched_off},
        },
        operation::{Reply, Wait},
        procedure::Arguments as _,
    },
    store::{Store, search::Search},
};

use super::{Caller, Kernel, clock::Stopwatch, handle::Handle, instances::blocking};

/// Candidates that are asked for first, and at most: many may be out of the caller's sight.
const FEW: usize = 200;
const MANY: usize = 10_000;

impl Kernel {
    /// Answers a search.
    pub(super) async fn search_keys(
        &self,
        caller: &Caller,
        instance: &InstanceRef,
        search: SearchKeys,
    ) -> Result<Reply, OpError> {
        let (handle, caller) = self.admit(caller, instance)?;
        if handle.id.is_catalog() {
            return Err(permission::refuse_operation(caller.mode, SearchKeys::META.action, SearchKeys::NAME));
        }
        if !self.care.search {
            return Err(switched_off());
        }
        let caller = caller.into_owned();
        // It may take a while, and the caller's thread has others to serve.
        blocking(move || Reply::of(&answer(&handle, &caller, &search)?)).await
    }
}

fn answer(handle: &Arc<Handle>, caller: &Caller, search: &SearchKeys) -> Result<Matches, OpError> {
    // A deleted instance is refused before anything is made in its folder.
    handle.read(caller, Wait::default(), |_, _| Ok(()))?;
    let head = handle.peek(indexing::head)??;
    with_index(handle.store.as_ref(), &handle.id, |index| {
        let stand = catch_up(index, head, &|feed| handle.peek(|view, position| feed(view, position))?)?;
        look(handle, caller, search, index, stand)
    })
}

/// Lets an index catch up to a seq for as long as a caller waits. One that cannot be written is searched as it is.
fn catch_up(index: &mut dyn Search, head: Stand, look: &Look<'_>) -> Result<Stand, OpError> {
    let watch = Stopwatch::start();
    let mut stand = index.stand()?;
    while stand != head {
        let spent = u64::try_from(watch.elapsed_ms()).unwrap_or(u64::MAX);
        let Some(left) = limits::CATCH_UP_MS.checked_sub(spent).filter(|left| *left > 0) else { break };
        match take(index, Duration::from_millis(left), look) {
            Ok(Some(now)) if now.seq >= head.seq => return Ok(now),
            Ok(Some(now)) => stand = now,
            Ok(None) => break,
            Err(error @ OpError::Unavailable { reason: Reason::Damaged, .. }) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "the search index does not catch up");
                break;
            }
        }
    }
    Ok(stand)
}

/// How an instance is looked at.
type Look<'l> = dyn Fn(&dyn Fn(&dyn ReadView, Position) -> Result<(), OpError>) -> Result<(), OpError> + 'l;

/// Takes in one slice of what `look` shows; nothing when another process is at it for so long.
fn take(index: &mut dyn Search, wait: Duration, look: &Look<'_>) -> Result<Option<Stand>, OpError> {
    index.take(wait, &mut |stand, known| {
        let read = std::cell::RefCell::new(None);
        look(&|view, position| {
            read.replace(Some(indexing::slice(view, position, stand, known)?));
            Ok(())
        })?;
        read.into_inner().ok_or_else(super::stopped)
    })
}

fn look(
    handle: &Handle,
    caller: &Caller,
    search: &SearchKeys,
    index: &mut dyn Search,
    stand: Stand,
) -> Result<Matches, OpError> {
    let (terms, wanted) = (search.terms(), search.wanted());
    let (mut hits, mut is_all) = (index.find(&terms, 0, FEW)?, false);
    loop {
        is_all |= hits.len() < FEW;
        let found = handle.read(caller, Wait::default(), |tx, cx| {
            // Asked before the keys: that one has expired is not in the log yet.
            let head_seq = tx.seq();
            let matches = search.shown(tx, cx, &terms, &hits)?;
            Ok(Matches { matches, as_of_seq: stand.seq.min(head_seq), head_seq })
        })?;
        if is_all || found.matches.len() == wanted {
            return Ok(found);
        }
        hits.extend(index.find(&terms, FEW, MANY)?);
        is_all = true;
    }
}

/// Works with the index of an instance; one that turns out to be damaged is made anew once.
fn with_index<T>(
    store: &dyn Store,
    id: &InstanceId,
    work: impl Fn(&mut dyn Search) -> Result<T, OpError>,
) -> Result<T, OpError> {
    match work(store.search(id)?.as_mut()) {
        Err(error @ OpError::Unavailable { reason: Reason::Damaged, .. }) => {
            tracing::warn!(%error, instance = %id, "the search index is made anew");
            store.forget_search(id)?;
            work(store.search(id)?.as_mut())
        }
        other => other,
    }
}

/// How far upkeep has come with an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Indexed {
    /// There is more to take in.
    More,
    /// It has all there is.
    All,
}

/// Takes in one slice for upkeep. Snapshots, which are rarely searched, have no index until somebody does.
pub(super) fn index_slice(store: &dyn Store, id: &InstanceId, wait: Duration) -> Result<Indexed, OpError> {
    // Closed after the reader: who only reads cannot tidy up, should it be the last to close.
    let _last = store.upkeep(id)?;
    let mut reader = store.reader(id)?;
    let mut seen = Err(super::stopped());
    reader.read(&mut |view| {
        seen = view.position().and_then(|position| Ok((indexing::head(view, position)?, position.access)));
    })?;
    let (head, access) = seen?;
    if head.seq == 0 || access != Access::Open && !store.has_search(id) {
        return Ok(Indexed::All);
    }
    let reader = std::cell::RefCell::new(reader);
    with_index(store, id, |index| {
        if index.stand()? == head {
            return Ok(Indexed::All);
        }
        let taken = take(index, wait, &|feed| {
            let mut fed = Err(super::stopped());
            reader.borrow_mut().read(&mut |view| fed = view.position().and_then(|position| feed(view, position)))?;
            fed
        })?;
        Ok(if taken.is_some_and(|stand| stand.seq >= head.seq) { Indexed::All } else { Indexed::More })
    })
}

/// Makes sure that an index holds nothing but words of the keys as they are: where searching is switched off, by removing
/// it. `false` while somebody reads.
pub(super) fn clean_index(store: &dyn Store, id: &InstanceId, is_on: bool) -> Result<bool, OpError> {
    if !store.has_search(id) {
        return Ok(true);
    }
    if !is_on {
        return match store.forget_search(id) {
            Err(OpError::Unavailable { reason: Reason::Busy, .. }) => Ok(false),
            other => other.map(|()| true),
        };
    }
    while index_slice(store, id, Duration::from_secs(1))? == Indexed::More {}
    scrub_index(store, id, true)
}

/// Largest index that is scrubbed whenever it may hold what was removed; a larger one less often, as it is written anew.
const SMALL_BYTES: u64 = 4 * 1024 * 1024;

/// Takes what was removed out of the index of an instance, if it is time for that. `false` while somebody reads.
pub(super) fn scrub_index(store: &dyn Store, id: &InstanceId, is_thorough: bool) -> Result<bool, OpError> {
    if !store.has_search(id) {
        return Ok(true);
    }
    with_index(store, id, |index| {
        let is_due = index.has_remains()? && (is_thorough || index.bytes()? <= SMALL_BYTES);
        if is_due { index.scrub() } else { Ok(true) }
    })
}
