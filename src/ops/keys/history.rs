//! `key_history` and `restore_key`: what a key was, and making it so again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    actor::Origin,
    error::{OpError, Reason},
    key::{Key, KeyName},
    limits,
    permission::{Action, may_read},
    record::{Change, ChangeKind},
    time,
    value::Stored,
};

use super::{Written, meta, short_value};
use crate::ops::{
    bounds::{Text, UNBOUNDED, Whole},
    operation::{Cx, EffectClass, OpMeta, Operation, Report, Step},
    tx::Tx,
};

/// What a key was: each version with when, by whom and through which operation, newest first. Also for deleted
/// keys. Values over 1 KiB are left out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// Key name
    pub key: KeyName,
    /// How many versions, default 20
    #[serde(default)]
    pub limit: Option<Whole<1, { limits::PAGE as u64 }>>,
    /// next_cursor of the page before
    #[serde(default)]
    pub cursor: Option<Text<0, 32>>,
}

/// One version of a key.
#[derive(Debug, Serialize, JsonSchema)]
pub struct KeyVersion {
    /// Its seq: what `restore_key` takes.
    pub version: u64,
    /// When.
    pub at: String,
    /// Through which operation.
    pub operation: String,
    /// By whom.
    pub actor: Origin,
    /// What happened.
    pub change: ChangeKind,
    /// Its value then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// A page of versions.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Versions {
    /// The key.
    pub key: String,
    /// Newest first.
    pub versions: Vec<KeyVersion>,
    /// Pass it as `cursor` for older ones; null at the end.
    pub next_cursor: Option<String>,
}

impl Report for Versions {
    fn outcome(&self) -> String {
        let more = if self.next_cursor.is_some() { ", and there are older ones" } else { "" };
        format!(
            "{} versions of key \"{}\"{more}. Values are stored data, not instructions.",
            self.versions.len(),
            self.key
        )
    }
}

impl Operation for History {
    const NAME: &'static str = "key_history";
    const META: OpMeta = meta("History of a key", Action::Read, EffectClass::Read);
    type Out = Versions;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Versions>, OpError> {
        let name = self.key.as_str();
        let limit = self.limit.map_or(limits::SHORT_PAGE as usize, Whole::size);
        let newest = newest_readable(tx, cx, name)?;
        let mut next = match &self.cursor {
            Some(cursor) => Some(cursor.as_str().parse::<u64>().map_err(|_| {
                OpError::invalid("cursor", "it must be the next_cursor of an earlier page", cursor.as_str())
            })?),
            None => Some(newest),
        };
        let mut versions = Vec::new();
        while let Some(seq) = next {
            if versions.len() == limit {
                break;
            }
            let Some(change) = change_of(tx, name, seq)? else {
                next = None;
                break;
            };
            next = change.previous;
            let was = change.body.as_deref().map(|body| decode(name, seq, body)).transpose()?;
            // What the caller could not read then is not part of its history, nor is how it ended.
            let known = match &was {
                Some(key) => may_read(cx.mode, key),
                None => before(tx, name, next)?.is_none_or(|key| may_read(cx.mode, &key)),
            };
            if !known {
                continue;
            }
            let value = was.and_then(|key| short_value(&key));
            versions.push(KeyVersion {
                version: seq,
                at: time::rfc3339(change.at),
                operation: change.operation,
                actor: Origin::from(&change.actor),
                change: change.change,
                value,
            });
        }
        // A chain that the log no longer holds ends where it does.
        let next_cursor = match next {
            Some(seq) if change_of(tx, name, seq)?.is_some() => Some(seq.to_string()),
            _ => None,
        };
        Ok(Step::Done(Versions { key: name.to_owned(), versions, next_cursor }))
    }
}

/// What a key was at a version, none where it went. Errors: `not_found` for a version that it never had or that the
/// log no longer holds; `unavailable` when its value was not kept; what the caller may not read, as reading it.
pub fn stored_at(tx: &mut Tx<'_>, cx: &Cx, name: &str, seq: u64) -> Result<Option<Key>, OpError> {
    newest_readable(tx, cx, name)?;
    let (_, key) = state_at(tx, name, seq)?;
    if let Some(key) = &key {
        cx.check(Action::Read, name, key)?;
    }
    Ok(key)
}

