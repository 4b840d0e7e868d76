//! Laws of the whole registry: names, the schema dialect, and that schema and reading agree.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{
    operation::{Answer, Entry},
    registry,
};

#[test]
fn names_are_unique_short_and_of_one_form() {
    let mut names: Vec<_> = registry().iter().map(|entry| entry.name).collect();
    for name in &names {
        assert!(
            name.len() <= 32 && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
            "{name}"
        );
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), registry().len());
}

#[test]
fn every_operation_says_what_it_is_for_in_300_characters() {
    for entry in registry() {
        let length = entry.description().chars().count();
        assert!((20..=300).contains(&length), "{}: {length} characters", entry.name);
        assert!(!entry.meta.title.is_empty(), "{}", entry.name);
    }
}

#[test]
fn every_schema_keeps_to_the_dialect() {
    for entry in registry() {
        let input = Value::Object(Map::clone(&entry.input_schema()));
        let output = Value::Object(Map::clone(&entry.output_schema()));
        for (what, schema) in [("input", &input), ("output", &output)] {
            assert_eq!(schema["type"], "object", "{} {what}", entry.name);
            keeps_to_the_dialect(schema, what == "input", &format!("{} {what}", entry.name));
        }
        assert_eq!(input["additionalProperties"], false, "{}", entry.name);
        for (name, property) in input["properties"].as_object().into_iter().flatten() {
            assert!(property["type"].is_string(), "{} {name} has no single type", entry.name);
            assert!(property["description"].is_string(), "{} {name} is not described", entry.name);
        }
    }
}

fn keeps_to_the_dialect(schema: &Value, is_input: bool, place: &str) {
    let object = schema.as_object().unwrap_or_else(|| panic!("{place}: {schema}"));
    for banned in ["$ref", "$defs", "$schema", "title", "oneOf", "anyOf", "allOf", "format", "const", "default"] {
        assert!(!object.contains_key(banned), "{place} has {banned}");
    }
    if is_input {
        assert!(!object.get("type").is_some_and(Value::is_array), "{place} has several types");
    }
    for (name, property) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
        keeps_to_the_dialect(property, is_input, &format!("{place}.{name}"));
    }
    if let Some(items) = object.get("items") {
        keeps_to_the_dialect(items, is_input, &format!("{place}[]"));
    }
}

/// The operation's own reading of arguments.
fn reads(entry: &Entry, args: &Value) -> bool {
    match &entry.answer {
        Answer::Turn(parse) => parse(args.clone()).is_ok(),
        Answer::Procedure(parse) => parse(args.clone()).is_ok(),
        Answer::Search => super::operation::parse::<super::catalog::Search>(args.clone()).is_ok(),
        Answer::Forward => super::operation::parse::<super::catalog::Forward>(args.clone()).is_ok(),
    }
}

/// Values around the bounds of a property's schema, right and wrong ones.
fn around(property: &Value) -> BoxedStrategy<Value> {
    let of_kind: BoxedStrategy<Value> = match property["type"].as_str() {
        Some("string") if property["enum"].is_array() => {
            let choices = property["enum"].as_array().unwrap().clone();
            prop_oneof![prop::sample::select(choices), Just(json!("nonsense"))].boxed()
        }
        Some("string") => {
            let least = property["minLength"].as_u64().unwrap_or(0);
            let most = property["maxLength"].as_u64().unwrap_or(40);
            prop::sample::select(vec![least.saturating_sub(1), least, most, most + 1, 3])
                .prop_flat_map(|length| prop_oneof![Just("a"), Just("é"), Just("😀")].prop_map(move |c| (c, length)))
                .prop_map(|(c, length)| Value::from(c.repeat(usize::try_from(length).unwrap())))
                .boxed()
        }
        Some("integer") => {
            let least = property["minimum"].as_i64().unwrap_or(-5);
            let most = property["maximum"].as_i64().unwrap_or(1000);
            prop::sample::select(vec![least - 1, least, most, most.saturating_add(1), -1, 0, 1])
                .prop_map(Value::from)
                .boxed()
        }
        Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
        Some("array") => {
            let items = &property["items"];
            prop::collection::vec(around(items), 0..3).prop_map(Value::from).boxed()
        }
        Some("object") => Just(json!({"type": "object"})).boxed(),
        other => panic!("no values for {other:?}"),
    };
    let of_another = prop::sample::select(vec![json!(true), json!([1]), json!(1.5), json!("a"), json!({}), json!(7)]);
    prop_oneof![6 => of_kind, 1 => of_another].boxed()
}

fn arguments(entry: &'static Entry) -> BoxedStrategy<Value> {
    let schema = Value::Object(Map::clone(&entry.input_schema()));
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    let members: Vec<BoxedStrategy<Option<(String, Value)>>> = properties
        .into_iter()
        .map(|(name, property)| {
            let required = schema["required"].as_array().is_some_and(|names| names.contains(&json!(name)));
            let weight = if required { 20 } else { 1 };
            let present = around(&property).prop_map(move |value| Some((name.clone(), value)));
            prop_oneof![weight => present, 1 => Just(None)].boxed()
        })
        .collect();
    let stray = prop_oneof![20 => Just(None), 1 => Just(Some(("stray".to_owned(), json!(1))))];
    (members, stray)
        .prop_map(|(members, stray)| Value::Object(members.into_iter().chain([stray]).flatten().collect()))
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// What the schema allows is read, and what it forbids is refused. The one leniency: `value` is understood
    /// in any JSON, because models send the object itself.
    #[test]
    fn schema_and_reading_agree((index, args) in (0..registry().len()).prop_flat_map(|index| {
        let entry = &registry()[index];
        (Just(index), arguments(entry))
    })) {
        let entry = &registry()[index];
        let mut judged = args.clone();
        if let Some(value) = judged.get_mut("value").filter(|value| !value.is_string()) {
            *value = json!("text");
        }
        let schema = Value::Object(Map::clone(&entry.input_schema()));
        let allowed = jsonschema::validator_for(&schema).unwrap().is_valid(&judged);
        prop_assert_eq!(allowed, reads(entry, &args), "{} {}", entry.name, args);
    }
}

/// `schemas/operations.json` is generated from the types: `UPDATE_EXPECT=1 cargo test` writes it anew.
#[test]
fn the_published_schemas_are_those_of_the_types() {
    let operations: Map<String, Value> = registry()
        .iter()
        .filter(|entry| entry.meta.listing != super::operation::Listing::Internal)
        .map(|entry| {
            let facts = json!({
                "title": entry.meta.title,
                "description": entry.description(),
                "toolset": entry.meta.toolset,
                "effect": entry.meta.effect,
                "events": entry.meta.events,
                "input_schema": Value::Object(Map::clone(&entry.input_schema())),
                "output_schema": Value::Object(Map::clone(&entry.output_schema())),
            });
            (entry.name.to_owned(), facts)
        })
        .collect();
    let text = format!("{:#}\n", Value::Object(operations));
    expect_test::expect_file!["../../schemas/operations.json"].assert_eq(&text);
}
