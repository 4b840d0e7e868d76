//! `append_key`, `edit_key` and `delete_key`.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::json;

use crate::harness::{
    Env,
    mcp::{Client, members},
};

/// Makes an image and a file.
fn binary_keys(client: &mut Client) {
    for (key, kind, content_type) in [("image", "image", "image/png"), ("file", "file", "application/pdf")] {
        let args = json!({"key": key, "value": BASE64.encode(key), "type": kind, "content_type": content_type});
        client.call("write_key", args).ok();
    }
}

#[test]
fn appending_makes_the_key_and_then_adds_to_its_end() {
    let env = Env::new();
    let mut client = env.mcp();
    let first = client.call("append_key", json!({"key": "log", "text": "one\n"})).ok();
    assert_eq!(members(&first), ["created", "key", "version"]);
    assert_eq!(first["created"], true);
    let second = client.call("append_key", json!({"key": "log", "text": "two é\n"})).ok();
    assert_eq!(second["created"], false);
    let key = client.call("read_key", json!({"key": "log"})).ok();
    assert_eq!((&key["type"], &key["value"]), (&json!("text"), &json!("one\ntwo é\n")));
    assert_eq!(key["version"], second["version"]);
}

#[test]
fn editing_replaces_the_one_occurrence() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("k", "red green blue");
    let edited = client.call("edit_key", json!({"key": "k", "old_text": "green", "new_text": "vert"})).ok();
    assert_eq!(members(&edited), ["created", "key", "version"]);
    assert_eq!((&edited["created"], client.value("k")), (&json!(false), "red vert blue".to_owned()));
    client.call("edit_key", json!({"key": "k", "old_text": " vert", "new_text": ""})).ok();
    assert_eq!(client.value("k"), "red blue");
}

#[test]
fn editing_refuses_another_number_of_occurrences_than_expected() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("k", "a b a");
    let edit = |old: &str, count: Option<u64>| {
        let mut args = json!({"key": "k", "old_text": old, "new_text": "c"});
        if let Some(count) = count {
            args["expect_count"] = count.into();
        }
        args
    };
    for args in [edit("a", None), edit("x", None), edit("a", Some(3)), edit("b", Some(2))] {
        assert!(client.call("edit_key", args.clone()).is_error, "{args}");
    }
    assert_eq!(client.value("k"), "a b a");
    client.call("edit_key", edit("a", Some(2))).ok();
    assert_eq!(client.value("k"), "c b c");
}

#[test]
fn an_edit_of_an_absent_key_finds_nothing() {
    let env = Env::new();
    let mut client = env.mcp();
    client.call("edit_key", json!({"key": "k", "old_text": "a", "new_text": "b"})).error("not_found");
}

#[test]
fn appending_and_editing_compare_the_version() {
    let env = Env::new();
    let mut client = env.mcp();
    let first = client.write("k", "a");
    let second = client.write("k", "ab");
    let calls = [
        ("append_key", json!({"key": "k", "text": "c", "if_version": first})),
        ("edit_key", json!({"key": "k", "old_text": "a", "new_text": "c", "if_version": first})),
        ("delete_key", json!({"key": "k", "if_version": first})),
    ];
    for (tool, args) in calls {
        assert_eq!(client.call(tool, args).error("version_mismatch")["current"], second);
    }
    assert_eq!(client.value("k"), "ab");
    client.call("append_key", json!({"key": "k", "text": "c", "if_version": second})).ok();
    assert_eq!(client.value("k"), "abc");
}

#[test]
fn pictures_and_files_have_no_text_to_append_to_or_edit() {
    let env = Env::new();
    let mut client = env.mcp();
    binary_keys(&mut client);
    for key in ["image", "file"] {
        let version = client.call("read_key", json!({"key": key})).ok()["version"].clone();
        client.call("append_key", json!({"key": key, "text": "x"})).error("invalid_argument");
        client.call("edit_key", json!({"key": key, "old_text": "A", "new_text": "B"})).error("invalid_argument");
        assert_eq!(client.call("read_key", json!({"key": key})).ok()["version"], version);
    }
}

#[test]
fn an_appended_or_edited_json_key_is_still_json() {
    let env = Env::new();
    let mut client = env.mcp();
    client.call("write_key", json!({"key": "k", "value": "{\"a\": 1}", "type": "json"})).ok();
    client.call("edit_key", json!({"key": "k", "old_text": "1", "new_text": "2.50"})).ok();
    assert_eq!(client.value("k"), "{\"a\": 2.50}");
    client.call("edit_key", json!({"key": "k", "old_text": "}", "new_text": ""})).error("invalid_argument");
    client.call("append_key", json!({"key": "k", "text": "]"})).error("invalid_argument");
    assert_eq!(client.value("k"), "{\"a\": 2.50}");
}

#[test]
fn a_deleted_key_is_gone_and_deleting_it_again_is_no_error() {
    let env = Env::new();
    let mut client = env.mcp();
    let written = client.write("k", "a");
    let deleted = client.call("delete_key", json!({"key": "k"})).ok();
    assert_eq!(members(&deleted), ["deleted", "key", "version"]);
    assert_eq!(deleted["deleted"], true);
    assert!(deleted["version"].as_u64().unwrap() > written);
    client.call("read_key", json!({"key": "k"})).error("not_found");
    let again = client.call("delete_key", json!({"key": "k"})).ok();
    assert_eq!(members(&again), ["deleted", "key", "version"]);
    assert_eq!(again["deleted"], false);
    assert_eq!(client.keys(), Vec::<String>::new());
}

#[test]
fn deleting_an_absent_key_at_a_version_is_a_mismatch() {
    let env = Env::new();
    let mut client = env.mcp();
    assert_eq!(client.call("delete_key", json!({"key": "k", "if_version": 3})).error("version_mismatch")["current"], 0);
    assert_eq!(client.call("delete_key", json!({"key": "k", "if_version": 0})).ok()["deleted"], false);
    let version = client.write("k", "a");
    client.call("delete_key", json!({"key": "k", "if_version": 0})).error("version_mismatch");
    assert_eq!(client.call("delete_key", json!({"key": "k", "if_version": version})).ok()["deleted"], true);
}

#[test]
fn bug_an_edit_could_grow_a_value_without_bound() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("k", &"a".repeat(100_000));
    let args = json!({"key": "k", "old_text": "a", "new_text": "b".repeat(100_000), "expect_count": 100_000});
    client.call("edit_key", args).error("too_large");
    assert_eq!(client.value("k").len(), 100_000);
}

#[test]
fn bug_a_refused_append_quoted_a_value_that_may_not_be_read() {
    let env = Env::new();
    env.cli(&["set", "secret", r#"{"token":"hunter2"}"#, "--type", "json"]).ok();
    env.cli(&["attr", "secret", "--system-tags", "LLMWrite"]).ok();
    let mut client = env.mcp();
    client.call("read_key", json!({"key": "secret"})).error("not_found");
    for (tool, args) in [
        ("append_key", json!({"key": "secret", "text": "x"})),
        ("edit_key", json!({"key": "secret", "old_text": "hunter2", "new_text": "x", "expect_count": 9})),
    ] {
        let error = client.call(tool, args).error("invalid_argument");
        let shown = error.to_string();
        assert!(!shown.contains("token") && !shown.contains("occurrences"), "{shown}");
    }
}
