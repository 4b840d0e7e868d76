//! Instances, as records of the catalog. The kernel builds the folder first; the record is the commit point.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    error::OpError,
    instance::{Instance, InstanceRef},
    kind, limits,
    permission::Action,
    view::IdRange,
};

use super::{
    bounds::Text,
    operation::{Cx, EffectClass, Listing, OpMeta, Operation, Report, Step, Target},
    tx::{Held, Tx},
};

/// The project of a machine with one user.
pub const DEFAULT_PROJECT: &str = "default";

const fn meta(title: &'static str, action: Action, effect: EffectClass) -> OpMeta {
    OpMeta {
        title,
        toolset: "instances",
        listing: Listing::Search,
        target: Target::Catalog,
        action,
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
    /// The instance it was cloned from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// What a snapshot was taken for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Nothing may be written to it.
    pub read_only: bool,
}

impl From<&Held<Instance>> for InstanceView {
    fn from(held: &Held<Instance>) -> Self {
        let instance = &held.content;
        Self {
            id: held.record.id.clone(),
            name: instance.name.clone(),
            parent: instance.parent.as_ref().map(ToString::to_string),
            note: instance.note.clone(),
            read_only: instance.read_only,
        }
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
    pub name: Text<1, { limits::INSTANCE_NAME_CHARACTERS }>,
}

impl Operation for Create {
    const NAME: &'static str = "instance_create";
    const META: OpMeta =
        OpMeta { events: &["instance.created"], ..meta("Create an instance", Action::Instances, EffectClass::Create) };
    type Out = InstanceView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<InstanceView>, OpError> {
        let InstanceRef::Name(name) = InstanceRef::parse(self.name.as_str())? else {
            return Err(OpError::invalid("name", "a name must not look like an id", self.name.as_str()));
        };
        if find(tx, &name)?.is_some() {
            return Err(OpError::AlreadyExists {
                what: format!("instance \"{name}\""),
                remedy: "Use it, or choose another name".into(),
            });
        }
        let Some(id) = &cx.fresh_id else {
            return Err(OpError::invalid("name", "an instance is made by itself, not inside another operation", &name));
        };
        let instance = Instance { name, project: DEFAULT_PROJECT.into(), parent: None, note: None, read_only: false };
        tx.put(id.as_str(), &instance, None)?;
        let held = tx.get::<Instance>(id.as_str())?.ok_or_else(|| not_found(self.name.as_str()))?;
        Ok(Step::Done(InstanceView::from(&held)))
    }
}

/// All instances, with their ids.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {}

/// The instances by id.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Instances {
    /// At most 1,000.
    pub instances: Vec<InstanceView>,
}

impl Report for Instances {
    fn outcome(&self) -> String {
        let names: Vec<_> = self.instances.iter().map(|instance| instance.name.as_str()).collect();
        format!("{} instances: {}.", names.len(), names.join(", "))
    }
}

impl Operation for List {
    const NAME: &'static str = "instance_list";
    const META: OpMeta = meta("List instances", Action::Instances, EffectClass::Read);
    type Out = Instances;

    fn apply(&self, tx: &mut Tx<'_>, _: &Cx) -> Result<Step<Instances>, OpError> {
        let held = tx.scan::<Instance>(&IdRange::all(), limits::PAGE as usize)?;
        Ok(Step::Done(Instances { instances: held.iter().map(InstanceView::from).collect() }))
    }
}

/// The instance of a name in the default project.
pub fn find(tx: &Tx<'_>, name: &str) -> Result<Option<Held<Instance>>, OpError> {
    let key = kind::instance_name_key(DEFAULT_PROJECT, name);
    Ok(tx.scan_index::<Instance>(kind::INSTANCE_NAME, &key, &IdRange::all(), 1)?.pop())
}

/// The refusal of an unknown instance.
pub fn not_found(name: &str) -> OpError {
    OpError::NotFound {
        what: format!("instance \"{name}\""),
        remedy: "`mindcache call instance_list` shows those that exist, and instance_create makes one".into(),
    }
}
