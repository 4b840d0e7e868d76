//! Operations on whole instances: what they answer, what they refuse, and their commands.

use serde_json::{Value, json};

use crate::harness::{
    Env,
    mcp::{Client, ToolReply, members, text},
};

/// Calls an operation that is no tool of its own.
pub(crate) fn op(client: &mut Client, name: &str, args: Value) -> ToolReply {
    client.call("op_call", json!({"name": name, "args": args}))
}

/// A client that may do everything.
pub(crate) fn editor(env: &Env) -> Client {
    env.mcp_with(&["--mode", "edit"])
}

/// The names of all instances that are listed.
pub(crate) fn listed(env: &Env) -> Vec<String> {
    let list = env.cli(&["instance", "list", "--json"]).json();
    let mut names: Vec<_> = list["instances"].as_array().unwrap().iter().map(|each| text(&each["name"])).collect();
    names.sort();
    names
}

#[test]
fn every_instance_operation_is_found_in_edit_mode_alone() {
    let env = Env::new();
    for (mode, count) in [("read", 0), ("use", 0), ("edit", 11)] {
        let found = env.mcp_with(&["--mode", mode]).call("op_search", json!({"query": "instance_"})).ok();
        let names = found["operations"].as_array().unwrap().iter().map(|operation| text(&operation["name"]));
        assert_eq!(names.filter(|name| name.starts_with("instance_")).count(), count, "{mode}");
    }
    for name in ["instance_list", "instance_diff", "instance_delete", "instance_snapshot"] {
        let args = json!({"instance": "default", "from": "default", "to": "default"});
        op(&mut env.mcp(), name, args).error("permission_denied");
    }
}

#[test]
fn an_instance_is_made_listed_and_renamed() {
    let env = Env::new();
    let mut client = editor(&env);
    let made = op(&mut client, "instance_create", json!({"name": "team notes"})).ok();
    assert_eq!(members(&made), ["id", "name", "read_only"]);
    let renamed = op(&mut client, "instance_rename", json!({"instance": "team notes", "name": "ours"})).ok();
    assert_eq!((&renamed["id"], &renamed["name"]), (&made["id"], &json!("ours")));
    op(&mut client, "instance_rename", json!({"instance": made["id"], "name": "ours"})).ok();
    assert_eq!(listed(&env), ["default", "ours"]);
    env.cli(&["-i", "ours", "set", "k", "v"]).ok();
    assert_eq!(env.cli(&["-i", &text(&made["id"]), "get", "k"]).ok(), "v");
    env.cli(&["-i", "team notes", "get", "k"]).fails(3);
}

#[test]
fn a_name_that_is_taken_and_one_that_is_none_are_refused() {
    let env = Env::new();
    let mut client = editor(&env);
    op(&mut client, "instance_create", json!({"name": "a"})).ok();
    for (name, args) in [
        ("instance_create", json!({"name": "a"})),
        ("instance_rename", json!({"instance": "default", "name": "a"})),
        ("instance_clone", json!({"instance": "default", "name": "a"})),
        ("instance_clone", json!({"instance": "default", "name": "a", "prefix": "x"})),
    ] {
        op(&mut client, name, args).error("already_exists");
    }
    for bad in ["", "a/b", "..", "_x", "_catalog", "0ad0a8a6-2d6c-4b6e-9f0f-0e6c6b6f4a11", &"x".repeat(129)] {
        op(&mut client, "instance_create", json!({"name": bad})).error("invalid_argument");
        op(&mut client, "instance_clone", json!({"instance": "a", "name": bad})).error("invalid_argument");
        op(&mut client, "instance_rename", json!({"instance": "a", "name": bad})).error("invalid_argument");
    }
    assert_eq!(listed(&env), ["a", "default"]);
}

#[test]
fn unknown_instances_and_the_catalog_are_refused() {
    let env = Env::new();
    let mut client = editor(&env);
    let unknown = "0ad0a8a6-2d6c-4b6e-9f0f-0e6c6b6f4a11";
    for (which, code) in [("nowhere", "not_found"), (unknown, "not_found"), ("_catalog", "invalid_argument")] {
        for (name, args) in [
            ("instance_rename", json!({"instance": which, "name": "x"})),
            ("instance_delete", json!({"instance": which})),
            ("instance_undelete", json!({"instance": which})),
            ("instance_set_read_only", json!({"instance": which, "read_only": true})),
            ("instance_clone", json!({"instance": which, "name": "x"})),
            ("instance_clone", json!({"instance": which, "name": "x", "tag": "t"})),
            ("instance_snapshot", json!({"instance": which})),
            ("instance_restore", json!({"instance": which, "snapshot": "default"})),
            ("instance_restore", json!({"instance": "default", "snapshot": which})),
            ("instance_diff", json!({"from": which, "to": "default"})),
            ("instance_diff", json!({"from": "default", "to": which})),
        ] {
            let error = op(&mut client, name, args).error(code);
            assert!(code == "invalid_argument" || text(&error["message"]).contains(which), "{name}: {error}");
        }
    }
    op(&mut client, "instance_restore", json!({"instance": "default", "snapshot": "default"}))
        .error("invalid_argument");
    assert_eq!(listed(&env), ["default"]);
}

