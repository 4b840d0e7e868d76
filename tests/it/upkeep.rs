//! What one of the processes does for all: the history stays within its bounds, nothing is left lying about, and what
//! was taken out is in no file.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde_json::json;

use crate::harness::{
    Env, eventually,
    mcp::{Client, Era},
};

/// A process that looks for upkeep all the time.
fn eager(env: &Env, settings: &[(&str, &str)]) -> Client {
    let mut command = env.command();
    command.args(["mcp", "--mode", "edit"]).env("MINDCACHE_UPKEEP_EVERY_MS", "50").envs(settings.iter().copied());
    let mut client = Client::start(command, Era::Legacy);
    client.handshake();
    client
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// The folder of the instance `default`.
fn instance(env: &Env) -> PathBuf {
    let files = walk(&env.data().join("instances"));
    let database = files.iter().find(|path| path.ends_with("instance.db")).expect("an instance");
    database.parent().unwrap().to_owned()
}

#[expect(clippy::disallowed_methods, reason = "a file's age is told by the clock")]
fn make_old(path: &Path) {
    let long_ago = SystemTime::now() - Duration::from_hours(2);
    File::open(path).unwrap().set_modified(long_ago).unwrap();
}

#[test]
fn a_history_of_few_rows_keeps_the_last_states() {
    let env = Env::new();
    let mut client = eager(&env, &[("MINDCACHE_HISTORY_ROWS", "5")]);
    let first = client.write("steady", "s");
    client.write("gone", "g");
    client.call("delete_key", json!({"key": "gone"})).ok();
    for number in 0..40 {
        client.write("k", &number.to_string());
    }
    let versions = |client: &mut Client, key: &str| {
        let history = client.call("key_history", json!({"key": key, "limit": 100})).ok();
        history["versions"].as_array().unwrap().clone()
    };
    eventually("old versions go", || versions(&mut client, "k").len() == 6);
    let kept = versions(&mut client, "k");
    assert_eq!((&kept[0]["value"], &kept[5]["value"]), (&json!("39"), &json!("34")));
    assert_eq!(versions(&mut client, "steady").len(), 1);
    // What it was is gone, and with it who may know of it.
    client.call("key_history", json!({"key": "gone"})).error("not_found");
    client.call("restore_key", json!({"key": "k", "version": first + 4})).error("not_found");
    // Whoever went away before that hears of the last change of everything that changed since.
    let waited = client.call("wait_for_change", json!({"after_version": first})).ok();
    let names: Vec<_> = waited["changes"].as_array().unwrap().iter().map(|change| change["key"].clone()).collect();
    assert!(names.contains(&json!("gone")) && names.contains(&json!("k")), "{names:?}");
    assert_eq!(client.value("steady"), "s");
}

#[test]
fn what_creations_and_removals_left_is_swept_when_it_is_old_and_free() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("k", "v");
    drop(client);
    let shard = instance(&env).parent().unwrap().to_owned();
    let make = |name: &str| {
        let folder = shard.join(name);
        fs::create_dir_all(folder.join("blobs")).unwrap();
        fs::write(folder.join("lock"), "").unwrap();
        folder
    };
    // An instance that a catalog from a backup does not know is none of those; an empty one is.
    env.cli(&["instance", "create", "empty"]).ok();
    // The last to close leaves everything in the database.
    env.cli(&["set", "k", "v"]).ok();
    let of = |name: &str| {
        let listed = env.cli(&["--json", "instance", "list"]).json()["instances"].as_array().unwrap().clone();
        let id = listed.iter().find(|each| each["name"] == name).unwrap()["id"].as_str().unwrap().to_owned();
        env.data().join("instances").join(&id[..2]).join(id).join("instance.db")
    };
    let prefix = shard.file_name().unwrap().to_str().unwrap();
    let unlisted = |n: u8, database: &str| {
        let folder = make(&format!("{prefix}11111{n}-2222-4333-8444-555555555555"));
        fs::copy(of(database), folder.join("instance.db")).unwrap();
        folder
    };
    let old = [make(".new-a"), make(".old-b"), unlisted(1, "empty")];
    let young = make(".new-young");
    let held = unlisted(2, "empty");
    let kept = [make("somebody else's"), unlisted(3, "default")];
    for folder in old.iter().chain([&held]).chain(&kept) {
        make_old(folder);
    }
    let lock = File::open(held.join("lock")).unwrap();
    lock.lock().unwrap();
    let mut client = eager(&env, &[]);
    eventually("what is old goes", || old.iter().all(|folder| !folder.exists()));
    assert!(young.exists() && held.exists() && kept.iter().all(|folder| folder.exists()));
    assert_eq!(client.value("k"), "v");
}

