//! What a reply holds at most, and that what is cut says so.

use serde_json::{Value, json};

use crate::harness::{
    Env,
    mcp::{Client, text},
};

/// Writes keys as one change, in batches.
fn batches(client: &mut Client, count: usize, write: impl Fn(usize) -> Value) {
    for first in (0..count).step_by(100) {
        let operations: Vec<_> =
            (first..count.min(first + 100)).map(|number| json!({"name": "write_key", "args": write(number)})).collect();
        client.call("op_call", json!({"name": "batch", "args": {"operations": operations, "mode": "all"}})).ok();
    }
}

fn numbered(number: usize) -> Value {
    json!({"key": format!("k{number:04}"), "value": "v"})
}

#[test]
fn a_wait_reports_100_changes_and_goes_on_behind_them() {
    let env = Env::new();
    let mut client = env.mcp();
    batches(&mut client, 130, numbered);
    let first = client.call("wait_for_change", json!({"after_version": 0})).ok();
    let rest = client.call("wait_for_change", json!({"after_version": first["as_of_seq"]})).ok();
    let count = |waited: &Value| waited["changes"].as_array().unwrap().len();
    assert_eq!((count(&first), count(&rest)), (100, 30));
    assert_eq!(rest["changes"][0]["key"], "k0100");
}

#[test]
fn a_batch_has_100_operations() {
    let env = Env::new();
    let mut client = env.mcp();
    for (count, fits) in [(100, true), (101, false), (0, false)] {
        let operations: Vec<_> = (0..count)
            .map(|_| json!({"name": "write_key", "args": {"key": "k", "value": count.to_string()}}))
            .collect();
        let args = json!({"name": "batch", "args": {"operations": operations, "mode": "each"}});
        let reply = client.call("op_call", args);
        if fits {
            drop(reply.ok());
        } else {
            assert!(text(&reply.error("invalid_argument")["message"]).contains("1 to 100 operations"));
        }
    }
    assert_eq!(client.value("k"), "100");
}

#[test]
fn a_page_has_1000_keys() {
    let env = Env::new();
    let mut client = env.mcp();
    batches(&mut client, 1_001, numbered);
    let page = client.call("list_keys", json!({"limit": 1_000})).ok();
    assert_eq!(page["keys"].as_array().unwrap().len(), 1_000);
    assert!(page["next_cursor"].is_string());
    let history = json!({"key": "k0000", "limit": 1_001});
    let log = json!({"name": "log_read", "args": {"since": 0, "limit": 1_001}});
    for (tool, args) in [("list_keys", json!({"limit": 1_001})), ("key_history", history), ("op_call", log)] {
        client.call(tool, args).error("invalid_argument");
    }
}

#[test]
fn an_image_comes_whole_up_to_4_mebibytes() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let env = Env::new();
    let mut client = env.mcp();
    for (bytes, whole) in [(4 * 1024 * 1024, true), (4 * 1024 * 1024 + 1, false)] {
        let value = STANDARD.encode(vec![7; bytes]);
        let args = json!({"key": "i", "value": value, "type": "image", "content_type": "image/png"});
        client.call("write_key", args).ok();
        let read = client.call("read_key", json!({"key": "i"})).ok();
        let next = if whole { Value::Null } else { json!(4 * 1024 * 1024) };
        assert_eq!((read["value"] == json!(value), read["next_offset"].clone()), (whole, next));
    }
}

#[test]
fn a_hundred_prompts_of_a_tag_are_offered_with_twenty_arguments_each() {
    let env = Env::new();
    let mut client = env.mcp();
    let names = |count: usize| (0..count).map(|number| format!("{{{{a{number:02}}}}}")).collect::<Vec<_>>().concat();
    let long = ["x".repeat(64), "y".repeat(65)].map(|name| format!("{{{{{name}}}}}")).concat();
    batches(&mut client, 101, |number| {
        let value = if number == 0 { names(21) } else { long.clone() };
        json!({"key": format!("p{number:03}"), "value": value, "tags": ["Prompt"]})
    });
    let listed = client.request("prompts/list", json!({})).unwrap();
    let prompts = listed["prompts"].as_array().unwrap();
    // One of them is the system prompt.
    assert_eq!((prompts.len(), text(&prompts[100]["name"])), (101, "p099".to_owned()));
    let arguments = prompts.iter().filter_map(|prompt| prompt["arguments"].as_array()).map(Vec::len);
    assert_eq!(arguments.take(2).collect::<Vec<_>>(), [20, 1]);
}

#[test]
fn undo_looks_back_2000_rows() {
    let env = Env::new();
    let (mut client, mut other) = (env.mcp(), env.mcp());
    let undo = json!({"name": "undo", "args": {}});
    for (between, found) in [(1_999, true), (2_000, false)] {
        client.write("mine", "v");
        batches(&mut other, between, numbered);
        let reply = client.call("op_call", undo.clone());
        if found {
            assert_eq!(reply.ok()["keys"][0]["key"], "mine");
        } else {
            assert!(text(&reply.error("not_found")["message"]).contains("2000"));
        }
    }
    assert_eq!(client.value("mine"), "v");
}

#[test]
fn of_an_answer_over_64_kibibytes_only_its_outcome_is_kept() {
    let env = Env::new();
    let mut client = env.mcp();
    // A key of such a name takes half a kibibyte of a list.
    let ids: Vec<u64> = (0..100)
        .map(|n| client.send_call("write_key", json!({"key": format!("{n:03}{}", "x".repeat(250)), "value": "v"})))
        .collect();
    client.collect(&ids);
    let list = json!({"name": "list_keys", "args": {"limit": 100}});
    for (lists, kept) in [(1, true), (3, false)] {
        let operations = vec![list.clone(); lists];
        let args = json!({"operations": operations, "mode": "all"});
        let call = json!({"name": "batch", "args": args, "idempotency_key": format!("of-{lists}")});
        let first = client.call("op_call", call.clone()).ok();
        let again = client.call("op_call", call).ok();
        assert_eq!(again["replayed"], true);
        assert_eq!(again.get("results").is_some(), kept, "{lists} lists of {} bytes", first.to_string().len());
    }
}
