//! What a review of rights found open: each is tried as whoever would use it.

use serde_json::{Value, json};

use super::{at, call, key, local, user};
use crate::harness::{Env, http::Server, mcp::text};

fn post(server: &Server, path: &str, proof: &str, body: &Value) -> (u16, Value) {
    let response = server.post(path, &[("Authorization", proof)], &body.to_string());
    (response.status, serde_json::from_str(&response.text()).unwrap_or_default())
}

#[test]
fn bug_a_malformed_name_of_an_instance_was_told_to_be_a_matter_of_proof() {
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let server = env.serve(&[]);
    let initialize = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"},
        },
    });
    for proof in [&ann, &server.bearer()] {
        let (status, problem) = post(&server, "/i/_hidden/mcp", proof, &initialize);
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_argument")), "{problem}");
    }
    assert_eq!(post(&server, "/i/_hidden/mcp", "Bearer mc_live_x", &initialize).0, 401);
}

#[test]
fn bug_trouble_of_the_disk_was_told_to_be_a_matter_of_proof() {
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let server = env.serve(&[]);
    assert!(call(&server, "/mcp", &ann, "list_keys", &json!({})).is_ok());
    // What cannot be read any more is not forgotten.
    drop(server);
    let database = env.data().join("catalog/instance.db");
    let (kept, server) = (std::fs::read(&database).unwrap(), env.serve(&[]));
    std::fs::write(&database, vec![0x5a; kept.len()]).unwrap();
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});
    let (status, problem) = post(&server, "/mcp", &ann, &list);
    assert_eq!((status, &problem["code"]), (503, &json!("unavailable")), "{problem}");
}

#[test]
fn bug_a_download_went_on_after_its_key_was_revoked() {
    const BYTES: usize = 25 * 1024 * 1024;
    let env = Env::new();
    let file = env.file("large", &vec![b'x'; BYTES]);
    env.cli(&["set", "large", "--file", &file]).ok();
    let server = env.serve(&[]);
    let (id, proof) = key(&env, &json!({"permissions": ["read"]}));
    let begin = |path: &str| {
        let mut connection = server.connect();
        let headers = [("Authorization", proof.as_str()), ("Connection", "close")];
        connection.send("GET", path, &headers, b"");
        connection
    };
    let mut download = begin("/v1/i/default/keys/large");
    let head = download.head();
    assert_eq!((head.status, head.header("content-length")), (200, Some(BYTES.to_string().as_str())));
    // What waits is told of the revocation by what the download goes by, too.
    let mut waiting = begin("/v1/i/default/changes");
    assert_eq!(waiting.head().status, 200);
    local(&env, "api_key_revoke", &json!({ "id": id }));
    waiting.rest_of_it();
    let got = download.rest_of_it();
    assert!(got < BYTES, "all of it came");
}

#[test]
fn bug_who_had_one_instance_learned_by_renaming_what_others_are_called() {
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let hers = local(&env, "instance_create", &json!({"name": "hers"}))["id"].clone();
    local(&env, "instance_create", &json!({"name": "secret plan"}));
    local(&env, "share_create", &json!({"instance": hers, "with": "ann@example.com", "permission": "admin"}));
    let server = env.serve(&[]);
    let rename = |proof: &str, name: &str| {
        call(&server, &at(&hers), proof, "instance_rename", &json!({"instance": hers, "name": name}))
    };
    for name in ["secret plan", "nobody has this name"] {
        assert_eq!(rename(&ann, name), Err("permission_denied".into()), "{name}");
    }
    assert!(rename(&ann, "hers").is_ok(), "what changes nothing tells nothing");
    assert_eq!(rename(&server.bearer(), "secret plan"), Err("already_exists".into()));
    assert!(rename(&server.bearer(), "another").is_ok());
}

#[test]
fn bug_a_project_was_made_in_two_steps_of_which_the_second_could_be_missing() {
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let server = env.serve(&[]);
    let (status, made) = post(&server, "/api/projects", &ann, &json!({"name": "p", "description": "d"}));
    assert_eq!(status, 201, "{made}");
    let rows = local(&env, "access_log", &json!({"limit": 2}))["changes"].clone();
    let kinds: Vec<_> = rows.as_array().unwrap().iter().map(|row| (text(&row["kind"]), text(&row["at"]))).collect();
    let at = kinds[0].1.clone();
    assert_eq!(kinds, [("instance".into(), at.clone()), ("project".into(), at)], "one turn has made both");
    assert_eq!(rows[0]["operation"], "project_create");
    // One that is refused leaves neither.
    assert_eq!(post(&server, "/api/projects", &ann, &json!({"name": "p"})).0, 409);
    let count = |name: &str, list: &str| local(&env, name, &json!({}))[list].as_array().unwrap().len();
    assert_eq!(
        (count("instance_list", "instances"), std::fs::read_dir(env.data().join("instances")).unwrap().count()),
        (1, 1)
    );
}

#[test]
fn bug_the_owner_of_a_removed_project_could_not_bring_its_instances_back() {
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let (_, bob) = user(&env, "bob@example.com");
    let server = env.serve(&[]);
    let ask = |proof: &str, name: &str, args: Value| call(&server, "/mcp/edit", proof, name, &args);
    let project = ask(&ann, "project_create", json!({"name": "p"})).unwrap()["id"].clone();
    let instance = ask(&ann, "instance_create", json!({"name": "i", "project": project})).unwrap()["id"].clone();
    call(&server, &at(&instance), &ann, "write_key", &json!({"key": "k", "value": "kept"})).unwrap();
    let given = json!({"project": project, "with": "bob@example.com", "permission": "admin"});
    ask(&ann, "share_create", given).unwrap();
    assert_eq!(ask(&bob, "instance_read", json!({"instance": instance})).unwrap()["name"], "i");
    ask(&ann, "project_delete", json!({"project": project, "with_instances": true})).unwrap();
    let listed = ask(&ann, "instance_list", json!({"deleted": true})).unwrap();
    let listed = listed["instances"].as_array().unwrap();
    assert!(listed.iter().any(|each| each["id"] == instance && each["role"] == "owner"), "{listed:?}");
    // Whoever had it through the project has it no more.
    assert_eq!(ask(&bob, "instance_undelete", json!({"instance": instance})), Err("not_found".into()));
    ask(&ann, "instance_undelete", json!({"instance": instance})).unwrap();
    let read = call(&server, &at(&instance), &ann, "read_key", &json!({"key": "k"})).unwrap();
    assert_eq!(read["value"], "kept");
    let own = ask(&ann, "instance_read", json!({"instance": "i"})).unwrap();
    assert_eq!((&own["id"], &own["role"]), (&instance, &json!("owner")), "it is where her names are looked up");
    assert_eq!(ask(&bob, "instance_read", json!({"instance": instance})), Err("not_found".into()));
}
