//! Ways in that were open once: each is tried as whoever would use it.

use std::sync::mpsc;

use serde_json::{Value, json};

use super::{at, call, joining::team, key, local, user};
use crate::harness::{
    DEADLINE, Env, connection::Connection, http::Server, http_client::HttpClient, mcp::Era, mcp::text,
};

#[test]
fn bug_an_upload_ended_after_its_key_was_revoked() {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    let server = env.serve(&[]);
    let (id, proof) = key(&env, &json!({"permissions": ["read", "write"]}));
    let mut connection = server.connect();
    let head = format!(
        "PUT /v1/i/default/keys/up HTTP/1.1\r\nHost: {}\r\nAuthorization: {proof}\r\nContent-Length: 3\r\nExpect: \
         100-continue\r\n\r\n",
        server.address
    );
    connection.send_raw(head.as_bytes());
    assert_eq!(connection.head().status, 100, "the key was looked at, and the value is waited for");
    local(&env, "api_key_revoke", &json!({ "id": id }));
    connection.send_raw(b"new");
    assert_eq!(connection.response().status, 401);
    env.cli(&["get", "up"]).fails(3);
}

#[test]
fn bug_a_deleted_template_was_still_given_to_who_entered() {
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let (project, template) = team(&env, &[("ann@example.com", "read")]);
    local(&env, "instance_delete", &json!({ "instance": template }));
    let server = env.serve(&[]);
    let enter = || call(&server, "/mcp/edit", &ann, "project_enter", &json!({ "project": project }));
    assert_eq!(enter(), Err("not_found".into()));
    local(&env, "instance_undelete", &json!({ "instance": template }));
    assert!(enter().is_ok());
}

#[test]
fn bug_who_listened_before_they_first_entered_heard_on_after_they_were_taken_out() {
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let (project, _) = team(&env, &[("ann@example.com", "read")]);
    let server = env.serve(&[]);
    let mut modern = HttpClient::with_proof(&server, &format!("/p/{}/mcp", text(&project)), &ann, Era::Modern);
    modern.listen(&json!({"resourcesListChanged": true}));
    let own = call(&server, "/mcp/edit", &ann, "project_enter", &json!({ "project": project })).unwrap()["id"].clone();
    env.cli(&["-i", &text(&own), "set", "one", "v"]).ok();
    modern.next_where(|message| message["method"] == "notifications/resources/list_changed");
    let shares = local(&env, "share_list", &json!({"project": "team"}))["shares"].clone();
    local(&env, "share_remove", &json!({"id": shares[0]["id"]}));
    modern.only_hear().rest();
}

#[test]
fn bug_a_key_that_may_only_read_made_an_instance_by_entering() {
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let (_, reader) = key(&env, &json!({"user": "ann@example.com", "permissions": ["read"]}));
    let (project, _) = team(&env, &[("ann@example.com", "write")]);
    let server = env.serve(&[]);
    let enter = |proof: &str| call(&server, "/mcp/edit", proof, "project_enter", &json!({ "project": project }));
    let address = format!("/p/{}/mcp", text(&project));
    let read = |proof: &str| call(&server, &address, proof, "read_key", &json!({"key": "welcome"}));
    assert_eq!(enter(&reader), Err("permission_denied".into()));
    assert_eq!(read(&reader), Err("permission_denied".into()));
    let own = enter(&ann).unwrap();
    assert_eq!(enter(&reader).unwrap()["id"], own["id"]);
    assert_eq!(read(&reader).unwrap()["value"], "hello");
}

/// All pages of a list with one item each: the ids of the items, and the cursors between them.
fn pages(server: &Server, proof: &str, operation: &str, items: &str) -> (Vec<Value>, Vec<Value>) {
    let (mut ids, mut cursors) = (Vec::new(), Vec::new());
    loop {
        let mut args = json!({"limit": 1});
        if let Some(cursor) = cursors.last() {
            args["cursor"] = Value::clone(cursor);
        }
        let page = call(server, "/mcp/edit", proof, operation, &args).unwrap();
        ids.extend(page[items].as_array().unwrap().iter().map(|item| item["id"].clone()));
        match &page["next_cursor"] {
            Value::Null => return (ids, cursors),
            cursor => cursors.push(cursor.clone()),
        }
    }
}

#[test]
fn bug_the_cursors_of_lists_were_the_ids_of_what_is_hidden() {
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let server = env.serve(&[]);
    let all = |operation: &str, args: Value| call(&server, "/mcp/edit", &server.bearer(), operation, &args).unwrap();
    for number in 0..16 {
        let name = format!("of local {number}");
        let instance = all("instance_create", json!({ "name": name }))["id"].clone();
        let project = all("project_create", json!({ "name": name }))["id"].clone();
        if number % 4 == 0 {
            let given = json!({"with": "ann@example.com", "permission": "read"});
            for (what, id) in [("instance", instance), ("project", project)] {
                let mut share = given.clone();
                share[what] = id;
                all("share_create", share);
            }
        }
    }
    for (operation, items) in [("instance_list", "instances"), ("project_list", "projects")] {
        let (ids, cursors) = pages(&server, &ann, operation, items);
        assert_eq!(ids.len(), 5, "four and her own, {operation}: {ids:?}");
        assert!(cursors.iter().all(|cursor| ids.contains(cursor)), "{operation}: {cursors:?} of {ids:?}");
    }
}

