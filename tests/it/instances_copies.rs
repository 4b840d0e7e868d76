//! Clones, snapshots and restoring: one state, whole or not at all, and nothing that was not asked for.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use serde_json::json;

use crate::{
    harness::{
        DEADLINE, Env,
        mcp::{ToolReply, text},
    },
    instances::{editor, listed, op},
};

/// The folder of an instance.
fn folder(env: &Env, id: &str) -> PathBuf {
    env.data().join("instances").join(&id[..2]).join(id)
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn a_clone_is_whole_and_goes_its_own_way() {
    let env = Env::new();
    let mut client = editor(&env);
    let large = "a large value ".repeat(20_000);
    client.write("large", &large);
    client.write("k", "first");
    client.write("k", "second");
    client.write("gone", "v");
    client.call("delete_key", json!({"key": "gone"})).ok();
    let parent =
        text(&op(&mut client, "instance_rename", json!({"instance": "default", "name": "default"})).ok()["id"]);
    let copy = op(&mut client, "instance_clone", json!({"instance": "default", "name": "copy"})).ok();
    assert_eq!((&copy["parent"], &copy["read_only"]), (&json!(parent), &json!(false)));
    let mut other = env.mcp_with(&["--mode", "edit", "-i", "copy"]);
    for key in ["k", "gone", "large"] {
        let history = |client: &mut crate::harness::mcp::Client| client.call("key_history", json!({"key": key})).ok();
        assert_eq!(history(&mut client), history(&mut other));
    }
    // Versions go on where they were.
    let next = other.write("k", "third");
    assert_eq!(client.write("l", "v"), next);
    other.write("large", "small now");
    assert_eq!((client.value("k"), other.value("k")), ("second".into(), "third".into()));
    assert_eq!(env.cli(&["get", "large"]).ok(), large);
    op(&mut client, "instance_delete", json!({"instance": "default"})).ok();
    let restored = other.call("restore_key", json!({"key": "large", "version": 1})).ok();
    assert_eq!(restored["created"], false);
    assert_eq!(env.cli(&["-i", "copy", "get", "large"]).ok(), large);
}

#[test]
fn a_clone_under_load_is_one_state_with_all_that_was_acknowledged() {
    let env = Env::new();
    let mut writer = env.mcp();
    let key = |n: u64| format!("k{n:05}");
    let value = |n: u64| if n.is_multiple_of(10) { key(n).repeat(20_000) } else { key(n) };
    let acknowledged = AtomicU64::new(writer.write(&key(0), &value(0)));
    // One change each.
    let mut written = vec![key(0)];
    let clones = thread::scope(|scope| {
        let cloning = scope.spawn(|| {
            let filters = [&[][..], &["--prefix", "k"]];
            let clone = |round: usize| {
                let least = acknowledged.load(Ordering::SeqCst);
                let name = format!("copy {round}");
                env.cli(&[&["instance", "clone", "default", &name][..], filters[round % 2]].concat()).ok();
                (name, least)
            };
            (0..4).map(clone).collect::<Vec<_>>()
        });
        while !cloning.is_finished() {
            let ids: Vec<_> = (0..5)
                .map(|_| {
                    let n = written.len() as u64;
                    written.push(key(n));
                    writer.send_call("write_key", json!({"key": key(n), "value": value(n)}))
                })
                .collect();
            let replies = writer.collect(&ids).into_values().map(|reply| ToolReply::of(reply.unwrap()).ok());
            let last = replies.map(|reply| reply["version"].as_u64().unwrap()).max().unwrap();
            acknowledged.store(last, Ordering::SeqCst);
        }
        cloning.join().unwrap()
    });
    let versions: BTreeMap<String, u64> = all_keys(&env, "default").into_iter().collect();
    for (name, least) in clones {
        let mut found: Vec<_> = all_keys(&env, &name).into_iter().map(|(key, _)| versions[&key]).collect();
        found.sort_unstable();
        assert!(found.len() as u64 >= least, "{name} lacks what was acknowledged: {} of {least}", found.len());
        let expected: Vec<u64> = (1..=found.len() as u64).collect();
        assert_eq!(found, expected, "{name} is one state: the first changes, and no other");
        assert_eq!(env.cli(&["-i", &name, "get", "k00000"]).ok(), value(0));
    }
}

/// All keys of an instance with their versions.
fn all_keys(env: &Env, instance: &str) -> Vec<(String, u64)> {
    let list = env.cli(&["-i", instance, "ls", "--json"]).json();
    let keys = list["keys"].as_array().unwrap().iter();
    keys.map(|key| (text(&key["key"]), key["version"].as_u64().unwrap())).collect()
}

#[test]
fn a_filtered_clone_holds_nothing_else() {
    let env = Env::new();
    let mut client = editor(&env);
    let canary = "CANARY-of-what-was-left-out";
    client.write(&format!("secret {canary}"), canary);
    client.write("secret large", &canary.repeat(10_000));
    client.write("open/old", canary);
    client.write("open/old", "new");
    client.write("open/large", &canary.repeat(10_001));
    client.write("open/large", &"kept ".repeat(20_000));
    client.call("write_key", json!({"key": "other", "value": "tagged", "tags": ["t"], "ttl_ms": 600_000})).ok();
    client.call("write_key", json!({"key": "open/tagged", "value": "both", "tags": ["t"]})).ok();
    client.write("open/gone", canary);
    client.call("delete_key", json!({"key": "open/gone"})).ok();
    for (filter, expected) in [
        (json!({"prefix": "open/"}), vec!["open/large", "open/old", "open/tagged"]),
        (json!({"tag": "t"}), vec!["open/tagged", "other"]),
        (json!({"tag": "t", "prefix": "open/"}), vec!["open/tagged"]),
        (json!({"tag": "nobody has it"}), vec![]),
    ] {
        let mut args = json!({"instance": "default", "name": filter.to_string().replace('/', "")});
        args.as_object_mut().unwrap().extend(filter.as_object().unwrap().clone());
        let id = text(&op(&mut client, "instance_clone", args).ok()["id"]);
        let mut copy = env.mcp_with(&["--mode", "edit", "-i", &id]);
        assert_eq!(copy.keys(), expected);
        for key in &expected {
            let versions = copy.call("key_history", json!({"key": key})).ok()["versions"].as_array().unwrap().len();
            assert_eq!(versions, 1, "a fresh log");
            assert_eq!(env.cli(&["get", key]).ok(), env.cli(&["-i", &id, "get", key]).ok());
        }
        let found = files(&folder(&env, &id));
        assert!(found.iter().any(|file| file.ends_with("instance.db")));
        for file in found {
            let bytes = fs::read(&file).unwrap();
            let leaks = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!leaks, "{} holds what was left out", file.display());
        }
    }
    let other = env.cli(&["-i", "{\"tag\":\"t\"}", "get", "other", "--json"]).json();
    let origin = env.cli(&["get", "other", "--json"]).json();
    assert_eq!(other["expires_at"], origin["expires_at"]);
}

