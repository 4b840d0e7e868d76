//! `key_browse`: keys by their rank, for lists that people scroll. `list_keys` gives none: counting to a rank and a
//! total in each reply would cost every model.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    error::{OpError, Reason},
    key::{Key, KeyName, KeyType},
    kind::{self, Kind as _},
    limits,
    permission::{Action, Mode, may_read, reads_all},
    record::IndexEntry,
    view::{Order, Selection},
};

use super::{meta, row::KeyRow};
use crate::ops::{
    bounds::{Text, Version, Whole},
    operation::{Cx, EffectClass, Listing, OpMeta, Operation, Report, Step},
    tx::Tx,
};

/// Keys by rank, for lists that are scrolled: rows with the beginning of each value, and how many match in all.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Browse {
    /// Names that contain this; the case of ASCII letters does not count
    #[serde(rename = "match", default)]
    pub matching: Option<Text<0, { limits::KEY_NAME_CHARACTERS }>>,
    /// Keys with this content tag
    #[serde(default)]
    pub tag: Option<Text<0, { limits::TAG_CHARACTERS }>>,
    /// Keys of this type
    #[serde(rename = "type", default)]
    pub key_type: Option<KeyType>,
    /// Keys that this writer changed last, as key_facets names it
    #[serde(default)]
    pub writer: Option<Text<0, { limits::WRITER_CHARACTERS }>>,
    /// name (default), or recent: what was changed last comes first
    #[serde(default)]
    pub order: Option<By>,
    /// Rank of the first row, default 0
    #[serde(default)]
    pub start: Option<Version>,
    /// A key: start counts rows before its place, instead of rows of all; only by name
    #[serde(default)]
    pub at: Option<KeyName>,
    /// How many rows, default 100
    #[serde(default)]
    pub limit: Option<Whole<1, { limits::BROWSE_PAGE }>>,
}

/// An order of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// By name, in byte order.
    Name,
    /// The one changed last first.
    Recent,
}

/// Some rows.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Rows {
    /// The rows, in order.
    #[schemars(schema_with = "crate::ops::schema::objects")]
    pub keys: Vec<KeyRow>,
    /// How many keys match.
    pub total: u64,
    /// Rank of the first row.
    pub start: u64,
    /// The state that the rows show.
    pub as_of_seq: u64,
}

impl Report for Rows {
    fn outcome(&self) -> String {
        format!("{} of {} keys, from rank {}.", self.keys.len(), self.total, self.start)
    }
}

impl Operation for Browse {
    const NAME: &'static str = "key_browse";
    const META: OpMeta = OpMeta { listing: Listing::Search, ..meta("Browse keys", Action::Read, EffectClass::Read) };
    type Out = Rows;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Rows>, OpError> {
        let selection = self.selection(cx.mode);
        let limit = self.limit.map_or(limits::LIST_PAGE as usize, Whole::size);
        let start = match &self.at {
            Some(_) if selection.order == Order::Recent => {
                return Err(OpError::invalid("at", "a key has its place by name only: leave order out", "recent"));
            }
            Some(name) => {
                let before = self.start.map_or(0, Whole::get);
                tx.view().rank(Key::KIND, &selection, name.as_str())?.saturating_sub(before)
            }
            None => self.start.map_or(0, Whole::get),
        };
        let window = tx.view().window(Key::KIND, &selection, start, limit)?;
        let mut keys = Vec::with_capacity(window.records.len());
        for record in &window.records {
            let key: Key = serde_json::from_str(&record.body).map_err(|error| OpError::Unavailable {
                reason: Reason::Damaged,
                what: format!("the stored key \"{}\" cannot be understood ({error})", record.id),
                remedy: "restore it from a backup, or write it anew".into(),
            })?;
            let is_dead = record.expires_at.is_some_and(|at| at <= cx.now_ms);
            if !is_dead && may_read(cx.mode, &key) {
                keys.push(KeyRow::of(tx, record, &key));
            }
        }
        Ok(Step::Done(Rows { keys, total: window.total, start, as_of_seq: tx.seq() }))
    }
}

impl Browse {
    /// The narrowest index first: the others are looked up for each entry of it.
    fn selection(&self, mode: Mode) -> Selection {
        let mut under = Vec::new();
        if let Some(tag) = &self.tag {
            under.push(IndexEntry { index: kind::TAG, key: tag.as_str().into() });
        }
        if let Some(writer) = &self.writer {
            under.push(IndexEntry { index: kind::WRITER, key: writer.as_str().into() });
        }
        if let Some(key_type) = self.key_type {
            under.push(IndexEntry { index: kind::TYPE, key: key_type.name().into() });
        }
        if !reads_all(mode) {
            under.push(IndexEntry { index: kind::READABLE, key: Vec::new() });
        }
        let contains = self.matching.as_ref().map(|text| text.as_str().to_owned()).filter(|text| !text.is_empty());
        let order = if self.order == Some(By::Recent) { Order::Recent } else { Order::Id };
        Selection { under, contains, order }
    }
}
