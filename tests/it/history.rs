//! `key_history` and `restore_key`: every version is there, and any of them can come back.

use serde_json::{Value, json};

use crate::harness::{
    Env,
    mcp::{Client, members, text},
    normal::is_time,
};

/// The versions of a key, oldest first.
fn versions(client: &mut Client, args: Value) -> Vec<Value> {
    let history = client.call("key_history", args).ok();
    let mut versions = history["versions"].as_array().expect("versions").clone();
    versions.sort_by_key(|version| version["version"].as_u64());
    versions
}

#[test]
fn the_history_of_a_key_tells_what_it_became_when_and_by_whom() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    client.write("k", "one");
    client.call("append_key", json!({"key": "k", "text": " two"})).ok();
    client.call("edit_key", json!({"key": "k", "old_text": "one", "new_text": "1"})).ok();
    client.call("delete_key", json!({"key": "k"})).ok();
    client.write("k", "again");
    let history = client.call("key_history", json!({"key": "k"})).ok();
    assert_eq!(members(&history), ["key", "next_cursor", "versions"]);
    assert_eq!((&history["key"], &history["next_cursor"]), (&json!("k"), &Value::Null));
    let told: Vec<_> = versions(&mut client, json!({"key": "k"}))
        .iter()
        .map(|v| format!("{} {} {}", text(&v["operation"]), text(&v["change"]), v["value"].as_str().unwrap_or("-")))
        .collect();
    let expected = [
        "write_key created one",
        "append_key updated one two",
        "edit_key updated 1 two",
        "delete_key deleted -",
        "write_key created again",
    ];
    assert_eq!(told, expected);
    for version in history["versions"].as_array().unwrap() {
        let with_value = ["actor", "at", "change", "operation", "value", "version"];
        let expected = if version["change"] == "deleted" { &[0, 1, 2, 3, 5][..] } else { &[0, 1, 2, 3, 4, 5] };
        assert_eq!(members(version), expected.iter().map(|at| with_value[*at]).collect::<Vec<_>>());
        assert!(is_time(&text(&version["at"])));
        assert_eq!(
            (&version["actor"]["principal"], &version["actor"]["client"]),
            (&json!("local"), &json!("black-box"))
        );
    }
}

#[test]
fn values_over_a_kibibyte_are_left_out_of_the_history() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("k", &"x".repeat(1024));
    client.write("k", &"x".repeat(1025));
    let shown: Vec<_> = versions(&mut client, json!({"key": "k"})).iter().map(|v| v.get("value").is_some()).collect();
    assert_eq!(shown, [true, false]);
}

#[test]
fn a_history_page_holds_20_versions_unless_told() {
    let env = Env::new();
    let mut client = env.mcp();
    for number in 0..25 {
        client.write("k", &number.to_string());
    }
    assert_eq!(versions(&mut client, json!({"key": "k"})).len(), 20);
    assert_eq!(versions(&mut client, json!({"key": "k", "limit": 3})).len(), 3);
    assert_eq!(versions(&mut client, json!({"key": "k", "limit": 100})).len(), 25);
    client.call("key_history", json!({"key": "k", "limit": 0})).error("invalid_argument");
}

#[test]
fn a_key_that_never_was_has_no_history() {
    let env = Env::new();
    env.mcp().call("key_history", json!({"key": "k"})).error("not_found");
}

#[test]
fn an_older_version_comes_back_as_a_new_one() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    let long = "é".repeat(100_000);
    let first = client.write("k", &long);
    let second = client.write("k", "short");
    let restored = client.call("restore_key", json!({"key": "k", "version": first})).ok();
    assert_eq!(members(&restored), ["created", "key", "version"]);
    assert_eq!(restored["created"], false);
    assert!(restored["version"].as_u64().unwrap() > second);
    assert!(client.value("k") == long, "the long value is whole again");
}

#[test]
fn a_deleted_key_comes_back() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    client.call("write_key", json!({"key": "k", "value": "v", "tags": ["a"]})).ok();
    let version = client.call("read_key", json!({"key": "k"})).ok()["version"].clone();
    client.call("delete_key", json!({"key": "k"})).ok();
    let restored = client.call("restore_key", json!({"key": "k", "version": version})).ok();
    assert_eq!(restored["created"], true);
    let key = client.call("read_key", json!({"key": "k"})).ok();
    assert_eq!((&key["value"], &key["tags"]), (&json!("v"), &json!(["a"])));
}

#[test]
fn a_version_of_another_key_is_not_restored() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    client.write("k", "of k");
    let other = client.write("other", "of other");
    for version in [other, 1_000_000] {
        client.call("restore_key", json!({"key": "k", "version": version})).error("not_found");
    }
    assert_eq!(client.value("k"), "of k");
}
