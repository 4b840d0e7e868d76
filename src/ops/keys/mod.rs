//! The key operations, and what they share: how a key is shown and how a value is stored.

pub mod attributes;
pub mod broadcast;
pub mod browse;
pub mod catch_up;
pub mod delete;
pub mod edit;
pub mod expand;
pub mod facets;
pub mod feed;
pub mod history;
pub mod indexing;
pub mod list;
pub mod live;
pub mod map;
pub mod prompt;
pub mod prompts;
pub mod purge;
pub mod put;
pub mod read;
pub mod row;
pub mod search;
pub mod tool;
pub mod tools;
pub mod wait;
pub mod write;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::model::{
    actor::Author,
    error::{OpError, Reason},
    key::{self, History, Key, KeyType},
    limits,
    permission::Action,
    tags::SystemTags,
    time,
    value::{Content, Stored},
};

use super::{
    bounds::Version,
    key_schema,
    operation::{Cx, EffectClass, Listing, OpMeta, Report, Target},
    tx::{Held, Tx},
};

/// A key as replies show it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct KeyView {
    /// Its name.
    pub key: String,
    /// Its type.
    #[serde(rename = "type")]
    pub key_type: KeyType,
    /// Its value: text, JSON text, or base64 for images and files. Left out of lists when over 1 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Its MIME type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The seq of its last change: what `if_version` compares with.
    pub version: u64,
    /// Free words to find it by.
    pub tags: Vec<String>,
    /// How it takes part.
    pub system_tags: SystemTags,
    /// Its place in the prompt.
    pub z_index: i64,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
    /// Who changed it last.
    pub updated_by: Author,
    /// When it will expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The JSON Schema that its values must satisfy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::schema::any_object")]
    pub schema: Option<Value>,
    /// none: older values are not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
}

impl KeyView {
    /// The key without its value.
    pub fn of(held: &Held<Key>) -> Self {
        let (record, key) = (&held.record, &held.content);
        Self {
            key: record.id.clone(),
            key_type: key.key_type,
            value: None,
            content_type: key.content_type.clone(),
            version: record.version,
            tags: key.tags.clone(),
            system_tags: key.system_tags,
            z_index: key.z_index,
            created_at: time::rfc3339(record.created_at),
            updated_at: time::rfc3339(record.updated_at),
            updated_by: Author::from(&record.updated_by),
            expires_at: record.expires_at.map(time::rfc3339),
            description: key.description.clone(),
            schema: key.schema.clone(),
            history: Some(key.history).filter(|history| *history == History::None),
        }
    }

    /// The key with its value if that is at most 1 KiB.
    pub fn listed(held: &Held<Key>) -> Self {
        // A schema may be as long as 16 KiB: `read_key` shows it.
        Self { value: short_value(&held.content), schema: None, ..Self::of(held) }
    }
}

/// The value if it may be shown in a list.
pub fn short_value(key: &Key) -> Option<String> {
    match &key.value {
        Stored::Inline(text) if text.len() <= limits::LISTED_VALUE_BYTES => Some(text.clone()),
        _ => None,
    }
}

/// The result of every operation that writes one key.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Written {
    /// The key.
    pub key: String,
    /// Its version now.
    pub version: u64,
    /// Whether it is new.
    pub created: bool,
    /// Something that the writer should know, said in the outcome.
    #[serde(skip)]
    pub warning: Option<String>,
}

impl Report for Written {
    fn outcome(&self) -> String {
        let done = if self.created { "Created" } else { "Wrote" };
        let warning = self.warning.as_ref().map(|warning| format!(" {warning}")).unwrap_or_default();
        format!("{done} key \"{}\", now at version {}.{warning}", self.key, self.version)
    }
}

/// The facts that key operations share.
const fn meta(title: &'static str, action: Action, effect: EffectClass) -> OpMeta {
    OpMeta {
        title,
        toolset: "core",
        listing: Listing::Tool,
        target: Target::Instance,
        action,
        effect,
        idempotent: true,
        waits: false,
        events: &[],
    }
}

/// Compares `if_version` with what is stored; 0 asks that the key does not exist.
fn check_version(name: &str, expected: Option<Version>, held: Option<&Held<Key>>) -> Result<(), OpError> {
    let current = held.map_or(0, |held| held.record.version);
    match expected {
        Some(expected) if expected.get() != current => {
            Err(OpError::VersionMismatch { what: format!("key \"{name}\""), expected: expected.get(), current })
        }
        _ => Ok(()),
    }
}

/// Loads a whole value.
pub(super) fn load(tx: &Tx<'_>, name: &str, key: &Key) -> Result<Content, OpError> {
    let damaged = |what: &str| OpError::Unavailable {
        reason: Reason::Damaged,
        what: format!("the stored value of key \"{name}\" {what}"),
        remedy: "restore an older version, or write it anew".into(),
    };
    match &key.value {
        Stored::Inline(text) if key.key_type.is_binary() => {
            key.key_type.decode(name, text.clone()).map_err(|_| damaged("is not base64"))
        }
        Stored::Inline(text) => Ok(Content::Text(text.clone())),
        Stored::Blob(blob) => {
            let bytes = tx.blob(blob, 0..blob.bytes)?;
            if key.key_type.is_binary() {
                return Ok(Content::Bytes(bytes));
            }
            String::from_utf8(bytes).map(Content::Text).map_err(|_| damaged("is not text"))
        }
        Stored::Gone => Err(damaged("is not kept")),
    }
}

/// Stores a value in a key: its schema and its size are checked, the rest of the key is as given.
fn store(tx: &mut Tx<'_>, name: &str, key: Key, content: Content, expires_at: Option<i64>) -> Result<u64, OpError> {
    key::check_size(name, content.as_bytes().len())?;
    if let Some(schema) = &key.schema {
        key_schema::validate(schema, key.key_type, &content)?;
    }
    let value = tx.keep(content);
    tx.put(name, &Key { value, ..key }, expires_at)
}

/// Reads a key that must exist and that the caller may read.
fn readable(tx: &mut Tx<'_>, cx: &Cx, name: &str) -> Result<Held<Key>, OpError> {
    let held = tx.get::<Key>(name)?.ok_or_else(|| OpError::no_key(name))?;
    cx.check(Action::Read, name, &held.content)?;
    Ok(held)
}
