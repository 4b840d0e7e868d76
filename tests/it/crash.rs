//! An acknowledged write survives the end of the process, whenever that comes.

use std::collections::BTreeMap;

use serde_json::json;

use crate::harness::{
    Env,
    mcp::{Client, ToolReply, reply_of},
};

/// How many acknowledgements a process lives to see, round by round. The kill falls among the writes that are
/// still under way, at another place each time.
const KILLED_AFTER: [usize; 6] = [1, 3, 8, 17, 30, 39];

/// Writes sent at once in each round.
const SENT: usize = 40;

/// The value of a write: most are short, each tenth is kept in a file of its own.
fn value(round: usize, number: usize) -> String {
    let length = if number % 10 == 9 { 100_000 } else { 10 };
    format!("{round}/{number} ").repeat(length / 6)
}

/// Sends the writes of a round and kills the process when `acknowledged` replies have come. Returns the numbers
/// of all writes that were acknowledged, those included whose replies were under way.
fn round(client: &mut Client, round: usize, acknowledged: usize) -> Vec<usize> {
    let ids: BTreeMap<_, _> = (0..SENT)
        .map(|number| {
            let args = json!({"key": format!("k{number:02}"), "value": value(round, number)});
            (client.send_call("write_key", args), number)
        })
        .collect();
    let mut replies: Vec<_> = (0..acknowledged).map(|_| client.next_message()).collect();
    replies.extend(client.kill9());
    let mut written = Vec::new();
    for message in replies {
        let number = message["id"].as_u64().and_then(|id| ids.get(&id)).copied();
        drop(ToolReply::of(reply_of(message).expect("the write is taken")).ok());
        written.extend(number);
    }
    written
}

/// The whole value of a key, or nothing when there is no such key.
fn whole(client: &mut Client, key: &str) -> Option<String> {
    let reply = client.call("read_key", json!({"key": key}));
    if reply.is_error {
        reply.error("not_found");
        return None;
    }
    reply.ok()["value"].as_str().map(str::to_owned)
}

#[test]
fn acknowledged_writes_survive_a_kill_and_others_are_whole_or_absent() {
    let env = Env::new();
    // What each key must hold: the last acknowledged value, or a later one that was sent.
    let mut known = [None; SENT];
    for (number, acknowledged) in KILLED_AFTER.into_iter().enumerate() {
        let written = round(&mut env.mcp(), number, acknowledged);
        assert!(written.len() >= acknowledged);
        for each in written {
            known[each] = Some(number);
        }
        let mut next = env.mcp();
        for (key, known) in known.iter_mut().enumerate() {
            let found = whole(&mut next, &format!("k{key:02}"));
            let is_from = |round: &usize| found.as_ref() == Some(&value(*round, key));
            let from = (known.unwrap_or(0)..=number).find(is_from);
            assert!(from.is_some() || (known.is_none() && found.is_none()), "round {number}, key {key}, {known:?}");
            *known = from;
        }
    }
}

#[test]
fn a_killed_first_start_leaves_a_store_that_starts() {
    let env = Env::new();
    for _ in 0..4 {
        let mut client = env.mcp();
        client.send_call("write_key", json!({"key": "k", "value": "v"}));
        client.kill9();
    }
    let mut client = env.mcp();
    client.write("k", "after");
    assert_eq!(client.value("k"), "after");
}

#[test]
fn what_was_deleted_before_the_kill_stays_deleted() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("stays", "v");
    client.write("goes", "v");
    client.call("delete_key", json!({"key": "goes"})).ok();
    client.kill9();
    assert_eq!(env.mcp().keys(), ["stays"]);
}

#[test]
fn versions_go_on_after_a_kill() {
    let env = Env::new();
    let mut last = 0;
    for _ in 0..3 {
        let mut client = env.mcp();
        let version = client.write("k", "v");
        assert!(version > last, "{version} after {last}");
        last = version;
        client.kill9();
    }
}

#[test]
fn normal_durability_survives_a_kill_of_the_process() {
    let env = Env::new();
    let mut command = env.command();
    command.arg("mcp").env("MINDCACHE_DURABILITY", "normal");
    let mut client = Client::start(command, crate::harness::mcp::Era::Legacy);
    client.handshake();
    client.write("k", "v");
    client.kill9();
    assert_eq!(env.mcp().value("k"), "v");
}
