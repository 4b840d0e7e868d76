//! The protocol of the first MindCache, as its clients speak it.

use std::time::Duration;

use serde_json::{Value, json};

use super::{World, client::Client};
use crate::{
    access::{key, local},
    harness::{eventually, mcp::text},
};

#[test]
fn two_clients_set_and_delete_and_clear_both_ways() {
    let world = World::new();
    let (mut one, state) = world.old();
    assert_eq!((&state["data"], &state["instanceId"]), (&json!({}), &json!(world.instance)));
    assert!(state.get("seq").is_none() && state.get("full").is_none(), "{state}");
    let (mut two, _) = world.old();
    one.set("a", "1");
    for client in [&mut one, &mut two] {
        let told = client.next();
        assert_eq!((&told["type"], &told["key"], &told["value"]), (&json!("key_updated"), &json!("a"), &json!("1")));
        assert_eq!(told["updatedBy"], "local");
        assert!(told["timestamp"].is_i64(), "{told}");
        let attributes = told["attributes"].as_object().unwrap();
        let expected = json!({"type": "text", "contentType": null, "readonly": false, "visible": true,
            "hardcoded": false, "template": false, "tags": [], "zIndex": 0, "contentTags": [],
            "systemTags": ["SystemPrompt", "LLMRead", "LLMWrite"]});
        assert_eq!(json!(attributes), expected);
    }
    two.set("b", json!({"x": [1, 2]}));
    for client in [&mut one, &mut two] {
        let told = client.next();
        assert_eq!((&told["key"], &told["value"]), (&json!("b"), &json!({"x": [1, 2]})));
    }
    one.send(&json!({"type": "delete", "key": "a", "timestamp": 5}));
    for client in [&mut one, &mut two] {
        let told = client.next();
        assert_eq!(
            (&told["type"], &told["key"], &told["deletedBy"]),
            (&json!("key_deleted"), &json!("a"), &json!("local"))
        );
    }
    one.send(&json!({"type": "delete", "key": "never"}));
    assert_eq!(one.next()["key"], "never", "who deletes nothing is told so");
    two.send(&json!({"type": "clear"}));
    for client in [&mut one, &mut two] {
        let told = client.next();
        assert_eq!((&told["type"], &told["clearedBy"]), (&json!("cleared"), &json!("local")));
    }
    two.send(&json!({"type": "clear"}));
    assert_eq!(two.next()["type"], "cleared", "who clears nothing is told so");
    assert!(one.until_pong().is_empty());
    assert!(two.until_pong().is_empty());
    let (_, state) = world.old();
    assert_eq!(state["data"], json!({}));
}

#[test]
fn attributes_and_tags_survive_a_reconnect() {
    let world = World::new();
    let (mut one, _) = world.old();
    let given = json!({"type": "json", "contentType": "application/json", "readonly": true, "visible": true,
        "hardcoded": false, "template": true, "tags": ["t"], "contentTags": ["t", "ü"], "zIndex": 7,
        "systemTags": ["SystemPrompt", "LLMRead", "ApplyTemplate"]});
    one.set_with("k", json!({"a": 1}), &given);
    let told = one.next_of("key_updated");
    let (_, state) = world.old();
    let entry = &state["data"]["k"];
    assert_eq!(entry["attributes"], told["attributes"]);
    let attributes = &entry["attributes"];
    assert_eq!((&attributes["contentTags"], &attributes["tags"]), (&json!(["t", "ü"]), &json!(["t", "ü"])));
    assert_eq!(attributes["systemTags"], json!(["SystemPrompt", "LLMRead", "ApplyTemplate"]));
    assert_eq!((&attributes["zIndex"], &attributes["readonly"]), (&json!(7), &json!(true)));
    assert_eq!((&entry["value"], entry["updatedAt"].is_i64()), (&json!({"a": 1}), true));
    assert_eq!(entry.as_object().unwrap().len(), 3, "{entry}");
}

#[test]
fn hole_booleans_and_older_words_say_nothing_of_llm_read() {
    let world = World::new();
    let (mut client, _) = world.old();
    let tags = |client: &mut Client| client.next_of("key_updated")["attributes"]["systemTags"].clone();
    client.set_with("2.0", "v", &json!({"readonly": true, "visible": false, "tags": ["a"]}));
    assert_eq!(tags(&mut client), json!(["LLMRead"]));
    client.set_with("2.3", "v", &json!({"systemTags": ["prompt"], "contentTags": [], "visible": true}));
    assert_eq!(tags(&mut client), json!(["SystemPrompt", "LLMRead", "LLMWrite"]));
    client.set_with("2.4", "v", &json!({"systemTags": ["LLMWrite"]}));
    assert_eq!(tags(&mut client), json!(["LLMWrite"]));
    // Nothing said is nothing changed, and no LLMRead comes back.
    client.set_with("2.4", "w", &json!({"visible": false, "readonly": false}));
    assert_eq!(tags(&mut client), json!(["LLMWrite"]));
}

