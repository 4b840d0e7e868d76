//! `purge_key` and `history: none`: older values that are gone are gone.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Env, mcp::Client};

const SECRET: &str = "canary-5f1d0c";

/// Whether any file under a folder holds the secret.
fn is_found(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return is_found(&path);
        }
        let bytes = std::fs::read(&path).unwrap();
        bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
    })
}

fn op(client: &mut Client, name: &str, args: Value) -> Value {
    client.call("op_call", json!({"name": name, "args": args})).ok()
}

fn shown(client: &mut Client, key: &str) -> Vec<Value> {
    let history = client.call("key_history", json!({"key": key, "limit": 1000})).ok();
    history["versions"].as_array().unwrap().iter().map(|version| version["value"].clone()).collect()
}

#[test]
fn a_purge_takes_the_older_values_and_leaves_who_changed_them() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    client.write("k", &format!("{SECRET} one"));
    client.write("k", &format!("{SECRET} two"));
    client.write("k", "now");
    client.write("other", "kept");
    let purged = op(&mut client, "purge_key", json!({"key": "k"}));
    assert_eq!((&purged["purged"], &purged["pending"]), (&json!(2), &json!(false)));
    assert_eq!(shown(&mut client, "k"), [json!("now"), Value::Null, Value::Null]);
    assert_eq!(client.value("k"), "now");
    let refused = client.call("restore_key", json!({"key": "k", "version": 1})).error("unavailable");
    assert_eq!(refused["reason"], "not_kept");
    assert_eq!(op(&mut client, "purge_key", json!({"key": "k"}))["purged"], 0);
    client.call("op_call", json!({"name": "purge_key", "args": {"key": "never"}})).error("not_found");
}

#[test]
fn a_deleted_key_can_be_purged_and_its_last_value_goes_too() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    client.write("k", SECRET);
    client.call("delete_key", json!({"key": "k"})).ok();
    assert_eq!(op(&mut client, "purge_key", json!({"key": "k"}))["purged"], 1);
    assert_eq!(shown(&mut client, "k"), [Value::Null, Value::Null]);
}

#[test]
fn a_key_without_history_keeps_no_older_value() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    client.write("k", &format!("{SECRET} before"));
    client.call("set_key_attributes", json!({"key": "k", "history": "none"})).ok();
    client.write("k", &format!("{SECRET} after"));
    client.write("k", "now");
    assert_eq!(shown(&mut client, "k"), vec![Value::Null; 4]);
    // Who follows it is still told when it goes.
    client.request("resources/subscribe", json!({"uri": "mindcache://default/k"})).unwrap();
    client.call("delete_key", json!({"key": "k"})).ok();
    loop {
        if client.next_notification()["method"] == "notifications/resources/updated" {
            break;
        }
    }
}

#[test]
fn a_long_history_is_purged_in_slices() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    let ids: Vec<u64> =
        (0..2500).map(|n| client.send_call("write_key", json!({"key": "k", "value": n.to_string()}))).collect();
    client.collect(&ids);
    let purged = op(&mut client, "purge_key", json!({"key": "k"}));
    assert_eq!((&purged["purged"], &purged["pending"]), (&json!(1000), &json!(true)));
    // Each look is a call: a thousand of them take seconds.
    let is_done = (0..1000).any(|_| kept(&mut client) == 1);
    assert!(is_done, "upkeep goes on with the purge");
}

/// How many versions of `k` still show a value.
fn kept(client: &mut Client) -> usize {
    let (mut kept, mut args) = (0, json!({"key": "k", "limit": 1000}));
    loop {
        let page = client.call("key_history", args.clone()).ok();
        kept += page["versions"].as_array().unwrap().iter().filter(|version| version.get("value").is_some()).count();
        match &page["next_cursor"] {
            Value::Null => return kept,
            cursor => args["cursor"] = cursor.clone(),
        }
    }
}

#[test]
fn an_answer_that_is_kept_does_not_outlive_the_value_that_it_shows() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    let part = json!({"name": "write_key", "args": {"key": "k", "value": SECRET}});
    let args = json!({"operations": [part, {"name": "read_key", "args": {"key": "k"}}], "mode": "all"});
    let call = json!({"name": "batch", "args": args, "idempotency_key": "b1"});
    client.call("op_call", call.clone()).ok();
    assert!(!client.call("op_call", call).ok().to_string().contains(SECRET), "what is kept holds no value");
    client.write("k", "now");
    op(&mut client, "purge_key", json!({"key": "k"}));
    drop(client.close_stdin_and_wait());
    assert!(!is_found(&env.data()), "the purged value is still in a file");
}

