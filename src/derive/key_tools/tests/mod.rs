//! The laws of key tools, over generated keys.

mod lists;
mod names;
mod schemas;

use std::convert::Infallible;

use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

use super::*;
use crate::model::key::KeyName;

/// Static tools, as the product has them.
const STATIC: [&str; 6] = ["list_keys", "read_key", "write_key", "append_key", "delete_key", "get_system_prompt"];

/// A key with its attributes, owned.
#[derive(Debug, Clone)]
struct Owned {
    name: String,
    key_type: KeyType,
    description: Option<String>,
    schema: Option<Value>,
    z_index: i64,
    in_prompt: bool,
    is_readable: bool,
    is_writable: bool,
}

impl Owned {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            key_type: KeyType::Text,
            description: None,
            schema: None,
            z_index: 0,
            in_prompt: false,
            is_readable: true,
            is_writable: true,
        }
    }

    fn candidate(&self) -> Candidate<'_> {
        Candidate {
            name: &self.name,
            key_type: self.key_type,
            description: self.description.as_deref(),
            schema: self.schema.as_ref(),
            z_index: self.z_index,
            in_prompt: self.in_prompt,
            is_readable: self.is_readable,
            is_writable: self.is_writable,
        }
    }
}

fn in_sight(keys: &[Owned]) -> Names {
    keys.iter().filter(|key| key.is_readable || key.is_writable).map(|key| key.name.as_str()).collect()
}

/// The list of these keys within a budget.
fn listed(keys: &[Owned], budget: Budget) -> Listed {
    let candidates: Vec<_> = keys.iter().map(Owned::candidate).collect();
    let (names, frame) = (in_sight(keys), Frame { static_tools: &STATIC, budget, beyond: 0 });
    let Ok(listed) = list(&candidates, &frame, |at, limit| Ok::<_, Infallible>(names.lookup(at, limit)));
    listed
}

fn resolved(tool: &str, names: &Names) -> Resolved {
    let Ok(resolved) = resolve(tool, &STATIC, |at, limit| Ok::<_, Infallible>(names.lookup(at, limit)));
    resolved
}

/// Room for all tools that the count allows.
const WIDE: Budget = Budget { tools: MOST_TOOLS, static_tools: 0, bytes: usize::MAX };

/// Names that are likely to be taken for each other, and any others.
fn name() -> impl Strategy<Value = String> {
    let likely = prop_oneof![
        4 => "[ab_ .é😀]{1,3}",
        1 => "[ab. ]_[0-9a-f]{8}",
        1 => select(vec!["key", "KEY", "a_b_c8687a08", "a_b_648fa9b3", "仓丟", "壑丗", "__", "\u{202e}\u{200b}"])
            .prop_map(str::to_owned),
        1 => "[ab.]{1,2}x{30,45}",
        1 => "\\PC{1,60}",
        1 => any::<String>(),
    ];
    likely.prop_filter("a key's name", |name| KeyName::parse(name.clone()).is_ok())
}

fn key_type() -> impl Strategy<Value = KeyType> {
    select(vec![KeyType::Text, KeyType::Json, KeyType::Image, KeyType::File])
}

/// Anything that might be given as a schema, and some that are.
fn any_schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(true)),
        Just(json!({"type": "string", "minLength": 1, "format": "uint64", "title": "T", "default": "CANARY"})),
        Just(json!({"type": ["integer", "null"], "minimum": 0, "enum": [1, 2, null], "examples": ["CANARY"]})),
        Just(json!({"enum": ["a", "b\u{202e}"]})),
        Just(json!({"const": "only"})),
        Just(json!({"$ref": "#/$defs/a"})),
        Just(json!({"$ref": "#"})),
        Just(json!(7)),
        "\\PC{0,200}".prop_map(|text| json!({"type": "string", "description": text})),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (any::<String>(), inner.clone(), inner.clone()).prop_map(|(name, one, two)| json!({
                "type": "object", "properties": {"a": one, (name.as_str()): two}, "required": ["a", name],
                "$defs": {"a": {"type": "number"}},
            })),
            inner.clone().prop_map(|items| json!({"type": "array", "items": items, "uniqueItems": true})),
            inner.clone().prop_map(|way| json!({"anyOf": [way, {"type": "null"}], "description": "maybe"})),
            (inner.clone(), inner.clone()).prop_map(|(one, two)| json!({"oneOf": [one, two]})),
            inner.prop_map(|rest| json!({"additionalProperties": rest, "$schema": "x", "$id": "y"})),
        ]
    })
}

fn key() -> impl Strategy<Value = Owned> {
    let attributes = (
        prop::option::weighted(0.3, any::<String>()),
        prop::option::weighted(0.3, any_schema()),
        -2..3_i64,
        any::<[bool; 3]>(),
    );
    (name(), key_type(), attributes).prop_map(|(name, key_type, (description, schema, z_index, flags))| Owned {
        key_type,
        description,
        schema,
        z_index,
        in_prompt: flags[0],
        is_readable: flags[1],
        is_writable: flags[2],
        ..Owned::new(&name)
    })
}

/// An instance: no two keys have the same name.
fn keys() -> impl Strategy<Value = Vec<Owned>> {
    prop::collection::vec(key(), 0..24).prop_map(|mut keys| {
        keys.sort_by(|a, b| a.name.cmp(&b.name));
        keys.dedup_by(|a, b| a.name == b.name);
        keys
    })
}

fn budget() -> impl Strategy<Value = Budget> {
    (0..120_usize, 0..20_usize, 0..9000_usize).prop_map(|(tools, static_tools, bytes)| Budget {
        tools,
        static_tools,
        bytes,
    })
}