#[test]
fn who_may_read_is_refused_everything_else() {
    let world = World::new();
    world.call("write_key", &json!({"key": "k", "value": "v"}));
    let (_, reader) = key(&world.env, &json!({"permissions": ["read"]}));
    let (mut client, state) = Client::synced(&world.server, &world.path, &reader);
    assert_eq!(state["data"]["k"]["value"], "v");
    client.set("k", "w");
    client.send(&json!({"type": "delete", "key": "k"}));
    client.send(&json!({"type": "clear"}));
    for expected in ["Write permission required", "Write permission required", "System permission required"] {
        let told = client.next();
        assert_eq!(
            (&told["type"], &told["error"], &told["code"]),
            (&json!("error"), &json!(expected), &json!("NO_PERMISSION"))
        );
    }
    assert_eq!(world.call("read_key", &json!({"key": "k"}))["value"], "v");
}

#[test]
fn a_picture_of_5_megabytes_arrives_and_is_there_again() {
    let world = World::new();
    let (mut one, _) = world.old();
    let (mut two, _) = world.old();
    let picture = "QUJD".repeat(5 * 1024 * 1024 / 3);
    one.set_with("picture", picture.clone(), &json!({"type": "image", "contentType": "image/png"}));
    for client in [&mut one, &mut two] {
        let told = client.next_of("key_updated");
        assert_eq!((told["value"] == picture, &told["attributes"]["contentType"]), (true, &json!("image/png")));
    }
    let (mut three, state) = world.old();
    assert!(state["data"]["picture"]["value"] == picture);
    // As a data URL it is the same picture.
    let url = format!("data:image/png;base64,{picture}");
    three.set_with("picture", url, &json!({"type": "image", "contentType": "image/png"}));
    assert!(three.until_pong().is_empty());
    three.set("after", "v");
    assert_eq!(one.next()["key"], "after", "the same picture again is no change");
}

#[test]
fn names_are_their_code_points() {
    let world = World::new();
    let (mut one, _) = world.old();
    let names = ["clé", "cle\u{301}", "名前", "😀", "a b/c\\d", "__proto__", "constructor", " "];
    for name in names {
        one.set(name, name);
        assert_eq!(one.next_of("key_updated")["key"], name);
    }
    let (_, state) = world.old();
    assert_eq!(state["data"].as_object().unwrap().len(), names.len());
    assert!(names.iter().all(|name| state["data"][*name]["value"] == **name), "{state}");
}

#[test]
fn hole_names_that_are_none_are_refused_by_name() {
    let world = World::new();
    let (mut client, _) = world.old();
    for (message, code) in [
        (json!({"type": "set", "value": "v", "attributes": {}}), "PARSE_ERROR"),
        (json!({"type": "set", "key": 5, "value": "v", "attributes": {}}), "PARSE_ERROR"),
        (json!({"type": "set", "key": "k", "attributes": {}}), "PARSE_ERROR"),
        (json!({"type": "set", "key": "k", "value": "v"}), "PARSE_ERROR"),
        (json!({"type": "set", "key": "k", "value": "v", "attributes": null}), "PARSE_ERROR"),
        (json!({"type": "set", "key": "k", "value": "v", "attributes": {"tags": "t"}}), "PARSE_ERROR"),
        (json!({"type": "delete"}), "PARSE_ERROR"),
        (json!(null), "PARSE_ERROR"),
        (json!({"type": "set", "key": "", "value": "v", "attributes": {}}), "invalid_argument"),
        (json!({"type": "set", "key": "$date", "value": "v", "attributes": {}}), "invalid_argument"),
        (json!({"type": "set", "key": "k", "value": "v", "attributes": {"type": "number"}}), "invalid_argument"),
        (json!({"type": "set", "key": "k", "value": "no base64", "attributes": {"type": "image"}}), "invalid_argument"),
    ] {
        client.send(&message);
        let told = client.next();
        assert_eq!((&told["type"], &told["code"]), (&json!("error"), &json!(code)), "{message} {told}");
    }
    for silent in [json!({"type": "nothing"}), json!(["set"]), json!({}), json!(7), json!({"type": 5})] {
        client.send(&silent);
        assert!(client.until_pong().is_empty(), "{silent}");
    }
    client.send(&json!({"type": "set", "key": "null", "value": null, "attributes": {}}));
    assert_eq!(client.next_of("key_updated")["value"], Value::Null);
}

