//! Keeps a bench from waiting for ever: a server that owes a reply for a minute is killed,
//! which ends its output and with it the wait.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::io;
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const SILENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_secs(1);

/// Holds the server, and a thread that ends with it.
pub(super) struct Watchdog {
    pulse: Pulse,
    _thread_ends_with: SyncSender<()>,
}

/// The reader's share of it: says when it waits, and may end the server.
#[derive(Clone)]
pub(super) struct Pulse {
    child: Arc<Mutex<Option<Child>>>,
    born: Instant,
    /// Milliseconds after `born` at which the wait began, 0 while nobody waits.
    waiting_since: Arc<AtomicU64>,
}

impl Watchdog {
    /// Made before the server is started, so that the thread is no part of its start.
    pub(super) fn new() -> Self {
        let pulse = Pulse { child: Arc::default(), born: Instant::now(), waiting_since: Arc::default() };
        let (alive, ended) = sync_channel::<()>(1);
        let watched = pulse.clone();
        thread::spawn(move || {
            while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                if watched.silent_for() > SILENCE {
                    watched.kill();
                }
            }
        });
        Self { pulse, _thread_ends_with: alive }
    }

    /// Takes charge of a started server.
    pub(super) fn guard(&self, child: Child) -> Pulse {
        *self.pulse.lock() = Some(child);
        self.pulse.clone()
    }

    /// How the server ended, once it has.
    pub(super) fn ended(&self) -> io::Result<Option<ExitStatus>> {
        self.pulse.lock().as_mut().map_or(Ok(None), Child::try_wait)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // A bench that failed leaves no server behind; one that has ended already does not mind.
        self.pulse.kill();
        if let Some(child) = self.pulse.lock().as_mut() {
            drop(child.wait());
        }
    }
}

impl Pulse {
    pub(super) fn wait_begins(&self) {
        self.waiting_since.store(self.now().max(1), Ordering::Relaxed);
    }

    pub(super) fn wait_ends(&self) {
        self.waiting_since.store(0, Ordering::Relaxed);
    }

    /// Ends the server.
    pub(super) fn kill(&self) {
        if let Some(child) = self.lock().as_mut() {
            // An error here says that it has ended by itself.
            drop(child.kill());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn silent_for(&self) -> Duration {
        match self.waiting_since.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => Duration::from_millis(self.now().saturating_sub(since)),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_wait_grows_old() {
        let watchdog = Watchdog::new();
        let pulse = watchdog.pulse.clone();
        assert_eq!(pulse.silent_for(), Duration::ZERO);
        let early = Pulse { born: Instant::now(), ..pulse.clone() };
        pulse.waiting_since.store(1, Ordering::Relaxed);
        let late = Pulse { born: early.born.checked_sub(SILENCE * 2).unwrap(), ..pulse.clone() };
        assert!(late.silent_for() > SILENCE);
        pulse.wait_ends();
        assert_eq!(late.silent_for(), Duration::ZERO);
        assert!(watchdog.ended().unwrap().is_none());
    }
}
