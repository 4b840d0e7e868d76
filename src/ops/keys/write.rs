//! `write_key`: make a key or replace its value.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::{
    error::OpError,
    key::{self, Key, KeyName, KeyType},
    kind::{self, nfc},
    limits,
    permission::{Action, may_read},
    value::Stored,
    view::IdRange,
};

use super::{Written, check_version, meta, store};
use crate::ops::{
    bounds::{ValueText, Version, Whole},
    operation::{Cx, EffectClass, OpMeta, Operation, Step},
    tx::Tx,
};

/// Write a key: create it, or replace its whole value. Fails with version_mismatch when if_version is given
/// and someone changed the key since.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// Key name
    pub key: KeyName,
    /// Text; JSON text for json keys; base64 for image and file
    pub value: ValueText,
    /// Default: keeps the key's type; text for a new key
    #[serde(rename = "type", default)]
    pub key_type: Option<KeyType>,
    /// MIME type; required for image and file
    #[serde(default)]
    pub content_type: Option<String>,
    /// Replaces the content tags; left out, they stay
    #[serde(default)]
    pub tags: Option<Vec<String>>,
    /// Expire after this many milliseconds; left out, the key is permanent
    #[serde(default)]
    pub ttl_ms: Option<Whole<1, { limits::TTL_MS }>>,
    /// Write only if the key is at this version; 0: only if it does not exist
    #[serde(default)]
    pub if_version: Option<Version>,
}

impl Operation for Write {
    const NAME: &'static str = "write_key";
    const META: OpMeta =
        OpMeta { events: &["key.created", "key.updated"], ..meta("Write a key", Action::Write, EffectClass::Update) };
    type Out = Written;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Written>, OpError> {
        let name = self.key.as_str();
        let held = tx.get::<Key>(name)?;
        if let Some(held) = &held {
            cx.check(Action::Write, name, &held.content)?;
        }
        check_version(name, self.if_version, held.as_ref())?;
        let created = held.is_none();
        if created && cx.existing_only {
            return Err(OpError::no_key(name));
        }
        let fresh_type = if self.value.structured { KeyType::Json } else { KeyType::Text };
        let before = held.map_or_else(|| Key::new(fresh_type, Stored::Inline(String::new())), |held| held.content);
        let key = self.attributes(before, cx, created)?;
        if created {
            cx.check(Action::Create, name, &key)?;
        }
        let content = key.key_type.decode(name, self.value.text.clone())?;
        let ttl = self.ttl_ms.map(|ttl| cx.now_ms.saturating_add_unsigned(ttl.get()));
        let warning = if created { twin_warning(tx, cx, name)? } else { None };
        let version = store(tx, name, key, content, ttl)?;
        Ok(Step::Done(Written { key: name.to_owned(), version, created, warning }))
    }
}

impl Write {
    /// The key as it will be, but for its value.
    fn attributes(&self, mut key: Key, cx: &Cx, created: bool) -> Result<Key, OpError> {
        let key_type = self.key_type.unwrap_or(key.key_type);
        if key_type.is_binary() != key.key_type.is_binary() {
            // The MIME type of a picture says nothing of the text that replaces it.
            key.content_type = None;
        }
        key.key_type = key_type;
        if self.content_type.is_some() {
            key.content_type.clone_from(&self.content_type);
        }
        key::check_content_type(key_type, key.content_type.as_deref())?;
        if let Some(tags) = &self.tags {
            let tags = key::check_tags(tags)?;
            if !created && tags != key.tags {
                cx.check(Action::Attributes, self.key.as_str(), &key)?;
            }
            key.tags = tags;
        }
        Ok(key)
    }
}

/// Two names that look the same but are spelt with other code points are two keys: say so when the second
/// one is made.
fn twin_warning(tx: &mut Tx<'_>, cx: &Cx, name: &str) -> Result<Option<String>, OpError> {
    let form = nfc(name);
    let mut twins = tx.scan_index::<Key>(kind::NFC, form.as_bytes(), &IdRange::all(), 2)?;
    if form != name && form.is_ascii() {
        twins.extend(tx.get::<Key>(&form)?);
    }
    // A twin that the caller may not read is none of its business.
    let twin = twins.iter().find(|twin| may_read(cx.mode, &twin.content));
    Ok(twin
        .map(|twin| format!("Warning: key \"{}\" looks the same but is spelt with other code points.", twin.record.id)))
}
