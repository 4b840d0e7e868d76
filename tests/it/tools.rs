//! `tools/list`: which tools there are, and that every client can read their definitions.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{
    Env,
    mcp::{Client, ToolReply, text},
};

const READ: [&str; 8] = [
    "list_keys",
    "read_key",
    "search_keys",
    "key_history",
    "wait_for_change",
    "get_system_prompt",
    "op_search",
    "op_call",
];
const USE: [&str; 4] = ["write_key", "append_key", "edit_key", "delete_key"];
const EDIT: [&str; 4] = ["set_key_attributes", "rename_key", "clear_keys", "restore_key"];

fn tools(client: &mut Client) -> Vec<Value> {
    let listed = client.request("tools/list", json!({})).expect("tools/list succeeds");
    assert!(listed.get("nextCursor").is_none_or(Value::is_null), "one page: not every client asks for the second");
    listed["tools"].as_array().expect("tools").clone()
}

fn names(tools: &[Value]) -> BTreeSet<String> {
    tools.iter().map(|tool| text(&tool["name"])).collect()
}

/// The tools of the widest mode.
fn all() -> Vec<Value> {
    let env = Env::new();
    tools(&mut env.mcp_with(&["--mode", "edit"]))
}

/// What in a schema some client cannot read. `path` says where.
fn dialect(schema: &Value, path: &str, problems: &mut Vec<String>) {
    let Some(members) = schema.as_object() else {
        problems.push(format!("{path} is {schema}, not an object"));
        return;
    };
    for word in ["$ref", "$defs", "anyOf", "oneOf", "allOf", "$schema", "title"] {
        if members.contains_key(word) {
            problems.push(format!("{path} has {word}"));
        }
    }
    if members.get("type").is_some_and(|kind| !kind.is_string()) {
        problems.push(format!("{path} has a list of types"));
    }
    let format = members.get("format").and_then(Value::as_str).unwrap_or_default();
    if format.starts_with("uint") || format.starts_with("int") || ["float", "double"].contains(&format) {
        problems.push(format!("{path} has the format {format}"));
    }
    for (name, property) in members.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if property.get("type").is_none() {
            problems.push(format!("{path}/{name} has no type"));
        }
        dialect(property, &format!("{path}/{name}"), problems);
    }
    if let Some(items) = members.get("items") {
        dialect(items, &format!("{path}[]"), problems);
    }
    if let Some(rest) = members.get("additionalProperties").filter(|rest| **rest != json!(false)) {
        dialect(rest, &format!("{path}/*"), problems);
    }
}

#[test]
fn a_schema_that_some_client_cannot_read_is_found() {
    let count = |schema: Value| {
        let mut problems = Vec::new();
        dialect(&schema, "", &mut problems);
        problems.len()
    };
    assert_eq!(count(json!({"type": "object", "properties": {"a": {"type": "string"}}})), 0);
    assert_eq!(count(json!({"type": "object", "properties": {"title": {"type": "string"}}})), 0);
    assert_eq!(count(json!({"anyOf": [], "title": "T"})), 2);
    assert_eq!(count(json!({"properties": {"a": true, "b": {"type": ["string", "null"]}}})), 3);
    assert_eq!(count(json!({"items": {"type": "integer", "format": "uint64"}, "additionalProperties": true})), 2);
}

#[test]
fn each_mode_lists_its_tools_and_no_others() {
    let env = Env::new();
    let expected = |groups: &[&[&str]]| groups.concat().into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    for (args, groups) in [
        (&["--mode", "read"][..], &[&READ[..]][..]),
        (&["--mode", "use"], &[&READ, &USE]),
        (&[], &[&READ, &USE]),
        (&["--mode", "edit"], &[&READ, &USE, &EDIT]),
    ] {
        let listed = tools(&mut env.mcp_with(args));
        assert_eq!(names(&listed), expected(groups), "{args:?}");
        assert_eq!(listed.len(), names(&listed).len(), "each once");
    }
}

#[test]
fn the_list_is_the_same_each_time_and_in_each_process() {
    let env = Env::new();
    let mut client = env.mcp();
    let first = tools(&mut client);
    client.call("read_key", json!({"key": "k"})).error("not_found");
    assert_eq!(tools(&mut client), first);
    assert_eq!(tools(&mut env.mcp()), first);
}

#[test]
fn every_tool_has_a_title_a_short_description_and_all_four_hints() {
    for tool in all() {
        let name = text(&tool["name"]);
        assert!((1..=48).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)));
        assert!(tool["title"].as_str().is_some_and(|title| !title.is_empty()), "{name} has a title");
        let description = text(&tool["description"]);
        assert!((10..=300).contains(&description.chars().count()), "{name}: {description}");
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(tool["annotations"][hint].is_boolean(), "{name} has {hint}");
        }
    }
}

