//! `batch`: several operations as one change.

use serde_json::{Value, json};

use crate::harness::{Env, mcp::Client};

fn batch(client: &mut Client, mode: &str, operations: Value) -> crate::harness::mcp::ToolReply {
    client.call("op_call", json!({"name": "batch", "args": {"operations": operations, "mode": mode}}))
}

fn write(key: &str, value: &str) -> Value {
    json!({"name": "write_key", "args": {"key": key, "value": value}})
}

#[test]
fn a_batch_is_one_change_and_each_part_sees_those_before() {
    let env = Env::new();
    let mut client = env.mcp();
    let read = json!({"name": "read_key", "args": {"key": "a"}});
    let append = json!({"name": "append_key", "args": {"key": "a", "text": "2"}});
    let done = batch(&mut client, "all", json!([write("a", "1"), append, read, write("b", "x")])).ok();
    assert_eq!(done["dry_run"], false);
    assert_eq!(done["results"][2]["result"]["value"], "12", "{done}");
    let log = client.call("op_call", json!({"name": "log_read", "args": {"since": 0}})).ok();
    let turns: Vec<_> = log["changes"].as_array().unwrap().iter().map(|row| &row["txn"]).collect();
    assert_eq!(turns, [1, 1, 1], "{log}");
}

#[test]
fn all_or_nothing_is_refused_with_the_code_of_the_refused_part() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("a", "before");
    let stale = json!({"name": "write_key", "args": {"key": "b", "value": "x", "if_version": 7}});
    batch(&mut client, "all", json!([write("a", "after"), write("c", "x"), stale])).error("version_mismatch");
    assert_eq!((client.value("a"), client.keys()), ("before".into(), vec!["a".to_owned()]));
    let wrong = json!({"name": "write_key", "args": {"key": "b", "value": "x", "if_version": "seven"}});
    let error = batch(&mut client, "all", json!([write("a", "after"), wrong])).error("invalid_argument");
    assert_eq!(error["path"], "operations[1].args.if_version", "{error}");
    assert_eq!(client.value("a"), "before");
}

#[test]
fn each_does_what_succeeds_and_a_refused_part_leaves_nothing() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    client.write("taken", "x");
    let rename = json!({"name": "rename_key", "args": {"key": "a", "new_key": "taken"}});
    let unknown = json!({"name": "no_such"});
    let done = batch(&mut client, "each", json!([write("a", "1"), rename, unknown, write("b", "2")])).ok();
    let oks: Vec<_> = done["results"].as_array().unwrap().iter().map(|result| &result["ok"]).collect();
    assert_eq!(oks, [true, false, false, true], "{done}");
    assert_eq!(done["results"][1]["error"]["code"], "already_exists");
    assert_eq!(client.keys(), ["a", "b", "taken"]);
}

#[test]
fn a_dry_run_tells_what_would_change_and_changes_nothing() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("a", "1");
    let operations =
        json!([write("a", "2"), write("large", &"x".repeat(100_000)), {"name": "delete_key", "args": {"key": "a"}}]);
    let args = json!({"operations": operations, "mode": "all", "dry_run": true});
    let told = client.call("op_call", json!({"name": "batch", "args": args})).ok();
    let changes: Vec<_> = told["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| format!("{} {}", change["id"].as_str().unwrap(), change["change"].as_str().unwrap()))
        .collect();
    assert_eq!(changes, ["a updated", "large created", "a deleted"]);
    assert_eq!((client.value("a"), client.keys()), ("1".into(), vec!["a".to_owned()]));
    assert_eq!(client.call("list_keys", json!({})).ok()["as_of_seq"], 1);
}

#[test]
fn what_waits_makes_instances_or_is_a_batch_cannot_be_part_of_one() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    for name in ["wait_for_change", "instance_create", "batch", "undo", "op_call", "expire_due", "instance_list"] {
        batch(&mut client, "all", json!([{"name": name, "args": {}}])).error("invalid_argument");
    }
    batch(&mut client, "all", json!([])).error("invalid_argument");
    batch(&mut client, "all", Value::Array(vec![write("a", "x"); 101])).error("invalid_argument");
    batch(&mut client, "some", json!([write("a", "x")])).error("invalid_argument");
    assert_eq!(client.keys(), Vec::<String>::new());
}

#[test]
fn a_batch_may_do_only_what_its_caller_may() {
    let env = Env::new();
    env.cli(&["set", "fixed", "x"]).ok();
    env.cli(&["attr", "fixed", "--system-tags", "LLMRead"]).ok();
    let mut client = env.mcp();
    let clear = json!({"name": "clear_keys"});
    batch(&mut client, "all", json!([clear])).error("permission_denied");
    batch(&mut client, "all", json!([write("a", "x"), write("fixed", "y")])).error("permission_denied");
    assert_eq!(client.keys(), ["fixed"]);
    let mut reader = env.mcp_with(&["--mode", "read"]);
    batch(&mut reader, "all", json!([write("a", "x")])).error("permission_denied");
}

#[test]
fn bug_a_large_value_could_not_be_edited_twice_in_one_batch() {
    let env = Env::new();
    let mut client = env.mcp();
    let large = "a line\n".repeat(20_000);
    let operations = json!([
        {"name": "write_key", "args": {"key": "k", "value": large}},
        {"name": "append_key", "args": {"key": "k", "text": "one "}},
        {"name": "edit_key", "args": {"key": "k", "old_text": "one ", "new_text": "two "}},
        {"name": "append_key", "args": {"key": "k", "text": "three"}},
        {"name": "read_key", "args": {"key": "k", "offset": large.len()}},
    ]);
    let batch = json!({"name": "batch", "args": {"operations": operations, "mode": "all"}});
    let results = client.call("op_call", batch).ok()["results"].clone();
    assert_eq!(results[4]["result"]["value"], "two three", "{results}");
    assert_eq!(env.cli(&["get", "k"]).ok(), format!("{large}two three"));
}
