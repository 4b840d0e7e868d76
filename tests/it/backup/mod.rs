//! `mindcache backup`: what is restored is what was there, whatever happens meanwhile.

mod forged;
mod hostile;
mod kill;
mod load;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, types::Value as Cell};
use serde_json::{Value, json};

use crate::harness::{
    Env,
    audit::{Audit, files_below, instance_folder},
    chance::{Chance, rounds},
    mcp::Client,
};

/// Everything that the databases and files of a store say: per instance each row of each table, and its large values.
type Everything = BTreeMap<String, (Vec<Vec<Cell>>, Vec<(PathBuf, u64)>)>;

fn everything(data: &Path) -> Everything {
    let catalog = data.join("catalog");
    let mut all = BTreeMap::from([("catalog".to_owned(), of_instance(&catalog))]);
    for id in Audit::of(&catalog).instance_ids() {
        all.insert(id.clone(), of_instance(&instance_folder(data, &id)));
    }
    all
}

fn of_instance(folder: &Path) -> (Vec<Vec<Cell>>, Vec<(PathBuf, u64)>) {
    let audit = Audit::of(folder);
    assert_eq!(audit.problems, Vec::<String>::new(), "{}", folder.display());
    let connection = Connection::open(folder.join("instance.db")).unwrap();
    let mut rows = Vec::new();
    for table in ["state", "record", "entry", "log", "tombstone", "tally"] {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2, 3")).unwrap();
        let columns = statement.column_count();
        let found = statement.query_map([], |row| (0..columns).map(|at| row.get(at)).collect()).unwrap();
        rows.extend(found.map(|row: rusqlite::Result<Vec<Cell>>| row.unwrap()));
    }
    let blobs = folder.join("blobs");
    let mut large: Vec<_> = files_below(&blobs)
        .into_iter()
        .filter(|path| !audit.orphans.iter().any(|orphan| path.ends_with(orphan)))
        .map(|path| (path.strip_prefix(&blobs).unwrap().to_owned(), path.metadata().unwrap().len()))
        .collect();
    large.sort();
    (rows, large)
}

/// What lies beside the data folder and the named files: left by something that did not end.
fn leftovers(env: &Env) -> Vec<PathBuf> {
    let of = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_left = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.contains(".new-") || name.starts_with('.')
    };
    of(env.path("")).chain(of(env.data())).filter(is_left).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Restores into a folder of its own, which must be well.
fn restored(file: &str) -> Env {
    let other = Env::new();
    other.cli(&["backup", "--restore", file]).ok();
    assert_eq!(leftovers(&other), Vec::<PathBuf>::new());
    other
}

/// Changes of every kind by chance.
fn live(client: &mut Client, chance: &mut Chance, steps: usize) {
    let id = |client: &mut Client, operation: &str, args: Value| {
        let reply = client.call("op_call", json!({"name": operation, "args": args}));
        if reply.is_error { Value::Null } else { reply.structured }
    };
    for step in 0..steps {
        let (key, other) = (*chance.pick(&["a", "b/é", "c", "d"]), *chance.pick(&["a", "c", "e"]));
        let value = format!("{step} {}", "x".repeat(if chance.one_in(5) { 70_000 } else { chance.below(500) }));
        let call = match chance.below(12) {
            0..4 => ("write_key", json!({"key": key, "value": value, "tags": [other]})),
            4 => ("write_key", json!({"key": key, "value": value, "ttl_ms": 86_400_000})),
            5 => ("append_key", json!({"key": key, "text": value})),
            6 => ("delete_key", json!({"key": key})),
            7 => ("rename_key", json!({"key": key, "new_key": other})),
            8 => ("set_key_attributes", json!({"key": key, "z_index": step, "history": "none"})),
            9 => ("op_call", json!({"name": "purge_key", "args": {"key": key}})),
            10 => ("op_call", json!({"name": "undo", "args": {}})),
            _ => {
                let name = format!("copy {step}");
                match chance.below(5) {
                    0 => id(client, "instance_snapshot", json!({"instance": "default", "note": "n"})),
                    1 => id(client, "instance_clone", json!({"instance": "default", "name": name, "prefix": "a"})),
                    2 => id(client, "instance_create", json!({"name": name})),
                    3 => {
                        id(client, "instance_clone", json!({"instance": "default", "name": name}));
                        id(client, "instance_delete", json!({"instance": name}))
                    }
                    _ => {
                        id(client, "instance_clone", json!({"instance": "default", "name": name}));
                        id(client, "instance_set_read_only", json!({"instance": name, "read_only": true}))
                    }
                };
                continue;
            }
        };
        drop(client.call(call.0, call.1));
    }
}

