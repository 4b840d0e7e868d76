//! The text of a value that is searched.

use std::borrow::Cow;

use serde_json::Value;

use crate::model::key::KeyType;

/// So much of a value is searched.
pub const INDEXED_BYTES: usize = 64 * 1024;

/// The words in a value, without what is only its notation; nothing for pictures and files.
pub fn plain(key_type: KeyType, text: &str) -> Cow<'_, str> {
    match key_type {
        KeyType::Text => Cow::Borrowed(text),
        KeyType::Json => Cow::Owned(members(text)),
        KeyType::Image | KeyType::File => Cow::Borrowed(""),
    }
}

/// The names and values of a JSON text; of one that was cut, all but its escapes.
fn members(text: &str) -> String {
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return ["\\n", "\\t", "\\r", "\\\"", "\\/"]
            .iter()
            .fold(text.to_owned(), |text, escape| text.replace(escape, " "));
    };
    let mut found = String::new();
    collect(&value, &mut found);
    found.trim_end().to_owned()
}

fn collect(value: &Value, found: &mut String) {
    match value {
        Value::Null => {}
        Value::Bool(is_true) => found.push_str(if *is_true { "true, " } else { "false, " }),
        Value::Number(number) => {
            found.push_str(&number.to_string());
            found.push_str(", ");
        }
        Value::String(text) => {
            found.push_str(text);
            found.push_str(", ");
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(members) => {
            for (name, member) in members {
                found.push_str(name);
                found.push_str(": ");
                collect(member, found);
            }
        }
    }
}
