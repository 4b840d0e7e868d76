//! A full disk: a clear error, nothing acknowledged lost, and work goes on when there is space again.
//!
//! `MINDCACHE_TEST_ROUNDS=200` tries every page at which the disk can get full.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    path::Path,
    process::Command,
};

use serde_json::{Value, json};

use crate::harness::{
    Env,
    audit::{Audit, audit, instance_folder},
    chance::{Chance, rounds},
    mcp::{Client, Era},
    say, skip,
};

/// What files on the small disk grow by.
const PAGE: usize = 4096;

/// A file system of 6 MiB on a folder, taken away when dropped.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// Nothing where mounting is not allowed.
    fn on(folder: &'a Path) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"]).arg(folder).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // Lazily: the server may still be ending.
        drop(Command::new("umount").arg("-l").arg(self.0).output());
    }
}

/// A process whose data folder is on the small disk.
fn start(env: &Env, data: &Path) -> Client {
    let mut command = env.command();
    command.env("MINDCACHE_DATA_DIR", data).args(["mcp", "--mode", "edit", "--search", "off"]);
    command.env("MINDCACHE_UPKEEP_EVERY_MS", "50").env("MINDCACHE_HISTORY_ROWS", "4");
    let mut client = Client::start(command, Era::Legacy);
    client.handshake();
    client
}

/// The run that is played with ever more space: each kind of write that the store makes. One more is one more line.
fn script() -> Vec<(&'static str, Value)> {
    let large = |of: &str| of.repeat(70_000);
    let call = |name: &str, args: Value| json!({"name": name, "args": args});
    vec![
        ("write_key", json!({"key": "a", "value": "one"})),
        ("write_key", json!({"key": "b", "value": "x".repeat(9_000)})),
        ("append_key", json!({"key": "a", "text": " and more"})),
        ("write_key", json!({"key": "large", "value": large("x")})),
        ("set_key_attributes", json!({"key": "a", "tags": ["red", "green"]})),
        ("append_key", json!({"key": "large", "text": " and more"})),
        ("rename_key", json!({"key": "b", "new_key": "c"})),
        ("op_call", call("instance_create", json!({"name": "second"}))),
        ("delete_key", json!({"key": "a"})),
        ("write_key", json!({"key": "a", "value": large("y")})),
        ("op_call", call("instance_clone", json!({"instance": "default", "name": "copy"}))),
        ("op_call", call("instance_clone", json!({"instance": "default", "name": "part", "prefix": "a"}))),
        ("op_call", call("instance_snapshot", json!({"instance": "default"}))),
        ("op_call", call("purge_key", json!({"key": "large", "everywhere": true}))),
        ("clear_keys", json!({})),
        ("write_key", json!({"key": "last", "value": "one"})),
    ]
}

/// Leaves so many bytes of a disk free. Taken away by removing the file.
fn fill(ballast: &Path, leave: usize) {
    // Until nothing goes in any more; then the last pages are given back.
    let mut file = File::create(ballast).unwrap();
    while file.write_all(&[0; PAGE]).is_ok() {}
    let pages = file.metadata().unwrap().len() / PAGE as u64;
    file.set_len(pages * PAGE as u64 - leave as u64).unwrap();
}

