//! `list_keys`: pages in byte order of the names.
//!
//! A key that is there and matches throughout the scan appears exactly once, and nothing appears twice,
//! whatever is written meanwhile: the cursor is the last name, not a count.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::derive::key_tools;
use crate::model::{
    error::OpError,
    key::{Key, KeyType},
    kind, limits,
    permission::{Action, Mode, may_read, reads_all},
    view::IdRange,
};

use super::{KeyView, meta};
use crate::ops::{
    bounds::{Text, Whole},
    operation::{Cx, EffectClass, OpMeta, Operation, Report, Step},
    tx::{Held, Tx},
};

/// List keys with their attributes, by name; values over 1 KiB are left out. Narrow it with prefix, tag or type;
/// next_cursor, when not null, continues.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Names that begin so
    #[serde(default)]
    pub prefix: Option<Text<0, { limits::KEY_NAME_CHARACTERS }>>,
    /// Keys with this content tag
    #[serde(default)]
    pub tag: Option<Text<0, { limits::TAG_CHARACTERS }>>,
    /// Keys of this type
    #[serde(rename = "type", default)]
    pub key_type: Option<KeyType>,
    /// Page size, default 100
    #[serde(default)]
    pub limit: Option<Whole<1, { limits::PAGE as u64 }>>,
    /// next_cursor of the page before
    #[serde(default)]
    pub cursor: Option<Text<0, { limits::CURSOR_CHARACTERS }>>,
}

/// A page.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Page {
    /// The keys, as `read_key` shows them.
    #[schemars(schema_with = "crate::ops::schema::objects")]
    pub keys: Vec<KeyView>,
    /// Pass it as `cursor` for the next page; null on the last.
    pub next_cursor: Option<String>,
    /// The state that the page shows.
    pub as_of_seq: u64,
    /// There are more keys than tools for them, said in the outcome.
    #[serde(skip)]
    over_budget: bool,
}

impl Report for Page {
    fn outcome(&self) -> String {
        let more = if self.next_cursor.is_some() { ", and there are more: pass next_cursor as cursor" } else { "" };
        let note = if self.over_budget {
            " Not every key has tools of its own; read_key and write_key reach all."
        } else {
            ""
        };
        match self.keys.as_slice() {
            [] if self.next_cursor.is_none() => "No keys match.".into(),
            [_] => format!("1 key{more}.{note}"),
            keys => format!("{} keys{more}.{note}", keys.len()),
        }
    }
}

impl Operation for List {
    const NAME: &'static str = "list_keys";
    const META: OpMeta = meta("List keys", Action::Read, EffectClass::Read);
    type Out = Page;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Page>, OpError> {
        let limit = self.limit.map_or(limits::LIST_PAGE as usize, Whole::size);
        let mut after = self.cursor.as_ref().map(|cursor| decode_cursor(cursor.as_str())).transpose()?;
        let prefix = self.prefix.as_ref().map_or("", Text::as_str);
        let over_budget = tx.count::<Key>()? > key_tools::SHARED_BY as u64;
        let page = |keys, after| page(keys, after, tx.seq(), over_budget);
        let mut keys = Vec::new();
        let mut looked_at = 0;
        loop {
            // One more than wanted tells whether there is another page.
            let wanted = limit + 1;
            let found = self.fetch(tx, cx.mode, &IdRange::page(prefix, after.as_deref()), wanted)?;
            let is_last = found.len() < wanted;
            looked_at += found.len();
            for held in found {
                if keys.len() == limit {
                    return Ok(Step::Done(page(keys, after)));
                }
                after = Some(held.record.id.clone());
                if self.matches(cx.mode, &held) {
                    keys.push(KeyView::listed(&held));
                }
            }
            if is_last {
                return Ok(Step::Done(page(keys, None)));
            }
            if looked_at >= limits::LOOKED_AT {
                return Ok(Step::Done(page(keys, after)));
            }
        }
    }
}

impl List {
    /// The narrowest index that the filters allow; what it cannot know is compared afterwards.
    fn fetch(&self, tx: &Tx<'_>, mode: Mode, range: &IdRange, limit: usize) -> Result<Vec<Held<Key>>, OpError> {
        if let Some(tag) = &self.tag {
            tx.scan_index(kind::TAG, tag.as_str().as_bytes(), range, limit)
        } else if let Some(key_type) = self.key_type {
            tx.scan_index(kind::TYPE, key_type.name().as_bytes(), range, limit)
        } else if reads_all(mode) {
            tx.scan(range, limit)
        } else {
            tx.scan_index(kind::READABLE, &[], range, limit)
        }
    }

    fn matches(&self, mode: Mode, held: &Held<Key>) -> bool {
        may_read(mode, &held.content) && self.key_type.is_none_or(|wanted| wanted == held.content.key_type)
    }
}

/// Keys of the system prompt after `after`, in byte order of their names.
pub fn of_prompt(tx: &mut Tx<'_>, after: Option<&str>, limit: usize) -> Result<Vec<KeyView>, OpError> {
    let mut names = tx.ordered::<Key>(kind::PROMPT, limits::PROMPT_KEYS)?;
    names.sort_unstable();
    let mut keys = Vec::new();
    for name in names.iter().filter(|name| after.is_none_or(|after| name.as_str() > after)) {
        if keys.len() == limit {
            break;
        }
        keys.extend(tx.get::<Key>(name)?.map(|held| KeyView::of(&held)));
    }
    Ok(keys)
}

fn page(keys: Vec<KeyView>, after: Option<String>, as_of_seq: u64, over_budget: bool) -> Page {
    Page { over_budget, keys, next_cursor: after.map(|name| URL_SAFE_NO_PAD.encode(name)), as_of_seq }
}

fn decode_cursor(cursor: &str) -> Result<String, OpError> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| OpError::invalid("cursor", "it must be the next_cursor of an earlier page", cursor))
}
