//! The change feed: what happens to the keys of an instance, read from its log, whoever wrote it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    model::{error::OpError, instance::InstanceRef},
    ops::{
        keys::{
            expand::{self, Uses},
            feed::{Notice, notices},
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

    /// What the system prompt is made of beside its keys: a change of that is a change of the prompt.
    pub fn prompt_uses(&self) -> Result<Uses, OpError> {
        self.handle.read(&self.caller, Wait::default(), prompt::uses)
    }

    /// The same for the value of one key.
    pub fn key_uses(&self, name: &str) -> Result<Uses, OpError> {
        self.handle.read(&self.caller, Wait::default(), |tx, cx| expand::uses(tx, cx, name))
    }
}
