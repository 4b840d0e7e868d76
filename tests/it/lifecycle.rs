//! How `mindcache mcp` begins and ends: an answer before any work, an end as soon as the input ends.

use std::time::Duration;

use serde_json::json;

use crate::harness::{
    Env,
    mcp::{Client, Era, Exit},
};

/// The end of input is the end of the process within this time. Without care it takes five seconds when a call
/// is still under way.
const PROMPT: Duration = Duration::from_secs(1);

/// Ends a server that `begin` has prepared. On a loaded machine one try may be late; a server that waits is late
/// each time.
fn ends_promptly(begin: impl Fn() -> (Env, Client)) {
    let mut exits: Vec<Exit> = Vec::new();
    for _ in 0..3 {
        let (_env, client) = begin();
        let exit = client.close_stdin_and_wait();
        assert!(exit.status.success(), "{exit:?}");
        assert!(exit.messages.iter().all(|message| message["jsonrpc"] == "2.0"), "{exit:?}");
        if exit.took < PROMPT {
            return;
        }
        exits.push(exit);
    }
    panic!("the end of input is not the end of the process: {exits:?}");
}

#[test]
fn the_end_of_input_is_the_end() {
    ends_promptly(|| {
        let env = Env::new();
        let mut client = env.mcp();
        client.write("k", "v");
        (env, client)
    });
}

#[test]
fn the_end_of_input_ends_a_wait() {
    ends_promptly(|| {
        let env = Env::new();
        let mut client = env.mcp();
        client.send_call("wait_for_change", json!({"wait_ms": 45_000}));
        // A reply to a later call: the wait is under way.
        client.keys();
        (env, client)
    });
}

#[test]
fn the_end_of_input_before_anything_was_said_is_the_end() {
    ends_promptly(|| {
        let env = Env::new();
        let client = env.mcp_bare(&[]);
        (env, client)
    });
}

#[test]
fn a_notification_before_the_handshake_does_no_harm() {
    let env = Env::new();
    let mut client = env.mcp_bare(&[]);
    client.notify("notifications/cancelled", json!({"requestId": 1, "reason": "timed out"}));
    client.notify("notifications/initialized", json!({}));
    client.handshake();
    client.write("k", "v");
    assert_eq!(client.value("k"), "v");
}

#[test]
fn a_cancelled_wait_leaves_the_server_well() {
    let env = Env::new();
    let mut client = env.mcp();
    let wait = client.send_call("wait_for_change", json!({"key": "k", "wait_ms": 45_000}));
    client.notify("notifications/cancelled", json!({"requestId": wait}));
    client.write("k", "v");
    assert_eq!(client.value("k"), "v");
}

#[test]
fn the_handshake_is_answered_although_the_store_cannot_be() {
    let env = Env::new();
    std::fs::write(env.data(), "a file where the folder should be").unwrap();
    let mut client = env.mcp();
    client.request("tools/list", json!({})).expect("tools/list succeeds");
    for (tool, args) in [("list_keys", json!({})), ("write_key", json!({"key": "k", "value": "v"}))] {
        let error = client.call(tool, args).error("unavailable");
        assert!(error["reason"].is_string(), "{error}");
    }
    assert_eq!(std::fs::read_to_string(env.data()).unwrap(), "a file where the folder should be");
}

#[test]
fn logs_go_to_standard_error_and_carry_no_values() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("k", "a stored secret");
    client.send_raw("{\"a stored secret\n");
    client.next_message();
    client.try_call("no_such_tool", json!({"value": "a stored secret"})).expect_err("an unknown tool is refused");
    client.call("write_key", json!({"key": "$date", "value": "a stored secret"})).error("invalid_argument");
    let wait = client.send_call("wait_for_change", json!({"key": "k", "wait_ms": 10}));
    client.reply(wait).expect("the wait ends");
    assert!(!client.stderr().contains("a stored secret"), "{}", client.stderr());
}

#[test]
fn the_default_instance_is_made_on_first_use_and_a_named_one_too() {
    let env = Env::new();
    let mut named = env.mcp_with(&["--instance", "team notes"]);
    named.write("k", "of the team");
    let mut default = env.mcp();
    default.write("k", "of the default");
    assert_eq!((named.value("k"), default.value("k")), ("of the team".into(), "of the default".into()));
    assert_eq!(env.mcp_with(&["--instance", "team notes"]).value("k"), "of the team");
    assert!(named.stderr().contains("team notes"), "a new instance is said on standard error: {}", named.stderr());
}

#[test]
fn bug_the_end_of_input_cut_answers_off() {
    let env = Env::new();
    let mut command = env.command();
    command.args(["mcp"]).env("MINDCACHE_BENCH_COMMIT_DELAY_MS", "500");
    let mut client = Client::start(command, Era::Legacy);
    client.handshake();
    for number in 0..20 {
        client.send_call("write_key", json!({"key": format!("k{number}"), "value": "v"}));
    }
    let exit = client.close_stdin_and_wait();
    let answers = exit.messages.iter().filter(|message| message["result"]["structuredContent"]["created"] == true);
    assert_eq!(answers.count(), 20);
}
