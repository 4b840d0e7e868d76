//! A key's JSON Schema in the dialect that every client reads, as the schema of an argument.
//!
//! What comes out is a guide for the caller, not the judge: the operation checks the value against the schema as
//! it was given. So a rule that clients do not understand is left out (wider), a choice with `null` loses it
//! (narrower), and a schema that would come out as something else altogether is not shown at all.

use serde_json::{Map, Value};

use super::text;

/// Largest schema of an argument.
const SCHEMA_BYTES: usize = 1200;
/// Deepest nesting of subschemas.
const DEPTH: usize = 10;
/// Most subschemas, references followed included: what a small schema with many references grows to is bounded.
const STEPS: usize = 256;
/// Longest description of a part, in characters.
const DESCRIPTION_CHARACTERS: usize = 120;
/// Ways of combining schemas, which some clients refuse wherever they stand.
const COMBINING: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Words of a schema that are no rules.
const REMARKS: [&str; 8] = ["$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated"];
/// Types that an argument may have.
const TYPES: [&str; 6] = ["string", "integer", "number", "boolean", "array", "object"];

/// The schema as that of an argument: one type at the root, local references inlined, no combining words, no
/// boolean subschemas, no titles, defaults and examples, and nothing in it that cannot be seen. Nothing when it
/// cannot be brought to that, or is over 1,200 bytes or 10 levels.
pub fn normalise(schema: &Value) -> Option<Map<String, Value>> {
    let mut walk = Walk { root: schema, steps: STEPS };
    let normal = walk.subschema(schema, 0)?;
    let is_small = serde_json::to_string(&normal).is_ok_and(|text| text.len() <= SCHEMA_BYTES);
    (normal.contains_key("type") && is_small).then_some(normal)
}

struct Walk<'a> {
    root: &'a Value,
    steps: usize,
}

impl Walk<'_> {
    fn subschema(&mut self, schema: &Value, depth: usize) -> Option<Map<String, Value>> {
        if depth > DEPTH {
            return None;
        }
        let object = match schema {
            // Some clients drop all tools of a server for one boolean subschema.
            Value::Bool(_) => return Some(Map::new()),
            Value::Object(object) => self.flat(object.clone())?,
            _ => return None,
        };
        let mut normal = Map::new();
        let kind = kind(&object);
        if let Some(kind) = kind {
            normal.insert("type".into(), kind.into());
        }
        if let Some(Value::String(description)) = object.get("description") {
            let description = text::clean(description, DESCRIPTION_CHARACTERS);
            if !description.is_empty() {
                normal.insert("description".into(), description.into());
            }
        }
        match kind {
            Some("string") => string(&object, &mut normal)?,
            Some("integer" | "number") => {
                let rules = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
                copy(&object, &rules, Value::is_number, &mut normal);
            }
            Some("array") => self.array(&object, &mut normal, depth)?,
            Some("object") => self.object(&object, &mut normal, depth)?,
            _ => {}
        }
        Some(normal)
    }

    /// Follows references and choices that leave one way, until neither is left.
    fn flat(&mut self, mut object: Map<String, Value>) -> Option<Map<String, Value>> {
        loop {
            self.steps = self.steps.checked_sub(1)?;
            if object.contains_key("$dynamicRef") || object.contains_key("$recursiveRef") {
                return None;
            }
            let inner = if let Some(reference) = object.shift_remove("$ref") {
                self.root.pointer(reference.as_str()?.strip_prefix('#')?)?.clone()
            } else if let Some(word) = COMBINING.into_iter().find(|word| object.contains_key(*word)) {
                only_way(word, object.shift_remove(word)?)?
            } else {
                return Some(object);
            };
            let Value::Object(inner) = inner else { continue };
            for (word, rule) in inner {
                let own = object.entry(&word).or_insert_with(|| rule.clone());
                // Two different rules would both hold, and one place cannot say both. Of two descriptions, the one
                // beside the reference is about this place.
                if *own != rule && !REMARKS.contains(&word.as_str()) {
                    return None;
                }
            }
        }
    }

    fn array(&mut self, object: &Map<String, Value>, normal: &mut Map<String, Value>, depth: usize) -> Option<()> {
        let items = match object.get("items") {
            // Behind a prefix they are not of all elements.
            Some(items @ Value::Object(_)) if !object.contains_key("prefixItems") => {
                self.subschema(items, depth + 1)?
            }
            // Some clients refuse an array that does not say of what.
            _ => Map::new(),
        };
        normal.insert("items".into(), items.into());
        copy(object, &["minItems", "maxItems"], Value::is_u64, normal);
        copy(object, &["uniqueItems"], Value::is_boolean, normal);
        Some(())
    }

    fn object(&mut self, object: &Map<String, Value>, normal: &mut Map<String, Value>, depth: usize) -> Option<()> {
        let mut properties = Map::new();
        for (name, property) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if text::is_hostile(name) {
                return None;
            }
            properties.insert(name.clone(), self.subschema(property, depth + 1)?.into());
        }
        let required = object.get("required").and_then(Value::as_array).into_iter().flatten();
        let declared = |name: &&Value| name.as_str().is_some_and(|name| properties.contains_key(name));
        let required: Vec<Value> = required.filter(declared).cloned().collect();
        // Also when it is empty: some clients ask for the word.
        normal.insert("properties".into(), properties.into());
        if !required.is_empty() {
            normal.insert("required".into(), required.into());
        }
        match object.get("additionalProperties") {
            // They are those that no pattern allows, and patterns are not shown.
            _ if object.contains_key("patternProperties") => {}
            // The one boolean that every client knows.
            Some(Value::Bool(false)) => {
                normal.insert("additionalProperties".into(), false.into());
            }
            Some(others @ Value::Object(_)) => {
                let others = self.subschema(others, depth + 1)?;
                if !others.is_empty() {
                    normal.insert("additionalProperties".into(), others.into());
                }
            }
            _ => {}
        }
        copy(object, &["minProperties", "maxProperties"], Value::is_u64, normal);
        Some(())
    }
}

