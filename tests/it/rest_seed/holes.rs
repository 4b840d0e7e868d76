//! Each hole of the first MindCache that its REST had, with a test of its name.

use serde_json::{Value, json};

use super::{World, ask, done, refused};
use crate::harness::{Env, http::Server, mcp::text};

#[test]
fn hole_ai_routes_ask_only_whether_somebody_is_known() {
    let world = World::new();
    for path in ["/api/chat", "/api/transform", "/api/generate-image", "/api/analyze-image", "/api/nothing"] {
        let body = json!({"instanceId": world.fill("{i}")});
        assert_eq!(world.refused("", "POST", path, &body), 401, "{path}");
        assert_eq!(world.refused(&world.other, "POST", path, &body), 404, "{path}: there is none yet");
    }
}

#[test]
fn hole_shares_are_made_listed_and_removed_unchecked() {
    let world = World::new();
    let mine = json!({"targetType": "user", "targetEmail": "bob@example.com", "permission": "admin"});
    for (method, path, body) in [
        ("POST", "/api/instances/{i}/shares", mine.clone()),
        ("POST", "/api/projects/{p}/shares", mine),
        ("GET", "/api/instances/{i}/shares", Value::Null),
        ("GET", "/api/projects/{p}/shares", Value::Null),
        ("DELETE", "/api/shares/{s}", Value::Null),
    ] {
        assert_eq!(world.refused(&world.other, method, path, &body), 404, "{method} {path}");
    }
    let shares = world.owner("GET", "/api/instances/{i}/shares", &Value::Null);
    let is_there = shares["shares"].as_array().unwrap().iter().any(|share| share["id"] == world.fill("{s}"));
    assert!(is_there, "{shares}");
    // Who may read does not administer.
    let read = json!({"targetType": "user", "targetEmail": "bob@example.com", "permission": "read"});
    world.owner("POST", "/api/instances/{i}/shares", &read);
    assert_eq!(world.refused(&world.other, "GET", "/api/instances/{i}/shares", &Value::Null), 403);
    assert_eq!(world.refused(&world.other, "DELETE", "/api/shares/{s}", &Value::Null), 403);
}

#[test]
fn hole_a_removed_share_leaves_its_right() {
    let world = World::new();
    let read = json!({"targetType": "user", "targetEmail": "bob@example.com", "permission": "read"});
    let share = text(&world.owner("POST", "/api/instances/{i}/shares", &read)["id"]);
    let look = || ask(&world.server, &world.other, "GET", &world.fill("/v1/i/{i}/stm"), &Value::Null).status;
    assert_eq!(look(), 200);
    world.owner("DELETE", &format!("/api/shares/{share}"), &Value::Null);
    assert_eq!(look(), 404);
}

#[test]
fn hole_deleting_an_instance_wipes_any_store_before_the_owner_is_checked() {
    let world = World::new();
    let map = json!({"k": {"value": "v"}});
    world.owner("PUT", "/v1/i/{i}/stm", &map);
    assert_eq!(world.refused(&world.other, "DELETE", "/api/instances/{i}", &Value::Null), 404);
    assert_eq!(world.owner("GET", "/v1/i/{i}/stm", &Value::Null)["k"]["value"], "v");
    // The parent of a clone is deleted like any other, and the clone stays.
    let clone = json!({"name": "clone", "cloneFrom": world.fill("{i}")});
    let clone = text(&world.owner("POST", "/api/projects/{p}/instances", &clone)["id"]);
    world.owner("DELETE", "/api/instances/{i}", &Value::Null);
    assert_eq!(world.owner("GET", &format!("/v1/i/{clone}/stm"), &Value::Null)["k"]["value"], "v");
}

#[test]
fn hole_a_clone_copies_nothing_and_its_source_is_not_checked() {
    let world = World::new();
    world.owner("PUT", "/v1/i/{i}/stm", &json!({"k": {"value": "v"}}));
    let mine = done(&world.server, &world.other, "POST", "/api/projects", &json!({"name": "mine"}));
    let path = format!("/api/projects/{}/instances", text(&mine["id"]));
    for source in [world.fill("{i}"), "0ad0a8a6-2d6c-4b6e-9f0f-0e6c6b6f4a11".into(), "bogus".into()] {
        let body = json!({"name": "stolen", "cloneFrom": source});
        assert_eq!(world.refused(&world.other, "POST", &path, &body), 404, "{source}");
    }
    let clone = json!({"name": "clone", "cloneFrom": world.fill("{i}")});
    let clone = text(&world.owner("POST", "/api/projects/{p}/instances", &clone)["id"]);
    assert_eq!(world.owner("GET", &format!("/v1/i/{clone}/stm"), &Value::Null)["k"]["value"], "v");
}

