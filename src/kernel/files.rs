//! Which instances have files open in this process: at most so many, the least recently used goes first, and what is
//! idle for minutes goes too. Sockets, subscriptions and the feed hang on the handle and stay.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::model::{instance::InstanceId, limits};

use super::{clock::Stopwatch, handle::Handle};

/// Descriptors of an instance in use: the writer's database, WAL, shared memory and lock, a reader's database and WAL.
const DESCRIPTORS: u64 = 6;
/// Descriptors for everything else: readers at once, libraries.
const RESERVED: u64 = 200;
/// Most instances whose files are open, however many descriptors there are: each takes 140 KiB.
const MOST: u64 = 1000;
/// Fewest, on a system that gives hardly any descriptors.
const LEAST: u64 = 4;
/// So many may be open beyond the bound until somebody who may wait has closed others.
const SLACK: usize = 16;
/// Readers kept beyond one for each instance, in the whole process.
const MORE_READERS: usize = 32;

/// After so many closings their memory is given back at once.
const MANY_CLOSED: usize = 128;

/// Fewest connections, on a system that gives hardly any descriptors.
const LEAST_CONNECTIONS: u64 = 128;

/// How many instances may have files open with so many descriptors: half of these, as connections take the others.
pub fn most_open(descriptors: u64) -> usize {
    let most = (descriptors.saturating_sub(RESERVED) / 2 / DESCRIPTORS).clamp(LEAST, MOST);
    usize::try_from(most).unwrap_or(usize::MAX)
}

/// How many connections the descriptors have room for beside those instances.
pub fn most_connections(descriptors: u64) -> usize {
    let of_files = u64::try_from(most_open(descriptors)).unwrap_or(u64::MAX).saturating_mul(DESCRIPTORS);
    let most = descriptors.saturating_sub(RESERVED).saturating_sub(of_files).max(LEAST_CONNECTIONS);
    usize::try_from(most).unwrap_or(usize::MAX).min(limits::CONNECTIONS)
}

/// The instances whose files are open.
pub(super) struct Files {
    most: usize,
    open: Mutex<HashMap<InstanceId, Weak<Handle>>>,
    more_readers: AtomicUsize,
    /// Instances whose files were closed since memory was given back.
    closed: AtomicUsize,
    since: Stopwatch,
}

impl Files {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            open: Mutex::default(),
            more_readers: AtomicUsize::new(0),
            closed: AtomicUsize::new(0),
            since: Stopwatch::start(),
        }
    }

    /// Milliseconds by which uses are ordered.
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed_ms()).unwrap_or(u64::MAX)
    }

    /// Whether one more reader may be kept beside the `kept` ones of an instance.
    pub(super) fn may_keep_reader(&self, kept: usize) -> bool {
        kept == 0
            || self
                .more_readers
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < MORE_READERS).then_some(n + 1))
                .is_ok()
    }

    /// One of an instance's kept readers was taken; so many are left.
    pub(super) fn reader_taken(&self, left: usize) {
        if left > 0 {
            self.more_readers.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Notes that an instance has opened files.
    pub(super) fn opened(&self, handle: &Arc<Handle>) {
        let mut open = self.lock();
        handle.set_open(true);
        open.insert(handle.id.clone(), Arc::downgrade(handle));
    }

    /// Whether there are more than may stay; the second is whether it cannot wait.
    pub(super) fn is_over(&self) -> (bool, bool) {
        let open = self.lock().len();
        (open > self.most, open > self.most + SLACK)
    }

    /// Closes the least recently used until no more are open than may be.
    pub(super) fn close_over(&self, but: &InstanceId) {
        while let Some(handle) = self.oldest_over(but) {
            if !self.close(&handle) {
                return;
            }
        }
    }

    /// Closes what nobody has used for so long, and gives back the memory of what was closed.
    pub(super) fn close_idle(&self, idle_ms: u64) {
        let latest = self.now_ms().saturating_sub(idle_ms);
        let all: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
        for handle in all.into_iter().filter(|handle| handle.used_ms() <= latest) {
            self.close(&handle);
        }
        if self.closed.swap(0, Ordering::Relaxed) > 0 {
            give_back();
        }
    }

    /// Closes the files of one instance that nobody has used for so long, or only those who read, for whom they are
    /// quickly opened again; whether none are open now.
    pub(super) fn close_quiet(&self, handle: &Handle, quiet_ms: u64, only_readers: bool) -> bool {
        let is_quiet = handle.used_ms().saturating_add(quiet_ms) <= self.now_ms();
        let is_meant = is_quiet && !(only_readers && handle.mailbox.is_writing());
        !handle.has_files() || (is_meant && self.close(handle))
    }

    fn oldest_over(&self, but: &InstanceId) -> Option<Arc<Handle>> {
        let mut open = self.lock();
        open.retain(|_, handle| handle.strong_count() > 0);
        if open.len() <= self.most {
            return None;
        }
        let others =
            open.values().filter_map(Weak::upgrade).filter(|handle| handle.id != *but && !handle.mailbox.is_running());
        others.min_by_key(|handle| handle.used_ms())
    }

    /// Closes the files of an instance unless something is being written to it.
    fn close(&self, handle: &Handle) -> bool {
        let taken = {
            let mut open = self.lock();
            let Some(writer) = handle.mailbox.take_idle() else { return false };
            handle.set_open(false);
            open.remove(&handle.id);
            (handle.take_readers(), writer)
        };
        // The readers first: the writer is then the last to close, and leaves one tidy file.
        drop(taken.0);
        drop(taken.1);
        if self.closed.fetch_add(1, Ordering::Relaxed) + 1 >= MANY_CLOSED {
            self.closed.store(0, Ordering::Relaxed);
            give_back();
        }
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<InstanceId, Weak<Handle>>> {
        // A map of handles is whole even if a holder panicked.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives back to the system what is free. glibc keeps what was freed between two things that stay, and files that are closed
/// leave many such holes: with thousands of sockets over a thousand instances, most of the heap. It looks through the
/// whole of it: for a thread that may wait, and not often.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "there is no safe way to ask the C library")]
fn give_back() {
    // SAFETY: it takes a number, may be called from any thread at any time, and touches only what is free.
    let has_given = unsafe { libc::malloc_trim(0) };
    tracing::debug!(has_given, "free memory was given back");
}

/// Other allocators give back by themselves what is free.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back() {}

#[cfg(test)]
mod tests {
    use super::{DESCRIPTORS, RESERVED, limits, most_connections, most_open};

    #[test]
    fn the_descriptors_say_how_many_instances_are_open_and_how_many_connections() {
        assert_eq!([0, 256, 1024, 4096, 1 << 20].map(most_open), [4, 4, 68, 324, 1000]);
        assert_eq!([0, 256, 1024, 4096, 16_384].map(most_connections), [128, 128, 416, 1952, 10_184]);
        assert_eq!(most_connections(1 << 20), limits::CONNECTIONS);
        for descriptors in [1024, 4096, 16_384, 20_000] {
            let both = most_open(descriptors) as u64 * DESCRIPTORS + most_connections(descriptors) as u64;
            assert!(both + RESERVED <= descriptors, "{descriptors}");
        }
    }
}