#[test]
fn another_process_takes_over_the_duties_of_one_that_is_killed() {
    let env = Env::new();
    let mut first = eager(&env, &[]);
    first.write("k", "v");
    eventually("the duties are taken", || {
        File::open(env.data().join("duty.lock")).is_ok_and(|lock| lock.try_lock().is_err())
    });
    let second = eager(&env, &[]);
    let left = env.data().join("instances/00/.old-c");
    fs::create_dir_all(&left).unwrap();
    make_old(&left);
    first.kill9();
    eventually("the second process sweeps", || !left.exists());
    drop(second);
}

#[test]
fn what_was_written_moves_into_the_database_in_a_quiet_moment() {
    let env = Env::new();
    let mut client = env.mcp();
    for number in 0..60 {
        client.write(&format!("k{number}"), &"x".repeat(60_000));
    }
    // Twice 3.6 MB, in record and log: too little for the checkpoint that comes with a commit.
    let database = instance(&env).join("instance.db");
    eventually("the database grows", || fs::metadata(&database).unwrap().len() > 7_000_000);
}

#[test]
fn readers_do_not_make_the_wal_grow() {
    let env = Env::new();
    let (mut writer, mut reader) = (env.mcp(), env.mcp());
    writer.write("k0", "x");
    let wal = instance(&env).join("instance.db-wal");
    let mut largest = 0;
    for round in 0..8 {
        let reads: Vec<_> = (0..40).map(|_| reader.send_call("list_keys", json!({"limit": 1000}))).collect();
        let value = round.to_string().repeat(60_000);
        let write = |number| json!({"key": format!("k{number}"), "value": value});
        let sent: Vec<_> = (0..60).map(|number| writer.send_call("write_key", write(number))).collect();
        assert!(writer.collect(&sent).into_values().all(|reply| reply.is_ok()));
        assert!(reader.collect(&reads).into_values().all(|reply| reply.is_ok()));
        largest = largest.max(fs::metadata(&wal).map_or(0, |found| found.len()));
    }
    // 58 MB were written to it in all; a checkpoint comes with every 16 MB.
    assert!(largest < 32 * 1024 * 1024, "{largest}");
}

#[test]
fn a_scrub_that_was_noted_is_done() {
    let env = Env::new();
    let mut client = eager(&env, &[("MINDCACHE_HISTORY_ROWS", "1")]);
    client.write("k", "a secret of a person");
    let large = "a large secret of a person ".repeat(5_000);
    client.write("large", &large);
    for number in 0..3 {
        client.write("k", &number.to_string());
        client.write("large", &number.to_string());
    }
    let history = |client: &mut Client, key: &str| {
        client.call("key_history", json!({"key": key})).ok()["versions"].as_array().unwrap().len()
    };
    eventually("the old versions go", || history(&mut client, "k") + history(&mut client, "large") <= 3);
    let folder = instance(&env);
    let note = env.data().join("scrub").join(folder.file_name().unwrap());
    fs::create_dir_all(note.parent().unwrap()).unwrap();
    fs::write(&note, "").unwrap();
    eventually("the instance is scrubbed", || !note.exists());
    for path in walk(&folder) {
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"secret"), "{}", path.display());
    }
    assert_eq!((client.value("k"), client.value("large")), ("2".into(), "2".into()));
}

#[test]
fn nothing_is_left_of_what_a_key_without_history_was() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    let large = |text: &str| format!("{text} {}", "large ".repeat(20_000));
    for key in ["small", "large"] {
        client.write(key, "first");
        client.call("set_key_attributes", json!({"key": key, "history": "none"})).ok();
    }
    client.write("small", "canary5f1d0c");
    client.write("large", &large("canary5f1d0c"));
    let parts = [json!({"name": "list_keys"}), json!({"name": "append_key", "args": {"key": "small", "text": "!"}})];
    let args = json!({"operations": parts, "mode": "all"});
    client.call("op_call", json!({"name": "batch", "args": args, "idempotency_key": "b1"})).ok();
    let found = client.call("search_keys", json!({"query": "canary5f1d0c*"})).ok();
    assert_eq!(found["matches"].as_array().unwrap().len(), 2);
    client.write("small", "now");
    client.write("large", &large("now"));
    for blob in walk(&instance(&env).join("blobs")) {
        make_old(&blob);
    }
    let holds = |path: &PathBuf| fs::read(path).is_ok_and(|bytes| bytes.windows(12).any(|at| at == b"canary5f1d0c"));
    assert!(walk(&env.data()).iter().any(holds));
    // The other process goes on and has all of it open.
    let upkeep = eager(&env, &[]);
    eventually("no file holds it", || !walk(&env.data()).iter().any(holds));
    assert_eq!((client.value("small"), client.value("large")), ("now".into(), large("now")));
    drop(upkeep);
}
