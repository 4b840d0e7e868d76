//! How far a long command is: a line on standard error that is written over, where a person looks at it.

use std::{
    cell::Cell,
    io::{self, IsTerminal as _, Write as _},
};

use crate::kernel::clock::Stopwatch;

/// How often the line is written anew, in milliseconds.
const EVERY_MS: u128 = 100;

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unit {
    /// Keys.
    Keys,
    /// Bytes, shown as MiB.
    Bytes,
}

/// Counts what is done.
pub(super) struct Progress {
    what: &'static str,
    unit: Unit,
    is_shown: bool,
    since: Stopwatch,
    count: Cell<u64>,
    shown_ms: Cell<u128>,
}

impl Progress {
    /// Begins to count; nothing is shown where nobody looks, nor in the first moment.
    pub(super) fn new(what: &'static str, unit: Unit) -> Self {
        Self {
            what,
            unit,
            is_shown: io::stderr().is_terminal(),
            since: Stopwatch::start(),
            count: Cell::new(0),
            shown_ms: Cell::new(0),
        }
    }

    /// So many more are done.
    pub(super) fn add(&self, more: u64) {
        self.count.set(self.count.get() + more);
        if !self.is_shown {
            return;
        }
        let now = self.since.elapsed_ms();
        if now >= self.shown_ms.get() + EVERY_MS {
            self.shown_ms.set(now);
            let (size, name) = match self.unit {
                Unit::Keys => (1, "keys"),
                Unit::Bytes => (1024 * 1024, "MiB"),
            };
            let rate = u128::from(self.count.get()) * 1000 / now.max(1) / u128::from(size);
            let count = self.count.get() / size;
            // A terminal that is gone is no reason to stop.
            drop(write!(io::stderr(), "\r{}: {count} {name}, {rate} a second\x1b[K", self.what));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown_ms.get() > 0 {
            drop(write!(io::stderr(), "\r\x1b[K"));
        }
    }
}