#[test]
fn bug_a_key_that_ends_made_others_that_do_not() {
    let env = Env::new();
    user(&env, "ann@example.com");
    let (_, brief) = key(&env, &json!({"user": "ann@example.com", "expires_in_ms": 3_600_000}));
    let server = env.serve(&[]);
    let ask = |operation: &str, args: Value| call(&server, "/mcp/edit", &brief, operation, &args).unwrap();
    let keys = ask("api_key_list", json!({}))["keys"].clone();
    let ends = keys.as_array().unwrap().iter().find_map(|key| key["expires_at"].as_str()).unwrap().to_owned();
    for args in [json!({"name": "a"}), json!({"name": "b", "expires_in_ms": 7_200_000})] {
        assert_eq!(ask("api_key_create", args)["expires_at"], json!(ends));
    }
    assert!(text(&ask("api_key_create", json!({"name": "c", "expires_in_ms": 1000}))["expires_at"]) < ends);
    let delegate = ask("delegate_create", json!({"name": "d"}));
    assert_eq!(delegate["expires_at"], json!(ends));
    assert_eq!(ask("delegate_secret_create", json!({"delegate": delegate["id"]}))["expires_at"], json!(ends));
}

#[test]
fn bug_a_narrow_key_of_the_machine_made_keys_for_others() {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    user(&env, "bob@example.com");
    let instance = local(&env, "instance_list", &json!({}))["instances"][0]["id"].clone();
    let scope = format!("instance:{}", text(&instance));
    let (_, narrow) = key(&env, &json!({"scopes": [scope], "user": "local"}));
    let server = env.serve(&[]);
    for whose in ["bob@example.com", "nobody@example.com"] {
        let args = json!({"name": "x", "scopes": [scope], "user": whose});
        assert_eq!(call(&server, &at(&instance), &narrow, "api_key_create", &args), Err("permission_denied".into()));
    }
    let own = call(&server, &at(&instance), &narrow, "api_key_create", &json!({"name": "x", "scopes": [scope]}));
    assert_eq!(own.unwrap()["user"], "local");
}

#[test]
fn bug_what_was_given_to_an_address_outlived_its_user() {
    let env = Env::new();
    local(&env, "instance_create", &json!({"name": "i"}));
    let instance = local(&env, "instance_create", &json!({"name": "j"}))["id"].clone();
    let given = |instance: &str, with: &str| {
        local(&env, "share_create", &json!({"instance": instance, "with": with, "permission": "read"}))
    };
    given("i", "ann@example.com");
    local(&env, "group_create", &json!({"name": "g"}));
    local(&env, "group_add", &json!({"group": "g", "member": "ann@example.com"}));
    given("j", "group:g");
    let server = env.serve(&[]);
    let seen = |proof: &str| {
        let listed = call(&server, "/mcp/edit", proof, "instance_list", &json!({})).unwrap();
        let names = listed["instances"].as_array().unwrap().iter().map(|each| text(&each["name"]));
        names.filter(|name| name != "default").count()
    };
    assert_eq!(seen(&user(&env, "ann@example.com").1), 2);
    local(&env, "user_delete", &json!({"user": "ann@example.com"}));
    let (_, again) = user(&env, "ann@example.com");
    assert_eq!(seen(&again), 0);
    assert_eq!(call(&server, &at(&instance), &again, "list_keys", &json!({})), Err("not_found".into()));
}

#[test]
fn bug_no_proof_was_asked_of_who_comes_through_a_proxy() {
    let env = Env::new();
    let listen = ["serve", "--listen", "127.0.0.1:0", "--host", "mind.example.com"];
    env.cli(&[&listen[..], &["--no-auth"]].concat()).fails(2);
    let mut command = env.command();
    command.args(listen).env("ENVIRONMENT", "development");
    assert_eq!(crate::harness::run(command, b"").code, 2);
}

/// Follows what changes in `default` from its beginning, or from now on; the events come when they are asked for.
fn follow(server: &Server, proof: &str, query: &str) -> Connection {
    let mut connection = server.connect();
    connection.send("GET", &format!("/v1/i/default/changes{query}"), &[("Authorization", proof)], b"");
    assert_eq!(connection.head().status, 200);
    connection
}

/// What comes on a stream until the server ends it.
fn rest(connection: Connection) -> Vec<Value> {
    let (sender, inbox) = mpsc::channel();
    let _events = connection.events_to(sender);
    std::iter::from_fn(|| match inbox.recv_timeout(DEADLINE) {
        Ok(event) => Some(event),
        Err(ended) => {
            assert_eq!(ended, mpsc::RecvTimeoutError::Disconnected, "the stream ends");
            None
        }
    })
    .collect()
}

#[test]
fn bug_who_read_a_long_log_slowly_read_on_after_its_key_was_revoked() {
    const ROUNDS: usize = 50;
    let env = Env::new();
    let server = env.serve(&[]);
    // More than the system keeps for a client that does not read.
    let name = "𝄞".repeat(250);
    for round in 0..ROUNDS {
        let write = |number| {
            let value = format!("{round} {number} {name}");
            json!({"name": "write_key", "args": {"key": name, "value": value}})
        };
        let operations: Vec<Value> = (0..100).map(write).collect();
        call(&server, "/mcp/edit", &server.bearer(), "batch", &json!({"mode": "all", "operations": operations}))
            .unwrap();
    }
    let (id, proof) = key(&env, &json!({"permissions": ["read"]}));
    let slow = follow(&server, &proof, "?since=0");
    let idle = follow(&server, &proof, "");
    local(&env, "api_key_revoke", &json!({ "id": id }));
    rest(idle);
    let changes = rest(slow).iter().filter(|event| event["key"].is_string()).count();
    assert!(changes < ROUNDS * 100, "all {changes}");
}
