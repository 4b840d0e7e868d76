//! `set_key_attributes`, `rename_key`, `clear_keys` and `get_system_prompt`: what a person arranges.

use serde_json::{Value, json};

use crate::harness::{
    Env,
    mcp::{Client, members},
};

fn edit(env: &Env) -> Client {
    env.mcp_with(&["--mode", "edit"])
}

fn read(client: &mut Client, key: &str) -> Value {
    client.call("read_key", json!({"key": key})).ok()
}

#[test]
fn attributes_are_set_one_by_one_and_the_result_is_the_key() {
    let env = Env::new();
    let mut client = edit(&env);
    let version = client.write("k", "v");
    let args = json!({"key": "k", "system_tags": ["LLMRead", "protected"], "tags": ["a"], "z_index": -7});
    let set = client.call("set_key_attributes", args).ok();
    assert!(set["version"].as_u64().unwrap() > version);
    assert_eq!(set, read(&mut client, "k"));
    assert_eq!((&set["system_tags"], &set["tags"]), (&json!(["LLMRead", "protected"]), &json!(["a"])));
    assert_eq!((&set["z_index"], &set["value"]), (&json!(-7), &json!("v")));
    let only_description = json!({"key": "k", "description": "What it is for"});
    let again = client.call("set_key_attributes", only_description).ok();
    assert_eq!((&again["z_index"], &again["tags"]), (&json!(-7), &json!(["a"])), "what is not named stays");
}

#[test]
fn attributes_keep_the_expiry_and_need_a_key() {
    let env = Env::new();
    let mut client = edit(&env);
    client.call("write_key", json!({"key": "k", "value": "v", "ttl_ms": 3_600_000})).ok();
    let expiry = read(&mut client, "k")["expires_at"].clone();
    assert!(expiry.is_string());
    let set = client.call("set_key_attributes", json!({"key": "k", "z_index": 1})).ok();
    assert_eq!(set["expires_at"], expiry);
    client.call("set_key_attributes", json!({"key": "absent", "z_index": 1})).error("not_found");
}

#[test]
fn a_system_tag_that_does_not_exist_is_refused_with_those_that_do() {
    let env = Env::new();
    let mut client = edit(&env);
    let version = client.write("k", "v");
    for tag in ["Prompt", "llmread", "", "readonly"] {
        let refused = client.call("set_key_attributes", json!({"key": "k", "system_tags": [tag]}));
        let message = refused.error("invalid_argument")["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains("SystemPrompt"), "{message}");
    }
    assert_eq!(read(&mut client, "k")["version"], version);
}

#[test]
fn a_prompt_key_is_not_writable_unless_the_same_call_says_so() {
    let env = Env::new();
    let mut client = edit(&env);
    client.write("k", "v");
    let mut set = |tags: Value| {
        client.call("set_key_attributes", json!({"key": "k", "system_tags": tags})).ok()["system_tags"].clone()
    };
    assert_eq!(set(json!(["SystemPrompt", "LLMRead"])), json!(["SystemPrompt", "LLMRead"]));
    assert_eq!(set(json!(["SystemPrompt", "LLMRead", "LLMWrite"])), json!(["SystemPrompt", "LLMRead", "LLMWrite"]));
}

#[test]
fn a_schema_holds_for_every_write() {
    let env = Env::new();
    let mut client = edit(&env);
    client.call("write_key", json!({"key": "k", "value": "{\"n\": 1}", "type": "json"})).ok();
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]});
    client.call("set_key_attributes", json!({"key": "k", "schema": schema})).ok();
    for bad in ["{\"n\": 0}", "{}", "[]"] {
        client.call("write_key", json!({"key": "k", "value": bad})).error("invalid_argument");
    }
    client.call("edit_key", json!({"key": "k", "old_text": "1", "new_text": "\"x\""})).error("invalid_argument");
    assert_eq!(client.value("k"), "{\"n\": 1}");
    client.call("write_key", json!({"key": "k", "value": "{\"n\": 2}"})).ok();
    client.call("set_key_attributes", json!({"key": "k", "schema": {"type": "nonsense"}})).error("invalid_argument");
}

