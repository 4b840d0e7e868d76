//! Deleted and read-only instances: every process notices at its next call.

use serde_json::json;

use crate::{
    harness::{Env, mcp::text},
    instances::{editor, listed, op},
};

#[test]
fn a_read_only_instance_refuses_every_write_also_of_who_had_it_open() {
    let env = Env::new();
    let mut open = editor(&env);
    let version = open.write("k", "v");
    env.cli(&["instance", "read-only", "default"]).ok();
    let writes = [
        ("write_key", json!({"key": "k", "value": "w"})),
        ("write_k", json!({"value": "w"})),
        ("append_key", json!({"key": "k", "text": "w"})),
        ("edit_key", json!({"key": "k", "old_text": "v", "new_text": "w"})),
        ("delete_key", json!({"key": "k"})),
        ("set_key_attributes", json!({"key": "k", "description": "d"})),
        ("rename_key", json!({"key": "k", "new_key": "l"})),
        ("clear_keys", json!({})),
        ("restore_key", json!({"key": "k", "version": version})),
    ];
    for (tool, args) in writes.clone() {
        let message = text(&open.call(tool, args).error("permission_denied")["message"]);
        assert!(message.contains("instance_set_read_only") && message.contains("instance_clone"), "{tool}: {message}");
    }
    op(&mut open, "instance_create", json!({"name": "other"})).ok();
    op(&mut open, "instance_restore", json!({"instance": "default", "snapshot": "other"})).error("permission_denied");
    assert_eq!((open.value("k"), open.keys()), ("v".into(), vec!["k".to_owned()]));
    assert_eq!(env.cli(&["instance", "list", "--json"]).json()["instances"].as_array().unwrap().len(), 2);
    // A clone is what to work in; it is open.
    op(&mut open, "instance_clone", json!({"instance": "default", "name": "copy"})).ok();
    env.cli(&["-i", "copy", "set", "k", "w"]).ok();
    op(&mut open, "instance_set_read_only", json!({"instance": "default", "read_only": false})).ok();
    for (tool, args) in writes {
        if tool != "restore_key" && tool != "edit_key" {
            let reply = open.call(tool, args);
            assert!(!reply.is_error || tool != "write_key", "{}", reply.text());
        }
    }
}

#[test]
fn a_deleted_instance_is_not_found_by_who_had_it_open_until_it_is_undeleted() {
    let env = Env::new();
    let mut open = editor(&env);
    open.write("k", "v");
    let deleted = env.cli(&["instance", "delete", "default", "--json"]).json();
    for (tool, args) in [
        ("read_key", json!({"key": "k"})),
        ("list_keys", json!({})),
        ("write_key", json!({"key": "k", "value": "w"})),
        ("wait_for_change", json!({"wait_ms": 10})),
    ] {
        let message = text(&open.call(tool, args).error("not_found")["message"]);
        assert!(message.contains("instance_undelete"), "{tool}: {message}");
    }
    op(&mut open, "instance_delete", json!({"instance": deleted["id"]})).error("not_found");
    op(&mut open, "instance_clone", json!({"instance": deleted["id"], "name": "x"})).error("not_found");
    assert!(listed(&env).is_empty());
    // The session can bring back its own instance.
    op(&mut open, "instance_undelete", json!({"instance": "default"})).ok();
    assert_eq!(open.value("k"), "v");
    open.write("k", "w");
    assert_eq!((env.cli(&["get", "k"]).ok(), listed(&env)), ("w".into(), vec!["default".to_owned()]));
    // Asked again, it is there already.
    op(&mut open, "instance_undelete", json!({"instance": deleted["id"]})).ok();
}

#[test]
fn the_name_of_a_deleted_instance_is_free_and_taken_names_are_told() {
    let env = Env::new();
    env.cli(&["set", "k", "old"]).ok();
    let old = text(&env.cli(&["instance", "delete", "default", "--json"]).json()["id"]);
    // Made anew on its next use.
    env.cli(&["set", "k", "new"]).ok();
    assert_eq!(env.cli(&["get", "k"]).ok(), "new");
    let message = env.cli(&["instance", "undelete", "default"]).fails(4);
    assert!(message.contains("instance_rename"), "{message}");
    env.cli(&["-i", &old, "get", "k"]).fails(3);
    env.cli(&["instance", "rename", "default", "newer"]).ok();
    env.cli(&["call", "instance_undelete", "{\"instance\": \"default\"}"]).ok();
    assert_eq!((env.cli(&["get", "k"]).ok(), env.cli(&["-i", "newer", "get", "k"]).ok()), ("old".into(), "new".into()));
    assert_eq!(env.cli(&["-i", &old, "get", "k"]).ok(), "old");
}

#[test]
fn of_two_deleted_instances_of_one_name_the_last_comes_back() {
    let env = Env::new();
    for value in ["first", "second"] {
        env.cli(&["instance", "create", "a"]).ok();
        env.cli(&["-i", "a", "set", "k", value]).ok();
        env.cli(&["instance", "delete", "a"]).ok();
    }
    env.cli(&["instance", "undelete", "a"]).ok();
    assert_eq!(env.cli(&["-i", "a", "get", "k"]).ok(), "second");
}

#[test]
fn a_read_only_instance_stays_so_across_delete_and_undelete() {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    env.cli(&["instance", "read-only", "default"]).ok();
    env.cli(&["instance", "delete", "default"]).ok();
    assert!(env.cli(&["instance", "undelete", "default", "--json"]).json()["read_only"] == true);
    env.cli(&["set", "k", "w"]).fails(5);
    assert_eq!(env.cli(&["get", "k"]).ok(), "v");
}