#[test]
fn copies_that_still_hold_values_are_named_and_can_be_purged_too() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    client.write("k", &format!("{SECRET} one"));
    op(&mut client, "instance_snapshot", json!({"instance": "default", "note": "before"}));
    op(&mut client, "instance_clone", json!({"instance": "default", "name": "copy"}));
    op(&mut client, "instance_clone", json!({"instance": "copy", "name": "copy of copy"}));
    client.write("k", "now");
    env.cli(&["-i", "copy", "set", "k", "now"]).ok();
    env.cli(&["-i", "copy of copy", "rm", "k"]).ok();
    let held = op(&mut client, "purge_key", json!({"key": "k"}))["held_by"].clone();
    let held: Vec<_> = held.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    assert_eq!(held[..2], ["copy", "copy of copy"]);
    assert!(held[2].starts_with("default@") && held.len() == 3, "{held:?}");
    let held = op(&mut client, "purge_key", json!({"key": "k", "everywhere": true}))["held_by"].clone();
    // A clone's own current value stays.
    assert_eq!(held, json!(["copy"]));
    drop(client.close_stdin_and_wait());
    assert!(!is_found(&env.data()), "the purged value is still in a file");
}

#[test]
fn bug_a_purge_everywhere_took_the_current_value_out_of_a_clone_that_was_closed() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    client.write("k", "kept");
    op(&mut client, "instance_clone", json!({"instance": "default", "name": "copy"}));
    op(&mut client, "instance_set_read_only", json!({"instance": "copy", "read_only": true}));
    let snapshot = op(&mut client, "instance_snapshot", json!({"instance": "default"}));
    // Opened for writing, it is a clone from now on.
    op(&mut client, "instance_set_read_only", json!({"instance": snapshot["id"], "read_only": false}));
    client.write("k", "now");
    let held = op(&mut client, "purge_key", json!({"key": "k", "everywhere": true}))["held_by"].clone();
    assert_eq!(held.as_array().unwrap().len(), 2, "{held}");
    assert_eq!(env.cli(&["-i", "copy", "get", "k"]).ok(), "kept");
}

#[test]
fn bug_a_purge_of_a_long_history_did_not_end_in_a_snapshot() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    let ids: Vec<u64> = (0..2500)
        .map(|n| client.send_call("write_key", json!({"key": "k", "value": format!("{SECRET}{n}")})))
        .collect();
    client.collect(&ids);
    op(&mut client, "instance_snapshot", json!({"instance": "default"}));
    client.write("k", "now");
    let purged = op(&mut client, "purge_key", json!({"key": "k", "everywhere": true}));
    assert_eq!(purged["held_by"], json!([]), "{purged}");
    drop(client.close_stdin_and_wait());
    assert!(!is_found(&env.data()), "a purged value is still in a file");
}

/// Keys with small and large values that were replaced, in an instance, its snapshot, a clone of it and a clone of that,
/// where they were searched for and shown in an answer that is kept.
fn spread(client: &mut Client) {
    let large = |text: &str| format!("{text} {}", "large ".repeat(20_000));
    client.write("k", SECRET);
    client.write("l", &large(SECRET));
    let append = json!({"name": "append_key", "args": {"key": "k", "text": "!"}});
    let refused = json!({"name": "write_key", "args": {"key": "k", "value": SECRET, "type": "json"}});
    let args = json!({"operations": [append, {"name": "list_keys"}, refused], "mode": "each"});
    client.call("op_call", json!({"name": "batch", "args": args, "idempotency_key": "b1"})).ok();
    op(client, "instance_snapshot", json!({"instance": "default"}));
    op(client, "instance_clone", json!({"instance": "default", "name": "copy"}));
    op(client, "instance_clone", json!({"instance": "copy", "name": "part", "prefix": "k"}));
    assert_eq!(client.call("search_keys", json!({"query": SECRET})).ok()["matches"].as_array().unwrap().len(), 2);
    client.write("k", "now");
    client.write("l", &large("now"));
}

#[test]
fn a_value_that_is_purged_everywhere_is_in_no_file_of_any_copy() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    spread(&mut client);
    for key in ["k", "l"] {
        for copy in ["copy", "part"] {
            let mut client = env.mcp_with(&["--mode", "edit", "--instance", copy]);
            client.call("search_keys", json!({"query": SECRET})).ok();
            client.write(key, "now");
        }
        op(&mut client, "purge_key", json!({"key": key, "everywhere": true}));
    }
    // The process still has all of it open.
    assert!(!is_found(&env.data()), "a purged value is still in a file");
    assert_eq!(client.value("k"), "now");
}
