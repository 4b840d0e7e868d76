//! `export` and `import`: what leaves one store arrives in another as it was, and what is wrong changes nothing.

mod foreign;
mod hostile;

use serde_json::{Value, json};

use crate::harness::Env;

/// A store with one key of each kind, and what is hard about them.
fn filled() -> Env {
    let env = Env::new();
    let large: Vec<u8> = (0..200_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
    let file = env.file("large.bin", &large);
    env.cli(&["set", "text", "a\n```\nb\n### forged\n", "--tags", "one,`two`"]).ok();
    env.cli(&["set", "json", "{\"n\": 1.00}", "--type", "json"]).ok();
    env.cli(&["set", "empty", ""]).ok();
    env.cli(&["set", "dir/é", &"## long\n".repeat(10_000), "--content-type", "text/markdown"]).ok();
    env.cli(&["set", "file", "--file", &file, "--type", "file", "--content-type", "a/b"]).ok();
    env.cli(&["set", "pic", "--file", &file, "--type", "image", "--content-type", "image/png"]).ok();
    env.cli(&["set", "dies", "x", "--ttl-ms", "86400000"]).ok();
    env.cli(&["attr", "text", "--system-tags", "SystemPrompt,protected", "--description", "What\nfor"]).ok();
    let attributes = json!({"key": "json", "schema": {"type": "object"}, "z_index": -3, "history": "none"});
    env.cli(&["call", "set_key_attributes", &attributes.to_string()]).ok();
    env
}

/// Each key with its value, without versions and times.
fn keys(env: &Env) -> Vec<Value> {
    let names = env.cli(&["ls"]).ok();
    names
        .lines()
        .map(|name| {
            let mut key = env.cli(&["get", name, "--json"]).json();
            for time in ["version", "created_at", "updated_at", "updated_by"] {
                key.as_object_mut().unwrap().remove(time);
            }
            key
        })
        .collect()
}

const FORMATS: [&str; 3] = ["json", "markdown", "archive"];

#[test]
fn an_export_into_an_empty_store_is_equal() {
    let env = filled();
    let expected = keys(&env);
    for format in FORMATS {
        let path = env.path(&format!("out.{format}"));
        let path = path.to_str().unwrap();
        let said = env.cli(&["export", path, "--format", format]).ok();
        assert!(said.starts_with("Wrote 7 keys to"), "{said}");
        let other = Env::new();
        let said = other.cli(&["import", path]).ok();
        assert_eq!(said, "Keys created: 7, updated: 0, deleted: 0, unchanged: 0.\n", "{format}");
        assert_eq!(keys(&other), expected, "{format}");
        let said = other.cli(&["import", path, "--replace"]).ok();
        assert_eq!(said, "Keys created: 0, updated: 0, deleted: 0, unchanged: 7.\n", "{format}");
    }
}

#[test]
fn standard_output_gets_the_document_and_nothing_else() {
    let env = filled();
    for format in FORMATS {
        let path = env.path("file");
        let printed = env.cli(&["export", "--format", format]).stdout;
        env.cli(&["export", path.to_str().unwrap(), "--format", format]).ok();
        assert!(printed == std::fs::read(&path).unwrap(), "{format}");
    }
}

#[test]
fn import_merges_and_is_taken_back_by_undo() {
    let env = Env::new();
    env.cli(&["set", "here", "1"]).ok();
    env.cli(&["set", "both", "1"]).ok();
    let file = env.file("in.json", br#"{"both":"2","new":"3"}"#);
    let said = env.cli(&["import", &file]).ok();
    assert_eq!(said, "Keys created: 1, updated: 1, deleted: 0, unchanged: 0.\n");
    assert_eq!((env.cli(&["get", "here"]).ok(), env.cli(&["get", "both"]).ok()), ("1".into(), "2".into()));
    env.cli(&["undo"]).ok();
    assert_eq!(env.cli(&["ls"]).ok(), "both\nhere\n");
    assert_eq!(env.cli(&["get", "both"]).ok(), "1");
}

#[test]
fn replace_is_one_change_that_undo_takes_back() {
    let env = filled();
    // What it was is not kept, so that nothing could take it back.
    env.cli(&["rm", "json"]).ok();
    let before = keys(&env);
    let keys_of_map: Value = (0..150).map(|number| (format!("k{number}"), Value::from("v"))).collect();
    let file = env.file("in.json", keys_of_map.to_string().as_bytes());
    let result = env.cli(&["import", &file, "--replace", "--json"]).json();
    assert_eq!((&result["created"], &result["deleted"], &result["dry_run"]), (&json!(150), &json!(6), &json!(false)));
    assert_eq!(env.cli(&["ls"]).ok().lines().count(), 150);
    let undone = env.cli(&["undo"]).ok();
    assert!(undone.starts_with("Took back import of 156 keys"), "{undone}");
    assert_eq!(keys(&env), before);
}

#[test]
fn a_dry_run_says_what_would_change_and_changes_nothing() {
    let env = Env::new();
    env.cli(&["set", "gone", "1"]).ok();
    env.cli(&["set", "same", "1"]).ok();
    env.cli(&["set", "other", "1"]).ok();
    let file = env.file("in.json", br#"{"same":"1","other":"2","new":"3","":"4"}"#);
    let log = |env: &Env| env.cli(&["call", "log_read", "{\"since\":0}"]).ok();
    let before = log(&env);
    let said = env.cli(&["import", &file, "--replace", "--dry-run"]).ok();
    // A plain map says nothing of tags, so `same` is the same only because new keys have those.
    let expected = "~ other\n+ new\n- gone\nLeft out \"\": key: a key name has 1 to 256 characters and no control \
                    characters\nDRY RUN, nothing was changed. Keys created: 1, updated: 1, deleted: 1, unchanged: 1.\n";
    assert_eq!(said, expected);
    let result = env.cli(&["import", &file, "--dry-run", "--json"]).json();
    assert_eq!(result["changes"], json!([{"key": "other", "change": "updated"}, {"key": "new", "change": "created"}]));
    assert_eq!((&result["dry_run"], &result["deleted"]), (&json!(true), &json!(0)));
    assert_eq!(log(&env), before);
}

#[test]
fn many_keys_come_in_a_change_for_each_hundred() {
    let env = Env::new();
    let map: Value = (0..250).map(|number| (format!("k{number:03}"), Value::from("v"))).collect();
    let file = env.file("in.json", map.to_string().as_bytes());
    let output = env.cli(&["import", &file]);
    assert_eq!(output.stderr, "", "quiet when nobody looks");
    output.ok();
    assert_eq!(env.cli(&["ls"]).ok().lines().count(), 250);
    assert!(env.cli(&["undo"]).ok().starts_with("Took back import of 50 keys"));
}

#[test]
fn a_file_is_written_whole_or_not_at_all() {
    let env = filled();
    let file = env.file("out.json", b"before");
    env.cli(&["-i", "nowhere", "export", &file]).fails(3);
    assert_eq!(std::fs::read(&file).unwrap(), b"before");
    env.cli(&["export", env.path("no/such/folder").to_str().unwrap()]).fails(1);
    let left = std::fs::read_dir(env.path(""))
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().contains(".new-"));
    assert_eq!(left.count(), 0);
}

#[test]
fn an_archive_of_everything_is_restored_into_an_empty_store() {
    let env = filled();
    env.cli(&["instance", "create", "work"]).ok();
    env.cli(&["-i", "work", "set", "k", "v"]).ok();
    let path = env.path("all.mindcache");
    env.cli(&["export", path.to_str().unwrap(), "--all"]).ok();
    let other = Env::new();
    let said = other.cli(&["import", path.to_str().unwrap(), "--dry-run"]).ok();
    assert!(said.contains("Instance \"work\":\n+ k\n"), "{said}");
    assert_eq!(other.cli(&["instance", "list"]).ok(), "");
    other.cli(&["import", path.to_str().unwrap()]).ok();
    assert_eq!(keys(&other), keys(&env));
    assert_eq!(other.cli(&["-i", "work", "get", "k"]).ok(), "v");
    env.cli(&["export", "--all", "--format", "json"]).fails(2);
}

#[test]
fn bug_an_archive_of_everything_had_the_instances_of_one_project_alone() {
    let env = Env::new();
    env.cli(&["project", "create", "p"]).ok();
    for project in ["default", "p"] {
        let made = env.cli(&["call", "instance_create", &json!({"name": "notes", "project": project}).to_string()]);
        env.cli(&["-i", made.json()["id"].as_str().unwrap(), "set", "k", project]).ok();
    }
    let path = env.path("all.mindcache");
    let said = env.cli(&["export", path.to_str().unwrap(), "--all"]).ok();
    assert!(said.starts_with("Wrote 2 keys to ") && said.trim_end().ends_with(", from 2 instances."), "{said}");
    let imported = |args: &[&str]| {
        let (other, file) = (Env::new(), env.path("out.mindcache"));
        let told = env.cli(&[&["--json", "export", file.to_str().unwrap()], args].concat()).json();
        other.cli(&["import", file.to_str().unwrap()]).ok();
        let listed = other.cli(&["instance", "list", "--json"]).json()["instances"].clone();
        let value = |instance: &Value| {
            let name = instance["name"].as_str().unwrap().to_owned();
            (name.clone(), other.cli(&["-i", &name, "get", "k"]).ok())
        };
        (told, listed.as_array().unwrap().iter().map(value).collect::<std::collections::BTreeMap<_, _>>())
    };
    let values = |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    // Names of two projects are told apart; which is first depends on their ids.
    let (told, all) = imported(&["--all"]);
    assert_eq!(told, json!({"keys": 2, "instances": 2}));
    let one = values(&[("notes", "default"), ("notes of p", "p")]);
    assert!(all == one || all == values(&[("notes", "p"), ("notes of default", "default")]), "{all:?}");
    assert_eq!(imported(&["--project", "p"]), (json!({"keys": 1, "instances": 1}), values(&[("notes", "p")])));
    env.cli(&["export", "--project", "nowhere"]).fails(3);
    env.cli(&["export", "--project", "p", "--format", "json"]).fails(2);
    env.cli(&["export", "--project", "p", "--all"]).fails(2);
}

#[test]
fn clones_and_snapshots_of_an_archive_are_what_they_were() {
    let env = Env::new();
    env.cli(&["set", "k", "1"]).ok();
    env.cli(&["instance", "clone", "default", "child"]).ok();
    env.cli(&["instance", "clone", "child", "a grandchild"]).ok();
    env.cli(&["-i", "child", "set", "k", "2"]).ok();
    env.cli(&["instance", "snapshot", "child", "--note", "before the change"]).ok();
    env.cli(&["-i", "child", "set", "k", "3"]).ok();
    env.cli(&["call", "instance_set_read_only", "{\"instance\":\"a grandchild\",\"read_only\":true}"]).ok();
    env.cli(&["instance", "create", "gone"]).ok();
    env.cli(&["instance", "clone", "gone", "orphan"]).ok();
    env.cli(&["instance", "delete", "gone"]).ok();
    let path = env.path("all.mindcache");
    env.cli(&["export", path.to_str().unwrap(), "--all"]).ok();
    let other = Env::new();
    other.cli(&["import", path.to_str().unwrap()]).ok();
    // Ids are new, so parents are told by their names.
    let listed = |env: &Env| {
        let all = env.cli(&["instance", "list", "--json"]).json()["instances"].as_array().unwrap().clone();
        let name_of = |id: &Value| {
            all.iter().find(|each| each["id"] == *id).map_or(Value::Null, |instance| instance["name"].clone())
        };
        let mut told: Vec<_> = all
            .iter()
            .map(|each| {
                let key = env.cli(&["-i", each["name"].as_str().unwrap(), "ls"]).ok();
                let value = if key.is_empty() {
                    key
                } else {
                    env.cli(&["-i", each["name"].as_str().unwrap(), "get", "k"]).ok()
                };
                json!([each["name"], name_of(&each["parent"]), each["note"], each["read_only"], value]).to_string()
            })
            .collect();
        told.sort();
        told
    };
    assert_eq!(listed(&other), listed(&env));
    assert_eq!(listed(&other).len(), 5);
    // Again: what is read-only stays, the others have all of it already.
    let before = listed(&other);
    let said = other.cli(&["import", path.to_str().unwrap()]).ok();
    assert_eq!(said.matches("left as it is").count(), 2, "{said}");
    assert_eq!(listed(&other), before);
}
