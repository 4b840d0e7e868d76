//! What our protocol adds: acknowledgements, versions, coming back, narrowing down, calls, presence.

use serde_json::{Value, json};

use super::{
    World,
    client::{Client, encoded},
};
use crate::{access::key, harness::mcp::text};

/// Where a client would come back to.
fn back(world: &World, seq: &Value, log: &Value) -> (Client, Value) {
    let path = format!("{}?v=2&since={seq}&log={}", world.path, encoded(log.as_str().unwrap()));
    Client::synced(&world.server, &path, &world.proof)
}

#[test]
fn a_socket_is_told_who_it_is_and_what_fits() {
    let world = World::new();
    world.call("write_key", &json!({"key": "k", "value": "v", "tags": ["t"]}));
    let (client, state) = world.ours();
    let hello = &client.hello;
    assert_eq!((&hello["protocol"], &hello["name"], &hello["userId"]), (&json!(2), &json!("i"), &json!("local")));
    let limits = json!({"message_bytes": 36 << 20, "value_bytes": 25 << 20, "inline_bytes": 64 << 10});
    assert_eq!(hello["limits"], limits);
    assert!(!text(&hello["connection"]).is_empty());
    assert_eq!((&state["full"], &state["more"], &state["seq"]), (&json!(true), &json!(false), &json!(1)));
    assert_eq!((&state["log"], &state["instanceId"]), (&hello["log"], &json!(world.instance)));
    let entry = &state["data"]["k"];
    assert_eq!((&entry["value"], &entry["version"], &entry["updatedBy"]), (&json!("v"), &json!(1), &json!("local")));
    assert_eq!(entry["attributes"]["contentTags"], json!(["t"]));
}

#[test]
fn each_message_with_a_name_is_acknowledged_and_only_its_sender_hears_the_name() {
    let world = World::new();
    let (mut one, _) = world.ours();
    let (mut two, _) = world.ours();
    one.send(&json!({"type": "set", "key": "k", "value": "v", "opId": "o\"1"}));
    let mut told = [one.next(), one.next()];
    told.sort_by_key(|message| text(&message["type"]));
    let ack = json!({"type": "ack", "opId": "o\"1", "key": "k", "version": 1, "seq": 1, "changed": true});
    assert_eq!(told[0], ack);
    assert_eq!((&told[1]["seq"], &told[1]["opId"], &told[1]["version"]), (&json!(1), &json!("o\"1"), &json!(1)));
    let heard = two.next();
    assert_eq!((&heard["seq"], heard.get("opId")), (&json!(1), None));
    one.send(&json!({"type": "set", "key": "k", "value": "v", "opId": "2"}));
    assert_eq!(one.next_of("ack")["changed"], false);
    one.send(&json!({"type": "delete", "key": "k", "opId": "3"}));
    assert_eq!(one.next_where(|told| told["opId"] == "3" && told["type"] == "ack")["version"], 2);
    one.send(&json!({"type": "delete", "key": "k", "opId": "4"}));
    assert_eq!(one.next_where(|told| told["opId"] == "4" && told["type"] == "ack")["changed"], false);
    one.send(&json!({"type": "set", "key": "a", "value": "v"}));
    one.send(&json!({"type": "clear", "opId": "5"}));
    let mut told = [one.next_where(|told| told["opId"] == "5"), one.next_where(|told| told["opId"] == "5")];
    told.sort_by_key(|message| text(&message["type"]));
    assert_eq!((&told[0]["seq"], &told[1]["type"], &told[1]["kept"]), (&json!(4), &json!("cleared"), &json!([])));
    // What another process reads is what was acknowledged.
    one.send(&json!({"type": "set", "key": "b", "value": "v", "opId": "6"}));
    one.next_where(|told| told["opId"] == "6");
    assert_eq!(world.call("read_key", &json!({"key": "b"}))["version"], 5);
}

