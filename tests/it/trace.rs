//! No reply leaves before what it acknowledges is on the disk: seen from outside, call by system call.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use serde_json::json;

use crate::harness::{
    Env,
    mcp::{Client, Era},
    skip,
};

/// Replies of a trace that came without a completed sync of the database since the reply before.
///
/// A trace has a line per system call, with the thread first; a call during which another thread made one is
/// told in two lines, the second of which says `resumed`.
fn unsynced(trace: &str, writes: &BTreeSet<u64>) -> Vec<u64> {
    let mut has_synced = false;
    let mut found = Vec::new();
    let mut pending: BTreeSet<&str> = BTreeSet::new();
    for line in trace.lines() {
        let (thread, call) = line.split_once(' ').unwrap_or_default();
        let call = call.trim_start();
        let is_sync = call.starts_with("fsync(") || call.starts_with("fdatasync(");
        if is_sync && call.contains("instance.db") {
            if call.ends_with("<unfinished ...>") {
                pending.insert(thread);
            } else {
                has_synced |= call.ends_with("= 0");
            }
        } else if call.starts_with("<... ") && call.contains("sync resumed") {
            has_synced |= pending.remove(thread) && call.ends_with("= 0");
        } else if let Some(id) = reply_id(call) {
            if writes.contains(&id) && !has_synced {
                found.push(id);
            }
            has_synced = false;
        }
    }
    found
}

/// The id of the reply whose first bytes this call writes.
fn reply_id(call: &str) -> Option<u64> {
    let is_write = call.starts_with("write(") || call.starts_with("writev(");
    let message = call.find("{\\\"jsonrpc\\\"").filter(|_| is_write).and_then(|at| call.get(at..))?;
    let id = message.split_once("\\\"id\\\":")?.1;
    id.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Runs a few writes one after the other under the tracer, and returns the trace with the ids of the writes.
/// Nothing where there is no tracer or it may not trace.
fn traced(env: &Env, durability: &str) -> Option<(String, BTreeSet<u64>)> {
    let strace =
        ["/usr/bin/strace", "/bin/strace", "/usr/local/bin/strace"].map(Path::new).into_iter().find(|p| p.exists());
    let may_trace = |program: &&Path| {
        Command::new(program).args(["-o", "/dev/null", "true"]).output().is_ok_and(|output| output.status.success())
    };
    let Some(strace) = strace.filter(may_trace) else {
        skip("there is no strace here, or it may not trace");
        return None;
    };
    let trace = env.path("trace");
    let mut command = env.command_of(strace);
    command.args(["-f", "-y", "-s", "200", "-e", "trace=write,writev,fsync,fdatasync,pwrite64", "-o"]);
    command.arg(&trace).args([env!("CARGO_BIN_EXE_mindcache"), "mcp"]).env("MINDCACHE_DURABILITY", durability);
    let mut client = Client::start(command, Era::Legacy);
    client.handshake();
    client.write("warm", "up");
    let mut writes = BTreeSet::new();
    for number in 0..8 {
        // The third is large enough to be kept in a file of its own.
        let value = if number == 2 { "x".repeat(100_000) } else { number.to_string() };
        let id = client.send_call("write_key", json!({"key": "k", "value": value}));
        client.reply(id).expect("the write is taken");
        writes.insert(id);
        let read = client.send_call("read_key", json!({"key": "k", "limit": 1}));
        client.reply(read).expect("the read is taken");
    }
    assert!(client.close_stdin_and_wait().status.success());
    Some((fs::read_to_string(trace).expect("the trace"), writes))
}

#[test]
fn no_reply_leaves_before_its_commit_is_synced() {
    let env = Env::new();
    let Some((trace, writes)) = traced(&env, "full") else { return };
    let seen = trace.lines().filter_map(|line| reply_id(line.split_once(' ')?.1.trim_start())).collect::<BTreeSet<_>>();
    assert!(writes.is_subset(&seen), "every reply is in the trace: {seen:?}");
    assert_eq!(unsynced(&trace, &writes), Vec::<u64>::new(), "{trace}");
}

#[test]
fn normal_durability_does_not_pay_for_a_sync_each_time() {
    let env = Env::new();
    let Some((trace, writes)) = traced(&env, "normal") else { return };
    assert!(!unsynced(&trace, &writes).is_empty(), "each reply waited for a sync");
}

#[test]
fn a_reply_before_its_sync_is_found() {
    let reply = |id: u64| {
        format!("7 write(1<pipe:[5]>, \"{{\\\"jsonrpc\\\":\\\"2.0\\\",\\\"id\\\":{id},\\\"res\"..., 90) = 90\n")
    };
    let sync = "8 fdatasync(9</d/instance.db-wal>) = 0\n";
    let writes = BTreeSet::from([1, 2, 3]);
    let check = |lines: &[&str]| unsynced(&lines.concat(), &writes);
    let (first, second, other) = (reply(1), reply(2), reply(40));
    assert_eq!(check(&[sync, &first, sync, &second]), Vec::<u64>::new());
    assert_eq!(check(&[sync, &first, &second]), [2]);
    assert_eq!(check(&[&other, &first]), [1]);
    assert_eq!(check(&["8 fdatasync(9</d/hint>) = 0\n", &first]), [1]);
    assert_eq!(check(&["8 fdatasync(9</d/instance.db-wal>) = -1 EIO (Input/output error)\n", &first]), [1]);
    let (begun, ended) = ("8 fdatasync(9</d/instance.db-wal> <unfinished ...>\n", "8 <... fdatasync resumed>) = 0\n");
    assert_eq!(check(&[begun, &first, ended]), [1]);
    assert_eq!(check(&[begun, ended, &first]), Vec::<u64>::new());
}
