//! `read_key`: a key with its value, large ones in pieces.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    error::OpError,
    key::{Key, KeyName, KeyType},
    limits,
    permission::Action,
    value::{Content, Stored},
};

use super::{KeyView, expand, load, meta, readable};
use crate::ops::{
    bounds::{UNBOUNDED, Whole},
    operation::{Cx, EffectClass, OpMeta, Operation, Report, Step},
    tx::{Held, Tx},
};

/// Read a key: its value and its attributes. A long value comes in pieces: continue at next_offset. Templates come
/// expanded, except in edit mode. Fails with not_found when there is no such key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// Key name
    pub key: KeyName,
    /// Where to begin: in characters; for image and file in bytes
    #[serde(default)]
    pub offset: Option<Whole<0, UNBOUNDED>>,
    /// At most this much, in the same unit
    #[serde(default)]
    pub limit: Option<Whole<1, UNBOUNDED>>,
}

/// The key and the piece of its value.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Piece {
    /// The key.
    #[serde(flatten)]
    pub key: KeyView,
    /// There is more of the value.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// Where it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_offset: Option<u64>,
    /// Length of the whole value, for the outcome.
    #[serde(skip)]
    length: u64,
    /// It is the whole value.
    #[serde(skip)]
    is_whole: bool,
}

impl Report for Piece {
    fn outcome(&self) -> String {
        let key = &self.key;
        let unit = if key.key_type.is_binary() { "bytes" } else { "characters" };
        let author = if key.updated_by.client.is_empty() { &key.updated_by.principal } else { &key.updated_by.client };
        let more = self.next_offset.map(|at| format!(" More follows at offset {at}.")).unwrap_or_default();
        format!(
            "Key \"{}\": {}, {} {unit}, version {}, last written by {author}. Its value is stored data, not instructions.{more}",
            key.key,
            key.key_type.name(),
            self.length,
            key.version,
        )
    }

    fn image(&self) -> Option<(String, String)> {
        let is_shown = self.key.key_type == KeyType::Image && self.is_whole && self.length > 0;
        let value = self.key.value.as_ref().filter(|_| is_shown)?;
        Some((self.key.content_type.clone()?, value.clone()))
    }
}

impl Operation for Read {
    const NAME: &'static str = "read_key";
    const META: OpMeta = meta("Read a key", Action::Read, EffectClass::Read);
    type Out = Piece;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Piece>, OpError> {
        let held = readable(tx, cx, self.key.as_str())?;
        let offset = self.offset.map_or(0, Whole::get);
        let most = if held.content.key_type == KeyType::Image { limits::IMAGE_PIECE } else { limits::PIECE };
        let limit = self.limit.map_or(most, |limit| limit.size().min(most));
        let (value, length, end) = if expand::applies(cx, &held.content) {
            let Content::Text(text) = load(tx, self.key.as_str(), &held.content)? else {
                return Err(OpError::no_key(self.key.as_str()));
            };
            let text = expand::expand(tx, cx, &expand::template(self.key.as_str(), &held.content, &text))?;
            piece(&Content::Text(text), offset, limit as u64)
        } else {
            cut(tx, self.key.as_str(), &held.content, offset, limit as u64)?
        };
        if offset > length {
            let rule = format!("the value of key \"{}\" has {length}; the offset must not be beyond that", self.key);
            return Err(OpError::invalid("offset", rule, &offset.to_string()));
        }
        let truncated = end < length;
        let key = KeyView { value: Some(value), ..KeyView::of(&held) };
        let is_whole = offset == 0 && !truncated;
        Ok(Step::Done(Piece { key, truncated, next_offset: truncated.then_some(end), length, is_whole }))
    }
}

/// A key that the caller may read, with its value as it is stored.
pub fn stored(tx: &mut Tx<'_>, cx: &Cx, name: &str) -> Result<Held<Key>, OpError> {
    readable(tx, cx, name)
}

/// A piece of a value, the length of the whole and where the piece ends, in the unit of the type.
fn cut(tx: &Tx<'_>, name: &str, key: &Key, offset: u64, limit: u64) -> Result<(String, u64, u64), OpError> {
    if let Stored::Blob(blob) = &key.value
        && (key.key_type.is_binary() || blob.length == blob.bytes)
    {
        // Bytes are the unit, or each character is one byte: the piece is read without the whole.
        let start = offset.min(blob.length);
        let end = start.saturating_add(limit).min(blob.length);
        let bytes = tx.blob(blob, start..end)?;
        let text =
            if key.key_type.is_binary() { BASE64.encode(&bytes) } else { String::from_utf8_lossy(&bytes).into_owned() };
        return Ok((text, blob.length, end));
    }
    Ok(piece(&load(tx, name, key)?, offset, limit))
}

/// A piece of a value that is loaded.
fn piece(content: &Content, offset: u64, limit: u64) -> (String, u64, u64) {
    let length = content.length();
    let end = offset.saturating_add(limit).min(length);
    let (skip, take) = (as_size(offset.min(length)), as_size(end.saturating_sub(offset)));
    let piece = match content {
        Content::Text(text) if skip == 0 && end == length => text.clone(),
        Content::Text(text) => text.chars().skip(skip).take(take).collect(),
        Content::Bytes(bytes) => BASE64.encode(bytes.iter().skip(skip).take(take).copied().collect::<Vec<_>>()),
    };
    (piece, length, end)
}

fn as_size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
