//! Projects, and all that is somebody's, taken along over HTTP and imported elsewhere.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    access::user,
    harness::{Env, http::Server, mcp::text},
};

fn ask(server: &Server, proof: &str, method: &str, path: &str, body: &Value) -> Value {
    let headers = [("Authorization", proof), ("Content-Type", "application/json")];
    let answer = server.send(method, path, &headers, &if body.is_null() { String::new() } else { body.to_string() });
    assert!([200, 201].contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text());
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

fn get(server: &Server, proof: &str, path: &str) -> (u16, Vec<u8>) {
    let answer = server.get(path, &[("Authorization", proof), ("Accept-Encoding", "gzip")]);
    assert_eq!(answer.header("content-encoding"), None);
    (answer.status, answer.body)
}

/// The text of an entry of a tar.
fn entry(archive: &[u8], name: &str) -> String {
    let mut tar = tar::Archive::new(archive);
    let mut found =
        tar.entries().unwrap().map(Result::unwrap).find(|entry| entry.path_bytes() == name.as_bytes()).unwrap();
    std::io::read_to_string(&mut found).unwrap()
}

/// What a store has after an import into an empty one: the values by instance and key.
fn imported(archive: &[u8]) -> BTreeMap<String, BTreeMap<String, String>> {
    let env = Env::new();
    let file = env.file("export.mindcache", archive);
    env.cli(&["import", &file]).ok();
    let listed = env.cli(&["--json", "call", "instance_list", "{}"]).json();
    let instances = listed["instances"].as_array().unwrap().iter().map(|instance| text(&instance["name"]));
    let keys = |name: &str| {
        let names = env.cli(&["-i", name, "ls"]).ok();
        names.lines().map(|key| (key.to_owned(), env.cli(&["-i", name, "get", key]).ok())).collect()
    };
    instances
        .map(|name| {
            let keys = keys(&name);
            (name, keys)
        })
        .collect()
}

struct World {
    server: Server,
    owner: String,
    other: String,
    project: String,
    instance: String,
    secrets: Vec<String>,
    _env: Env,
}

/// Two users; the first has two projects, with an instance `main` each, a snapshot of one, and keys, delegates and shares.
fn world() -> World {
    let env = Env::new();
    let (_, owner) = user(&env, "ann@example.com");
    let (_, other) = user(&env, "bob@example.com");
    let server = env.serve(&[]);
    let make = |path: &str, body: Value| ask(&server, &owner, "POST", path, &body);
    let first = make("/api/projects", json!({"name": "first"}));
    let (project, instance) = (text(&first["id"]), text(&first["defaultInstanceId"]));
    let second = make("/api/projects", json!({"name": "second"}));
    let large = "large ".repeat(20_000);
    for (id, key, value) in [
        (instance.as_str(), "notes", "of the first"),
        (&instance, "large", &large),
        (second["defaultInstanceId"].as_str().unwrap(), "notes", "of the second"),
    ] {
        let keys = json!({key: {"value": value, "attributes": {"systemTags": ["LLMWrite"]}}});
        let args = json!({"key": key, "value": keys[key]["value"]});
        make(&format!("/v1/i/{id}/ops/write_key"), args);
    }
    make(&format!("/v1/i/{instance}/ops/set_key_attributes"), json!({"key": "notes", "system_tags": []}));
    make(&format!("/v1/i/{instance}/ops/instance_snapshot"), json!({"instance": instance, "note": "before"}));
    let key = make("/api/keys", json!({"name": "k", "scopeType": "account", "permissions": ["read"]}));
    let delegate = text(&make("/api/delegates", json!({"name": "agent"}))["delegate_id"]);
    let secret = make(&format!("/api/delegates/{delegate}/secrets"), json!({}));
    make("/api/groups", json!({"name": "team"}));
    let to = json!({"targetType": "user", "targetEmail": "bob@example.com", "permission": "write"});
    make(&format!("/api/projects/{project}/shares"), to);
    let secrets =
        vec![text(&key["key"]), text(&secret["delegateSecret"]), owner.trim_start_matches("Bearer ").to_owned()];
    World { server, owner, other, project, instance, secrets, _env: env }
}

#[test]
fn a_project_comes_back_through_import() {
    let world = world();
    let (status, archive) = get(&world.server, &world.owner, "/v1/projects/first/export");
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&archive));
    let found = imported(&archive);
    assert_eq!(found["main"]["notes"], "of the first", "hidden keys are the owner's too");
    assert_eq!(found["main"]["large"], "large ".repeat(20_000));
    assert_eq!(found.len(), 2, "{:?}", found.keys());
    assert!(found.values().all(|keys| keys.len() == 2));
    let about: Value = serde_json::from_str(&entry(&archive, "about.json")).unwrap();
    assert_eq!(
        (&about["projects"][0]["name"], &about["shares"][0]["email"]),
        (&json!("first"), &json!("bob@example.com"))
    );
    assert!(about.get("api_keys").is_none());
    // By its id it is the same.
    assert_eq!(get(&world.server, &world.owner, &format!("/v1/projects/{}/export", world.project)).0, 200);
}

