//! What lasts depends on a right: waits, feeds, sessions, streams. Each takes a hold, which is lost within a moment of
//! the change in the catalog that takes the right away, whichever process makes it.

use std::{
    collections::{HashMap, HashSet},
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
    /// Instances that must not have been deleted.
    existing: Mutex<HashMap<InstanceId, Weak<CancellationToken>>>,
    is_watched: AtomicBool,
    /// Told of each hold that ends by itself: it may do so before the next look.
    ends: Arc<Notify>,
}

/// A right on which something lasting depends. Dropped, it is held no more.
#[derive(Debug, Clone)]
pub struct Hold(Arc<CancellationToken>);

impl Hold {
    /// Whether the right is there no more.
    pub fn is_lost(&self) -> bool {
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

    fn existing(&self) -> std::sync::MutexGuard<'_, HashMap<InstanceId, Weak<CancellationToken>>> {
        // As above.
        self.existing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The instances that are still held to exist.
    fn live_instances(&self) -> Vec<(InstanceId, Arc<CancellationToken>)> {
        let mut existing = self.existing();
        existing.retain(|_, token| token.upgrade().is_some_and(|token| !token.is_cancelled()));
        existing.iter().filter_map(|(id, token)| Some((id.clone(), token.upgrade()?))).collect()
    }

    /// Whether anything is held.
    fn are_any(&self) -> bool {
        !self.live().is_empty() || !self.live_instances().is_empty()
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
        let caller = Caller::of(principal.clone(), Mode::Read, "", String::new());
        let anywhere = InstanceRef::Id(InstanceId::catalog());
        let right = self.right(principal, instance);
        let on = self.audited(&caller, instance.unwrap_or(&anywhere), "connect", right)?;
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

    /// Holds that an instance is there: it is lost when the instance is deleted, whoever holds it.
    pub(super) fn hold_existence(&self, id: &InstanceId) -> Result<Hold, OpError> {
        let token = {
            let mut existing = self.holds.existing();
            let known = existing.get(id).and_then(Weak::upgrade).filter(|token| !token.is_cancelled());
            known.unwrap_or_else(|| {
                let token = Arc::new(CancellationToken::new());
                existing.insert(id.clone(), Arc::downgrade(&token));
                token
            })
        };
        self.watch_holds()?;
        // What was deleted before it was watched is seen now.
        if self.is_gone(id)? {
            return Err(crate::ops::instances::deleted(id.as_str()));
        }
        Ok(Hold(token))
    }

    /// Whether the catalog does not have an instance, or has it as deleted.
    fn is_gone(&self, id: &InstanceId) -> Result<bool, OpError> {
        let catalog = self.handle(&InstanceId::catalog())?;
        let record = catalog.view(|view, _| view.record(Instance::KIND, id.as_str()))??;
        let instance = record.and_then(|record| serde_json::from_str::<Instance>(&record.body).ok());
        Ok(instance.is_none_or(|instance| instance.deleted_at.is_some()))
    }

    fn right(&self, principal: &Principal, instance: Option<&InstanceRef>) -> Result<On, OpError> {
        let caller = Caller::of(principal.clone(), Mode::Read, "", String::new());
        // From wherever they come, it is one right.
        let who = Principal { from: None, ..principal.clone() };
        match instance {
            Some(instance) => {
                let located = self.locate(&caller, instance)?;
                Ok((who, Some(located.id), Some(located.permission)))
            }
            None => self.check_known(&caller).map(|()| (who, None, None)),
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
                if !kernel.holds.are_any() {
                    kernel.holds.is_watched.store(false, Ordering::Release);
                    let is_needed = kernel.holds.are_any();
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
        let (mut to, is_about_rights, instances) = news(&catalog, seen)?;
        let now_ms = self.clock.wall_ms();
        let mut until = PATIENCE;
        if !instances.is_empty() {
            for (id, token) in self.holds.live_instances() {
                if instances.contains(id.as_str()) && self.is_gone(&id)? {
                    token.cancel();
                }
            }
        }
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

/// The seq of the catalog's last change, whether any since then is about rights, and the ids of the instances whose
/// records changed.
fn news(catalog: &Handle, mut seen: u64) -> Result<(u64, bool, HashSet<String>), OpError> {
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
    let (mut found, mut instances) = (false, HashSet::new());
    loop {
        let rows = catalog.view(|view, _| view.touched(seen, ROWS))??;
        let Some(last) = rows.last() else { return Ok((seen, found, instances)) };
        seen = last.seq;
        found |= rows.iter().any(|row| RIGHTS.contains(&row.kind.as_str()));
        instances.extend(rows.into_iter().filter(|row| row.kind == Instance::KIND).map(|row| row.id));
    }
}
