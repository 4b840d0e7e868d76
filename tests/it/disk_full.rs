//! A full disk: a clear error, nothing acknowledged lost, and work goes on when there is space again.

use std::{fs, path::Path, process::Command};

use serde_json::json;

use crate::harness::{Env, mcp::Client, mcp::Era, skip};

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

#[test]
fn a_full_disk_is_said_and_loses_nothing() {
    let env = Env::new();
    let folder = env.path("disk");
    let Some(_disk) = SmallDisk::on(&folder) else {
        return skip("mounting a file system is not allowed here");
    };
    let mut command = env.command();
    command.env("MINDCACHE_DATA_DIR", &folder).arg("mcp");
    let mut client = Client::start(command, Era::Legacy);
    client.handshake();
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
    let mut command = env.command();
    command.env("MINDCACHE_DATA_DIR", &folder).arg("mcp");
    let mut next = Client::start(command, Era::Legacy);
    next.handshake();
    let mut keys = next.keys();
    acknowledged.sort();
    keys.sort();
    assert_eq!(keys, acknowledged);
    assert_eq!(next.value("first"), "kept");
}
