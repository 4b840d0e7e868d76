//! Keys as a JSON document: ours, the one of the first MindCache, and plain maps of names to values.
//!
//! Ours has the names of the structured results, a key a line:
//! `{"format":"mindcache","format_version":1,"as_of_seq":7,"keys":[{"key":"a","type":"text","value":"x",…},…],"count":1}`.

mod old;
mod read;

use std::io::{self, Write};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{
    error::OpError,
    key::{History, KeyName, KeyType},
    portable::Portable,
    tags::SystemTags,
    time,
    value::Content,
};

pub(super) use old::{binary_type, json_text, tags_of};
pub use read::read;

/// What the document says it is.
pub const FORMAT: &str = "mindcache";
/// The version of the form below; a reader refuses a newer one.
pub const FORMAT_VERSION: u64 = 1;

/// A key as it stands in the document.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Entry<'a> {
    /// Its name.
    key: KeyName,
    /// What kind of value it holds.
    #[serde(rename = "type")]
    key_type: KeyType,
    /// Its MIME type; always there for images and files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    /// How it takes part.
    system_tags: SystemTags,
    /// Free words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    /// Its place in the prompt.
    #[serde(default)]
    z_index: i64,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// A JSON Schema that each written value must satisfy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<Value>,
    /// Whether its older values are kept.
    #[serde(default, skip_serializing_if = "is_full")]
    history: History,
    /// When it dies, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// Text, or JSON text for `json`, or base64 for images and files; empty where it stands elsewhere.
    value: std::borrow::Cow<'a, str>,
    /// Of an archive: the SHA-256 of the value, which stands elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blob: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_full(history: &History) -> bool {
    *history == History::Full
}

/// Begins a document of the state after the change `as_of_seq`.
pub fn begin(out: &mut dyn Write, as_of_seq: u64) -> io::Result<()> {
    write!(out, "{{\"format\":\"{FORMAT}\",\"format_version\":{FORMAT_VERSION},\"as_of_seq\":{as_of_seq},\"keys\":[")
}

/// Writes one key; `is_first` is the one right after the beginning.
pub fn key(out: &mut dyn Write, key: &Portable, is_first: bool) -> io::Result<()> {
    out.write_all(if is_first { b"\n" } else { b",\n" })?;
    one(out, key)
}

/// Writes one key as an object on one line.
fn one(out: &mut dyn Write, key: &Portable) -> io::Result<()> {
    let value = match &key.content {
        Content::Text(text) => text.into(),
        Content::Bytes(bytes) => BASE64.encode(bytes).into(),
    };
    write_entry(out, key, value, None)
}

/// Writes one key as a record of an archive: without its value where that stands elsewhere, under its SHA-256.
pub(super) fn record(out: &mut dyn Write, key: &Portable, blob: Option<String>) -> io::Result<()> {
    if blob.is_some() { write_entry(out, key, "".into(), blob) } else { one(out, key) }
}

/// Reads a record of an archive; `load` gives the value of a SHA-256.
pub(super) fn parse_record(
    line: &[u8],
    load: impl FnOnce(&str) -> Result<Vec<u8>, OpError>,
) -> Result<Portable, OpError> {
    let entry: Entry<'_> =
        serde_json::from_slice(line).map_err(|error| OpError::invalid("record", error.to_string(), ""))?;
    let Some(blob) = &entry.blob else { return entry.portable() };
    let content = entry.key_type.take(entry.key.as_str(), &load(blob)?)?;
    entry.with(content)
}

fn write_entry(
    out: &mut dyn Write,
    key: &Portable,
    value: std::borrow::Cow<'_, str>,
    blob: Option<String>,
) -> io::Result<()> {
    let entry = Entry {
        key: key.name.clone(),
        key_type: key.key_type,
        content_type: key.content_type.clone(),
        system_tags: key.system_tags,
        tags: key.tags.clone(),
        z_index: key.z_index,
        description: key.description.clone(),
        schema: key.schema.clone(),
        history: key.history,
        expires_at: key.expires_at.map(time::rfc3339),
        value,
        blob,
    };
    serde_json::to_writer(out, &entry).map_err(io::Error::from)
}

/// Ends a document of so many keys.
pub fn end(out: &mut dyn Write, count: u64) -> io::Result<()> {
    writeln!(out, "\n],\"count\":{count}}}")
}

impl Entry<'_> {
    fn portable(mut self) -> Result<Portable, OpError> {
        if self.blob.is_some() {
            return Err(OpError::invalid("blob", "only an archive has one", ""));
        }
        let value = std::mem::take(&mut self.value).into_owned();
        let content = self.key_type.decode(self.key.as_str(), value)?;
        self.with(content)
    }

    fn with(self, content: Content) -> Result<Portable, OpError> {
        let expires_at =
            match self.expires_at {
                None => None,
                Some(text) => Some(time::from_rfc3339(&text).ok_or_else(|| {
                    OpError::invalid("expires_at", "a time looks like 2026-11-21T09:30:00.000Z", &text)
                })?),
            };
        let key = Portable {
            name: self.key,
            key_type: self.key_type,
            content_type: self.content_type,
            system_tags: self.system_tags,
            tags: self.tags,
            z_index: self.z_index,
            description: self.description,
            schema: self.schema,
            history: self.history,
            expires_at,
            content,
        };
        key.checked()
    }
}

#[cfg(test)]
mod tests;
