//! The key: a named, typed value with attributes and tags. Record kind `key`, its id is its name.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;

use super::{
    error::OpError,
    limits,
    tags::SystemTags,
    value::{Content, Stored},
};

/// Names that mean something in templates and URIs and so are never stored.
pub const RESERVED: [&str; 4] = ["$date", "$time", "$version", "$system_prompt"];

/// A key's name: 1 to 256 characters, no control characters, exact code points, not reserved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct KeyName(String);

impl KeyName {
    const RULE: &'static str = "a key name has 1 to 256 characters and no control characters";

    /// Checks a name. Errors: the rule that it breaks.
    pub fn parse(name: impl Into<String>) -> Result<Self, &'static str> {
        let name = name.into();
        // Counting stops at the limit, so that a huge name costs nothing.
        if name.is_empty()
            || name.chars().nth(limits::KEY_NAME_CHARACTERS).is_some()
            || name.chars().any(char::is_control)
        {
            return Err(Self::RULE);
        }
        if RESERVED.contains(&name.as_str()) {
            return Err("$date, $time, $version and $system_prompt are reserved names");
        }
        Ok(Self(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for KeyName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for KeyName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for KeyName {
    fn schema_name() -> Cow<'static, str> {
        "KeyName".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        // The reserved names are left to the refusal's text: a pattern for them costs every client bytes.
        schemars::json_schema!({"type": "string", "minLength": 1, "maxLength": limits::KEY_NAME_CHARACTERS})
    }
}

/// What kind of value a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyType {
    /// Text.
    Text,
    /// JSON text, checked on each write and kept as it was written.
    Json,
    /// A picture: bytes with an `image/…` content type.
    Image,
    /// Any bytes, with a content type.
    File,
}

impl KeyType {
    /// The word of the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Image => "image",
            Self::File => "file",
        }
    }

    /// Whether values come and go as base64.
    pub fn is_binary(self) -> bool {
        matches!(self, Self::Image | Self::File)
    }

    /// Reads a value as it comes in: text as it is, JSON checked, base64 decoded. Errors:
    /// `invalid_argument` naming `value`, `too_large` over 25 MiB decoded.
    pub fn decode(self, name: &str, value: String) -> Result<Content, OpError> {
        let content = match self {
            Self::Text => Content::Text(value),
            Self::Json => {
                if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&value) {
                    let rule = format!("the value of a json key is JSON text: {error}");
                    return Err(OpError::invalid("value", rule, &value));
                }
                Content::Text(value)
            }
            Self::Image | Self::File => {
                let bytes = BASE64.decode(value.as_bytes()).map_err(|error| {
                    let rule = format!("the value of a key of type {} is base64: {error}", self.name());
                    OpError::invalid("value", rule, &value)
                })?;
                Content::Bytes(bytes)
            }
        };
        check_size(name, content.as_bytes().len())?;
        Ok(content)
    }
}

impl KeyType {
    /// Takes a value as bytes: text where the type is text. Errors: as [`KeyType::decode`], and when it is no UTF-8.
    pub fn take(self, name: &str, bytes: &[u8]) -> Result<Content, OpError> {
        if self.is_binary() {
            check_size(name, bytes.len())?;
            return Ok(Content::Bytes(bytes.to_vec()));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => self.decode(name, text.to_owned()),
            Err(_) => Err(OpError::invalid("value", "the value of this key is text, and this is not UTF-8", "")),
        }
    }

    /// The MIME type of a value where the key names none.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=utf-8",
            Self::Json => "application/json",
            Self::Image | Self::File => "application/octet-stream",
        }
    }
}

/// Refuses a value of a key over the limit.
pub fn check_size(name: &str, bytes: usize) -> Result<(), OpError> {
    check_bytes(|| format!("the value of key \"{name}\""), bytes)
}

/// The same where no key is named yet.
pub fn check_bytes(what: impl FnOnce() -> String, bytes: usize) -> Result<(), OpError> {
    if bytes <= limits::VALUE_BYTES {
        return Ok(());
    }
    Err(OpError::TooLarge {
        what: what(),
        got_bytes: bytes as u64,
        limit_bytes: limits::VALUE_BYTES as u64,
        remedy: "Split it over several keys, or keep it elsewhere and store where it is".into(),
    })
}

/// The stored body of a key. The value is last, so that the small fields are found first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Key {
    /// What kind of value it holds.
    #[serde(rename = "type")]
    pub key_type: KeyType,
    /// Its MIME type; always there for images and files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// How it takes part.
    #[serde(default)]
    pub system_tags: SystemTags,
    /// Free words to find it by, in the order given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Its place in the prompt: lower comes first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub z_index: i64,
    /// What it is for, shown to models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A JSON Schema that each written value must satisfy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Json>,
    /// Whether its older values are kept.
    #[serde(default, skip_serializing_if = "History::is_full")]
    pub history: History,
    /// Its value.
    pub value: Stored,
}

/// What the log keeps of a key's values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum History {
    /// Each value, until retention trims it.
    #[default]
    Full,
    /// None: only who changed it, when and how.
    None,
}

