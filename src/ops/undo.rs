//! `undo`: takes back the last change of whoever asks.
//!
//! Whose change it is: the same principal with the same program in the same run; of a person, any run, since each
//! command is one. What somebody else has changed since is not taken back with it: that is refused and named.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    actor::Actor,
    error::{OpError, Reason},
    key::Key,
    kind::Kind as _,
    limits,
    permission::Action,
    record::{Change, ChangeKind},
    undone::Undone,
    value::Stored,
};

use super::{
    operation::{Cx, EffectClass, Listing, OpMeta, Operation, Report, Step, Target},
    tx::Tx,
};

/// Take back your last change of keys, whatever operation made it; called again, the one before. An undo is not
/// undone. Fails with version_mismatch when someone has changed one of the keys since.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Undo {}

/// What was taken back.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TakenBack {
    /// The operation whose change it was.
    pub operation: String,
    /// The seq of its first change.
    pub transaction: u64,
    /// The keys, as they are now; at most 1,000 are named.
    #[schemars(schema_with = "crate::ops::schema::objects")]
    pub keys: Vec<Undoing>,
    /// How many keys there are in all.
    pub count: u64,
}

/// A key that is as it was before.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Undoing {
    /// Its name.
    pub key: String,
    /// What that meant for it.
    pub change: ChangeKind,
    /// Its version now; the seq of its deletion when it is gone.
    pub version: u64,
}

impl Report for TakenBack {
    fn outcome(&self) -> String {
        let names: Vec<_> = self.keys.iter().take(5).map(|each| format!("\"{}\"", each.key)).collect();
        let more = if self.count > 5 { ", …" } else { "" };
        let keys = if self.count == 1 { "key" } else { "keys" };
        format!("Took back {} of {} {keys}: {}{more}.", self.operation, self.count, names.join(", "))
    }
}

impl Operation for Undo {
    const NAME: &'static str = "undo";
    const META: OpMeta = OpMeta {
        title: "Undo the last change",
        toolset: "core",
        listing: Listing::Search,
        target: Target::Instance,
        action: Action::Write,
        effect: EffectClass::Delete,
        idempotent: false,
        waits: false,
        events: &["key.created", "key.updated", "key.deleted"],
    };
    type Out = TakenBack;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<TakenBack>, OpError> {
        let author = author(&cx.actor);
        let mut undone = tx.get::<Undone>(&author)?.map(|held| held.content).unwrap_or_default();
        let changes = last_turn(tx, cx, &undone)?.ok_or_else(nothing)?;
        let Some((transaction, operation)) = changes.last().map(|last| (last.transaction, last.operation.clone()))
        else {
            return Err(nothing());
        };
        let mut keys = Vec::new();
        for (name, touched) in by_key(&changes) {
            keys.push(take_back(tx, cx, &undone, name, &touched)?);
        }
        undone.turns.push(transaction);
        let forgotten = undone.turns.len().saturating_sub(limits::UNDO_TURNS);
        undone.turns.drain(..forgotten);
        // What it speaks of is older by then than what can be taken back.
        tx.put(&author, &undone, Some(cx.now_ms.saturating_add(limits::UNDO_MS)))?;
        let count = keys.len() as u64;
        keys.truncate(limits::PAGE as usize);
        Ok(Step::Done(TakenBack { operation, transaction, keys, count }))
    }
}

/// Under what an author's undone turns are kept.
fn author(actor: &Actor) -> String {
    let run = if actor.kind.is_human() { "" } else { actor.run.as_str() };
    format!("{}/{}/{run}", actor.principal, actor.client)
}

fn nothing() -> OpError {
    OpError::NotFound {
        what: format!("a change of yours among the last {}, in the last 30 days,", limits::UNDO_ROWS),
        remedy: "key_history shows what a key was, and restore_key makes it so again".into(),
    }
}

