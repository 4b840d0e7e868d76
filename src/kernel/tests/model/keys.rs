//! The operations that change one key, and `clear_keys`.

use std::rc::Rc;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};

use super::{
    reads::shown,
    state::{Key, Mode, Record, Refusal, SYSTEM_TAGS, Thing, Turn, is_binary, refuse},
};

type Outcome = Result<Value, Refusal>;

fn name(args: &Value) -> &str {
    args["key"].as_str().unwrap()
}

fn written(name: &str, version: u64, created: bool) -> Value {
    json!({"key": name, "version": version, "created": created})
}

/// Compares `if_version` with what is there; 0 asks that nothing is.
fn check_version(args: &Value, held: Option<&Record>) -> Result<(), Refusal> {
    let current = held.map_or(0, |held| held.version);
    match args["if_version"].as_u64() {
        Some(expected) if expected != current => {
            Err(json!({"code": "version_mismatch", "expected": expected, "current": current}))
        }
        _ => Ok(()),
    }
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// Content tags: repeats are dropped, the order stays.
fn tags(list: &Value) -> Result<Vec<String>, Refusal> {
    let mut tags: Vec<String> = Vec::new();
    for tag in strings(list) {
        if tag.is_empty() || tag.chars().count() > 64 {
            return refuse("invalid_argument");
        }
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    Ok(tags)
}

/// A value as it is kept, if it can be one of this type.
fn decode(key_type: &str, text: &str) -> Result<Rc<str>, Refusal> {
    match key_type {
        "json" if serde_json::from_str::<Value>(text).is_err() => refuse("invalid_argument"),
        "text" | "json" => Ok(text.into()),
        _ => match BASE64.decode(text) {
            Ok(bytes) => Ok(BASE64.encode(bytes).into()),
            Err(_) => refuse("invalid_argument"),
        },
    }
}

/// A value as a key may hold it.
fn allowed(key: &Key, text: &str) -> Result<Rc<str>, Refusal> {
    let value = decode(&key.kind, text)?;
    if key.may_be(text) { Ok(value) } else { refuse("invalid_argument") }
}

fn check_content_type(key: &Key) -> Result<(), Refusal> {
    let is_right = match (&key.content_type, key.kind.as_str()) {
        (None, key_type) => !is_binary(key_type),
        (Some(given), "image") => given.starts_with("image/"),
        (Some(given), _) => given.contains('/'),
    };
    if is_right { Ok(()) } else { refuse("invalid_argument") }
}

pub(super) fn write(turn: &mut Turn, args: &Value) -> Outcome {
    let name = name(args);
    let held = turn.key(name);
    if held.as_ref().is_some_and(|held| !held.key().is_writable(turn.mode)) {
        return refuse("permission_denied");
    }
    check_version(args, held.as_ref())?;
    let (text, fresh_type) = match &args["value"] {
        Value::String(text) => (text.clone(), "text"),
        other => (other.to_string(), "json"),
    };
    let mut key = held.as_ref().map_or_else(|| Key::new(fresh_type), |held| held.key().clone());
    let key_type = args["type"].as_str().unwrap_or(&key.kind).to_owned();
    if is_binary(&key_type) != key.is_binary() {
        key.content_type = None;
    }
    key.kind = key_type;
    if let Some(given) = args["content_type"].as_str() {
        key.content_type = Some(given.into());
    }
    check_content_type(&key)?;
    if !args["tags"].is_null() {
        let tags = tags(&args["tags"])?;
        let may = turn.mode == Mode::Edit || (turn.mode == Mode::Write && !key.has("protected"));
        if held.is_some() && tags != key.tags && !may {
            return refuse("permission_denied");
        }
        key.tags = tags;
    }
    key.value = Some(allowed(&key, &text)?);
    let expires_at = args["ttl_ms"].as_i64().map(|ttl| turn.now + ttl);
    let version = turn.put(name, Thing::Key(key), expires_at);
    Ok(written(name, version, held.is_none()))
}

pub(super) fn append(turn: &mut Turn, args: &Value) -> Outcome {
    let name = name(args);
    let text = args["text"].as_str().unwrap();
    let Some(held) = turn.key(name) else {
        check_version(args, None)?;
        let key = Key { value: Some(text.into()), ..Key::new("text") };
        let version = turn.put(name, Thing::Key(key), None);
        return Ok(written(name, version, true));
    };
    let before = text_to_change(turn, args, &held)?;
    replace(turn, name, &held, &format!("{before}{text}"))
}

pub(super) fn edit(turn: &mut Turn, args: &Value) -> Outcome {
    let name = name(args);
    let (old, new) = (args["old_text"].as_str().unwrap(), args["new_text"].as_str().unwrap());
    if old.is_empty() {
        return refuse("invalid_argument");
    }
    let Some(held) = turn.key(name) else { return refuse("not_found") };
    let before = text_to_change(turn, args, &held)?;
    if before.matches(old).count() as u64 != args["expect_count"].as_u64().unwrap_or(1) {
        return refuse("invalid_argument");
    }
    replace(turn, name, &held, &before.replace(old, new))
}

fn text_to_change(turn: &Turn, args: &Value, held: &Record) -> Result<Rc<str>, Refusal> {
    if !held.key().is_writable(turn.mode) {
        return refuse("permission_denied");
    }
    check_version(args, Some(held))?;
    if held.key().is_binary() { refuse("invalid_argument") } else { Ok(held.key().text()) }
}

/// The value changes; the expiry and everything else stay.
fn replace(turn: &mut Turn, name: &str, held: &Record, text: &str) -> Outcome {
    let value = Some(allowed(held.key(), text)?);
    let version = turn.put(name, Thing::Key(Key { value, ..held.key().clone() }), held.expires_at);
    Ok(written(name, version, false))
}

pub(super) fn delete(turn: &mut Turn, args: &Value) -> Outcome {
    let name = name(args);
    let held = turn.key(name);
    if held.as_ref().is_some_and(|held| !held.key().is_writable(turn.mode) || held.key().has("protected")) {
        return refuse("permission_denied");
    }
    check_version(args, held.as_ref())?;
    let version = turn.delete(name);
    Ok(json!({"key": name, "deleted": version.is_some(), "version": version.unwrap_or(0)}))
}

pub(super) fn clear(turn: &mut Turn) -> Value {
    let live = turn.state.live_keys(turn.now);
    let kept = live.iter().filter(|(_, record)| record.key().has("protected")).count();
    let goes = live.iter().filter(|(_, record)| !record.key().has("protected"));
    let goes: Vec<String> = goes.map(|(name, _)| (*name).to_owned()).collect();
    for name in &goes {
        turn.delete(name);
    }
    json!({"deleted": goes.len(), "kept": kept, "version": turn.state.head()})
}

pub(super) fn rename(turn: &mut Turn, args: &Value) -> Outcome {
    let (old, new) = (name(args), args["new_key"].as_str().unwrap());
    let Some(held) = turn.key(old) else { return refuse("not_found") };
    if turn.key(new).is_some() {
        return refuse("already_exists");
    }
    turn.delete(old);
    let version = turn.put(new, held.thing, held.expires_at);
    Ok(json!({"key": old, "new_key": new, "version": version}))
}

pub(super) fn set_attributes(turn: &mut Turn, args: &Value) -> Outcome {
    let name = name(args);
    let Some(held) = turn.key(name) else { return refuse("not_found") };
    let mut key = held.key().clone();
    if turn.mode != Mode::Edit && (key.has("protected") || !args["history"].is_null()) {
        return refuse("permission_denied");
    }
    if !args["system_tags"].is_null() {
        let given = strings(&args["system_tags"]);
        key.system_tags = SYSTEM_TAGS.into_iter().filter(|tag| given.iter().any(|each| each == tag)).collect();
    }
    if !args["tags"].is_null() {
        key.tags = tags(&args["tags"])?;
    }
    key.z_index = args["z_index"].as_i64().unwrap_or(key.z_index);
    if let Some(description) = args["description"].as_str() {
        key.description = Some(description.to_owned()).filter(|text| !text.is_empty());
    }
    if args["schema"].is_object() {
        key.schema = Some(args["schema"].clone()).filter(|schema| *schema != json!({}));
    }
    key.keeps_history = args["history"].as_str().map_or(key.keeps_history, |history| history == "full");
    turn.put(name, Thing::Key(key), held.expires_at);
    if args["history"] == "none" {
        forget_older(turn, name).unwrap();
    }
    let record = turn.key(name).unwrap();
    let mut shown_key = shown(name, &record);
    if let Some(value) = record.key().short_value() {
        shown_key["value"] = (*value).into();
    }
    Ok(shown_key)
}

pub(super) fn restore(turn: &mut Turn, args: &Value) -> Outcome {
    let name = name(args);
    let row = turn.state.row(args["version"].as_u64().unwrap()).filter(|row| row.is_of("key", name));
    let Some(row) = row else { return refuse("not_found") };
    let Some(key) = row.key.clone() else { return refuse("invalid_argument") };
    if key.value.is_none() {
        return Err(not_kept());
    }
    let created = turn.key(name).is_none();
    let version = turn.put(name, Thing::Key(key), None);
    Ok(written(name, version, created))
}

pub(super) fn not_kept() -> Refusal {
    json!({"code": "unavailable", "reason": "not_kept"})
}

/// Takes the older values of a key out of the log: how many rows lost theirs.
pub(super) fn forget_older(turn: &mut Turn, name: &str) -> Result<u64, Refusal> {
    let current = turn.key(name).map(|held| held.version);
    if current.is_none() && turn.state.last_change("key", name).is_none() {
        return refuse("not_found");
    }
    let mut purged = 0;
    for (index, row) in turn.state.log.iter_mut().enumerate() {
        let is_older = row.is_of("key", name) && current != Some(index as u64 + 1);
        if let Some(key) = row.key.as_mut().filter(|key| is_older && key.value.is_some()) {
            key.value = None;
            purged += 1;
        }
    }
    turn.has_blanked |= purged > 0;
    Ok(purged)
}
