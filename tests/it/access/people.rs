//! Users, projects, groups and shares: who sees what.

use serde_json::{Value, json};

use super::{at, call, local, user};
use crate::harness::{Env, mcp::text};

#[test]
fn two_users_have_nothing_in_common_until_they_share() {
    let env = Env::new();
    env.cli(&["set", "k", "local"]).ok();
    let (_, ann) = user(&env, "ann@example.com");
    let (_, bob) = user(&env, "bob@example.com");
    let server = env.serve(&[]);
    let write =
        |proof: &str, value: &str| call(&server, "/mcp", proof, "write_key", &json!({"key": "k", "value": value}));
    let read = |path: &str, proof: &str| call(&server, path, proof, "read_key", &json!({"key": "k"}));
    write(&ann, "ann's").unwrap();
    write(&bob, "bob's").unwrap();
    assert_eq!(read("/mcp", &ann).unwrap()["value"], "ann's");
    assert_eq!(read("/mcp", &bob).unwrap()["value"], "bob's");
    assert_eq!(env.cli(&["get", "k"]).ok(), "local");
    let listed = call(&server, "/mcp/edit", &ann, "instance_list", &json!({})).unwrap();
    let of_ann = listed["instances"][0]["id"].clone();
    assert_eq!(listed["instances"].as_array().unwrap().len(), 1, "{listed}");
    // What is there and hidden answers like what is not there.
    let unknown = json!("0ad0a8a6-2d6c-4b6e-9f0f-0e6c6b6f4a11");
    for id in [&of_ann, &unknown] {
        assert_eq!(read(&at(id), &bob), Err("not_found".into()));
        for operation in ["instance_delete", "instance_snapshot"] {
            assert_eq!(call(&server, "/mcp/edit", &bob, operation, &json!({"instance": id})), Err("not_found".into()));
        }
    }
    let give = json!({"instance": "default", "with": "bob@example.com", "permission": "read"});
    let share = call(&server, "/mcp/edit", &ann, "share_create", &give).unwrap();
    assert_eq!(read(&at(&of_ann), &bob).unwrap()["value"], "ann's");
    let refused = call(&server, &at(&of_ann), &bob, "write_key", &json!({"key": "k", "value": "x"}));
    assert_eq!(refused, Err("permission_denied".into()));
    assert_eq!(read("/mcp", &bob).unwrap()["value"], "bob's", "the name is still their own");
    // Only who administers it sees and takes back what was given.
    assert_eq!(
        call(&server, "/mcp/edit", &bob, "share_list", &json!({"instance": of_ann})),
        Err("permission_denied".into())
    );
    assert!(call(&server, "/mcp/edit", &ann, "share_remove", &json!({"id": share["id"]})).is_ok());
    assert_eq!(read(&at(&of_ann), &bob), Err("not_found".into()));
}

#[test]
fn the_highest_permission_wins_and_groups_and_addresses_count() {
    let env = Env::new();
    let (carol, proof) = user(&env, "carol@example.com");
    let server = env.serve(&[]);
    let project = local(&env, "project_create", &json!({"name": "p"}))["id"].clone();
    let instance = local(&env, "instance_create", &json!({"name": "i", "project": "p"}))["id"].clone();
    let can = || {
        let tries = [
            ("read_key", json!({"key": "k"})),
            ("write_key", json!({"key": "k", "value": "v"})),
            ("purge_key", json!({"key": "k"})),
        ];
        tries.iter().filter(|(name, args)| call(&server, &at(&instance), &proof, name, args).is_ok()).count()
    };
    local(&env, "api_key_create", &json!({"name": "unused"}));
    env.cli(&["-i", &text(&instance), "set", "k", "v"]).ok();
    assert_eq!(can(), 0);
    let give = |on: Value, with: &str, permission: &str| {
        let mut args = json!({"with": with, "permission": permission});
        args.as_object_mut().unwrap().extend(on.as_object().unwrap().clone());
        local(&env, "share_create", &args)["id"].clone()
    };
    let take = |share: &Value| drop(local(&env, "share_remove", &json!({ "id": share })));
    let public = give(json!({"instance": instance}), "public", "read");
    assert_eq!(can(), 1);
    local(&env, "group_create", &json!({"name": "team"}));
    local(&env, "group_add", &json!({"group": "team", "member": "carol@example.com"}));
    let of_group = give(json!({"project": project}), "group:team", "write");
    assert_eq!(can(), 2);
    let direct = give(json!({"instance": instance}), &format!("user:{carol}"), "admin");
    assert_eq!(can(), 3);
    take(&public);
    assert_eq!(can(), 3);
    take(&direct);
    assert_eq!(can(), 2);
    // Given again with another permission, the new one counts.
    assert_eq!(give(json!({"project": project}), "group:team", "read"), of_group);
    assert_eq!(can(), 1);
    local(&env, "group_remove", &json!({"group": "team", "member": "carol@example.com"}));
    assert_eq!(can(), 0);
    give(json!({"project": project}), "dave@example.com", "write");
    let (_, dave) = user(&env, "Dave@Example.com");
    assert!(call(&server, &at(&instance), &dave, "write_key", &json!({"key": "d", "value": "v"})).is_ok());
    let listed = call(&server, "/mcp/edit", &dave, "project_list", &json!({})).unwrap();
    let roles: Vec<_> = listed["projects"].as_array().unwrap().iter().map(|each| text(&each["role"])).collect();
    assert!(roles.contains(&"owner".into()) && roles.contains(&"write".into()), "{listed}");
    assert_eq!(give_public_admin(&env, &instance), "invalid_argument");
    local(&env, "user_delete", &json!({"user": "dave@example.com"}));
    let gone = call(&server, &at(&instance), &dave, "read_key", &json!({"key": "d"}));
    assert_eq!(gone, Err("unauthenticated".into()));
    // What was theirs is not lost.
    assert!(env.cli(&["project", "list"]).ok().contains("default of dave@example.com"));
}

