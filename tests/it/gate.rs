//! A process that is stopped, while it writes or between: the others read and wait as ever, those that want to write
//! are told who is in the way, and go on as soon as it does or is no more.
#![cfg(unix)]
#![expect(clippy::disallowed_methods, reason = "how long a refusal and a return take is what is measured")]

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{
    Env,
    mcp::{Client, Era, ToolReply},
    signal,
};

/// From the end of the obstacle to the next write that is taken.
const PROMPT: Duration = Duration::from_secs(1);

/// A process that holds the gate for a while after each commit, stopped while it does.
fn stopped_inside(env: &Env, other: &mut Client) -> Client {
    let mut command = env.command();
    command.arg("mcp").env("MINDCACHE_BENCH_COMMIT_DELAY_MS", "4000");
    let mut client = Client::start(command, Era::Legacy);
    client.handshake();
    let wait = other.send_call("wait_for_change", json!({"key": "held", "after_version": 0}));
    client.send_call("write_key", json!({"key": "held", "value": "v"}));
    // Its commit can be seen, and so it is in the delay that follows.
    drop(ToolReply::of(other.reply(wait).expect("the wait is answered")).ok());
    signal(client.pid(), "STOP");
    client
}

fn refused_naming(other: &mut Client, pid: u32) {
    let begun = Instant::now();
    let write = other.send_call("write_key", json!({"key": "mine", "value": "1"}));
    assert_eq!(other.value("held"), "v", "reads go on");
    let waited = other.call("wait_for_change", json!({"key": "held", "wait_ms": 300})).ok();
    assert_eq!(waited["timed_out"], true, "waits go on");
    assert!(begun.elapsed() < Duration::from_secs(4), "nothing waited for the gate: {:?}", begun.elapsed());
    let error = ToolReply::of(other.reply(write).expect("the call is taken")).error("unavailable");
    assert!(begun.elapsed() >= Duration::from_secs(5) && begun.elapsed() < Duration::from_secs(10));
    assert_eq!(error["reason"], "busy");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(&format!("process {pid} (mindcache mcp) holds")), "{message}");
    assert!(message.contains("continue or end it"), "{message}");
}

fn writes_promptly(other: &mut Client) {
    let begun = Instant::now();
    other.write("mine", "2");
    assert!(begun.elapsed() < PROMPT, "{:?}", begun.elapsed());
    assert_eq!(other.value("mine"), "2");
}

/// Runs with an instance and both processes at work on it.
fn with_stopped(check: impl FnOnce(&Env, Client, Client)) {
    let env = Env::new();
    let mut other = env.mcp();
    other.write("k", "v");
    let stopped = stopped_inside(&env, &mut other);
    refused_naming(&mut other, stopped.pid());
    check(&env, stopped, other);
}

#[test]
fn a_process_stopped_inside_a_write_is_named_and_then_goes_on() {
    with_stopped(|env, stopped, mut other| {
        // A new process reads too.
        assert_eq!(env.cli(&["get", "held"]).ok(), "v");
        signal(stopped.pid(), "CONT");
        writes_promptly(&mut other);
    });
}

#[test]
fn a_process_killed_while_it_was_stopped_inside_a_write_lets_go() {
    with_stopped(|_, mut stopped, mut other| {
        stopped.kill9();
        writes_promptly(&mut other);
        assert_eq!(other.value("held"), "v", "what was committed stays");
    });
}

#[test]
fn a_process_stopped_between_writes_is_in_nobodys_way() {
    let env = Env::new();
    let (mut first, mut other) = (env.mcp(), env.mcp());
    first.write("k", "1");
    let seen = first.call("list_keys", json!({"limit": 1})).ok()["as_of_seq"].clone();
    let waiting = first.send_call("wait_for_change", json!({"key": "k", "after_version": seen}));
    first.value("k");
    signal(first.pid(), "STOP");
    let version = other.write("k", "2");
    for number in 0..50 {
        other.write("other", &number.to_string());
    }
    assert_eq!(other.value("k"), "2");
    signal(first.pid(), "CONT");
    let waited = ToolReply::of(first.reply(waiting).expect("the wait is answered")).ok();
    assert_eq!(waited["changes"], json!([{"key": "k", "change": "updated", "version": version}]));
    first.write("k", "3");
    assert_eq!(other.value("k"), "3");
}
