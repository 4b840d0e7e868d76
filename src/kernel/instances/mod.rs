//! Procedures: what is done to whole instances, around the catalog.
//!
//! Two files never commit together. A new instance's folder is built first and the catalog's record is the commit point
//! (`making.rs`); what may be done with an instance is taken from it before the catalog says so, and given to it
//! afterwards (`state.rs`).

mod diff;
mod making;
mod purge;
mod restore;
mod state;

use std::sync::Arc;

use crate::{
    model::{
        error::OpError,
        instance::{Instance, InstanceId, InstanceRef},
        kind::Kind as _,
        permission::{self, Permission},
    },
    ops::{
        self,
        access::{
            joining::{self, Join},
            projects::{self, Begin},
        },
        instances::{
            self, Create,
            arguments::Which,
            state::{Change, Delete, SetReadOnly, Undelete},
        },
        operation::{Call, Cx, Operation as _, Reply, Wait, parse},
        procedure::{Arguments as _, Procedure},
        tx::{Held, Tx},
    },
};

use super::{
    Caller, Kernel,
    found::Seen,
    order::{Fresh, Order},
    stopped,
};

pub(super) use making::blocking;

/// An instance as the catalog has it.
#[derive(Debug, Clone)]
pub struct Located {
    /// Its id.
    pub id: InstanceId,
    /// Its name now; the id itself for the catalog.
    pub name: String,
    /// How much whoever asked may do with it.
    pub permission: Permission,
}

impl Kernel {
    /// The id of the instance that a caller means. Errors: `not_found` for a name that the catalog does not have.
    pub fn resolve(&self, caller: &Caller, instance: &InstanceRef) -> Result<InstanceId, OpError> {
        match instance {
            InstanceRef::Id(id) if caller.principal.is_local() => Ok(id.clone()),
            _ => Ok(self.locate(caller, instance)?.id),
        }
    }

    /// Id and name of an instance in one look at the catalog, for who may do everything: over HTTP each request needs
    /// both. Errors: `not_found` for what the catalog does not have.
    pub(super) fn locate_any(&self, instance: &InstanceRef) -> Result<Located, OpError> {
        let permission = Permission::Admin;
        match instance {
            InstanceRef::Id(id) => Ok(Located { id: id.clone(), name: self.instance_name(id)?, permission }),
            InstanceRef::Name(name) => self.find_instance(name)?.ok_or_else(|| instances::not_found(name)),
        }
    }

    /// The same, but an instance with a name that nobody uses yet is made. The second is whether it was made now.
    pub async fn locate_or_create(&self, caller: &Caller, instance: &InstanceRef) -> Result<(Located, bool), OpError> {
        let name = match (self.locate(caller, instance), instance) {
            (Err(OpError::NotFound { .. }), InstanceRef::Name(name)) => name,
            (located, _) => return Ok((located?, false)),
        };
        let create: Create = parse(serde_json::json!({ "name": name }))?;
        match self.run(caller, instance, create.into()).await {
            Ok(_) => Ok((self.locate(caller, instance)?, true)),
            // Another process was first.
            Err(OpError::AlreadyExists { .. }) => Ok((self.locate(caller, instance)?, false)),
            Err(error) => Err(error),
        }
    }

    /// Enters a project, and answers where that leads.
    pub async fn enter_project(&self, caller: &Caller, project: &str) -> Result<Located, OpError> {
        let join: Join = parse(serde_json::json!({ "project": project }))?;
        let reply = self.run(caller, &InstanceRef::Id(InstanceId::catalog()), join.into()).await?;
        let id = reply.result.get("id").and_then(|id| id.as_str()).unwrap_or_default();
        self.locate(caller, &InstanceRef::parse(id)?)
    }

    /// Makes a project with its first instance; neither is ever there without the other. The reply is a
    /// [`Begun`](crate::ops::access::projects::Begun). Errors: as project_create.
    pub async fn create_project(&self, caller: &Caller, begin: Begin) -> Result<Reply, OpError> {
        let entry = ops::find(projects::Create::NAME).ok_or_else(stopped)?;
        if !entry.allowed(caller.mode) {
            return Err(permission::refuse_operation(caller.mode, entry.meta.action, entry.name));
        }
        self.run(caller, &InstanceRef::Id(InstanceId::catalog()), Procedure::BeginProject(begin)).await
    }

    /// Where entering a project leads somebody who has been there before.
    pub fn entered_before(&self, caller: &Caller, project: &str) -> Result<Option<InstanceId>, OpError> {
        let join: Join = parse(serde_json::json!({ "project": project }))?;
        let catalog = self.handle(&InstanceId::catalog())?;
        match catalog.read(caller, Wait::default(), |tx, cx| joining::look(tx, cx, &join))? {
            joining::Entry::There(held) => Ok(InstanceId::parse(&held.record.id)),
            joining::Entry::Make(_) => Ok(None),
        }
    }

