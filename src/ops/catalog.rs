//! `op_search` and `op_call`: every operation can be found and called, also those that are no tool of their
//! own. The kernel answers them from the registry; nothing here runs in a turn.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::{
    limits,
    permission::{Action, Mode},
};

use super::{
    bounds::{IdempotencyKey, Text},
    operation::{Answer, EffectClass, Entry, Listing, OpMeta, Report, Target},
    schema,
};

/// Find operations beyond the listed tools, by words of what they do. Answers with their names and arguments,
/// to be called with op_call.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Words; empty lists all
    pub query: Text<0, { limits::QUERY_CHARACTERS }>,
}

/// An operation as it is found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Operation {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The schema of its arguments.
    #[schemars(schema_with = "schema::any_object")]
    pub input_schema: Value,
    /// What it does to the instance.
    pub effect: String,
}

/// The operations that match.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Operations {
    /// Best match first.
    pub operations: Vec<Operation>,
}

impl Report for Operations {
    fn outcome(&self) -> String {
        let names: Vec<_> = self.operations.iter().map(|operation| operation.name.as_str()).collect();
        match names.as_slice() {
            [] => "No operation matches; an empty query lists all.".into(),
            names => format!("{} operations: {}.", names.len(), names.join(", ")),
        }
    }
}

/// Call any operation that op_search shows. Fails as that operation does; an unknown name is not_found.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// Operation name
    pub name: Text<1, { limits::OPERATION_CHARACTERS }>,
    /// Its arguments
    #[serde(default)]
    #[schemars(schema_with = "schema::any_object")]
    pub args: Option<Map<String, Value>>,
    /// Repeat a call that got no answer with the same key: it is done once
    #[serde(default)]
    pub idempotency_key: Option<IdempotencyKey>,
}

/// The operation's own result.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Forwarded {}

fn meta(title: &'static str, effect: EffectClass) -> OpMeta {
    OpMeta {
        title,
        toolset: "core",
        listing: Listing::Tool,
        target: Target::Instance,
        action: Action::Read,
        effect,
        idempotent: effect == EffectClass::Read,
        waits: false,
        events: &[],
    }
}

/// The name of the operation that calls the others.
pub const CALL: &str = "op_call";

/// The registry's line of `op_search`.
pub fn search_entry() -> Entry {
    Entry::with::<Search, Operations>("op_search", meta("Find operations", EffectClass::Read), Answer::Search)
}

/// The registry's line of `op_call`.
pub fn call_entry() -> Entry {
    Entry::with::<Forward, Forwarded>(CALL, meta("Call an operation", EffectClass::Delete), Answer::Forward)
}

/// The operations of a registry that a mode allows and whose name or description has words of the query:
/// most words first, then in the order of the registry.
pub fn search(registry: &[Entry], mode: Mode, query: &str) -> Operations {
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let mut found: Vec<(usize, &Entry)> = registry
        .iter()
        .filter(|entry| entry.allowed(mode) && matches!(entry.answer, Answer::Turn(_) | Answer::Procedure(_)))
        .map(|entry| (score(entry, &words), entry))
        .filter(|(score, _)| *score > 0 || words.is_empty())
        .collect();
    found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    let operations = found.into_iter().map(|(_, entry)| describe(entry)).collect();
    Operations { operations }
}

fn score(entry: &Entry, words: &[String]) -> usize {
    let text = format!("{} {} {}", entry.name, entry.meta.title, entry.description()).to_lowercase();
    words.iter().map(|word| usize::from(text.contains(word)) + usize::from(entry.name.contains(word.as_str()))).sum()
}

fn describe(entry: &Entry) -> Operation {
    let effect = serde_json::to_value(entry.meta.effect).ok();
    Operation {
        name: entry.name.to_owned(),
        description: entry.description().to_owned(),
        input_schema: Value::Object(Map::clone(&entry.input_schema())),
        effect: effect.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned(),
    }
}
