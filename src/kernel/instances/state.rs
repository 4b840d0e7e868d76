//! What may be done with an instance: deleted, brought back, read-only; and the end of deleted ones.
//!
//! The instance itself says it to every turn of every process, the catalog's record says it to lists. What restricts an
//! instance is written into it first and into the catalog second; what loosens it the other way round. So it is never
//! more open than the catalog says, and a crash in between leaves an instance that answers "deleted" or "read-only"
//! although it is still listed as before: doing it again, or taking it back, brings both together.

use std::sync::Arc;

use crate::{
    model::{
        error::OpError,
        instance::{Instance, InstanceId, InstanceRef},
        kind::Kind as _,
        view::Access,
    },
    ops::{
        access::projects::{Delete as RemoveProject, Leave},
        instances::{
            self,
            arguments::Which,
            state::{Alter, Change, Delete, Forget, SetAccess, SetReadOnly, expired},
        },
        operation::{Reply, Wait},
        procedure::Arguments as _,
    },
};

use super::{
    super::{Caller, Kernel, order::Order},
    making::blocking,
};

/// Instances that one round removes.
const FORGOTTEN: usize = 100;

impl Kernel {
    /// Closes an instance for writing, as one that was set read-only or as a snapshot.
    pub async fn close(&self, caller: &Caller, which: &Which, is_snapshot: bool) -> Result<(), OpError> {
        let change = if is_snapshot { Change::Keep } else { Change::ReadOnly(true) };
        self.alter(caller, SetReadOnly::NAME, which, change).await.map(drop)
    }

    /// Removes a project, its instances first: a crash in between leaves a project with fewer of them.
    pub(super) async fn remove_project(&self, caller: &Caller, remove: RemoveProject) -> Result<Reply, OpError> {
        let catalog = self.handle(&InstanceId::catalog())?;
        for id in catalog.read(caller, Wait::default(), |tx, cx| remove.first(tx, cx))? {
            match self.alter(caller, Delete::NAME, &id.into(), Change::Delete).await {
                // Somebody else was first.
                Ok(_) | Err(OpError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.enter(caller, RemoveProject::NAME, Leave(remove), None).await
    }

    /// Changes what may be done with an instance.
    pub(super) async fn alter(
        &self,
        caller: &Caller,
        operation: &'static str,
        which: &Which,
        change: Change,
    ) -> Result<Reply, OpError> {
        let (id, _) = match change {
            Change::Undelete => self.entered(caller, |tx, cx| instances::deleted_or_not(tx, cx, which))?,
            Change::Delete | Change::ReadOnly(_) | Change::Keep => self.named(caller, which)?,
        };
        if let Some(access) = change.restriction() {
            self.set_access(caller, operation, &id, access).await?;
        }
        let reply = self.enter(caller, operation, Alter { id: id.clone(), change }, None).await;
        // Also after a refusal, which leaves the instance as the catalog has it.
        let settled = self.settle(caller, operation, &id).await;
        let reply = reply?;
        settled.map(|()| reply)
    }

    /// Makes the instance say what the catalog says. When somebody else has changed that meanwhile, again: of two who do
    /// this at once the last one to look has seen the last word.
    async fn settle(&self, caller: &Caller, operation: &'static str, id: &InstanceId) -> Result<(), OpError> {
        let mut said = self.said(id)?;
        loop {
            let Some((access, version)) = said else { return Ok(()) };
            self.set_access(caller, operation, id, access).await?;
            said = self.said(id)?.filter(|(_, now)| *now != version);
        }
    }

    /// What the catalog says may be done with an instance, and since which version.
    fn said(&self, id: &InstanceId) -> Result<Option<(Access, u64)>, OpError> {
        let catalog = self.handle(&InstanceId::catalog())?;
        let record = catalog.view(|view, _| view.record(Instance::KIND, id.as_str()))??;
        let instance = record.and_then(|record| {
            let instance = serde_json::from_str::<Instance>(&record.body).ok()?;
            Some((instance.access(), record.version))
        });
        Ok(instance)
    }

    async fn set_access(
        &self,
        caller: &Caller,
        operation: &'static str,
        id: &InstanceId,
        access: Access,
    ) -> Result<(), OpError> {
        let handle = self.handle(id)?;
        if handle.view(|_, position| position.access)? == access {
            return Ok(());
        }
        let order = Order::new(operation, Arc::new(SetAccess(access)), caller.clone());
        handle.write(Order { is_about_access: true, ..order }).await.map(drop)
    }

    /// Really removes instances that were deleted more than 7 days ago, and answers how many. For upkeep: one process at
    /// a time should do it, though several do no harm.
    ///
    /// First the catalog's record goes, then the folder. A crash in between leaves a folder that nothing names, which is
    /// swept away like any other; the other way round a deleted instance could be brought back without its data.
    pub async fn forget_instances(&self) -> Result<usize, OpError> {
        let (caller, catalog) = (Caller::system(), self.handle(&InstanceId::catalog())?);
        let ids = catalog.read(&caller, Wait::default(), |tx, cx| expired(tx, cx, FORGOTTEN))?;
        let mut forgotten = 0;
        for id in ids {
            let InstanceRef::Id(id) = InstanceRef::parse(&id)? else { continue };
            match self.enter(&caller, Delete::NAME, Forget(id.clone()), None).await {
                // Somebody was quicker, or it has just been brought back.
                Err(OpError::NotFound { .. }) => continue,
                other => other?,
            };
            self.handles().remove(&id);
            let store = Arc::clone(&self.store);
            blocking(move || store.remove(&id)).await?;
            forgotten += 1;
        }
        Ok(forgotten)
    }
}
