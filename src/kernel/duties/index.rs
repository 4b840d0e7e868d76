//! Feeding the search index of an instance in the background.

use std::{sync::Arc, time::Duration};

use crate::model::{error::OpError, instance::InstanceId};

use super::{
    super::{
        clock::Stopwatch,
        instances::blocking,
        search::{Indexed, index_slice, scrub_index},
    },
    Kernel, pause,
};

/// How long one visit may take; then it is the others' turn.
const VISIT_MS: u128 = 2000;
/// How long to wait for another process that feeds it.
const WAIT: Duration = Duration::from_millis(100);

impl Kernel {
    /// Lets the index catch up, and takes what was removed out of it; answers whether that was all. It rests as long
    /// as it works: writers and their callers need the processor too.
    pub(super) async fn index(&self, id: &InstanceId, is_thorough: bool) -> Result<bool, OpError> {
        if !self.care.search || id.is_catalog() {
            return Ok(true);
        }
        let visit = Stopwatch::start();
        loop {
            let (store, place, slice) = (Arc::clone(&self.store), id.clone(), Stopwatch::start());
            if blocking(move || index_slice(store.as_ref(), &place, WAIT)).await? == Indexed::All {
                break;
            }
            if visit.elapsed_ms() > VISIT_MS {
                return Ok(false);
            }
            pause(Duration::from_millis(u64::try_from(slice.elapsed_ms()).unwrap_or_default())).await;
        }
        let (store, place) = (Arc::clone(&self.store), id.clone());
        blocking(move || scrub_index(store.as_ref(), &place, is_thorough)).await
    }
}