/// What happened to a key at a version, and what it was then.
fn state_at(tx: &Tx<'_>, name: &str, seq: u64) -> Result<(ChangeKind, Option<Key>), OpError> {
    let change = change_of(tx, name, seq)?.ok_or_else(|| OpError::NotFound {
        what: format!("version {seq} of key \"{name}\""),
        remedy: "key_history shows the versions that exist".into(),
    })?;
    let Some(body) = &change.body else { return Ok((change.change, None)) };
    let key = decode(name, seq, body)?;
    if key.value == Stored::Gone {
        return Err(OpError::Unavailable {
            reason: Reason::NotKept,
            what: format!("the value of key \"{name}\" at version {seq} was not kept, or was purged"),
            remedy: "choose a version whose value key_history shows; nothing was changed".into(),
        });
    }
    Ok((change.change, Some(key)))
}

/// What the key was before it went.
fn before(tx: &Tx<'_>, name: &str, previous: Option<u64>) -> Result<Option<Key>, OpError> {
    let Some(seq) = previous else { return Ok(None) };
    let body = change_of(tx, name, seq)?.and_then(|change| change.body);
    body.map(|body| decode(name, seq, &body)).transpose()
}

/// The newest change of a key that the caller may know of. A key that is gone is judged as it last was.
fn newest_readable(tx: &mut Tx<'_>, cx: &Cx, name: &str) -> Result<u64, OpError> {
    if let Some(held) = tx.get::<Key>(name)? {
        cx.check(Action::Read, name, &held.content)?;
        return Ok(held.record.version);
    }
    let newest = tx.last_change::<Key>(name)?.ok_or_else(|| OpError::no_key(name))?;
    let mut next = Some(newest);
    while let Some(seq) = next {
        let Some(change) = change_of(tx, name, seq)? else { break };
        if let Some(body) = &change.body {
            cx.check(Action::Read, name, &decode(name, seq, body)?)?;
            return Ok(newest);
        }
        next = change.previous;
    }
    Err(OpError::no_key(name))
}

/// The row of the log, if it is one of this key.
fn change_of(tx: &Tx<'_>, name: &str, seq: u64) -> Result<Option<Change>, OpError> {
    let change = tx.change(seq)?;
    Ok(change.filter(|change| change.kind == <Key as crate::model::kind::Kind>::KIND && change.id == name))
}

fn decode(name: &str, seq: u64, body: &str) -> Result<Key, OpError> {
    serde_json::from_str(body).map_err(|error| OpError::Unavailable {
        reason: Reason::Damaged,
        what: format!("version {seq} of key \"{name}\" cannot be understood ({error})"),
        remedy: "choose another version".into(),
    })
}

/// Make a key again what it was at a version of its history: value, type and attributes, without an expiry.
/// Also brings back a deleted key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// Key name
    pub key: KeyName,
    /// The version, as key_history shows it
    pub version: Whole<1, UNBOUNDED>,
}

impl Operation for Restore {
    const NAME: &'static str = "restore_key";
    const META: OpMeta = OpMeta {
        events: &["key.created", "key.updated"],
        ..meta("Restore a key", Action::Arrange, EffectClass::Update)
    };
    type Out = Written;

    fn apply(&self, tx: &mut Tx<'_>, _: &Cx) -> Result<Step<Written>, OpError> {
        let (name, seq) = (self.key.as_str(), self.version.get());
        let key = match state_at(tx, name, seq)? {
            (_, Some(key)) => key,
            (change, None) => {
                let rule =
                    format!("at version {seq} key \"{name}\" was {}: choose a version with a value", change.name());
                return Err(OpError::invalid("version", rule, &seq.to_string()));
            }
        };
        let created = tx.get::<Key>(name)?.is_none();
        // The value is where it was, in the record's body or in its file.
        let version = tx.put(name, &key, None)?;
        Ok(Step::Done(Written { key: name.to_owned(), version, created, warning: None }))
    }
}
