//! An instance in use: its queue, its readers and its feed. It is not an open file: those come on demand.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::{
    model::{
        error::OpError,
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

use super::{Caller, Stats, actor::Mailbox, clock::Clock};

/// Readers kept open for an instance; more are opened when more are reading, and closed afterwards.
const READERS_KEPT: usize = 4;

/// An instance in use.
pub(super) struct Handle {
    pub(super) id: InstanceId,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stats: Arc<Stats>,
    /// Dropped before the mailbox: the writer is then the last to close and leaves one tidy file.
    readers: Mutex<Vec<Box<dyn Reader>>>,
    pub(super) mailbox: Mailbox,
    /// The latest head that this process knows of: a hint to read the log.
    feed: watch::Sender<u64>,
    /// The earliest expiry that this process has written: a hint to look.
    pub(super) due: watch::Sender<i64>,
}

/// What one look at an instance came to.
pub(super) struct Look {
    pub(super) step: Step<Reply>,
    pub(super) head: u64,
}

impl Handle {
    pub(super) fn new(id: InstanceId, store: Arc<dyn Store>, clock: Arc<dyn Clock>, stats: Arc<Stats>) -> Arc<Self> {
        Arc::new(Self {
            id,
            store,
            clock,
            stats,
            mailbox: Mailbox::default(),
            readers: Mutex::default(),
            feed: watch::Sender::new(0),
            due: watch::Sender::new(i64::MAX),
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

    /// Tells the followers of a commit. Late news of an older one is no news.
    pub(super) fn announce(&self, head: u64) {
        self.feed.send_if_modified(|known| std::mem::replace(known, head.max(*known)) < head);
    }

    /// Looks where the instance stands, and tells the followers if another process has moved it.
    pub(super) fn catch_up(&self) -> Result<(), OpError> {
        let head = self.view(|_, position| position.head)?;
        if *self.feed.borrow() < head {
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
        self.view(|view, position| {
            if position.access == Access::Deleted {
                return Err(instances::deleted(self.id.as_str()));
            }
            let cx = self.context(caller, position, wait, None);
            read(&mut Tx::new(view, position.head, &cx, &[]), &cx)
        })?
    }

    /// What a turn is told from outside.
    pub(super) fn context(&self, caller: &Caller, position: Position, wait: Wait, fresh_id: Option<InstanceId>) -> Cx {
        Cx {
            now_ms: self.clock.wall_ms().max(position.clock_ms),
            mode: caller.mode,
            existing_only: caller.existing_only,
            principal: caller.principal.clone(),
            actor: caller.actor.clone(),
            wait,
            zone: self.clock.zone(),
            fresh_id,
        }
    }

    /// Looks at one state of the instance. A read takes microseconds, less than handing it to another thread.
    pub(super) fn view<T>(&self, look: impl Fn(&dyn ReadView, Position) -> T) -> Result<T, OpError> {
        let kept = self.readers().pop();
        let mut reader = match kept {
            Some(reader) => reader,
            None => self.store.reader(&self.id)?,
        };
        let mut seen = None;
        reader.read(&mut |view| seen = Some(view.position().map(|position| look(view, position))))?;
        let mut readers = self.readers();
        if readers.len() < READERS_KEPT {
            readers.push(reader);
        }
        seen.unwrap_or_else(|| Err(super::stopped()))
    }

    fn readers(&self) -> std::sync::MutexGuard<'_, Vec<Box<dyn Reader>>> {
        // A list of idle readers is whole even if a holder panicked.
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