/// The changes of keys of the author's last turn that is neither an undo nor undone, oldest first.
fn last_turn(tx: &Tx<'_>, cx: &Cx, undone: &Undone) -> Result<Option<Vec<Change>>, OpError> {
    let own = author(&cx.actor);
    let least = tx.seq().saturating_sub(limits::UNDO_ROWS);
    let mut seq = tx.seq();
    let mut found: Vec<Change> = Vec::new();
    while seq > 0 {
        let Some(change) = tx.change(seq)? else { break };
        let turn = found.first().map(|change| change.transaction);
        let is_old = seq <= least || change.at <= cx.now_ms.saturating_sub(limits::UNDO_MS);
        if turn.is_some_and(|turn| turn != change.transaction) || (turn.is_none() && is_old) {
            break;
        }
        let is_meant = change.kind == Key::KIND
            && author(&change.actor) == own
            && change.operation != Undo::NAME
            && !undone.turns.contains(&change.transaction);
        if is_meant {
            found.push(change);
        }
        seq -= 1;
    }
    found.reverse();
    Ok((!found.is_empty()).then_some(found))
}

/// The first and the last change of each key.
fn by_key(changes: &[Change]) -> BTreeMap<&str, (&Change, &Change)> {
    let mut keys: BTreeMap<&str, (&Change, &Change)> = BTreeMap::new();
    for change in changes {
        keys.entry(&change.id).and_modify(|(_, last)| *last = change).or_insert((change, change));
    }
    keys
}

fn take_back(
    tx: &mut Tx<'_>,
    cx: &Cx,
    undone: &Undone,
    name: &str,
    (first, last): &(&Change, &Change),
) -> Result<Undoing, OpError> {
    let held = tx.get::<Key>(name)?;
    let newest = match &held {
        Some(held) => Some(held.record.version),
        None => tx.last_change::<Key>(name)?,
    };
    if own_newest(tx, cx, undone, newest)? != Some(last.seq) {
        let current = held.map_or(0, |held| held.record.version);
        return Err(OpError::VersionMismatch { what: format!("key \"{name}\""), expected: last.seq, current });
    }
    if let Some(held) = &held {
        cx.check(Action::Write, name, &held.content)?;
    }
    let done = match before(tx, cx, name, first)? {
        Some((key, expires_at)) => {
            let change = if held.is_some() { ChangeKind::Updated } else { ChangeKind::Created };
            (change, tx.put(name, &key, expires_at)?)
        }
        None => (ChangeKind::Deleted, tx.delete::<Key>(name)?.unwrap_or(last.seq)),
    };
    Ok(Undoing { key: name.to_owned(), change: done.0, version: done.1 })
}

/// The newest change of a key but for what the author has taken back already, and but for that it expired: nobody did
/// that, and whether it is in the log yet depends on when upkeep came by.
fn own_newest(tx: &Tx<'_>, cx: &Cx, undone: &Undone, newest: Option<u64>) -> Result<Option<u64>, OpError> {
    let mut next = newest;
    while let Some(seq) = next {
        let Some(change) = tx.change(seq)? else { break };
        let is_undo = change.operation == Undo::NAME && author(&change.actor) == author(&cx.actor);
        let is_expiry = change.change == ChangeKind::Expired;
        if !is_undo && !is_expiry && !undone.turns.contains(&change.transaction) {
            break;
        }
        next = change.previous;
    }
    Ok(next)
}

/// What the key was before a change; nothing when it was not there, or would be dead by now.
fn before(tx: &Tx<'_>, cx: &Cx, name: &str, change: &Change) -> Result<Option<(Key, Option<i64>)>, OpError> {
    let Some(previous) = change.previous else { return Ok(None) };
    let lost = |why: &str| OpError::Unavailable {
        reason: Reason::NotKept,
        what: format!("what key \"{name}\" was before version {} {why}", change.seq),
        remedy: "write the value anew; nothing was changed".into(),
    };
    let row = tx.change(previous)?.ok_or_else(|| lost("has been trimmed from the log"))?;
    let Some(body) = row.body else { return Ok(None) };
    if row.expires_at.is_some_and(|at| at <= cx.now_ms) {
        return Ok(None);
    }
    let key: Key = serde_json::from_str(&body).map_err(|_| lost("cannot be understood"))?;
    if key.value == Stored::Gone {
        return Err(lost("was not kept, or was purged"));
    }
    Ok(Some((key, row.expires_at)))
}
