//! Open files: no more than the system gives, none for what is idle, and nobody who listens notices.
#![cfg(target_os = "linux")]

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::json;

use crate::harness::{
    Env, eventually,
    http::Server,
    mcp::{Client, Era, ToolReply},
    skip,
};

/// The databases that a process has open.
fn open_databases(pid: u32) -> BTreeSet<String> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).expect("the process runs");
    let targets = links.filter_map(|link| fs::read_link(link.ok()?.path()).ok());
    let paths = targets.map(|path| path.to_string_lossy().into_owned());
    paths.filter(|path| path.ends_with("instance.db")).collect()
}

#[test]
fn a_hundred_instances_fit_into_few_descriptors() {
    let env = Env::new();
    let mut command = env.command_of(Path::new("/bin/sh"));
    command.args(["-c", "ulimit -n 256 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_mindcache")]);
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    let server = Server::start(command, env.data());
    let mut admin = server.mcp_at("/i/default/mcp/edit");
    for number in 0..100 {
        let made = admin.call("op_call", &json!({"name": "instance_create", "args": {"name": format!("i{number}")}}));
        drop(made.ok());
    }
    for round in 0..2 {
        for number in 0..100 {
            let mut client = server.mcp_at(&format!("/i/i{number}/mcp"));
            if round == 0 {
                drop(client.call("write_key", &json!({"key": "k", "value": number.to_string()})).ok());
            } else {
                let read = client.call("read_key", &json!({"key": "k"})).ok();
                assert_eq!(read["value"], number.to_string());
            }
        }
    }
    // (256 - 200) / 12 may stay open; those that are being closed for the last ones may still be.
    eventually("the files of most instances are closed", || open_databases(server.pid()).len() <= 4);
    assert!(fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count() < 150);
}

#[test]
fn the_limit_is_raised_to_what_the_system_allows() {
    let env = Env::new();
    let mut command = env.command_of(Path::new("/bin/sh"));
    command.args(["-c", "ulimit -S -n 100 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_mindcache"), "mcp"]);
    let mut client = Client::start(command, Era::Legacy);
    client.handshake();
    let limits = fs::read_to_string(format!("/proc/{}/limits", client.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<_> = line.split_whitespace().filter(|word| word.parse::<u64>().is_ok()).collect();
    assert_eq!(numbers[0], numbers[1], "{line}");
}

/// A process that closes what is not used for a moment.
fn hasty(env: &Env) -> std::process::Command {
    let mut command = env.command();
    command.arg("mcp").envs([("MINDCACHE_UPKEEP_EVERY_MS", "50"), ("MINDCACHE_UPKEEP_IDLE_MS", "100")]);
    command
}

#[test]
fn idle_files_are_closed_and_those_who_listen_hear_all_the_same() {
    let env = Env::new();
    let mut client = Client::start(hasty(&env), Era::Legacy);
    client.handshake();
    client.write("k", "v");
    let seen = client.call("list_keys", json!({"limit": 1})).ok()["as_of_seq"].clone();
    let waiting = client.send_call("wait_for_change", json!({"key": "k", "after_version": seen}));
    eventually("the files are closed", || open_databases(client.pid()).is_empty());
    assert_eq!(env.cli(&["get", "k"]).ok(), "v");
    env.cli(&["set", "k", "w"]).ok();
    let waited = ToolReply::of(client.reply(waiting).expect("the wait is answered")).ok();
    assert_eq!(waited["changes"][0]["change"], "updated");
    assert_eq!(client.value("k"), "w");
    client.write("k", "x");
    eventually("the files are closed again", || open_databases(client.pid()).is_empty());
    assert_eq!(client.value("k"), "x");
}

#[test]
fn what_expires_while_its_files_are_closed_expires() {
    let env = Env::new();
    let mut client = Client::start(hasty(&env), Era::Legacy);
    client.handshake();
    let written = client.call("write_key", json!({"key": "k", "value": "v", "ttl_ms": 1500})).ok();
    let waiting = client.send_call("wait_for_change", json!({"key": "k", "after_version": written["version"]}));
    eventually("the files are closed", || open_databases(client.pid()).is_empty());
    let waited = ToolReply::of(client.reply(waiting).expect("the wait is answered")).ok();
    assert_eq!(waited["changes"][0]["change"], "expired");
}

#[test]
fn the_first_write_after_a_pause_costs_few_flushes() {
    let strace = Path::new("/usr/bin/strace");
    let may_trace = std::process::Command::new(strace).args(["-o", "/dev/null", "true"]).output();
    if !may_trace.is_ok_and(|output| output.status.success()) {
        return skip("there is no strace here, or it may not trace");
    }
    let env = Env::new();
    let (trace, program) = (env.path("trace"), hasty(&env));
    let mut command = env.command_of(strace);
    command.args(["-f", "-y", "-e", "trace=fsync,fdatasync", "-o"]).arg(&trace);
    command.arg(program.get_program()).args(program.get_args());
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut client = Client::start(command, Era::Legacy);
    client.handshake();
    client.write("k", "v");
    let wal = || {
        let shards = fs::read_dir(env.data().join("instances")).unwrap().map(|shard| shard.unwrap().path());
        let folders = shards.flat_map(|shard| fs::read_dir(shard).unwrap().map(|entry| entry.unwrap().path()));
        folders.map(|folder| folder.join("instance.db-wal")).any(|wal| wal.exists())
    };
    let flushes = || {
        let text = fs::read_to_string(&trace).unwrap();
        text.lines().filter(|line| line.contains("sync(") && line.contains("/instances/")).count()
    };
    let before = flushes();
    // Whoever closes the file last leaves no WAL.
    eventually("the files are closed", || !wal());
    client.write("k", "w");
    let count = flushes() - before;
    assert!((1..=6).contains(&count), "{count} flushes to close, to open and to commit");
}

#[test]
fn sockets_that_only_listen_hold_no_file() {
    let env = Env::new();
    let server = env.serve(&[]);
    let (mut client, _) = crate::sync::client::Client::synced(&server, "/sync/default?v=2", &server.bearer());
    let is_open = || open_databases(server.pid()).iter().any(|path| path.contains("/instances/"));
    eventually("the files of a quiet instance are closed", || !is_open());
    env.cli(&["set", "k", "v"]).ok();
    assert_eq!(client.next_of("key_updated")["key"], "k");
}
