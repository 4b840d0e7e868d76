//! The whole key map: read in one state, written at once.

use serde_json::{Value, json};

use super::{World, done, shape};
use crate::harness::{connection::Response, mcp::text};

const PATH: &str = "/v1/i/{i}/stm";

fn send(world: &World, proof: &str, method: &str, headers: &[(&str, &str)], body: &Value) -> Response {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let headers = [&[("Authorization", proof)], headers].concat();
    world.server.send(method, &world.fill(PATH), &headers, &body)
}

fn put(world: &World, headers: &[(&str, &str)], body: &Value) -> Response {
    send(world, &world.owner, "PUT", headers, body)
}

#[test]
fn what_is_read_is_written_again_unchanged() {
    let world = World::new();
    let first = json!({
        "notes": {"value": "text"},
        "plan": {"value": {"n": [1, 2]}},
        "exact": {"value": "{\"n\": 1.00000000000000000001}", "attributes": {"type": "json"}},
        "dot": {"value": "data:image/png;base64,QUJD", "attributes": {"type": "image", "contentType": "image/png"}},
        "rules": {"value": "be kind", "attributes": {"systemTags": ["SystemPrompt", "protected"], "zIndex": 3,
            "contentTags": ["a", "b"]}},
    });
    let made = put(&world, &[], &first);
    assert_eq!((made.status, made.json()["created"].clone()), (200, json!(5)), "{}", made.text());
    let got = send(&world, &world.owner, "GET", &[], &Value::Null);
    assert_eq!(got.header("etag"), made.header("etag"));
    let map = got.json();
    assert_eq!(map["plan"]["value"], "{\"n\":[1,2]}");
    assert_eq!((&map["plan"]["attributes"]["type"], &map["dot"]["value"]), (&json!("json"), &json!("QUJD")));
    assert_eq!(map["rules"]["attributes"]["systemTags"], json!(["SystemPrompt", "protected"]));
    assert_eq!(
        shape(&map["dot"]),
        json!({"value": "string", "updatedAt": "number", "attributes": {"type": "string", "contentType": "string",
            "contentTags": [], "tags": [], "systemTags": ["string"], "zIndex": "number", "readonly": "bool",
            "visible": "bool", "hardcoded": "bool", "template": "bool"}})
    );
    let tag = got.header("etag").unwrap().to_owned();
    let again = put(&world, &[("If-Match", &tag)], &map);
    assert_eq!((again.status, again.json()["unchanged"].clone()), (200, json!(5)), "{}", again.text());
    assert_eq!(again.header("etag"), Some(tag.as_str()), "nothing was written");
    assert_eq!(send(&world, &world.owner, "GET", &[("If-None-Match", &tag)], &Value::Null).status, 304);
}

#[test]
fn numbers_keep_their_digits() {
    let world = World::new();
    let headers = [("Authorization", world.owner.as_str())];
    let body = r#"{"n": {"value": 1.00000000000000000001}}"#;
    assert_eq!(world.server.send("PUT", &world.fill(PATH), &headers, body).status, 200);
    assert_eq!(world.owner("GET", PATH, &Value::Null)["n"]["value"], "1.00000000000000000001");
}

#[test]
fn a_map_replaces_what_was_there_but_protected_keys() {
    let world = World::new();
    let first = json!({"a": {"value": "1"}, "b": {"value": "2"}, "rules": {"value": "x", "attributes":
        {"systemTags": ["protected"]}}});
    assert_eq!(put(&world, &[], &first).status, 200);
    let done = put(&world, &[], &json!({"b": {"value": "3"}, "c": {"value": "4"}})).json();
    let counts = ["created", "updated", "deleted", "unchanged", "kept"].map(|name| done[name].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 1, 0, 1], "{done}");
    let map = world.owner("GET", PATH, &Value::Null);
    assert_eq!(map.as_object().unwrap().keys().collect::<Vec<_>>(), ["b", "c", "rules"]);
}

