//! `write_key`: make a key or replace its value.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::{
    error::{OpError, Reason},
    key::{self, Key, KeyName, KeyType},
    kind::{self, nfc},
    limits,
    permission::{Action, may_read},
    value::{Content, Kept, Stored},
    view::IdRange,
};

use super::{Written, check_version, load, meta, store};
use crate::ops::{
    bounds::{ValueText, Version, Whole},
    key_schema,
    operation::{Call, Cx, EffectClass, OpMeta, Operation, Reply, Step},
    tx::Tx,
};

/// Write a key: create it, or replace its whole value. Fails with version_mismatch when if_version is given
/// and someone changed the key since.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
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
        let fresh_type = if self.value.structured { KeyType::Json } else { KeyType::Text };
        let fresh = Fresh { key_type: fresh_type, is_text: true };
        self.store(tx, cx, fresh, |key| key.key_type.decode(self.key.as_str(), self.value.text.clone()))
    }
}

/// What a value says of the key that it makes.
#[derive(Clone, Copy)]
struct Fresh {
    /// The type of a new key.
    key_type: KeyType,
    /// Bytes that are no text make a file, unless the caller said another type.
    is_text: bool,
}

/// A write whose value did not come as text of a call.
pub struct RawWrite {
    /// The write, but for its value.
    pub write: Write,
    /// The value.
    pub source: Source,
}

/// Where a raw value is.
pub enum Source {
    /// Here.
    Bytes(Vec<u8>),
    /// In its file already.
    Kept(Kept),
}

impl Call for RawWrite {
    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Reply>, OpError> {
        let name = self.write.key.as_str();
        let step = match &self.source {
            Source::Bytes(bytes) => {
                let fresh = Fresh { key_type: KeyType::Text, is_text: std::str::from_utf8(bytes).is_ok() };
                self.write.store(tx, cx, fresh, |key| key.key_type.take(name, bytes))
            }
            Source::Kept(kept) => self.write.refer(tx, cx, kept),
        };
        match step? {
            Step::Done(written) => Reply::of(&written).map(Step::Done),
            Step::Park { wait_ms, seen } => Ok(Step::Park { wait_ms, seen }),
        }
    }
}

impl Write {
    /// Writes the key with the value that `content` makes for it.
    fn store(
        &self,
        tx: &mut Tx<'_>,
        cx: &Cx,
        fresh: Fresh,
        content: impl FnOnce(&Key) -> Result<Content, OpError>,
    ) -> Result<Step<Written>, OpError> {
        let (key, created) = self.begin(tx, cx, fresh)?;
        let content = content(&key)?;
        let expires_at = self.expires_at(cx);
        self.end(tx, cx, created, |tx| store(tx, self.key.as_str(), key, content, expires_at))
    }

    /// Writes the key with a value that is in its file.
    fn refer(&self, tx: &mut Tx<'_>, cx: &Cx, kept: &Kept) -> Result<Step<Written>, OpError> {
        let name = self.key.as_str();
        let fresh = Fresh { key_type: KeyType::Text, is_text: kept.characters.is_some() };
        let (mut key, created) = self.begin(tx, cx, fresh)?;
        let blob = kept.of_type(key.key_type)?;
        // Nothing named it until now, so upkeep may have taken it away; from here to the commit it does not.
        tx.blob(&blob, blob.bytes.saturating_sub(1)..blob.bytes).map_err(|_| tidied(name))?;
        key.value = Stored::Blob(blob);
        if let Some(schema) = &key.schema {
            key_schema::validate(schema, key.key_type, &load(tx, name, &key)?)?;
        }
        let expires_at = self.expires_at(cx);
        self.end(tx, cx, created, |tx| tx.put(name, &key, expires_at))
    }

    fn expires_at(&self, cx: &Cx) -> Option<i64> {
        self.ttl_ms.map(|ttl| cx.now_ms.saturating_add_unsigned(ttl.get()))
    }

    /// The key as it will be but for its value, and whether it is new.
    fn begin(&self, tx: &mut Tx<'_>, cx: &Cx, fresh: Fresh) -> Result<(Key, bool), OpError> {
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
        let before = held.map_or_else(|| Key::new(fresh.key_type, Stored::Inline(String::new())), |held| held.content);
        let key = self.attributes(before, cx, created, fresh.is_text)?;
        if created {
            cx.check(Action::Create, name, &key)?;
        }
        Ok((key, created))
    }

    fn end(
        &self,
        tx: &mut Tx<'_>,
        cx: &Cx,
        created: bool,
        put: impl FnOnce(&mut Tx<'_>) -> Result<u64, OpError>,
    ) -> Result<Step<Written>, OpError> {
        let name = self.key.as_str();
        let warning = if created { twin_warning(tx, cx, name)? } else { None };
        let version = put(tx)?;
        Ok(Step::Done(Written { key: name.to_owned(), version, created, warning }))
    }

    /// The key as it will be, but for its value.
    fn attributes(&self, mut key: Key, cx: &Cx, created: bool, is_text: bool) -> Result<Key, OpError> {
        let mut key_type = self.key_type.unwrap_or(key.key_type);
        if self.key_type.is_none() && !is_text && !key_type.is_binary() {
            key_type = KeyType::File;
        }
        if key_type.is_binary() != key.key_type.is_binary() {
            // The MIME type of a picture says nothing of the text that replaces it.
            key.content_type = None;
        }
        key.key_type = key_type;
        if self.content_type.is_some() {
            key.content_type.clone_from(&self.content_type);
        }
        if key_type == KeyType::File && !is_text {
            key.content_type.get_or_insert_with(|| "application/octet-stream".into());
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

/// The value has to be put in its place again.
fn tidied(name: &str) -> OpError {
    OpError::Unavailable {
        reason: Reason::NotKept,
        what: format!("the new value of key \"{name}\" was tidied away before it was in its place"),
        remedy: "write it again".into(),
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