fn give_public_admin(env: &Env, instance: &Value) -> String {
    let args = json!({"instance": instance, "with": "public", "permission": "admin"}).to_string();
    let output = env.cli(&["--json", "call", "share_create", &args]);
    let error: Value = serde_json::from_slice(&output.stdout).unwrap();
    text(&error["error"]["code"])
}

#[test]
fn hole_shares_are_changed_without_a_check() {
    let env = Env::new();
    let (_, eve) = user(&env, "eve@example.com");
    let server = env.serve(&[]);
    let instance = local(&env, "instance_create", &json!({"name": "i"}))["id"].clone();
    let share =
        local(&env, "share_create", &json!({"instance": "i", "with": "public", "permission": "write"}))["id"].clone();
    for (operation, args, code) in [
        (
            "share_create",
            json!({"instance": instance, "with": "eve@example.com", "permission": "admin"}),
            "permission_denied",
        ),
        ("share_list", json!({"instance": instance}), "permission_denied"),
        ("share_remove", json!({"id": share}), "permission_denied"),
        ("instance_delete", json!({"instance": instance}), "permission_denied"),
        ("share_remove", json!({"id": "nothing"}), "not_found"),
        (
            "share_create",
            json!({"project": "default", "instance": "i", "with": "public", "permission": "read"}),
            "invalid_argument",
        ),
        ("share_create", json!({"with": "public", "permission": "read"}), "invalid_argument"),
    ] {
        assert_eq!(call(&server, "/mcp/edit", &eve, operation, &args), Err(code.into()), "{operation} {args}");
    }
}

#[test]
fn projects_keep_their_instances_apart() {
    let env = Env::new();
    env.cli(&["project", "create", "a"]).ok();
    env.cli(&["project", "create", "a"]).fails(4);
    for project in ["a", "default"] {
        local(&env, "instance_create", &json!({"name": "notes", "project": project}));
    }
    let in_a = local(&env, "instance_list", &json!({"project": "a"}));
    assert_eq!(in_a["instances"].as_array().unwrap().len(), 1);
    let id = text(&in_a["instances"][0]["id"]);
    env.cli(&["-i", &id, "set", "k", "in a"]).ok();
    env.cli(&["-i", "notes", "set", "k", "in default"]).ok();
    assert_eq!(env.cli(&["-i", &id, "get", "k"]).ok(), "in a");
    let snapshot = local(&env, "instance_snapshot", &json!({"instance": id}));
    assert_eq!(snapshot["project"], in_a["instances"][0]["project"], "a snapshot stays with what it is of");
    env.cli(&["call", "instance_list", r#"{"project": "nowhere"}"#]).fails(3);
    env.cli(&["project", "delete", "a"]).fails(2);
    env.cli(&["project", "rename", "a", "b"]).ok();
    for instance in [&id, &text(&snapshot["id"])] {
        env.cli(&["instance", "delete", instance]).ok();
    }
    env.cli(&["project", "delete", "b"]).ok();
    env.cli(&["project", "delete", "default"]).fails(2);
    assert!(env.cli(&["project", "list"]).ok().starts_with("default\tdefault\towner"));
}

#[test]
fn bug_what_a_removed_user_had_deleted_could_be_brought_back_by_the_machine_alone() {
    let env = Env::new();
    let server = env.serve(&["--multi-user", "--owner", "owner@example.com"]);
    let (_, owner) = super::key(&env, &json!({"user": "owner@example.com"}));
    let (_, carol) = user(&env, "carol@example.com");
    let ask = |proof: &str, name: &str, args: Value| call(&server, "/mcp/edit", proof, name, &args);
    ask(&carol, "project_create", json!({"name": "p"})).unwrap();
    let made = ask(&carol, "instance_create", json!({"name": "i", "project": "p"})).unwrap()["id"].clone();
    env.cli(&["-i", &text(&made), "set", "k", "v"]).ok();
    ask(&carol, "project_delete", json!({"project": "p", "with_instances": true})).unwrap();
    ask(&owner, "user_delete", json!({"user": "carol@example.com"})).unwrap();
    ask(&owner, "instance_undelete", json!({"instance": made})).unwrap();
    assert_eq!(call(&server, &at(&made), &owner, "read_key", &json!({"key": "k"})).unwrap()["value"], "v");
}
