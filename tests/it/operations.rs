//! `op_search` and `op_call`: every operation can be found, and called by its name.

use serde_json::json;

use crate::harness::{Env, mcp::members};

#[test]
fn operations_are_found_with_what_is_needed_to_call_them() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    let found = client.call("op_search", json!({"query": "rename"})).ok();
    assert_eq!(members(&found), ["operations"]);
    let operations = found["operations"].as_array().unwrap();
    let rename = operations.iter().find(|operation| operation["name"] == "rename_key").expect("rename_key is found");
    assert_eq!(members(rename), ["description", "effect", "input_schema", "name"]);
    assert_eq!(rename["input_schema"]["type"], "object");
    assert!(rename["input_schema"]["properties"]["new_key"].is_object());
    assert!(rename["effect"].is_string());
}

#[test]
fn a_search_without_a_match_finds_nothing_and_is_no_error() {
    let env = Env::new();
    let found = env.mcp().call("op_search", json!({"query": "zzzzqqqq"})).ok();
    assert_eq!(found["operations"], json!([]));
}

#[test]
fn a_mode_finds_only_what_it_may_call() {
    let env = Env::new();
    for (mode, writes, arranges) in [("read", false, false), ("use", true, false), ("edit", true, true)] {
        let mut client = env.mcp_with(&["--mode", mode]);
        let mut finds = |query: &str, name: &str| {
            let found = client.call("op_search", json!({"query": query})).ok();
            found["operations"].as_array().unwrap().iter().any(|operation| operation["name"] == name)
        };
        assert_eq!(finds("write", "write_key"), writes, "{mode}");
        assert_eq!(finds("rename", "rename_key"), arranges, "{mode}");
    }
}

#[test]
fn a_call_by_name_gives_the_operations_own_result() {
    let env = Env::new();
    let mut client = env.mcp();
    let args = json!({"name": "write_key", "args": {"key": "k", "value": "v"}});
    let written = client.call("op_call", args).ok();
    assert_eq!(members(&written), ["created", "key", "version"]);
    let by_name = client.call("op_call", json!({"name": "read_key", "args": {"key": "k"}})).ok();
    assert_eq!(by_name, client.call("read_key", json!({"key": "k"})).ok());
    let args = json!({"name": "read_key", "args": {"key": "absent"}});
    client.call("op_call", args).error("not_found");
    let args = json!({"name": "read_key", "args": {"key": 7}});
    client.call("op_call", args).error("invalid_argument");
}

#[test]
fn an_operation_that_does_not_exist_or_is_internal_is_refused() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    for name in ["no_such_operation", "", "expire_due", "op_call", "../x"] {
        let reply = client.call("op_call", json!({"name": name, "args": {"name": "list_keys", "args": {}}}));
        assert!(reply.is_error, "{name}: {}", reply.structured);
    }
}
