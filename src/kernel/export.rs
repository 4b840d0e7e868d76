//! What somebody may take away with them: the instances of a project that they administer, or all that are theirs.

use std::collections::BTreeSet;

use crate::{
    model::{
        error::OpError,
        instance::{Instance, InstanceId},
        permission::{Permission, party::LOCAL},
    },
    ops::{
        access::{projects, standing},
        operation::Wait,
    },
};

use super::{Caller, Kernel};

/// What is to be taken.
#[derive(Debug, Clone, Copy)]
pub enum Extent<'e> {
    /// A project, by name or id.
    Project(&'e str),
    /// The caller's own projects, and the instances that are their own in those of others.
    Own,
}

/// What there is to take.
#[derive(Debug)]
pub struct Exportable {
    /// The ids of the projects.
    pub projects: Vec<String>,
    /// The instances that are not deleted, each with its id.
    pub instances: Vec<(InstanceId, Instance)>,
}

impl Kernel {
    /// Lists it. Errors: `not_found` for a project that is not there or hidden, `permission_denied` for who does not
    /// administer it, and for who is not the user themselves.
    pub fn exportable(&self, caller: &Caller, extent: Extent<'_>) -> Result<Exportable, OpError> {
        self.handle(&InstanceId::catalog())?.read(caller, Wait::default(), |tx, cx| {
            let who = standing::known(tx, cx)?;
            let user = &who.standing.user;
            let (ids, own_of) = match extent {
                Extent::Project(text) => (BTreeSet::from([projects::meant(tx, &who, text, Permission::Admin)?]), None),
                Extent::Own if !who.standing.has_account => return Err(no_account()),
                Extent::Own => {
                    let mut ids = BTreeSet::from_iter(projects::owned(tx, user)?);
                    if standing::owner_of(tx, &who.project)? == *user {
                        ids.insert(who.project.clone());
                    }
                    (ids, Some(user).filter(|user| *user != LOCAL))
                }
            };
            let mut instances = Vec::new();
            tx.each::<Instance, OpError>(|held| {
                let is_own = own_of.is_some() && held.content.own_of.as_ref() == own_of;
                let is_there = held.content.deleted_at.is_none();
                if is_there && (is_own || ids.contains(&held.content.project)) {
                    let id = InstanceId::parse(&held.record.id);
                    instances.extend(id.map(|id| (id, held.content)));
                }
                Ok(())
            })?;
            Ok(Exportable { projects: ids.iter().cloned().collect(), instances })
        })
    }
}

fn no_account() -> OpError {
    OpError::PermissionDenied {
        what: "taking along all that is yours".into(),
        remedy: "It takes the user themselves, or an API key of theirs with the scope account and the permission admin"
            .into(),
    }
}
