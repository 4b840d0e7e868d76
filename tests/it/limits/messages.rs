//! What a message may be: its depth, URIs, cursors, names, and what opens a session.

use serde_json::{Value, json};

use crate::harness::{
    Env,
    mcp::{LEGACY, initialize_params, text},
};

fn nested(levels: usize) -> String {
    "[".repeat(levels) + &"]".repeat(levels)
}

#[test]
fn a_message_nests_127_levels() {
    let env = Env::new();
    let mut client = env.mcp();
    // Two of them are the parameters and the arguments.
    let call = |levels: usize| {
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":900,\"method\":\"tools/call\",\"params\":{{\"name\":\"write_key\",\
             \"arguments\":{{\"key\":\"k{levels}\",\"value\":{}}}}}}}\n",
            nested(levels)
        )
    };
    client.send_raw(call(125));
    assert_eq!(client.next_message()["result"]["isError"], false);
    client.send_raw(call(126));
    let refused = client.next_message();
    assert_eq!(refused["error"]["code"], -32600, "{refused}");
    assert!(text(&refused["error"]["message"]).contains("nested too deeply: 127 levels"), "{refused}");
    // Over HTTP the message itself is one more.
    let server = env.serve(&[]);
    let session = server.mcp();
    assert_eq!(server.post("/mcp", &session.headers("", None), &call(124)).status, 200);
    let refused = server.post("/mcp", &session.headers("", None), &call(126));
    assert_eq!(refused.status, 415);
    assert!(refused.text().contains("recursion limit"), "{}", refused.text());
    assert_eq!(client.keys(), ["k124", "k125"]);
}

#[test]
fn what_opens_a_session_has_256_kibibytes() {
    let env = Env::new();
    let server = env.serve(&[]);
    let params = |padding: usize| {
        let mut params = initialize_params(LEGACY);
        params["clientInfo"]["title"] = "x".repeat(padding).into();
        params
    };
    for (padding, fits) in [(250 * 1024, true), (256 * 1024, false)] {
        let over_stdio = env.mcp_bare(&[]).request("initialize", params(padding));
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params(padding)}).to_string();
        let response = server.post("/mcp", &[("Authorization", &server.bearer())], &body);
        assert_eq!((over_stdio.is_ok(), response.message(1)["result"].is_object()), (fits, fits), "{padding}");
        let told = if fits { continue } else { [over_stdio.unwrap_err(), response.message(1)["error"].clone()] };
        for error in told {
            assert_eq!(error["code"], -32602, "{error}");
            assert!(text(&error["message"]).contains("at most 262144"), "{error}");
        }
    }
}

#[test]
fn a_uri_has_8_kibibytes() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("k", "v");
    let of = |length: usize| json!({"uri": format!("{:x<length$}", "mindcache://default/k?")});
    client.request("resources/read", of(8 * 1024)).expect("it is read");
    let refused = client.request("resources/read", of(8 * 1024 + 1)).unwrap_err();
    assert_eq!(refused["code"], -32602);
    assert!(text(&refused["message"]).contains("8192 bytes"), "{refused}");
}

#[test]
fn cursors_have_as_much_as_the_longest_name_needs() {
    let env = Env::new();
    let mut client = env.mcp();
    for (length, code) in [(2048, "next_cursor"), (2049, "2048")] {
        let error = client.call("list_keys", json!({"cursor": "!".repeat(length)})).error("invalid_argument");
        assert!(text(&error["message"]).contains(code), "{error}");
    }
    let of = |length: usize| json!({"cursor": format!("{:x<length$}", "prompt.")});
    client.request("resources/list", of(4096)).expect("a page");
    assert_eq!(client.request("resources/list", of(4097)).unwrap_err()["code"], -32602);
    // The longest that we give ourselves.
    let mut person = env.mcp_with(&["--mode", "edit"]);
    for number in 0..101 {
        let key = format!("{}{number:03}", "名".repeat(253));
        person.write(&key, "v");
        person.call("set_key_attributes", json!({"key": key, "system_tags": ["SystemPrompt"]})).ok();
    }
    let page = client.request("resources/list", json!({})).unwrap();
    client.request("resources/list", json!({"cursor": page["nextCursor"]})).expect("the next page");
}

#[test]
fn names_of_operations_and_idempotency_keys_are_short() {
    let env = Env::new();
    let mut client = env.mcp();
    let name = |length: usize| json!({"name": "x".repeat(length)});
    client.call("op_call", name(64)).error("not_found");
    client.call("op_call", name(65)).error("invalid_argument");
    let append = |length: usize| json!({"key": "k", "text": "x", "idempotency_key": "i".repeat(length)});
    client.call("append_key", append(128)).ok();
    let error = client.call("append_key", append(129)).error("invalid_argument");
    assert!(text(&error["message"]).contains("1 to 128"), "{error}");
    assert_eq!(client.value("k"), "x");
}

