//! Input that no client should send: a clear error each, nothing changed, and the server lives.

use serde_json::{Value, json};

use crate::harness::{
    Env,
    mcp::{Client, initialize_params},
};

/// A server with a key in it, and what it lists.
struct Calm {
    client: Client,
    before: Value,
    _env: Env,
}

impl Calm {
    fn new() -> Self {
        let env = Env::new();
        let mut client = env.mcp();
        client.write("k", "before");
        let before = client.call("list_keys", json!({})).ok();
        Self { client, before, _env: env }
    }

    /// Sends a line and returns the server's answer to it.
    fn answer(&mut self, line: &[u8]) -> Value {
        self.client.send_raw(line);
        self.client.send_raw("\n");
        self.client.next_message()
    }

    /// The server answers as before, and nothing has changed.
    fn lives(&mut self) {
        self.client.request("tools/list", json!({})).expect("tools/list succeeds");
        assert_eq!(self.client.call("list_keys", json!({})).ok(), self.before);
        assert_eq!(self.client.value("k"), "before");
    }
}

#[test]
fn what_is_no_json_is_a_parse_error() {
    let mut calm = Calm::new();
    let lines: [&[u8]; 7] = [
        b"{",
        b"hello",
        b"{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"ping\"",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pi\xffng\"}",
        b"\xff\xfe\x00",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} x",
        b"{'jsonrpc':'2.0'}",
    ];
    for line in lines {
        let answer = calm.answer(line);
        assert_eq!((&answer["error"]["code"], answer.get("id")), (&json!(-32700), Some(&Value::Null)), "{answer}");
        calm.lives();
    }
}

#[test]
fn what_is_no_request_is_an_invalid_request() {
    let mut calm = Calm::new();
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    let batch = format!("[{ping},{ping}]");
    for line in [batch.as_str(), "[]", "7", "\"ping\"", "null", "true"] {
        let answer = calm.answer(line.as_bytes());
        let expected = (&json!(-32600), Some(&Value::Null));
        assert_eq!((&answer["error"]["code"], answer.get("id")), expected, "{line}: {answer}");
        calm.lives();
    }
}

#[test]
fn an_object_that_is_no_message_gets_an_error_and_no_more() {
    let mut calm = Calm::new();
    for line in [
        "{}",
        "{\"jsonrpc\":\"2.0\",\"id\":900}",
        "{\"jsonrpc\":\"1.0\",\"id\":900,\"method\":\"ping\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":900,\"method\":7}",
        "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}",
    ] {
        let answer = calm.answer(line.as_bytes());
        assert!(answer["error"]["code"].is_i64(), "{line}: {answer}");
        calm.lives();
    }
}

#[test]
fn parameters_of_the_wrong_type_are_refused() {
    let mut calm = Calm::new();
    for params in [
        json!("text"),
        json!([1, 2]),
        json!(7),
        json!({}),
        json!({"name": 7}),
        json!({"name": "write_key", "arguments": "text"}),
        json!({"name": "write_key", "arguments": [1]}),
        json!({"name": ["write_key"], "arguments": {}}),
    ] {
        let line = json!({"jsonrpc": "2.0", "id": 900, "method": "tools/call", "params": params}).to_string();
        let answer = calm.answer(line.as_bytes());
        assert!(answer["error"]["code"].is_i64() || answer["result"]["isError"] == true, "{params}: {answer}");
        // Parameters that are no object make the whole no request, of which the id need not be known.
        assert!(answer["id"] == 900 || (answer["id"].is_null() && !params.is_object()), "{params}: {answer}");
        calm.lives();
    }
}

#[test]
fn arguments_of_the_wrong_type_are_results_that_a_model_can_mend() {
    let mut calm = Calm::new();
    for args in [
        json!({}),
        json!({"key": "k"}),
        json!({"value": "x"}),
        json!({"key": 7, "value": "x"}),
        json!({"key": ["k"], "value": "x"}),
        json!({"key": null, "value": "x"}),
        json!({"key": "k", "value": "x", "tags": "a"}),
        json!({"key": "k", "value": "x", "tags": [1]}),
        json!({"key": "k", "value": "x", "ttl_ms": -1}),
        json!({"key": "k", "value": "x", "ttl_ms": "soon"}),
        json!({"key": "k", "value": "x", "ttl_ms": 0.5}),
        json!({"key": "k", "value": "x", "ttl_ms": 1e300}),
        json!({"key": "k", "value": "x", "if_version": -1}),
        json!({"key": "k", "value": "x", "if_version": {}}),
        json!({"key": "k", "value": "x", "type": "TEXT"}),
        json!({"key": "k", "value": "x", "type": 1}),
        json!({"key": "k", "value": "x", "unknown": true}),
    ] {
        calm.client.call("write_key", args).error("invalid_argument");
        calm.lives();
    }
}

