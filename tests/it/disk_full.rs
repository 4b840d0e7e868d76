//! A full disk: a clear error, nothing acknowledged lost, and work goes on when there is space again.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    process::Command,
};

use serde_json::json;

use crate::harness::{
    Env,
    mcp::{Client, Era},
    skip,
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
    command.env("MINDCACHE_DATA_DIR", data).args(["mcp", "--mode", "edit"]);
    let mut client = Client::start(command, Era::Legacy);
    client.handshake();
    client
}

/// Leaves so many bytes of a disk free. Taken away by removing the file.
fn fill(ballast: &Path, leave: usize) {
    // Until nothing goes in any more; then the last pages are given back.
    let mut file = File::create(ballast).unwrap();
    while file.write_all(&[0; PAGE]).is_ok() {}
    let pages = file.metadata().unwrap().len() / PAGE as u64;
    file.set_len(pages * PAGE as u64 - leave as u64).unwrap();
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