#[test]
fn two_writers_of_a_map_do_not_overwrite_one_another() {
    let world = World::new();
    let first = put(&world, &[("If-None-Match", "*")], &json!({"a": {"value": "1"}}));
    assert_eq!(first.status, 200, "{}", first.text());
    assert_eq!(put(&world, &[("If-None-Match", "*")], &json!({})).status, 412);
    let tag = first.header("etag").unwrap().to_owned();
    assert_eq!(put(&world, &[("If-Match", &tag)], &json!({"a": {"value": "2"}})).status, 200);
    let stale = put(&world, &[("If-Match", &tag)], &json!({"a": {"value": "3"}}));
    assert_eq!((stale.status, stale.json()["code"].clone()), (412, json!("version_mismatch")));
    assert_eq!(put(&world, &[("If-Match", "old")], &json!({})).status, 400);
    assert_eq!(world.owner("GET", PATH, &Value::Null)["a"]["value"], "2");
}

#[test]
fn booleans_of_old_clients_become_system_tags() {
    let world = World::new();
    let tags = |attributes: Value| {
        let response = put(&world, &[], &json!({"k": {"value": "v", "attributes": attributes}}));
        assert_eq!(response.status, 200, "{}", response.text());
        world.owner("GET", PATH, &Value::Null)["k"]["attributes"]["systemTags"].clone()
    };
    assert_eq!(tags(json!({})), json!(["LLMRead", "LLMWrite"]));
    assert_eq!(tags(json!({"visible": true, "readonly": true})), json!(["SystemPrompt", "LLMRead"]));
    assert_eq!(tags(json!({"visible": false, "readonly": false})), json!(["LLMRead", "LLMWrite"]));
    assert_eq!(tags(json!({"template": true})), json!(["LLMRead", "LLMWrite", "ApplyTemplate"]));
    assert_eq!(tags(json!({"systemTags": ["prompt", "LLMWrite"]})), json!(["SystemPrompt", "LLMWrite"]));
    assert_eq!(tags(json!({"hardcoded": true})), json!(["SystemPrompt", "protected"]));
    assert_eq!(tags(json!({"hardcoded": false})), json!(["SystemPrompt", "protected"]), "an old client cannot undo it");
}