#[test]
fn a_set_names_what_changes_and_the_rest_stays() {
    let world = World::new();
    let (mut client, _) = world.ours();
    let given = json!({"tags": ["t"], "zIndex": 3, "systemTags": ["LLMRead", "protected"]});
    client.send(&json!({"type": "set", "key": "k", "value": "v", "attributes": given}));
    client.next_of("key_updated");
    client.send(&json!({"type": "set", "key": "k", "value": "w"}));
    let told = client.next_of("key_updated");
    let attributes = &told["attributes"];
    assert_eq!((&attributes["contentTags"], &attributes["zIndex"]), (&json!(["t"]), &json!(3)));
    assert_eq!(attributes["systemTags"], json!(["LLMRead", "protected"]));
    client.send(&json!({"type": "set", "key": "k", "value": "w", "attributes": {"systemTags": []}, "ttlMs": 100_000}));
    let told = client.next_of("key_updated");
    assert_eq!(told["attributes"]["systemTags"], json!([]));
    assert!(told["expiresAt"].as_i64() > told["timestamp"].as_i64(), "{told}");
    client.send(&json!({"type": "set", "key": "short", "value": "w", "ttlMs": 1}));
    let gone = client.next_where(|told| told["type"] == "key_deleted");
    assert_eq!((&gone["key"], &gone["expired"]), (&json!("short"), &json!(true)));
}

#[test]
fn a_conflict_names_the_key_and_what_is_stored() {
    let world = World::new();
    let (mut client, _) = world.ours();
    client.send(&json!({"type": "set", "key": "k", "value": "v", "ifVersion": 0, "opId": "a"}));
    client.next_of("ack");
    for (message, current) in [
        (json!({"type": "set", "key": "k", "value": "w", "ifVersion": 0, "opId": "b"}), 1),
        (json!({"type": "set", "key": "k", "value": "w", "ifVersion": 7, "opId": "b"}), 1),
        (json!({"type": "delete", "key": "k", "ifVersion": 7, "opId": "b"}), 1),
        (json!({"type": "set", "key": "other", "value": "w", "ifVersion": 7, "opId": "b"}), 0),
    ] {
        client.send(&message);
        let told = client.next_of("error");
        assert_eq!((&told["code"], &told["key"]), (&json!("version_mismatch"), &message["key"]), "{told}");
        assert_eq!((&told["current"], &told["opId"]), (&json!({"version": current}), &json!("b")));
    }
    client.send(&json!({"type": "set", "key": "k", "value": "w", "ifVersion": 1, "opId": "c"}));
    assert_eq!(client.next_of("ack")["version"], 2);
}

#[test]
fn what_is_sent_again_under_its_key_is_done_once() {
    let world = World::new();
    let (mut one, _) = world.ours();
    let set = json!({"type": "set", "key": "k", "value": "v", "opId": "a", "idempotencyKey": "a"});
    one.send(&set);
    let first = one.next_of("ack");
    drop(one);
    world.call("write_key", &json!({"key": "k", "value": "later"}));
    let (mut again, _) = world.ours();
    again.send(&set);
    let told = again.next_of("ack");
    assert_eq!((&told["version"], &told["changed"]), (&first["version"], &json!(false)));
    assert_eq!(world.call("read_key", &json!({"key": "k"}))["value"], "later");
    again.send(&json!({"type": "set", "key": "k", "value": "other", "opId": "b", "idempotencyKey": "a"}));
    assert_eq!(again.next_of("error")["code"], "idempotency_mismatch");
}

