//! Several processes on one store: every client starts its own, so this is the normal case.

use serde_json::json;

use crate::harness::{
    Env,
    mcp::{Client, LEGACY, ToolReply, initialize_params},
};

/// Writes sent at once by each process.
const EACH: usize = 60;

#[test]
fn a_second_process_reads_what_the_first_has_just_written() {
    let env = Env::new();
    let (mut first, mut second) = (env.mcp(), env.mcp());
    for number in 0..20 {
        let value = number.to_string();
        first.write("k", &value);
        assert_eq!(second.value("k"), value);
        second.write("back", &value);
        assert_eq!(first.value("back"), value);
    }
}

#[test]
fn two_processes_that_start_at_once_make_one_store() {
    let env = Env::new();
    let mut clients: Vec<_> = (0..4).map(|_| env.mcp()).collect();
    let ids: Vec<_> = clients
        .iter_mut()
        .enumerate()
        .map(|(number, client)| client.send_call("write_key", json!({"key": format!("k{number}"), "value": "v"})))
        .collect();
    for (client, id) in clients.iter_mut().zip(ids) {
        drop(ToolReply::of(client.reply(id).expect("the write is taken")).ok());
    }
    for client in &mut clients {
        assert_eq!(client.keys(), ["k0", "k1", "k2", "k3"]);
    }
}

#[test]
fn twenty_processes_that_start_at_once_make_one_store() {
    let env = Env::new();
    let mut clients: Vec<_> = (0..20).map(|_| env.mcp_bare(&[])).collect();
    let hello: Vec<_> = clients.iter_mut().map(|client| client.send("initialize", initialize_params(LEGACY))).collect();
    let ids: Vec<_> = clients
        .iter_mut()
        .enumerate()
        .map(|(number, client)| {
            client.notify("notifications/initialized", json!({}));
            client.send_call("write_key", json!({"key": format!("k{number:02}"), "value": "v"}))
        })
        .collect();
    for ((client, hello), id) in clients.iter_mut().zip(hello).zip(ids) {
        client.reply(hello).expect("initialize succeeds");
        drop(ToolReply::of(client.reply(id).expect("the write is taken")).ok());
    }
    let expected: Vec<_> = (0..20).map(|number| format!("k{number:02}")).collect();
    for client in &mut clients {
        assert_eq!(client.keys(), expected);
    }
}

#[test]
fn writes_of_two_processes_lose_nothing_and_share_one_order() {
    let env = Env::new();
    let mut clients = [env.mcp(), env.mcp()];
    let send = |client: &mut Client, name: &str| -> Vec<u64> {
        (0..EACH)
            .map(|number| {
                let tool = if number % 2 == 0 { "write_key" } else { "append_key" };
                let args = match tool {
                    "write_key" => json!({"key": format!("{name} {number}"), "value": name}),
                    _ => json!({"key": "shared", "text": format!("{name}{number};")}),
                };
                client.send_call(tool, args)
            })
            .collect()
    };
    let [a, b] = &mut clients;
    let ids = [send(a, "a"), send(b, "b")];
    let mut versions = Vec::new();
    for (client, ids) in clients.iter_mut().zip(&ids) {
        for reply in client.collect(ids).into_values() {
            let result = ToolReply::of(reply.expect("the write is taken")).ok();
            versions.push(result["version"].as_u64().expect("a version"));
        }
    }
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions.len(), 2 * EACH, "no two changes have one version");
    for client in &mut clients {
        assert_eq!(client.keys().len(), EACH + 1);
        let shared = client.value("shared");
        for name in ["a", "b"] {
            for number in (1..EACH).step_by(2) {
                assert_eq!(shared.matches(&format!("{name}{number};")).count(), 1, "{name}{number} in {shared}");
            }
        }
    }
}

#[test]
fn of_two_writes_at_one_version_one_wins() {
    let env = Env::new();
    let mut clients = [env.mcp(), env.mcp()];
    for round in 0..10 {
        let version = clients[0].write("k", "start");
        let ids: Vec<_> = clients
            .iter_mut()
            .map(|client| client.send_call("write_key", json!({"key": "k", "value": "mine", "if_version": version})))
            .collect();
        let won = clients.iter_mut().zip(ids).filter_map(|(client, id)| {
            let reply = ToolReply::of(client.reply(id).expect("the call is taken"));
            if reply.is_error { reply.error("version_mismatch")["current"].as_u64().map(|_| 0) } else { Some(1) }
        });
        assert_eq!(won.sum::<usize>(), 1, "round {round}");
    }
}

#[test]
fn a_killed_process_does_not_hold_up_the_other() {
    let env = Env::new();
    let (mut first, mut second) = (env.mcp(), env.mcp());
    second.write("k", "before");
    for number in 0..30 {
        first.send_call("write_key", json!({"key": format!("k{number}"), "value": "x".repeat(10_000)}));
    }
    first.next_message();
    first.kill9();
    second.write("k", "after");
    assert_eq!(second.value("k"), "after");
}

#[test]
fn a_wait_in_one_process_hears_of_a_write_in_another() {
    let env = Env::new();
    let (mut first, mut second) = (env.mcp(), env.mcp());
    first.write("k", "old");
    for round in 0..5 {
        let seen = second.call("list_keys", json!({"limit": 1})).ok()["as_of_seq"].clone();
        let waiting = second.send_call("wait_for_change", json!({"key": "k", "after_version": seen}));
        // Answered after the wait was taken up, so that the write finds it waiting.
        second.value("k");
        let version = first.write("k", &round.to_string());
        let waited = ToolReply::of(second.reply(waiting).expect("the wait is answered")).ok();
        assert_eq!(waited["changes"], json!([{"key": "k", "change": "updated", "version": version}]));
        assert_eq!(waited["timed_out"], false);
    }
}
