//! What the message of a request takes while the request is answered.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use rmcp::model::Extensions;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::limits;

/// The places for large messages of one process: each has to be held whole, and taken apart beside that.
pub(super) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(limits::LARGE_MESSAGES))
}

/// A message that is more than small: its size, and its place while it has one. Goes with the request to its handler.
#[derive(Debug, Clone, Default)]
pub(super) struct Message(Arc<Held>);

#[derive(Debug, Default)]
struct Held {
    bytes: AtomicUsize,
    is_late: AtomicBool,
    place: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Message {
    /// As much of it as has come.
    pub(super) fn bytes(&self) -> usize {
        self.0.bytes.load(Ordering::Acquire)
    }

    /// More of it has come.
    pub(super) fn grow(&self, bytes: usize) {
        self.0.bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Has it keep a place.
    pub(super) fn keep(&self, place: OwnedSemaphorePermit) {
        *self.place() = Some(place);
    }

    /// Whether it has one.
    #[cfg(test)]
    pub(super) fn has_place(&self) -> bool {
        self.place().is_some()
    }

    /// Gives its place back.
    pub(super) fn release(&self) {
        self.place().take();
    }

    /// The rest of it did not come in time.
    pub(super) fn give_up(&self) {
        self.0.is_late.store(true, Ordering::Release);
        self.release();
    }

    /// Whether it was given up.
    pub(super) fn is_late(&self) -> bool {
        self.0.is_late.load(Ordering::Acquire)
    }

    fn place(&self) -> std::sync::MutexGuard<'_, Option<OwnedSemaphorePermit>> {
        // Each change is a single step, so it is whole even if a holder panicked.
        self.0.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The message of a request, unless it is small. Over HTTP it goes with the parts of the request.
pub(super) fn of(extensions: &Extensions) -> Option<&Message> {
    let parts = extensions.get::<axum::http::request::Parts>();
    extensions.get().or_else(|| parts?.extensions.get())
}

/// Its size; of a small one nothing.
pub(super) fn bytes(extensions: &Extensions) -> usize {
    of(extensions).map_or(0, Message::bytes)
}
