//! Projects removed: when they are empty, or with all that is in them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{ProjectView, meant, not_found};
use crate::{
    model::{
        access::{Project, Share},
        error::OpError,
        instance::{Instance, InstanceId},
        kind, limits,
        permission::{
            Permission,
            party::{LOCAL, Resource},
        },
        view::IdRange,
    },
    ops::{
        access::{Word, account, meta, standing},
        instances::DEFAULT_PROJECT,
        operation::{Call, Cx, EffectClass, OpMeta, Reply, Step},
        procedure,
        tx::{Held, Tx},
    },
};

/// The ids of instances in a project that are not deleted.
pub fn inside(tx: &Tx<'_>, id: &str, limit: usize) -> Result<Vec<String>, OpError> {
    let (low, high) = names_in(id);
    let found = tx.view().index_range(kind::INSTANCE_NAME, &low, &high, limit)?;
    Ok(found.into_iter().map(|found| found.id).collect())
}

/// Removes a project that has no instances any more, with its shares. What was deleted in it stays its owner's, who can
/// bring it back.
fn leave(tx: &mut Tx<'_>, id: &str, owner: &str) -> Result<(), OpError> {
    if !inside(tx, id, 1)?.is_empty() {
        let rule = "a project has instances: delete them with instance_delete first, or set with_instances";
        return Err(OpError::invalid("project", rule, id));
    }
    let on = Resource::Project(id.to_owned()).to_string();
    let most = limits::ACCESS_RECORDS;
    for share in tx.scan_index::<Share>(kind::SHARE_ON, on.as_bytes(), &IdRange::all(), most)? {
        tx.delete::<Share>(&share.record.id)?;
    }
    let (low, high) = names_in(id);
    for found in tx.view().index_range(kind::DELETED_NAME, &low, &high, limits::INSTANCES)? {
        if let Some(held) = tx.get::<Instance>(&found.id)? {
            tx.put(&found.id, &Instance { left_by: Some(owner.to_owned()), ..held.content }, None)?;
        }
    }
    tx.delete::<Project>(id)?;
    Ok(())
}

/// Gives the instances that can still be brought back of a user's removed projects to somebody else.
pub(in crate::ops::access) fn hand_over_left(tx: &mut Tx<'_>, from: &str, to: &str) -> Result<(), OpError> {
    for id in tx.ordered::<Instance>(kind::DELETED_AT, limits::INSTANCES)? {
        let held = tx.get::<Instance>(&id)?.filter(|held| held.content.left_by.as_deref() == Some(from));
        if let Some(held) = held {
            tx.put(&id, &Instance { left_by: Some(to.to_owned()), ..held.content }, None)?;
        }
    }
    Ok(())
}

/// Between which keys the names of a project's instances are.
pub fn names_in(project: &str) -> (Vec<u8>, Vec<u8>) {
    (kind::instance_name_key(project, ""), [project.as_bytes(), b"\x01"].concat())
}

/// Remove a project that has no instances, or with its instances, which for 7 days its owner can bring back by their
/// ids, into their own project. Only its owner may.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// Name or id
    pub project: Word,
    /// Delete its instances too
    #[serde(default)]
    pub with_instances: Option<bool>,
}

impl procedure::Arguments for Delete {
    const NAME: &'static str = "project_delete";
    const META: OpMeta =
        OpMeta { events: &["project.deleted", "instance.updated"], ..meta("Remove a project", EffectClass::Delete) };
    type Out = ProjectView;
}

impl Delete {
    /// The project, if the caller may remove it.
    fn owned(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Held<Project>, OpError> {
        let who = standing::known(tx, cx)?;
        let id = meant(tx, &who, self.project.as_str(), Permission::Admin)?;
        let owner = standing::owner_of(tx, &id)?;
        let user = &who.standing.user;
        account(&who.standing, "removing a project")?;
        if *user != owner && user != LOCAL {
            return Err(OpError::PermissionDenied {
                what: format!("removing project \"{}\"", self.project.as_str()),
                remedy: "Only its owner may".into(),
            });
        }
        if id == DEFAULT_PROJECT || id == who.project {
            let rule = "it is where names of instances are looked up: it stays";
            return Err(OpError::invalid("project", rule, self.project.as_str()));
        }
        tx.get::<Project>(&id)?.ok_or_else(|| not_found(self.project.as_str()))
    }

    /// The instances that are to be deleted first.
    pub fn first(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Vec<InstanceId>, OpError> {
        let held = self.owned(tx, cx)?;
        if self.with_instances != Some(true) {
            return Ok(Vec::new());
        }
        let ids = inside(tx, &held.record.id, limits::INSTANCES)?;
        Ok(ids.iter().filter_map(|id| InstanceId::parse(id)).collect())
    }
}

/// Takes a project without instances out of the catalog.
#[derive(Debug)]
pub struct Leave(pub Delete);

impl Call for Leave {
    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Reply>, OpError> {
        let held = self.0.owned(tx, cx)?;
        leave(tx, &held.record.id, &held.content.owner)?;
        Reply::of(&ProjectView::of(held, "owner")).map(Step::Done)
    }
}
