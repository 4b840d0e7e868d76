//! The operations that only look.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};

use super::state::{Key, Mode, Record, Refusal, Row, Turn, refuse, time};

type Outcome = Result<Value, Refusal>;

/// Longest piece of a value in one reply.
const PIECE: usize = 256 * 1024;
/// The prompt has room for this many characters; the model does not say what happens near that.
const PROMPT_CHARACTERS: usize = 200 * 1024;

/// A key without its value.
pub(super) fn shown(name: &str, record: &Record) -> Value {
    let key = record.key();
    let mut shown = json!({
        "key": name, "type": key.kind, "version": record.version, "tags": key.tags,
        "system_tags": key.system_tags, "z_index": key.z_index, "created_at": time(record.created_at),
        "updated_at": time(record.updated_at), "updated_by": record.by.shown(),
    });
    if let Some(content_type) = &key.content_type {
        shown["content_type"] = content_type.as_str().into();
    }
    if let Some(at) = record.expires_at {
        shown["expires_at"] = time(at).into();
    }
    if let Some(description) = &key.description {
        shown["description"] = description.as_str().into();
    }
    if let Some(schema) = &key.schema {
        shown["schema"] = schema.clone();
    }
    if !key.keeps_history {
        shown["history"] = "none".into();
    }
    shown
}

pub(super) fn read(turn: &mut Turn, args: &Value) -> Outcome {
    let name = args["key"].as_str().unwrap();
    let Some(record) = turn.key(name).filter(|record| record.key().is_readable(turn.mode)) else {
        return refuse("not_found");
    };
    let offset = usize::try_from(args["offset"].as_u64().unwrap_or(0)).unwrap();
    let limit = args["limit"].as_u64().map_or(PIECE, |limit| usize::try_from(limit).unwrap()).min(PIECE);
    let (piece, length) = if record.key().is_binary() {
        let bytes = record.key().bytes();
        (BASE64.encode(bytes.iter().skip(offset).take(limit).copied().collect::<Vec<_>>()), bytes.len())
    } else {
        let text = record.key().text();
        (text.chars().skip(offset).take(limit).collect::<String>(), text.chars().count())
    };
    if offset > length {
        return refuse("invalid_argument");
    }
    let mut shown = shown(name, &record);
    shown["value"] = piece.into();
    if offset + limit < length {
        shown["truncated"] = true.into();
        shown["next_offset"] = (offset + limit).into();
    }
    Ok(shown)
}

/// The whole list, whatever the size of its pages.
pub(super) fn list(turn: &Turn, args: &Value) -> Value {
    let mut keys = Vec::new();
    for (name, record) in turn.state.live_keys(turn.now) {
        let key = record.key();
        let is_wanted = key.is_readable(turn.mode)
            && name.starts_with(args["prefix"].as_str().unwrap_or(""))
            && args["tag"].as_str().is_none_or(|tag| key.tags.iter().any(|each| each == tag))
            && args["type"].as_str().is_none_or(|key_type| key.kind == key_type);
        if is_wanted {
            let mut shown = shown(name, record);
            shown.as_object_mut().unwrap().remove("schema");
            if let Some(value) = key.short_value() {
                shown["value"] = (*value).into();
            }
            keys.push(shown);
        }
    }
    json!({"keys": keys, "next_cursor": null, "as_of_seq": turn.state.head()})
}

/// The whole history, whatever the size of its pages.
pub(super) fn history(turn: &mut Turn, args: &Value) -> Outcome {
    let name = args["key"].as_str().unwrap();
    let held = turn.key(name);
    let rows = of_key(turn, name);
    // A key that is gone is judged as it last was.
    let last = held.as_ref().map(Record::key).or_else(|| rows.iter().find_map(|(_, row)| row.key.as_ref()));
    if !last.is_some_and(|key| key.is_readable(turn.mode)) {
        return refuse("not_found");
    }
    let mut versions = Vec::new();
    for (position, (seq, row)) in rows.iter().enumerate() {
        let judged = row.key.as_ref().or_else(|| rows.get(position + 1).and_then(|(_, row)| row.key.as_ref()));
        if judged.is_some_and(|key| !key.is_readable(turn.mode)) {
            continue;
        }
        let mut version = json!({
            "version": seq, "at": time(row.at), "operation": row.operation, "actor": row.by.logged(),
            "change": row.change,
        });
        if let Some(value) = row.key.as_ref().and_then(Key::short_value) {
            version["value"] = (*value).into();
        }
        versions.push(version);
    }
    Ok(json!({"key": name, "versions": versions, "next_cursor": null}))
}

