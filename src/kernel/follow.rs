//! Following other processes: while somebody listens, look at the hint file when it stirs and at the logs that moved.
//! Nobody listening, no looking: reads go to the file and are fresh anyway.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::{Kernel, clock::pause, handle::Handle};
use crate::{model::instance::InstanceId, store::Watch};

/// Least time between two looks: under a stream of foreign commits each look finds several.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
/// How often each followed instance is asked itself: for a writer that died between its commit and its hint, and
/// for foreign tools.
const ASK_EVERY: Duration = Duration::from_secs(1);

impl Kernel {
    /// Hears of each commit to an instance, by any process.
    pub(super) fn follow(&self, handle: &Arc<Handle>) -> watch::Receiver<u64> {
        let feed = handle.subscribe();
        // Subscribed first: the follower that is ending sees this listener or is replaced.
        if !self.is_following.swap(true, Ordering::AcqRel) {
            let this = self.this.clone();
            drop(tokio::spawn(async move {
                let mut watch: Option<Box<dyn Watch>> = None;
                let mut asked = Instant::now();
                loop {
                    let stirred = async {
                        match &mut watch {
                            Some(watch) => watch.stirred().await,
                            None => pause(BETWEEN_LOOKS).await,
                        }
                    };
                    let is_time_to_ask = tokio::time::timeout_at(asked + ASK_EVERY, stirred).await.is_err();
                    if is_time_to_ask {
                        asked = Instant::now();
                    }
                    let Some(kernel) = this.upgrade() else { return };
                    if !kernel.look(&mut watch, is_time_to_ask) && kernel.stop_following() {
                        return;
                    }
                    drop(kernel);
                    pause(BETWEEN_LOOKS).await;
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
                    vec![Some(u64::MAX); ids.len()]
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot follow other processes by the hint file");
                    vec![ask_all.then_some(u64::MAX); ids.len()]
                }
            },
        };
        for (handle, moved) in followed.iter().zip(moved) {
            // To where it is known to be it was moved by this process.
            let moved = moved.is_some_and(|head| head != handle.known());
            // Whoever has closed its files asks no more until something moves; a writer that dies between its commit
            // and its hint is then heard of with the next commit.
            if (moved || (ask_all && handle.has_files()))
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
