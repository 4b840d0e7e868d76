//! How much one user may take of what is everybody's, and what others cannot do to them.

use serde_json::{Value, json};

use super::{at, call, key, local, user};
use crate::harness::{Env, http::Server, mcp::text};

fn ask(server: &Server, proof: &str, name: &str, args: &Value) -> Result<Value, String> {
    call(server, "/mcp/edit", proof, name, args)
}

#[test]
fn a_user_has_so_many_projects_and_whose_the_machine_is_has_more() {
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let server = env.serve(&[]);
    let make = |proof: &str, number: usize| {
        ask(&server, proof, "project_create", &json!({"name": format!("p{number}")})).map(drop)
    };
    // One is theirs from the beginning.
    for number in 1..200 {
        make(&ann, number).unwrap();
    }
    assert_eq!(make(&ann, 200), Err("invalid_argument".into()));
    for number in 0..201 {
        make(&server.bearer(), number).unwrap();
    }
    ask(&server, &ann, "project_delete", &json!({"project": "p1"})).unwrap();
    make(&ann, 200).unwrap();
}

#[test]
fn nobody_fills_up_the_memberships_of_another_alone_and_who_is_in_leaves() {
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let (_, eve) = user(&env, "eve@example.com");
    let instance = local(&env, "instance_create", &json!({"name": "i"}))["id"].clone();
    let server = env.serve(&[]);
    let add = |proof: &str, group: &str| {
        ask(&server, proof, "group_create", &json!({ "name": group })).unwrap();
        ask(&server, proof, "group_add", &json!({"group": group, "member": "ann@example.com"}))
    };
    for number in 0..50 {
        add(&eve, &format!("g{number}")).unwrap();
    }
    assert_eq!(add(&eve, "one more"), Err("invalid_argument".into()));
    // Others still can, and what they give counts, found among many memberships.
    add(&server.bearer(), "team").unwrap();
    local(&env, "share_create", &json!({"instance": instance, "with": "group:team", "permission": "write"}));
    let write = |key: &str| call(&server, &at(&instance), &ann, "write_key", &json!({"key": key, "value": "v"}));
    write("k").unwrap();
    let joined = ask(&server, &ann, "group_list", &json!({"joined": true})).unwrap()["groups"].clone();
    let joined = joined.as_array().unwrap();
    assert_eq!(joined.len(), 51);
    for group in joined {
        assert_eq!(group["members"].as_array().unwrap().len(), 1, "the others are none of her business: {group}");
        ask(&server, &ann, "group_leave", &json!({"group": group["id"]})).unwrap();
    }
    assert_eq!(ask(&server, &ann, "group_leave", &json!({"group": joined[0]["id"]})), Err("not_found".into()));
    assert_eq!(write("k"), Err("not_found".into()), "what came with a group goes with it");
    add(&eve, "another").unwrap();
}

#[test]
fn who_was_given_something_sees_it_and_gives_it_back() {
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let (_, narrow) = key(&env, &json!({"user": "ann@example.com", "permissions": ["read"]}));
    let instance = local(&env, "instance_create", &json!({"name": "i"}))["id"].clone();
    local(&env, "share_create", &json!({"instance": instance, "with": "ann@example.com", "permission": "read"}));
    let server = env.serve(&[]);
    let given = ask(&server, &ann, "share_list", &json!({})).unwrap()["shares"].clone();
    assert_eq!((given.as_array().unwrap().len(), text(&given[0]["on"])), (1, format!("instance:{}", text(&instance))));
    assert_eq!(ask(&server, &narrow, "share_list", &json!({})), Err("permission_denied".into()));
    ask(&server, &ann, "share_remove", &json!({"id": given[0]["id"]})).unwrap();
    assert_eq!(ask(&server, &ann, "share_list", &json!({})).unwrap()["shares"], json!([]));
}

