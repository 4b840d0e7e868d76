//! Both ways to speak the protocol: 2025-11-25 with a handshake, 2026-07-28 without one.

use serde_json::{Value, json};

use crate::harness::{
    Env,
    mcp::{LEGACY, MODERN, ToolReply, initialize_params, text},
};

const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// The program's name and version, wherever a result carries them.
fn is_ours(info: &Value) {
    assert_eq!(info["name"], "mindcache", "{info}");
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_handshake_says_who_answers_and_what_it_can_do() {
    let env = Env::new();
    let mut client = env.mcp_bare(&[]);
    let hello = client.handshake();
    assert_eq!(hello["protocolVersion"], LEGACY);
    is_ours(&hello["serverInfo"]);
    for capability in ["tools", "resources"] {
        assert!(hello["capabilities"][capability].is_object(), "{capability}: {}", hello["capabilities"]);
    }
    let instructions = text(&hello["instructions"]);
    assert!((20..=2000).contains(&instructions.chars().count()), "{instructions}");
}

#[test]
fn a_handshake_for_the_version_without_one_is_answered_with_the_last_that_has_one() {
    let env = Env::new();
    let mut client = env.mcp_bare(&[]);
    let hello = client.request("initialize", initialize_params(MODERN)).expect("initialize succeeds");
    assert_eq!(hello["protocolVersion"], LEGACY);
}

#[test]
fn an_older_client_is_served() {
    let env = Env::new();
    for version in ["2024-11-05", "2025-03-26", "2025-06-18"] {
        let mut client = env.mcp_bare(&[]);
        client.request("initialize", initialize_params(version)).expect("initialize succeeds");
        client.notify("notifications/initialized", json!({}));
        client.write("k", version);
        assert_eq!(client.value("k"), version);
        client.request("ping", json!({})).expect("ping succeeds");
    }
}

#[test]
fn discovery_needs_no_handshake() {
    let env = Env::new();
    let mut client = env.mcp_modern(&[]);
    let found = client.request("server/discover", json!({})).expect("server/discover succeeds");
    assert!(found["supportedVersions"].as_array().expect("versions").contains(&json!(MODERN)), "{found}");
    assert!(found["capabilities"]["tools"].is_object());
    assert!(found["instructions"].is_string());
    assert_eq!(found["resultType"], "complete");
    is_ours(&found["_meta"][SERVER_INFO]);
}

#[test]
fn every_result_without_a_handshake_is_complete_and_stamped() {
    let env = Env::new();
    let mut client = env.mcp_modern(&[]);
    let write = json!({"name": "write_key", "arguments": {"key": "k", "value": "v"}});
    let refused = json!({"name": "read_key", "arguments": {"key": "absent"}});
    let uri = "mindcache://default/k";
    let requests = [
        ("tools/list", json!({})),
        ("tools/call", write),
        ("tools/call", refused),
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("resources/read", json!({"uri": uri})),
    ];
    for (method, params) in requests {
        let result = client.request(method, params).unwrap_or_else(|error| panic!("{method}: {error}"));
        assert_eq!(result["resultType"], "complete", "{method}");
        is_ours(&result["_meta"][SERVER_INFO]);
    }
}

#[test]
fn what_one_era_writes_the_other_reads() {
    let env = Env::new();
    let (mut modern, mut legacy) = (env.mcp_modern(&["--mode", "edit"]), env.mcp());
    modern.write("from modern", "m");
    legacy.write("from legacy", "l");
    assert_eq!(legacy.value("from modern"), "m");
    assert_eq!(modern.value("from legacy"), "l");
}

#[test]
fn lists_without_a_handshake_are_private_and_fresh() {
    let env = Env::new();
    let mut client = env.mcp_modern(&[]);
    for method in ["tools/list", "resources/list"] {
        let result = client.request(method, json!({})).expect("the list succeeds");
        assert_eq!((&result["cacheScope"], &result["ttlMs"]), (&json!("private"), &json!(0)), "{method}");
    }
}

#[test]
fn a_tool_that_does_not_exist_is_a_protocol_error() {
    let env = Env::new();
    for mut client in [env.mcp(), env.mcp_modern(&[])] {
        for name in ["no_such_tool", "", "list_keys ", "LIST_KEYS"] {
            let error = client.try_call(name, json!({})).expect_err("an unknown tool is refused");
            assert_eq!(error["code"], -32602, "{name}: {error}");
        }
        assert_eq!(client.keys(), Vec::<String>::new());
    }
}

#[test]
fn a_method_that_does_not_exist_is_a_protocol_error() {
    let env = Env::new();
    for mut client in [env.mcp(), env.mcp_modern(&[])] {
        for method in ["no/such/method", "tools/destroy", ""] {
            let error = client.request(method, json!({})).expect_err("an unknown method is refused");
            assert_eq!(error["code"], -32601, "{method}: {error}");
        }
        assert_eq!(client.keys(), Vec::<String>::new());
    }
}

#[test]
fn requests_sent_together_are_all_answered() {
    let env = Env::new();
    let mut client = env.mcp();
    let ids: Vec<_> = (0..200)
        .map(|number| client.send_call("write_key", json!({"key": format!("k{number:03}"), "value": "v"})))
        .collect();
    let replies = client.collect(&ids);
    let mut versions: Vec<_> = replies
        .into_values()
        .map(|reply| ToolReply::of(reply.expect("the write is taken")).ok()["version"].as_u64().expect("a version"))
        .collect();
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions.len(), 200, "each write has a version of its own");
    assert_eq!(client.keys().len(), 200);
}

#[test]
fn an_id_may_be_a_string() {
    let env = Env::new();
    let mut client = env.mcp();
    client.send_raw("{\"jsonrpc\":\"2.0\",\"id\":\"seven\",\"method\":\"ping\"}\n");
    assert_eq!(client.next_message()["id"], "seven");
}
