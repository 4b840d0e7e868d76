//! An instance in use: its queue, its readers and its feed. It is not an open file: those come on demand.

use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use tokio::sync::watch;

use crate::{
    model::{
        actor::Actor,
        error::{OpError, Reason},
        instance::InstanceId,
        view::{Access, Position, ReadView},
    },
    ops::{
        instances,
        operation::{Call, Cx, Reply, Step, Wait},
        tx::Tx,
    },
    store::{Reader, Store},
};

use super::{Caller, Stats, actor::Mailbox, clock::Clock, files::Files, order::Fresh, recent::Recent};

/// Readers kept open for an instance; more are opened when more are reading, and closed afterwards.
const READERS_KEPT: usize = 4;

/// An instance in use.
pub(super) struct Handle {
    pub(super) id: InstanceId,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stats: Arc<Stats>,
    pub(super) files: Arc<Files>,
    /// Whether it is among the instances with open files, and when it was used last.
    is_open: AtomicBool,
    used_ms: AtomicU64,
    /// Dropped before the mailbox: the writer is then the last to close and leaves one tidy file.
    readers: Mutex<Vec<Box<dyn Reader>>>,
    pub(super) mailbox: Mailbox,
    /// The latest head that this process knows of: a hint to read the log.
    feed: watch::Sender<u64>,
    /// What was committed here, for those who pass it on.
    pub(super) recent: Recent,
    /// The earliest expiry that this process has written: a hint to look.
    pub(super) due: watch::Sender<i64>,
    /// When a commit was made after which a checkpoint is worth it.
    pub(super) written: watch::Sender<u64>,
    /// Values were taken out of the log, and are still to be scrubbed from the files.
    pub(super) erased: AtomicBool,
    /// Roughly how many pages were written to the WAL since the last checkpoint.
    pub(super) unsettled: AtomicU64,
    this: Weak<Self>,
}

/// What one look at an instance came to.
pub(super) struct Look {
    pub(super) step: Step<Reply>,
    pub(super) head: u64,
}

