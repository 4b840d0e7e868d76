//! Whatever is sent, it is answered or closed with a reason, and the server lives.

use std::io::Write as _;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::{World, client::Client};
use crate::harness::chance::Chance;

/// Frames to begin with: each message of the protocol, and what parsers stumble over.
const CORPUS: &str = include_str!("corpus.txt");

#[test]
fn a_frame_that_is_no_message_is_answered_and_the_socket_stays() {
    let world = World::new();
    for (form, text) in [("", "Invalid message format"), ("?v=2", "Invalid message format: ")] {
        let (mut client, _) = Client::synced(&world.server, &format!("{}{form}", world.path), &world.proof);
        assert!(client.try_send(Message::Binary(Bytes::from_static(b"\x00\x01"))));
        for malformed in ["", "{", "null", "[", "\"", "{\"type\":\"set\"", "nul", "{\"type\":\"set\",\"key\":1}"] {
            client.say(malformed);
        }
        for _ in 0..9 {
            let told = client.next();
            assert_eq!((&told["type"], &told["code"]), (&json!("error"), &json!("PARSE_ERROR")), "{told}");
            assert!(told["error"].as_str().unwrap().starts_with(text), "{told}");
        }
        assert!(client.until_pong().is_empty());
    }
    // Ours answers what it does not know, with the name if it has one.
    let (mut client, _) = world.ours();
    for unknown in ["[]", "7", "{}", "{\"type\":\"nothing\"}", "{\"type\":7}"] {
        client.say(unknown);
        assert_eq!(client.next()["code"], "PARSE_ERROR", "{unknown}");
    }
    client.say("{\"type\":\"set\",\"opId\":\"a\"}");
    assert_eq!(client.next()["opId"], "a");
    client.say(&format!("{{\"type\":\"set\",\"key\":\"k\",\"value\":1,\"opId\":\"{}\"}}", "x".repeat(129)));
    assert_eq!(client.next()["code"], "PARSE_ERROR");
    client.say("{\"type\":\"set\",\"key\":\"k\",\"value\":\"\\ud800\",\"attributes\":{},\"opId\":\"b\"}");
    assert_eq!(client.next_where(|told| told["opId"] == "b")["code"], "invalid_argument");
}

#[test]
fn random_and_mutated_frames_leave_the_server_at_work() {
    let world = World::new();
    let mut chance = Chance::of("frames of /sync");
    let lines: Vec<&str> = CORPUS.lines().filter(|line| !line.is_empty()).collect();
    let (mut old, _) = world.old();
    let (mut ours, _) = world.ours();
    for round in 0..600 {
        let mut frame: Vec<char> = lines[chance.below(lines.len())].chars().collect();
        for _ in 0..chance.below(4) {
            let at = chance.below(frame.len().max(1));
            match chance.below(4) {
                0 if at < frame.len() => drop(frame.remove(at)),
                1 => frame.insert(
                    at.min(frame.len()),
                    ['"', '{', '}', '[', ',', ':', '\\', '\u{0}', 'é', '9'][chance.below(10)],
                ),
                2 => frame.truncate(at),
                _ => {
                    let other: Vec<char> = lines[chance.below(lines.len())].chars().collect();
                    frame.extend(other.into_iter().skip(at));
                }
            }
        }
        let text: String = frame.into_iter().collect();
        let client = if round % 2 == 0 { &mut old } else { &mut ours };
        client.say(&text);
        if round % 50 >= 48 {
            client.until_pong();
        }
    }
    old.until_pong();
    ours.until_pong();
    assert!(world.server.get("/health", &[]).status == 200);
    let (mut fresh, _) = world.ours();
    fresh.send(&json!({"type": "set", "key": "at work", "value": "v", "opId": "a"}));
    assert_eq!(fresh.next_of("ack")["key"], "at work");
}

