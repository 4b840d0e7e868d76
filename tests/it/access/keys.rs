//! API keys and delegates: how they look, what is kept of them, and what they can make.

use std::path::Path;

use serde_json::{Value, json};

use super::{at, call, key, local, user};
use crate::harness::{
    Env, eventually,
    mcp::{members, text},
};

/// Whether any file in a folder has these bytes.
fn is_in(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_in(&path, bytes);
        }
        std::fs::read(&path).is_ok_and(|file| file.windows(bytes.len()).any(|window| window == bytes))
    })
}

#[test]
fn a_key_is_shown_once_and_only_its_hash_is_kept() {
    let env = Env::new();
    let secret = env.cli(&["key", "create", "for the scraper", "--permission", "read"]).ok().trim().to_owned();
    let tail = secret.strip_prefix("mc_live_").unwrap();
    assert!(
        tail.len() == 32 && tail.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase()),
        "{secret}"
    );
    let listed = env.cli(&["key", "list", "--json"]).json();
    let listed = &listed["keys"][0];
    assert_eq!(
        members(listed),
        ["created_at", "id", "kind", "name", "permissions", "prefix", "scopes", "user"],
        "nothing of the key but its prefix"
    );
    assert_eq!((&listed["prefix"], &listed["scopes"]), (&json!(&secret[..12]), &json!(["account"])));
    assert!(!is_in(&env.data(), tail.as_bytes()), "the key is in no file");
    assert!(is_in(&env.data(), &secret.as_bytes()[..12]), "the test can see what is kept");
    let second = env.cli(&["key", "create", "another"]).ok();
    assert_ne!(second.trim(), secret);
    // A call that is repeated is not told the secret again.
    let mut client = env.mcp_with(&["--mode", "edit"]);
    let again = json!({"name": "api_key_create", "args": {"name": "once"}, "idempotency_key": "i"});
    let made = client.call("op_call", again.clone()).ok();
    let replayed = client.call("op_call", again).ok();
    assert_eq!((made["id"].clone(), &replayed["replayed"]), (replayed["id"].clone(), &json!(true)));
    assert!(made["secret"].is_string() && replayed["secret"].is_null());
    assert!(!is_in(&env.data(), text(&made["secret"]).as_bytes()));
}

#[test]
fn a_key_works_until_it_is_revoked_and_its_use_is_noted() {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    let server = env.serve(&[]);
    let (id, proof) = key(&env, &json!({"permissions": ["read"], "scopes": ["instance:default"]}));
    let read = |proof: &str| call(&server, "/mcp", proof, "read_key", &json!({"key": "k"}));
    assert_eq!(read(&proof).unwrap()["value"], "v");
    eventually("the use is noted", || {
        env.cli(&["key", "list", "--json"]).json()["keys"][0]["last_used_at"].is_string()
    });
    for wrong in ["", "Bearer mc_live_", "Bearer mc_live_00000000000000000000000000000000", &proof[..proof.len() - 1]] {
        assert_eq!(read(wrong), Err("unauthenticated".into()), "{wrong}");
    }
    env.cli(&["key", "revoke", &id]).ok();
    assert_eq!(read(&proof), Err("unauthenticated".into()));
    env.cli(&["key", "revoke", &id]).fails(3);
    let (_, proof) = key(&env, &json!({"expires_in_ms": 1}));
    assert_eq!(read(&proof), Err("unauthenticated".into()));
}