#[test]
fn any_store_is_restored_as_it_was() {
    let mut chance = Chance::of("backup");
    for round in 0..rounds(2) {
        let env = Env::new();
        let mut client = env.mcp_with(&["--mode", "edit"]);
        client.write("first", "words to find");
        live(&mut client, &mut chance, 60);
        let file = env.path("b.tar");
        env.cli(&["backup", text(&file)]).ok();
        assert!(client.close_stdin_and_wait().status.success());
        let other = restored(text(&file));
        assert!(everything(&other.data()) == everything(&env.data()), "round {round}");
        let list = |env: &Env| env.cli(&["instance", "list", "--json"]).json();
        assert_eq!(list(&other), list(&env));
        // It goes on where it was.
        other.cli(&["doctor", "--deep"]).ok();
        other.cli(&["set", "after", "words"]).ok();
        assert!(other.cli(&["search", "words"]).ok().contains("after"));
        assert_eq!(leftovers(&env), Vec::<PathBuf>::new());
    }
}

#[test]
fn a_backup_says_what_it_holds_and_is_for_its_user_alone() {
    let env = Env::new();
    env.cli(&["set", "k", &"v".repeat(100_000)]).ok();
    env.cli(&["instance", "snapshot", "default"]).ok();
    let server = env.serve(&[]);
    let token = std::fs::read_to_string(env.data().join("token")).unwrap();
    let file = env.path("b.tar");
    let output = env.cli(&["backup", text(&file)]);
    assert_eq!(output.stderr, "", "quiet when nobody looks");
    assert!(output.ok().starts_with("Wrote 2 instances and 1 large values to"));
    let told = env.cli(&["backup", text(&file), "--json"]).json();
    assert_eq!((&told["large_values"], &told["catalog"]["as_of_seq"]), (&json!(1), &json!(2)));
    let named = |name: &str| told["instances"].as_array().unwrap().iter().find(|each| each["name"] == name).unwrap();
    assert_eq!(named("default")["state"], json!({"as_of_seq": 1, "records": 1}));
    let bytes = std::fs::read(&file).unwrap();
    assert_eq!(told["bytes"], bytes.len());
    assert!(!bytes.windows(token.trim().len()).any(|window| window == token.trim().as_bytes()), "no token in it");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let other = restored(text(&file));
        assert_eq!(other.data().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        for file in files_below(&other.data()) {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{}", file.display());
        }
    }
    drop(server);
}

#[test]
fn only_an_empty_data_folder_is_built() {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    let file = env.path("b.tar");
    env.cli(&["backup", text(&file)]).ok();
    let before = everything(&env.data());
    let said = env.cli(&["backup", "--restore", text(&file)]).fails(4);
    assert!(said.contains("empty folder only"), "{said}");
    assert!(everything(&env.data()) == before);
    // An empty one is as good as none; one with anything in it is somebody's.
    let other = Env::new();
    std::fs::create_dir(other.data()).unwrap();
    other.cli(&["backup", "--restore", text(&file)]).ok();
    assert_eq!(other.cli(&["get", "k"]).ok(), "v");
    let third = Env::new();
    std::fs::create_dir(third.data()).unwrap();
    third.file("data/token", b"x");
    third.cli(&["backup", "--restore", text(&file)]).fails(4);
    assert_eq!(std::fs::read_dir(third.data()).unwrap().count(), 1);
    assert_eq!(leftovers(&third), Vec::<PathBuf>::new());
}

