//! One key tool as a client is shown it: title, description and input schema, and what that costs.

use serde_json::{Map, Value, json};

use crate::model::key::KeyType;

use super::{Candidate, names::Verb, schema, text};

/// Longest title, in characters.
pub const TITLE_CHARACTERS: usize = 80;
/// Longest description, in characters.
pub const DESCRIPTION_CHARACTERS: usize = 300;
/// What a description shows of the key's name, in characters.
const SHOWN_NAME_CHARACTERS: usize = 60;
/// What a title is cut to at most where bytes are short.
const LEAN_TITLE_BYTES: usize = 16;
/// What a description is cut to at most where bytes are short.
const LEAN_DESCRIPTION_BYTES: usize = 24;

/// What a face writes around the parts of a definition, the four hints and the comma included.
const ENVELOPE: &str = concat!(
    r#"{"name":"","title":"","description":"","inputSchema":,"annotations":{"readOnlyHint":false,"#,
    r#""destructiveHint":false,"idempotentHint":false,"openWorldHint":false}},"#
);

/// How much of a definition is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// With the key's own JSON Schema, where it has one that can be shown.
    OwnSchema,
    /// With the value as a string.
    Plain,
    /// That, without what a call can do without.
    Slim,
}

/// The tool of one key and one verb.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyTool {
    /// Its name.
    pub tool: String,
    /// The exact name of its key.
    pub key: String,
    /// What it does.
    pub verb: Verb,
    /// A title for people.
    pub title: String,
    /// What it is for, from the key's description, else from its name.
    pub description: String,
    /// The schema of its arguments.
    pub input_schema: Map<String, Value>,
}

impl KeyTool {
    /// Bytes of its definition in a list of tools, written as compact JSON with all four hints and nothing else.
    pub fn bytes(&self) -> usize {
        let schema = serde_json::to_string(&self.input_schema).map_or(usize::MAX, |schema| schema.len());
        let texts = [&self.tool, &self.title, &self.description].map(|text| text::json_bytes(text));
        texts.into_iter().fold(ENVELOPE.len(), usize::saturating_add).saturating_add(schema)
    }

    /// The whole definition.
    pub(super) fn of(candidate: &Candidate<'_>, verb: Verb, part: &str, form: Form) -> Self {
        let mut name = text::clean(candidate.name, TITLE_CHARACTERS);
        if name.is_empty() {
            part.clone_into(&mut name);
        }
        let word = match verb {
            Verb::Write => "Write",
            Verb::Read => "Read",
        };
        Self {
            tool: format!("{}{part}", verb.prefix()),
            key: candidate.name.to_owned(),
            verb,
            title: text::clean(&format!("{word} {name}"), TITLE_CHARACTERS),
            description: description(candidate, word, &name),
            input_schema: match verb {
                Verb::Write => write_schema(candidate, form),
                Verb::Read => object(Map::new(), &[]),
            },
        }
    }

    /// The definition in at most `bytes`, as far as it can be cut: the schema to what a call cannot do without, then
    /// the description, the title, and last the way to give another content type.
    pub(super) fn lean(candidate: &Candidate<'_>, verb: Verb, part: &str, bytes: usize) -> Self {
        let whole = Self::of(candidate, verb, part, Form::Plain);
        if whole.bytes() <= bytes {
            return whole;
        }
        let mut tool = Self::of(candidate, verb, part, Form::Slim);
        let over = tool.bytes().saturating_sub(bytes);
        cut(&mut tool.description, over, LEAN_DESCRIPTION_BYTES);
        let over = tool.bytes().saturating_sub(bytes);
        cut(&mut tool.title, over, LEAN_TITLE_BYTES);
        if tool.bytes() > bytes
            && let Some(Value::Object(properties)) = tool.input_schema.get_mut("properties")
        {
            properties.shift_remove("content_type");
        }
        tool
    }
}

/// Takes `over` bytes away, but leaves at least `least`.
fn cut(text: &mut String, over: usize, least: usize) {
    if over > 0 {
        *text = text::within(text, text::json_bytes(text).saturating_sub(over).max(least));
    }
}

/// The key's name in quotes, and its own description behind a colon, so that what somebody wrote reads as such.
fn description(candidate: &Candidate<'_>, word: &str, name: &str) -> String {
    // A name cannot end its own quotes.
    let name = text::clean(name, SHOWN_NAME_CHARACTERS).replace('"', "'");
    let own = text::clean(candidate.description.unwrap_or_default(), DESCRIPTION_CHARACTERS);
    let colon = if own.is_empty() { "" } else { ": " };
    text::clean(&format!("{word} key \"{name}\"{colon}{own}"), DESCRIPTION_CHARACTERS)
}

fn write_schema(candidate: &Candidate<'_>, form: Form) -> Map<String, Value> {
    let own = if form == Form::OwnSchema { own_value(candidate) } else { None };
    let value = own.unwrap_or_else(|| plain_value(candidate, form));
    let mut properties = Map::from_iter([("value".into(), value.into())]);
    if candidate.key_type.is_binary() {
        properties.insert("content_type".into(), json!({"type": "string"}));
    }
    let if_version =
        if form == Form::Slim { json!({"type": "integer"}) } else { json!({"type": "integer", "minimum": 0}) };
    properties.insert("if_version".into(), if_version);
    object(properties, &["value"])
}

/// The value as a string, as every value can be sent.
fn plain_value(candidate: &Candidate<'_>, form: Form) -> Map<String, Value> {
    let key_type = candidate.key_type;
    let what = match key_type {
        KeyType::Text => "The whole text",
        KeyType::Json => "JSON text",
        KeyType::Image | KeyType::File => "Base64",
    };
    let is_checked = candidate.schema.is_some() && !key_type.is_binary();
    let note = if is_checked && form != Form::Slim { ", checked by the key's schema" } else { "" };
    let mut value = Map::from_iter([("type".into(), "string".into())]);
    if form != Form::Slim || key_type != KeyType::Text {
        value.insert("description".into(), format!("{what}{note}").into());
    }
    value
}

/// The value as the key's own schema has it. A string sent to a json key is JSON text, whatever its schema says,
/// so a schema of strings is not shown there: the model would send the bare string.
fn own_value(candidate: &Candidate<'_>) -> Option<Map<String, Value>> {
    let mut value = schema::normalise(candidate.schema?)?;
    let is_string = value.get("type").is_some_and(|kind| kind == "string");
    let what = match candidate.key_type {
        KeyType::Text if is_string => "The whole text",
        KeyType::Json if !is_string => "The whole JSON value",
        _ => return None,
    };
    value.entry("description").or_insert_with(|| what.into());
    Some(value)
}

fn object(properties: Map<String, Value>, required: &[&str]) -> Map<String, Value> {
    let mut schema = Map::new();
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), properties.into());
    if !required.is_empty() {
        schema.insert("required".into(), required.into());
    }
    schema.insert("additionalProperties".into(), false.into());
    schema
}
