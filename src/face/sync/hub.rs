//! The sockets of one instance: they share one reader of its log, what it has read, and the list of who is there.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, watch};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    kernel::{Kernel, clock::pause, seat::Stream},
    model::{
        error::{OpError, Reason},
        instance::InstanceId,
        limits,
    },
    ops::keys::catch_up,
};

use super::{
    ring::{Frame, Ring},
    to_client::{Present, ToClient},
};

/// After a quiet moment of this length nothing is kept for those who are behind.
const QUIET: Duration = Duration::from_secs(5);
/// After a moment of this length the files are closed of an instance that was only read, as by those who come: of ten
/// thousand that come at once few are open at a time.
const SHORT: Duration = Duration::from_millis(250);
/// Time until the log is read again that could not be read.
const AGAIN: Duration = Duration::from_millis(500);

/// The hubs of a server.
pub(super) struct Hubs {
    kernel: Arc<Kernel>,
    open: Mutex<HashMap<InstanceId, Weak<Hub>>>,
    bytes: Arc<AtomicUsize>,
}

/// One instance with its sockets.
pub(super) struct Hub {
    ring: Mutex<Ring>,
    head: watch::Sender<u64>,
    present: Mutex<BTreeMap<u64, Present>>,
    next_present: AtomicUsize,
    changes: watch::Sender<u64>,
    /// Told of each socket that comes: it has read the instance.
    stirred: Arc<Notify>,
    /// Cancelled when the instance is deleted.
    pub(super) deleted: CancellationToken,
    #[expect(dead_code, reason = "the reader of the log ends with the last socket")]
    reader: DropGuard,
}

impl Hubs {
    /// None yet.
    pub(super) fn new(kernel: Arc<Kernel>) -> Self {
        Self { kernel, open: Mutex::default(), bytes: Arc::default() }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<InstanceId, Weak<Hub>>> {
        // Each change is a single step, so the map is whole even if a holder panicked.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hub of an instance.
    pub(super) fn hub(&self, id: &InstanceId) -> Result<Arc<Hub>, OpError> {
        if let Some(hub) = self.open().get(id).and_then(Weak::upgrade) {
            return Ok(hub);
        }
        let stream = self.kernel.stream(id)?;
        let mut hubs = self.open();
        // Another socket may have been first.
        if let Some(hub) = hubs.get(id).and_then(Weak::upgrade) {
            return Ok(hub);
        }
        hubs.retain(|_, hub| hub.strong_count() > 0);
        let (end, stirred) = (CancellationToken::new(), Arc::new(Notify::new()));
        let hub = Arc::new(Hub {
            ring: Mutex::new(Ring::new(stream.seen(), Arc::clone(&self.bytes))),
            head: watch::Sender::new(stream.seen()),
            present: Mutex::default(),
            next_present: AtomicUsize::new(0),
            changes: watch::Sender::new(0),
            stirred: Arc::clone(&stirred),
            deleted: CancellationToken::new(),
            reader: end.clone().drop_guard(),
        });
        hubs.insert(id.clone(), Arc::downgrade(&hub));
        let reading = read(stream, id.clone(), Arc::downgrade(&hub), stirred);
        drop(tokio::spawn(async move {
            tokio::select! {
                () = end.cancelled() => {}
                () = reading => {}
            }
        }));
        Ok(hub)
    }
}

/// Reads the log for as long as there is a socket.
async fn read(mut stream: Stream, id: InstanceId, hub: Weak<Hub>, stirred: Arc<Notify>) {
    // How long it has to be quiet until something is put away.
    let mut quiet = SHORT;
    loop {
        let read = tokio::select! {
            read = tokio::time::timeout(quiet, stream.next()) => read,
            () = stirred.notified() => {
                quiet = SHORT;
                continue;
            }
        };
        let Some(hub) = hub.upgrade() else { return };
        match read {
            Ok(Ok(slice)) => {
                let (seen, mut ring) = (slice.seen, hub.ring());
                ring.take(slice, &id);
                drop(ring);
                hub.head.send_replace(seen);
                quiet = SHORT;
            }
            Ok(Err(OpError::NotFound { .. })) => {
                hub.deleted.cancel();
                return;
            }
            Ok(Err(error)) => {
                if !matches!(error, OpError::Unavailable { reason: Reason::Busy, .. }) {
                    tracing::warn!(%error, instance = %id, "cannot read what happens in an instance");
                }
                drop(hub);
                pause(AGAIN).await;
            }
            Err(_) => {
                let is_short = quiet == SHORT;
                if !is_short {
                    hub.ring().clear();
                }
                let is_resting = stream.rest(quiet, is_short).await;
                let is_over = is_resting && hub.ring().is_empty();
                quiet = if is_over { Duration::MAX } else { QUIET };
            }
        }
    }
}

impl Hub {
    fn ring(&self) -> std::sync::MutexGuard<'_, Ring> {
        // A frame is taken in or not; the counts beside may be a little off after a panic.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn present(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Present>> {
        // Each change is a single step, so the map is whole even if a holder panicked.
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears of what happens.
    pub(super) fn heard(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Hears of who comes and goes.
    pub(super) fn comings(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// What happened after a seq, at most so many things, and up to where the hub has come; nothing when that is not
    /// kept any more.
    pub(super) fn after(&self, seq: u64, limit: usize) -> Option<(Vec<Arc<Frame>>, u64)> {
        let ring = self.ring();
        let head = ring.head();
        Some((ring.after(seq, limit)?, head))
    }

    /// Where the log stands at a seq, if that is the last that was read of it.
    pub(super) fn log_at(&self, seq: u64) -> Option<String> {
        self.ring().stand(seq).map(catch_up::known_as)
    }

    /// Somebody comes. They are there until what is returned is dropped.
    pub(super) fn come(self: &Arc<Self>, present: Present) -> Presence {
        let number = self.next_present.fetch_add(1, Ordering::Relaxed) as u64;
        self.present().insert(number, present);
        self.stirred.notify_one();
        self.changes.send_modify(|changes| *changes += 1);
        Presence { hub: Arc::clone(self), number }
    }

    /// Who is there, as it is told.
    pub(super) fn told_present(&self) -> Utf8Bytes {
        let connections: Vec<Present> = self.present().values().take(limits::PRESENT).cloned().collect();
        ToClient::Presence { connections: &connections }.text()
    }
}

/// Somebody who is there.
pub(super) struct Presence {
    hub: Arc<Hub>,
    number: u64,
}

impl Presence {
    /// Says something of itself.
    pub(super) fn note(&self, note: Option<String>) {
        if let Some(present) = self.hub.present().get_mut(&self.number) {
            present.note = note.filter(|note| !note.is_empty());
        }
        self.hub.changes.send_modify(|changes| *changes += 1);
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.hub.present().remove(&self.number);
        self.hub.changes.send_modify(|changes| *changes += 1);
    }
}