#[test]
fn bug_one_user_could_take_every_place_for_what_lasts() {
    let env = Env::new();
    let (_, first) = user(&env, "ann@example.com");
    let (_, second) = key(&env, &json!({"user": "ann@example.com"}));
    let (_, bob) = user(&env, "bob@example.com");
    let instance = local(&env, "instance_create", &json!({"name": "i"}))["id"].clone();
    for email in ["ann@example.com", "bob@example.com"] {
        local(&env, "share_create", &json!({"instance": instance, "with": email, "permission": "read"}));
    }
    let server = env.serve(&["--multi-user"]);
    let path = format!("/v1/i/{}", text(&instance));
    let follow = |proof: &str| {
        let mut connection = server.connect();
        connection.send("GET", &format!("{path}/changes"), &[("Authorization", proof)], b"");
        (connection.head().status, connection)
    };
    let mut streams: Vec<_> = (0..256).map(|number| follow(if number % 2 == 0 { &first } else { &second })).collect();
    assert!(streams.iter().all(|(status, _)| *status == 200));
    let refused = server.get(&format!("{path}/changes"), &[("Authorization", &second)]);
    assert_eq!((refused.status, text(&refused.json()["code"])), (503, "overloaded".into()));
    assert!(refused.text().contains("256 subscriptions and streams open"), "{}", refused.text());
    // Those of MCP are the same places; others have theirs.
    let listen = server.get(&format!("/i/{}/mcp", text(&instance)), &[("Authorization", &first)]);
    assert_eq!(listen.status, 429, "{}", listen.text());
    assert_eq!(follow(&bob).0, 200);
    streams.pop();
    crate::harness::eventually("a place is free again", || follow(&first).0 == 200);
    let wait = |proof: &str, wait_ms: u32| {
        let headers = [("Authorization", proof), ("Content-Type", "application/json")];
        let args = json!({ "wait_ms": wait_ms }).to_string();
        server.send("POST", &format!("{path}/ops/wait_for_change"), &headers, &args)
    };
    let (sender, ended) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for number in 0..129 {
            let (sender, proof, wait) = (sender.clone(), if number % 2 == 0 { &first } else { &second }, &wait);
            scope.spawn(move || sender.send(wait(proof, 45_000).status));
        }
        assert_eq!(ended.recv().unwrap(), 503, "the one that is too many is the first to be answered");
        assert_eq!(wait(&bob, 1).status, 200);
        env.cli(&["-i", &text(&instance), "set", "k", "v"]).ok();
        assert!(ended.iter().take(128).all(|status| status == 200));
    });
}

#[test]
fn bug_who_had_left_a_group_was_put_back_against_their_will() {
    let env = Env::new();
    let (ann_id, ann) = user(&env, "ann@example.com");
    let (_, eve) = user(&env, "eve@example.com");
    let server = env.serve(&[]);
    let group = ask(&server, &eve, "group_create", &json!({"name": "g"})).unwrap()["id"].clone();
    let add = |member: &str| ask(&server, &eve, "group_add", &json!({"group": group, "member": member})).map(drop);
    let leave = |args: Value| {
        let mut all = json!({ "group": group });
        all.as_object_mut().unwrap().extend(args.as_object().unwrap().clone());
        ask(&server, &ann, "group_leave", &all).map(drop)
    };
    assert_eq!(leave(json!({"may_return": true})), Err("not_found".into()), "she was never in it");
    add("ann@example.com").unwrap();
    leave(json!({})).unwrap();
    for member in ["ann@example.com", &format!("user:{ann_id}")] {
        assert_eq!(add(member), Err("permission_denied".into()));
    }
    add("bob@example.com").unwrap();
    leave(json!({"may_return": true})).unwrap();
    assert_eq!(leave(json!({})), Err("not_found".into()), "nothing is kept of her");
    add("ann@example.com").unwrap();
    // Who is no more is nowhere any more.
    leave(json!({})).unwrap();
    local(&env, "user_delete", &json!({"user": "ann@example.com"}));
    let raw = env.cli(&["-i", "_catalog", "sql", "SELECT body FROM main.record WHERE kind = 'group'"]).ok();
    assert!(!raw.contains(&ann_id) && raw.contains("bob@example.com"), "{raw}");
}