#[test]
fn a_snapshot_with_large_values_brings_the_instance_back() {
    let env = Env::new();
    let mut client = editor(&env);
    let large = "large ".repeat(30_000);
    client.write("large", &large);
    client.write("k", "v");
    client.call("set_key_attributes", json!({"key": "k", "tags": ["t"], "description": "d", "z_index": 3})).ok();
    let snapshot = op(&mut client, "instance_snapshot", json!({"instance": "default", "note": "before"})).ok();
    assert_eq!((&snapshot["read_only"], &snapshot["note"]), (&json!(true), &json!("before")));
    assert!(text(&snapshot["name"]).starts_with("default@20"), "{snapshot}");
    let again = op(&mut client, "instance_snapshot", json!({"instance": "default"})).ok();
    assert_ne!(again["name"], snapshot["name"]);
    let id = text(&snapshot["id"]);
    env.cli(&["-i", &id, "set", "k", "w"]).fails(5);
    client.call("clear_keys", json!({})).ok();
    client.write("new", "n");
    client.call("set_key_attributes", json!({"key": "new", "system_tags": ["protected"]})).ok();
    client.write("k", "other");
    let before = client.call("list_keys", json!({})).ok()["as_of_seq"].as_u64().unwrap();
    let restored = op(&mut client, "instance_restore", json!({"instance": "default", "snapshot": id})).ok();
    assert_eq!(restored["name"], "default");
    assert_eq!(client.keys(), ["k", "large"]);
    assert_eq!(env.cli(&["get", "large"]).ok(), large);
    let key = env.cli(&["get", "k", "--json"]).json();
    assert_eq!((&key["value"], &key["tags"], &key["z_index"]), (&json!("v"), &json!(["t"]), &json!(3)));
    let versions = client.call("key_history", json!({"key": "k"})).ok()["versions"].clone();
    assert_eq!((&versions[0]["operation"], &versions[1]["value"]), (&json!("instance_restore"), &json!("other")));
    let after = client.call("list_keys", json!({})).ok()["as_of_seq"].as_u64().unwrap();
    assert_eq!(after - before, 3, "new went, k and large came");
    // What is so already is left alone.
    op(&mut client, "instance_restore", json!({"instance": "default", "snapshot": text(&snapshot["name"])})).ok();
    assert_eq!(client.call("list_keys", json!({})).ok()["as_of_seq"], after);
    // The snapshot may go; the instance has its own names of the large values.
    op(&mut client, "instance_delete", json!({"instance": id})).ok();
    assert_eq!(env.cli(&["get", "large"]).ok(), large);
}

