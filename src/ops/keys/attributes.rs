//! `set_key_attributes` and `rename_key`: what a person arranges around a value.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::{
    error::OpError,
    key::{self, History, Key, KeyName},
    limits,
    permission::Action,
    tags::{SystemTag, SystemTags},
};

use super::{KeyView, meta, purge, readable, short_value};
use crate::ops::{
    bounds::Text,
    key_schema,
    operation::{Cx, EffectClass, OpMeta, Operation, Report, Step},
    tx::Tx,
};

/// Change a key's attributes; what is left out stays. Giving it SystemPrompt takes LLMWrite away unless
/// system_tags names both. Fails with not_found when there is no such key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetAttributes {
    /// Key name
    pub key: KeyName,
    /// All its system tags
    #[serde(default)]
    pub system_tags: Option<SystemTags>,
    /// All its content tags
    #[serde(default)]
    pub tags: Option<Vec<String>>,
    /// Its place in the prompt: lower comes first
    #[serde(default)]
    pub z_index: Option<i64>,
    /// JSON Schema that each written value must satisfy; {} takes it away
    #[serde(default)]
    #[schemars(schema_with = "crate::ops::schema::any_object")]
    pub schema: Option<Map<String, Value>>,
    /// What it is for, shown to models; empty takes it away
    #[serde(default)]
    pub description: Option<Text<0, { limits::DESCRIPTION_CHARACTERS }>>,
    /// none: older values are not kept, and those that were are purged
    #[serde(default)]
    pub history: Option<History>,
}

/// The key as it is now.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Changed(KeyView);

impl Report for Changed {
    fn outcome(&self) -> String {
        let tags: Vec<_> = self.0.system_tags.iter().map(SystemTag::name).collect();
        format!("Key \"{}\" is at version {} with the system tags [{}].", self.0.key, self.0.version, tags.join(", "))
    }
}

impl Operation for SetAttributes {
    const NAME: &'static str = "set_key_attributes";
    const META: OpMeta =
        OpMeta { events: &["key.updated"], ..meta("Set attributes of a key", Action::Attributes, EffectClass::Update) };
    type Out = Changed;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Changed>, OpError> {
        let name = self.key.as_str();
        let held = readable(tx, cx, name)?;
        cx.check(Action::Attributes, name, &held.content)?;
        if self.history.is_some() {
            // It takes older values away.
            cx.check(Action::Arrange, name, &held.content)?;
        }
        let mut key = held.content;
        if let Some(tags) = self.system_tags {
            key.system_tags = tags;
        }
        if let Some(tags) = &self.tags {
            key.tags = key::check_tags(tags)?;
        }
        if let Some(z_index) = self.z_index {
            key.z_index = z_index;
        }
        if let Some(description) = &self.description {
            key.description = Some(description.as_str().to_owned()).filter(|text| !text.is_empty());
        }
        if let Some(schema) = &self.schema {
            let schema = Value::Object(schema.clone());
            key_schema::check(&schema)?;
            key.schema = Some(schema).filter(|schema| schema.as_object().is_some_and(|members| !members.is_empty()));
        }
        if let Some(history) = self.history {
            key.history = history;
        }
        tx.put(name, &key, held.record.expires_at)?;
        if self.history == Some(History::None) {
            purge::older_values(tx, name)?;
        }
        let held = tx.get::<Key>(name)?.ok_or_else(|| OpError::no_key(name))?;
        Ok(Step::Done(Changed(KeyView { value: short_value(&held.content), ..KeyView::of(&held) })))
    }
}

/// Give a key another name; value, attributes and expiry stay, its history stays under the old name. Fails with
/// already_exists when the new name is taken.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// Key name
    pub key: KeyName,
    /// The new name
    pub new_key: KeyName,
}

/// Where it is now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Renamed {
    /// The old name.
    pub key: String,
    /// The new name.
    pub new_key: String,
    /// The version under the new name.
    pub version: u64,
}

impl Report for Renamed {
    fn outcome(&self) -> String {
        format!("Key \"{}\" is now \"{}\", version {}.", self.key, self.new_key, self.version)
    }
}

impl Operation for Rename {
    const NAME: &'static str = "rename_key";
    const META: OpMeta = OpMeta {
        idempotent: false,
        events: &["key.deleted", "key.created"],
        ..meta("Rename a key", Action::Arrange, EffectClass::Update)
    };
    type Out = Renamed;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Renamed>, OpError> {
        let (old, new) = (self.key.as_str(), self.new_key.as_str());
        let held = readable(tx, cx, old)?;
        if tx.get::<Key>(new)?.is_some() {
            return Err(OpError::AlreadyExists {
                what: format!("key \"{new}\""),
                remedy: "Delete it first, or choose another name".into(),
            });
        }
        tx.delete::<Key>(old)?;
        let version = tx.put(new, &held.content, held.record.expires_at)?;
        Ok(Step::Done(Renamed { key: old.to_owned(), new_key: new.to_owned(), version }))
    }
}
