//! What the log says of the keys, for many readers of different rights at once: each change with what decides who may
//! hear of it, and a `clear` as the one thing that it was.
//!
//! A reader of the log, not an operation: nothing here runs in a turn.

use crate::model::{
    actor::Actor,
    error::OpError,
    key::{self, Key},
    kind::Kind as _,
    permission::{Mode, may_read},
    record::{Change, ChangeKind, Done, Effect},
    tags::{SystemTag, SystemTags},
    value::{Content, Stored},
    view::IdRange,
};

use super::{delete::Clear, load};
use crate::ops::{
    operation::Operation as _,
    tx::{Held, Tx},
};

/// Rows of the log that one look takes: of 64 KiB each at most.
const SLICE: usize = 100;

/// What decides who may hear of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    system_tags: SystemTags,
    /// Its content tags.
    pub tags: Vec<String>,
}

impl Facts {
    /// Those of a key.
    pub fn of(key: &Key) -> Self {
        Self { system_tags: key.system_tags, tags: key.tags.clone() }
    }

    /// Whether a mode may read the key.
    pub fn readable(&self, mode: Mode) -> bool {
        may_read(mode, &Key { system_tags: self.system_tags, ..Key::new(key::KeyType::Text, Stored::Gone) })
    }
}

/// A key as those who may read it are shown it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// All of it but the value.
    pub key: Key,
    /// Its value.
    pub value: Value,
    /// The seq of its last change.
    pub version: u64,
    /// When that was, in milliseconds since 1970.
    pub updated_at: i64,
    /// Whose it was.
    pub updated_by: String,
    /// When it will expire.
    pub expires_at: Option<i64>,
}

/// A value, or how large it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text, JSON text, or base64 for images and files.
    Here(String),
    /// It is in a file of so many bytes.
    Large(u64),
}

/// Something that happened to keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Happened {
    /// Its seq.
    pub seq: u64,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Who did it.
    pub by: String,
    /// In which run of which program: a connection, where it was one.
    pub run: String,
    /// What it is.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A key came into being or changed.
    Is {
        /// The key before, if it was there.
        before: Option<Facts>,
        /// What decides who may hear of it now.
        after: Facts,
        /// The key.
        shown: Box<Shown>,
    },
    /// A key changed, and has changed again since: what its value was is not kept.
    Was {
        /// Its name.
        name: String,
        /// The key before, if it was there.
        before: Option<Facts>,
        /// What decided who might hear of it then.
        after: Facts,
    },
    /// A key went.
    Gone {
        /// Its name.
        name: String,
        /// The key before.
        before: Option<Facts>,
        /// Its time was up.
        expired: bool,
    },
    /// All went but those that are protected.
    Cleared {
        /// Those that stayed.
        kept: Vec<(String, Facts)>,
    },
}

/// A piece of the log.
#[derive(Debug, Default)]
pub struct Slice {
    /// What happened, in order.
    pub happened: Vec<Happened>,
    /// Everything up to here was looked at.
    pub seen: u64,
    /// When the last of that happened, in milliseconds since 1970.
    pub at: i64,
}

/// What happened after `since`.
pub fn slice(tx: &Tx<'_>, since: u64) -> Result<Slice, OpError> {
    let rows = tx.changes(since, SLICE)?;
    let (seen, at) = rows.last().map_or((since, 0), |row| (row.seq, row.at));
    let mut slice = Slice { seen, at, ..Slice::default() };
    let mut rows = rows.into_iter().filter(|row| row.kind == Key::KIND).peekable();
    while let Some(row) = rows.next() {
        if row.operation == Clear::NAME && row.change == ChangeKind::Deleted {
            let belongs = |next: &Change| next.transaction == row.transaction && next.operation == row.operation;
            // A commit is whole in the log, so the row after it tells where it ends.
            let goes_on = match rows.peek() {
                Some(next) => belongs(next),
                // Under an idempotency key the kept answer comes last, which is of another kind.
                None => tx.changes(row.seq, 1)?.first().is_some_and(|next| next.kind == Key::KIND && belongs(next)),
            };
            if !goes_on {
                let kept = kept(tx, row.transaction)?;
                let (by, run) = (row.actor.principal, row.actor.run);
                slice.happened.push(Happened { seq: row.seq, at: row.at, by, run, what: What::Cleared { kept } });
            }
            continue;
        }
        slice.happened.extend(happened(tx, row)?);
    }
    Ok(slice)
}

/// The protected keys that were there before a turn.
fn kept(tx: &Tx<'_>, transaction: u64) -> Result<Vec<(String, Facts)>, OpError> {
    let mut kept = Vec::new();
    tx.each::<Key, OpError>(|held| {
        if held.content.system_tags.has(SystemTag::Protected) && held.record.version < transaction {
            kept.push((held.record.id, Facts::of(&held.content)));
        }
        Ok(())
    })?;
    Ok(kept)
}

fn happened(tx: &Tx<'_>, row: Change) -> Result<Option<Happened>, OpError> {
    let before = facts_before(tx, &row)?;
    let by = By { seq: row.seq, at: row.at, actor: &row.actor };
    let Some(body) = &row.body else {
        return Ok(Some(by.gone(row.id, before, row.change)));
    };
    let Ok(mut key) = serde_json::from_str::<Key>(body) else { return Ok(None) };
    if key.value == Stored::Gone {
        // The log does not keep it; the key has it, unless it has changed again, which is then still to come.
        let record = tx.view().record(Key::KIND, &row.id)?.filter(|record| record.version == row.seq);
        let Some(stored) = record.and_then(|record| serde_json::from_str::<Key>(&record.body).ok()) else {
            let after = Facts::of(&key);
            return Ok(Some(by.did(What::Was { name: row.id, before, after })));
        };
        key = stored;
    }
    Ok(Some(by.became(row.id, before, key, row.expires_at)))
}