#[test]
fn a_nul_in_a_name_is_refused_everywhere() {
    let mut calm = Calm::new();
    for (tool, args) in [
        ("write_key", json!({"key": "k\0", "value": "x"})),
        ("append_key", json!({"key": "\0k", "text": "x"})),
        ("edit_key", json!({"key": "k\0", "old_text": "before", "new_text": "x"})),
        ("delete_key", json!({"key": "k\0"})),
        ("read_key", json!({"key": "k\0"})),
        ("key_history", json!({"key": "k\0"})),
    ] {
        calm.client.call(tool, args).error("invalid_argument");
        calm.lives();
    }
}

#[test]
fn deep_nesting_is_refused_and_does_not_end_the_server() {
    let mut calm = Calm::new();
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let answer = calm.answer(deep.as_bytes());
    assert!(answer["error"]["code"].is_i64(), "{answer}");
    calm.lives();
    let line = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":901,\"method\":\"tools/call\",\"params\":{{\"name\":\"write_key\",\
         \"arguments\":{{\"key\":\"k\",\"value\":{deep}}}}}}}"
    );
    let answer = calm.answer(line.as_bytes());
    assert!(answer["error"]["code"].is_i64() || answer["result"]["isError"] == true, "{answer}");
    calm.lives();
}

#[test]
fn deep_json_text_is_stored_or_refused_and_never_fatal() {
    let mut calm = Calm::new();
    let deep = "[".repeat(50_000) + &"]".repeat(50_000);
    let reply = calm.client.call("write_key", json!({"key": "deep", "value": deep, "type": "json"}));
    if reply.is_error {
        reply.error("invalid_argument");
    } else {
        drop(reply.ok());
        assert_eq!(calm.client.value("deep"), deep);
        calm.client.call("delete_key", json!({"key": "deep"})).ok();
    }
    assert_eq!(calm.client.keys(), ["k"]);
}

#[test]
fn empty_lines_and_other_line_ends_do_no_harm() {
    let mut calm = Calm::new();
    calm.client.send_raw("\r\n");
    calm.client.send_raw("{\"jsonrpc\":\"2.0\",\"id\":\"after\",\"method\":\"ping\"}\r\n");
    // Whether an empty line is answered is left open; the request behind it is.
    loop {
        let message = calm.client.next_message();
        if message["id"] == "after" {
            assert!(message["result"].is_object(), "{message}");
            break;
        }
        assert!(message["error"].is_object(), "{message}");
    }
    calm.lives();
}

#[test]
fn hostile_lines_before_the_handshake_do_not_end_the_server() {
    let env = Env::new();
    let mut client = env.mcp_bare(&[]);
    for line in ["{\n", "[]\n", "7\n"] {
        client.send_raw(line);
        assert!(client.next_message()["error"]["code"].is_i64(), "{line}");
    }
    client.request("initialize", initialize_params("2025-11-25")).expect("initialize succeeds");
    client.notify("notifications/initialized", json!({}));
    client.write("k", "v");
}

#[test]
fn an_instance_name_that_could_be_a_path_is_refused_and_makes_nothing() {
    let env = Env::new();
    drop(env.mcp().keys());
    let outside = || {
        let mut names: Vec<_> =
            std::fs::read_dir(env.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = outside();
    for name in ["../out", "a/b", "..", ".", "/tmp/out", "a\\b", "", "_catalog/..", "_new", &"x".repeat(129)] {
        let output = env.cli(&["set", "-i", name, "k", "v"]);
        assert_ne!(output.code, 0, "{name}");
        assert!(!output.stderr.is_empty());
        let mut client = env.mcp_bare(&["--instance", name]);
        refused_at_start_or_at_the_call(&mut client, name);
        assert_eq!(outside(), before, "{name}");
    }
}

/// The program ends with a usage error, or answers every call with a clear error.
fn refused_at_start_or_at_the_call(client: &mut Client, name: &str) {
    client.send("initialize", initialize_params("2025-11-25"));
    if client.receive().is_none() {
        let (code, said) = client.ended();
        assert!(code == 2 && !said.is_empty(), "{name} ended with {code}: {said}");
        return;
    }
    client.notify("notifications/initialized", json!({}));
    let reply = client.call("list_keys", json!({}));
    assert!(reply.is_error && reply.structured["error"]["code"].is_string(), "{name}: {}", reply.structured);
}
