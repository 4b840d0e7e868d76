//! A key on its way between stores: everything that makes it, without versions and times. Two keys are equal when these
//! are.

use super::{
    error::OpError,
    key::{self, History, Key, KeyName, KeyType},
    limits,
    tags::SystemTags,
    value::{Content, Stored},
};

/// A key with its whole value.
#[derive(Debug, Clone, PartialEq)]
pub struct Portable {
    /// Its name.
    pub name: KeyName,
    /// What kind of value it holds.
    pub key_type: KeyType,
    /// Its MIME type; always there for images and files.
    pub content_type: Option<String>,
    /// How it takes part.
    pub system_tags: SystemTags,
    /// Free words to find it by.
    pub tags: Vec<String>,
    /// Its place in the prompt.
    pub z_index: i64,
    /// What it is for.
    pub description: Option<String>,
    /// A JSON Schema that each written value must satisfy.
    pub schema: Option<serde_json::Value>,
    /// Whether its older values are kept.
    pub history: History,
    /// When it dies, in milliseconds since 1970.
    pub expires_at: Option<i64>,
    /// Its value.
    pub content: Content,
}

/// What a foreign file holds: a key, or something that cannot be one.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A key.
    Key(Box<Portable>),
    /// What cannot be a key here.
    LeftOut {
        /// What it is called there.
        name: String,
        /// Why it cannot be a key.
        why: String,
    },
}

/// What takes them, one at a time.
pub type Sink<'a> = dyn FnMut(Item) -> Result<(), OpError> + 'a;

impl Item {
    /// A key of a foreign file, or why it cannot be one.
    pub fn of(name: &str, key: impl FnOnce(KeyName) -> Result<Portable, OpError>) -> Self {
        let made = KeyName::parse(name).map_err(|rule| OpError::invalid("key", rule, "")).and_then(key);
        match made.and_then(Portable::checked) {
            Ok(key) => Self::Key(Box::new(key)),
            Err(error) => Self::LeftOut { name: name.to_owned(), why: error.without_quote().to_string() },
        }
    }
}

impl Portable {
    /// A text key with the attributes of a new one.
    pub fn text(name: KeyName, text: String) -> Self {
        Self::of(name, Key::new(KeyType::Text, Stored::Gone), Content::Text(text), None)
    }

    /// A stored key with its value.
    pub fn of(name: KeyName, key: Key, content: Content, expires_at: Option<i64>) -> Self {
        let Key { key_type, content_type, system_tags, tags, z_index, description, schema, history, value: _ } = key;
        Self {
            name,
            key_type,
            content_type,
            system_tags,
            tags,
            z_index,
            description,
            schema,
            history,
            expires_at,
            content,
        }
    }

    /// The key as it is stored, with its value there.
    pub fn key(&self, value: Stored) -> Key {
        Key {
            key_type: self.key_type,
            content_type: self.content_type.clone(),
            system_tags: self.system_tags,
            tags: self.tags.clone(),
            z_index: self.z_index,
            description: self.description.clone(),
            schema: self.schema.clone(),
            history: self.history,
            value,
        }
    }

    /// The key, if it follows the rules of keys; what is said twice is said once. Whether its schema can be used is
    /// for the operation to say.
    pub fn checked(mut self) -> Result<Self, OpError> {
        self.tags = key::check_tags(&self.tags)?;
        key::check_content_type(self.key_type, self.content_type.as_deref())?;
        if let Some(text) = &self.description
            && (text.is_empty() || text.chars().count() > limits::DESCRIPTION_CHARACTERS)
        {
            return Err(OpError::invalid("description", "a description has 1 to 300 characters", text));
        }
        key::check_size(self.name.as_str(), self.content.as_bytes().len())?;
        let is_bytes = matches!(self.content, Content::Bytes(_));
        if is_bytes != self.key_type.is_binary() {
            return Err(OpError::invalid("value", "images and files hold bytes, the other types text", ""));
        }
        if let (KeyType::Json, Content::Text(text)) = (self.key_type, &self.content) {
            serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| {
                OpError::invalid("value", format!("the value of a json key is JSON text: {error}"), text)
            })?;
        }
        Ok(self)
    }

    /// Roughly how much memory it takes.
    pub fn weight(&self) -> usize {
        self.content.as_bytes().len() + 500
    }
}
