//! What lasts depends on a right: waits, feeds, sessions, streams. Each takes a hold, which is lost within a moment of
//! the change in the catalog that takes the right away, whichever process makes it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::model::{
    access::{ApiKey, Delegate, DelegateSecret, Group, Project, Share, User},
    error::OpError,
    instance::{Instance, InstanceId, InstanceRef},
    kind::Kind as _,
    permission::{Mode, Permission, Principal},
};

use super::{Caller, Kernel, handle::Handle, instances::blocking};

/// Rows of the catalog's log that one look takes.
const ROWS: usize = 1000;
/// Longest time until who holds is looked at again, should nothing be heard.
const PATIENCE: Duration = Duration::from_mins(1);

/// Time until a question is asked again that the disk did not answer.
const AGAIN: Duration = Duration::from_secs(1);

/// On what a hold is.
type On = (Principal, Option<InstanceId>, Option<Permission>);

/// Everything that is held in this process.
#[derive(Default)]
pub(super) struct Holds {
    held: Mutex<HashMap<On, Weak<CancellationToken>>>,
    is_watched: AtomicBool,
    /// Told of each hold that ends by itself: it may do so before the next look.
    ends: Arc<Notify>,
}

/// A right on which something lasting depends. Dropped, it is held no more.
#[derive(Debug, Clone)]
pub struct Hold(Arc<CancellationToken>);

impl Hold {
    /// Whether the right is there no more.
    pub(super) fn is_lost(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Resolves when the right is there no more.
    pub async fn lost(&self) {
        self.0.cancelled().await;
    }
}

/// What is answered to who waited when the right went.
pub(super) fn lost() -> OpError {
    OpError::Unauthenticated {
        what: "the right to this instance was taken back while the call waited".into(),
        remedy: "Connect again with what you may use now".into(),
    }
}

impl Holds {
    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<On, Weak<CancellationToken>>> {
        // Each change is a single step, so the map is whole even if a holder panicked.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that are still held.
    fn live(&self) -> Vec<(On, Arc<CancellationToken>)> {
        let mut held = self.held();
        held.retain(|_, token| token.upgrade().is_some_and(|token| !token.is_cancelled()));
        held.iter().filter_map(|(on, token)| Some((on.clone(), token.upgrade()?))).collect()
    }
}

impl Kernel {
    /// Holds the right of somebody to be known and, if an instance is named, to do there what they may do now. The user
    /// of this machine cannot lose it. Errors: they do not have it.
    pub fn hold(&self, principal: &Principal, instance: Option<&InstanceRef>) -> Result<Hold, OpError> {
        if principal.is_local() {
            return Ok(Hold(Arc::default()));
        }
        let on = self.right(principal, instance)?;
        let token = {
            let mut held = self.holds.held();
            let known = held.get(&on).and_then(Weak::upgrade).filter(|token| !token.is_cancelled());
            known.unwrap_or_else(|| {
                let token = Arc::new(CancellationToken::new());
                held.insert(on.clone(), Arc::downgrade(&token));
                if principal.until_ms.is_some() {
                    self.holds.ends.notify_one();
                }
                token
            })
        };
        self.watch_holds()?;
        // What was taken back before it was watched is seen now.
        if self.right(principal, instance)? != on {
            return Err(lost());
        }
        Ok(Hold(token))
    }

    fn right(&self, principal: &Principal, instance: Option<&InstanceRef>) -> Result<On, OpError> {
        let caller = Caller::of(principal.clone(), Mode::Read, "", String::new());
        match instance {
            Some(instance) => {
                let located = self.locate(&caller, instance)?;
                Ok((principal.clone(), Some(located.id), Some(located.permission)))
            }
            None => self.check_known(&caller).map(|()| (principal.clone(), None, None)),
        }
    }

    /// Follows the catalog for as long as anything is held.
    fn watch_holds(&self) -> Result<(), OpError> {
        let catalog = self.handle(&InstanceId::catalog())?;
        if self.holds.is_watched.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let mut seen = match catalog.view(|_, position| position.head) {
            Ok(head) => head,
            Err(error) => {
                // Who comes next tries again: nobody watches.
                self.holds.is_watched.store(false, Ordering::Release);
                return Err(error);
            }
        };
        let (this, mut heard) = (self.this.clone(), self.follow(&catalog));
        drop(tokio::spawn(async move {
            loop {
                heard.borrow_and_update();
                let Some(kernel) = this.upgrade() else { return };
                let looking = Arc::clone(&kernel);
                let looked = blocking(move || looking.look_at_holds(seen)).await;
                let until = match looked {
                    Ok((now, until)) => {
                        seen = now;
                        until
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot look whether rights were taken back");
                        AGAIN
                    }
                };
                if kernel.holds.live().is_empty() {
                    kernel.holds.is_watched.store(false, Ordering::Release);
                    let is_needed = !kernel.holds.live().is_empty();
                    if !is_needed || kernel.holds.is_watched.swap(true, Ordering::AcqRel) {
                        return;
                    }
                }
                let ends = Arc::clone(&kernel.holds.ends);
                drop(kernel);
                tokio::select! {
                    changed = tokio::time::timeout(until, heard.changed()) => {
                        if let Ok(Err(_)) = changed {
                            return;
                        }
                    }
                    () = ends.notified() => {}
                }
            }
        }));
        Ok(())
    }

    /// Takes from those who have lost it what they hold; answers how far it has looked, and when to look again.
    fn look_at_holds(&self, seen: u64) -> Result<(u64, Duration), OpError> {
        let catalog = self.handle(&InstanceId::catalog())?;
        let (mut to, is_about_rights) = news(&catalog, seen)?;
        let now_ms = self.clock.wall_ms();
        let mut until = PATIENCE;
        for ((principal, instance, permission), token) in self.holds.live() {
            if let Some(ends) = principal.until_ms {
                let left = u64::try_from(ends.saturating_sub(now_ms)).unwrap_or_default();
                until = until.min(Duration::from_millis(left.max(1)));
            }
            let is_over = principal.until_ms.is_some_and(|ends| ends <= now_ms);
            if !is_about_rights && !is_over {
                continue;
            }
            let instance = instance.map(InstanceRef::Id);
            match self.right(&principal, instance.as_ref()) {
                Ok((_, _, has)) if has >= permission => {}
                // The disk's trouble is no reason to cut anybody off, and none to forget the question.
                Err(OpError::Unavailable { .. }) => (to, until) = (seen, until.min(AGAIN)),
                _ => token.cancel(),
            }
        }
        Ok((to, until))
    }
}

/// The seq of the catalog's last change, and whether any since then is about rights.
fn news(catalog: &Handle, mut seen: u64) -> Result<(u64, bool), OpError> {
    const RIGHTS: [&str; 8] = [
        User::KIND,
        Project::KIND,
        ApiKey::KIND,
        Delegate::KIND,
        DelegateSecret::KIND,
        Group::KIND,
        Share::KIND,
        Instance::KIND,
    ];
    let mut found = false;
    loop {
        let rows = catalog.view(|view, _| view.touched(seen, ROWS))??;
        let Some(last) = rows.last() else { return Ok((seen, found)) };
        seen = last.seq;
        found |= rows.iter().any(|row| RIGHTS.contains(&row.kind.as_str()));
    }
}