impl Handle {
    pub(super) fn new(
        id: InstanceId,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        stats: Arc<Stats>,
        files: Arc<Files>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            id,
            store,
            clock,
            stats,
            used_ms: AtomicU64::new(files.now_ms()),
            files,
            is_open: AtomicBool::new(false),
            mailbox: Mailbox::default(),
            readers: Mutex::default(),
            feed: watch::Sender::new(0),
            recent: Recent::default(),
            due: watch::Sender::new(i64::MAX),
            written: watch::Sender::new(0),
            erased: AtomicBool::new(false),
            unsettled: AtomicU64::new(0),
            this: this.clone(),
        })
    }

    /// Hears of each commit that this process knows of; `Kernel::follow` is how to hear of all.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.feed.subscribe()
    }

    /// Whether anybody listens.
    pub(super) fn is_followed(&self) -> bool {
        self.feed.receiver_count() > 0
    }

    /// The latest head that this process knows of.
    pub(super) fn known(&self) -> u64 {
        *self.feed.borrow()
    }

    /// Tells the followers of a commit. Late news of an older one is no news.
    pub(super) fn announce(&self, head: u64) {
        self.feed.send_if_modified(|known| std::mem::replace(known, head.max(*known)) < head);
    }

    /// Looks where the instance stands, and tells the followers if another process has moved it.
    pub(super) fn catch_up(&self) -> Result<(), OpError> {
        let head = self.peek(|_, position| position.head)?;
        if *self.feed.borrow() < head {
            self.touch();
            self.announce(head);
            // It may have written something that expires.
            self.due.send_modify(|_| ());
        }
        Ok(())
    }

    /// Runs an operation that only reads, on one state of the instance.
    pub(super) fn look(&self, caller: &Caller, call: &dyn Call, wait: Wait) -> Result<Look, OpError> {
        self.read(caller, wait, |tx, cx| {
            let head = tx.seq();
            call.apply(tx, cx).map(|step| Look { step, head })
        })
    }

    /// Reads one state of the instance as an operation does. What a reader stages is the expiry of dead records, which
    /// is the sweep's to write.
    pub(super) fn read<T>(
        &self,
        caller: &Caller,
        wait: Wait,
        read: impl Fn(&mut Tx<'_>, &Cx) -> Result<T, OpError>,
    ) -> Result<T, OpError> {
        let mut seen = None;
        loop {
            let (head, result) = self.view(|view, position| {
                if position.access == Access::Deleted {
                    return (position.head, Err(instances::deleted(self.id.as_str())));
                }
                let cx = self.context(caller, position, wait, Fresh::default());
                (position.head, read(&mut Tx::new(view, position.head, &cx, &[]), &cx))
            })?;
            match result {
                // Its file may have been removed since, because the value was replaced and purged.
                Err(OpError::Unavailable { reason: Reason::Damaged, .. }) if seen != Some(head) => seen = Some(head),
                result => return result,
            }
        }
    }

    /// What a turn is told from outside.
    pub(super) fn context(&self, caller: &Caller, position: Position, wait: Wait, fresh: Fresh) -> Cx {
        Cx {
            now_ms: self.clock.wall_ms().max(position.clock_ms),
            mode: caller.mode,
            existing_only: caller.existing_only,
            principal: caller.principal.clone(),
            actor: Actor { from: caller.actor.from.clone().filter(|_| self.id.is_catalog()), ..caller.actor.clone() },
            operation: "",
            wait,
            zone: self.clock.zone(),
            fresh_id: fresh.id,
            chance: fresh.chance,
        }
    }

    /// Looks at one state of the instance. A read takes microseconds, less than handing it to another thread.
    pub(super) fn view<T>(&self, look: impl Fn(&dyn ReadView, Position) -> T) -> Result<T, OpError> {
        self.touch();
        self.peek(look)
    }

    /// The same for who looks now and then: it does not keep the files open.
    pub(super) fn peek<T>(&self, look: impl Fn(&dyn ReadView, Position) -> T) -> Result<T, OpError> {
        let mut reader = if let Some(reader) = self.take_reader() {
            reader
        } else {
            let reader = self.store.reader(&self.id)?;
            self.opened(false);
            reader
        };
        let mut seen = None;
        reader.read(&mut |view| seen = Some(view.position().map(|position| look(view, position))))?;
        self.keep_reader(reader);
        seen.unwrap_or_else(|| Err(super::stopped()))
    }

    /// Notes a use.
    pub(super) fn touch(&self) {
        self.used_ms.store(self.files.now_ms(), Ordering::Relaxed);
    }

    /// When it was used last, by the clock of [`Files`].
    pub(super) fn used_ms(&self) -> u64 {
        self.used_ms.load(Ordering::Relaxed)
    }

    /// Whether it has files open.
    pub(super) fn has_files(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// [`Files`] alone says so.
    pub(super) fn set_open(&self, is_open: bool) {
        self.is_open.store(is_open, Ordering::Release);
    }

    /// Notes that files were opened. If there are too many now, others are closed: here by who may wait, elsewhere
    /// for who must not.
    pub(super) fn opened(&self, may_wait: bool) {
        if self.has_files() {
            return;
        }
        let Some(this) = self.this.upgrade() else { return };
        self.files.opened(&this);
        let (is_over, is_urgent) = self.files.is_over();
        if !is_over {
            return;
        }
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) if !may_wait && !is_urgent => {
                drop(runtime.spawn_blocking(move || this.files.close_over(&this.id)));
            }
            _ => self.files.close_over(&self.id),
        }
    }

    fn take_reader(&self) -> Option<Box<dyn Reader>> {
        let mut readers = self.readers();
        let reader = readers.pop()?;
        self.files.reader_taken(readers.len());
        Some(reader)
    }

    fn keep_reader(&self, reader: Box<dyn Reader>) {
        let mut readers = self.readers();
        if self.has_files() && readers.len() < READERS_KEPT && self.files.may_keep_reader(readers.len()) {
            readers.push(reader);
        }
    }

    /// The readers that are not in use, to be closed.
    pub(super) fn take_readers(&self) -> Vec<Box<dyn Reader>> {
        let mut taken = Vec::new();
        while let Some(reader) = self.take_reader() {
            taken.push(reader);
        }
        taken
    }

    fn readers(&self) -> std::sync::MutexGuard<'_, Vec<Box<dyn Reader>>> {
        // A list of idle readers is whole even if a holder panicked.
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // The count of kept readers is the process's.
        drop(self.take_readers());
    }
}
