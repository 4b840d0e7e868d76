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