    /// Carries out a procedure, called on an instance. Once begun it is ended also when nobody waits for it any more: a caller who leaves
    /// between two steps must not leave them half done.
    pub(super) async fn run(
        &self,
        caller: &Caller,
        instance: &InstanceRef,
        procedure: Procedure,
    ) -> Result<Reply, OpError> {
        let (kernel, caller, instance) = (self.this.upgrade().ok_or_else(stopped)?, caller.clone(), instance.clone());
        let running = tokio::spawn(async move {
            match procedure {
                Procedure::Create(create) => kernel.create_instance(&caller, create).await,
                Procedure::Duplicate(clone) => kernel.clone_instance(&caller, clone).await,
                Procedure::Snapshot(snapshot) => kernel.take_snapshot(&caller, snapshot).await,
                Procedure::Delete(delete) => {
                    kernel.alter(&caller, Delete::NAME, &delete.instance, Change::Delete).await
                }
                Procedure::Undelete(undelete) => {
                    kernel.alter(&caller, Undelete::NAME, &undelete.instance, Change::Undelete).await
                }
                Procedure::SetReadOnly(set) => {
                    kernel.alter(&caller, SetReadOnly::NAME, &set.instance, Change::ReadOnly(set.read_only)).await
                }
                Procedure::Restore(restore) => kernel.restore_instance(&caller, restore).await,
                Procedure::Diff(diff) => kernel.diff_instances(&caller, diff).await,
                Procedure::Join(join) => kernel.join_project(&caller, join).await,
                Procedure::BeginProject(begin) => kernel.begin_project(&caller, begin).await,
                Procedure::RemoveProject(remove) => kernel.remove_project(&caller, remove).await,
                Procedure::SearchKeys(search) => kernel.search_keys(&caller, &instance, search).await,
                Procedure::Purge(purge) => kernel.purge_key(&caller, &instance, purge).await,
            }
        });
        running.await.map_err(|_| stopped())?
    }

    /// The catalog's record of the instance that an argument names, if the caller may administer it.
    fn named(&self, caller: &Caller, which: &Which) -> Result<(InstanceId, Instance), OpError> {
        self.entered(caller, |tx, cx| instances::existing(tx, cx, which, Permission::Admin))
    }

    /// Looks up one instance in the catalog.
    fn entered(
        &self,
        caller: &Caller,
        look: impl Fn(&mut Tx<'_>, &Cx) -> Result<Held<Instance>, OpError>,
    ) -> Result<(InstanceId, Instance), OpError> {
        let catalog = self.handle(&InstanceId::catalog())?;
        let held = catalog.read(caller, Wait::default(), look)?;
        match InstanceRef::parse(&held.record.id)? {
            InstanceRef::Id(id) => Ok((id, held.content)),
            InstanceRef::Name(name) => Err(instances::not_found(&name)),
        }
    }

    /// Writes into the catalog: the commit point of what is done to an instance.
    async fn enter(
        &self,
        caller: &Caller,
        operation: &'static str,
        call: impl Call + 'static,
        fresh_id: Option<InstanceId>,
    ) -> Result<Reply, OpError> {
        let catalog = self.handle(&InstanceId::catalog())?;
        let fresh = Fresh { id: fresh_id, ..Fresh::draw() };
        catalog.write(Order { fresh, ..Order::new(operation, Arc::new(call), caller.clone()) }).await
    }

    /// Whether the catalog has an instance of this id.
    pub(super) fn is_listed(&self, id: &InstanceId) -> Result<bool, OpError> {
        let catalog = self.handle(&InstanceId::catalog())?;
        catalog.view(|view, _| view.record(Instance::KIND, id.as_str()).map(|record| record.is_some()))?
    }

    fn instance_name(&self, id: &InstanceId) -> Result<String, OpError> {
        let catalog = self.handle(&InstanceId::catalog())?;
        let record = catalog.view(|view, _| view.record(Instance::KIND, id.as_str()))??;
        let name = record.and_then(|record| serde_json::from_str::<Instance>(&record.body).ok());
        match name {
            Some(instance) => Ok(instance.name),
            None if id.is_catalog() => Ok(id.to_string()),
            None => Err(instances::not_found(id.as_str())),
        }
    }

    fn find_instance(&self, name: &str) -> Result<Option<Located>, OpError> {
        let catalog = InstanceId::catalog();
        let seen = self.store.hint(&catalog).map(|hint| Seen { hint, at_ms: self.clock.wall_ms() });
        if let Some(located) = seen.and_then(|seen| self.found.get(name, seen)) {
            return Ok(Some(located));
        }
        let located = self.handle(&catalog)?.read(&Caller::system(), Wait::default(), |tx, _| {
            let Some(found) = instances::find(tx, instances::DEFAULT_PROJECT, name)? else { return Ok(None) };
            match InstanceRef::parse(&found.record.id)? {
                InstanceRef::Id(id) => {
                    Ok(Some(Located { id, name: found.content.name, permission: Permission::Admin }))
                }
                InstanceRef::Name(_) => Ok(None),
            }
        })?;
        if let (Some(located), Some(seen)) = (&located, seen) {
            self.found.keep(name, located.clone(), seen);
        }
        Ok(located)
    }
}