#[test]
fn a_list_comes_in_pages() {
    let env = Env::new();
    let mut client = editor(&env);
    client.keys();
    for number in 0..6 {
        op(&mut client, "instance_create", json!({"name": format!("i{number}")})).ok();
    }
    op(&mut client, "instance_delete", json!({"instance": "i3"})).ok();
    let (mut names, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page = op(&mut client, "instance_list", json!({"limit": 2, "cursor": cursor})).ok();
        let instances = page["instances"].as_array().unwrap();
        assert!(instances.len() <= 2);
        names.extend(instances.iter().map(|instance| text(&instance["name"])));
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    names.sort();
    assert_eq!(names, ["default", "i0", "i1", "i2", "i4", "i5"]);
    let with_deleted = op(&mut client, "instance_list", json!({"deleted": true})).ok();
    let deleted: Vec<_> =
        with_deleted["instances"].as_array().unwrap().iter().filter(|each| each["deleted_at"].is_string()).collect();
    assert_eq!((deleted.len(), &deleted[0]["name"]), (1, &json!("i3")));
}

#[test]
fn a_comparison_names_what_differs_in_value_or_attributes() {
    let env = Env::new();
    let mut client = editor(&env);
    for key in ["same", "value", "tags", "gone", "again"] {
        client.write(key, "v");
    }
    op(&mut client, "instance_clone", json!({"instance": "default", "name": "b"})).ok();
    let same = op(&mut client, "instance_diff", json!({"from": "default", "to": "b"})).ok();
    assert_eq!(same, json!({"added": [], "removed": [], "changed": []}));
    let mut other = env.mcp_with(&["--mode", "edit", "-i", "b"]);
    other.write("value", "w");
    other.call("set_key_attributes", json!({"key": "tags", "tags": ["t"]})).ok();
    other.call("delete_key", json!({"key": "gone"})).ok();
    other.write("new", "n");
    // Another version of the same is the same.
    other.write("again", "x");
    other.write("again", "v");
    let found = op(&mut client, "instance_diff", json!({"from": "default", "to": "b"})).ok();
    assert_eq!(found, json!({"added": ["new"], "removed": ["gone"], "changed": ["tags", "value"]}));
    let back = op(&mut client, "instance_diff", json!({"from": "b", "to": "default"})).ok();
    assert_eq!(back, json!({"added": ["gone"], "removed": ["new"], "changed": ["tags", "value"]}));
}

#[test]
fn the_commands_do_what_the_operations_do() {
    let env = Env::new();
    env.cli(&["set", "k", "v", "--tags", "t"]).ok();
    let made = env.cli(&["instance", "create", "a", "--json"]).json();
    assert_eq!(members(&made), ["id", "name", "read_only"]);
    assert!(env.cli(&["instance", "create", "a"]).fails(4).contains("\"a\""));
    env.cli(&["instance", "rename", "a", "b"]).ok();
    env.cli(&["instance", "clone", "default", "whole"]).ok();
    env.cli(&["instance", "clone", "default", "some", "--tag", "t", "--prefix", "x"]).ok();
    assert_eq!(env.cli(&["-i", "whole", "ls"]).ok() + &env.cli(&["-i", "some", "ls"]).ok(), "k\n");
    let snapshot = env.cli(&["instance", "snapshot", "default", "--note", "before", "--json"]).json();
    assert_eq!(members(&snapshot), ["id", "name", "note", "parent", "read_only"]);
    env.cli(&["set", "k", "w"]).ok();
    env.cli(&["set", "l", "w"]).ok();
    let id = text(&snapshot["id"]);
    let diff = env.cli(&["instance", "diff", &id, "default"]).ok();
    assert!(diff.starts_with("+ l\n~ k\n"), "{diff}");
    let restored = env.cli(&["instance", "restore", "default", &id, "--json"]).json();
    assert_eq!(restored["name"], "default");
    assert_eq!((env.cli(&["get", "k"]).ok(), env.cli(&["ls"]).ok()), ("v".into(), "k\n".into()));
    env.cli(&["-i", "whole", "instance", "snapshot"]).ok();
    let list = env.cli(&["instance", "list"]).ok();
    assert!(list.lines().any(|line| line.starts_with("b\t")) && list.contains("read-only") && list.contains("before"));
    env.cli(&["instance", "read-only", "b"]).ok();
    env.cli(&["-i", "b", "set", "k", "v"]).fails(5);
    env.cli(&["instance", "read-only", "b", "--off"]).ok();
    env.cli(&["-i", "b", "set", "k", "v"]).ok();
    env.cli(&["instance", "delete", "b"]).ok();
    env.cli(&["-i", "b", "get", "k"]).fails(3);
    assert!(env.cli(&["instance", "list", "--deleted"]).ok().contains("deleted 2"));
    env.cli(&["instance", "undelete", "b"]).ok();
    assert_eq!(env.cli(&["-i", "b", "get", "k"]).ok(), "v");
    env.cli(&["instance", "delete", "nowhere"]).fails(3);
    env.cli(&["instance", "clone", "_catalog", "x"]).fails(2);
    env.cli(&["instance"]).fails(2);
}
