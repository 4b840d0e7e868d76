//! What may be done with an instance: deleted, brought back, read-only.
//!
//! The catalog's record says it for lists and names, the instance itself says it to every turn.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::model::{
    access::{Project, User},
    error::OpError,
    instance::{Instance, InstanceId},
    kind, limits,
    permission::party::LOCAL,
    view::{Access, IdRange},
};

use super::{DEFAULT_PROJECT, InstanceView, arguments::Which, deleted, find, meta, not_found, taken};
use crate::ops::{
    operation::{Call, Cx, EffectClass, OpMeta, Reply, Step},
    procedure,
    tx::{Held, Tx},
};

/// Delete an instance. For 7 days instance_undelete brings it back; then it is gone with all that is in it. Its name
/// is free at once.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// Its name or id
    pub instance: Which,
}

impl procedure::Arguments for Delete {
    const NAME: &'static str = "instance_delete";
    const META: OpMeta = OpMeta { events: &["instance.updated"], ..meta("Delete an instance", EffectClass::Delete) };
    type Out = InstanceView;
}

/// Bring a deleted instance back, within 7 days; of a name, the one that was deleted last. Fails with already_exists
/// when its name has been taken since.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Undelete {
    /// Its name or id
    pub instance: Which,
}

impl procedure::Arguments for Undelete {
    const NAME: &'static str = "instance_undelete";
    const META: OpMeta =
        OpMeta { events: &["instance.updated"], idempotent: true, ..meta("Undelete an instance", EffectClass::Update) };
    type Out = InstanceView;
}

/// Close an instance for writing, for everybody, or open it again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetReadOnly {
    /// Its name or id
    pub instance: Which,
    /// Whether nothing may be written to it
    pub read_only: bool,
}

impl procedure::Arguments for SetReadOnly {
    const NAME: &'static str = "instance_set_read_only";
    const META: OpMeta =
        OpMeta { events: &["instance.updated"], idempotent: true, ..meta("Set read-only", EffectClass::Update) };
    type Out = InstanceView;
}

/// What becomes of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is deleted.
    Delete,
    /// It is deleted no more.
    Undelete,
    /// Whether nothing may be written to it.
    ReadOnly(bool),
    /// It stays as it is: a snapshot.
    Keep,
}

impl Change {
    /// What it takes from an open instance at once, before the catalog knows: it must never be more open than that says.
    pub fn restriction(self) -> Option<Access> {
        match self {
            Self::Delete => Some(Access::Deleted),
            Self::ReadOnly(true) | Self::Keep => Some(Access::ReadOnly),
            Self::Undelete | Self::ReadOnly(false) => None,
        }
    }
}

/// Writes into the catalog what becomes of an instance.
#[derive(Debug)]
pub struct Alter {
    /// Which instance.
    pub id: InstanceId,
    /// What becomes of it.
    pub change: Change,
}

impl Call for Alter {
    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Reply>, OpError> {
        let id = self.id.as_str();
        let before = tx.get::<Instance>(id)?.ok_or_else(|| not_found(id))?.content;
        let mut instance = before.clone();
        let name = &before.name;
        let is_deleted = before.deleted_at.is_some();
        let outcome = match self.change {
            Change::Delete | Change::ReadOnly(_) | Change::Keep if is_deleted => return Err(deleted(id)),
            Change::Delete => {
                instance.deleted_at = Some(cx.now_ms);
                format!("Deleted instance \"{name}\" ({id}). instance_undelete brings it back within 7 days.")
            }
            Change::Undelete if before.is_expired(cx.now_ms) => return Err(not_found(id)),
            Change::Undelete => {
                instance.project = home(tx, &before)?;
                instance.left_by = None;
                if is_deleted && find(tx, &instance.project, name)?.is_some() {
                    return Err(taken(
                        name,
                        "It has taken the name: rename it with instance_rename, then undelete again",
                    ));
                }
                instance.deleted_at = None;
                format!("Instance \"{name}\" ({id}) is there.")
            }
            Change::Keep => {
                (instance.read_only, instance.snapshot) = (true, true);
                format!("Instance \"{name}\" ({id}) stays as it is.")
            }
            Change::ReadOnly(read_only) => {
                instance.read_only = read_only;
                instance.snapshot &= read_only;
                let now = if read_only { "read-only" } else { "open for writing" };
                format!("Instance \"{name}\" ({id}) is {now}.")
            }
        };
        if instance != before {
            tx.put(id, &instance, None)?;
        }
        InstanceView::new(id, &instance).told(outcome).map(Step::Done)
    }
}

/// The project that an instance comes back to: its own, or where that is no more the one of whose it was.
fn home(tx: &mut Tx<'_>, instance: &Instance) -> Result<String, OpError> {
    let own = || instance.project.clone();
    match &instance.left_by {
        Some(owner) if tx.get::<Project>(&instance.project)?.is_none() => match owner.as_str() {
            LOCAL => Ok(DEFAULT_PROJECT.to_owned()),
            owner => Ok(tx.get::<User>(owner)?.map_or_else(own, |held| held.content.project)),
        },
        _ => Ok(own()),
    }
}

/// Makes an instance say of itself what may be done with it.
#[derive(Debug)]
pub struct SetAccess(pub Access);

impl Call for SetAccess {
    fn apply(&self, tx: &mut Tx<'_>, _: &Cx) -> Result<Step<Reply>, OpError> {
        tx.set_access(self.0);
        Ok(Step::Done(Reply { outcome: String::new(), result: Value::Null, image: None }))
    }
}

/// Takes an instance whose time is up out of the catalog. Errors: `not_found` for one that is not, or not any more.
#[derive(Debug)]
pub struct Forget(pub InstanceId);

impl Call for Forget {
    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Reply>, OpError> {
        let id = self.0.as_str();
        let held = tx.get::<Instance>(id)?.filter(|held| held.content.is_expired(cx.now_ms));
        let forgotten = held.ok_or_else(|| not_found(id))?.content;
        let view = InstanceView::new(id, &forgotten);
        let parent = forgotten.parent;
        tx.delete::<Instance>(id)?;
        // What was copied from it was copied from what it was copied from: a purge there still finds them.
        for mut copy in copies(tx, &self.0)? {
            copy.content.parent.clone_from(&parent);
            tx.put(&copy.record.id, &copy.content, None)?;
        }
        view.told(format!("Instance \"{}\" ({id}) is gone.", view.name)).map(Step::Done)
    }
}

/// The direct copies of an instance, deleted ones too while they are kept.
pub fn copies(tx: &Tx<'_>, id: &InstanceId) -> Result<Vec<Held<Instance>>, OpError> {
    tx.scan_index(kind::PARENT, id.as_str().as_bytes(), &IdRange::all(), limits::INSTANCES)
}

/// Instances whose time is up, longest ago first, at most `limit`.
pub fn expired(tx: &mut Tx<'_>, cx: &Cx, limit: usize) -> Result<Vec<String>, OpError> {
    let mut expired = Vec::new();
    for id in tx.ordered::<Instance>(kind::DELETED_AT, limit)? {
        if tx.get::<Instance>(&id)?.is_none_or(|held| !held.content.is_expired(cx.now_ms)) {
            break;
        }
        expired.push(id);
    }
    Ok(expired)
}