#[test]
fn a_map_is_written_whole_or_not_at_all() {
    let world = World::new();
    assert_eq!(put(&world, &[], &json!({"a": {"value": "1"}})).status, 200);
    for bad in [
        json!({"b": {"value": "2"}, "z": {"value": "{", "attributes": {"type": "json"}}}),
        json!({"b": {"value": "2"}, "z": {"value": "x", "attributes": {"type": "nothing"}}}),
        json!({"b": {"value": "2"}, "z": {"value": "x", "attributes": {"type": "image"}}}),
        json!({"b": {"value": "2"}, "$date": {"value": "x"}}),
        json!({"b": {"value": "2"}, "z": "x"}),
        json!([1]),
    ] {
        let response = put(&world, &[], &bad);
        assert_eq!(response.status, 400, "{bad}: {}", response.text());
        super::check_problem(&response, "the map");
    }
    let map = world.owner("GET", PATH, &Value::Null);
    assert_eq!(map.as_object().unwrap().keys().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn a_map_shows_and_changes_what_the_caller_may() {
    let world = World::new();
    let first = json!({
        "hidden": {"value": "1", "attributes": {"systemTags": []}},
        "fixed": {"value": "2", "attributes": {"systemTags": ["LLMRead"]}},
        "open": {"value": "3"},
    });
    assert_eq!(put(&world, &[], &first).status, 200);
    let agent = json!({"name": "agent", "keyPermissions": {"can_read": true, "can_write": true, "can_system": false}});
    let agent = text(&world.owner("POST", "/api/delegates", &agent)["delegate_id"]);
    let secret = world.owner("POST", &format!("/api/delegates/{agent}/secrets"), &json!({}));
    let proof = format!("ApiKey {agent}:{}", text(&secret["delegateSecret"]));
    let give = |permission: &str| {
        let grant = json!({"instanceId": world.fill("{i}"), "permission": permission});
        world.owner("POST", &format!("/api/delegates/{agent}/grants"), &grant);
        let to = json!({"targetType": "user", "targetEmail": "bob@example.com", "permission": permission});
        world.owner("POST", "/api/instances/{i}/shares", &to);
    };
    give("write");
    let map = done(&world.server, &proof, "GET", &world.fill(PATH), &Value::Null);
    assert_eq!(map.as_object().unwrap().keys().collect::<Vec<_>>(), ["fixed", "open"]);
    let as_other = |body: &Value| send(&world, &proof, "PUT", &[], body).status;
    assert_eq!(as_other(&json!({"open": {"value": "4"}})), 403, "it would delete what it may not write");
    assert_eq!(as_other(&json!({"fixed": {"value": "5"}, "open": {"value": "4"}})), 403);
    assert_eq!(as_other(&json!({"fixed": {"value": "2"}, "open": {"value": "4"}})), 200);
    let tagged = json!({"fixed": {"value": "2"}, "open": {"value": "4", "attributes": {"zIndex": 9}}});
    assert_eq!(as_other(&tagged), 403, "attributes are not for agents");
    // Who is no agent has all keys.
    let of_app = done(&world.server, &world.other, "GET", &world.fill(PATH), &Value::Null);
    assert_eq!(of_app.as_object().unwrap().keys().collect::<Vec<_>>(), ["fixed", "hidden", "open"]);
    let mut tagged = of_app;
    tagged["open"]["attributes"]["zIndex"] = json!(9);
    assert_eq!(send(&world, &world.other, "PUT", &[], &tagged).status, 200);
    give("read");
    assert_eq!(as_other(&map), 403);
    let all = world.owner("GET", PATH, &Value::Null);
    assert_eq!((&all["hidden"]["value"], &all["open"]["value"]), (&json!("1"), &json!("4")));
}

/// An agent that may write, by a key of its own.
fn agent(world: &World) -> String {
    let args = json!({"name": "agent", "kind": "agent", "permissions": ["read", "write"]});
    let made = world.owner("POST", "/v1/i/{i}/ops/api_key_create", &args);
    format!("Bearer {}", made["secret"].as_str().unwrap())
}

#[test]
fn bug_a_map_made_templates_that_showed_hidden_keys() {
    let world = World::new();
    let hidden = json!({"secret": {"value": "s3cret", "attributes": {"systemTags": []}}});
    assert_eq!(put(&world, &[], &hidden).status, 200);
    let agent = agent(&world);
    let made = |attributes: Value| {
        let map = json!({"mine": {"value": "{{secret}}", "attributes": attributes}});
        send(&world, &agent, "PUT", &[], &map).status
    };
    assert_eq!(made(json!({"systemTags": ["LLMRead", "ApplyTemplate"]})), 403);
    assert_eq!(made(json!({"readonly": true, "template": true})), 403);
    assert_eq!(made(json!({"systemTags": ["LLMRead", "LLMWrite", "protected"]})), 403);
    assert_eq!(made(json!({"zIndex": 4})), 403);
    assert_eq!(made(json!({})), 200, "a plain key is made");
}

#[test]
fn bug_a_map_told_who_guessed_the_value_of_a_hidden_key() {
    let world = World::new();
    let hidden = json!({"secret": {"value": "s3cret", "attributes": {"systemTags": []}}});
    assert_eq!(put(&world, &[], &hidden).status, 200);
    let agent = agent(&world);
    let answers = ["s3cret", "wrong"].map(|guess| {
        let response = send(&world, &agent, "PUT", &[], &json!({"secret": {"value": guess}}));
        (response.status, response.json()["detail"].clone())
    });
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, 403);
}

#[test]
fn large_values_go_in_and_out() {
    let world = World::new();
    let large = "x".repeat(300_000);
    assert_eq!(put(&world, &[], &json!({"l": {"value": large}, "s": {"value": "y"}})).status, 200);
    let map = world.owner("GET", PATH, &Value::Null);
    assert!(map["l"]["value"] == large.as_str());
    let same = put(&world, &[], &map).json();
    assert_eq!(same["unchanged"], 2, "{same}");
    // Over the limit of a value.
    let response = put(&world, &[], &json!({"l": {"value": "x".repeat(26 * 1024 * 1024)}}));
    assert_eq!(response.status, 413);
}