/// The one schema of a combination that is left when `null` is not counted.
fn only_way(word: &str, combination: Value) -> Option<Value> {
    let Value::Array(mut ways) = combination else { return None };
    if word != "allOf" {
        ways.retain(|way| way.get("type").is_none_or(|kind| kind != "null"));
    }
    if ways.len() == 1 { ways.pop() } else { None }
}

/// The type: the one that is said, the first said that is not `null`, or the one that the rules speak of.
fn kind(object: &Map<String, Value>) -> Option<&'static str> {
    let known = |said: &Value| TYPES.into_iter().find(|kind| said == kind);
    match object.get("type") {
        Some(Value::Array(said)) => return said.iter().find_map(known),
        Some(said) => return known(said),
        None => {}
    }
    let has = |words: &[&str]| words.iter().any(|word| object.contains_key(*word));
    if let Some(constants) = listed(object) {
        let fits = |kind: &&str| constants.iter().all(|constant| is_of(constant, kind));
        TYPES.into_iter().find(fits)
    } else if has(&["properties", "required", "additionalProperties"]) {
        Some("object")
    } else if has(&["items"]) {
        Some("array")
    } else if has(&["pattern", "minLength", "maxLength"]) {
        Some("string")
    } else if has(&["minimum", "maximum", "multipleOf"]) {
        Some("number")
    } else {
        None
    }
}

/// The constants that the value must be one of, as they are written.
fn listed(object: &Map<String, Value>) -> Option<Vec<&Value>> {
    match (object.get("enum"), object.get("const")) {
        (_, Some(constant)) => Some(vec![constant]),
        (Some(Value::Array(constants)), None) => Some(constants.iter().collect()),
        _ => None,
    }
}

fn is_of(value: &Value, kind: &str) -> bool {
    match value {
        Value::String(_) => kind == "string",
        Value::Number(number) => kind == "number" || (kind == "integer" && !number.is_f64()),
        Value::Bool(_) => kind == "boolean",
        Value::Array(_) => kind == "array",
        Value::Object(_) => kind == "object",
        Value::Null => false,
    }
}

/// The rules of a string. Nothing when it cannot be shown: no constant is a string, or one has a character that must
/// not be shown and cannot be taken away either. Constants of other types are left out everywhere: some clients
/// refuse all tools for one that has them.
fn string(object: &Map<String, Value>, normal: &mut Map<String, Value>) -> Option<()> {
    if let Some(listed) = listed(object) {
        let fitting: Vec<Value> = listed.into_iter().filter(|constant| constant.is_string()).cloned().collect();
        if fitting.is_empty() || fitting.iter().filter_map(Value::as_str).any(text::is_hostile) {
            return None;
        }
        normal.insert("enum".into(), fitting.into());
    }
    copy(object, &["minLength", "maxLength"], Value::is_u64, normal);
    copy(object, &["pattern"], |rule| rule.as_str().is_some_and(|pattern| !text::is_hostile(pattern)), normal);
    // The one format that no client is known to refuse.
    copy(object, &["format"], |rule| rule == "date-time", normal);
    Some(())
}

fn copy(object: &Map<String, Value>, words: &[&str], is_sound: impl Fn(&Value) -> bool, to: &mut Map<String, Value>) {
    for word in words {
        if let Some(rule) = object.get(*word).filter(|rule| is_sound(rule)) {
            to.insert((*word).into(), rule.clone());
        }
    }
}
