//! Who may do what here: the one place where the kernel asks, for every face and every operation.
//!
//! The facts are records of the catalog, read in one state of it; the decision is `model/permission`. The user of this
//! machine may do everything and costs no look.

use std::{borrow::Cow, cell::Cell, sync::Arc};

use crate::{
    model::{
        error::OpError,
        instance::{Instance, InstanceId, InstanceRef},
        permission::Permission,
    },
    ops::{
        access::{projects, standing, users::Found},
        instances::{self, catalog::Read},
        operation::{Operation as _, Wait, parse},
    },
};

use super::{
    Caller, Kernel, Located,
    handle::Handle,
    order::{Fresh, Order},
};

impl Caller {
    /// The same caller, who may do no more than this.
    fn at_most(&self, permission: Permission) -> Self {
        Self { mode: self.mode.min(permission.mode(self.principal.kind)), ..self.clone() }
    }
}

impl Kernel {
    /// Where the instance is that a caller means, and how much they may do with it. Errors: `not_found` for what is
    /// not there and for what they may not know of, `unauthenticated` for whom the catalog does not know any more.
    pub fn locate(&self, caller: &Caller, instance: &InstanceRef) -> Result<Located, OpError> {
        if caller.principal.is_local() {
            return self.locate_any(instance);
        }
        let hidden = Cell::new(false);
        let located = self.handle(&InstanceId::catalog())?.read(caller, Wait::default(), |tx, cx| {
            let who = standing::known(tx, cx)?;
            let (held, text) = match instance {
                InstanceRef::Id(id) => (tx.get::<Instance>(id.as_str())?, id.as_str()),
                InstanceRef::Name(name) => (standing::named(tx, &who, name)?, name.as_str()),
            };
            let held = held.ok_or_else(|| instances::not_found(text))?;
            let permission = standing::on_instance(tx, &who.standing, &held, Permission::Read, text)
                .inspect_err(|error| hidden.set(matches!(error, OpError::NotFound { .. })))?;
            let id = InstanceId::parse(&held.record.id).ok_or_else(|| instances::not_found(text))?;
            Ok(Located { id, name: held.content.name, permission })
        });
        if hidden.get() { self.audited(caller, instance, Read::NAME, located) } else { located }
    }

    /// The id of the instance of a name in a project, which is an id or the name of one of the caller's own. What they may
    /// do with it is not looked at. Errors: `not_found`.
    pub fn instance_in(&self, caller: &Caller, project: &str, name: &str) -> Result<InstanceId, OpError> {
        let found = self.handle(&InstanceId::catalog())?.read(caller, Wait::default(), |tx, cx| {
            let who = standing::known(tx, cx)?;
            let project = projects::would_mean(tx, &who, project)?;
            instances::find(tx, &project, name)
        })?;
        found.and_then(|held| InstanceId::parse(&held.record.id)).ok_or_else(|| instances::not_found(name))
    }

    /// Lets a caller in to an instance, as somebody who may do no more there than was given to them.
    pub(super) fn admit<'c>(
        &self,
        caller: &'c Caller,
        instance: &InstanceRef,
    ) -> Result<(Arc<Handle>, Cow<'c, Caller>), OpError> {
        if caller.principal.is_local() {
            return Ok((self.handle(&self.resolve(caller, instance)?)?, Cow::Borrowed(caller)));
        }
        let located = self.locate(caller, instance)?;
        Ok((self.handle(&located.id)?, Cow::Owned(caller.at_most(located.permission))))
    }

    /// Makes the owner of this server, if it has none; answers their id.
    pub async fn found_server(&self, caller: &Caller, email: Option<&str>) -> Result<Option<String>, OpError> {
        let found: Found = parse(serde_json::json!({ "email": email }))?;
        let catalog = self.handle(&InstanceId::catalog())?;
        let order = Order::new(Found::NAME, Arc::new(found), caller.clone());
        match catalog.write(Order { fresh: Fresh::draw(), ..order }).await {
            Ok(reply) => Ok(reply.result.get("id").and_then(|id| id.as_str()).map(str::to_owned)),
            Err(OpError::AlreadyExists { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether a caller may do everything with an instance.
    pub(super) fn administers(&self, caller: &Caller, id: &InstanceId) -> bool {
        let located = || self.locate(caller, &InstanceRef::Id(id.clone()));
        caller.principal.is_local() || located().is_ok_and(|located| located.permission == Permission::Admin)
    }

    /// Who the caller is now, for who only wants to know whether they are anybody. Errors: `unauthenticated`.
    pub fn check_known(&self, caller: &Caller) -> Result<(), OpError> {
        if caller.principal.is_local() {
            return Ok(());
        }
        let catalog = self.handle(&InstanceId::catalog())?;
        catalog.read(caller, Wait::default(), |tx, cx| standing::known(tx, cx).map(drop))
    }
}
