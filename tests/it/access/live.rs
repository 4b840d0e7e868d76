//! What is taken back is gone at once where it is in use, in every process.

use serde_json::{Value, json};

use super::{at, key, local, user};
use crate::harness::{Env, http::Server, http_client::HttpClient, mcp::Era, mcp::text};

/// A wait, a stream of a session and a subscription, all of one principal; then it loses its right, and all end.
pub(super) fn ends(env: &Env, server: &Server, instance: &Value, proof: &str, take: impl FnOnce()) {
    let before = env.cli(&["-i", &text(instance), "ls"]).ok().lines().count();
    let path = at(instance).replace("/edit", "");
    let mut session = HttpClient::with_proof(server, &path, proof, Era::Legacy);
    session.handshake().unwrap();
    session.open_session_stream();
    let mut modern = HttpClient::with_proof(server, &path, proof, Era::Modern);
    modern.listen(&json!({"toolsListChanged": true}));
    let mut waiting = HttpClient::with_proof(server, &path, proof, Era::Modern);
    let wait = json!({"name": "wait_for_change", "arguments": {"wait_ms": 45000}});
    let (_, mut answer) = waiting.send_and_be_taken("tools/call", &wait);
    // It is heard of by who listens: so the streams are open and the rights are held.
    env.cli(&["-i", &text(instance), "set", &format!("made {before}"), "v"]).ok();
    modern.next_where(|message| message["method"] == "notifications/tools/list_changed");
    drop(answer.response());
    let (_, mut answer) = waiting.send_and_be_taken("tools/call", &wait);
    take();
    let told = answer.response();
    let refused = told.status == 401 || told.text().contains("unauthenticated") || told.text().contains("not_found");
    assert!(refused, "{}: {}", told.status, told.text());
    modern.only_hear().rest();
    let id = session.session.clone();
    session.only_hear().rest();
    let mut again = HttpClient::with_proof(server, &path, proof, Era::Legacy);
    again.session = id;
    let status = again.post_call("list_keys", &json!({})).status;
    assert!(status == 401 || status == 404, "{status}");
}

#[test]
fn a_revoked_key_is_cut_off_in_another_process() {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    let instance = local(&env, "instance_list", &json!({}))["instances"][0]["id"].clone();
    let server = env.serve(&[]);
    let (id, proof) = key(&env, &json!({"permissions": ["read"]}));
    ends(&env, &server, &instance, &proof, || drop(env.cli(&["key", "revoke", &id]).ok()));
}

#[test]
fn a_share_that_is_taken_back_and_a_group_that_is_left_cut_off() {
    let env = Env::new();
    let (_, proof) = user(&env, "ann@example.com");
    let instance = local(&env, "instance_create", &json!({"name": "i"}))["id"].clone();
    let server = env.serve(&[]);
    let share = local(&env, "share_create", &json!({"instance": "i", "with": "ann@example.com", "permission": "read"}));
    ends(&env, &server, &instance, &proof, || drop(local(&env, "share_remove", &json!({"id": share["id"]}))));
    local(&env, "group_create", &json!({"name": "g"}));
    local(&env, "group_add", &json!({"group": "g", "member": "ann@example.com"}));
    local(&env, "share_create", &json!({"instance": "i", "with": "group:g", "permission": "write"}));
    ends(&env, &server, &instance, &proof, || {
        drop(local(&env, "group_remove", &json!({"group": "g", "member": "ann@example.com"})));
    });
}

#[test]
fn a_key_that_expires_is_cut_off() {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    let instance = local(&env, "instance_list", &json!({}))["instances"][0]["id"].clone();
    let server = env.serve(&[]);
    let (_, proof) = key(&env, &json!({"permissions": ["read"], "expires_in_ms": 6000}));
    ends(&env, &server, &instance, &proof, || ());
}
