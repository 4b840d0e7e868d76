//! The change feed: what happens to the keys of an instance, read from its log, whoever wrote it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    model::{error::OpError, instance::InstanceRef},
    ops::{
        keys::{
            expand::{self, Uses},
            feed::{Notice, notices},
            live::{self, LiveChange},
            prompt,
        },
        operation::Wait,
    },
};

use super::{
    Caller, Kernel,
    handle::Handle,
    holds::{self, Hold},
    stopped,
};

/// Changes that are looked back for: more do not come between a request and its answer.
const LOOKED_BACK: u64 = 10_000;

/// Changes with what the keys became.
#[derive(Debug)]
pub struct Live {
    /// Oldest first; none where only other records changed.
    pub changes: Vec<LiveChange>,
    /// Everything up to here was looked at.
    pub as_of_seq: u64,
    /// The last change of the instance.
    pub head_seq: u64,
}

/// Follows one instance. It reads the log, so it never lags and never loses anything.
pub struct Feed {
    handle: Arc<Handle>,
    heard: watch::Receiver<u64>,
    seen: u64,
    caller: Caller,
    hold: Hold,
}

impl Kernel {
    /// The time of the kernel's clock, in milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.clock.wall_ms()
    }

    /// Follows an instance, as this caller may see it, from the change after `since` on, or from now on.
    pub fn feed_since(&self, caller: &Caller, instance: &InstanceRef, since: Option<u64>) -> Result<Feed, OpError> {
        let admitted = self.admit(caller, instance);
        let (handle, caller) = self.audited(caller, instance, "follow", admitted)?;
        let hold = self.hold(&caller.principal, Some(&InstanceRef::Id(handle.id.clone())))?;
        let heard = self.follow(&handle);
        let seen = match since {
            Some(since) => since,
            None => handle.view(|_, position| position.head)?,
        };
        Ok(Feed { handle, heard, seen, caller: caller.into_owned(), hold })
    }

    /// Follows an instance, as this caller may see it, from what happened at `since_ms` on: a client that has been told
    /// that it is listened to must miss nothing, however long it took to begin.
    pub fn feed(&self, caller: &Caller, instance: &InstanceRef, since_ms: i64) -> Result<Feed, OpError> {
        let (handle, caller) = self.admit(caller, instance)?;
        let hold = self.hold(&caller.principal, Some(&InstanceRef::Id(handle.id.clone())))?;
        let heard = self.follow(&handle);
        let seen = handle.view(|view, position| {
            let mut seen = position.head;
            let least = seen.saturating_sub(LOOKED_BACK);
            while seen > least && view.change(seen)?.is_some_and(|change| change.at >= since_ms) {
                seen -= 1;
            }
            Ok(seen)
        })??;
        Ok(Feed { handle, heard, seen, caller: caller.into_owned(), hold })
    }
}

impl Feed {
    /// The next changes, at least one. May be dropped while it waits and called again. Errors: `unauthenticated` when
    /// the right to hear of them has gone.
    pub async fn next(&mut self) -> Result<Vec<Notice>, OpError> {
        loop {
            self.heard.borrow_and_update();
            self.check_held()?;
            let (notices, seen, head) = self.handle.read(&self.caller, Wait::default(), |tx, cx| {
                let (notices, seen) = notices(tx, cx.mode, self.seen)?;
                Ok((notices, seen, tx.seq()))
            })?;
            self.seen = seen;
            if !notices.is_empty() {
                return Ok(notices);
            }
            if seen < head {
                tokio::task::yield_now().await;
            } else {
                tokio::select! {
                    biased;
                    () = self.hold.lost() => return Err(holds::lost()),
                    changed = self.heard.changed() => changed.map_err(|_| stopped())?,
                }
            }
        }
    }

    /// Refuses who has lost the right: where something happens all the time, or much has happened, nobody waits for more
    /// and hears of that there.
    fn check_held(&self) -> Result<(), OpError> {
        if self.hold.is_lost() { Err(holds::lost()) } else { Ok(()) }
    }

    /// Up to where it has looked.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// What happened since, as people watch it, as soon as anything did. May be dropped while it waits and called again.
    /// Errors: `log_truncated` when the log does not hold what came next, `unauthenticated` when the right to hear of it
    /// has gone.
    pub async fn next_live(&mut self) -> Result<Live, OpError> {
        loop {
            self.heard.borrow_and_update();
            self.check_held()?;
            let (changes, as_of_seq, head_seq) = self.handle.read(&self.caller, Wait::default(), |tx, cx| {
                let (changes, seen) = live::changes(tx, cx.mode, self.seen)?;
                Ok((changes, seen, tx.seq()))
            })?;
            if as_of_seq > self.seen {
                self.seen = as_of_seq;
                return Ok(Live { changes, as_of_seq, head_seq });
            }
            tokio::select! {
                biased;
                () = self.hold.lost() => return Err(holds::lost()),
                heard = self.heard.changed() => heard.map_err(|_| stopped())?,
            }
        }
    }

    /// What the system prompt is made of beside its keys: a change of that is a change of the prompt.
    pub fn prompt_uses(&self) -> Result<Uses, OpError> {
        self.handle.read(&self.caller, Wait::default(), prompt::uses)
    }

    /// The same for the value of one key.
    pub fn key_uses(&self, name: &str) -> Result<Uses, OpError> {
        self.handle.read(&self.caller, Wait::default(), |tx, cx| expand::uses(tx, cx, name))
    }
}