#[test]
fn hole_renaming_answers_who_may_not_with_the_row_and_nothing_with_null() {
    let world = World::new();
    let name = json!({"name": "taken"});
    assert_eq!(world.refused(&world.other, "PATCH", "/api/instances/{i}", &name), 404);
    let nothing = "/api/instances/0ad0a8a6-2d6c-4b6e-9f0f-0e6c6b6f4a11";
    assert_eq!(world.refused(&world.owner, "PATCH", nothing, &name), 404);
    assert_eq!(world.owner("GET", "/api/instances/{i}", &Value::Null)["name"], "main");
}

#[test]
fn hole_the_scope_of_a_key_is_ignored() {
    let world = World::new();
    let make = |scope: &str, id: &str, permissions: Value| {
        let body = json!({"name": "k", "scopeType": scope, "scopeId": world.fill(id), "permissions": permissions});
        format!("Bearer {}", text(&world.owner("POST", "/api/keys", &body)["key"]))
    };
    let elsewhere = world.owner("POST", "/api/projects", &json!({"name": "elsewhere"}));
    let (project, instance) = (text(&elsewhere["id"]), text(&elsewhere["defaultInstanceId"]));
    let of_instance = make("instance", "{i}", json!(["read"]));
    let of_project = make("project", "{p}", json!(["read", "write", "admin"]));
    let account = make("account", "", json!(["read"]));
    for proof in [&of_instance, &of_project, &account] {
        let wide = json!({"name": "wide", "scopeType": "account", "permissions": ["read", "write", "admin"]});
        for (path, body) in [
            ("/api/keys", wide),
            ("/api/projects", json!({"name": "new"})),
            ("/api/delegates", json!({"name": "d"})),
            ("/api/groups", json!({"name": "g"})),
        ] {
            assert_eq!(world.refused(proof, "POST", path, &body), 403, "{path}");
        }
        assert_eq!(world.refused(proof, "GET", "/api/keys", &Value::Null), 403);
    }
    for proof in [&of_instance, &of_project] {
        for path in [format!("/api/projects/{project}"), format!("/api/instances/{instance}")] {
            assert_eq!(world.refused(proof, "GET", &path, &Value::Null), 404, "{path}");
        }
        let list = done(&world.server, proof, "GET", "/api/instances", &Value::Null);
        assert_eq!(list["instances"].as_array().unwrap().len(), 1, "{list}");
    }
    // What it may do it may do here too, and no more.
    assert_eq!(ask(&world.server, &of_instance, "GET", &world.fill("/v1/i/{i}/stm"), &Value::Null).status, 200);
    assert_eq!(world.refused(&of_instance, "PUT", "/v1/i/{i}/stm", &json!({})), 403);
    assert_eq!(world.refused(&account, "DELETE", "/api/instances/{i}", &Value::Null), 403);
}

#[test]
fn hole_a_delegate_acts_as_its_user() {
    let world = World::new();
    let secret = world.owner("POST", "/api/delegates/{d}/secrets", &json!({}));
    let proof = format!("ApiKey {}:{}", world.fill("{d}"), text(&secret["delegateSecret"]));
    for (method, path, body) in [
        ("POST", "/api/projects", json!({"name": "new"})),
        ("POST", "/api/keys", json!({"name": "k", "scopeType": "account", "permissions": ["read"]})),
        ("GET", "/api/keys", Value::Null),
        ("GET", "/api/delegates", Value::Null),
        ("POST", "/api/delegates", json!({"name": "e"})),
        ("DELETE", "/api/delegates/{d}", Value::Null),
        ("PATCH", "/api/instances/{i}", json!({"name": "mine"})),
    ] {
        assert_eq!(world.refused(&proof, method, path, &body), 403, "{method} {path}");
    }
    let list = done(&world.server, &proof, "GET", "/api/instances", &Value::Null);
    assert_eq!(list["instances"][0]["role"], "read", "what it was granted, and no more: {list}");
    world.owner("DELETE", "/api/delegates/{d}/grants/{i}", &Value::Null);
    assert_eq!(world.refused(&proof, "GET", "/api/instances/{i}", &Value::Null), 404);
}

