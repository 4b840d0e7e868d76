//! The four types: what each takes, what each refuses, and that nothing is changed on the way.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};

use crate::harness::{Env, mcp::text};

/// The start of a PNG file.
const PNG: [u8; 8] = [0x89, b'P', b'N', b'G', 13, 10, 26, 10];

#[test]
fn text_comes_back_exactly() {
    let env = Env::new();
    let mut client = env.mcp();
    for value in
        ["", "\n", "line\r\nline\n", "\u{0}\u{1}\u{7f}", "é e\u{301} 😀 \u{202e}", "{\"not\": json", "\"quoted\""]
    {
        client.write("k", value);
        assert_eq!(client.value("k"), value);
    }
}

#[test]
fn json_text_is_checked_and_keeps_its_digits_and_its_spelling() {
    let env = Env::new();
    let mut client = env.mcp();
    let exact = "{\"n\": 1.00000000000000000001,  \"big\": 123456789012345678901234567890, \"a\": [1e400]}";
    client.call("write_key", json!({"key": "k", "value": exact, "type": "json"})).ok();
    assert_eq!(client.value("k"), exact);
    for scalar in ["null", "true", "0", "\"s\"", "[]"] {
        client.call("write_key", json!({"key": "k", "value": scalar, "type": "json"})).ok();
        assert_eq!(client.value("k"), scalar);
    }
    let version = client.call("read_key", json!({"key": "k"})).ok()["version"].clone();
    for broken in ["", "{", "{'a': 1}", "[1,]", "nul", "1 2", "{\"a\":1}x"] {
        client.call("write_key", json!({"key": "k", "value": broken, "type": "json"})).error("invalid_argument");
        // The type stays when it is left out.
        client.call("write_key", json!({"key": "k", "value": broken})).error("invalid_argument");
    }
    assert_eq!(client.call("read_key", json!({"key": "k"})).ok()["version"], version);
}

#[test]
fn an_object_sent_as_the_value_makes_a_json_key() {
    let env = Env::new();
    let mut client = env.mcp();
    let object = json!({"name": "Ada", "list": [1, 2, {"deep": null}]});
    client.call("write_key", json!({"key": "k", "value": object})).ok();
    let key = client.call("read_key", json!({"key": "k"})).ok();
    assert_eq!(key["type"], "json");
    assert_eq!(serde_json::from_str::<Value>(&text(&key["value"])).unwrap(), object);
    client.call("write_key", json!({"key": "k", "value": {"second": true}, "type": "json"})).ok();
    assert_eq!(serde_json::from_str::<Value>(&client.value("k")).unwrap(), json!({"second": true}));
}

#[test]
fn a_picture_comes_back_as_base64_and_as_a_picture() {
    let env = Env::new();
    let mut client = env.mcp();
    let value = BASE64.encode(PNG);
    client.call("write_key", json!({"key": "p", "value": value, "type": "image", "content_type": "image/png"})).ok();
    let reply = client.call("read_key", json!({"key": "p"}));
    let picture = reply.content.iter().find(|block| block["type"] == "image").expect("an image block");
    assert_eq!((&picture["data"], &picture["mimeType"]), (&json!(value), &json!("image/png")));
    let key = reply.ok();
    assert_eq!(
        (&key["value"], &key["content_type"], &key["type"]),
        (&json!(value), &json!("image/png"), &json!("image"))
    );
}

#[test]
fn a_file_may_hold_any_bytes_and_no_picture_is_made_of_it() {
    let env = Env::new();
    let mut client = env.mcp();
    let bytes: Vec<u8> = (0..=255).collect();
    let value = BASE64.encode(&bytes);
    let args = json!({"key": "f", "value": value, "type": "file", "content_type": "application/octet-stream"});
    client.call("write_key", args).ok();
    let reply = client.call("read_key", json!({"key": "f"}));
    assert!(reply.content.iter().all(|block| block["type"] != "image"));
    assert_eq!(reply.ok()["value"], value);
}

#[test]
fn pictures_and_files_need_true_base64_and_a_fitting_content_type() {
    let env = Env::new();
    let mut client = env.mcp();
    let (good, png) = (BASE64.encode(PNG), "image/png");
    let refused = [
        json!({"value": "not base64!", "type": "image", "content_type": png}),
        json!({"value": "QQ", "type": "file", "content_type": "text/plain"}),
        json!({"value": "QUJD\nQUJD", "type": "file", "content_type": "text/plain"}),
        json!({"value": good, "type": "image"}),
        json!({"value": good, "type": "file"}),
        json!({"value": good, "type": "image", "content_type": "text/plain"}),
        json!({"value": good, "type": "image", "content_type": "png"}),
        json!({"value": good, "type": "file", "content_type": ""}),
        json!({"value": good, "type": "picture", "content_type": png}),
    ];
    for mut args in refused {
        args["key"] = "k".into();
        client.call("write_key", args).error("invalid_argument");
    }
    assert_eq!(client.keys(), Vec::<String>::new());
}

#[test]
fn text_may_have_a_content_type() {
    let env = Env::new();
    let mut client = env.mcp();
    client.call("write_key", json!({"key": "k", "value": "# A", "content_type": "text/markdown"})).ok();
    let key = client.call("read_key", json!({"key": "k"})).ok();
    assert_eq!((&key["type"], &key["content_type"]), (&json!("text"), &json!("text/markdown")));
}

#[test]
fn bug_a_large_whole_number_in_an_object_was_stored_as_another() {
    let env = Env::new();
    let mut client = env.mcp();
    client
        .call("write_key", json!({"key": "k", "value": {"n": 123_456_789_012_345_678_901_f64}}))
        .error("invalid_argument");
    client.call("write_key", json!({"key": "k", "value": {"n": u64::MAX, "x": 0.1}})).ok();
    assert_eq!(client.value("k"), r#"{"n":18446744073709551615,"x":0.1}"#);
}

#[test]
fn bug_thousands_of_tags_held_up_every_writer() {
    let env = Env::new();
    let mut client = env.mcp();
    let tags: Vec<String> = (0..300_000).map(|number| number.to_string()).collect();
    let error = client.call("write_key", json!({"key": "k", "value": "v", "tags": tags})).error("invalid_argument");
    assert_eq!(error["path"], "tags");
}
