//! How sockets end: rights that go, instances that go, a server that stops or is killed, clients that do not read.

use std::time::Duration;

use serde_json::json;

use super::{World, client::Client};
use crate::{
    access::{key, local, user},
    harness::{self, Env, mcp::text},
};

#[test]
fn sockets_of_who_has_lost_the_right_are_closed() {
    let world = World::new();
    let (id, proof) = key(&world.env, &json!({"permissions": ["write"]}));
    let (mut by_key, _) = Client::synced(&world.server, &world.path, &proof);
    let token = world.token(&proof, None).unwrap();
    let (mut by_token, _) = Client::synced(&world.server, &format!("{}?token={token}", world.path), "");
    let (_, ann) = user(&world.env, "ann@example.com");
    let share = json!({"instance": world.instance, "with": "ann@example.com", "permission": "write"});
    let share = local(&world.env, "share_create", &share);
    let (mut by_share, _) = Client::synced(&world.server, &world.path, &ann);
    let (mut stays, _) = world.old();
    world.env.cli(&["key", "revoke", &id]).ok();
    assert_eq!(by_key.closed().0, 4001);
    assert_eq!(by_token.closed().0, 4001);
    local(&world.env, "share_remove", &json!({"id": share["id"]}));
    assert_eq!(by_share.closed().0, 4001);
    assert!(stays.until_pong().is_empty());
}

#[test]
fn hole_a_deleted_instance_closes_its_sockets_and_lets_nobody_in_until_it_is_back() {
    let world = World::new();
    let (_, proof) = key(&world.env, &json!({"permissions": ["read"]}));
    let (mut reader, _) = Client::synced(&world.server, &world.path, &proof);
    let (mut owner, _) = world.ours();
    local(&world.env, "instance_delete", &json!({"instance": world.instance}));
    for client in [&mut reader, &mut owner] {
        assert_eq!(client.closed(), (1000, "Instance deleted".into()));
    }
    let proof = [("Authorization", world.proof.as_str())];
    let refused = Client::try_open(&world.server.address, &world.path, &proof).err().unwrap();
    assert_eq!(refused, (403, "Instance not found or access denied".into()));
    local(&world.env, "instance_undelete", &json!({"instance": world.instance}));
    assert_eq!(world.old().1["data"], json!({}));
}

#[test]
fn a_server_that_stops_says_so_in_under_a_second() {
    let mut world = World::new();
    let (mut old, _) = world.old();
    let (mut ours, _) = world.ours();
    ours.send(&json!({"type": "call", "op": "wait_for_change", "args": {"wait_ms": 45000}, "opId": "w"}));
    let closing = std::thread::spawn(move || [old.closed().0, ours.closed().0]);
    let (status, took) = world.server.terminate();
    assert_eq!(closing.join().unwrap(), [1001, 1001]);
    assert!(status.success() && took < Duration::from_secs(2), "{status} {took:?}");
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let env = Env::new();
    let server = env.serve(&[]);
    let (mut client, _) = Client::synced(&server, "/sync/default?v=2", &server.bearer());
    for number in 0..500 {
        client.send(&json!({"type": "set", "key": format!("k{number}"), "value": "v", "opId": format!("{number}")}));
    }
    for _ in 0..100 {
        client.next_of("ack");
    }
    harness::kill(server.pid());
    let mut acknowledged = 100;
    while let Ok(message) = client.try_next() {
        acknowledged += usize::from(message["type"] == "ack");
    }
    drop(server);
    let server = env.serve(&[]);
    let (_, state) = Client::synced(&server, "/sync/default?v=2", &server.bearer());
    let keys = state["data"].as_object().unwrap();
    assert!(keys.len() >= acknowledged, "{} of {acknowledged}", keys.len());
    assert!((0..keys.len()).all(|number| keys.contains_key(&format!("k{number}"))), "in the order in which they came");
}

#[test]
fn a_client_that_does_not_read_holds_up_nobody_and_is_told_what_it_missed() {
    let world = World::new();
    let (mut stalled, _) = world.ours();
    let (mut writer, _) = world.ours();
    let value = "x".repeat(60_000);
    // More than any buffer between, and more than is kept for who is behind.
    for number in 0..400 {
        let set = json!({"type": "set", "key": format!("k{}", number % 10), "value": format!("{value}{number}"),
            "opId": format!("{number}")});
        writer.send(&set);
        writer.next_where(|told| told["type"] == "ack");
    }
    world.call("delete_key", &json!({"key": "k9"}));
    let mut keys = std::collections::BTreeMap::new();
    let mut resynced = false;
    loop {
        let told = stalled.next();
        match told["type"].as_str().unwrap() {
            "resync" => resynced = true,
            "sync" => {
                assert_eq!(told["full"], false);
                for (name, entry) in told["data"].as_object().unwrap() {
                    keys.insert(name.clone(), entry["version"].as_u64());
                }
                for name in told["deleted"].as_array().unwrap() {
                    keys.remove(name.as_str().unwrap());
                }
            }
            "key_updated" => drop(keys.insert(text(&told["key"]), told["version"].as_u64())),
            "key_deleted" => drop(keys.remove(told["key"].as_str().unwrap())),
            _ => {}
        }
        if told["seq"] == 401 && told["more"] != true {
            break;
        }
    }
    assert!(resynced);
    let listed = world.call("list_keys", &json!({}));
    let stored = listed["keys"].as_array().unwrap().iter();
    let stored: std::collections::BTreeMap<_, _> =
        stored.map(|key| (text(&key["key"]), key["version"].as_u64())).collect();
    assert_eq!(keys, stored);
}