#[test]
fn who_comes_back_is_told_what_it_missed_and_no_more() {
    let world = World::new();
    for name in ["stays", "changes", "goes"] {
        world.call("write_key", &json!({"key": name, "value": "v"}));
    }
    let (client, state) = world.ours();
    drop(client);
    world.call("write_key", &json!({"key": "changes", "value": "w"}));
    world.call("write_key", &json!({"key": "changes", "value": "x"}));
    world.call("delete_key", &json!({"key": "goes"}));
    world.call("write_key", &json!({"key": "comes", "value": "v"}));
    world.call("write_key", &json!({"key": "passes", "value": "v"}));
    world.call("delete_key", &json!({"key": "passes"}));
    let (mut client, missed) = back(&world, &state["seq"], &state["log"]);
    assert_eq!((&missed["full"], &missed["deleted"]), (&json!(false), &json!(["goes", "passes"])), "{missed}");
    let data = missed["data"].as_object().unwrap();
    assert_eq!(data.keys().collect::<Vec<_>>(), ["changes", "comes"]);
    assert_eq!((&data["changes"]["value"], &missed["seq"]), (&json!("x"), &json!(9)));
    world.call("write_key", &json!({"key": "live", "value": "v"}));
    let told = client.next_of("key_updated");
    assert_eq!(told["seq"], 10);
    // A little later it is told where the log stands then.
    let position = client.next_of("position");
    assert_eq!(position["seq"], 10);
    let (_, nothing) = back(&world, &position["seq"], &position["log"]);
    assert_eq!((&nothing["full"], &nothing["data"], &nothing["deleted"]), (&json!(false), &json!({}), &json!([])));
    let (_, other) = back(&world, &json!(3), &json!("3-1"));
    assert_eq!((&other["full"], &other["reason"]), (&json!(true), &json!("other_log")));
    let (_, beyond) = back(&world, &json!(900), &state["log"]);
    assert_eq!((&beyond["full"], &beyond["reason"]), (&json!(true), &json!("other_log")));
}

#[test]
fn who_was_told_of_its_own_key_by_the_answer_alone_hears_that_it_has_gone() {
    let world = World::new();
    let (mut one, state) = world.ours();
    one.send(&json!({"type": "set", "key": "k", "value": "v", "opId": "1"}));
    assert_eq!(one.next_of("ack")["version"], 1);
    // The connection breaks before what happened up to there is told.
    drop(one);
    let (mut other, _) = world.ours();
    other.send(&json!({"type": "delete", "key": "k", "opId": "2"}));
    other.next_of("ack");
    let (_, missed) = back(&world, &state["seq"], &state["log"]);
    assert_eq!((&missed["data"], &missed["deleted"]), (&json!({}), &json!(["k"])));
}

#[test]
fn who_comes_back_with_other_rights_is_shown_all_anew() {
    let world = World::new();
    world.call("write_key", &json!({"key": "own", "value": "v"}));
    world.call("set_key_attributes", &json!({"key": "own", "system_tags": []}));
    world.call("write_key", &json!({"key": "k", "value": "v"}));
    let as_may = |permission: &str, more: &str| {
        let token = world.token(&world.proof, Some(permission)).unwrap();
        Client::synced(&world.server, &format!("{}?v=2&token={token}{more}", world.path), "").1
    };
    let read = as_may("read", "");
    assert_eq!(read["data"].as_object().unwrap().keys().collect::<Vec<_>>(), ["k"]);
    let since = |told: &Value| format!("&since={}&log={}", told["seq"], encoded(told["log"].as_str().unwrap()));
    let all = as_may("admin", &since(&read));
    assert_eq!((&all["full"], &all["reason"]), (&json!(true), &json!("other_rights")));
    assert_eq!(all["data"].as_object().unwrap().keys().collect::<Vec<_>>(), ["k", "own"]);
    assert_eq!(as_may("read", &since(&all))["reason"], "other_rights");
    assert_eq!(as_may("read", &since(&read))["full"], false);
}

#[test]
fn a_clear_that_is_done_once_is_told_to_all() {
    let world = World::new();
    world.call("write_key", &json!({"key": "k", "value": "v"}));
    let (mut one, _) = world.ours();
    let (mut two, _) = world.ours();
    let (mut old, _) = world.old();
    one.send(&json!({"type": "clear", "opId": "1", "idempotencyKey": "i"}));
    one.next_of("ack");
    assert_eq!(two.next_of("cleared")["kept"], json!([]));
    old.next_of("cleared");
}

