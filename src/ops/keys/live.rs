//! Changes of keys as a person watches them: each with the row that the key became.
//!
//! A reader of the log, not an operation: nothing here runs in a turn.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{
    error::OpError,
    key::Key,
    kind::Kind as _,
    permission::{Mode, may_read, reads_all},
    record::{Change, ChangeKind, Record},
    time,
    value::Stored,
};

use super::row::{KeyRow, Writer};
use crate::ops::tx::Tx;

/// How many rows of the log one look takes.
const SLICE: usize = 500;

/// A change of a key.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LiveChange {
    /// Its seq, and so the version of the key.
    pub seq: u64,
    /// The key.
    pub key: String,
    /// What happened.
    pub change: ChangeKind,
    /// When.
    pub at: String,
    /// Who did it.
    pub actor: Writer,
    /// What the key became; nothing when it is gone, or not for the follower to read any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<KeyRow>,
}

/// What happened after `since`, and how far it has looked. Errors: `log_truncated` when the log does not go back so far,
/// or not so far forward, as in an instance that was put back from a backup.
pub fn changes(tx: &Tx<'_>, mode: Mode, since: u64) -> Result<(Vec<LiveChange>, u64), OpError> {
    let floor = tx.log_start()?;
    if since.saturating_add(1) < floor || since > tx.seq() {
        return Err(OpError::LogTruncated { floor });
    }
    let rows = tx.changes(since, SLICE)?;
    let seen = rows.last().map_or(since, |change| change.seq);
    let mut changes = Vec::new();
    for change in rows {
        if change.kind == Key::KIND {
            changes.extend(live(tx, mode, change)?);
        }
    }
    Ok((changes, seen))
}

fn live(tx: &Tx<'_>, mode: Mode, change: Change) -> Result<Option<LiveChange>, OpError> {
    let became = change.body.as_deref().and_then(|body| serde_json::from_str::<Key>(body).ok());
    let became = became.filter(|key| may_read(mode, key));
    if became.is_none() && !reads_all(mode) && !could_read(tx, mode, &change)? {
        return Ok(None);
    }
    let row = match became {
        Some(key) => {
            // The log may not keep the value; the key has it, unless it has changed again.
            let key = if key.value == Stored::Gone { stored(tx, &change)?.unwrap_or(key) } else { key };
            Some(KeyRow::of(tx, &as_record(&change), &key))
        }
        None => None,
    };
    Ok(Some(LiveChange {
        seq: change.seq,
        key: change.id,
        // What is out of the follower's sight is gone for it.
        change: if row.is_none() && change.body.is_some() { ChangeKind::Deleted } else { change.change },
        at: time::rfc3339(change.at),
        actor: Writer::from(&change.actor),
        row,
    }))
}

/// The record that a change left, without its body.
fn as_record(change: &Change) -> Record {
    Record {
        id: change.id.clone(),
        version: change.seq,
        created_at: change.at,
        updated_at: change.at,
        expires_at: change.expires_at,
        updated_by: change.actor.clone(),
        body: String::new(),
    }
}

/// The key, if this is still its last change.
fn stored(tx: &Tx<'_>, change: &Change) -> Result<Option<Key>, OpError> {
    let record = tx.view().record(Key::KIND, &change.id)?.filter(|record| record.version == change.seq);
    Ok(record.and_then(|record| serde_json::from_str(&record.body).ok()))
}

/// Whether the follower could read the key before this change.
fn could_read(tx: &Tx<'_>, mode: Mode, change: &Change) -> Result<bool, OpError> {
    let before = change.previous.map(|seq| tx.change(seq)).transpose()?.flatten();
    let before = before.and_then(|before| before.body).and_then(|body| serde_json::from_str::<Key>(&body).ok());
    Ok(before.is_some_and(|key| may_read(mode, &key)))
}
