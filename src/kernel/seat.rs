//! A seat: somebody's lasting place at one instance, from which many calls are made. Who they are and what they may do is
//! looked up once; the hold ends it when that changes.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::sync::watch;

use crate::{
    model::{
        error::OpError,
        instance::{InstanceId, InstanceRef},
        permission::{Mode, Permission},
        view::Access,
    },
    ops::{
        bounds::IdempotencyKey,
        idempotency::Once,
        keys::broadcast::{self, Slice},
        operation::{Call, Cx, Reply, Wait},
        tx::Tx,
    },
};

use super::{
    Caller, Kernel, Located,
    handle::Handle,
    holds::{self, Hold},
    instances::blocking,
    order::Order,
    recent, stopped,
};

/// Somebody's place at an instance. Copies are the same place.
#[derive(Clone)]
pub struct Seat {
    handle: Arc<Handle>,
    caller: Caller,
    hold: Hold,
    located: Located,
    /// In which mode what is not of this instance is called: that asks in its own turn what they may do there.
    beyond: Mode,
}

impl Kernel {
    /// Takes a seat at an instance, as somebody who may do no more there than `most` and what was given to them.
    /// Errors: as those of [`Kernel::locate`], and `not_found` for an instance that was deleted.
    pub fn seat(&self, caller: &Caller, instance: &InstanceRef, most: Permission) -> Result<Seat, OpError> {
        let located = self.locate(caller, instance)?;
        let permission = located.permission.min(most);
        let handle = self.handle(&located.id)?;
        let hold = self.hold(&caller.principal, Some(&InstanceRef::Id(located.id.clone())))?;
        let mode = caller.mode.min(permission.mode(caller.principal.kind));
        let seat = Seat {
            handle,
            caller: Caller { mode, ..caller.clone() },
            hold,
            located: Located { permission, ..located },
            beyond: caller.mode.min(most.mode(caller.principal.kind)),
        };
        seat.read(|_, _| Ok(()))?;
        Ok(seat)
    }

    /// Hears of everything that happens to the keys of an instance from now on.
    pub fn stream(&self, id: &InstanceId) -> Result<Stream, OpError> {
        let handle = self.handle(id)?;
        let heard = self.follow(&handle);
        let seen = handle.view(|_, position| position.head)?;
        let ended = self.hold_existence(id)?;
        handle.recent.begin();
        Ok(Stream { handle, heard, seen, ended })
    }
}

impl Seat {
    /// Who sits here, and in which mode.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The same for an operation on something else than this instance.
    pub fn beyond(&self) -> Caller {
        Caller { mode: self.beyond, ..self.caller.clone() }
    }

    /// Where, and how much they may do there.
    pub fn located(&self) -> &Located {
        &self.located
    }

    /// Lowers what may be done from here; nothing raises it.
    pub fn lower(&mut self, most: Permission) {
        self.beyond = self.beyond.min(most.mode(self.caller.principal.kind));
        self.located.permission = self.located.permission.min(most);
        self.caller.mode = self.caller.mode.min(self.located.permission.mode(self.caller.principal.kind));
    }

    /// The mode of its calls.
    pub fn mode(&self) -> Mode {
        self.caller.mode
    }

    /// Resolves when the right to sit here has gone.
    pub async fn lost(&self) {
        self.hold.lost().await;
    }

    /// Makes a change, once if it has a key, and answers when it is durable. The order reaches the queue of the instance
    /// the first time that this is polled.
    pub async fn write(
        &self,
        operation: &'static str,
        call: Box<dyn Call>,
        bytes: usize,
        once: Option<(IdempotencyKey, Value)>,
    ) -> Result<Reply, OpError> {
        if self.hold.is_lost() {
            return Err(holds::lost());
        }
        let call: Arc<dyn Call> = match once {
            Some((key, args)) => Arc::new(Once::new(key, operation, &args, call)),
            None => call.into(),
        };
        self.handle.write(Order { bytes, ..Order::new(operation, call, self.caller.clone()) }).await
    }

    /// Looks at one state, where that holds up nobody.
    pub async fn look<T: Send + 'static>(
        &self,
        look: impl Fn(&mut Tx<'_>, &Cx) -> Result<T, OpError> + Send + 'static,
    ) -> Result<T, OpError> {
        let seat = self.clone();
        blocking(move || seat.read(look)).await
    }

    /// Looks at one state on the caller's thread: for what is small.
    pub fn read<T>(&self, look: impl Fn(&mut Tx<'_>, &Cx) -> Result<T, OpError>) -> Result<T, OpError> {
        if self.hold.is_lost() {
            return Err(holds::lost());
        }
        self.handle.read(&self.caller, Wait::default(), look)
    }

    /// Whether the instance is one that was deleted.
    pub fn is_deleted(&self) -> bool {
        matches!(self.handle.peek(|_, position| position.access), Ok(Access::Deleted) | Err(OpError::NotFound { .. }))
    }
}

/// What happens to the keys of an instance, for somebody who passes it on to others.
pub struct Stream {
    handle: Arc<Handle>,
    heard: watch::Receiver<u64>,
    seen: u64,
    ended: Hold,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.handle.recent.end();
    }
}

/// What the turns did to keys after a seq.
fn told(turns: &recent::Turns, since: u64, head: u64) -> Slice {
    let mut slice = Slice { seen: head, ..Slice::default() };
    for (first, turn) in turns {
        slice.at = turn.now_ms;
        let effects = (*first..).zip(&turn.done.effects).filter(|(seq, _)| *seq > since);
        slice
            .happened
            .extend(effects.filter_map(|(seq, effect)| broadcast::told(seq, turn.now_ms, &turn.actor, effect)));
    }
    slice
}

impl Stream {
    /// Everything up to here was seen.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Closes the files of the instance if nobody has used it for so long, or has only read it: who only listens needs
    /// none. Whether none are open now.
    pub async fn rest(&self, quiet: Duration, only_readers: bool) -> bool {
        let (handle, quiet_ms) = (Arc::clone(&self.handle), u64::try_from(quiet.as_millis()).unwrap_or(u64::MAX));
        blocking(move || Ok(handle.files.close_quiet(&handle, quiet_ms, only_readers))).await.unwrap_or_default()
    }

    /// What happens next, at least one row of the log. May be dropped while it waits and called again. Errors: `not_found`
    /// when the instance was deleted; others may pass.
    pub async fn next(&mut self) -> Result<Slice, OpError> {
        loop {
            let known = *self.heard.borrow_and_update();
            if self.ended.is_lost() {
                return Err(crate::ops::instances::deleted(self.handle.id.as_str()));
            }
            let since = self.seen;
            // What was committed here need not be read; and a read opens the files: not for nothing.
            if let Some((turns, head)) = self.handle.recent.take(since) {
                self.seen = head;
                return Ok(told(&turns, since, head));
            }
            if known > since {
                let slice =
                    self.handle.read(&Caller::system(), Wait::default(), |tx, _| broadcast::slice(tx, since))?;
                if slice.seen > self.seen {
                    self.seen = slice.seen;
                    return Ok(slice);
                }
            }
            tokio::select! {
                biased;
                () = self.ended.lost() => {}
                changed = self.heard.changed() => changed.map_err(|_| stopped())?,
            }
        }
    }
}
