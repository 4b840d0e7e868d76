//! Whole turns: one operation, a batch of them, one that is done once, one that takes another back.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    keys::{self, not_kept},
    reads,
    state::{Instance, Mode, Refusal, Reply, Row, Thing, Turn, is_alive, refuse},
};

type Outcome = Result<Value, Refusal>;

/// How long an answer is kept.
const REPLY_MS: i64 = 24 * 3600 * 1000;
const UNDO_MS: i64 = 30 * 24 * 3600 * 1000;
/// A larger answer is not kept whole.
const REPLY_BYTES: usize = 64 * 1024;

/// The least mode that may call an operation at all.
pub(super) fn least_mode(operation: &str) -> Mode {
    match operation {
        "write_key" | "append_key" | "edit_key" | "delete_key" | "batch" | "undo" => Mode::Use,
        "set_key_attributes" => Mode::Write,
        other if is_read(other) => Mode::Read,
        _ => Mode::Edit,
    }
}

pub(super) fn is_read(operation: &str) -> bool {
    const READS: [&str; 7] =
        ["read_key", "list_keys", "key_history", "log_read", "wait_for_change", "get_system_prompt", "search_keys"];
    READS.contains(&operation)
}

/// What is refused before anything is looked at.
pub(super) fn check_arguments(args: &Value) -> Result<(), Refusal> {
    let is_reserved = |name: &str| args[name].as_str().is_some_and(|name| name == "$date" || name == "$time");
    if is_reserved("key") || is_reserved("new_key") || args["ttl_ms"] == 0 {
        return refuse("invalid_argument");
    }
    Ok(())
}

/// One operation in a turn.
pub(super) fn apply(turn: &mut Turn, operation: &str, args: &Value) -> Outcome {
    match operation {
        "write_key" => keys::write(turn, args),
        "append_key" => keys::append(turn, args),
        "edit_key" => keys::edit(turn, args),
        "delete_key" => keys::delete(turn, args),
        "clear_keys" => Ok(keys::clear(turn)),
        "rename_key" => keys::rename(turn, args),
        "set_key_attributes" => keys::set_attributes(turn, args),
        "restore_key" => keys::restore(turn, args),
        "read_key" => reads::read(turn, args),
        "list_keys" => Ok(reads::list(turn, args)),
        "key_history" => reads::history(turn, args),
        "log_read" => Ok(reads::log_read(turn, args)),
        "search_keys" => Ok(reads::search(turn, args)),
        "batch" => batch(turn, args),
        "undo" => undo(turn),
        other => panic!("the model does not know {other}"),
    }
}

fn batch(turn: &mut Turn, args: &Value) -> Outcome {
    let mut results = Vec::new();
    let mut batch = turn.clone();
    for part in args["operations"].as_array().unwrap() {
        // A part that is refused leaves nothing: it is tried on a copy.
        let mut attempt = batch.clone();
        match apply_part(&mut attempt, part["name"].as_str().unwrap(), &part["args"]) {
            Ok(result) => {
                batch = attempt;
                results.push(json!({"ok": true, "result": result}));
            }
            Err(refusal) if args["mode"] == "all" => return Err(refusal),
            Err(refusal) => results.push(json!({"ok": false, "error": refusal})),
        }
    }
    if args["dry_run"] != true {
        *turn = batch;
        return Ok(json!({"results": results, "dry_run": false}));
    }
    let changes = batch.state.log[batch.before.log.len()..].iter().filter(|row| row.kind == "key");
    let changes: Vec<_> = changes.map(|row| json!({"kind": row.kind, "id": row.id, "change": row.change})).collect();
    Ok(json!({"results": results, "dry_run": true, "changes": changes}))
}

fn apply_part(turn: &mut Turn, operation: &str, args: &Value) -> Outcome {
    const BY_THEMSELVES: [&str; 7] =
        ["undo", "batch", "log_read", "get_system_prompt", "wait_for_change", "instance_create", "purge_key"];
    if BY_THEMSELVES.contains(&operation) {
        return refuse("invalid_argument");
    }
    if turn.mode < least_mode(operation) {
        return refuse("permission_denied");
    }
    check_arguments(args)?;
    apply(turn, operation, args)
}

/// Does an operation at most once under a key. `answered` is what the engine answered, which is what is kept.
pub(super) fn once(turn: &mut Turn, operation: &str, args: &Value, once: &str, answered: &Value) -> Outcome {
    let id = format!("local/{}/{operation}/{once}", turn.mode.name());
    if let Some(record) = turn.live("reply", &id) {
        let Thing::Reply(reply) = record.thing else { panic!() };
        if reply.args != *args {
            return refuse("idempotency_mismatch");
        }
        let mut result = reply.result;
        result["replayed"] = true.into();
        return Ok(result);
    }
    let result = apply(turn, operation, args)?;
    let mut kept = without_values(answered);
    if kept.to_string().len() > REPLY_BYTES {
        kept = json!({});
    }
    let reply = Reply { args: args.clone(), result: kept };
    turn.put(&id, Thing::Reply(reply), Some(turn.now + REPLY_MS));
    Ok(result)
}

/// An answer without the values of keys.
fn without_values(answer: &Value) -> Value {
    match answer {
        Value::Array(items) => items.iter().map(without_values).collect(),
        Value::Object(members) => {
            let rest = members.iter().filter(|(name, _)| *name != "value");
            rest.map(|(name, member)| (name.clone(), without_values(member))).collect()
        }
        other => other.clone(),
    }
}

