//! Large values and large lines: what fits works, what does not is refused, and the server lives.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::json;

use crate::harness::{Env, mcp::Client};

const MIB: usize = 1024 * 1024;

/// The value of a key put together from its pieces.
fn whole(client: &mut Client, key: &str) -> String {
    let mut value = String::new();
    let mut offset = 0;
    loop {
        let piece = client.call("read_key", json!({"key": key, "offset": offset})).ok();
        value.push_str(piece["value"].as_str().expect("a value"));
        match piece["next_offset"].as_u64() {
            Some(next) => offset = next,
            None => return value,
        }
    }
}

/// A text that differs everywhere, so that a piece out of place is seen.
fn varied(length: usize) -> String {
    let mut text = String::with_capacity(length + 16);
    let mut number = 0_u64;
    while text.len() < length {
        text.push_str(&number.to_string());
        number += 7919;
    }
    text.truncate(length);
    text
}

#[test]
fn a_value_of_20_mebibytes_survives_a_kill_and_comes_back_in_pieces() {
    let env = Env::new();
    let mut client = env.mcp();
    let value = varied(20 * MIB);
    client.write("k", &value);
    client.kill9();
    assert!(whole(&mut env.mcp(), "k") == value, "the pieces are the value");
}

#[test]
fn a_value_over_25_mebibytes_is_too_large_and_nothing_changes() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("k", "before");
    let before = client.call("list_keys", json!({})).ok();
    let value = "x".repeat(26 * MIB);
    let refused = client.call("write_key", json!({"key": "k", "value": value}));
    refused.error("too_large");
    assert_eq!(client.call("list_keys", json!({})).ok(), before);
}

#[test]
fn the_limit_counts_decoded_bytes() {
    let env = Env::new();
    let mut client = env.mcp();
    for (bytes, fits) in [(25 * MIB, true), (25 * MIB + 1, false)] {
        let value = BASE64.encode(vec![7; bytes]);
        let args = json!({"key": "k", "value": value, "type": "file", "content_type": "a/b"});
        let reply = client.call("write_key", args);
        if fits {
            drop(reply.ok());
        } else {
            reply.error("too_large");
        }
    }
    let tail = client.call("read_key", json!({"key": "k", "offset": 25 * MIB - 2})).ok();
    assert_eq!(tail["value"], BASE64.encode([7, 7]));
}

#[test]
fn appending_over_the_limit_is_too_large() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("k", &"x".repeat(15 * MIB));
    let text = "y".repeat(11 * MIB);
    client.call("append_key", json!({"key": "k", "text": text})).error("too_large");
    let tail = client.call("read_key", json!({"key": "k", "offset": 15 * MIB})).ok();
    assert_eq!((&tail["value"], tail.get("next_offset")), (&json!(""), None));
}

#[test]
fn a_line_of_100_mebibytes_is_drained_answered_and_forgotten() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("k", "before");
    let before = client.call("list_keys", json!({})).ok();
    let mut line = br#"{"jsonrpc":"2.0","id":77,"method":"tools/call","params":{"name":"write_key","arguments":{"key":"k","value":""#.to_vec();
    line.resize(100 * MIB, b'x');
    line.extend_from_slice(b"\"}}}\n");
    client.send_raw(line);
    let answer = client.next_message();
    assert!(answer["error"]["code"].is_i64(), "{answer}");
    assert!(answer["id"].is_null() || answer["id"] == 77, "{answer}");
    assert_eq!(client.call("list_keys", json!({})).ok(), before);
}

#[test]
fn an_endless_line_does_not_fill_the_memory_before_the_end_of_input() {
    let env = Env::new();
    let mut client = env.mcp();
    // The line is never finished: the server must still end when its input does.
    client.send_raw(vec![b'['; 40 * MIB]);
    let exit = client.close_stdin_and_wait();
    assert!(exit.status.success(), "{exit:?}");
}