#[test]
fn hole_a_clear_leaves_protected_keys_and_says_so() {
    let world = World::new();
    let (mut one, _) = world.old();
    let (mut two, _) = world.old();
    one.set_with("kept", "v", &json!({"hardcoded": true}));
    one.set("gone", "v");
    for client in [&mut one, &mut two] {
        client.next_where(|message| message["key"] == "gone");
    }
    one.send(&json!({"type": "clear"}));
    for client in [&mut one, &mut two] {
        assert_eq!(client.next()["type"], "cleared");
        let told = client.next();
        assert_eq!((&told["type"], &told["key"], &told["value"]), (&json!("key_updated"), &json!("kept"), &json!("v")));
    }
    one.send(&json!({"type": "delete", "key": "kept"}));
    let refused = one.next();
    assert_eq!((&refused["code"], &refused["key"]), (&json!("NO_PERMISSION"), &json!("kept")));
}

#[test]
fn hole_a_read_only_instance_takes_nothing_from_a_socket() {
    let world = World::new();
    world.call("write_key", &json!({"key": "k", "value": "v"}));
    local(&world.env, "instance_set_read_only", &json!({"instance": world.instance, "read_only": true}));
    let (mut client, _) = world.old();
    client.set("k", "w");
    client.send(&json!({"type": "delete", "key": "k"}));
    client.send(&json!({"type": "clear"}));
    for _ in 0..3 {
        assert_eq!(client.next()["code"], "NO_PERMISSION");
    }
    assert_eq!(world.call("read_key", &json!({"key": "k"}))["value"], "v");
}

#[test]
fn a_thousand_keys_are_shown_whole_and_each_once() {
    let world = World::new();
    let (mut one, _) = world.old();
    for number in 0..1000 {
        one.set(&format!("k{number}"), format!("v{number}"));
    }
    let mut seen = 0;
    while seen < 1000 {
        one.next_of("key_updated");
        seen += 1;
    }
    let (mut two, state) = world.old();
    assert_eq!(state["data"].as_object().unwrap().len(), 1000);
    assert!(two.until_pong().is_empty());
}

#[test]
fn what_other_faces_do_is_told_and_in_the_order_of_the_prompt() {
    let world = World::new();
    let (mut client, _) = world.old();
    world.env.cli(&["-i", &world.instance, "set", "k", "v"]).ok();
    assert_eq!(client.next_of("key_updated")["value"], "v");
    world.env.cli(&["-i", &world.instance, "rm", "k"]).ok();
    assert_eq!(client.next_of("key_deleted")["key"], "k");
    for (name, z_index) in [("a", 2), ("b", 1), ("c", 1)] {
        client.set_with(name, "v", &json!({"zIndex": z_index}));
    }
    client.next_where(|message| message["key"] == "c");
    let (_, state) = world.old();
    let names: Vec<String> = state["data"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["b", "c", "a"]);
    assert_eq!(text(&client.hello["name"]), "i");
}

#[test]
fn a_large_value_that_has_changed_again_holds_nobody_up() {
    let world = World::new();
    let mut clients = [world.old().0, world.old().0, world.old().0];
    for client in &mut clients {
        // By the server's ping every 25 s it would go on too.
        client.stream().set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    }
    let (mut ours, _) = world.ours();
    let write = |number: u64| json!({"name": "write_key", "args": {"key": "k", "value": format!("{number}{}", "x".repeat(100_000))}});
    for round in 0..4 {
        let operations = [write(10 * round), write(10 * round + 1)];
        ours.send(
            &json!({"type": "call", "op": "batch", "args": {"mode": "all", "operations": operations}, "opId": "b"}),
        );
        ours.next_of("result");
        for client in &mut clients {
            let told = client.next_of("key_updated");
            assert!(told["value"].as_str().unwrap().starts_with(&format!("{}x", 10 * round + 1)));
        }
    }
}

#[test]
fn what_an_older_client_says_before_it_goes_is_done() {
    let world = World::new();
    world.call("write_key", &json!({"key": "last", "value": "none"}));
    for number in 0..20 {
        let (mut client, _) = world.old();
        for key in ["a", "b", "c"] {
            client.set(key, number.to_string());
        }
        client.say("{\"type\":\"ping\"}");
        client.set("last", number.to_string());
        client.leave();
        let value = number.to_string();
        eventually("the last set is done", || world.call("read_key", &json!({"key": "last"}))["value"] == value);
    }
}
