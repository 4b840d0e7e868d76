//! An entry of the first MindCache's JSON, `{"value": …, "attributes": {…}}`, of any of its versions; and a value of a
//! plain map.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::{
    error::OpError,
    key::{KeyName, KeyType},
    legacy::{self, Booleans},
    portable::{Item, Portable},
    tags::SystemTags,
    value::Content,
};

/// An entry. What is not of this shape is none.
#[derive(Debug, Deserialize)]
pub(super) struct Entry<'a> {
    #[serde(borrow)]
    value: &'a RawValue,
    attributes: Attributes,
}

/// What any version of it says of a key; unknown names are nothing to us.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Attributes {
    #[serde(rename = "type")]
    key_type: Option<String>,
    content_type: Option<String>,
    content_tags: Option<Vec<String>>,
    tags: Vec<String>,
    system_tags: Option<Vec<String>>,
    z_index: f64,
    #[serde(flatten)]
    booleans: Booleans,
}

impl<'a> Entry<'a> {
    /// The entry that this is, if it is one.
    pub(super) fn parse(raw: &'a RawValue) -> Option<Self> {
        serde_json::from_str(raw.get()).ok()
    }

    /// The key that it is.
    pub(super) fn item(self, name: &str) -> Item {
        Item::of(name, |name| self.portable(name))
    }

    fn portable(self, name: KeyName) -> Result<Portable, OpError> {
        let Attributes { key_type, content_type, content_tags, tags, system_tags, z_index, booleans } = self.attributes;
        let word = key_type.unwrap_or_else(|| "text".into());
        let (key_type, told) = legacy::known_key_type("type", &word)?;
        let (key_type, content) = value(name.as_str(), key_type, self.value)?;
        Ok(Portable {
            key_type,
            content_type: content_type
                .filter(|given| !given.is_empty())
                .or_else(|| told.map(str::to_owned))
                .or_else(|| binary_type(key_type)),
            system_tags: tags_of(system_tags.as_deref(), booleans),
            tags: content_tags.unwrap_or(tags),
            #[expect(clippy::cast_possible_truncation, reason = "a place out of range is the last one")]
            z_index: z_index.round() as i64,
            content,
            ..Portable::text(name, String::new())
        })
    }
}

/// The content type of a value whose file does not tell it.
pub(in crate::derive) fn binary_type(key_type: KeyType) -> Option<String> {
    match key_type {
        // What the first MindCache takes a picture for.
        KeyType::Image => Some("image/jpeg".into()),
        KeyType::File => Some("application/octet-stream".into()),
        KeyType::Text | KeyType::Json => None,
    }
}

/// The system tags of an old key. Booleans that are absent are as that version has them: visible and writable, if there
/// are no tags to say otherwise. `LLMRead` is not added: what was not visible was not shown to models.
pub(in crate::derive) fn tags_of(words: Option<&[String]>, booleans: Booleans) -> SystemTags {
    let Some(words) = words else {
        let defaults = Booleans {
            readonly: booleans.readonly.or(Some(false)),
            visible: booleans.visible.or(Some(true)),
            ..booleans
        };
        return legacy::apply_booleans(SystemTags::default(), defaults);
    };
    legacy::apply_booleans(legacy::system_tags(words.iter().map(String::as_str)), booleans)
}

/// An old value: any JSON under any type.
fn value(name: &str, key_type: KeyType, raw: &RawValue) -> Result<(KeyType, Content), OpError> {
    let Ok(text) = serde_json::from_str::<String>(raw.get()) else {
        // Kept to the digit. A text that is none becomes JSON.
        return Ok((KeyType::Json, KeyType::Json.decode(name, raw.get().to_owned())?));
    };
    match key_type {
        KeyType::Text => Ok((key_type, Content::Text(text))),
        KeyType::Json => Ok((key_type, Content::Text(json_text(text)))),
        KeyType::Image | KeyType::File => {
            // As a data URL or as it is.
            let data = text.split_once(";base64,").map_or(text.as_str(), |(_, data)| data);
            let bytes = BASE64
                .decode(data)
                .map_err(|error| OpError::invalid("value", format!("images and files are base64: {error}"), ""))?;
            Ok((key_type, Content::Bytes(bytes)))
        }
    }
}

/// What a json key of the first MindCache holds: JSON text, or any string, which is JSON when it is quoted.
pub(in crate::derive) fn json_text(text: String) -> String {
    if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() {
        text
    } else {
        serde_json::Value::String(text).to_string()
    }
}

/// A name and a value of a plain map: a string is text, anything else JSON.
pub(super) fn plain(name: &str, raw: &RawValue) -> Item {
    Item::of(name, |name| {
        let (key_type, content) = value(name.as_str(), KeyType::Text, raw)?;
        Ok(Portable { key_type, content, ..Portable::text(name, String::new()) })
    })
}
