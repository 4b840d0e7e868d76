//! A key as a row of a list for people: what it is, how its value begins, who changed it last.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    model::{
        actor::Actor,
        key::{Key, KeyType},
        limits,
        record::Record,
        tags::SystemTags,
        time,
        value::Stored,
    },
    ops::tx::Tx,
};

/// Bytes of a value from which its beginning is made: characters of four bytes, and room for blanks.
const LOOKED_AT: usize = 4 * limits::PREVIEW_CHARACTERS + 1024;

/// Who changed a key, for a person to know again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Writer {
    /// What `key_browse` takes as writer.
    pub writer: String,
    /// human, app or agent.
    pub kind: String,
    /// Who was authorised, such as `local`.
    pub principal: String,
    /// The program that wrote, as it names itself.
    pub client: String,
}

impl From<&Actor> for Writer {
    fn from(actor: &Actor) -> Self {
        Self {
            writer: actor.writer(),
            kind: actor.kind.name().to_owned(),
            principal: actor.principal.clone(),
            client: actor.client.clone(),
        }
    }
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KeyRow {
    /// The key.
    pub key: String,
    /// Its type.
    #[serde(rename = "type")]
    pub key_type: KeyType,
    /// Its MIME type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// How its value begins, in one line: at most 160 characters, nothing of images and files.
    pub preview: String,
    /// Size of the value in bytes.
    pub size: u64,
    /// Free words to find it by.
    pub tags: Vec<String>,
    /// How it takes part.
    pub system_tags: SystemTags,
    /// The seq of its last change.
    pub version: u64,
    /// Who changed it last.
    pub actor: Writer,
    /// When that was.
    pub updated_at: String,
}

impl KeyRow {
    /// The row of a stored key.
    pub fn of(tx: &Tx<'_>, record: &Record, key: &Key) -> Self {
        Self {
            key: record.id.clone(),
            key_type: key.key_type,
            content_type: key.content_type.clone(),
            preview: preview(tx, key),
            size: size(key),
            tags: key.tags.clone(),
            system_tags: key.system_tags,
            version: record.version,
            actor: Writer::from(&record.updated_by),
            updated_at: time::rfc3339(record.updated_at),
        }
    }
}

fn preview(tx: &Tx<'_>, key: &Key) -> String {
    if key.key_type.is_binary() {
        return String::new();
    }
    match &key.value {
        Stored::Inline(text) => beginning(text),
        // A file that is missing is told to who opens the key.
        Stored::Blob(blob) => {
            let bytes = tx.blob(blob, 0..LOOKED_AT as u64).unwrap_or_default();
            beginning(String::from_utf8_lossy(&bytes).trim_end_matches('\u{fffd}'))
        }
        Stored::Gone => String::new(),
    }
}

/// The first words, each blank between them a single space.
fn beginning(text: &str) -> String {
    let mut line = String::new();
    let mut characters = 0;
    let end = text.char_indices().map(|(at, _)| at).find(|at| *at >= LOOKED_AT).unwrap_or(text.len());
    for word in text.get(..end).unwrap_or_default().split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        let space = usize::from(characters > 0);
        let room = limits::PREVIEW_CHARACTERS.saturating_sub(characters + space);
        if room == 0 {
            break;
        }
        if space > 0 {
            line.push(' ');
        }
        line.extend(word.chars().take(room));
        characters += space + word.chars().take(room).count();
    }
    line
}

/// Bytes of the value as it was given.
fn size(key: &Key) -> u64 {
    match &key.value {
        Stored::Inline(text) if key.key_type.is_binary() => {
            let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
            (text.len() / 4 * 3).saturating_sub(padding) as u64
        }
        Stored::Inline(text) => text.len() as u64,
        Stored::Blob(blob) => blob.bytes,
        Stored::Gone => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_is_one_line_of_at_most_160_characters() {
        assert_eq!(beginning("  # Plan\n\n1.\tRead\u{0} it  "), "# Plan 1. Read it");
        let most = limits::PREVIEW_CHARACTERS;
        for text in ["x".repeat(500), "é ".repeat(500), "\n".repeat(5000) + "late", "ab ".repeat(99)] {
            assert!(beginning(&text).chars().count() <= most, "{text}");
        }
        assert_eq!(beginning(&"x".repeat(500)).chars().count(), most);
        assert_eq!(beginning(&("😀".repeat(2000))).chars().count(), most);
    }

    #[test]
    fn the_size_is_that_of_the_value_and_not_of_its_base64() {
        for (bytes, base64) in [(0, ""), (1, "QQ=="), (2, "QUI="), (3, "QUJD")] {
            assert_eq!(size(&Key::new(KeyType::File, Stored::Inline(base64.into()))), bytes);
        }
        assert_eq!(size(&Key::new(KeyType::Text, Stored::Inline("é".into()))), 2);
    }
}
