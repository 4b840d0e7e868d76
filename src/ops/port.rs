//! Import: keys that come from elsewhere, whole, each with its attributes and expiry.

use serde::{Deserialize, Serialize};

use crate::model::{
    digest::sha256,
    error::OpError,
    key::{self, History, Key, KeyName},
    portable::Portable,
    value::Stored,
};

use super::{
    key_schema,
    keys::{self, purge},
    operation::{Call, Cx, Reply, Step},
    tx::{Held, Tx},
};

/// What the log calls it.
pub const IMPORT: &str = "import";

/// Keys of one turn.
pub const TURN_KEYS: usize = 100;
/// Bytes of values after which no further key joins a turn.
pub const TURN_BYTES: usize = 4 * 1024 * 1024;

/// A stored key with its whole value.
pub fn portable(tx: &Tx<'_>, held: Held<Key>) -> Result<Portable, OpError> {
    let Held { record, content: key } = held;
    let name = KeyName::parse(record.id).map_err(|rule| OpError::invalid("key", rule, ""))?;
    let content = keys::load(tx, name.as_str(), &key)?;
    Ok(Portable::of(name, key, content, record.expires_at))
}

/// Checks what the noun cannot: the schema, and the value against it.
pub fn check(key: &Portable) -> Result<(), OpError> {
    let Some(schema) = &key.schema else { return Ok(()) };
    key_schema::check(schema)?;
    key_schema::validate(schema, key.key_type, &key.content)
}

/// What an import does to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is new.
    Created,
    /// It is there and becomes another.
    Updated,
    /// It is there and the same.
    Unchanged,
    /// Its time was up before it came.
    Expired,
}

/// What an import would do to a key now.
pub fn fate(tx: &mut Tx<'_>, cx: &Cx, key: &Portable) -> Result<Fate, OpError> {
    if key.expires_at.is_some_and(|at| at <= cx.now_ms) {
        return Ok(Fate::Expired);
    }
    Ok(match tx.get::<Key>(key.name.as_str())? {
        None => Fate::Created,
        Some(held) if is_same(&held, key) => Fate::Unchanged,
        Some(_) => Fate::Updated,
    })
}

fn is_same(held: &Held<Key>, key: &Portable) -> bool {
    let is_value = match &held.content.value {
        Stored::Inline(text) => !key.content.is_large() && *text == key::encode(&key.content),
        Stored::Blob(blob) => {
            blob.bytes == key.content.as_bytes().len() as u64 && blob.sha256 == sha256(key.content.as_bytes())
        }
        Stored::Gone => false,
    };
    is_value && held.record.expires_at == key.expires_at && held.content.without_value() == key.key(Stored::Gone)
}

/// Makes these keys so, beside those that are there; what is so already is not written. One change.
pub struct Merge(pub Vec<Portable>);

/// How many keys an import treated how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// New ones.
    pub created: u64,
    /// Changed ones.
    pub updated: u64,
    /// Removed ones.
    pub deleted: u64,
    /// Those that were so already.
    pub unchanged: u64,
    /// Those whose time was up.
    pub expired: u64,
}

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, fate: Fate) {
        *match fate {
            Fate::Created => &mut self.created,
            Fate::Updated => &mut self.updated,
            Fate::Unchanged => &mut self.unchanged,
            Fate::Expired => &mut self.expired,
        } += 1;
    }
}

impl Call for Merge {
    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Reply>, OpError> {
        let mut counts = Counts::default();
        for key in &self.0 {
            let fate = fate(tx, cx, key)?;
            if matches!(fate, Fate::Created | Fate::Updated) {
                check(key)?;
                let value = tx.keep(key.content.clone());
                tx.put(key.name.as_str(), &key.key(value), key.expires_at)?;
                if fate == Fate::Updated && key.history == History::None {
                    purge::older_values(tx, key.name.as_str())?;
                }
            }
            counts.add(fate);
        }
        let result = serde_json::to_value(counts)
            .map_err(|error| OpError::invalid("result", format!("the result is not JSON: {error}"), ""))?;
        Ok(Step::Done(Reply { outcome: String::new(), result, image: None }))
    }
}