fn undo(turn: &mut Turn) -> Outcome {
    let author = turn.by.author();
    let undone = match turn.live("undone", &author).map(|record| record.thing) {
        Some(Thing::Undone(turns)) => turns,
        _ => Vec::new(),
    };
    let is_meant = |row: &Row| {
        row.kind == "key"
            && row.by.author() == author
            && row.operation != "undo"
            && !undone.contains(&row.txn)
            && row.at > turn.now - UNDO_MS
    };
    let Some(last) = turn.state.log.iter().rev().find(|row| is_meant(row)).cloned() else { return refuse("not_found") };
    // The first and the last change of each key.
    let mut touched: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (index, row) in turn.state.log.iter().enumerate().filter(|(_, row)| row.txn == last.txn && is_meant(row)) {
        let seq = index as u64 + 1;
        touched.entry(row.id.clone()).and_modify(|(_, last)| *last = seq).or_insert((seq, seq));
    }
    let mut keys = Vec::new();
    for (name, (first, last)) in touched {
        keys.push(take_back(turn, &undone, &name, first, last)?);
    }
    let turns = [undone, vec![last.txn]].concat();
    turn.put(&author, Thing::Undone(turns), Some(turn.now + UNDO_MS));
    Ok(json!({"operation": last.operation, "transaction": last.txn, "count": keys.len(), "keys": keys}))
}

/// Makes a key again what it was before `first`, unless somebody else has changed it after `last`.
fn take_back(turn: &mut Turn, undone: &[u64], name: &str, first: u64, last: u64) -> Outcome {
    let held = turn.key(name);
    let author = turn.by.author();
    // Its own undos do not count, nor what they took back, nor that it expired, which nobody did.
    let is_passed = |row: &Row| {
        row.change == "expired"
            || undone.contains(&row.txn)
            || (row.operation == "undo" && row.by.author() == author && row.txn <= turn.before.head())
    };
    let mut rows = turn.state.log.iter().enumerate().rev().filter(|(_, row)| row.is_of("key", name));
    let newest = rows.find(|(_, row)| !is_passed(row)).map(|(index, _)| index as u64 + 1);
    if newest != Some(last) {
        let current = held.map_or(0, |held| held.version);
        return Err(json!({"code": "version_mismatch", "expected": last, "current": current}));
    }
    if held.as_ref().is_some_and(|held| !held.key().is_writable(turn.mode)) {
        return refuse("permission_denied");
    }
    let was = turn.state.change_before("key", name, first).and_then(|seq| turn.state.row(seq)).cloned();
    let was = was.filter(|row| row.expires_at.is_none_or(|at| turn.now < at));
    let (change, version) = match was.and_then(|row| row.key.map(|key| (key, row.expires_at))) {
        Some((key, _)) if key.value.is_none() => return Err(not_kept()),
        Some((key, expires_at)) => {
            let change = if held.is_some() { "updated" } else { "created" };
            (change, turn.put(name, Thing::Key(key), expires_at))
        }
        None => ("deleted", turn.delete(name).unwrap_or(last)),
    };
    Ok(json!({"key": name, "change": change, "version": version}))
}

/// Upkeep removes everything that is dead.
pub(super) fn sweep(turn: &mut Turn) {
    for (kind, id) in turn.state.dead(turn.now) {
        turn.remove(kind, &id, "expired");
    }
}

/// Makes the keys of an instance exactly these.
pub(super) fn become_like(turn: &mut Turn, source: &Instance, source_now: i64) {
    let live = |instance: &Instance, now: i64| -> BTreeMap<String, _> {
        let keys = instance.live_keys(now).into_iter();
        keys.map(|(name, record)| (name.to_owned(), (record.key().clone(), record.expires_at))).collect()
    };
    let (is, mut wanted) = (live(&turn.state, turn.now), live(source, source_now));
    // Where it is later than in the source.
    wanted.retain(|_, (_, expires_at)| expires_at.is_none_or(|at| turn.now < at));
    for name in is.keys().filter(|name| !wanted.contains_key(*name)) {
        turn.delete(name);
    }
    for (name, (key, expires_at)) in &wanted {
        if is.get(name) == Some(&(key.clone(), *expires_at)) {
            continue;
        }
        turn.put(name, Thing::Key(key.clone()), *expires_at);
        if !key.keeps_history {
            keys::forget_older(turn, name).unwrap();
        }
    }
}

/// Whether a value of the key is stored, current or older.
pub(super) fn holds(instance: &Instance, name: &str) -> bool {
    let is_held = |row: &Row| row.is_of("key", name) && row.key.as_ref().is_some_and(|key| key.value.is_some());
    instance.records.contains_key(&("key", name.to_owned())) || instance.log.iter().any(is_held)
}

/// What two instances do not have alike.
pub(super) fn diff(from: (&Instance, i64), to: (&Instance, i64)) -> Value {
    let keys = |(instance, now): (&Instance, i64)| -> BTreeMap<String, _> {
        let live = instance.records.iter().filter(|((kind, _), record)| *kind == "key" && is_alive(record, now));
        live.map(|((_, name), record)| (name.clone(), record.key().clone())).collect()
    };
    let (from, to) = (keys(from), keys(to));
    let added: Vec<_> = to.keys().filter(|name| !from.contains_key(*name)).collect();
    let removed: Vec<_> = from.keys().filter(|name| !to.contains_key(*name)).collect();
    let changed: Vec<_> = from.keys().filter(|name| to.get(*name).is_some_and(|key| from[*name] != *key)).collect();
    json!({"added": added, "removed": removed, "changed": changed})
}
