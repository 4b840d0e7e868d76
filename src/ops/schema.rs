//! The schema dialect: what every client can read. One transform over what schemars derives.
//!
//! An object at the root without `oneOf`, `anyOf` or `allOf`, subschemas inlined, no `$schema`, no titles,
//! no number formats, no `null` alternatives in arguments, no boolean subschemas: a single stray one makes
//! some clients drop every tool of a server.

use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde_json::{Map, Value};

/// The schema of arguments.
pub fn input<T: JsonSchema>() -> Map<String, Value> {
    derive::<T>(SchemaSettings::draft2020_12().for_deserialize(), true)
}

/// The schema of a result. Its members explain themselves, and every byte is paid in each conversation, so
/// it carries no descriptions.
pub fn output<T: JsonSchema>() -> Map<String, Value> {
    let mut schema = derive::<T>(SchemaSettings::draft2020_12().for_serialize(), false);
    if let Some(Value::Object(members)) = schema.get_mut("properties") {
        members.values_mut().for_each(flatten);
    }
    schema
}

/// A member of a result is told by its kind alone: what is in it is plain to who reads the result.
fn flatten(member: &mut Value) {
    let Some(object) = member.as_object_mut() else { return };
    for detail in ["properties", "required", "additionalProperties", "enum"] {
        object.remove(detail);
    }
    if let Some(items) = object.get_mut("items") {
        flatten(items);
    }
}

/// A free JSON object as a member: an untyped schema would be `true`.
pub fn any_object(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({"type": "object"})
}

/// Objects whose members are another tool's output: spelling them again would cost every conversation a kilobyte.
pub fn objects(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({"type": "array", "items": {"type": "object"}})
}

fn derive<T: JsonSchema>(mut settings: SchemaSettings, is_input: bool) -> Map<String, Value> {
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    mend(&mut schema, is_input);
    match schema {
        Value::Object(mut object) => {
            object.entry("type").or_insert_with(|| "object".into());
            object
        }
        _ => Map::from_iter([("type".to_owned(), "object".into())]),
    }
}

fn mend(schema: &mut Value, is_input: bool) {
    match schema {
        Value::Bool(true) => *schema = Value::Object(Map::new()),
        Value::Object(object) => mend_object(object, is_input),
        _ => {}
    }
}

fn mend_object(object: &mut Map<String, Value>, is_input: bool) {
    object.remove("$schema");
    object.remove("title");
    object.remove("format");
    object.remove("default");
    if !is_input {
        object.remove("description");
    } else if let Some(Value::String(text)) = object.get_mut("description") {
        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    without_null_alternative(object);
    constants_to_enum(object);
    if object.get("minLength").is_some_and(|least| least == 0) {
        object.remove("minLength");
    }
    if !is_input {
        object.remove("minimum");
    }
    let required = object.get("required").cloned().unwrap_or_default();
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        for (name, property) in properties {
            mend(property, is_input);
            // A member that may be absent is absent rather than null.
            if !required.as_array().is_some_and(|required| required.iter().any(|member| member == name)) {
                without_null_type(property);
            }
        }
    }
    for member in ["items", "additionalProperties"] {
        // `additionalProperties: false` is the one boolean that stays.
        if let Some(inner) = object.get_mut(member).filter(|inner| **inner != Value::Bool(false)) {
            mend(inner, is_input);
        }
    }
}

/// `type: [X, "null"]` becomes X.
fn without_null_type(schema: &mut Value) {
    let Some(Value::Array(types)) = schema.get_mut("type") else { return };
    types.retain(|name| name != "null");
    if let [only] = types.as_slice() {
        let only = only.clone();
        if let Some(object) = schema.as_object_mut() {
            object.insert("type".into(), only);
        }
    }
}

/// `anyOf: [X, null]`, schemars' form of an optional inlined type, becomes X.
fn without_null_alternative(object: &mut Map<String, Value>) {
    let Some(Value::Array(mut choices)) = object.remove("anyOf") else { return };
    choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
    if let [Value::Object(only)] = choices.as_slice() {
        for (name, value) in only {
            object.entry(name.clone()).or_insert_with(|| value.clone());
        }
    } else {
        object.insert("anyOf".into(), Value::Array(choices));
    }
}

/// `oneOf` of constants, schemars' form of an enum with documented variants, becomes `enum`.
fn constants_to_enum(object: &mut Map<String, Value>) {
    let Some(Value::Array(choices)) = object.get("oneOf") else { return };
    let constants: Option<Vec<Value>> = choices.iter().map(|choice| choice.get("const").cloned()).collect();
    if let Some(constants) = constants {
        object.remove("oneOf");
        object.insert("type".into(), "string".into());
        object.insert("enum".into(), Value::Array(constants));
    }
}

/// Models send `"5"` and `5.0` where a whole number is asked for, and `null` for what they leave out.
pub fn lenient(mut args: Map<String, Value>, schema: &Map<String, Value>) -> Map<String, Value> {
    let Some(Value::Object(properties)) = schema.get("properties") else { return args };
    args.retain(|name, value| !value.is_null() || name == "value");
    for (name, value) in &mut args {
        let is_integer =
            properties.get(name).and_then(|property| property.get("type")).is_some_and(|kind| kind == "integer");
        if let (true, Some(number)) = (is_integer, whole(value)) {
            *value = number.into();
        }
    }
    args
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::String(digits) => digits.parse().ok(),
        #[expect(clippy::cast_possible_truncation, reason = "a whole number within 2^53 is exact")]
        Value::Number(number) => number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 9e15).map(|n| n as i64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_understood_as_models_send_them() {
        let schema = json!({"properties": {"limit": {"type": "integer"}, "key": {"type": "string"}}});
        let args = json!({"limit": "5", "key": "7", "cursor": null});
        let (Value::Object(schema), Value::Object(args)) = (schema, args) else { panic!() };
        assert_eq!(Value::Object(lenient(args, &schema)), json!({"limit": 5, "key": "7"}));
        assert_eq!(whole(&json!(5.0)), Some(5));
        assert_eq!(whole(&json!(5.5)), None);
        assert_eq!(whole(&json!("x")), None);
    }
}
