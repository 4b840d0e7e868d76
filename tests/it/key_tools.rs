//! Tools of single keys: listed from what is there now, called only while their key is.

use serde_json::{Value, json};

use crate::harness::{
    Env,
    mcp::{Client, text},
};

fn tools(client: &mut Client) -> Vec<Value> {
    client.request("tools/list", json!({})).unwrap()["tools"].as_array().unwrap().clone()
}

fn names(client: &mut Client) -> Vec<String> {
    tools(client).iter().map(|tool| text(&tool["name"])).collect()
}

#[test]
fn every_key_is_a_pair_of_tools() {
    let env = Env::new();
    env.cli(&["set", "team notes", "hello"]).ok();
    env.cli(&["attr", "team notes", "--description", "What the team must remember"]).ok();
    env.cli(&["set", "fixed", "x"]).ok();
    env.cli(&["attr", "fixed", "--system-tags", "LLMRead"]).ok();
    let mut client = env.mcp();
    let listed = names(&mut client);
    for (name, is_there) in
        [("write_team_notes", true), ("read_team_notes", true), ("read_fixed", true), ("write_fixed", false)]
    {
        assert_eq!(listed.contains(&name.to_owned()), is_there, "{name} of {listed:?}");
    }
    let written = client.call("write_team_notes", json!({"value": "there"})).ok();
    assert_eq!((&written["key"], &written["created"]), (&json!("team notes"), &json!(false)));
    assert_eq!(client.call("read_team_notes", json!({})).ok()["value"], "there");
    client.call("write_team_notes", json!({"value": "late", "if_version": 1})).error("version_mismatch");
    client.call("write_fixed", json!({"value": "y"})).error("permission_denied");
    client.call("read_team_notes", json!({"key": "fixed"})).error("invalid_argument");
    let tool = tools(&mut client).into_iter().find(|tool| tool["name"] == "write_team_notes").unwrap();
    assert!(text(&tool["description"]).contains("What the team must remember"), "{tool}");
    assert!(
        tool["title"].is_string() && tool["annotations"]["readOnlyHint"] == false && tool["outputSchema"].is_null()
    );
}

#[test]
fn a_tool_whose_key_has_gone_does_not_bring_it_back() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("k", "v");
    assert!(names(&mut client).contains(&"write_k".to_owned()));
    env.cli(&["rm", "k"]).ok();
    for (tool, args) in
        [("write_k", json!({"value": "again"})), ("read_k", json!({})), ("write_never", json!({"value": "x"}))]
    {
        client.call(tool, args).error("not_found");
    }
    assert_eq!(client.keys(), Vec::<String>::new());
    assert!(!names(&mut client).contains(&"write_k".to_owned()));
}

#[test]
fn names_that_collide_are_told_apart_and_never_guessed() {
    let env = Env::new();
    let mut client = env.mcp();
    for key in ["a b", "a.b", "a_b", "key"] {
        client.write(key, key);
    }
    let listed = names(&mut client);
    let marked: Vec<_> = listed.iter().filter(|name| name.starts_with("read_a_b_")).cloned().collect();
    assert_eq!(marked.len(), 3, "{listed:?}");
    let mut read: Vec<_> = marked.iter().map(|tool| text(&client.call(tool, json!({})).ok()["value"])).collect();
    read.sort();
    assert_eq!(read, ["a b", "a.b", "a_b"]);
    let error = client.call("read_a_b", json!({})).error("invalid_argument");
    assert!(marked.iter().all(|tool| error["message"].as_str().unwrap().contains(tool.as_str())), "{error}");
    // The static tool stays what it is, and the key called so has a tool of its own.
    assert_eq!(client.call("read_key", json!({"key": "key"})).ok()["value"], "key");
    assert!(listed.iter().any(|name| name.starts_with("read_key_")), "{listed:?}");
}

#[test]
fn the_list_keeps_its_budget_and_no_value_is_in_it() {
    let env = Env::new();
    let mut client = env.mcp();
    let ids: Vec<u64> = (0..500)
        .map(|n| {
            client.send_call("write_key", json!({"key": format!("key number {n}"), "value": "canary-in-the-mine"}))
        })
        .collect();
    client.collect(&ids);
    let listed = tools(&mut client);
    let bytes = serde_json::to_string(&listed).unwrap();
    assert!(listed.len() <= 40, "{} tools", listed.len());
    assert!(bytes.len() <= 16 * 1024, "{} bytes", bytes.len());
    assert!(!bytes.contains("canary"), "a value is in the list");
    let of_keys = listed.iter().filter(|tool| tool["outputSchema"].is_null()).count();
    assert!(of_keys >= 14, "{of_keys} tools of keys");
    let static_bytes = serde_json::to_string(&listed[..listed.len() - of_keys]).unwrap().len();
    assert!(static_bytes <= 10 * 1024, "{static_bytes} bytes of static tools");
}