/// Whether what a turn did can be told from its effects alone: the log keeps all of it, and tells nothing before it
/// differently now.
pub fn is_told_by_itself(operation: &str, done: &Done) -> bool {
    let is_kept = done.effects.iter().all(|effect| effect.logged.is_none());
    is_kept && operation != Clear::NAME && done.blanks.is_empty() && done.access.is_none()
}

/// What a change says of a key that is in the log by now; nothing if it is of another kind.
pub fn told(seq: u64, at: i64, actor: &Actor, effect: &Effect) -> Option<Happened> {
    if effect.kind != Key::KIND {
        return None;
    }
    let read = |body: &Option<String>| body.as_ref().and_then(|body| serde_json::from_str::<Key>(body).ok());
    let before = read(&effect.before).map(|key| Facts::of(&key));
    let system = Actor::system();
    let actor = if effect.change == ChangeKind::Expired { &system } else { actor };
    let by = By { seq, at, actor };
    match &effect.body {
        None => Some(by.gone(effect.id.clone(), before, effect.change)),
        Some(_) => Some(by.became(effect.id.clone(), before, read(&effect.body)?, effect.expires_at)),
    }
}

/// Who did something, and when.
struct By<'a> {
    seq: u64,
    at: i64,
    actor: &'a Actor,
}

impl By<'_> {
    fn did(self, what: What) -> Happened {
        let Actor { principal, run, .. } = self.actor;
        Happened { seq: self.seq, at: self.at, by: principal.clone(), run: run.clone(), what }
    }

    fn gone(self, name: String, before: Option<Facts>, change: ChangeKind) -> Happened {
        self.did(What::Gone { name, before, expired: change == ChangeKind::Expired })
    }

    fn became(self, name: String, before: Option<Facts>, mut key: Key, expires_at: Option<i64>) -> Happened {
        let after = Facts::of(&key);
        let value = value(std::mem::replace(&mut key.value, Stored::Gone));
        let (version, updated_at, updated_by) = (self.seq, self.at, self.actor.principal.clone());
        let shown = Shown { name, key, value, version, updated_at, updated_by, expires_at };
        self.did(What::Is { before, after, shown: Box::new(shown) })
    }
}

/// What decided who might hear of a key before a change.
fn facts_before(tx: &Tx<'_>, row: &Change) -> Result<Option<Facts>, OpError> {
    let before = row.previous.map(|seq| tx.change(seq)).transpose()?.flatten().and_then(|before| before.body);
    Ok(before.and_then(|body| serde_json::from_str::<Key>(&body).ok()).map(|key| Facts::of(&key)))
}

fn value(stored: Stored) -> Value {
    match stored {
        Stored::Inline(text) => Value::Here(text),
        Stored::Blob(blob) => Value::Large(blob.bytes),
        Stored::Gone => Value::Here(String::new()),
    }
}

/// A key as it is stored, with a large value too if that is wanted.
pub fn shown(tx: &Tx<'_>, held: Held<Key>, is_whole: bool) -> Result<Shown, OpError> {
    let Held { record, mut content } = held;
    let value = match &content.value {
        Stored::Blob(_) if is_whole => Value::Here(encoded(load(tx, &record.id, &content)?)),
        _ => value(std::mem::replace(&mut content.value, Stored::Gone)),
    };
    Ok(Shown {
        name: record.id,
        key: content.without_value(),
        value,
        version: record.version,
        updated_at: record.updated_at,
        updated_by: record.updated_by.principal,
        expires_at: record.expires_at,
    })
}

fn encoded(content: Content) -> String {
    match content {
        Content::Text(text) => text,
        bytes @ Content::Bytes(_) => key::encode(&bytes),
    }
}

/// Keys as they are now, from the one after `after` on, until they take about so many bytes; and whether those are all.
pub fn page(
    tx: &Tx<'_>,
    after: Option<&str>,
    bytes: usize,
    is_whole: bool,
    wanted: impl Fn(&str, &Facts) -> bool,
) -> Result<(Vec<Shown>, Option<String>), OpError> {
    const PAGE: usize = 64;
    let (mut page, mut taken, mut after) = (Vec::new(), 0, after.map(str::to_owned));
    loop {
        let held = tx.scan::<Key>(&IdRange::page("", after.as_deref()), PAGE)?;
        let is_last = held.len() < PAGE;
        for held in held {
            after = Some(held.record.id.clone());
            if !wanted(&held.record.id, &Facts::of(&held.content)) {
                continue;
            }
            let shown = shown(tx, held, is_whole)?;
            taken += shown.name.len() + OVERHEAD + if let Value::Here(text) = &shown.value { text.len() } else { 0 };
            page.push(shown);
            if taken >= bytes {
                return Ok((page, after));
            }
        }
        if is_last {
            return Ok((page, None));
        }
    }
}

/// What a key takes in a message beside its name and value, roughly.
const OVERHEAD: usize = 400;
