//! What a caller is told who has waited in vain.

use crate::model::{
    error::{OpError, Reason},
    limits,
};

use super::handle::Handle;

impl Handle {
    /// The refusal of a change that was not begun in time. It names whoever holds the instance.
    pub(super) fn busy(&self) -> OpError {
        let seconds = limits::GATE_WAIT_MS / 1000;
        let (what, remedy) = match self.store.holder(&self.id) {
            Some(holder) if holder.pid != std::process::id() => (
                format!(
                    "process {} ({}) holds the store of instance {} for writing and seems stopped",
                    holder.pid, holder.program, self.id
                ),
                "continue or end it, then try again; nothing was changed",
            ),
            _ => (
                format!("instance {} has been busy for {seconds} s", self.id),
                "try again; if it stays so, look at the disk, and for a mindcache process that is stopped while it \
                 writes. Nothing was changed",
            ),
        };
        OpError::Unavailable { reason: Reason::Busy, what, remedy: remedy.into() }
    }
}
