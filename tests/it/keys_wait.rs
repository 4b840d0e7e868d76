//! `wait_for_change` and the end of keys that expire: one event each, and nobody sleeps for it.

use serde_json::{Value, json};

use crate::harness::{
    Env,
    mcp::{Client, ToolReply, members, text},
};

/// What a wait reports, as `name change`.
fn changes(result: &Value) -> Vec<String> {
    let changes = result["changes"].as_array().expect("changes").iter();
    changes.map(|change| format!("{} {}", text(&change["key"]), text(&change["change"]))).collect()
}

/// The seq up to which everything is known.
fn now(client: &mut Client) -> u64 {
    client.call("list_keys", json!({"limit": 1})).ok()["as_of_seq"].as_u64().expect("a seq")
}

#[test]
fn a_key_with_a_time_to_live_ends_as_expired_once() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    let args = json!({"key": "k", "value": "v", "ttl_ms": 50});
    let written = client.call("write_key", args).ok()["version"].clone();
    let waited = client.call("wait_for_change", json!({"key": "k", "after_version": written})).ok();
    assert_eq!((changes(&waited), &waited["timed_out"]), (vec!["k expired".into()], &json!(false)));
    client.call("read_key", json!({"key": "k"})).error("not_found");
    assert_eq!(client.keys(), Vec::<String>::new());
    let history = client.call("key_history", json!({"key": "k"})).ok();
    let expired = history["versions"].as_array().unwrap().iter().filter(|version| version["change"] == "expired");
    assert_eq!(expired.count(), 1, "{history}");
}

#[test]
fn no_read_returns_a_dead_key_and_a_new_one_is_created() {
    let env = Env::new();
    let mut client = env.mcp();
    client.call("write_key", json!({"key": "k", "value": "old", "ttl_ms": 1, "tags": ["t"]})).ok();
    // A reply to a wait of a moment: the key's end lies before it.
    client.call("wait_for_change", json!({"prefix": "other", "wait_ms": 20})).ok();
    assert_eq!(client.call("list_keys", json!({"tag": "t"})).ok()["keys"], json!([]));
    let again = client.call("write_key", json!({"key": "k", "value": "new", "if_version": 0})).ok();
    assert_eq!(again["created"], true);
    assert_eq!(client.call("read_key", json!({"key": "k"})).ok()["tags"], json!([]));
}

#[test]
fn a_key_that_expired_while_nothing_ran_is_gone_at_the_next_start() {
    let env = Env::new();
    let mut client = env.mcp();
    let written = client.call("write_key", json!({"key": "k", "value": "v", "ttl_ms": 30})).ok();
    client.kill9();
    let mut second = env.mcp_with(&["--mode", "edit"]);
    let waited = second.call("wait_for_change", json!({"key": "k", "after_version": written["version"]})).ok();
    assert_eq!(changes(&waited), ["k expired"]);
    second.call("read_key", json!({"key": "k"})).error("not_found");
    let history = second.call("key_history", json!({"key": "k"})).ok();
    assert_eq!(history["versions"].as_array().unwrap().iter().filter(|v| v["change"] == "expired").count(), 1);
}

#[test]
fn a_wait_ends_with_the_change_that_it_waits_for() {
    let env = Env::new();
    let mut client = env.mcp();
    let since = now(&mut client);
    let wait = client.send_call("wait_for_change", json!({"key": "k", "after_version": since}));
    client.write("other", "v");
    let version = client.write("k", "v");
    let waited = ToolReply::of(client.reply(wait).unwrap()).ok();
    assert_eq!(members(&waited), ["as_of_seq", "changes", "timed_out"]);
    assert_eq!(waited["changes"], json!([{"key": "k", "change": "created", "version": version}]));
    assert_eq!(waited["timed_out"], false);
    assert!(waited["as_of_seq"].as_u64().unwrap() >= version);
}

#[test]
fn a_wait_reports_what_happened_since_the_version_it_names() {
    let env = Env::new();
    let mut client = env.mcp();
    let first = client.write("a", "1");
    client.write("a", "2");
    client.write("b", "1");
    client.call("delete_key", json!({"key": "a"})).ok();
    let waited = client.call("wait_for_change", json!({"after_version": first})).ok();
    assert_eq!(changes(&waited), ["a updated", "b created", "a deleted"]);
    let on = waited["as_of_seq"].clone();
    let nothing = client.call("wait_for_change", json!({"after_version": on, "wait_ms": 1})).ok();
    assert_eq!((changes(&nothing), &nothing["timed_out"]), (vec![], &json!(true)));
    assert_eq!(nothing["as_of_seq"], on);
}

#[test]
fn a_key_and_a_prefix_narrow_the_wait() {
    let env = Env::new();
    let mut client = env.mcp();
    let since = now(&mut client);
    for name in ["a", "a/b", "a_b", "b"] {
        client.write(name, "v");
    }
    let mut wait = |mut args: Value| {
        args["after_version"] = since.into();
        changes(&client.call("wait_for_change", args).ok())
    };
    assert_eq!(wait(json!({"key": "a"})), ["a created"]);
    assert_eq!(wait(json!({"prefix": "a_"})), ["a_b created"]);
    assert_eq!(wait(json!({"prefix": "a"})), ["a created", "a/b created", "a_b created"]);
    assert_eq!(wait(json!({"prefix": "c", "wait_ms": 1})), Vec::<String>::new());
}

#[test]
fn a_wait_in_vain_says_so_and_is_no_error() {
    let env = Env::new();
    let mut client = env.mcp();
    let waited = client.call("wait_for_change", json!({"key": "k", "wait_ms": 30})).ok();
    assert_eq!((&waited["changes"], &waited["timed_out"]), (&json!([]), &json!(true)));
}

#[test]
fn a_wait_over_45_seconds_is_refused() {
    let env = Env::new();
    let mut client = env.mcp();
    for wait_ms in [json!(45_001), json!(-1), json!("long")] {
        client.call("wait_for_change", json!({"wait_ms": wait_ms})).error("invalid_argument");
    }
}

#[test]
fn many_waits_end_with_one_change_and_calls_go_on_meanwhile() {
    let env = Env::new();
    let mut client = env.mcp();
    let since = now(&mut client);
    let waits: Vec<_> =
        (0..50).map(|_| client.send_call("wait_for_change", json!({"key": "k", "after_version": since}))).collect();
    assert_eq!(client.keys(), Vec::<String>::new());
    client.write("k", "v");
    for (_, reply) in client.collect(&waits) {
        assert_eq!(changes(&ToolReply::of(reply.unwrap()).ok()), ["k created"]);
    }
}

#[test]
fn bug_the_second_key_to_expire_was_slept_through() {
    let env = Env::new();
    let mut client = env.mcp();
    for ttl in [40, 60, 30] {
        let written = client.call("write_key", json!({"key": "k", "value": "v", "ttl_ms": ttl})).ok();
        let wait = json!({"key": "k", "after_version": written["version"], "wait_ms": 15_000});
        assert_eq!(changes(&client.call("wait_for_change", wait).ok()), ["k expired"]);
    }
}
