//! Instances, as records of the catalog, and what can be done to a whole instance.
//!
//! The types of the arguments are the procedures' (the kernel carries them out); what happens in a turn of the catalog
//! or of an instance is a [`Call`](super::operation::Call) beside them, pure like every operation.

pub mod arguments;
pub mod catalog;
pub mod copies;
pub mod diff;
pub mod restore;
pub mod state;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    error::OpError,
    instance::{Instance, InstanceRef},
    kind, limits,
    permission::{Action, Permission},
    time,
    view::IdRange,
};

use super::{
    access::{Word, reach::Reach, standing},
    operation::{Cx, EffectClass, Listing, OpMeta, Reply, Report, Target},
    procedure,
    tx::{Held, Tx},
};

use arguments::{NewName, Which};

/// The project of a machine with one user.
pub const DEFAULT_PROJECT: &str = "default";

/// The facts that instance operations share: they are edit mode's, and found by searching.
const fn meta(title: &'static str, effect: EffectClass) -> OpMeta {
    OpMeta {
        title,
        toolset: "instances",
        listing: Listing::Search,
        target: Target::Catalog,
        action: Action::Instances,
        effect,
        idempotent: matches!(effect, EffectClass::Read),
        waits: false,
        events: &[],
    }
}

/// An instance as replies show it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct InstanceView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The id of the project that it is in, unless that is `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The instance it was cloned from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// What a snapshot was taken for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Nothing may be written to it.
    pub read_only: bool,
    /// What the caller is to it: owner, admin, write or read; where it is shown and not changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Since when it is there; where it is shown and not changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When it was last renamed, closed or opened; where it is shown and not changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
    /// When it was deleted; only in lists that show deleted ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<String>,
}

impl InstanceView {
    /// The instance of this id.
    pub fn new(id: &str, instance: &Instance) -> Self {
        Self {
            id: id.to_owned(),
            name: instance.name.clone(),
            project: Some(instance.project.clone()).filter(|project| project != DEFAULT_PROJECT),
            parent: instance.parent.as_ref().map(ToString::to_string),
            note: instance.note.clone(),
            read_only: instance.read_only,
            role: None,
            created_at: None,
            updated_at: None,
            deleted_at: None,
        }
    }

    /// The instance with its times, and when it was deleted.
    pub fn listed(held: &Held<Instance>) -> Self {
        let deleted_at = held.content.deleted_at.map(time::rfc3339);
        let (created_at, updated_at) = (time::rfc3339(held.record.created_at), time::rfc3339(held.record.updated_at));
        let (created_at, updated_at) = (Some(created_at), Some(updated_at));
        Self { created_at, updated_at, deleted_at, ..Self::new(&held.record.id, &held.content) }
    }

    /// The same, and what the caller is to it.
    fn seen(tx: &mut Tx<'_>, reach: &mut Reach, held: &Held<Instance>) -> Result<Option<Self>, OpError> {
        let Some(permission) = reach.on_instance(tx, held)? else { return Ok(None) };
        let is_owner = permission == Permission::Admin && reach.owns_instance(tx, held)?;
        let role = if is_owner { "owner" } else { permission.name() };
        Ok(Some(Self { role: Some(role.to_owned()), ..Self::listed(held) }))
    }

    /// The reply that shows it, with what was done in words.
    pub fn told(&self, outcome: String) -> Result<Reply, OpError> {
        Ok(Reply { outcome, ..Reply::of(self)? })
    }
}

impl Report for InstanceView {
    fn outcome(&self) -> String {
        format!("Instance \"{}\" has the id {}.", self.name, self.id)
    }
}

/// Make an empty instance. Fails with already_exists when the name is taken.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// Its name, without / and \
    pub name: NewName,
    /// Name or id of its project, default the caller's
    #[serde(default)]
    pub project: Option<Word>,
}

impl procedure::Arguments for Create {
    const NAME: &'static str = "instance_create";
    const META: OpMeta = OpMeta { events: &["instance.created"], ..meta("Create an instance", EffectClass::Create) };
    type Out = InstanceView;
}

/// The instance of a name in a project.
pub fn find(tx: &Tx<'_>, project: &str, name: &str) -> Result<Option<Held<Instance>>, OpError> {
    let key = kind::instance_name_key(project, name);
    Ok(tx.scan_index::<Instance>(kind::INSTANCE_NAME, &key, &IdRange::all(), 1)?.pop())
}

/// The deleted instance of a name that was deleted last.
fn find_deleted(tx: &Tx<'_>, project: &str, name: &str) -> Result<Option<Held<Instance>>, OpError> {
    let key = kind::instance_name_key(project, name);
    let found = tx.scan_index::<Instance>(kind::DELETED_NAME, &key, &IdRange::all(), limits::PAGE as usize)?;
    Ok(found.into_iter().max_by_key(|held| held.content.deleted_at))
}

/// The instance that an argument names, if the caller may do that much with it.
pub fn existing(tx: &mut Tx<'_>, cx: &Cx, which: &Which, wanted: Permission) -> Result<Held<Instance>, OpError> {
    let who = standing::known(tx, cx)?;
    let held = match which.reference() {
        InstanceRef::Id(id) => tx.get::<Instance>(id.as_str())?,
        InstanceRef::Name(name) => match standing::named(tx, &who, name)? {
            Some(held) => Some(held),
            None => find_deleted(tx, &who.project, name)?,
        },
    };
    let held = held.ok_or_else(|| not_found(which.as_str()))?;
    standing::on_instance(tx, &who.standing, &held, wanted, which.as_str())?;
    if held.content.deleted_at.is_some() { Err(deleted(which.as_str())) } else { Ok(held) }
}

/// The instance that an argument names, deleted or not: of a name's, a deleted one is meant. It takes `admin`.
pub fn deleted_or_not(tx: &mut Tx<'_>, cx: &Cx, which: &Which) -> Result<Held<Instance>, OpError> {
    let who = standing::known(tx, cx)?;
    let held = match which.reference() {
        InstanceRef::Id(id) => tx.get::<Instance>(id.as_str())?,
        // One that nothing brings back any more does not stand in the way, whether upkeep has come by or not.
        InstanceRef::Name(name) => {
            let deleted = find_deleted(tx, &who.project, name)?;
            match deleted.filter(|held| !held.content.is_expired(cx.now_ms)) {
                Some(held) => Some(held),
                None => find(tx, &who.project, name)?,
            }
        }
    };
    let held = held.filter(|held| !held.content.is_expired(cx.now_ms)).ok_or_else(|| not_found(which.as_str()))?;
    standing::on_instance(tx, &who.standing, &held, Permission::Admin, which.as_str())?;
    Ok(held)
}

/// The refusal of an unknown instance.
pub fn not_found(name: &str) -> OpError {
    OpError::NotFound {
        what: format!("instance \"{name}\""),
        remedy: "`mindcache call instance_list` shows those that exist, and instance_create makes one".into(),
    }
}

/// The refusal of an instance that was deleted.
pub fn deleted(name: &str) -> OpError {
    OpError::NotFound {
        what: format!("instance \"{name}\", which was deleted,"),
        remedy: "instance_undelete brings it back within 7 days of that".into(),
    }
}

/// The refusal of a name that is taken.
pub fn taken(name: &str, remedy: &str) -> OpError {
    OpError::AlreadyExists { what: format!("instance \"{name}\""), remedy: remedy.into() }
}
