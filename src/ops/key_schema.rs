//! The JSON Schema that a key may carry: checked when it is given, and against every value written.

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use crate::model::{error::OpError, key::KeyType, limits, value::Content};

/// Checks a schema itself: size, depth, dialect, and that it refers to nothing outside.
pub fn check(schema: &Value) -> Result<(), OpError> {
    let size = schema.to_string().len();
    if size > limits::SCHEMA_BYTES {
        return Err(OpError::TooLarge {
            what: "the schema".into(),
            got_bytes: size as u64,
            limit_bytes: limits::SCHEMA_BYTES as u64,
            remedy: "Describe the value more loosely".into(),
        });
    }
    if depth(schema) > limits::SCHEMA_DEPTH {
        return Err(OpError::invalid("schema", "a schema nests at most 32 levels", "more"));
    }
    if let Some(word) = find_word(schema, &["$ref", "$dynamicRef", "$recursiveRef"]) {
        // References can be nested so that checking a value takes longer than the universe lasts.
        return Err(OpError::invalid("schema", "a schema of a key is written out in full, without references", word));
    }
    if count_patterns(schema) > limits::SCHEMA_PATTERNS {
        return Err(OpError::invalid("schema", "a schema of a key has at most 8 patterns", "more"));
    }
    compile(schema).map(drop)
}

/// Checks a value against the schema of its key. Images and files have none.
pub fn validate(schema: &Value, key_type: KeyType, content: &Content) -> Result<(), OpError> {
    let Content::Text(text) = content else { return Ok(()) };
    let value = match key_type {
        KeyType::Json => serde_json::from_str(text)
            .map_err(|error| OpError::invalid("value", format!("the value is JSON text: {error}"), text))?,
        _ => Value::String(text.clone()),
    };
    let validator = compile(schema)?;
    validator.validate(&value).map_err(|error| {
        let at = error.instance_path().to_string();
        let place = if at.is_empty() { String::new() } else { format!(" at {at}") };
        OpError::invalid("value", format!("it does not satisfy the schema of the key{place}: {}", error.masked()), text)
    })
}

fn compile(schema: &Value) -> Result<Validator, OpError> {
    // The linear-time pattern engine: a stored pattern must not be able to hold up the instance.
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex().size_limit(limits::PATTERN_BYTES))
        .build(schema)
        .map_err(|error| OpError::invalid("schema", format!("it is not a JSON Schema of 2020-12: {error}"), ""))
}

/// The first of these words that the schema uses as a keyword.
fn find_word<'s>(schema: &Value, words: &[&'s str]) -> Option<&'s str> {
    match schema {
        Value::Array(items) => items.iter().find_map(|item| find_word(item, words)),
        Value::Object(members) => words
            .iter()
            .find(|word| members.contains_key(**word))
            .copied()
            .or_else(|| members.values().find_map(|member| find_word(member, words))),
        _ => None,
    }
}

fn count_patterns(schema: &Value) -> usize {
    match schema {
        Value::Array(items) => items.iter().map(count_patterns).sum(),
        Value::Object(members) => {
            let of_names = members.get("patternProperties").and_then(Value::as_object).map_or(0, serde_json::Map::len);
            let own = usize::from(members.contains_key("pattern"));
            own + of_names + members.values().map(count_patterns).sum::<usize>()
        }
        _ => 0,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_checked_as_what_it_is() {
        let schema =
            json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]});
        let json = |text: &str| validate(&schema, KeyType::Json, &Content::Text(text.into()));
        assert!(json(r#"{"n":1}"#).is_ok());
        let error = json(r#"{"n":0}"#).unwrap_err();
        assert!(error.to_string().contains("/n"), "{error}");
        let text = validate(&json!({"type": "string", "maxLength": 2}), KeyType::Text, &Content::Text("abc".into()));
        assert_eq!(text.unwrap_err().code(), "invalid_argument");
    }

    #[test]
    fn a_schema_that_cannot_be_used_is_refused() {
        let mut deep = json!({});
        for _ in 0..40 {
            deep = json!({"properties": {"a": deep}});
        }
        let many =
            json!({"patternProperties": (0..9).map(|n| (n.to_string(), json!({}))).collect::<serde_json::Map<_, _>>()});
        let large = json!({"type": "string", "pattern": "(\\pL{200}x)?".repeat(40)});
        for bad in [json!({"type": "nonsense"}), json!({"$ref": "http://example.invalid/x"}), deep, many, large] {
            assert!(check(&bad).is_err(), "{bad}");
        }
    }
}
