//! `write_key`: what a new key is, what stays and what is replaced, compare-and-set, names.

use expect_test::expect;
use serde_json::{Value, json};

use crate::harness::{
    Env,
    mcp::{Client, members, text},
    normal::{is_time, normal},
};

fn read(client: &mut Client, key: &str) -> Value {
    client.call("read_key", json!({"key": key})).ok()
}

#[test]
fn a_new_key_is_text_that_models_may_read_and_write() {
    let env = Env::new();
    let mut client = env.mcp();
    let written = client.call("write_key", json!({"key": "notes", "value": "first"})).ok();
    assert_eq!(members(&written), ["created", "key", "version"]);
    assert_eq!(written["created"], true);
    let mut key = read(&mut client, "notes");
    assert_eq!(key["version"], written["version"]);
    key["version"] = 0.into();
    expect![[r#"
        {
          "key": "notes",
          "type": "text",
          "value": "first",
          "version": 0,
          "tags": [],
          "system_tags": [
            "LLMRead",
            "LLMWrite"
          ],
          "z_index": 0,
          "created_at": "<time>",
          "updated_at": "<time>",
          "updated_by": {
            "principal": "local",
            "client": "black-box"
          }
        }"#]]
    .assert_eq(&normal(&env, &serde_json::to_string_pretty(&key).unwrap()));
}

#[test]
fn each_write_has_a_higher_version_and_the_time_of_its_making_stays() {
    let env = Env::new();
    let mut client = env.mcp();
    let first = client.write("k", "1");
    let before = read(&mut client, "k");
    let second = client.call("write_key", json!({"key": "k", "value": "2"})).ok();
    assert_eq!(second["created"], false);
    assert!(second["version"].as_u64().unwrap() > first);
    let after = read(&mut client, "k");
    assert_eq!(after["created_at"], before["created_at"]);
    assert!(text(&after["updated_at"]) >= text(&before["updated_at"]));
    assert_eq!(after["value"], "2");
}

#[test]
fn a_key_deleted_and_made_again_goes_on_with_higher_versions() {
    let env = Env::new();
    let mut client = env.mcp();
    let first = client.write("k", "1");
    let deleted = client.call("delete_key", json!({"key": "k"})).ok()["version"].as_u64().unwrap();
    let again = client.call("write_key", json!({"key": "k", "value": "2"})).ok();
    assert_eq!(again["created"], true);
    assert!(first < deleted && deleted < again["version"].as_u64().unwrap());
}

#[test]
fn tags_replace_the_tags_and_left_out_they_stay() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    client.call("write_key", json!({"key": "k", "value": "1", "tags": ["a", "b"]})).ok();
    assert_eq!(read(&mut client, "k")["tags"], json!(["a", "b"]));
    client.write("k", "2");
    assert_eq!(read(&mut client, "k")["tags"], json!(["a", "b"]));
    client.call("write_key", json!({"key": "k", "value": "3", "tags": ["c"]})).ok();
    assert_eq!(read(&mut client, "k")["tags"], json!(["c"]));
    client.call("write_key", json!({"key": "k", "value": "4", "tags": []})).ok();
    assert_eq!(read(&mut client, "k")["tags"], json!([]));
}

#[test]
fn a_write_without_ttl_makes_the_key_permanent() {
    let env = Env::new();
    let mut client = env.mcp();
    client.call("write_key", json!({"key": "k", "value": "1", "ttl_ms": 3_600_000})).ok();
    assert!(is_time(&text(&read(&mut client, "k")["expires_at"])));
    client.write("k", "2");
    assert_eq!(read(&mut client, "k").get("expires_at"), None);
}

#[test]
fn appending_and_editing_keep_the_expiry() {
    let env = Env::new();
    let mut client = env.mcp();
    client.call("write_key", json!({"key": "k", "value": "one", "ttl_ms": 3_600_000})).ok();
    let expiry = read(&mut client, "k")["expires_at"].clone();
    client.call("append_key", json!({"key": "k", "text": " two"})).ok();
    assert_eq!(read(&mut client, "k")["expires_at"], expiry);
    client.call("edit_key", json!({"key": "k", "old_text": "two", "new_text": "2"})).ok();
    let key = read(&mut client, "k");
    assert_eq!((&key["expires_at"], &key["value"]), (&expiry, &json!("one 2")));
}

#[test]
fn a_write_with_an_older_version_changes_nothing_and_learns_the_current_one() {
    let env = Env::new();
    let mut client = env.mcp();
    let first = client.write("k", "1");
    let second = client.call("write_key", json!({"key": "k", "value": "2", "if_version": first})).ok();
    let stale = json!({"key": "k", "value": "3", "if_version": first});
    let error = client.call("write_key", stale).error("version_mismatch");
    assert_eq!(error["current"], second["version"]);
    assert_eq!(client.value("k"), "2");
}

#[test]
fn version_0_means_that_the_key_must_not_exist() {
    let env = Env::new();
    let mut client = env.mcp();
    let only_new = json!({"key": "k", "value": "1", "if_version": 0});
    let first = client.call("write_key", only_new.clone()).ok();
    assert_eq!(first["created"], true);
    assert_eq!(client.call("write_key", only_new).error("version_mismatch")["current"], first["version"]);
    let absent = json!({"key": "other", "value": "1", "if_version": 7});
    assert_eq!(client.call("write_key", absent).error("version_mismatch")["current"], 0);
    assert_eq!(client.keys(), ["k"]);
}

#[test]
fn names_that_break_the_rule_are_refused() {
    let env = Env::new();
    let mut client = env.mcp();
    let long = "x".repeat(257);
    let reserved = ["$date", "$time", "$version", "$system_prompt"];
    let bad = ["", "a\u{0}b", "a\nb", "tab\t", "\u{7f}", "\u{85}", long.as_str()];
    for name in bad.into_iter().chain(reserved) {
        for (tool, mut args) in [("write_key", json!({"value": "x"})), ("append_key", json!({"text": "x"}))] {
            args["key"] = name.into();
            client.call(tool, args).error("invalid_argument");
        }
    }
    assert_eq!(client.keys(), Vec::<String>::new());
}

#[test]
fn any_other_name_is_a_key_of_its_own() {
    let env = Env::new();
    let mut client = env.mcp();
    let (long, wide) = ("x".repeat(256), "é".repeat(256));
    // The last two look the same; they are different code points and so different keys.
    let names = [
        "a",
        "A",
        "a/b",
        "a\\b",
        "../x",
        "%",
        "_",
        "$other",
        " ",
        "😀",
        "__proto__",
        &long,
        &wide,
        "\u{e9}",
        "e\u{301}",
    ];
    for name in names {
        client.call("write_key", json!({"key": name, "value": format!("of {name}")})).ok();
    }
    for name in names {
        assert_eq!(client.value(name), format!("of {name}"));
    }
    let mut sorted: Vec<_> = names.iter().map(ToString::to_string).collect();
    sorted.sort();
    assert_eq!(client.keys(), sorted);
}

#[test]
fn a_name_that_looks_like_another_is_taken_with_a_warning() {
    let env = Env::new();
    let mut client = env.mcp();
    let mut warns = |key: &str| {
        let reply = client.call("write_key", json!({"key": key, "value": "v"}));
        let text = reply.text().to_lowercase();
        drop(reply.ok());
        text.contains("warning")
    };
    assert!(!warns("caf\u{e9}"));
    assert!(warns("cafe\u{301}"));
    assert!(!warns("cafe"));
}

#[test]
fn an_argument_that_the_schema_does_not_know_is_refused() {
    let env = Env::new();
    let mut client = env.mcp();
    let args = json!({"key": "k", "value": "x", "system_tags": ["SystemPrompt"]});
    client.call("write_key", args).error("invalid_argument");
    assert_eq!(client.keys(), Vec::<String>::new());
}
