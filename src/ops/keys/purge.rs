//! `purge_key`: takes a key's older values out of the log. The rows stay: who changed it, when and how.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    erasure::Erasure,
    error::OpError,
    key::{Key, KeyName},
    kind::Kind as _,
    limits,
    permission::Action,
    record::Blank,
    value::Stored,
    view::ReadView,
};

use super::meta;
use crate::ops::{
    operation::{Call, Cx, EffectClass, Listing, OpMeta, Reply, Report, Step},
    procedure::Arguments,
    tx::Tx,
};

/// Rows that one turn passes over for each that it blanks, at most.
const PASSED_OVER: usize = 20;

/// Take all older values of a key out of its history, for good; its current value stays. Also for deleted keys.
/// Names the clones and snapshots that still hold some. Fails with not_found when there never was such a key.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Purge {
    /// Key name
    pub key: KeyName,
    /// Purge clones too, and take the key out of snapshots
    #[serde(default)]
    pub everywhere: Option<bool>,
}

/// How far it came.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Purged {
    /// How many older values are gone.
    pub purged: u64,
    /// Older ones follow within a minute: the log is long.
    pub pending: bool,
    /// Clones and snapshots that still hold values of the key.
    pub held_by: Vec<String>,
}

impl Report for Purged {
    fn outcome(&self) -> String {
        let rest = if self.pending { "; the rest follows within a minute" } else { "" };
        let held = match self.held_by.as_slice() {
            [] => String::new(),
            names => format!(" STILL HELD by {}: purge them too, or delete them.", names.join(", ")),
        };
        format!("{} older values are gone{rest}.{held}", self.purged)
    }
}

impl Arguments for Purge {
    const NAME: &'static str = "purge_key";
    const META: OpMeta =
        OpMeta { listing: Listing::Search, ..meta("Purge the history of a key", Action::Arrange, EffectClass::Delete) };
    type Out = Purged;
}

/// The part of it that one instance does.
pub struct PurgeHere {
    /// The key.
    pub key: KeyName,
    /// The current value goes too: of a snapshot it is an older one.
    pub with_current: bool,
}

impl Call for PurgeHere {
    fn apply(&self, tx: &mut Tx<'_>, _: &Cx) -> Result<Step<Reply>, OpError> {
        let name = self.key.as_str();
        if self.with_current {
            tx.delete::<Key>(name)?;
        }
        let (purged, pending) = older_values(tx, name)?;
        Reply::of(&Purged { purged, pending, held_by: Vec::new() }).map(Step::Done)
    }
}

/// Whether an instance holds a value of the key, current or older.
pub fn holds(view: &dyn ReadView, name: &str) -> Result<bool, OpError> {
    if view.record(Key::KIND, name)?.is_some() {
        return Ok(true);
    }
    let mut next = view.last_change(Key::KIND, name)?;
    while let Some(change) = next.map(|seq| view.change(seq)).transpose()?.flatten() {
        let key = change.body.as_deref().map(serde_json::from_str::<Key>);
        if key.is_some_and(|key| key.is_ok_and(|key| key.value != Stored::Gone)) {
            return Ok(true);
        }
        next = change.previous;
    }
    Ok(false)
}

/// Takes what a key was out of the log: how many values, and whether upkeep has more to do.
/// Errors: `not_found` for a key that never was.
pub(in crate::ops) fn older_values(tx: &mut Tx<'_>, name: &str) -> Result<(u64, bool), OpError> {
    let newest = match tx.get::<Key>(name)? {
        // The row of the current value is not an older one.
        Some(held) => tx.change(held.record.version)?.and_then(|change| change.previous),
        None => Some(tx.last_change::<Key>(name)?.ok_or_else(|| OpError::no_key(name))?),
    };
    let Some(newest) = newest else { return Ok((0, false)) };
    slice(tx, name, newest)
}

/// A slice of a purge that goes on.
pub struct GoOn {
    /// The key.
    pub key: String,
}

impl Call for GoOn {
    fn apply(&self, tx: &mut Tx<'_>, _: &Cx) -> Result<Step<Reply>, OpError> {
        go_on(tx, &self.key)?;
        Reply::of(&Purged { purged: 0, pending: false, held_by: Vec::new() }).map(Step::Done)
    }
}

/// Goes on with a purge. Answers whether there was one.
pub fn go_on(tx: &mut Tx<'_>, name: &str) -> Result<bool, OpError> {
    let Some(held) = tx.get::<Erasure>(name)? else { return Ok(false) };
    let (_, pending) = slice(tx, name, held.content.next)?;
    if !pending {
        tx.delete::<Erasure>(name)?;
    }
    Ok(true)
}

/// Takes the values out of some rows, from one of them back.
fn slice(tx: &mut Tx<'_>, name: &str, from: u64) -> Result<(u64, bool), OpError> {
    let mut purged = 0;
    let mut next = Some(from);
    // What an earlier purge has blanked is passed over, or a long history would never come to its end.
    for _ in 0..PASSED_OVER * limits::PURGE_SLICE {
        if purged >= limits::PURGE_SLICE as u64 {
            break;
        }
        let Some(seq) = next else { return Ok((purged, false)) };
        let change = tx.change(seq)?.filter(|change| change.kind == Key::KIND && change.id == name);
        let Some(change) = change else { return Ok((purged, false)) };
        next = change.previous;
        let key = change.body.as_deref().and_then(|body| serde_json::from_str::<Key>(body).ok());
        let blank = match (key, change.body) {
            (Some(key), _) if key.value == Stored::Gone => None,
            (Some(key), _) => serde_json::to_string(&key.without_value()).ok(),
            // What cannot be understood can hold a value all the same.
            (None, Some(_)) => Some("{}".to_owned()),
            (None, None) => None,
        };
        if let Some(body) = blank {
            tx.blank(Blank { seq, body });
            purged += 1;
        }
    }
    if let Some(next) = next {
        tx.put(name, &Erasure { next }, None)?;
    }
    Ok((purged, next.is_some()))
}