#[test]
fn tags_notes_queries_and_content_types_have_their_lengths() {
    let env = Env::new();
    let mut client = env.mcp();
    let tags = |count: usize| Value::from((0..count).map(|number| number.to_string()).collect::<Vec<_>>());
    for (fits, beyond) in [
        (json!({"tags": tags(32)}), json!({"tags": tags(33)})),
        (json!({"tags": ["é".repeat(64)]}), json!({"tags": ["é".repeat(65)]})),
        (
            json!({"content_type": format!("a/{}", "b".repeat(126))}),
            json!({"content_type": format!("a/{}", "b".repeat(127))}),
        ),
        (json!({"ttl_ms": 316_224_000_000_u64}), json!({"ttl_ms": 316_224_000_001_u64})),
    ] {
        let args = |mut extra: Value, value: &str| {
            extra["key"] = "k".into();
            extra["value"] = value.into();
            extra
        };
        let person = &mut env.mcp_with(&["--mode", "edit"]);
        person.call("write_key", args(fits, "fits")).ok();
        client.call("write_key", args(beyond, "beyond")).error("invalid_argument");
        assert_eq!(person.value("k"), "fits");
    }
    client.call("op_search", json!({"query": "x".repeat(256)})).ok();
    client.call("op_search", json!({"query": "x".repeat(257)})).error("invalid_argument");
}

#[test]
fn a_schema_has_its_size_its_depth_and_its_patterns() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    client.write("k", "v");
    let long = |bytes: usize| {
        let empty = json!({"description": ""}).to_string().len();
        json!({"description": "x".repeat(bytes - empty)})
    };
    let deep = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({"not": inner}));
    let patterns = |count: usize| json!({"allOf": (0..count).map(|_| json!({"pattern": "v"})).collect::<Vec<_>>()});
    for (fits, beyond, code) in [
        (long(16 * 1024), long(16 * 1024 + 1), "too_large"),
        (deep(32), deep(33), "invalid_argument"),
        (patterns(8), patterns(9), "invalid_argument"),
    ] {
        let before = client.call("set_key_attributes", json!({"key": "k", "schema": fits})).ok();
        client.call("set_key_attributes", json!({"key": "k", "schema": beyond})).error(code);
        assert_eq!(client.call("read_key", json!({"key": "k"})).ok()["version"], before["version"]);
    }
}

#[test]
fn descriptions_and_notes_have_their_lengths() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    client.write("k", "v");
    let described = |length: usize| json!({"key": "k", "description": "é".repeat(length)});
    client.call("set_key_attributes", described(300)).ok();
    client.call("set_key_attributes", described(301)).error("invalid_argument");
    let snapshot = |length: usize| json!({"name": "instance_snapshot", "args": {"instance": "default", "note": "é".repeat(length)}});
    client.call("op_call", snapshot(1000)).ok();
    client.call("op_call", snapshot(1001)).error("invalid_argument");
    let create = |length: usize| json!({"name": "instance_create", "args": {"name": "é".repeat(length)}});
    client.call("op_call", create(128)).ok();
    client.call("op_call", create(129)).error("invalid_argument");
}

#[test]
fn the_results_of_a_batch_are_4_mebibytes() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("large", &"x".repeat(256 * 1024));
    let batch = |reads: usize, mode: &str| {
        let write = json!({"name": "write_key", "args": {"key": "k", "value": reads.to_string()}});
        let mut operations = vec![write];
        operations.resize(reads + 1, json!({"name": "read_key", "args": {"key": "large"}}));
        json!({"name": "batch", "args": {"operations": operations, "mode": mode}})
    };
    client.call("op_call", batch(15, "all")).ok();
    for mode in ["all", "each"] {
        let error = client.call("op_call", batch(16, mode)).error("too_large");
        assert_eq!(error["limit_bytes"], 4 * 1024 * 1024);
        assert!(text(&error["message"]).contains("Nothing was done"), "{error}");
        assert_eq!(client.value("k"), "15");
    }
}

#[test]
fn the_large_values_of_a_batch_are_64_mebibytes() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("k", &"x".repeat(16 * 1024 * 1024 - 8));
    let append = |times: usize, mode: &str| {
        let operations = vec![json!({"name": "append_key", "args": {"key": "k", "text": "y"}}); times];
        json!({"name": "batch", "args": {"operations": operations, "mode": mode}})
    };
    for mode in ["all", "each"] {
        let error = client.call("op_call", append(5, mode)).error("too_large");
        assert_eq!(error["limit_bytes"], 64 * 1024 * 1024);
        assert!(text(&error["message"]).contains("Nothing was done"), "{error}");
    }
    client.call("op_call", append(4, "all")).ok();
    assert_eq!(client.call("read_key", json!({"key": "k", "offset": 16 * 1024 * 1024 - 8})).ok()["value"], "yyyy");
}