#[test]
fn the_hints_are_true() {
    for tool in all() {
        let (name, hints) = (text(&tool["name"]), &tool["annotations"]);
        // op_call may do anything; what it is marked as is the cautious choice.
        if name != "op_call" {
            assert_eq!(hints["readOnlyHint"], READ.contains(&name.as_str()), "{name}");
        }
        assert_eq!(hints["openWorldHint"], false, "{name}: a key store reaches nothing outside");
        if ["delete_key", "clear_keys"].contains(&name.as_str()) {
            assert_eq!(hints["destructiveHint"], true, "{name}");
        }
    }
}

#[test]
fn every_client_can_read_the_schemas() {
    let mut problems = Vec::new();
    for tool in all() {
        let name = text(&tool["name"]);
        let input = &tool["inputSchema"];
        assert_eq!((&input["type"], &input["additionalProperties"]), (&json!("object"), &json!(false)), "{name}");
        dialect(input, &name, &mut problems);
        let output = &tool["outputSchema"];
        assert_eq!(output["type"], "object", "{name}");
        for word in ["$ref", "$schema", "oneOf", "anyOf", "allOf"] {
            assert!(output.get(word).is_none(), "the result of {name} has {word} at its root");
        }
        let validator = jsonschema::validator_for(output).expect("the result schema can be used");
        // A refusal is held against it too by version 1 of the TypeScript package.
        assert!(validator.is_valid(&json!({"error": {"code": "not_found"}})), "{name}");
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn the_whole_list_fits_into_16_kibibytes() {
    let size = json!(all()).to_string().len();
    assert!(size <= 16 * 1024, "{size} bytes");
}

#[test]
fn no_stored_value_is_in_the_list_or_the_instructions() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    client.write("k", "a stored secret");
    client.call("set_key_attributes", json!({"key": "k", "system_tags": ["SystemPrompt"]})).ok();
    assert!(!json!(tools(&mut client)).to_string().contains("a stored secret"));
    let mut second = env.mcp_bare(&[]);
    assert!(!second.handshake().to_string().contains("a stored secret"));
}

/// One successful call of each tool, in an order in which each finds what it needs.
fn calls() -> Vec<(&'static str, Value)> {
    vec![
        ("write_key", json!({"key": "k", "value": "v", "tags": ["t"], "ttl_ms": 3_600_000})),
        ("append_key", json!({"key": "k", "text": "w"})),
        ("edit_key", json!({"key": "k", "old_text": "w", "new_text": "x"})),
        ("read_key", json!({"key": "k", "limit": 1})),
        ("list_keys", json!({"limit": 1})),
        ("key_history", json!({"key": "k", "limit": 1})),
        ("wait_for_change", json!({"after_version": 0})),
        ("set_key_attributes", json!({"key": "k", "description": "d", "schema": {"type": "string"}})),
        ("get_system_prompt", json!({})),
        ("op_search", json!({"query": "key"})),
        ("search_keys", json!({"query": "vx"})),
        ("rename_key", json!({"key": "k", "new_key": "l"})),
        ("delete_key", json!({"key": "l"})),
        ("clear_keys", json!({})),
    ]
}

/// The strings and numbers in a result.
fn leaves(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| leaves(item, found)),
        Value::Object(members) => members.values().for_each(|member| leaves(member, found)),
        Value::String(text) => found.push(json!(text).to_string().trim_matches('"').to_owned()),
        Value::Number(number) => found.push(number.to_string()),
        Value::Bool(_) | Value::Null => {}
    }
}

#[test]
fn every_result_satisfies_its_schema_and_is_mirrored_in_the_text() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    let listed = tools(&mut client);
    for (tool, args) in calls() {
        let reply = client.call(tool, args);
        let schema = &listed.iter().find(|each| each["name"] == tool).expect("the tool is listed")["outputSchema"];
        let validator = jsonschema::validator_for(schema).expect("a schema");
        let problem = validator.iter_errors(&reply.structured).next().map(|error| error.to_string());
        assert_eq!(problem, None, "{tool}: {}", reply.structured);
        outcome_first(tool, &reply);
        let mut found = Vec::new();
        leaves(&reply.structured, &mut found);
        let text = reply.text();
        for leaf in found {
            assert!(text.contains(&leaf), "{tool}: a client that shows only text does not see {leaf}");
        }
        drop(reply.ok());
    }
}

/// The first line of the text is a sentence for the reader.
fn outcome_first(tool: &str, reply: &ToolReply) {
    let text = reply.text();
    let first = text.lines().next().unwrap_or_default();
    assert!(first.contains(' ') && !first.starts_with(['{', '[', '"']), "{tool}: {first}");
}

#[test]
fn a_refusal_says_so_first_in_its_text_too() {
    let env = Env::new();
    let mut client = env.mcp();
    let reply = client.call("read_key", json!({"key": "nothing here"}));
    outcome_first("read_key", &reply);
    assert!(reply.text().contains("nothing here"), "an error names the thing");
    reply.error("not_found");
}