#[test]
fn a_key_that_is_hidden_and_changes_again_at_once_is_told_gone() {
    let world = World::new();
    world.call("write_key", &json!({"key": "k", "value": "v", "tags": ["t"]}));
    world.call("set_key_attributes", &json!({"key": "k", "history": "none"}));
    let (mut client, _) = world.ours();
    client.send(&json!({"type": "subscribe", "tags": ["t"]}));
    assert_eq!(client.next_of("sync")["data"]["k"]["value"], "v");
    let hide = json!({"name": "set_key_attributes", "args": {"key": "k", "tags": []}});
    let write = json!({"name": "write_key", "args": {"key": "k", "value": "w"}});
    world.call("batch", &json!({"mode": "all", "operations": [hide, write]}));
    let gone = client.next_of("key_deleted");
    assert_eq!((&gone["key"], &gone["hidden"]), (&json!("k"), &json!(true)), "{gone}");
}

#[test]
fn a_token_for_an_instance_does_not_purge_what_was_copied_from_it() {
    let world = World::new();
    world.call("write_key", &json!({"key": "k", "value": "v"}));
    world.call("write_key", &json!({"key": "k", "value": "w"}));
    world.call("instance_clone", &json!({"instance": "i", "name": "copy"}));
    let token = world.token(&world.proof, Some("admin")).unwrap();
    let (mut client, _) = Client::synced(&world.server, &format!("{}?v=2&token={token}", world.path), "");
    client.send(&json!({"type": "call", "op": "purge_key", "args": {"key": "k", "everywhere": true}, "opId": "1"}));
    assert_eq!(client.next_of("result")["result"]["held_by"], json!([]));
    let copied = world.env.cli(&["-i", "copy", "call", "key_history", r#"{"key":"k"}"#]).json();
    assert!(copied.to_string().contains("\"v\""), "{copied}");
}

#[test]
fn a_call_that_waits_keeps_no_large_message() {
    let world = World::new();
    let (mut client, _) = world.ours();
    let more = "x".repeat(1_200_000);
    client.send(
        &json!({"type": "call", "op": "wait_for_change", "args": {"wait_ms": 45_000}, "opId": "1", "more": more}),
    );
    assert_eq!(client.next_where(|told| told["opId"] == "1")["code"], "too_large");
}

#[test]
fn a_large_value_comes_by_reference_and_changes_nothing_when_it_is_the_same() {
    let world = World::new();
    let (mut client, _) = world.ours();
    let value = "é".repeat(100_000);
    client.send(&json!({"type": "set", "key": "a/b", "value": value, "opId": "a"}));
    client.send(&json!({"type": "set", "key": "a/b", "value": "small", "opId": "b"}));
    let told = client.next_of("key_updated");
    let place = &told["valueRef"];
    assert_eq!((&place["bytes"], &place["version"], told.get("value")), (&json!(200_000), &told["version"], None));
    // Later messages do not overtake it.
    assert_eq!(client.next_of("key_updated")["value"], "small");
    client.send(&json!({"type": "set", "key": "a/b", "value": value, "opId": "c"}));
    let told = client.next_of("key_updated");
    let path = text(&told["valueRef"]["path"]);
    let fetched = world.server.get(&path, &[("Authorization", &world.proof)]);
    assert_eq!((fetched.status, fetched.text() == value), (200, true));
    assert_eq!(fetched.header("etag").unwrap(), format!("\"{}\"", told["version"]));
    client.send(&json!({"type": "set", "key": "a/b", "value": value, "opId": "d"}));
    assert_eq!(client.next_where(|told| told["opId"] == "d")["changed"], false);
}

#[test]
fn a_subscription_narrows_what_is_told() {
    let world = World::new();
    for (name, tag) in [("a1", "x"), ("a2", "y"), ("b1", "y"), ("c1", "z")] {
        world.call("write_key", &json!({"key": name, "value": "v", "tags": [tag]}));
    }
    let (mut client, _) = world.ours();
    client.send(&json!({"type": "subscribe", "keys": ["c1"], "prefixes": ["a"], "tags": ["y"]}));
    let told = client.next();
    assert_eq!((&told["type"], &told["prefixes"], &told["seq"]), (&json!("subscribed"), &json!(["a"]), &json!(4)));
    let state = client.state();
    assert_eq!(state["data"].as_object().unwrap().keys().collect::<Vec<_>>(), ["a1", "a2", "b1", "c1"]);
    client.send(&json!({"type": "subscribe", "tags": ["y"]}));
    assert_eq!(client.state()["data"].as_object().unwrap().len(), 2);
    world.call("write_key", &json!({"key": "c1", "value": "w"}));
    world.call("write_key", &json!({"key": "b1", "value": "w"}));
    assert_eq!(client.next_of("key_updated")["key"], "b1");
    world.call("set_key_attributes", &json!({"key": "b1", "tags": ["z"]}));
    let told = client.next_of("key_deleted");
    assert_eq!((&told["key"], &told["hidden"]), (&json!("b1"), &json!(true)));
    world.call("write_key", &json!({"key": "other", "value": "w"}));
    // Nothing of that is for it, and it hears how far it is.
    assert_eq!(client.next()["type"], "position");
    client.send(&json!({"type": "subscribe"}));
    assert_eq!(client.state()["data"].as_object().unwrap().len(), 5);
    let many: Vec<String> = (0..1001).map(|number| format!("k{number}")).collect();
    client.send(&json!({"type": "subscribe", "keys": many}));
    assert_eq!(client.next_of("error")["code"], "PARSE_ERROR");
}

#[test]
fn operations_are_called_in_their_turn_and_those_that_wait_hold_nobody_up() {
    let world = World::new();
    let (mut client, _) = world.ours();
    client.send(&json!({"type": "call", "op": "wait_for_change", "args": {"key": "k", "wait_ms": 20000}, "opId": "w"}));
    client.send(&json!({"type": "call", "op": "list_keys", "opId": "l"}));
    assert_eq!(client.next_of("result")["opId"], "l");
    for number in 0..20 {
        client.send(&json!({"type": "set", "key": "n", "value": format!("{number}")}));
    }
    client.send(&json!({"type": "call", "op": "read_key", "args": {"key": "n"}, "opId": "r"}));
    client.send(&json!({"type": "set", "key": "n", "value": "after"}));
    assert_eq!(client.next_where(|told| told["opId"] == "r")["result"]["value"], "19");
    client.send(&json!({"type": "set", "key": "k", "value": "v"}));
    let waited = client.next_where(|told| told["opId"] == "w");
    assert_eq!(waited["result"]["changes"][0]["key"], "k");
    client.send(&json!({"type": "call", "op": "append_key", "args": {"key": "k", "text": "w"}, "opId": "a",
        "idempotencyKey": "a"}));
    assert_eq!(client.next_where(|told| told["opId"] == "a")["result"]["version"], 23);
    client.send(&json!({"type": "call", "op": "nothing", "opId": "x"}));
    assert_eq!(client.next_where(|told| told["opId"] == "x")["code"], "not_found");
    client.send(&json!({"type": "call", "op": "read_key", "args": {"key": 5}, "opId": "y"}));
    assert_eq!(client.next_where(|told| told["opId"] == "y")["code"], "invalid_argument");
}

#[test]
fn who_is_connected_is_told_to_who_asks() {
    let world = World::new();
    let (mut one, _) = world.ours();
    one.send(&json!({"type": "presence", "follow": true, "note": "here"}));
    let told = one.next_of("presence");
    assert_eq!(told["connections"].as_array().unwrap().len(), 1);
    let (_, proof) = key(&world.env, &json!({"permissions": ["read"]}));
    let two = Client::open(&world.server, &format!("{}?v=2&client=other%20one", world.path), &proof);
    let told = one.next_where(|told| told["connections"].as_array().is_some_and(|all| all.len() == 2));
    let [mine, other] = told["connections"].as_array().unwrap().as_slice() else { panic!("{told}") };
    assert_eq!((&mine["connection"], &mine["note"]), (&one.hello["connection"], &json!("here")));
    assert_eq!((&other["connection"], &other["client"]), (&two.hello["connection"], &json!("other one")));
    assert_eq!((&other["kind"], text(&other["principal"]).starts_with("key:")), (&json!("app"), true));
    one.send(&json!({"type": "presence", "note": "x".repeat(129)}));
    assert_eq!(one.next_of("error")["code"], "PARSE_ERROR");
    drop(two);
    one.next_where(|told| told["connections"].as_array().is_some_and(|all| all.len() == 1));
}

#[test]
fn an_agent_sees_and_writes_what_models_may() {
    let world = World::new();
    let (mut app, _) = world.ours();
    let (_, proof) = key(&world.env, &json!({"permissions": ["write"], "kind": "agent"}));
    app.send(&json!({"type": "set", "key": "hidden", "value": "v", "attributes": {"systemTags": []}}));
    app.send(&json!({"type": "set", "key": "seen", "value": "v", "attributes": {"systemTags": ["LLMRead"]}}));
    app.next_where(|told| told["key"] == "seen");
    let (mut agent, state) = Client::synced(&world.server, &format!("{}?v=2", world.path), &proof);
    assert_eq!(state["data"].as_object().unwrap().keys().collect::<Vec<_>>(), ["seen"]);
    agent.send(&json!({"type": "set", "key": "seen", "value": "v", "opId": "same"}));
    agent.next_where(|told| told["opId"] == "same");
    agent.send(&json!({"type": "set", "key": "hidden", "value": "v", "opId": "a"}));
    // Not even that the value is the same is told of what it may not read.
    let refused = agent.next_where(|told| told["opId"] == "a");
    assert_eq!((&refused["code"], &refused["key"]), (&json!("NO_PERMISSION"), &json!("hidden")));
    app.send(&json!({"type": "set", "key": "seen", "value": "v", "attributes": {"systemTags": []}}));
    let told = agent.next_of("key_deleted");
    assert_eq!((&told["key"], &told["hidden"]), (&json!("seen"), &json!(true)));
    app.send(&json!({"type": "delete", "key": "hidden"}));
    app.send(&json!({"type": "set", "key": "after", "value": "v"}));
    assert_eq!(agent.next_where(|told| told.get("key").is_some())["key"], "after");
    agent.send(&json!({"type": "clear", "opId": "c"}));
    assert_eq!(agent.next_of("error")["error"], "System permission required");
}

#[test]
fn an_app_writes_all_keys_and_their_attributes_but_does_not_rearrange() {
    let world = World::new();
    let (_, proof) = key(&world.env, &json!({"permissions": ["write"]}));
    let (mut app, _) = Client::synced(&world.server, &format!("{}?v=2", world.path), &proof);
    app.send(&json!({"type": "set", "key": "k", "value": "v", "attributes": {"systemTags": []}, "opId": "a"}));
    assert_eq!(app.next_of("ack")["changed"], true);
    app.send(
        &json!({"type": "set", "key": "k", "value": "w", "attributes": {"systemTags": ["SystemPrompt", "protected"]},
        "opId": "b"}),
    );
    assert_eq!(app.next_of("ack")["opId"], "b");
    app.send(&json!({"type": "set", "key": "k", "value": "x", "opId": "c"}));
    assert_eq!(app.next_where(|told| told["opId"] == "c" && told["type"] == "ack")["changed"], true);
    for message in [
        json!({"type": "set", "key": "k", "value": "y", "attributes": {"systemTags": []}, "opId": "d"}),
        json!({"type": "delete", "key": "k", "opId": "d"}),
        json!({"type": "call", "op": "rename_key", "args": {"key": "k", "new_key": "l"}, "opId": "d"}),
        json!({"type": "clear", "opId": "d"}),
    ] {
        app.send(&message);
        assert_eq!(app.next_where(|told| told["opId"] == "d")["code"], "NO_PERMISSION", "{message}");
    }
}
