//! Edits of a config in JSON, with or without comments: what is not ours keeps every byte.

use jsonc_parser::{
    CollectOptions, ParseOptions,
    ast::Value,
    cst::{CstInputValue, CstObject, CstRootNode},
    parse_to_ast,
};
use serde::de::IgnoredAny;
use serde_json::{Map, Value as Json};

use super::entry::Entry;

/// Some editors on Windows begin a file with it.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Comments and trailing commas, and nothing else besides JSON.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Reads a text. The parser keeps comments as they are even where told that there may be none, so that strict JSON is
/// judged by another.
fn parse(text: &str, has_comments: bool) -> Result<CstRootNode, String> {
    if !has_comments && !text.trim().is_empty() {
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| error.to_string())?;
    }
    CstRootNode::parse(text, &OPTIONS).map_err(|error| error.to_string())
}

/// The whole document; an empty file is an empty object.
pub(super) fn value(text: &str, has_comments: bool) -> Result<Json, String> {
    let root = parse(text.trim_start_matches(BYTE_ORDER_MARK), has_comments)?;
    match root.to_serde_value() {
        None => Ok(Json::Object(Map::new())),
        Some(value) if value.is_object() => Ok(value),
        Some(_) => Err("it holds no object".into()),
    }
}

/// Puts an entry in, or brings the one that is there up to date.
pub(super) fn put(text: &str, has_comments: bool, servers: &str, name: &str, entry: &Entry) -> Result<String, String> {
    if let Some(with) = put_in_line(text, has_comments, servers, name, entry)? {
        return Ok(with);
    }
    edit(text, has_comments, |top| {
        let no_object = |what: &str| format!("\"{what}\" is no object");
        let list = top.object_value_or_create(servers).ok_or_else(|| no_object(servers))?;
        let Some(found) = list.get(name) else {
            list.append(name, input(&Json::Object(entry.whole())));
            return Ok(());
        };
        let found = found.object_value().ok_or_else(|| no_object(name))?;
        for (field, value) in &entry.fields {
            match found.get(field) {
                Some(held) if held.to_serde_value().as_ref() == Some(value) => {}
                Some(held) => held.set_value(input(value)),
                None => drop(found.append(field, input(value))),
            }
        }
        for field in &entry.foreign {
            if let Some(held) = found.get(field) {
                held.remove();
            }
        }
        Ok(())
    })
}

/// Puts an entry into an object of servers that stands on one line, on that line; none when it does not, is empty or
/// has the entry. The editor would spread such an object over several lines, and there is no way back from that.
fn put_in_line(
    text: &str,
    has_comments: bool,
    servers: &str,
    name: &str,
    entry: &Entry,
) -> Result<Option<String>, String> {
    let mark = text.len() - text.trim_start_matches(BYTE_ORDER_MARK).len();
    let body = text.get(mark..).unwrap_or_default();
    parse(body, has_comments)?;
    let parsed = parse_to_ast(body, &CollectOptions::default(), &OPTIONS).map_err(|error| error.to_string())?;
    let Some(Value::Object(top)) = parsed.value else { return Ok(None) };
    let Some(list) = top.get_object(servers) else { return Ok(None) };
    let Some(ending) = list.properties.last().filter(|_| list.get(name).is_none()) else { return Ok(None) };
    if body.get(list.range.start..list.range.end).is_none_or(|object| object.contains(['\n', '\r'])) {
        return Ok(None);
    }
    let (before, after) = (body.get(..ending.range.end), body.get(ending.range.end..));
    let (Some(before), Some(after)) = (before, after) else { return Ok(None) };
    let (key, value) = (Json::from(name), Json::from(entry.whole()));
    Ok(Some(format!("{}{before}, {key}: {value}{after}", text.get(..mark).unwrap_or_default())))
}

/// Takes an entry out, and the object around it when nothing is left in that.
pub(super) fn take(text: &str, has_comments: bool, servers: &str, name: &str) -> Result<String, String> {
    edit(text, has_comments, |top| {
        let Some(list) = top.object_value(servers) else { return Ok(()) };
        let Some(found) = list.get(name) else { return Ok(()) };
        found.remove();
        let is_empty =
            list.properties().is_empty() && !list.children().iter().any(jsonc_parser::cst::CstNode::is_comment);
        if let Some(around) = top.get(servers).filter(|_| is_empty) {
            around.remove();
        }
        Ok(())
    })
}

fn edit(
    text: &str,
    has_comments: bool,
    change: impl FnOnce(&CstObject) -> Result<(), String>,
) -> Result<String, String> {
    let body = text.trim_start_matches(BYTE_ORDER_MARK);
    let root = parse(body, has_comments)?;
    let top = root.object_value_or_create().ok_or("it holds no object")?;
    change(&top)?;
    let mark = if body.len() == text.len() { "" } else { "\u{feff}" };
    Ok(format!("{mark}{root}"))
}

fn input(value: &Json) -> CstInputValue {
    match value {
        Json::Null => CstInputValue::Null,
        Json::Bool(value) => CstInputValue::Bool(*value),
        Json::Number(value) => CstInputValue::Number(value.to_string()),
        Json::String(value) => CstInputValue::String(value.clone()),
        Json::Array(values) => CstInputValue::Array(values.iter().map(input).collect()),
        Json::Object(fields) => {
            CstInputValue::Object(fields.iter().map(|(name, value)| (name.clone(), input(value))).collect())
        }
    }
}
