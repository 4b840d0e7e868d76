//! The habits of the first SDK (2.3): it sends its whole state at each change and at each connection, before it has read
//! what the server has, and it deletes nothing.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{World, client::Client};

/// The SDK's store with its connection.
struct Sdk {
    client: Client,
    keys: BTreeMap<String, (Value, Value)>,
    /// Messages that it was told.
    told: usize,
}

impl Sdk {
    /// Connects with what it has kept since last time: that is sent before the server's `sync` is looked at.
    fn connect(world: &World, keys: BTreeMap<String, (Value, Value)>) -> Self {
        let client = Client::open(&world.server, &world.path, &world.proof);
        let mut sdk = Self { client, keys, told: 0 };
        // Offline changes left a copy of the whole state each.
        sdk.push();
        sdk.push();
        let state = loop {
            let told = sdk.client.next();
            if told["type"] == "sync" {
                break told;
            }
            sdk.take(&told);
        };
        for (name, entry) in state["data"].as_object().unwrap() {
            sdk.keys.insert(name.clone(), (entry["value"].clone(), entry["attributes"].clone()));
        }
        // `connected` and `synced` are changes too.
        sdk.push();
        sdk.push();
        sdk
    }

    fn push(&mut self) {
        for (name, (value, attributes)) in &self.keys {
            if attributes["hardcoded"] != true {
                self.client.set_with(name, value.clone(), attributes);
            }
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        let fresh = json!({"type": "text", "contentTags": [], "systemTags": ["prompt"], "zIndex": 0, "readonly": false,
            "visible": true, "hardcoded": false, "template": false, "tags": []});
        let attributes = self.keys.get(name).map_or(fresh, |(_, attributes)| attributes.clone());
        self.keys.insert(name.to_owned(), (value.into(), attributes));
        self.push();
    }

    /// Takes in one message; each that changes something has the whole state sent again.
    fn take(&mut self, message: &Value) {
        let name = message["key"].as_str().unwrap_or_default().to_owned();
        match message["type"].as_str().unwrap() {
            "key_updated" => drop(self.keys.insert(name, (message["value"].clone(), message["attributes"].clone()))),
            "key_deleted" => drop(self.keys.remove(&name)),
            "cleared" => self.keys.clear(),
            other => panic!("{other}: {message}"),
        }
        self.told += 1;
        self.push();
    }

    /// Takes in what comes until nothing comes any more: two rounds in which it is told nothing.
    fn settle(&mut self) {
        let mut quiet = 0;
        while quiet < 2 {
            quiet += 1;
            self.client.send(&json!({"type": "ping"}));
            loop {
                let message = self.client.next();
                if message["type"] == "pong" {
                    break;
                }
                quiet = 0;
                self.take(&message);
            }
        }
    }
}

fn stored(world: &World) -> BTreeMap<String, String> {
    let listed = world.call("list_keys", &json!({"limit": 1000}));
    let keys = listed["keys"].as_array().unwrap().iter();
    keys.map(|key| (key["key"].as_str().unwrap().to_owned(), key["value"].as_str().unwrap_or("…").to_owned())).collect()
}

fn head(world: &World) -> u64 {
    world.call("log_read", &json!({"since": 0, "limit": 1000}))["as_of_seq"].as_u64().unwrap()
}

#[test]
fn hole_each_client_that_connects_writes_all_keys_anew() {
    let world = World::new();
    let mut first = Sdk::connect(&world, BTreeMap::new());
    for number in 0..20 {
        first.set(&format!("k{number}"), &format!("v{number}"));
    }
    first.settle();
    assert_eq!(first.keys.len(), 20);
    let before = head(&world);
    assert_eq!(before, 20, "what is as it was is no change");
    let mut second = Sdk::connect(&world, first.keys.clone());
    second.settle();
    first.settle();
    assert_eq!((head(&world), second.told), (before, 0));
    second.set("k3", "new");
    second.settle();
    first.settle();
    assert_eq!((first.keys["k3"].0.as_str(), head(&world)), (Some("new"), before + 1));
    assert_eq!(first.keys, second.keys);
}

#[test]
fn ten_clients_with_five_hundred_keys_each_that_connect_at_once_make_no_storm() {
    let world = World::new();
    let keys: serde_json::Map<String, Value> =
        (0..500).map(|number| (format!("k{number}"), json!({"value": format!("v{number}")}))).collect();
    let put = world.server.send(
        "PUT",
        &format!("/v1/i/{}/stm", world.instance),
        &[("Authorization", &world.proof), ("Content-Type", "application/json")],
        &Value::Object(keys).to_string(),
    );
    assert_eq!(put.status, 200);
    let (_, state) = world.old();
    let kept: BTreeMap<String, (Value, Value)> = state["data"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, entry)| (name.clone(), (entry["value"].clone(), entry["attributes"].clone())))
        .collect();
    let told: Vec<usize> = std::thread::scope(|scope| {
        let joined = |_| {
            scope.spawn(|| {
                let mut sdk = Sdk::connect(&world, kept.clone());
                sdk.settle();
                sdk.told
            })
        };
        let clients: Vec<_> = (0..10).map(joined).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert_eq!((told, head(&world)), (vec![0; 10], 500));
}

#[test]
fn hole_a_client_that_connects_brings_back_what_was_deleted() {
    let world = World::new();
    let mut first = Sdk::connect(&world, BTreeMap::new());
    first.set("stays", "v");
    first.set("goes", "v");
    first.settle();
    let offline = first.keys.clone();
    drop(first);
    world.call("delete_key", &json!({"key": "goes"}));
    let mut back = Sdk::connect(&world, offline.clone());
    back.settle();
    assert_eq!(stored(&world).into_keys().collect::<Vec<_>>(), ["stays"]);
    assert_eq!(back.keys.keys().collect::<Vec<_>>(), ["stays"]);
    // What it has changed meanwhile is a change.
    drop(back);
    let mut changed = offline;
    changed.get_mut("goes").unwrap().0 = json!("new");
    let mut back = Sdk::connect(&world, changed);
    back.settle();
    assert_eq!(stored(&world)["goes"], "new");
}

#[test]
fn hole_what_was_deleted_while_a_client_sends_does_not_come_back() {
    let world = World::new();
    let mut sdk = Sdk::connect(&world, BTreeMap::new());
    for number in 0..10 {
        sdk.set(&format!("k{number}"), "v");
    }
    sdk.settle();
    // It does not read while others delete, and sends what it has again and again.
    for number in 0..5 {
        world.call("delete_key", &json!({"key": format!("k{number}")}));
        sdk.push();
    }
    sdk.settle();
    assert_eq!(stored(&world).len(), 5);
    assert_eq!(sdk.keys.len(), 5);
    // Who knows that it is gone and wants it makes it.
    sdk.set("k0", "v");
    sdk.settle();
    assert_eq!(stored(&world).get("k0").map(String::as_str), Some("v"));
}

#[test]
fn a_clear_reaches_a_client_and_is_not_undone_by_it() {
    let world = World::new();
    let mut sdk = Sdk::connect(&world, BTreeMap::new());
    sdk.set("a", "v");
    sdk.set("b", "v");
    sdk.settle();
    world.call("clear_keys", &json!({}));
    sdk.push();
    sdk.settle();
    assert_eq!((stored(&world).len(), sdk.keys.len()), (0, 0));
}

#[test]
fn clients_with_numbers_that_javascript_has_not_leave_them_as_they_are() {
    let world = World::new();
    let exact = "{\"big\":9007199254740993,\"one\":1.0}";
    world.call("write_key", &json!({"key": "n", "value": exact, "type": "json"}));
    let (mut client, state) = world.old();
    let attributes = state["data"]["n"]["attributes"].clone();
    let text = format!(
        "{{\"type\":\"set\",\"key\":\"n\",\"value\":{{\"big\":9007199254740992,\"one\":1}},\"attributes\":{attributes}}}"
    );
    client.say(&text);
    assert!(client.until_pong().is_empty());
    client.set("after", "v");
    assert_eq!(client.next()["key"], "after");
    assert_eq!(world.call("read_key", &json!({"key": "n"}))["value"], exact);
}
