//! A key as clients are told it: its value, its attributes as clients of every age know them, its version.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::{
    model::{
        key::{Key, KeyType},
        legacy,
    },
    ops::keys::broadcast::{Shown, Value},
};

use super::{Form, to_client::ToClient};

/// A key without its name.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry<'a> {
    /// Its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "serde_json::Value")]
    value: Option<JsonValue<'a>>,
    /// Where it is, if it is large.
    #[serde(skip_serializing_if = "Option::is_none")]
    value_ref: Option<ValueRef>,
    /// Its attributes.
    attributes: Attributes<'a>,
    /// When it last changed, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<i64>,
    /// The seq of its last change.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    /// Who changed it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_by: Option<&'a str>,
    /// When it will expire, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

/// Where a large value is.
#[derive(Debug, Serialize, JsonSchema)]
struct ValueRef {
    /// Its size.
    bytes: u64,
    /// The version of the key.
    version: u64,
    /// Where a GET fetches it, with the same credential; its ETag is the version.
    path: String,
}

/// A value as JSON.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum JsonValue<'a> {
    Text(&'a str),
    Json(&'a RawValue),
}

/// Attributes as clients of every age know them.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "older clients know the tags by these")]
struct Attributes<'a> {
    /// text, json, image or file.
    #[serde(rename = "type")]
    key_type: &'static str,
    /// Its MIME type.
    content_type: Option<&'a str>,
    /// Models may not write it.
    readonly: bool,
    /// It is in the system prompt.
    visible: bool,
    /// It is protected.
    hardcoded: bool,
    /// Its value is a template.
    template: bool,
    /// Its content tags.
    tags: &'a [String],
    /// Its place in the prompt.
    z_index: i64,
    /// Its content tags.
    content_tags: &'a [String],
    /// Its system tags.
    system_tags: Vec<String>,
}

impl<'a> Attributes<'a> {
    fn of(key: &'a Key) -> Self {
        let booleans = legacy::to_booleans(key.system_tags);
        Self {
            key_type: key.key_type.name(),
            content_type: key.content_type.as_deref(),
            readonly: booleans.readonly == Some(true),
            visible: booleans.visible == Some(true),
            hardcoded: booleans.hardcoded == Some(true),
            template: booleans.template == Some(true),
            tags: &key.tags,
            z_index: key.z_index,
            content_tags: &key.tags,
            system_tags: key.system_tags.names(),
        }
    }
}

impl<'a> Entry<'a> {
    /// A key of an instance as it is told in a list of keys.
    fn of(shown: &'a Shown, form: Form, instance: &str) -> Self {
        let (value, value_ref) = match &shown.value {
            Value::Here(text) => (Some(JsonValue::of(text, shown.key.key_type)), None),
            Value::Large(bytes) => {
                let name = utf8_percent_encode(&shown.name, NON_ALPHANUMERIC);
                let path = format!("/v1/i/{instance}/keys/{name}");
                (None, Some(ValueRef { bytes: *bytes, version: shown.version, path }))
            }
        };
        let ours = form == Form::Ours;
        Self {
            value,
            value_ref,
            attributes: Attributes::of(&shown.key),
            updated_at: Some(shown.updated_at),
            version: ours.then_some(shown.version),
            updated_by: ours.then_some(&shown.updated_by),
            expires_at: shown.expires_at.filter(|_| ours),
        }
    }
}

impl<'a> JsonValue<'a> {
    fn of(text: &'a str, key_type: KeyType) -> Self {
        match key_type {
            KeyType::Json => serde_json::from_str(text).map_or(Self::Text(text), Self::Json),
            KeyType::Text | KeyType::Image | KeyType::File => Self::Text(text),
        }
    }
}

/// Keys as an object by their names.
#[derive(Debug)]
pub(super) struct Entries<'a> {
    pub(super) shown: &'a [Shown],
    pub(super) form: Form,
    pub(super) instance: &'a str,
}

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.shown.len()))?;
        for shown in self.shown {
            map.serialize_entry(&shown.name, &Entry::of(shown, self.form, self.instance))?;
        }
        map.end()
    }
}

/// `key_updated`.
pub(super) fn updated(shown: &Shown, form: Form, instance: &str) -> Utf8Bytes {
    let mut entry = Entry::of(shown, form, instance);
    (entry.updated_at, entry.updated_by) = (None, Some(shown.updated_by.as_str()));
    let seq = (form == Form::Ours).then_some(shown.version);
    ToClient::KeyUpdated { key: &shown.name, entry, timestamp: shown.updated_at, seq }.text()
}