#[test]
fn hole_the_scope_and_permissions_of_a_key_are_never_consulted() {
    let env = Env::new();
    let server = env.serve(&[]);
    let project = local(&env, "project_create", &json!({"name": "p"}))["id"].clone();
    let inside = local(&env, "instance_create", &json!({"name": "inside", "project": "p"}))["id"].clone();
    let outside = local(&env, "instance_create", &json!({"name": "outside"}))["id"].clone();
    let of_project = key(&env, &json!({"scopes": [format!("project:{}", text(&project))]})).1;
    let of_instance = key(&env, &json!({"scopes": [format!("instance:{}", text(&inside))]})).1;
    for proof in [&of_project, &of_instance] {
        let write = json!({"key": "k", "value": "v"});
        assert!(call(&server, &at(&inside), proof, "write_key", &write).is_ok());
        assert_eq!(call(&server, &at(&outside), proof, "write_key", &write), Err("not_found".into()));
        for (operation, args) in [
            ("project_create", json!({"name": "mine"})),
            ("api_key_create", json!({"name": "wide"})),
            ("api_key_create", json!({"name": "wide", "scopes": ["account"]})),
            ("delegate_create", json!({"name": "d"})),
            ("group_create", json!({"name": "g"})),
            ("user_create", json!({"email": "a@b"})),
            ("api_key_list", json!({})),
        ] {
            assert_eq!(
                call(&server, "/mcp/edit", proof, operation, &args),
                Err("permission_denied".into()),
                "{operation}"
            );
        }
        let listed = call(&server, "/mcp/edit", proof, "instance_list", &json!({})).unwrap();
        assert_eq!(listed["instances"].as_array().unwrap().len(), 1 + usize::from(*proof == of_project), "{listed}");
    }
    // Within the project it may make instances, and keys that reach no further.
    let narrower = json!({"name": "n", "scopes": ["instance:inside"], "permissions": ["read"]});
    let made = call(&server, "/mcp/edit", &of_project, "api_key_create", &narrower).unwrap();
    let proof = format!("Bearer {}", text(&made["secret"]));
    assert!(call(&server, &at(&inside), &proof, "read_key", &json!({"key": "k"})).is_ok());
    let refused = call(&server, &at(&inside), &proof, "write_key", &json!({"key": "k", "value": "w"}));
    assert_eq!(refused, Err("permission_denied".into()));
    assert!(call(&server, "/mcp/edit", &of_project, "instance_create", &json!({"name": "new"})).is_ok());
    let refused = call(&server, "/mcp/edit", &of_instance, "instance_create", &json!({"name": "newer"}));
    assert_eq!(refused, Err("permission_denied".into()));
}

#[test]
fn tools_follow_the_permission() {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    let server = env.serve(&[]);
    let names = |permission: &str, path: &str| -> Vec<String> {
        let proof = key(&env, &json!({"permissions": [permission]})).1;
        let mut client = crate::harness::http_client::HttpClient::with_proof(
            &server,
            path,
            &proof,
            crate::harness::mcp::Era::Modern,
        );
        let list = client.request("tools/list", &json!({})).unwrap();
        list["tools"].as_array().unwrap().iter().map(|tool| text(&tool["name"])).collect()
    };
    for (permission, writes, edits) in [("read", false, false), ("write", true, false), ("admin", true, true)] {
        let tools = names(permission, "/mcp/edit");
        assert!(tools.contains(&"read_key".into()));
        assert_eq!(tools.contains(&"write_key".into()), writes, "{permission}");
        assert_eq!(
            tools.contains(&"set_key_attributes".into()),
            writes,
            "{permission}: an app decides its keys' attributes"
        );
        assert_eq!(tools.contains(&"rename_key".into()), edits, "{permission}");
    }
    assert!(!names("admin", "/mcp").contains(&"set_key_attributes".into()), "no more than the address says");
}

