//! Procedures around the catalog: finding an instance and making one.
//!
//! Two files never commit together: the folder is built first, and the catalog's record is the commit point.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    model::{
        error::OpError,
        instance::{Instance, InstanceId, InstanceRef},
        kind::Kind as _,
    },
    ops::{
        instances::{self, Create},
        operation::{Call, Entry, Operation as _, Reply, Wait},
    },
};

use super::{Caller, Kernel, order::Order, stopped};

/// An instance as the catalog has it.
#[derive(Debug, Clone)]
pub struct Located {
    /// Its id.
    pub id: InstanceId,
    /// Its name now; the id itself for the catalog.
    pub name: String,
}

impl Kernel {
    /// The id of an instance. Errors: `not_found` for a name that the catalog does not have.
    pub fn resolve(&self, instance: &InstanceRef) -> Result<InstanceId, OpError> {
        match instance {
            InstanceRef::Id(id) => Ok(id.clone()),
            InstanceRef::Name(_) => Ok(self.locate(instance)?.id),
        }
    }

    /// Id and name of an instance in one look at the catalog: over HTTP each request needs both. Errors: `not_found`
    /// for what the catalog does not have.
    pub fn locate(&self, instance: &InstanceRef) -> Result<Located, OpError> {
        match instance {
            InstanceRef::Id(id) => Ok(Located { id: id.clone(), name: self.instance_name(id)? }),
            InstanceRef::Name(name) => self.find_instance(name)?.ok_or_else(|| instances::not_found(name)),
        }
    }

    /// The same, but an instance with a name that nobody uses yet is made. The second is whether it was made now.
    pub async fn locate_or_create(&self, caller: &Caller, instance: &InstanceRef) -> Result<(Located, bool), OpError> {
        let InstanceRef::Name(name) = instance else { return Ok((self.locate(instance)?, false)) };
        if let Some(found) = self.find_instance(name)? {
            return Ok((found, false));
        }
        let entry = crate::ops::find(Create::NAME).ok_or_else(stopped)?;
        let create: Create = crate::ops::operation::parse(serde_json::json!({ "name": name }))?;
        match self.create_instance(caller, entry, Box::new(create)).await {
            Ok(_) => Ok((self.locate(instance)?, true)),
            // Another process was first.
            Err(OpError::AlreadyExists { .. }) => Ok((self.locate(instance)?, false)),
            Err(error) => Err(error),
        }
    }

    /// Builds the folder, then commits the record; a refused record takes the folder away again.
    pub(super) async fn create_instance(
        &self,
        caller: &Caller,
        entry: &'static Entry,
        call: Box<dyn Call>,
    ) -> Result<Reply, OpError> {
        let id = InstanceId::from_uuid(Uuid::new_v4());
        let catalog = self.handle(&InstanceId::catalog())?;
        let (store, fresh) = (Arc::clone(&self.store), id.clone());
        tokio::task::spawn_blocking(move || store.create(&fresh)).await.map_err(|_| stopped())??;
        let order = Order { fresh_id: Some(id.clone()), ..Order::new(entry.name, call.into(), caller.clone()) };
        let reply = catalog.write(order).await;
        // A refusal leaves nothing behind. When the outcome is not known the record may be there, and then it must
        // find its folder; a folder without a record is swept up later.
        if reply.as_ref().is_err_and(|error| !matches!(error, OpError::Unavailable { .. })) {
            let store = Arc::clone(&self.store);
            let removed = tokio::task::spawn_blocking(move || store.remove(&id)).await.map_err(|_| stopped())?;
            if let Err(error) = removed {
                tracing::warn!(%error, "the folder of a refused instance stays until the next sweep");
            }
        }
        reply
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
        let catalog = self.handle(&InstanceId::catalog())?;
        catalog.read(&Caller::system(), Wait::default(), |tx, _| {
            let Some(found) = instances::find(tx, name)? else { return Ok(None) };
            match InstanceRef::parse(&found.record.id)? {
                InstanceRef::Id(id) => Ok(Some(Located { id, name: found.content.name })),
                InstanceRef::Name(_) => Ok(None),
            }
        })
    }
}