#[test]
fn a_message_over_the_limit_and_no_text_close_the_socket_alone() {
    let world = World::new();
    let (mut client, _) = world.old();
    // The head of a frame of 36 MiB and a byte: masked, final, text.
    let mut head = vec![0x81, 0xff];
    head.extend(((36_u64 << 20) + 1).to_be_bytes());
    head.extend([0; 4]);
    client.stream().write_all(&head).unwrap();
    assert_eq!(client.closed().0, 1009);
    let (mut client, _) = world.old();
    client.stream().write_all(&[0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe]).unwrap();
    assert_eq!(client.closed().0, 1007);
    // A ping that claims to be large is not taken in.
    let (mut client, _) = world.old();
    let mut head = vec![0x89, 0xff];
    head.extend((30_u64 << 20).to_be_bytes());
    head.extend([0; 4]);
    client.stream().write_all(&head).unwrap();
    assert_eq!(client.closed().0, 1002);
    let (mut client, _) = world.old();
    client.stream().write_all(&[0xff, 0x80, 0, 0, 0, 0]).unwrap();
    assert_eq!(client.closed().0, 1002);
    assert_eq!(world.old().1["data"], json!({}));
}

#[test]
fn a_flood_of_messages_is_taken_in_as_fast_as_it_is_done() {
    let world = World::new();
    let (mut client, _) = world.ours();
    for number in 0..3000 {
        client.send(
            &json!({"type": "set", "key": format!("k{}", number % 7), "value": number, "opId": format!("{number}")}),
        );
    }
    let acks = (0..3000).map(|_| client.next_of("ack")["opId"].as_str().unwrap().parse::<u64>().unwrap());
    let acks: Vec<u64> = acks.collect();
    assert_eq!(acks.len(), 3000);
    assert_eq!(world.call("read_key", &json!({"key": "k3"}))["value"], Value::from("2999"), "the last one stays");
}

#[test]
fn large_messages_are_taken_in_one_after_the_other() {
    let world = World::new();
    let (mut client, _) = world.ours();
    let value = "x".repeat(3 << 20);
    for number in 0..6 {
        let key = format!("k{}", number % 2);
        client.send(
            &json!({"type": "set", "key": key, "value": format!("{value}{number}"), "opId": format!("{number}")}),
        );
    }
    for number in 0..6 {
        assert_eq!(client.next_of("ack")["opId"], format!("{number}"), "in their order");
    }
}

#[test]
fn sockets_of_one_instance_write_together_and_see_the_same() {
    let world = World::new();
    let mut chance = Chance::of("sockets of one instance");
    let shown = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|number| {
                let (world, mut chance) = (&world, chance.fork());
                scope.spawn(move || {
                    let form = if number % 2 == 0 { "" } else { "?v=2" };
                    let path = format!("{}{form}", world.path);
                    let (mut client, _) = Client::synced(&world.server, &path, &world.proof);
                    for step in 0..150 {
                        let key = format!("k{}", chance.below(12));
                        match chance.below(10) {
                            0 => client.send(&json!({"type": "delete", "key": key})),
                            1 if step % 50 == 0 => client.send(&json!({"type": "clear"})),
                            _ => client.set(&key, format!("{number}.{step}")),
                        }
                    }
                    client
                })
            })
            .collect();
        let mut clients: Vec<Client> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        // All has been sent; what is told until a mark has passed everywhere is the whole story.
        for client in &mut clients {
            client.keep_until_pong();
        }
        world.call("write_key", &json!({"key": "mark", "value": "v"}));
        clients.iter_mut().map(Client::told_until_mark).collect::<Vec<_>>()
    });
    let listed = world.call("list_keys", &json!({"limit": 1000}));
    let stored = listed["keys"].as_array().unwrap().iter();
    let stored: std::collections::BTreeMap<String, String> = stored
        .map(|key| (key["key"].as_str().unwrap().to_owned(), key["value"].as_str().unwrap().to_owned()))
        .collect();
    for state in shown {
        assert_eq!(state, stored);
    }
}
