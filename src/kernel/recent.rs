//! What this process has just committed to an instance, until those have it who pass on what happens there: reading it
//! from the log again would cost about as much as writing it did. What is not here, the log tells.

use std::{
    mem,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    model::{limits, record::Effect},
    ops::keys::broadcast,
    store::{Committed, Turn},
};

/// Turns, each with the seq of its first change.
pub(super) type Turns = Vec<(u64, Turn)>;

/// The last commits of this process.
#[derive(Default)]
pub(super) struct Recent {
    /// How many want them. Nobody does: nothing is kept.
    takers: AtomicUsize,
    kept: Mutex<Kept>,
}

/// All that happened after one seq, up to another one.
#[derive(Default)]
struct Kept {
    since: u64,
    head: u64,
    bytes: usize,
    turns: Turns,
}

impl Recent {
    /// Somebody will take what is committed from now on, until `end`.
    pub(super) fn begin(&self) {
        self.takers.fetch_add(1, Ordering::AcqRel);
    }

    /// They take no more.
    pub(super) fn end(&self) {
        if self.takers.fetch_sub(1, Ordering::AcqRel) == 1 {
            *self.kept() = Kept::default();
        }
    }

    /// Whether anybody takes it.
    pub(super) fn is_wanted(&self) -> bool {
        self.takers.load(Ordering::Acquire) > 0
    }

    /// Keeps the turns of a group that was committed, behind what is kept already if nothing is between.
    pub(super) fn keep(&self, turns: Turns, Committed { head, changes }: Committed) {
        let is_whole = turns.iter().all(|(_, turn)| broadcast::is_told_by_itself(turn.operation, &turn.done));
        if turns.is_empty() && changes == 0 {
            return;
        }
        let Some((first, _)) = turns.first().filter(|_| is_whole) else {
            // The log tells of it, and of what came before as it is now.
            *self.kept() = Kept { since: head, head, ..Kept::default() };
            return;
        };
        let bytes: usize = turns.iter().flat_map(|(_, turn)| &turn.done.effects).map(Effect::cost_bytes).sum();
        let mut kept = self.kept();
        if kept.head != first - 1 || kept.bytes + bytes > limits::GROUP_BYTES {
            *kept = Kept { since: first - 1, ..Kept::default() };
        }
        kept.head = head;
        kept.bytes += bytes;
        kept.turns.extend(turns);
    }

    /// Takes what happened after a seq, and up to where; nothing if not all of that is here. It is told once: who comes
    /// second asks the log.
    pub(super) fn take(&self, since: u64) -> Option<(Turns, u64)> {
        let mut kept = self.kept();
        if since < kept.since || since >= kept.head {
            return None;
        }
        kept.since = kept.head;
        kept.bytes = 0;
        Some((mem::take(&mut kept.turns), kept.head))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        // Nothing between the steps of a change can panic, so it is whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
