//! `undo`: the last change of whoever asks, and nobody else's.

use serde_json::{Value, json};

use crate::harness::{
    Env,
    mcp::{Client, ToolReply},
};

fn undo(client: &mut Client) -> ToolReply {
    client.call("op_call", json!({"name": "undo", "args": {}}))
}

#[test]
fn each_undo_takes_back_the_change_before() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("k", "1");
    client.write("k", "2");
    client.call("delete_key", json!({"key": "k"})).ok();
    let taken = undo(&mut client).ok();
    assert_eq!(
        (&taken["operation"], &taken["keys"][0]["change"]),
        (&json!("delete_key"), &json!("created")),
        "{taken}"
    );
    assert_eq!(client.value("k"), "2");
    undo(&mut client).ok();
    assert_eq!(client.value("k"), "1");
    // A new change comes first, then the one before those that are undone.
    client.write("k", "3");
    undo(&mut client).ok();
    assert_eq!(client.value("k"), "1");
    assert_eq!(undo(&mut client).ok()["keys"][0]["change"], "deleted");
    assert_eq!(client.keys(), Vec::<String>::new());
    undo(&mut client).error("not_found");
}

#[test]
fn a_change_of_many_keys_is_taken_back_whole() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    for key in ["a", "b", "c"] {
        client.write(key, key);
    }
    client.call("set_key_attributes", json!({"key": "a", "tags": ["t"], "z_index": 3})).ok();
    let before = client.call("read_key", json!({"key": "a"})).ok();
    client.call("rename_key", json!({"key": "b", "new_key": "d"})).ok();
    client.call("clear_keys", json!({})).ok();
    undo(&mut client).ok();
    assert_eq!(client.keys(), ["a", "c", "d"]);
    undo(&mut client).ok();
    assert_eq!(client.keys(), ["a", "b", "c"]);
    let after = client.call("read_key", json!({"key": "a"})).ok();
    assert_eq!(
        (&after["tags"], &after["z_index"], &after["value"]),
        (&before["tags"], &before["z_index"], &before["value"])
    );
}

#[test]
fn what_another_agent_did_is_neither_taken_back_nor_overwritten() {
    let env = Env::new();
    let (mut one, mut two) = (env.mcp(), env.mcp());
    one.write("mine", "1");
    two.write("theirs", "1");
    // Two runs of one program are two authors.
    undo(&mut one).ok();
    assert_eq!(one.keys(), ["theirs"]);
    one.write("shared", "1");
    two.write("shared", "2");
    let refused = undo(&mut one).error("version_mismatch");
    assert!(refused["message"].as_str().unwrap().contains("key \"shared\""), "{refused}");
    assert_eq!(one.value("shared"), "2");
    undo(&mut two).ok();
    assert_eq!(one.value("shared"), "1");
}

#[test]
fn on_the_command_line_the_last_change_made_there_is_taken_back() {
    let env = Env::new();
    env.cli(&["set", "k", "1"]).ok();
    env.cli(&["set", "k", "2"]).ok();
    env.mcp().write("other", "x");
    assert!(env.cli(&["undo"]).ok().contains("write_key"));
    assert_eq!(env.cli(&["get", "k"]).ok(), "1");
    env.cli(&["undo"]).ok();
    env.cli(&["get", "k"]).fails(3);
    env.cli(&["undo"]).fails(3);
    assert_eq!(env.cli(&["get", "other"]).ok(), "x");
}

#[test]
fn large_values_expiries_and_values_that_were_not_kept() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    let large = "x".repeat(100_000);
    client.write("large", &large);
    client.write("large", "small");
    undo(&mut client).ok();
    assert_eq!(client.value("large"), large);
    client.call("write_key", json!({"key": "t", "value": "1", "ttl_ms": 3_600_000})).ok();
    let expiry = client.call("read_key", json!({"key": "t"})).ok()["expires_at"].clone();
    client.write("t", "2");
    undo(&mut client).ok();
    assert_eq!(client.call("read_key", json!({"key": "t"})).ok()["expires_at"], expiry);
    client.write("s", "secret");
    client.call("set_key_attributes", json!({"key": "s", "history": "none"})).ok();
    client.write("s", "other");
    let refused = undo(&mut client).error("unavailable");
    assert_eq!(refused["reason"], "not_kept", "{refused}");
    assert_eq!(client.value("s"), "other");
    assert_ne!(client.call("read_key", json!({"key": "s"})).ok()["history"], Value::Null);
}
