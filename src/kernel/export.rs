//! What somebody may take away with them: the instances of a project that they administer, or all that are theirs.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::{
    model::{
        access::Project,
        error::OpError,
        instance::{Instance, InstanceId, InstanceRef},
        limits,
        permission::{Permission, party::LOCAL},
    },
    ops::{
        access::{projects, standing},
        instances::DEFAULT_PROJECT,
        operation::Wait,
    },
};

use super::{Caller, Kernel};

/// What is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent<'e> {
    /// A project, by name or id.
    Project(&'e str),
    /// The caller's own projects, and the instances that are their own in those of others.
    Own,
    /// Everything, for the user of the machine.
    All,
}

/// What there is to take.
#[derive(Debug)]
pub struct Exportable {
    /// The names of the projects, by their ids.
    pub projects: BTreeMap<String, String>,
    /// The instances that are not deleted, each with its id.
    pub instances: Vec<(InstanceId, Instance)>,
}

impl Exportable {
    /// What each instance is called in the archive, by its id: names of several projects may be the same.
    pub fn names(&self) -> BTreeMap<String, String> {
        let (mut taken, mut names) = (HashSet::new(), BTreeMap::new());
        for (id, instance) in &self.instances {
            let in_project =
                self.projects.get(&instance.project).map(|project| format!("{} of {project}", instance.name));
            let with_id = || {
                let short: String = instance.name.chars().take(limits::INSTANCE_NAME_CHARACTERS / 2).collect();
                format!("{short} {}", id.as_str())
            };
            let is_free = |name: &String| InstanceRef::parse(name).is_ok() && !taken.contains(name);
            let name = [Some(instance.name.clone()), in_project].into_iter().flatten().find(is_free);
            let name = name.unwrap_or_else(with_id);
            taken.insert(name.clone());
            names.insert(id.as_str().to_owned(), name);
        }
        names
    }
}

impl Kernel {
    /// Lists it. Errors: `not_found` for a project that is not there or hidden, `permission_denied` for who does not
    /// administer it, for who is not the user themselves, and for all but the user of the machine.
    pub fn exportable(&self, caller: &Caller, extent: Extent<'_>) -> Result<Exportable, OpError> {
        self.handle(&InstanceId::catalog())?.read(caller, Wait::default(), |tx, cx| {
            let who = standing::known(tx, cx)?;
            let user = &who.standing.user;
            let (ids, own_of) = match extent {
                Extent::Project(text) => (BTreeSet::from([projects::meant(tx, &who, text, Permission::Admin)?]), None),
                Extent::All if !who.standing.is_boundless() => return Err(no_account()),
                Extent::All => (BTreeSet::new(), None),
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
                if is_there && (is_own || extent == Extent::All || ids.contains(&held.content.project)) {
                    let id = InstanceId::parse(&held.record.id);
                    instances.extend(id.map(|id| (id, held.content)));
                }
                Ok(())
            })?;
            let of_instances = instances.iter().map(|(_, instance)| instance.project.clone());
            let ids: BTreeSet<_> = if extent == Extent::All { of_instances.collect() } else { ids };
            let mut projects = BTreeMap::new();
            for id in ids {
                let name = tx.get::<Project>(&id)?.map(|held| held.content.name);
                projects.insert(id, name.unwrap_or_else(|| DEFAULT_PROJECT.to_owned()));
            }
            Ok(Exportable { projects, instances })
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