#[test]
fn a_delegate_may_do_what_was_given_to_it_as_far_as_its_flags_and_its_owner() {
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let server = env.serve(&[]);
    let mine = call(&server, "/mcp/edit", &ann, "instance_create", &json!({"name": "mine"})).unwrap()["id"].clone();
    let theirs = local(&env, "instance_create", &json!({"name": "theirs"}))["id"].clone();
    let as_ann = |operation: &str, args: Value| call(&server, "/mcp/edit", &ann, operation, &args);
    let delegate = text(&as_ann("delegate_create", json!({"name": "d", "permission": "write"})).unwrap()["id"]);
    let secret = || as_ann("delegate_secret_create", json!({"delegate": delegate})).unwrap();
    let (first, second) = (secret(), secret());
    let proof = |made: &Value| format!("ApiKey {delegate}:{}", text(&made["secret"]));
    let write = |instance: &Value, made: &Value| {
        call(&server, &at(instance), &proof(made), "write_key", &json!({"key": "k", "value": "v"}))
    };
    assert_eq!(write(&mine, &first), Err("not_found".into()), "nothing was given to it yet");
    let give = json!({"instance": "mine", "with": format!("delegate:{delegate}"), "permission": "admin"});
    as_ann("share_create", give).unwrap();
    assert!(write(&mine, &first).is_ok());
    let edit = call(&server, &at(&mine), &proof(&first), "clear_keys", &json!({}));
    assert_eq!(edit, Err("permission_denied".into()), "its flags say write");
    // The owner's right is its bound: what somebody else gives to it directly is nothing without that.
    let with = format!("delegate:{delegate}");
    local(&env, "share_create", &json!({"instance": "theirs", "with": with, "permission": "write"}));
    assert_eq!(write(&theirs, &first), Err("not_found".into()));
    let to_ann =
        local(&env, "share_create", &json!({"instance": "theirs", "with": "ann@example.com", "permission": "read"}));
    assert_eq!(write(&theirs, &first), Err("permission_denied".into()));
    local(&env, "share_remove", &json!({"id": to_ann["id"]}));
    assert_eq!(write(&theirs, &first), Err("not_found".into()));
    // Secrets are revoked one by one, and are nobody else's.
    as_ann("delegate_secret_revoke", json!({"delegate": delegate, "id": first["id"]})).unwrap();
    assert_eq!(write(&mine, &first), Err("unauthenticated".into()));
    assert!(write(&mine, &second).is_ok());
    for (operation, args) in [("project_create", json!({"name": "p"})), ("api_key_create", json!({"name": "k"}))] {
        assert_eq!(call(&server, &at(&mine), &proof(&second), operation, &args), Err("permission_denied".into()));
    }
    let log = call(&server, &at(&mine), &ann, "log_read", &json!({"since": 0})).unwrap();
    let last = log["changes"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["actor"]["principal"], json!(format!("delegate:{delegate}")));
    as_ann("delegate_delete", json!({"delegate": delegate})).unwrap();
    assert_eq!(write(&mine, &second), Err("unauthenticated".into()));
}

#[test]
fn keys_groups_and_secrets_have_their_limits() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    let mut op = |name: &str, args: Value| client.call("op_call", json!({"name": name, "args": args}));
    op("api_key_create", json!({"name": "n", "scopes": vec!["account"; 32]})).ok();
    op("api_key_create", json!({"name": "n", "scopes": vec!["account"; 33]})).error("invalid_argument");
    op("project_create", json!({"name": "x".repeat(300)})).ok();
    for bad in [&"x".repeat(301), "", " ", "a\u{7}"] {
        op("project_create", json!({"name": bad})).error("invalid_argument");
        op("group_create", json!({"name": bad})).error("invalid_argument");
    }
    let delegate = op("delegate_create", json!({"name": "d"})).ok()["id"].clone();
    for _ in 0..10 {
        op("delegate_secret_create", json!({"delegate": delegate})).ok();
    }
    op("delegate_secret_create", json!({"delegate": delegate})).error("invalid_argument");
    for bad in [json!([]), json!(["fly"])] {
        op("api_key_create", json!({"name": "n", "permissions": bad})).error("invalid_argument");
    }
    for bad in ["everything", "project:", "user:x"] {
        op("api_key_create", json!({"name": "n", "scopes": [bad]})).error("invalid_argument");
    }
    op("api_key_create", json!({"name": "n", "scopes": ["instance:nowhere"]})).error("not_found");
    op("api_key_create", json!({"name": "n", "user": "nobody@x"})).error("not_found");
}
