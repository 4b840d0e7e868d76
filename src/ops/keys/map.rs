//! The whole key map of an instance: all keys with their values and attributes, in one state, read and written at once.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::load;
use crate::{
    model::{
        error::OpError,
        key::{self, Key, KeyName, KeyType},
        legacy::{self, Booleans},
        limits,
        permission::{self, Action, may_read, mode_allows},
        tags::{SystemTag, SystemTags},
        value::{Content, Stored},
    },
    ops::{
        key_schema,
        operation::{Call, Cx, Reply, Report, Step},
        tx::{Held, Tx},
    },
};

/// What a key takes beside its name and value, roughly.
const BESIDE_BYTES: usize = 500;

/// A key of the map.
#[derive(Debug)]
pub struct Entry {
    /// The key without its value.
    pub key: Key,
    /// Text, JSON text, or base64 for images and files.
    pub value: String,
    /// When it was last changed, in milliseconds since 1970.
    pub updated_at: i64,
}

/// The keys that a caller may read, in one state.
#[derive(Debug)]
pub struct Whole {
    /// Name and key, by name.
    pub keys: Vec<(String, Entry)>,
    /// The state.
    pub as_of_seq: u64,
}

/// Reads the map. Errors: `too_large` when the values are more than fit into one message.
pub fn read(tx: &mut Tx<'_>, cx: &Cx) -> Result<Whole, OpError> {
    let (mut keys, mut bytes) = (Vec::new(), 0);
    each(tx, cx, |held| {
        let content = load(tx, &held.record.id, &held.content)?;
        let value = key::encode(&content);
        bytes += value.len() + held.record.id.len() + BESIDE_BYTES;
        check_size(bytes)?;
        let entry = Entry { key: held.content.without_value(), value, updated_at: held.record.updated_at };
        keys.push((held.record.id, entry));
        Ok(())
    })?;
    Ok(Whole { keys, as_of_seq: tx.seq() })
}

fn check_size(bytes: usize) -> Result<(), OpError> {
    if bytes <= limits::MESSAGE_BYTES {
        return Ok(());
    }
    Err(OpError::TooLarge {
        what: "the whole key map, as far as it was read,".into(),
        got_bytes: bytes as u64,
        limit_bytes: limits::MESSAGE_BYTES as u64,
        remedy: "List the keys in pages and read the large ones by themselves".into(),
    })
}

/// Shows every key that the caller may read, by name.
fn each(tx: &Tx<'_>, cx: &Cx, mut see: impl FnMut(Held<Key>) -> Result<(), OpError>) -> Result<(), OpError> {
    tx.each(|held| if may_read(cx.mode, &held.content) { see(held) } else { Ok(()) })
}

/// A key as it is to be. What is not said stays as it is, or is as a new key has it.
#[derive(Debug, Default, Clone)]
pub struct Wanted {
    /// Text, JSON text, or base64 for images and files.
    pub value: String,
    /// The value came as JSON that is no string: a new key is `json`.
    pub is_structured: bool,
    /// Its type.
    pub key_type: Option<KeyType>,
    /// Its MIME type.
    pub content_type: Option<String>,
    /// Its content tags.
    pub tags: Option<Vec<String>>,
    /// Its system tags: all of them.
    pub system_tags: Option<SystemTags>,
    /// Where there are no system tags: what these say of them.
    pub booleans: Booleans,
    /// Its place in the prompt.
    pub z_index: Option<i64>,
}

/// Makes the keys that the caller may read exactly these, as one change; protected ones that are not among them stay.
///
/// Errors: `version_mismatch` when the state is another than the caller believes; what the mode table refuses.
#[derive(Debug)]
pub struct Replace {
    /// By name.
    pub keys: BTreeMap<String, Wanted>,
    /// The state that the caller has read.
    pub if_seq: Option<u64>,
}

impl Replace {
    /// What the log calls it.
    pub const NAME: &'static str = "stm_write";

    /// Roughly how much memory it takes.
    pub fn weight(&self) -> usize {
        self.keys.iter().map(|(name, wanted)| name.len() + wanted.value.len() + BESIDE_BYTES).sum()
    }
}

/// How many keys were treated how.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Replaced {
    /// New ones.
    pub created: u64,
    /// Changed ones.
    pub updated: u64,
    /// Removed ones.
    pub deleted: u64,
    /// Those that were so already.
    pub unchanged: u64,
    /// Those that were not named and are protected.
    pub kept: u64,
    /// The state that was made.
    pub as_of_seq: u64,
}

impl Report for Replaced {
    fn outcome(&self) -> String {
        let Self { created, updated, deleted, unchanged, kept, .. } = self;
        format!(
            "Keys created: {created}, updated: {updated}, deleted: {deleted}, unchanged: {unchanged}, protected and \
             kept: {kept}."
        )
    }
}

