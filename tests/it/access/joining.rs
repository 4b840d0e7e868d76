//! Entering a project: one address for a team, a memory for each.

use std::thread;

use serde_json::{Value, json};

use super::{at, call, local, user};
use crate::harness::{Env, http::Server, http_client::HttpClient, mcp::Era, mcp::text};

/// A project that gives each an own instance made from a template, shared with these.
pub(super) fn team(env: &Env, with: &[(&str, &str)]) -> (Value, Value) {
    let project = local(env, "project_create", &json!({"name": "team"}))["id"].clone();
    let template = local(env, "instance_create", &json!({"name": "template", "project": "team"}))["id"].clone();
    env.cli(&["-i", &text(&template), "set", "welcome", "old"]).ok();
    env.cli(&["-i", &text(&template), "set", "welcome", "hello"]).ok();
    let on_join = json!({"project": "team", "on_join": "own_from:template"});
    assert_eq!(local(env, "project_update", &on_join)["on_join"], json!(format!("own_from:{}", text(&template))));
    for (email, permission) in with {
        local(env, "share_create", &json!({"project": "team", "with": email, "permission": permission}));
    }
    (project, template)
}

fn enter(server: &Server, project: &Value, proof: &str) -> Result<Value, String> {
    call(server, "/mcp/edit", proof, "project_enter", &json!({ "project": project }))
}

#[test]
fn bug_another_project_was_renamed_to_default() {
    let env = Env::new();
    local(&env, "project_create", &json!({"name": "team"}));
    env.cli(&["call", "project_update", &json!({"project": "team", "name": "default"}).to_string()]).fails(4);
    assert_eq!(local(&env, "project_update", &json!({"project": "default", "name": "default"}))["name"], "default");
}

#[test]
fn one_address_gives_each_their_own_memory() {
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let (_, bob) = user(&env, "bob@example.com");
    let (_, carol) = user(&env, "carol@example.com");
    let (_, eve) = user(&env, "eve@example.com");
    let (project, _) =
        team(&env, &[("ann@example.com", "read"), ("bob@example.com", "write"), ("carol@example.com", "admin")]);
    let server = env.serve(&[]);
    let address = format!("/p/{}/mcp", text(&project));
    let read = |proof: &str, key: &str| call(&server, &address, proof, "read_key", &json!({ "key": key }));
    for (proof, name) in [(&ann, "ann"), (&bob, "bob")] {
        assert_eq!(read(proof, "welcome").unwrap()["value"], "hello");
        call(&server, &address, proof, "write_key", &json!({"key": "mine", "value": name})).unwrap();
        assert_eq!(read(proof, "mine").unwrap()["value"], name, "the same one on every entry");
    }
    let of_ann = enter(&server, &project, &ann).unwrap();
    assert_eq!(of_ann["name"], "template of ann@example.com");
    assert_eq!(enter(&server, &project, &ann).unwrap()["id"], of_ann["id"]);
    let history = call(&server, &address, &ann, "key_history", &json!({"key": "welcome"})).unwrap();
    assert_eq!(history["versions"].as_array().unwrap().len(), 1, "nothing of what the template was before");
    // Private to each, and to those who administer the whole.
    let of_ann_read = |proof: &str| call(&server, &at(&of_ann["id"]), proof, "read_key", &json!({"key": "mine"}));
    assert_eq!(of_ann_read(&bob), Err("not_found".into()));
    assert_eq!(of_ann_read(&carol).unwrap()["value"], "ann");
    let listed = call(&server, "/mcp/edit", &bob, "instance_list", &json!({"project": project})).unwrap();
    let names: Vec<_> = listed["instances"].as_array().unwrap().iter().map(|each| text(&each["name"])).collect();
    assert!(
        names.contains(&"template of bob@example.com".into()) && !names.contains(&text(&of_ann["name"])),
        "{names:?}"
    );
    assert_eq!(enter(&server, &project, &eve), Err("not_found".into()));
    assert_eq!(call(&server, &address, &eve, "list_keys", &json!({})), Err("not_found".into()));
    // Who is taken out of the team is out of what was theirs in it, and finds it again when they are back.
    let shares = local(&env, "share_list", &json!({"project": "team"}))["shares"].clone();
    let of_team = shares.as_array().unwrap().iter().find(|share| share["email"] == "ann@example.com").unwrap();
    local(&env, "share_remove", &json!({"id": of_team["id"]}));
    assert_eq!(of_ann_read(&ann), Err("not_found".into()));
    local(&env, "share_create", &json!({"project": "team", "with": "ann@example.com", "permission": "read"}));
    assert_eq!(of_ann_read(&ann).unwrap()["value"], "ann");
    // Shared again, everybody gets the same.
    local(&env, "project_update", &json!({"project": "team", "on_join": "shared"}));
    assert_eq!(enter(&server, &project, &ann), Err("not_found".into()), "there is no instance default yet");
    let all = local(&env, "instance_create", &json!({"name": "default", "project": "team"}))["id"].clone();
    assert_eq!(enter(&server, &project, &ann).unwrap()["id"], all);
    assert_eq!(enter(&server, &project, &bob).unwrap()["id"], all);
    for bad in ["own_from:nowhere", "own_from:", "mine"] {
        env.cli(&["call", "project_update", &json!({"project": "team", "on_join": bad}).to_string()])
            .fails(if bad == "own_from:nowhere" { 3 } else { 2 });
    }
}

#[test]
fn who_enters_twice_at_once_gets_one_instance() {
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let (project, _) = team(&env, &[("ann@example.com", "read")]);
    let servers = [env.serve(&[]), env.serve(&[])];
    let ids: Vec<Value> = thread::scope(|scope| {
        let entering: Vec<_> = servers
            .iter()
            .cycle()
            .take(6)
            .map(|server| scope.spawn(|| enter(server, &project, &ann).unwrap()["id"].clone()))
            .collect();
        entering.into_iter().map(|entering| entering.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(local(&env, "instance_list", &json!({"project": "team"}))["instances"].as_array().unwrap().len(), 2);
}

#[test]
fn a_member_who_is_taken_out_is_cut_off_from_what_was_shared() {
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let project = local(&env, "project_create", &json!({"name": "team"}))["id"].clone();
    local(&env, "instance_create", &json!({"name": "default", "project": "team"}));
    let share =
        local(&env, "share_create", &json!({"project": "team", "with": "ann@example.com", "permission": "read"}));
    let server = env.serve(&[]);
    let mut session = HttpClient::with_proof(&server, &format!("/p/{}/mcp", text(&project)), &ann, Era::Legacy);
    session.handshake().unwrap();
    assert!(!session.call("list_keys", &json!({})).is_error);
    session.open_session_stream();
    local(&env, "share_remove", &json!({"id": share["id"]}));
    session.only_hear().rest();
}
