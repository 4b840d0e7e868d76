//! Idempotency keys: a call that is repeated is answered and not done again.

use serde_json::{Value, json};

use crate::harness::{Env, mcp::Client};

fn append(client: &mut Client, text: &str, key: &str) -> crate::harness::mcp::ToolReply {
    client.call("append_key", json!({"key": "k", "text": text, "idempotency_key": key}))
}

#[test]
fn a_repeated_append_is_done_once_and_answered_alike() {
    let env = Env::new();
    let mut client = env.mcp();
    let first = append(&mut client, "a", "one").ok();
    let mut again = append(&mut client, "a", "one").ok();
    assert_eq!(again.as_object_mut().unwrap().shift_remove("replayed"), Some(json!(true)));
    assert_eq!(again, first);
    assert_eq!(client.value("k"), "a");
    append(&mut client, "a", "two").ok();
    assert_eq!(client.value("k"), "aa");
    // After a crash, from another process, with the members in another order.
    drop(client.kill9());
    let mut other = env.mcp();
    let args = json!({"idempotency_key": "two", "text": "a", "key": "k"});
    assert_eq!(other.call("append_key", args).ok()["replayed"], true);
    assert_eq!(other.value("k"), "aa");
}

#[test]
fn the_same_key_with_other_arguments_is_a_mistake() {
    let env = Env::new();
    let mut client = env.mcp();
    append(&mut client, "a", "one").ok();
    append(&mut client, "b", "one").error("idempotency_mismatch");
    assert_eq!(client.value("k"), "a");
    for bad in ["", "with space", "é", &"x".repeat(129)] {
        append(&mut client, "b", bad).error("invalid_argument");
    }
}

#[test]
fn a_refusal_is_not_kept() {
    let env = Env::new();
    let mut client = env.mcp();
    let mut edit = || {
        let args = json!({"key": "k", "old_text": "a", "new_text": "b"});
        client.call("op_call", json!({"name": "edit_key", "args": args, "idempotency_key": "one"}))
    };
    edit().error("not_found");
    env.cli(&["set", "k", "a"]).ok();
    edit().ok();
    // The text is not there any more, and the call is not done again.
    assert_eq!(edit().ok()["replayed"], true);
}

#[test]
fn a_whole_batch_is_done_once() {
    let env = Env::new();
    let mut client = env.mcp();
    let part = json!({"name": "append_key", "args": {"key": "k", "text": "x"}});
    let args = json!({"operations": [part, {"name": "read_key", "args": {"key": "k"}}], "mode": "all"});
    let call = json!({"name": "batch", "args": args, "idempotency_key": "b1"});
    let first = client.call("op_call", call.clone()).ok();
    let again = client.call("op_call", call).ok();
    assert_eq!(again["replayed"], true);
    assert_eq!(again["results"][0], first["results"][0]);
    // A value could have been purged since, or not be for this caller any more.
    assert_eq!(
        (&first["results"][1]["result"]["value"], again["results"][1]["result"].get("value")),
        (&json!("x"), None)
    );
    assert_eq!(client.value("k"), "x");
}

#[test]
fn what_is_kept_shows_in_no_list_and_no_log() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    append(&mut client, "a", "one").ok();
    assert_eq!(client.keys(), ["k"]);
    let log = client.call("op_call", json!({"name": "log_read", "args": {"since": 0}})).ok();
    assert_eq!(log["changes"].as_array().map(Vec::len), Some(1), "{log}");
    assert_ne!(log["as_of_seq"], Value::Null);
}

#[test]
fn bug_an_answer_was_kept_for_a_mode_that_may_not_read_it() {
    let env = Env::new();
    env.cli(&["set", "hidden", "secret"]).ok();
    env.cli(&["attr", "hidden", "--system-tags", ""]).ok();
    let part = json!({"name": "read_key", "args": {"key": "hidden"}});
    let args = json!({"operations": [part], "mode": "all"});
    let call = json!({"name": "batch", "args": args, "idempotency_key": "one"});
    env.mcp_with(&["--mode", "edit"]).call("op_call", call.clone()).ok();
    env.mcp().call("op_call", call).error("not_found");
}

#[test]
fn a_key_where_none_is_taken_is_refused_and_not_passed_over() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    let part = json!({"name": "append_key", "args": {"key": "k", "text": "x", "idempotency_key": "one"}});
    let args = json!({"operations": [part], "mode": "all"});
    client.call("op_call", json!({"name": "batch", "args": args})).error("invalid_argument");
    let args = json!({"instance": "default"});
    let snapshot = json!({"name": "instance_snapshot", "args": args, "idempotency_key": "one"});
    client.call("op_call", snapshot).error("invalid_argument");
    assert_eq!(client.keys(), Vec::<String>::new());
}