impl Call for Replace {
    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Reply>, OpError> {
        if !mode_allows(cx.mode, Action::Write) {
            return Err(permission::refuse_operation(cx.mode, Action::Write, Self::NAME));
        }
        let current = tx.seq();
        if let Some(expected) = self.if_seq.filter(|expected| *expected != current) {
            return Err(OpError::VersionMismatch { what: "the key map".into(), expected, current });
        }
        let (mut gone, mut kept) = (Vec::new(), 0_u64);
        // All is looked at before anything is changed: what is staged would be laid over each further page.
        each(tx, cx, |held| {
            let name = held.record.id;
            if self.keys.contains_key(&name) {
                return Ok(());
            }
            if held.content.system_tags.has(SystemTag::Protected) {
                kept += 1;
                return Ok(());
            }
            cx.check(Action::Delete, &name, &held.content)?;
            gone.push(name);
            Ok(())
        })?;
        for name in &gone {
            tx.delete::<Key>(name)?;
        }
        let (mut created, mut updated, mut unchanged) = (0_u64, 0_u64, 0_u64);
        for (name, wanted) in &self.keys {
            KeyName::parse(name.as_str()).map_err(|rule| OpError::invalid("key", rule, name))?;
            match wanted.put(tx, cx, name).map_err(|error| within(name, error))? {
                Put::Created => created += 1,
                Put::Updated => updated += 1,
                Put::Unchanged => unchanged += 1,
            }
        }
        let deleted = gone.len() as u64;
        Reply::of(&Replaced { created, updated, deleted, unchanged, kept, as_of_seq: tx.seq() }).map(Step::Done)
    }
}

enum Put {
    Created,
    Updated,
    Unchanged,
}

impl Wanted {
    fn put(&self, tx: &mut Tx<'_>, cx: &Cx, name: &str) -> Result<Put, OpError> {
        let held = tx.get::<Key>(name)?;
        // Of a key that may not be read, nothing that follows may tell what it is like.
        if let Some(held) = held.as_ref().filter(|held| !may_read(cx.mode, &held.content)) {
            cx.check(Action::Write, name, &held.content)?;
        }
        let fresh_type = if self.is_structured { KeyType::Json } else { KeyType::Text };
        let before = held.as_ref().map(|held| &held.content);
        let mut key = before.map_or_else(|| Key::new(fresh_type, Stored::Inline(String::new())), Key::without_value);
        self.attributes(&mut key)?;
        let content = key.key_type.decode(name, self.value.clone())?;
        let Some(held) = &held else {
            check_new(cx, name, &key)?;
            keep(tx, name, key, content, None)?;
            return Ok(Put::Created);
        };
        let is_same_value = key.key_type == held.content.key_type && load(tx, name, &held.content)? == content;
        let is_same_rest = Key { value: Stored::Gone, ..key.clone() } == held.content.without_value();
        if is_same_value && is_same_rest {
            return Ok(Put::Unchanged);
        }
        cx.check(Action::Write, name, &held.content)?;
        if !is_same_rest {
            cx.check(Action::Attributes, name, &held.content)?;
        }
        keep(tx, name, key, content, held.record.expires_at)?;
        Ok(Put::Updated)
    }

    /// Makes the attributes of a key so, its value aside. Errors: `invalid_argument` for what none can have.
    pub(super) fn attributes(&self, key: &mut Key) -> Result<(), OpError> {
        if let Some(key_type) = self.key_type {
            if key_type.is_binary() != key.key_type.is_binary() {
                key.content_type = None;
            }
            key.key_type = key_type;
        }
        if self.content_type.is_some() {
            key.content_type.clone_from(&self.content_type);
        }
        key::check_content_type(key.key_type, key.content_type.as_deref())?;
        if let Some(tags) = &self.tags {
            key.tags = key::check_tags(tags)?;
        }
        // What an old client is shown beside the tags says less than they do.
        key.system_tags = self.system_tags.unwrap_or_else(|| legacy::apply_booleans(key.system_tags, self.booleans));
        key.z_index = self.z_index.unwrap_or(key.z_index);
        Ok(())
    }
}

/// Whether the caller may make such a key.
pub(super) fn check_new(cx: &Cx, name: &str, key: &Key) -> Result<(), OpError> {
    cx.check(Action::Create, name, key)?;
    // Its place in the prompt is an attribute like any other.
    if key.z_index != 0 && !mode_allows(cx.mode, Action::Attributes) {
        cx.check(Action::Attributes, name, key)?;
    }
    Ok(())
}

/// Puts a key in its place; its value has been read by its type, and so has its size.
pub(super) fn keep(
    tx: &mut Tx<'_>,
    name: &str,
    key: Key,
    content: Content,
    expires_at: Option<i64>,
) -> Result<u64, OpError> {
    if let Some(schema) = &key.schema {
        key_schema::validate(schema, key.key_type, &content)?;
    }
    let value = tx.keep(content);
    tx.put(name, &Key { value, ..key }, expires_at)
}

/// The same error, telling whose argument it is about.
fn within(name: &str, error: OpError) -> OpError {
    match error {
        OpError::InvalidArgument { path, rule, got } => {
            OpError::InvalidArgument { path: format!("{name}.{path}"), rule, got }
        }
        other => other,
    }
}