#[test]
fn hole_a_grant_is_given_by_who_may_not() {
    let world = World::new();
    let mine = done(&world.server, &world.other, "POST", "/api/delegates", &json!({"name": "mine"}));
    let grants = format!("/api/delegates/{}/grants", text(&mine["delegate_id"]));
    let body = json!({"instanceId": world.fill("{i}"), "permission": "read"});
    assert_eq!(world.refused(&world.other, "POST", &grants, &body), 404);
    let read = json!({"targetType": "user", "targetEmail": "bob@example.com", "permission": "read"});
    world.owner("POST", "/api/instances/{i}/shares", &read);
    assert_eq!(world.refused(&world.other, "POST", &grants, &body), 403);
}

#[test]
fn hole_deleting_nothing_succeeds() {
    let world = World::new();
    let nothing = "0ad0a8a6-2d6c-4b6e-9f0f-0e6c6b6f4a11";
    for path in ["projects", "instances", "shares", "keys", "delegates", "groups"] {
        assert_eq!(
            world.refused(&world.owner, "DELETE", &format!("/api/{path}/{nothing}"), &Value::Null),
            404,
            "{path}"
        );
    }
    for path in ["/api/delegates/{d}/secrets/", "/api/delegates/{d}/grants/", "/api/groups/{g}/members/user:"] {
        assert_eq!(world.refused(&world.owner, "DELETE", &format!("{path}{nothing}"), &Value::Null), 404, "{path}");
    }
}

#[test]
fn hole_a_bad_body_is_a_500_with_a_stack() {
    let world = World::new();
    let headers = [("Authorization", world.owner.as_str()), ("Content-Type", "application/json")];
    for path in ["/api/projects", "/api/keys", "/api/delegates", "/api/groups", "/api/instances/{i}/shares"] {
        for body in ["{", "[]", "\"x\"", "null", "{\"name\": 7}", "{\"name\": \"\"}", "\u{0}"] {
            let response = world.server.send("POST", &world.fill(path), &headers, body);
            assert_eq!(response.status, 400, "{path} {body}: {}", response.text());
            super::check_problem(&response, path);
        }
    }
    let response = world.server.send("PUT", &world.fill("/v1/i/{i}/stm"), &headers, "[1");
    assert_eq!(response.status, 400);
    super::check_problem(&response, "the key map");
}

#[test]
fn hole_who_changed_what_is_not_known() {
    let world = World::new();
    world.owner("PUT", "/v1/i/{i}/stm", &json!({"k": {"value": "v"}}));
    let owner = &world.owner;
    let log =
        crate::access::call(&world.server, &world.fill("/i/{i}/mcp/edit"), owner, "log_read", &json!({"since": 0}));
    let change = log.unwrap()["changes"][0].clone();
    assert_eq!((&change["id"], &change["operation"]), (&json!("k"), &json!("stm_write")), "{change}");
    assert!(text(&change["actor"]["principal"]).starts_with("key:"), "{change}");
    assert_eq!(refused(&world.server, "", "GET", &world.fill("/v1/i/{i}/stm"), &Value::Null), 401);
}

#[test]
fn the_admin_route_asks_for_its_own_token() {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    let id = text(&env.cli(&["instance", "list", "--json"]).json()["instances"][0]["id"]);
    let start = |token: Option<&str>| {
        let mut command = env.command();
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        token.map(|token| command.env("ADMIN_TOKEN", token));
        Server::start(command, env.data())
    };
    let ask = |server: &Server, id: &str, token: &str| {
        let bearer = server.bearer();
        server.get(&format!("/admin/do/{id}"), &[("X-Admin-Token", token), ("Authorization", &bearer)])
    };
    let server = start(Some("letmein"));
    for id in [&id, &id.replace('-', "")] {
        assert_eq!(ask(&server, id, "letmein").json()["keys"]["k"]["value"], "v");
    }
    for token in ["", "letmei", "letmein2", &server.token()] {
        let refused = ask(&server, &id, token);
        assert_eq!(refused.status, 401);
        super::check_problem(&refused, "admin");
    }
    assert_eq!(ask(&server, "0ad0a8a62d6c4b6e9f0f0e6c6b6f4a11", "letmein").status, 404);
    assert_eq!(ask(&server, "bad", "letmein").status, 400);
    // Without a token nobody passes, an empty one included.
    for server in [start(None), start(Some(""))] {
        assert_eq!(ask(&server, &id, "").status, 401);
    }
}
