//! Every operation of the registry for every kind of caller over every face on which somebody proves who they are,
//! against a table and a slow way to say the same. The command line is no such face: it acts as the user of the machine.

use serde_json::{Value, json};

use super::{at, call, key, local, user};
use crate::{
    harness::{Env, http::Server, mcp::text},
    sync::client::Client,
};

/// What an operation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// This permission on the instance that it is called on or that its arguments name.
    Instance(&'static str),
    /// This permission on the project.
    Project(&'static str),
    /// Somebody who is known.
    Known,
    /// The account itself. With these arguments it then answers so; nothing for done.
    Account(Option<&'static str>),
    /// To be whose the project, the share or the server is.
    Owner,
}

/// The table: each operation, what it takes, and arguments for the instance `i` of the project `p` with the key `k`.
fn table(instance: &Value, project: &Value, share: &Value) -> Vec<(&'static str, Takes, Value)> {
    use Takes::{Account, Instance, Known, Owner, Project};
    let (i, p) = (instance, project);
    vec![
        ("list_keys", Instance("read"), json!({})),
        ("read_key", Instance("read"), json!({"key": "k"})),
        ("search_keys", Instance("read"), json!({"query": "v"})),
        ("key_history", Instance("read"), json!({"key": "k"})),
        ("wait_for_change", Instance("read"), json!({"wait_ms": 0})),
        ("get_system_prompt", Instance("read"), json!({})),
        ("op_search", Instance("read"), json!({"query": ""})),
        ("log_read", Instance("read"), json!({"since": 0})),
        ("key_browse", Instance("read"), json!({})),
        ("key_tool", Instance("read"), json!({"key": "k"})),
        ("key_facets", Instance("write"), json!({})),
        ("write_key", Instance("write"), json!({"key": "k", "value": "w"})),
        ("append_key", Instance("write"), json!({"key": "k", "text": "w"})),
        ("edit_key", Instance("write"), json!({"key": "k", "old_text": "v", "new_text": "v"})),
        ("delete_key", Instance("write"), json!({"key": "k"})),
        ("batch", Instance("write"), json!({"mode": "all", "operations": [{"name": "list_keys"}]})),
        ("undo", Instance("write"), json!({})),
        ("set_key_attributes", Instance("write"), json!({"key": "k", "tags": ["t"]})),
        ("rename_key", Instance("admin"), json!({"key": "k", "new_key": "l"})),
        ("clear_keys", Instance("admin"), json!({})),
        ("restore_key", Instance("admin"), json!({"key": "k", "version": 1})),
        ("purge_key", Instance("admin"), json!({"key": "k"})),
        ("instance_create", Project("admin"), json!({"name": "new", "project": p})),
        ("instance_list", Known, json!({})),
        ("instance_read", Instance("read"), json!({"instance": i})),
        ("instance_rename", Instance("admin"), json!({"instance": i, "name": "renamed"})),
        ("instance_set_read_only", Instance("admin"), json!({"instance": i, "read_only": false})),
        ("instance_clone", Instance("admin"), json!({"instance": i, "name": "clone"})),
        ("instance_snapshot", Instance("admin"), json!({"instance": i})),
        ("instance_restore", Instance("admin"), json!({"instance": i, "snapshot": i})),
        ("instance_diff", Instance("admin"), json!({"from": i, "to": i})),
        ("instance_delete", Instance("admin"), json!({"instance": i})),
        ("instance_undelete", Instance("admin"), json!({"instance": i})),
        ("user_create", Owner, json!({"email": "new@example.com"})),
        ("user_list", Owner, json!({})),
        ("user_delete", Owner, json!({"user": "none@example.com"})),
        ("project_create", Account(None), json!({"name": "new"})),
        ("project_list", Known, json!({})),
        ("project_read", Project("read"), json!({"project": p})),
        ("project_update", Project("admin"), json!({"project": p, "description": "d"})),
        ("project_enter", Project("read"), json!({"project": p})),
        ("project_delete", Owner, json!({"project": p})),
        ("api_key_create", Account(None), json!({"name": "new"})),
        ("api_key_list", Account(None), json!({})),
        ("api_key_revoke", Account(Some("not_found")), json!({"id": "nothing"})),
        ("delegate_create", Account(None), json!({"name": "d"})),
        ("delegate_list", Account(None), json!({})),
        ("delegate_delete", Account(Some("not_found")), json!({"delegate": "nothing"})),
        ("delegate_grant_list", Account(Some("not_found")), json!({"delegate": "nothing"})),
        ("delegate_secret_create", Account(Some("not_found")), json!({"delegate": "nothing"})),
        ("delegate_secret_list", Account(Some("not_found")), json!({"delegate": "nothing"})),
        ("delegate_secret_revoke", Account(Some("not_found")), json!({"delegate": "nothing", "id": "nothing"})),
        ("group_create", Account(None), json!({"name": "g"})),
        ("group_list", Account(None), json!({})),
        ("group_add", Account(Some("not_found")), json!({"group": "nothing", "member": "a@b"})),
        ("group_remove", Account(Some("not_found")), json!({"group": "nothing", "member": "a@b"})),
        ("group_leave", Account(Some("not_found")), json!({"group": "nothing"})),
        ("group_delete", Account(Some("not_found")), json!({"group": "nothing"})),
        ("share_create", Instance("admin"), json!({"instance": i, "with": "public", "permission": "read"})),
        ("share_list", Instance("admin"), json!({"instance": i})),
        ("share_remove", Instance("admin"), json!({"id": share})),
        ("access_log", Owner, json!({})),
        ("sign_in_list", Owner, json!({})),
        ("sign_in_revoke", Owner, json!({"sign_in": "nothing"})),
    ]
}

/// Each caller with what it has on the project, whether it has an account, and whether anybody knows it.
const CALLERS: [(&str, Option<&str>, bool, bool); 7] = [
    ("none", None, true, true),
    ("wrong scope", None, false, true),
    ("revoked", None, false, false),
    ("expired", None, false, false),
    ("read", Some("read"), true, true),
    ("write", Some("write"), true, true),
    ("admin", Some("admin"), true, true),
];

/// The same as the table says, in words: the code of the refusal, or nothing for done.
fn expected(takes: Takes, has: Option<&str>, has_account: bool, is_known: bool) -> Option<&'static str> {
    let level = |name: &str| ["read", "write", "admin"].iter().position(|each| *each == name);
    if !is_known {
        return Some("unauthenticated");
    }
    match takes {
        Takes::Known => None,
        Takes::Account(answer) => {
            if has_account {
                answer
            } else {
                Some("permission_denied")
            }
        }
        Takes::Owner => Some("permission_denied"),
        Takes::Instance(wanted) | Takes::Project(wanted) => match has {
            None => Some("not_found"),
            Some(has) if level(has) < level(wanted) => Some("permission_denied"),
            Some(_) => None,
        },
    }
}

/// How somebody calls an operation by a face, at an instance. Answers the result or the code of the refusal. Another face
/// is one more of these and a test below that passes it.
type Ask = fn(server: &Server, on: &Value, proof: &str, name: &str, args: &Value) -> Result<Value, String>;

fn over_mcp(server: &Server, on: &Value, proof: &str, name: &str, args: &Value) -> Result<Value, String> {
    call(server, &at(on), proof, name, args)
}

fn over_rest(server: &Server, on: &Value, proof: &str, name: &str, args: &Value) -> Result<Value, String> {
    let path = format!("/v1/i/{}/ops/{name}", text(on));
    let headers = [("Authorization", proof), ("Content-Type", "application/json")];
    let response = server.send("POST", &path, &headers, &args.to_string());
    if response.status == 200 { Ok(response.json()) } else { Err(text(&response.json()["code"])) }
}

fn over_sync(server: &Server, on: &Value, proof: &str, name: &str, args: &Value) -> Result<Value, String> {
    let path = format!("/sync/{}?v=2", text(on));
    let opened = Client::try_open(&server.address, &path, &[("Authorization", proof)]);
    let mut client = opened.map_err(|(status, why)| match (status, why.as_str()) {
        (401, _) => "unauthenticated".to_owned(),
        (403, "Instance not found or access denied") => "not_found".to_owned(),
        other => panic!("{name}: {other:?}"),
    })?;
    let mut done = |name: &str, args: &Value| {
        client.send(&json!({"type": "call", "op": name, "args": args, "opId": name}));
        let told = client.next_where(|told| told["opId"] == name && told["type"] != "key_updated");
        match told["type"].as_str().unwrap() {
            "result" => Ok(told["result"].clone()),
            "error" if told["code"] == "NO_PERMISSION" => Err("permission_denied".to_owned()),
            _ => Err(text(&told["code"])),
        }
    };
    if name == "undo" {
        // What is taken back is what this connection did.
        drop(done("write_key", &json!({"key": "u", "value": "v"})));
    }
    done(name, args)
}

const FACES: [(&str, Ask); 3] = [("MCP", over_mcp), ("REST", over_rest), ("/sync", over_sync)];

/// Whether it is called on the instance itself, and not beside it with the instance among the arguments.
fn is_called_there(name: &str) -> bool {
    !["instance_", "user_", "project_", "api_", "delegate_", "group_", "share_", "access_"]
        .iter()
        .any(|each| name.starts_with(each))
}

#[test]
fn every_operation_for_every_caller_is_as_the_table_says() {
    check_all(over_mcp);
}

#[test]
fn every_operation_for_every_caller_is_as_the_table_says_over_rest() {
    check_all(over_rest);
}

#[test]
fn every_operation_for_every_caller_is_as_the_table_says_over_sync() {
    check_all(over_sync);
}

fn check_all(ask: Ask) {
    let env = Env::new();
    let project = local(&env, "project_create", &json!({"name": "p"}))["id"].clone();
    let other = local(&env, "instance_create", &json!({"name": "other"}))["id"].clone();
    local(&env, "instance_create", &json!({"name": "default", "project": "p"}));
    // From here everybody calls what is not called on the instance itself.
    local(&env, "share_create", &json!({"instance": other, "with": "public", "permission": "read"}));
    let mut proofs = Vec::new();
    for (name, has, ..) in CALLERS {
        let email = format!("{}@example.com", name.replace(' ', "-"));
        let (_, proof) = user(&env, &email);
        let with_rights = has.unwrap_or("admin");
        let proof = match name {
            "wrong scope" => key(&env, &json!({"user": email, "scopes": [format!("instance:{}", text(&other))]})).1,
            "revoked" => {
                let (id, proof) = key(&env, &json!({ "user": email }));
                env.cli(&["key", "revoke", &id]).ok();
                proof
            }
            "expired" => key(&env, &json!({"user": email, "expires_in_ms": 1})).1,
            _ => proof,
        };
        if name != "none" {
            // Also to those whose key is of no use: the key is what counts then.
            local(&env, "share_create", &json!({"project": project, "with": email, "permission": with_rights}));
        }
        if name == "wrong scope" {
            local(&env, "share_create", &json!({"instance": other, "with": email, "permission": "admin"}));
        }
        proofs.push(proof);
    }
    let server = env.serve(&[]);
    let mut person = env.mcp_with(&["--mode", "edit"]);
    let mut op = |name: &str, args: Value| person.call("op_call", json!({"name": name, "args": args})).ok();
    let registered = op("op_search", json!({"query": ""}));
    let names: Vec<String> =
        registered["operations"].as_array().unwrap().iter().map(|each| text(&each["name"])).collect();
    let listed = table(&json!(""), &json!(""), &json!(""));
    for name in &names {
        assert!(listed.iter().any(|(each, ..)| each == name), "put {name} into the table");
    }
    for (number, (name, ..)) in listed.iter().enumerate() {
        let instance = op("instance_create", json!({"name": format!("i{number}"), "project": project}))["id"].clone();
        let share = op("share_create", json!({"instance": instance, "with": "x@example.com", "permission": "read"}));
        call(&server, &at(&instance), &server.bearer(), "write_key", &json!({"key": "k", "value": "v"})).unwrap();
        let (_, takes, args) = table(&instance, &project, &share["id"]).swap_remove(number);
        let on = if is_called_there(name) { &instance } else { &other };
        for ((who, has, has_account, is_known), proof) in CALLERS.iter().zip(&proofs) {
            if let ("undo", Some(_)) = (*name, has) {
                // There must be something of theirs to take back.
                drop(ask(&server, on, proof, "write_key", &json!({"key": "u", "value": "v"})));
            }
            let got = ask(&server, on, proof, name, &args);
            let wanted = expected(takes, *has, *has_account, *is_known);
            let hidden = wanted == Some("permission_denied") && takes == Takes::Owner && has.is_none();
            match (got, wanted) {
                (Ok(_), None) => {}
                (Err(code), Some(wanted)) if code == wanted => {}
                // A project that may not be known of is as if it were not there.
                (Err(code), _) if hidden && code == "not_found" => {}
                // What is refused for the arguments alone was allowed.
                (Err(code), None) if code == "invalid_argument" && *name == "instance_restore" => {}
                // The key's own scope is said before what it names.
                (Err(code), Some("not_found")) if *who == "wrong scope" && code == "permission_denied" => {
                    assert!(["instance_create", "instance_clone"].contains(name), "{name}");
                }
                (got, wanted) => panic!("{name} by {who}: {got:?}, not {wanted:?}"),
            }
        }
    }
}

/// What `write` on an instance is for a key of a model, and for one of an app.
#[test]
fn with_write_an_app_has_all_keys_and_an_agent_those_of_models() {
    let env = Env::new();
    let instance = local(&env, "instance_create", &json!({"name": "i"}))["id"].clone();
    for (name, tags) in [("open", "LLMRead,LLMWrite"), ("hidden", "LLMWrite"), ("kept", "LLMRead,protected")] {
        env.cli(&["-i", &text(&instance), "set", name, "v"]).ok();
        env.cli(&["-i", &text(&instance), "attr", name, "--system-tags", tags]).ok();
    }
    let server = env.serve(&[]);
    let as_kind = |kind: &str| key(&env, &json!({"permissions": ["write"], "kind": kind})).1;
    let (app, agent) = (as_kind("app"), as_kind("agent"));
    let prompt = json!({"system_tags": ["SystemPrompt"]});
    let table = [
        ("read_key", json!({"key": "hidden"}), None, Some("not_found")),
        ("write_key", json!({"key": "kept", "value": "w"}), None, Some("permission_denied")),
        ("write_key", json!({"key": "hidden", "value": "w"}), None, None),
        ("set_key_attributes", json!({"key": "open", "tags": ["t"]}), None, Some("permission_denied")),
        (
            "set_key_attributes",
            json!({"key": "open", "system_tags": prompt["system_tags"]}),
            None,
            Some("permission_denied"),
        ),
        (
            "set_key_attributes",
            json!({"key": "kept", "tags": ["t"]}),
            Some("permission_denied"),
            Some("permission_denied"),
        ),
        (
            "set_key_attributes",
            json!({"key": "open", "history": "none"}),
            Some("permission_denied"),
            Some("permission_denied"),
        ),
        ("delete_key", json!({"key": "kept"}), Some("permission_denied"), Some("permission_denied")),
        ("rename_key", json!({"key": "open", "new_key": "n"}), Some("permission_denied"), Some("permission_denied")),
        ("clear_keys", json!({}), Some("permission_denied"), Some("permission_denied")),
        ("delete_key", json!({"key": "hidden"}), None, None),
    ];
    for (name, args, of_app, of_agent) in table {
        // The agent first: what it may do, too, is there for the app then.
        for (proof, expected, who) in [(&agent, of_agent, "agent"), (&app, of_app, "app")] {
            let got = call(&server, &at(&instance), proof, name, &args);
            assert_eq!(got.as_ref().err().map(String::as_str), expected, "{name} {args} by {who}: {got:?}");
        }
    }
    // No more than the address says.
    let path = format!("/i/{}/mcp", text(&instance));
    assert_eq!(
        call(&server, &path, &app, "set_key_attributes", &json!({"key": "open"})),
        Err("permission_denied".into())
    );
}

#[test]
fn a_read_only_instance_takes_no_writes_from_anybody() {
    let env = Env::new();
    let instance = local(&env, "instance_create", &json!({"name": "i"}))["id"].clone();
    env.cli(&["-i", &text(&instance), "set", "k", "v"]).ok();
    env.cli(&["instance", "read-only", &text(&instance)]).ok();
    let proof = key(&env, &json!({})).1;
    let server = env.serve(&[]);
    for (name, takes, args) in table(&instance, &json!("p"), &json!("")) {
        if !is_called_there(name) {
            continue;
        }
        for (face, ask) in FACES {
            let got = ask(&server, &instance, &proof, name, &args);
            check_read_only(face, name, takes, &got);
        }
    }
}

fn check_read_only(face: &str, name: &str, takes: Takes, got: &Result<Value, String>) {
    match takes {
        Takes::Instance("read") => assert!(got.is_ok(), "{name} over {face}: {got:?}"),
        // Only who reads all sees the facets, and they are only looked at.
        Takes::Instance(_) if name == "key_facets" => assert!(got.is_ok(), "{name} over {face}: {got:?}"),
        _ => assert_eq!(*got, Err("permission_denied".into()), "{name} over {face}"),
    }
}