#[test]
fn a_renamed_key_keeps_everything_but_its_name() {
    let env = Env::new();
    let mut client = edit(&env);
    client.call("write_key", json!({"key": "old", "value": "v", "tags": ["a"], "ttl_ms": 3_600_000})).ok();
    client.call("set_key_attributes", json!({"key": "old", "z_index": 3, "system_tags": ["LLMRead"]})).ok();
    let before = read(&mut client, "old");
    let renamed = client.call("rename_key", json!({"key": "old", "new_key": "new"})).ok();
    assert_eq!(members(&renamed), ["key", "new_key", "version"]);
    assert_eq!((&renamed["key"], &renamed["new_key"]), (&json!("old"), &json!("new")));
    client.call("read_key", json!({"key": "old"})).error("not_found");
    let after = read(&mut client, "new");
    for name in ["value", "type", "tags", "system_tags", "z_index", "expires_at"] {
        assert_eq!(after[name], before[name], "{name}");
    }
    assert_eq!(client.keys(), ["new"]);
}

#[test]
fn a_key_is_not_renamed_over_another_nor_from_nothing() {
    let env = Env::new();
    let mut client = edit(&env);
    client.write("a", "of a");
    client.write("b", "of b");
    client.call("rename_key", json!({"key": "a", "new_key": "b"})).error("already_exists");
    client.call("rename_key", json!({"key": "absent", "new_key": "c"})).error("not_found");
    client.call("rename_key", json!({"key": "a", "new_key": "$date"})).error("invalid_argument");
    assert_eq!((client.value("a"), client.value("b")), ("of a".to_owned(), "of b".to_owned()));
}

#[test]
fn protected_keys_are_neither_deleted_nor_cleared_until_the_tag_is_off() {
    let env = Env::new();
    let mut client = edit(&env);
    for name in ["a", "b", "keep"] {
        client.write(name, "v");
    }
    client.call("set_key_attributes", json!({"key": "keep", "system_tags": ["LLMRead", "LLMWrite", "protected"]})).ok();
    client.call("delete_key", json!({"key": "keep"})).error("permission_denied");
    let cleared = client.call("clear_keys", json!({})).ok();
    assert_eq!(members(&cleared), ["deleted", "kept", "version"]);
    assert_eq!((&cleared["deleted"], &cleared["kept"]), (&json!(2), &json!(1)));
    assert_eq!(client.keys(), ["keep"]);
    client.call("set_key_attributes", json!({"key": "keep", "system_tags": ["LLMRead"]})).ok();
    assert_eq!(client.call("clear_keys", json!({})).ok()["deleted"], 1);
    assert_eq!(client.call("clear_keys", json!({})).ok()["deleted"], 0);
    assert_eq!(client.keys(), Vec::<String>::new());
}

#[test]
fn the_system_prompt_is_made_of_the_keys_that_say_so_lower_first() {
    let env = Env::new();
    let mut client = edit(&env);
    for (name, z_index) in [("second", 5), ("first", -1), ("third", 9)] {
        client.write(name, &format!("the words of {name}"));
        let args = json!({"key": name, "system_tags": ["SystemPrompt"], "z_index": z_index});
        client.call("set_key_attributes", args).ok();
    }
    client.write("not in it", "private words");
    let prompt = env.mcp().call("get_system_prompt", json!({})).ok();
    assert_eq!(members(&prompt), ["as_of_seq", "keys", "left_out", "prompt"]);
    assert_eq!((&prompt["keys"], &prompt["left_out"]), (&json!(["first", "second", "third"]), &json!([])));
    let text = prompt["prompt"].as_str().unwrap();
    let places: Vec<_> = ["first", "second", "third"].map(|n| text.find(&format!("the words of {n}"))).into();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{text}");
    assert!(!text.contains("private words"));
}

#[test]
fn without_prompt_keys_the_system_prompt_names_none() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("k", "private words");
    let prompt = client.call("get_system_prompt", json!({})).ok();
    assert_eq!(prompt["keys"], json!([]));
    assert!(!prompt["prompt"].as_str().unwrap().contains("private words"));
}

#[test]
fn bug_a_schema_could_hold_up_every_writer() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    client.write("k", "v");
    let definitions: serde_json::Map<_, _> = (0..40)
        .map(|n: u32| {
            let before = json!({"$ref": format!("#/$defs/d{}", n.saturating_sub(1))});
            (format!("d{n}"), if n == 0 { json!({"type": "number"}) } else { json!({"anyOf": [before, before]}) })
        })
        .collect();
    for schema in [
        json!({"$ref": "#/$defs/d39", "$defs": definitions}),
        json!({"type": "string", "pattern": "(\\pL{500}x)?".repeat(100)}),
    ] {
        client.call("set_key_attributes", json!({"key": "k", "schema": schema})).error("invalid_argument");
    }
    client.write("k", "still written");
}
