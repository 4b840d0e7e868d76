//! A socket of who asked for changes: what happened, by whom, and how values begin, and no keys.

use serde_json::{Value, json};

use super::{
    World,
    client::{Client, encoded},
};
use crate::harness::mcp::text;

/// A client with the first thing that it is told.
fn following(world: &World, more: &str, proof: &str) -> (Client, Value) {
    let mut client = Client::open(&world.server, &format!("{}?v=2&changes=1{more}", world.path), proof);
    let first = client.next();
    assert_eq!(first["type"], "changes", "{first}");
    (client, first)
}

/// The next change.
fn next(client: &mut Client) -> Value {
    let told = client.next_of("changes");
    assert_eq!(told["changes"].as_array().map(Vec::len), Some(1), "{told}");
    told["changes"][0].clone()
}

#[test]
fn changes_come_with_who_made_them_and_how_values_begin() {
    let world = World::new();
    world.call("write_key", &json!({"key": "before", "value": "1"}));
    let (mut client, first) = following(&world, "", &world.proof);
    assert_eq!((&first["changes"], &first["seq"], &first["head"]), (&json!([]), &json!(1), &json!(1)));
    assert_eq!((&first["log"], first.get("reason")), (&client.hello["log"], None));
    let long = "words  ".repeat(100);
    world.call("write_key", &json!({"key": "long", "value": long, "tags": ["t"]}));
    let change = next(&mut client);
    assert_eq!((&change["seq"], &change["change"], &change["key"]), (&json!(2), &json!("created"), &json!("long")));
    assert_eq!(change["actor"]["writer"], "human/local");
    let row = &change["row"];
    assert_eq!((&row["tags"], &row["size"], &row["version"]), (&json!(["t"]), &json!(700), &json!(2)));
    assert!(text(&row["preview"]).starts_with("words words ") && text(&row["preview"]).len() <= 160);
    let large = "large ".repeat(50_000);
    std::fs::write(world.env.path("large"), &large).unwrap();
    world.env.cli(&["-i", &world.instance, "set", "large", "--file", world.env.path("large").to_str().unwrap()]).ok();
    let row = next(&mut client)["row"].take();
    assert_eq!(row["size"], 300_000);
    assert!(text(&row["preview"]).starts_with("large large ") && text(&row["preview"]).len() <= 160);
    world.call("delete_key", &json!({"key": "long"}));
    let change = next(&mut client);
    assert_eq!((&change["change"], change.get("row")), (&json!("deleted"), None));
    // It writes, asks and calls like any other socket, and hears of what it did itself.
    client.send(&json!({"type": "set", "key": "own", "value": "v", "opId": "a"}));
    client.send(&json!({"type": "call", "op": "key_browse", "args": {"limit": 1}, "opId": "b"}));
    client.send(&json!({"type": "ping"}));
    let (mut heard, mut types) = (Value::Null, Vec::new());
    loop {
        let told = client.next();
        types.push(text(&told["type"]));
        match types.last().map(String::as_str) {
            Some("changes") => heard = told["changes"][0]["key"].clone(),
            Some("pong") => break,
            _ => {}
        }
    }
    assert_eq!(heard, "own", "a pong comes after what was done before it");
    assert!(types.contains(&"ack".into()) && types.contains(&"result".into()), "{types:?}");
    client.send(&json!({"type": "subscribe", "prefixes": ["a/"]}));
    assert_eq!(client.next_of("error")["code"], "PARSE_ERROR");
}

#[test]
fn who_comes_back_hears_of_all_that_came_since_once_and_in_order() {
    let world = World::new();
    let (client, first) = following(&world, "", &world.proof);
    drop(client);
    let names: Vec<String> = (0..1200).map(|n| format!("k{n}")).collect();
    for piece in names.chunks(100) {
        let operations = piece.iter().map(|key| json!({"name": "write_key", "args": {"key": key, "value": key}}));
        let operations: Vec<Value> = operations.collect();
        world.call("batch", &json!({"mode": "all", "operations": operations}));
    }
    let log = text(&first["log"]);
    let (mut client, mut told) = following(&world, &format!("&since=0&log={}", encoded(&log)), &world.proof);
    let mut heard = Vec::new();
    loop {
        heard.extend(told["changes"].as_array().unwrap().iter().map(|change| text(&change["key"])));
        assert_eq!(told["head"], 1200);
        assert_eq!(told["log"].is_string(), told["seq"] == 1200, "the log is known where it ends: {told}");
        if told["seq"] == 1200 {
            break;
        }
        told = client.next_of("changes");
    }
    assert_eq!(heard, names);
    // What it never saw, or saw of another log, it is not told.
    for (more, reason) in [("&since=9999", "other_log"), ("&since=3&log=3-3", "other_log")] {
        let (_, told) = following(&world, more, &world.proof);
        assert_eq!((&told["changes"], &told["seq"], &told["reason"]), (&json!([]), &json!(1200), &json!(reason)));
    }
}

#[test]
fn changes_are_told_of_what_may_be_read() {
    let world = World::new();
    let token = world.token(&world.proof, Some("read")).unwrap();
    let (mut client, _) = following(&world, &format!("&token={token}"), "");
    world.call("write_key", &json!({"key": "hidden", "value": "do not tell"}));
    world.call("set_key_attributes", &json!({"key": "hidden", "system_tags": ["LLMWrite"]}));
    world.call("write_key", &json!({"key": "hidden", "value": "do not tell this"}));
    world.call("delete_key", &json!({"key": "hidden"}));
    world.call("write_key", &json!({"key": "end", "value": "v"}));
    let mut heard = Vec::new();
    while heard.last().is_none_or(|(key, _)| key != "end") {
        let told = client.next_of("changes");
        assert!(!told.to_string().contains("tell this"));
        let told = told["changes"].as_array().unwrap().clone();
        heard.extend(told.iter().map(|change| (text(&change["key"]), text(&change["change"]))));
    }
    let expected = [("hidden", "created"), ("hidden", "deleted"), ("end", "created")];
    assert_eq!(heard, expected.map(|(key, change)| (key.to_owned(), change.to_owned())));
    client.send(&json!({"type": "set", "key": "k", "value": "v", "opId": "a"}));
    assert_eq!(client.next_of("error")["code"], "NO_PERMISSION");
}