/// Plays the script. Returns the seqs that were acknowledged, and how many calls were refused: for want of space, or
/// because an earlier refusal has left nothing to change.
fn play(client: &mut Client) -> (Vec<(u64, &'static str)>, usize) {
    let (mut acknowledged, mut full) = (Vec::new(), 0);
    for (tool, args) in script() {
        let reply = client.call(tool, args);
        if !reply.is_error {
            let version = reply.ok()["version"].as_u64().unwrap_or_default();
            acknowledged.extend((version > 0).then_some((version, tool)));
            continue;
        }
        let error = &reply.structured["error"];
        match error["code"].as_str() {
            Some("unavailable") => {
                assert_eq!(error["reason"], "disk_full", "{tool}: {error}");
                full += 1;
            }
            Some("not_found" | "already_exists") => {}
            _ => panic!("{tool}: {error}"),
        }
    }
    (acknowledged, full)
}

/// What was acknowledged is in the log, as the change of that operation; everything else in the files agrees with it.
fn is_all_there(data: &Path, acknowledged: &[(u64, &str)]) {
    let (catalog, instance) = audit(data, "default");
    let instance = instance.unwrap_or_default();
    assert_eq!((&catalog.problems, &instance.problems), (&vec![], &vec![]));
    for id in catalog.instances().values() {
        assert_eq!(Audit::of(&instance_folder(data, id)).problems, Vec::<String>::new(), "{id}");
    }
    let rows: BTreeMap<_, _> = instance.rows.iter().map(|row| (row.seq, row.operation.as_str())).collect();
    for (version, tool) in acknowledged.iter().filter(|(version, _)| *version >= instance.start) {
        assert_eq!(rows.get(version), Some(tool), "change {version}");
    }
}

#[test]
fn a_disk_that_is_full_at_any_write_loses_nothing_and_work_goes_on() {
    let env = Env::new();
    let disk = env.path("disk");
    let Some(_disk) = SmallDisk::on(&disk) else {
        return skip("mounting a file system is not allowed here");
    };
    let (data, ballast) = (disk.join("data"), disk.join("ballast"));
    let mut chance = Chance::of("disk_full");
    // How many pages the whole run takes: from nothing to that, the disk is full somewhere on the way.
    let mut client = start(&env, &data);
    assert_eq!(play(&mut client).1, 0, "6 MiB are enough");
    let most = pages(&data);
    drop(client);
    let tries = rounds(24).min(most);
    let mut refused = 0;
    for number in 0..tries {
        let free = (number * most + chance.below(most)) / tries;
        drop(fs::remove_dir_all(&data));
        // Half of the tries begin with a store that is there, the others on nothing.
        let mut acknowledged = Vec::new();
        let mut client = start(&env, &data);
        if number % 2 == 0 {
            acknowledged.push((client.write("before", "kept"), "write_key"));
        }
        fill(&ballast, free * PAGE);
        let (taken, full) = play(&mut client);
        acknowledged.extend(taken);
        refused += full;
        // To look needs a little space too.
        fs::remove_file(&ballast).unwrap();
        is_all_there(&data, &acknowledged);
        let (taken, full) = play(&mut client);
        assert_eq!(full, 0, "there is space again, {free} pages were left before");
        acknowledged.extend(taken);
        assert!(client.close_stdin_and_wait().status.success());
        is_all_there(&data, &acknowledged);
        assert_eq!(start(&env, &data).value("last"), "one");
    }
    say(&format!("{tries} of {most} pages tried: {refused} calls refused for want of space, nothing lost"));
    assert!(refused > tries, "the disk was full: {refused}");
}

#[test]
fn bug_a_disk_too_full_to_open_a_store_is_said_to_be_full() {
    let env = Env::new();
    let disk = env.path("disk");
    let Some(_disk) = SmallDisk::on(&disk) else {
        return skip("mounting a file system is not allowed here");
    };
    let (data, ballast) = (disk.join("data"), disk.join("ballast"));
    let mut client = start(&env, &data);
    client.write("k", "v");
    assert!(client.close_stdin_and_wait().status.success());
    // Even a reader needs the memory that processes share, which is a file.
    fill(&ballast, 0);
    let mut client = start(&env, &data);
    for (tool, args) in [("read_key", json!({"key": "k"})), ("write_key", json!({"key": "k", "value": "w"}))] {
        assert_eq!(client.call(tool, args).error("unavailable")["reason"], "disk_full", "{tool}");
    }
    fs::remove_file(&ballast).unwrap();
    assert_eq!(client.value("k"), "v");
    client.write("k", "w");
}

/// The pages that the files below a folder take.
fn pages(folder: &Path) -> usize {
    let files = crate::harness::audit::files_below(folder);
    let bytes = files.iter().map(|file| usize::try_from(file.metadata().unwrap().len()).unwrap());
    bytes.map(|bytes| bytes.div_ceil(PAGE)).sum()
}

#[test]
fn a_full_disk_is_said_and_loses_nothing() {
    let env = Env::new();
    let folder = env.path("disk");
    let Some(_disk) = SmallDisk::on(&folder) else {
        return skip("mounting a file system is not allowed here");
    };
    let mut client = start(&env, &folder);
    let ballast = folder.join("ballast");
    client.write("first", "kept");
    fs::write(&ballast, vec![0; 1024 * 1024]).unwrap();
    let value = "x".repeat(50_000);
    let mut acknowledged = vec!["first".to_owned()];
    let refusal = (0..200)
        .find_map(|number| {
            let key = format!("k{number}");
            let reply = client.call("write_key", json!({"key": key, "value": value}));
            if reply.is_error {
                return Some(reply.error("unavailable"));
            }
            acknowledged.push(key);
            None
        })
        .expect("6 MiB are full after 200 values of 50 kB");
    assert_eq!(refusal["reason"], "disk_full", "{refusal}");
    // A large value needs a file of its own: refused alike.
    let large = client.call("write_key", json!({"key": "large", "value": "y".repeat(3_000_000)}));
    assert_eq!(large.error("unavailable")["reason"], "disk_full");
    assert_eq!(client.keys().len(), acknowledged.len(), "reads go on, and nothing refused is there");
    fs::remove_file(&ballast).unwrap();
    client.write("after", "space again");
    acknowledged.push("after".to_owned());
    drop(client.kill9());
    let mut next = start(&env, &folder);
    let mut keys = next.keys();
    acknowledged.sort();
    keys.sort();
    assert_eq!(keys, acknowledged);
    assert_eq!(next.value("first"), "kept");
}

#[test]
fn a_backup_or_restore_onto_a_full_disk_leaves_what_was_there() {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    for number in 0..20 {
        env.cli(&["set", &format!("large {number}"), &format!("{number}{}", "x".repeat(100_000))]).ok();
    }
    let folder = env.path("disk");
    let Some(_disk) = SmallDisk::on(&folder) else {
        return skip("mounting a file system is not allowed here");
    };
    let (file, ballast) = (folder.join("b.tar"), folder.join("ballast"));
    let path = file.to_str().unwrap();
    env.cli(&["backup", path]).ok();
    let before = fs::read(&file).unwrap();
    let target = folder.join("restored");
    let restore = ["--data-dir", target.to_str().unwrap(), "backup", "--restore", path];
    for leave in [0, 5 * PAGE, 100 * PAGE] {
        fill(&ballast, leave);
        let said = env.cli(&["backup", path]).fails(1);
        assert!(said.contains("No space left"), "{said}");
        assert_eq!(fs::read(&file).unwrap(), before);
        let said = env.cli(&restore).fails(6);
        assert!(said.contains("space") || said.contains("room"), "{said}");
        let mut left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["b.tar", "ballast"]);
        fs::remove_file(&ballast).unwrap();
    }
    env.cli(&["backup", path]).ok();
    env.cli(&restore).ok();
}
