//! Laws of input schemas: what a key's own schema becomes.

use super::*;

/// What in a schema some client cannot read. A part may be untyped, but not an argument.
pub(super) fn problems(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    dialect(schema, "", &mut found);
    if schema["type"] != "object" || schema["additionalProperties"] != false || !schema["properties"].is_object() {
        found.push("no flat object".into());
    }
    for (name, argument) in schema["properties"].as_object().into_iter().flatten() {
        if !argument["type"].is_string() {
            found.push(format!("{name} has no type"));
        }
    }
    found
}

fn dialect(schema: &Value, path: &str, found: &mut Vec<String>) {
    const WORDS: [&str; 21] = [
        "type",
        "description",
        "enum",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "format",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
    ];
    let Some(members) = schema.as_object() else {
        found.push(format!("{path} is {schema}"));
        return;
    };
    found
        .extend(members.keys().filter(|word| !WORDS.contains(&word.as_str())).map(|word| format!("{path} has {word}")));
    if members.get("type").is_some_and(|kind| !kind.is_string()) {
        found.push(format!("{path} has a list of types"));
    }
    if members.get("enum").is_some_and(|listed| schema["type"] != "string" || !listed.is_array()) {
        found.push(format!("{path} lists what are no strings"));
    }
    let properties = members.get("properties").and_then(Value::as_object);
    for name in members.get("required").and_then(Value::as_array).into_iter().flatten() {
        if properties.is_none_or(|properties| !properties.contains_key(name.as_str().unwrap_or_default())) {
            found.push(format!("{path} requires {name}, which it does not declare"));
        }
    }
    for (name, property) in properties.into_iter().flatten() {
        dialect(property, &format!("{path}/{name}"), found);
    }
    if let Some(items) = members.get("items") {
        dialect(items, &format!("{path}[]"), found);
    } else if schema["type"] == "array" {
        found.push(format!("{path} does not say of what"));
    }
    if let Some(rest) = members.get("additionalProperties").filter(|rest| **rest != json!(false)) {
        dialect(rest, &format!("{path}/*"), found);
    }
}

#[test]
fn a_schema_that_some_client_cannot_read_is_found() {
    let object =
        |argument: Value| json!({"type": "object", "properties": {"a": argument}, "additionalProperties": false});
    assert_eq!(problems(&object(json!({"type": "array", "items": {}}))), Vec::<String>::new());
    for bad in [
        json!({}),
        json!({"type": "array"}),
        json!({"type": ["string", "null"]}),
        json!({"type": "object", "properties": {"x": true}}),
        json!({"type": "object", "required": ["x"]}),
        json!({"type": "integer", "enum": [1]}),
        json!({"type": "string", "anyOf": []}),
        json!({"type": "string", "title": "T"}),
    ] {
        assert!(!problems(&object(bad.clone())).is_empty(), "{bad}");
    }
    assert!(!problems(&json!({"type": "string"})).is_empty());
}

#[test]
fn schemas_are_brought_to_the_dialect() {
    let point = json!({"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]});
    for (given, expected) in [
        (
            json!({"$schema": "s", "$id": "i", "title": "T", "type": "integer", "format": "uint64"}),
            json!({"type": "integer"}),
        ),
        (json!({"type": ["null", "string"], "maxLength": 9}), json!({"type": "string", "maxLength": 9})),
        (json!({"enum": ["a", "b", null]}), json!(null)),
        (json!({"type": ["string", "null"], "enum": ["a", null]}), json!({"type": "string", "enum": ["a"]})),
        (json!({"const": "a"}), json!({"type": "string", "enum": ["a"]})),
        (json!({"enum": [1, 2]}), json!({"type": "integer"})),
        (json!({"pattern": "^a+$", "minLength": 2}), json!({"type": "string", "minLength": 2, "pattern": "^a+$"})),
        (json!({"type": "string", "format": "date-time"}), json!({"type": "string", "format": "date-time"})),
        (json!({"type": "string", "format": "email"}), json!({"type": "string"})),
        (json!({"type": "array"}), json!({"type": "array", "items": {}})),
        (json!({"type": "array", "items": false}), json!({"type": "array", "items": {}})),
        (
            json!({"prefixItems": [{}], "type": "array", "items": {"type": "number"}}),
            json!({"type": "array", "items": {}}),
        ),
        (
            json!({"patternProperties": {"^a": {}}, "type": "object", "additionalProperties": false}),
            json!({"type": "object", "properties": {}}),
        ),
        (json!({"$defs": {"p": point}, "$ref": "#/$defs/p"}), point.clone()),
        (
            json!({"properties": {"at": {"$ref": "#/definitions/p", "description": "here"}},
                "definitions": {"p": point}}),
            json!({"type": "object", "properties": {"at": {"type": "object", "description": "here",
                "properties": {"x": {"type": "number"}}, "required": ["x"]}}}),
        ),
        (
            json!({"type": "object", "properties": {
                "a": {"anyOf": [{"type": "integer"}, {"type": "null"}]}, "b": true}}),
            json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {}}}),
        ),
        (json!({"type": "integer", "minimum": "1", "maximum": 3}), json!({"type": "integer", "maximum": 3})),
        (
            json!({"type": "object", "required": ["gone"], "additionalProperties": false}),
            json!({"type": "object", "properties": {}, "additionalProperties": false}),
        ),
    ] {
        let normal = normalise(&given).map_or(Value::Null, Value::Object);
        assert_eq!(normal, expected, "{given}");
    }
}