#[test]
fn without_a_store_there_is_nothing_to_back_up() {
    let env = Env::new();
    let file = env.file("b.tar", b"the last one");
    let said = env.cli(&["backup", &file]).fails(3);
    assert!(said.contains("nothing to back up"), "{said}");
    assert!(!env.data().exists());
    assert_eq!(std::fs::read(&file).unwrap(), b"the last one");
    env.cli(&["backup", "--restore", "/no/such/file"]).fails(1);
    env.cli(&["set", "k", "v"]).ok();
    env.cli(&["backup", text(&env.data())]).fails(2);
    env.cli(&["backup", text(&env.path("no/such/b.tar"))]).fails(1);
    assert_eq!(leftovers(&env), Vec::<PathBuf>::new());
}

#[test]
fn a_damaged_store_is_not_backed_up_as_if_it_were_well() {
    let env = Env::new();
    env.cli(&["set", "large", &"v".repeat(100_000)]).ok();
    let (_, audit) = crate::harness::audit::audit(&env.data(), "default");
    let file = env.path("b.tar");
    env.cli(&["backup", text(&file)]).ok();
    let before = std::fs::read(&file).unwrap();
    let folder = audit.unwrap().folder().to_owned();
    let large = files_below(&folder.join("blobs")).pop().unwrap();
    std::fs::write(&large, vec![b'w'; 100_000]).unwrap();
    assert!(env.cli(&["backup", text(&file)]).fails(6).contains("is not what it was"));
    std::fs::remove_file(&large).unwrap();
    assert!(env.cli(&["backup", text(&file)]).fails(6).contains("is missing"));
    std::fs::write(&large, vec![b'v'; 100_000]).unwrap();
    env.cli(&["backup", text(&file)]).ok();
    let spoil = "UPDATE tally SET records = records + 1 WHERE kind = 'key'";
    Connection::open(folder.join("instance.db")).unwrap().execute_batch(spoil).unwrap();
    assert!(env.cli(&["backup", text(&file)]).fails(6).contains("the counts are not"));
    assert_eq!(std::fs::read(&file).unwrap().len(), before.len(), "the last good one stays");
    restored(text(&file));
    assert_eq!(leftovers(&env), Vec::<PathBuf>::new());
}

#[test]
fn a_purge_that_was_not_at_its_end_goes_on_in_the_restored_store() {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    let (catalog, audit) = crate::harness::audit::audit(&env.data(), "default");
    // As the first turn of a purge leaves it that needs several.
    let begun = "INSERT INTO record VALUES (9, 'erasure', 'k', 2, 1, 1, NULL, '{}', '{\"next\":0}'); \
                 INSERT INTO log SELECT 2, at, 2, NULL, NULL, 'erasure', 'k', 'created', 'purge_key', actor, \
                 '{\"next\":0}' FROM log WHERE seq = 1; \
                 INSERT INTO entry VALUES ('due', X'8000000000000000', 'erasure', 'k'); \
                 INSERT INTO tally VALUES ('erasure', 1, 10); UPDATE state SET head = 2";
    Connection::open(audit.unwrap().folder().join("instance.db")).unwrap().execute_batch(begun).unwrap();
    let file = env.path("b.tar");
    env.cli(&["backup", text(&file)]).ok();
    let other = restored(text(&file));
    let mut notes = std::fs::read_dir(other.data().join("scrub")).unwrap().map(|note| note.unwrap().file_name());
    let id = &catalog.instances()["default"];
    assert!(notes.any(|note| note.to_string_lossy().starts_with(id)), "the scrub is noted");
}

#[test]
fn of_what_was_deleted_long_ago_nothing_is_missed() {
    let env = Env::new();
    env.cli(&["instance", "create", "gone"]).ok();
    env.cli(&["set", "k", "v"]).ok();
    let id = env.cli(&["instance", "delete", "gone", "--json"]).json()["id"].as_str().unwrap().to_owned();
    // As upkeep leaves it between the two steps of really removing it, but for the catalog's own.
    std::fs::remove_dir_all(instance_folder(&env.data(), &id)).unwrap();
    let file = env.path("b.tar");
    let told = env.cli(&["backup", text(&file), "--json"]).json();
    assert_eq!(told["left_out"], json!([id]));
    let other = restored(text(&file));
    assert_eq!(other.cli(&["get", "k"]).ok(), "v");
}
