//! Active expiry: sleeps until the earliest expiry of an instance, then has what is due removed.
//!
//! Every process that uses an instance does this; the operation is idempotent, so it happens once.

use std::{sync::Arc, time::Duration};

use crate::{
    model::{error::OpError, index, kind, view::Access},
    ops::{expiry::ExpireDue, operation::Operation as _},
};

use super::{Caller, handle::Handle, order::Order};

/// How often to look anew, for what other processes wrote and for a clock that was set.
const LOOK_EVERY_MS: i64 = 60_000;

/// Watches an instance for as long as it is in use.
pub(super) fn watch(handle: &Arc<Handle>) {
    let weak = Arc::downgrade(handle);
    let mut due = handle.due.subscribe();
    drop(tokio::spawn(async move {
        let mut is_told = true;
        loop {
            let Some(handle) = weak.upgrade() else { return };
            let known = *due.borrow_and_update();
            let now_ms = handle.clock.wall_ms();
            // An idle instance has no files open, and this look is no reason to open them: what is known of it has to
            // do. What another process writes to it is heard of by those who follow it.
            let is_idle = !is_told && !handle.has_files() && known > now_ms;
            let looked = if is_idle { Ok(known.saturating_sub(now_ms)) } else { sweep(&handle).await };
            let wait_ms = match looked {
                Ok(wait_ms) => wait_ms,
                Err(error) => {
                    tracing::warn!(%error, instance = %handle.id, "could not expire what is due");
                    LOOK_EVERY_MS
                }
            };
            drop(handle);
            let patience = Duration::from_millis(wait_ms.clamp(1, LOOK_EVERY_MS).unsigned_abs());
            is_told = match tokio::time::timeout(patience, due.changed()).await {
                Ok(Ok(())) => true,
                Ok(Err(_)) => return,
                Err(_) => false,
            };
        }
    }));
}

/// Removes what is due; answers in how many milliseconds the next is.
async fn sweep(handle: &Arc<Handle>) -> Result<i64, OpError> {
    loop {
        let (now_ms, earliest) = earliest(handle)?;
        handle.due.send_if_modified(|known| {
            *known = earliest.unwrap_or(i64::MAX);
            false
        });
        let Some(at) = earliest else { return Ok(LOOK_EVERY_MS) };
        if at > now_ms {
            return Ok(at - now_ms);
        }
        let order = Order::new(ExpireDue::NAME, Arc::new(ExpireDue::default()), Caller::system());
        let swept = handle.write(order).await?;
        if swept.result.get("expired").is_none_or(|count| *count == 0) {
            // What is due is nothing that this version can expire: somebody else's, or damaged.
            return Ok(LOOK_EVERY_MS);
        }
    }
}

fn earliest(handle: &Handle) -> Result<(i64, Option<i64>), OpError> {
    handle.peek(|view, position| {
        let now_ms = handle.clock.wall_ms().max(position.clock_ms);
        if position.access != Access::Open {
            // Nothing is written to it, and no read shows what is dead.
            return Ok((now_ms, None));
        }
        let first = view.index_range(kind::DUE, &index::number(i64::MIN), &index::number(i64::MAX), 1)?;
        Ok((now_ms, first.first().and_then(|found| index::to_number(&found.key))))
    })?
}