#[test]
fn a_wait_hears_of_a_restore() {
    let env = Env::new();
    let mut client = editor(&env);
    let version = client.write("k", "v");
    let id = text(&op(&mut client, "instance_snapshot", json!({"instance": "default"})).ok()["id"]);
    client.call("delete_key", json!({"key": "k"})).ok();
    let waiting = client.send_call("wait_for_change", json!({"key": "k", "after_version": version + 1}));
    env.cli(&["instance", "restore", "default", &id]).ok();
    let waited = ToolReply::of(client.reply(waiting).unwrap()).ok();
    assert_eq!(waited["changes"], json!([{"key": "k", "change": "created", "version": version + 2}]));
}

#[test]
fn a_clone_that_is_killed_leaves_nothing_listed_and_the_source_as_it_was() {
    let env = Env::new();
    let mut client = editor(&env);
    for number in 0..8 {
        client.write(&format!("k{number}"), &number.to_string().repeat(3_000_000));
        client.write(&format!("s{number}"), &number.to_string().repeat(50_000));
    }
    let (_never, pace) = mpsc::channel::<()>();
    for (round, filter) in [&[][..], &["--prefix", "s"], &["--prefix", "k"], &[]].into_iter().enumerate() {
        let (name, known) = (format!("copy {round}"), folders(&env));
        let mut command = env.command();
        command.args(["instance", "clone", "default", &name]).args(filter);
        // A filtered copy takes its time between its own commit and the catalog's.
        command.env("MINDCACHE_BENCH_COMMIT_DELAY_MS", "200").stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut waited = Duration::ZERO;
        while folders(&env) == known && waited < DEADLINE {
            pace.recv_timeout(Duration::from_micros(200)).unwrap_err();
            waited += Duration::from_micros(200);
        }
        child.kill().unwrap();
        let ended = child.wait().unwrap();
        if listed(&env).contains(&name) {
            // The kill came after the commit: then it is whole.
            assert!(filter.is_empty(), "a filtered copy is not that quick");
            let diff = env.cli(&["instance", "diff", "default", &name, "--json"]).json();
            assert_eq!(diff["removed"], json!([]));
        } else {
            assert_eq!(ended.code(), None, "it was killed");
        }
        assert_eq!(client.value("s7"), "7".repeat(50_000));
        client.write("still", "writable");
    }
    env.cli(&["instance", "clone", "default", "whole"]).ok();
    let diff = env.cli(&["instance", "diff", "default", "whole", "--json"]).json();
    assert_eq!(diff, json!({"added": [], "removed": [], "changed": []}));
    assert_eq!(env.cli(&["-i", "whole", "get", "k3"]).ok(), "3".repeat(3_000_000));
}

/// How many folders of instances there are, ready or being built.
fn folders(env: &Env) -> usize {
    let shelves = fs::read_dir(env.data().join("instances")).into_iter().flatten().flatten();
    shelves.flat_map(|shelf| fs::read_dir(shelf.path()).into_iter().flatten().flatten()).count()
}