/// The rows of a key, newest first. That it expired is told when it is in the log: not by who only looks.
pub(super) fn of_key(turn: &Turn, name: &str) -> Vec<(u64, Row)> {
    let rows = turn.state.log.iter().enumerate().filter(|(_, row)| row.is_of("key", name));
    let mut rows: Vec<(u64, Row)> = rows.map(|(index, row)| (index as u64 + 1, row.clone())).collect();
    rows.reverse();
    if rows.first().is_some_and(|(seq, row)| *seq > turn.before.head() && row.change == "expired") {
        rows.remove(0);
    }
    rows
}

/// Whether a change of a key is told: to whom could read it after, or else before.
fn is_told(turn: &Turn, seq: u64, row: &Row, also_hidden: bool) -> bool {
    let before = || turn.state.change_before("key", &row.id, seq).and_then(|seq| turn.state.row(seq)?.key.as_ref());
    match &row.key {
        Some(key) if key.is_readable(turn.mode) => true,
        Some(_) if !also_hidden => false,
        _ => turn.mode >= Mode::Write || before().is_some_and(|key| key.is_readable(turn.mode)),
    }
}

pub(super) fn log_read(turn: &Turn, args: &Value) -> Value {
    let (since, limit) = (args["since"].as_u64().unwrap(), args["limit"].as_u64().unwrap_or(100));
    let mut changes = Vec::new();
    let mut seen = since.max(turn.state.head());
    for seq in since + 1..=turn.state.head() {
        let row = turn.state.row(seq).unwrap();
        if row.kind == "key" && is_told(turn, seq, row, true) {
            changes.push(json!({
                "seq": seq, "at": time(row.at), "kind": row.kind, "id": row.id, "change": row.change,
                "operation": row.operation, "actor": row.by.logged(), "txn": row.txn,
            }));
        }
        if changes.len() as u64 == limit {
            seen = seq;
            break;
        }
    }
    json!({"changes": changes, "as_of_seq": seen})
}

/// What a wait answers when it looks now.
pub(super) fn waited(turn: &Turn, args: &Value, since: u64) -> Value {
    let mut changes = Vec::new();
    let mut seen = since.max(turn.state.head());
    for seq in since + 1..=turn.state.head() {
        let row = turn.state.row(seq).unwrap();
        let is_meant = row.kind == "key"
            && args["key"].as_str().is_none_or(|name| row.id == name)
            && row.id.starts_with(args["prefix"].as_str().unwrap_or(""));
        if is_meant && is_told(turn, seq, row, false) {
            changes.push(json!({"key": row.id, "change": row.change, "version": seq}));
        }
        if changes.len() == 100 {
            seen = seq;
            break;
        }
    }
    json!({"timed_out": changes.is_empty(), "changes": changes, "as_of_seq": seen})
}

/// The keys of a search for a word that a canary begins with, by name.
pub(super) fn search(turn: &Turn, args: &Value) -> Value {
    let word = args["query"].as_str().unwrap();
    let is_found = |key: &Key| key.is_readable(turn.mode) && !key.is_binary() && key.text().contains(word);
    let live = turn.state.live_keys(turn.now).into_iter();
    let found: Vec<_> = live.filter(|(_, record)| is_found(record.key())).map(|(name, _)| name).collect();
    json!({"keys": found, "head_seq": turn.state.head()})
}

/// The prompt; nothing when it may be longer than there is room for.
pub(super) fn prompt(turn: &Turn) -> Option<Value> {
    let mut keys = turn.state.live_keys(turn.now);
    keys.retain(|(_, record)| record.key().has("SystemPrompt"));
    keys.sort_by_key(|(name, record)| (record.key().z_index, (*name).to_owned()));
    let mut text = String::new();
    for (name, record) in &keys {
        let key = record.key();
        let block = if key.is_binary() {
            format!("({}, {}: read the key to see it)", key.kind, key.content_type.as_ref().unwrap())
        } else {
            let language = if key.kind == "json" { "json" } else { "" };
            format!("```{language}\n{}\n```", key.text())
        };
        write!(text, "## {}\n{block}\n\n", json!(name)).unwrap();
    }
    let names: Vec<_> = keys.iter().map(|(name, _)| *name).collect();
    let is_short = text.chars().count() < PROMPT_CHARACTERS;
    is_short.then(|| json!({"prompt": text, "keys": names, "left_out": [], "as_of_seq": turn.state.head()}))
}
