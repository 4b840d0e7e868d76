//! Calls that wait, subscriptions, and calls under way.

use serde_json::{Value, json};

use crate::harness::{
    Env,
    mcp::{Client, ToolReply, text},
};

/// Waits of one session, subscriptions of one connection, and calls that it has under way at once.
const WAITS: usize = 128;
const LISTENS: usize = 16;
const IN_FLIGHT: usize = 1024;

fn overloaded(reply: Value) -> bool {
    let reply = ToolReply::of(reply);
    if reply.is_error {
        let error = reply.error("overloaded");
        assert!(text(&error["message"]).contains("Try again when"), "{error}");
        assert_eq!(error["waiting"], WAITS);
        return true;
    }
    assert_eq!(reply.ok()["changes"][0]["key"], "k");
    false
}

#[test]
fn of_ten_thousand_waits_of_one_client_as_many_as_there_is_room_for_wait() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("before", "v");
    let wait = json!({"name": "wait_for_change", "arguments": {"key": "k"}});
    let ids: Vec<_> = (0..10_000).map(|_| client.send("tools/call", wait.clone())).collect();
    let refused =
        (0..10_000 - WAITS).map(|_| client.next_message()).filter(|reply| overloaded(reply["result"].clone()));
    assert_eq!(refused.count(), 10_000 - WAITS);
    client.write("k", "v");
    let waited = (0..WAITS).map(|_| client.next_message()).filter(|reply| !overloaded(reply["result"].clone()));
    assert_eq!(waited.count(), WAITS, "of {}", ids.len());
    let again = client.call("wait_for_change", json!({"key": "k", "wait_ms": 1})).ok();
    assert_eq!(again["timed_out"], true, "their places are free again");
}

#[test]
fn more_calls_at_once_than_are_under_way_are_all_answered() {
    let env = Env::new();
    let mut client = env.mcp();
    // Those that wait keep their places and hold up no others.
    let wait = json!({"key": "k", "after_version": 3 * IN_FLIGHT});
    let waits: Vec<_> = (0..WAITS).map(|_| client.send_call("wait_for_change", wait.clone())).collect();
    let ids: Vec<_> =
        (0..3 * IN_FLIGHT).map(|_| client.send_call("append_key", json!({"key": "k", "text": "x"}))).collect();
    for (_, reply) in client.collect(&ids) {
        drop(ToolReply::of(reply.unwrap()).ok());
    }
    assert_eq!(client.value("k").len(), ids.len());
    client.write("k", "after all");
    for (_, reply) in client.collect(&waits) {
        assert_eq!(ToolReply::of(reply.unwrap()).ok()["timed_out"], false);
    }
}

#[test]
fn a_wait_in_a_large_message_is_refused() {
    let env = Env::new();
    let server = env.serve(&[]);
    let call = |padding: usize| {
        let meta = json!({"padding": "x".repeat(padding)});
        json!({"name": "wait_for_change", "arguments": {"wait_ms": 1}, "_meta": meta})
    };
    let (fits, large) = (call(200 * 1024), call(256 * 1024));
    let mut client = env.mcp();
    drop(ToolReply::of(client.request("tools/call", fits.clone()).unwrap()).ok());
    let refused = ToolReply::of(client.request("tools/call", large.clone()).unwrap()).error("too_large");
    assert_eq!(refused["limit_bytes"], 256 * 1024);
    let mut client = server.mcp();
    drop(ToolReply::of(client.request("tools/call", &fits).unwrap()).ok());
    ToolReply::of(client.request("tools/call", &large).unwrap()).error("too_large");
}

fn listen(client: &mut Client, uris: &[String]) -> u64 {
    client.send("subscriptions/listen", json!({"notifications": {"resourceSubscriptions": uris}}))
}

#[test]
fn a_connection_has_sixteen_subscriptions_and_is_told_so() {
    let env = Env::new();
    let mut client = env.mcp_modern(&[]);
    let uri = ["mindcache://default/k".to_owned()];
    let open: Vec<_> = (0..LISTENS).map(|_| listen(&mut client, &uri)).collect();
    for _ in &open {
        drop(client.next_notification());
    }
    let refused = listen(&mut client, &uri);
    drop(client.next_notification());
    let error = client.reply(refused).unwrap_err();
    assert_eq!((&error["code"], &error["data"]["code"]), (&json!(-32603), &json!("overloaded")), "{error}");
    assert!(text(&error["message"]).contains("cancel some"), "{error}");
    client.write("k", "v");
    for _ in &open {
        assert_eq!(client.next_notification()["params"]["uri"], uri[0]);
    }
    client.notify("notifications/cancelled", json!({"requestId": open[0]}));
    let again = listen(&mut client, &uri);
    drop(client.next_notification());
    client.write("k", "w");
    let of = |told: Value| told["params"]["_meta"][crate::harness::mcp::SUBSCRIPTION].as_u64();
    let told: Vec<_> = (0..LISTENS).filter_map(|_| of(client.next_notification())).collect();
    assert!(told.contains(&again), "{told:?}");
}

#[test]
fn a_large_subscription_does_not_keep_others_from_large_writes() {
    let env = Env::new();
    let mut client = env.mcp_modern(&[]);
    let uris = |length: usize| -> Vec<String> {
        (0..500).map(|number| format!("{:x<length$}", format!("mindcache://default/k?{number}-"))).collect()
    };
    for _ in 0..3 {
        listen(&mut client, &uris(4 * 1024));
        drop(client.next_notification());
    }
    client.write("large", &"x".repeat(2 * 1024 * 1024));
    let refused = listen(&mut client, &uris(9 * 1024));
    let error = client.reply(refused).unwrap_err();
    assert_eq!(error["code"], -32602);
    assert!(text(&error["message"]).contains("4194304"), "{error}");
}

#[test]
fn bug_each_repeated_word_that_a_session_has_begun_made_another_listener() {
    let env = Env::new();
    let mut client = env.mcp();
    for _ in 0..100 {
        client.notify("notifications/initialized", json!({}));
    }
    client.request("resources/subscribe", json!({"uri": "mindcache://default/k"})).unwrap();
    client.write("k", "v");
    let is_update = |told: &Value| told["method"] == "notifications/resources/updated";
    while !is_update(&client.next_notification()) {}
    client.call("wait_for_change", json!({"key": "other", "wait_ms": 300})).ok();
    assert_eq!(client.notifications().iter().filter(|told| is_update(told)).count(), 0, "it is told once");
}