impl History {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_full(&self) -> bool {
        *self == Self::Full
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl Key {
    /// A key as it is when only its value is known.
    pub fn new(key_type: KeyType, value: Stored) -> Self {
        Self {
            key_type,
            content_type: None,
            system_tags: SystemTags::for_new_key(),
            tags: Vec::new(),
            z_index: 0,
            description: None,
            schema: None,
            history: History::Full,
            value,
        }
    }

    /// The key without its value: what the log keeps where the value must not be kept.
    #[must_use]
    pub fn without_value(&self) -> Self {
        Self { value: Stored::Gone, ..self.clone() }
    }

    /// Size of the value in bytes as it is kept (base64 for small binary values).
    pub fn stored_bytes(&self) -> u64 {
        match &self.value {
            Stored::Inline(text) => text.len() as u64,
            Stored::Blob(blob) => blob.bytes,
            Stored::Gone => 0,
        }
    }
}

/// Encodes what is kept inline back to the wire's form and the other way round is [`KeyType::decode`].
pub fn encode(content: &Content) -> String {
    match content {
        Content::Text(text) => text.clone(),
        Content::Bytes(bytes) => BASE64.encode(bytes),
    }
}

/// Checks the content tags of a key: at most 32, each 1 to 64 characters without control characters.
/// Repeats are dropped, the order stays.
pub fn check_tags(tags: &[String]) -> Result<Vec<String>, OpError> {
    let mut kept: Vec<String> = Vec::new();
    for (index, tag) in tags.iter().enumerate() {
        if tag.is_empty() || tag.chars().count() > limits::TAG_CHARACTERS || tag.chars().any(char::is_control) {
            let rule = "a tag has 1 to 64 characters and no control characters";
            return Err(OpError::invalid(format!("tags[{index}]"), rule, tag));
        }
        if !kept.contains(tag) {
            kept.push(tag.clone());
        }
        if kept.len() > limits::TAGS {
            return Err(OpError::invalid("tags", "a key has at most 32 tags", &tags.len().to_string()));
        }
    }
    Ok(kept)
}

/// Checks a content type against a key's type: `type/subtype` in visible ASCII, `image/…` for images;
/// images and files need one.
pub fn check_content_type(key_type: KeyType, content_type: Option<&str>) -> Result<(), OpError> {
    let Some(given) = content_type else {
        if key_type.is_binary() {
            let rule = format!("a key of type {} needs a content_type, such as {}", key_type.name(), example(key_type));
            return Err(OpError::invalid("content_type", rule, "nothing"));
        }
        return Ok(());
    };
    let (main, rest) = given.split_once('/').unwrap_or((given, ""));
    let visible = given.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    if main.is_empty() || rest.is_empty() || !visible || given.len() > limits::CONTENT_TYPE_CHARACTERS {
        return Err(OpError::invalid(
            "content_type",
            "a content type looks like text/markdown, at most 128 characters",
            given,
        ));
    }
    if key_type == KeyType::Image && !main.eq_ignore_ascii_case("image") {
        return Err(OpError::invalid("content_type", "an image has a content type image/…", given));
    }
    Ok(())
}

fn example(key_type: KeyType) -> &'static str {
    if key_type == KeyType::Image { "image/png" } else { "application/pdf" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule() {
        for bad in ["", "a\0b", "a\nb", "$date", "$time", "$version", "$system_prompt", &"x".repeat(257)] {
            assert!(KeyName::parse(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "a/b\\c", "$foo", " ", "clé 名", "😀", &"é".repeat(256), "__proto__"] {
            assert!(KeyName::parse(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn values_are_decoded_by_type() {
        assert_eq!(KeyType::Text.decode("k", "a".into()).unwrap(), Content::Text("a".into()));
        let exact = "{\"n\": 1.00000000000000000001}";
        assert_eq!(KeyType::Json.decode("k", exact.into()).unwrap(), Content::Text(exact.into()));
        assert_eq!(KeyType::File.decode("k", "QUJD".into()).unwrap(), Content::Bytes(b"ABC".to_vec()));
        for (key_type, bad) in
            [(KeyType::Json, "{"), (KeyType::Json, ""), (KeyType::Image, "Q"), (KeyType::File, "a b!")]
        {
            assert_eq!(key_type.decode("k", bad.into()).unwrap_err().code(), "invalid_argument");
        }
    }

    #[test]
    fn content_types_are_checked_against_the_type() {
        assert!(check_content_type(KeyType::Text, None).is_ok());
        assert!(check_content_type(KeyType::Text, Some("text/markdown")).is_ok());
        assert!(check_content_type(KeyType::Image, Some("image/png")).is_ok());
        for (key_type, bad) in [
            (KeyType::Image, None),
            (KeyType::File, None),
            (KeyType::File, Some("")),
            (KeyType::Image, Some("text/plain")),
            (KeyType::File, Some("nonsense")),
            (KeyType::File, Some("a/b\n")),
        ] {
            assert!(check_content_type(key_type, bad).is_err(), "{key_type:?} {bad:?}");
        }
    }

    #[test]
    fn a_body_without_newer_fields_is_still_read() {
        let key: Key = serde_json::from_str(r#"{"type":"text","value":{"inline":"x"}}"#).unwrap();
        assert_eq!(key.value, Stored::Inline("x".into()));
        assert_eq!(key.z_index, 0);
    }
}
