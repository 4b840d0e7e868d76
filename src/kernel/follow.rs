//! Following other processes: while somebody listens, look at the hint file every 20 ms and at the logs that moved.
//! Nobody listening, no looking: reads go to the file and are fresh anyway.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::sync::watch;

use super::{Kernel, handle::Handle};
use crate::{model::instance::InstanceId, store::Watch};

/// How often the hint file is read.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Every so many looks, each followed instance is asked itself: for a writer that died between its commit and its
/// hint, and for foreign tools.
const ASK_EVERY: u32 = 50;

impl Kernel {
    /// Hears of each commit to an instance, by any process.
    pub(super) fn follow(&self, handle: &Arc<Handle>) -> watch::Receiver<u64> {
        let feed = handle.subscribe();
        // Subscribed first: the follower that is ending sees this listener or is replaced.
        if !self.is_following.swap(true, Ordering::AcqRel) {
            let this = self.this.clone();
            drop(tokio::spawn(async move {
                let mut watch: Option<Box<dyn Watch>> = None;
                let mut looks: u32 = 0;
                loop {
                    // A pause between looks, not a wait for an event: nothing tells of a foreign commit.
                    tokio::time::timeout(LOOK_EVERY, std::future::pending::<()>()).await.unwrap_or_default();
                    let Some(kernel) = this.upgrade() else { return };
                    looks = looks.wrapping_add(1);
                    if !kernel.look(&mut watch, looks.is_multiple_of(ASK_EVERY)) && kernel.stop_following() {
                        return;
                    }
                }
            }));
        }
        feed
    }

    /// Looks once; answers whether anybody listens.
    fn look(&self, watch: &mut Option<Box<dyn Watch>>, ask_all: bool) -> bool {
        let followed: Vec<Arc<Handle>> =
            self.handles().values().filter(|handle| handle.is_followed()).cloned().collect();
        if followed.is_empty() {
            return false;
        }
        let ids: Vec<InstanceId> = followed.iter().map(|handle| handle.id.clone()).collect();
        let moved = match watch {
            Some(watch) => watch.moved(&ids),
            None => match self.store.watch() {
                Ok(opened) => {
                    *watch = Some(opened);
                    // What moved before the file was open is not seen in it.
                    vec![true; ids.len()]
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot follow other processes by the hint file");
                    vec![ask_all; ids.len()]
                }
            },
        };
        for (handle, moved) in followed.iter().zip(moved) {
            if (moved || ask_all)
                && let Err(error) = handle.catch_up()
            {
                tracing::debug!(%error, instance = %handle.id, "cannot look for changes of other processes");
            }
        }
        true
    }

    /// Ends the following unless somebody has begun to listen in between.
    fn stop_following(&self) -> bool {
        self.is_following.store(false, Ordering::Release);
        let is_needed = self.handles().values().any(|handle| handle.is_followed());
        !is_needed || self.is_following.swap(true, Ordering::AcqRel)
    }
}