#[test]
fn all_that_is_mine_comes_back_and_tells_no_secret() {
    let world = world();
    let (status, archive) = get(&world.server, &world.owner, "/v1/export");
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&archive));
    let found = imported(&archive);
    let notes: Vec<_> = found.values().filter_map(|keys| keys.get("notes")).map(String::as_str).collect();
    assert!(notes.contains(&"of the first") && notes.contains(&"of the second"), "{found:?}");
    let about: Value = serde_json::from_str(&entry(&archive, "about.json")).unwrap();
    for list in ["projects", "instances", "shares", "api_keys", "delegates", "groups"] {
        assert!(about[list].as_array().is_some_and(|list| !list.is_empty()), "{list}: {about}");
    }
    assert!(about["delegates"][0]["secrets"][0]["id"].is_string());
    let told = String::from_utf8_lossy(&archive);
    for secret in &world.secrets {
        assert!(!told.contains(secret.as_str()));
    }
    // Another's is another's.
    let (status, archive) = get(&world.server, &world.other, "/v1/export");
    assert_eq!(status, 200);
    let told = String::from_utf8_lossy(&archive);
    assert!(!told.contains("of the first") && !told.contains("of the second") && !told.contains("ann@example.com"));
}

#[test]
fn only_who_administers_a_project_takes_it_along() {
    let world = world();
    let path = format!("/v1/projects/{}/export", world.project);
    assert_eq!(get(&world.server, &world.other, &path).0, 403, "a share to write is not enough");
    assert_eq!(get(&world.server, "Bearer nothing", &path).0, 401);
    assert_eq!(get(&world.server, &world.owner, "/v1/projects/nowhere/export").0, 404);
    let key = |scope: &str, id: &str, permission: &str| {
        let body = json!({"name": "n", "scopeType": scope, "scopeId": id, "permissions": [permission]});
        format!("Bearer {}", text(&ask(&world.server, &world.owner, "POST", "/api/keys", &body)["key"]))
    };
    let of_project = key("project", &world.project, "admin");
    for (proof, on_project, on_own) in [
        (key("account", "", "read"), 403, 403),
        (key("instance", &world.instance, "admin"), 403, 403),
        (of_project.clone(), 200, 403),
        (key("account", "", "admin"), 200, 200),
    ] {
        assert_eq!(get(&world.server, &proof, &path).0, on_project);
        assert_eq!(get(&world.server, &proof, "/v1/export").0, on_own);
    }
    let admin = json!({"targetType": "user", "targetEmail": "bob@example.com", "permission": "admin"});
    ask(&world.server, &world.owner, "POST", &format!("/api/projects/{}/shares", world.project), &admin);
    assert_eq!(get(&world.server, &world.other, &path).0, 200);
}
