//! A value: text or bytes, and where it is kept.

use serde::{Deserialize, Serialize};

use super::{error::OpError, key::KeyType, limits};

/// What a key holds, decoded: text for `text` and `json`, bytes for `image` and `file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Text, or JSON text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Content {
    /// The bytes as they are kept in a blob.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// Length in the unit of reading: characters of a text, bytes otherwise.
    pub fn length(&self) -> u64 {
        match self {
            Self::Text(text) => text.chars().count() as u64,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// Whether it is kept in a file of its own.
    pub fn is_large(&self) -> bool {
        self.as_bytes().len() > limits::INLINE_BYTES
    }
}

/// A value over [`limits::INLINE_BYTES`]: a file of the instance, named by its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRef {
    /// SHA-256 of the bytes, in lower-case hexadecimal.
    pub sha256: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Length in the unit of reading: characters of a text, bytes otherwise. Equal to `bytes` for a text
    /// that is all ASCII, whose pieces can then be read without the whole.
    pub length: u64,
}

/// A large value that came in pieces and is in its file, with what was seen of it on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// SHA-256 of the bytes, in lower-case hexadecimal.
    pub sha256: String,
    /// Size in bytes.
    pub bytes: u64,
    /// How many characters it has, if it is text.
    pub characters: Option<u64>,
    /// It is text, and JSON.
    pub is_json: bool,
}

impl Kept {
    /// The value of a key of this type. Errors: `invalid_argument` when it cannot be one.
    pub fn of_type(&self, key_type: KeyType) -> Result<BlobRef, OpError> {
        let refused = |rule: &str| Err(OpError::invalid("value", rule, ""));
        let length = match (key_type, self.characters) {
            (KeyType::Image | KeyType::File, _) => self.bytes,
            (_, None) => return refused("the value of this key is text, and this is not UTF-8"),
            (KeyType::Json, Some(_)) if !self.is_json => return refused("the value of a json key is JSON text"),
            (_, Some(characters)) => characters,
        };
        Ok(BlobRef { sha256: self.sha256.clone(), bytes: self.bytes, length })
    }
}

/// Where a value is kept. Part of the record's body, last in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stored {
    /// In the record: the text itself, or base64 of the bytes.
    Inline(String),
    /// In a file.
    Blob(BlobRef),
    /// Nowhere: only in rows of the log, where a value was purged or is not to be kept.
    Gone,
}