#[test]
fn a_schema_that_would_become_another_is_not_shown() {
    let wide: serde_json::Map<_, _> = (0..99).map(|at| (format!("member{at}"), json!({"type": "string"}))).collect();
    let mut deep = json!({"type": "string"});
    for _ in 0..11 {
        deep = json!({"type": "array", "items": deep});
    }
    // Each level refers to the next twice: 2^30 parts when written out.
    let mut defs = serde_json::Map::new();
    for at in 0..30 {
        let next = json!({"$ref": format!("#/$defs/d{}", at + 1)});
        defs.insert(format!("d{at}"), json!({"type": "object", "properties": {"a": next, "b": next}}));
    }
    for bad in [
        json!(true),
        json!({}),
        json!({"type": "null"}),
        json!({"oneOf": [{"type": "string"}, {"type": "integer"}]}),
        json!({"type": "object", "properties": {"a": {"allOf": [{}, {}]}}}),
        json!({"allOf": [{"properties": {"a": {}}, "additionalProperties": false}], "properties": {"b": {}}}),
        json!({"$ref": "#"}),
        json!({"$ref": "other.json"}),
        json!({"$ref": "#/nowhere"}),
        json!({"type": "object", "properties": {"child": {"$ref": "#"}}}),
        json!({"$ref": "#/$defs/d0", "$defs": defs}),
        json!({"type": "object", "properties": wide}),
        json!({"type": "object", "properties": {"a\u{202e}": {"type": "string"}}}),
        json!({"type": "string", "enum": ["a\u{200b}"]}),
        json!({"type": "string", "enum": []}),
        deep,
    ] {
        assert_eq!(normalise(&bad), None, "{bad}");
    }
}

#[test]
fn the_value_has_the_schema_of_its_key_where_both_are_of_one_mind() {
    let value = |key_type, schema: Option<Value>| {
        let tools = listed(&[Owned { key_type, schema, ..Owned::new("k") }], WIDE).tools;
        Value::Object(tools[0].input_schema.clone())["properties"]["value"].clone()
    };
    let string = |description: &str| json!({"type": "string", "description": description});
    let short = json!({"maxLength": 5, "enum": ["a", "b"]});
    for (key_type, schema, expected) in [
        (KeyType::Text, None, string("The whole text")),
        (KeyType::Json, None, string("JSON text")),
        (KeyType::Image, None, string("Base64")),
        (KeyType::File, Some(json!({"type": "string"})), string("Base64")),
        (
            KeyType::Text,
            Some(short),
            json!({"type": "string", "enum": ["a", "b"], "maxLength": 5, "description": "The whole text"}),
        ),
        (KeyType::Text, Some(json!({"type": "object"})), string("The whole text, checked by the key's schema")),
        (
            KeyType::Json,
            Some(json!({"type": "number", "description": "Metres"})),
            json!({"type": "number", "description": "Metres"}),
        ),
        // A string is JSON text, whatever the schema says.
        (KeyType::Json, Some(json!({"type": "string"})), string("JSON text, checked by the key's schema")),
        (KeyType::Json, Some(json!({"oneOf": [{}, {}]})), string("JSON text, checked by the key's schema")),
    ] {
        assert_eq!(value(key_type, schema.clone()), expected, "{key_type:?} {schema:?}");
    }
}

proptest! {
    #[test]
    fn whatever_is_given_comes_out_in_the_dialect_or_not_at_all(given in any_schema()) {
        let Some(normal) = normalise(&given).map(Value::Object) else { return Ok(()) };
        let as_argument = json!({"type": "object", "properties": {"value": normal}, "additionalProperties": false});
        prop_assert_eq!(problems(&as_argument), Vec::<String>::new());
        prop_assert!(normal.to_string().len() <= 1200);
        prop_assert!(!text::is_hostile(&normal.to_string()));
        // And once is enough.
        prop_assert_eq!(normalise(&normal).map(Value::Object), Some(normal));
    }
}
