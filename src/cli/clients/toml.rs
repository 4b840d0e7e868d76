//! Edits of a config in TOML: what is not ours keeps every byte.

use serde_json::{Map, Value as Json};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value};

use super::entry::Entry;

/// Where the text is wrong, without quoting it: a line may hold a secret.
fn parse(text: &str) -> Result<DocumentMut, String> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("{} on line {line} column {column}", error.message().replace('\n', ", "))
    })
}

/// The whole document as JSON; what JSON has not is text.
pub(super) fn value(text: &str) -> Result<Json, String> {
    Ok(table_to_json(parse(text)?.iter()))
}

/// Puts an entry in, or brings the one that is there up to date.
pub(super) fn put(text: &str, servers: &str, name: &str, entry: &Entry) -> Result<String, String> {
    let mut document = parse(text)?;
    let is_first = document.is_empty();
    let around = document.entry(servers).or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let list = around.as_table_like_mut().ok_or_else(|| format!("{servers} is no table"))?;
    let Some(found) = list.get_mut(name) else {
        let mut table = Table::new();
        for (field, value) in &entry.whole() {
            table.insert(field, Item::Value(from_json(value)));
        }
        table.decor_mut().set_prefix(if is_first { "" } else { "\n" });
        list.insert(name, Item::Table(table));
        return Ok(document.to_string());
    };
    let found = found.as_table_like_mut().ok_or_else(|| format!("{servers}.{name} is no table"))?;
    for (field, value) in &entry.fields {
        match found.get_mut(field) {
            Some(held) if item_to_json(held) == *value => {}
            Some(Item::Value(held)) => {
                let decor = held.decor().clone();
                *held = from_json(value);
                *held.decor_mut() = decor;
            }
            Some(held) => *held = Item::Value(from_json(value)),
            None => drop(found.insert(field, Item::Value(from_json(value)))),
        }
    }
    for field in &entry.foreign {
        found.remove(field);
    }
    Ok(document.to_string())
}

/// Takes an entry out.
pub(super) fn take(text: &str, servers: &str, name: &str) -> Result<String, String> {
    let mut document = parse(text)?;
    let list = document.get_mut(servers).and_then(Item::as_table_like_mut);
    match list.and_then(|list| list.remove(name)) {
        Some(_) => Ok(document.to_string()),
        None => Ok(text.to_owned()),
    }
}

fn from_json(value: &Json) -> Value {
    match value {
        Json::Null => "".into(),
        Json::Bool(value) => (*value).into(),
        Json::Number(value) => value.as_i64().map_or_else(|| value.as_f64().unwrap_or_default().into(), Value::from),
        Json::String(value) => value.as_str().into(),
        Json::Array(values) => Value::Array(values.iter().map(from_json).collect::<Array>()),
        Json::Object(fields) => {
            let pairs = fields.iter().map(|(name, value)| (name.clone(), from_json(value)));
            Value::InlineTable(pairs.collect::<InlineTable>())
        }
    }
}

fn item_to_json(item: &Item) -> Json {
    match item {
        Item::None => Json::Null,
        Item::Value(value) => value_to_json(value),
        Item::Table(table) => table_to_json(table.iter()),
        Item::ArrayOfTables(tables) => tables.iter().map(|table| table_to_json(table.iter())).collect(),
    }
}

fn value_to_json(value: &Value) -> Json {
    match value {
        Value::String(value) => value.value().as_str().into(),
        Value::Integer(value) => (*value.value()).into(),
        Value::Float(value) => (*value.value()).into(),
        Value::Boolean(value) => (*value.value()).into(),
        Value::Datetime(value) => value.value().to_string().into(),
        Value::Array(values) => values.iter().map(value_to_json).collect(),
        Value::InlineTable(table) => {
            table.iter().map(|(name, value)| (name.to_owned(), value_to_json(value))).collect::<Map<_, _>>().into()
        }
    }
}

fn table_to_json<'a>(fields: impl Iterator<Item = (&'a str, &'a Item)>) -> Json {
    fields.map(|(name, item)| (name.to_owned(), item_to_json(item))).collect::<Map<_, _>>().into()
}
