//! Large messages: two at a time are held, however many are sent.
#![cfg(target_os = "linux")]

use std::{process::Command, thread};

use crate::sync::client::Client as Socket;

use crate::harness::{
    Env,
    http::Server,
    mcp::{Client, Era, ToolReply, reply_of},
    say,
};

const MIB: u64 = 1024 * 1024;
/// How many values are sent at once.
const SENT: u64 = 4;

/// A write of 20 MiB under this id. Put together by hand: it is the program that is to work here.
fn write(id: u64) -> String {
    let value = "x".repeat(20 * 1024 * 1024);
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"write_key\",\
         \"arguments\":{{\"key\":\"k{id}\",\"value\":\"{value}\"}}}}}}\n"
    )
}

/// The program with these arguments. The allocator gives back what is freed: it is asked what is held, not what is
/// kept for later.
fn command(env: &Env, args: &[&str]) -> Command {
    let mut command = env.command();
    command.args(args).env("MALLOC_MMAP_THRESHOLD_", "1000000");
    command
}

/// The most memory that a process has had, in bytes.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line of its memory");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

/// Many take no more than two of them, each being read or answered.
fn is_that_of_two(of_one: u64, of_many: u64) {
    say(&format!("peak of one: {} MiB, of {SENT}: {} MiB", of_one / MIB, of_many / MIB));
    assert!(of_many < 2 * of_one, "{} MiB for one and {} MiB for {SENT}", of_one / MIB, of_many / MIB);
}

#[test]
fn a_large_export_is_a_part_at_a_time_in_memory_however_slowly_it_is_read() {
    let env = Env::new();
    let server = Server::start(command(&env, &["serve", "--listen", "127.0.0.1:0"]), env.data());
    let bearer = server.bearer();
    let proof = [("Authorization", bearer.as_str())];
    let value = "x".repeat(8 * 1024 * 1024);
    for number in 0..6 {
        // Equal ones would be in the archive once.
        let value = format!("{value}{number}");
        let put = server.send("PUT", &format!("/v1/i/default/keys/large{number}"), &proof, &value);
        assert!([200, 201].contains(&put.status), "{}", put.text());
    }
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    for batch in 0..20 {
        let write = |number: u32| serde_json::json!({"name": "write_key", "args": {"key": format!("k{batch}-{number}"), "value": "a value"}});
        let operations: Vec<_> = (0..100).map(write).collect();
        let body = serde_json::json!({"mode": "all", "operations": operations}).to_string();
        let done = server.send("POST", "/v1/i/default/ops/batch", &headers, &body);
        assert_eq!(done.status, 200, "{}", done.text());
    }
    let before = peak(server.pid());
    let mut connection = server.connect();
    connection.send("GET", "/v1/export", &proof, b"");
    let head = connection.head();
    assert_eq!(head.status, 200);
    let bytes: u64 = head.header("content-length").unwrap().parse().unwrap();
    assert!(bytes > 48 * MIB, "{bytes}");
    // Nobody takes anything while others go on.
    let page = server.send("POST", "/v1/i/default/ops/list_keys", &headers, "{}");
    assert_eq!(page.status, 200);
    assert_eq!(connection.skip(bytes), bytes);
    let grown = peak(server.pid()) - before;
    say(&format!("an export of {} MiB: {} MiB more at the peak", bytes / MIB, grown / MIB));
    assert!(grown < 30 * MIB, "{} MiB", grown / MIB);
}

#[test]
fn writes_sent_at_once_over_stdio_are_held_two_at_a_time() {
    let env = Env::new();
    let mut client = Client::start(command(&env, &["mcp"]), Era::Legacy);
    client.handshake();
    client.send_raw(write(100));
    drop(ToolReply::of(client.reply(100).unwrap()).ok());
    let of_one = peak(client.pid());
    let ids: Vec<_> = (101..=100 + SENT).collect();
    for id in &ids {
        client.send_raw(write(*id));
    }
    for (_, reply) in client.collect(&ids) {
        drop(ToolReply::of(reply.unwrap()).ok());
    }
    is_that_of_two(of_one, peak(client.pid()));
}

#[test]
fn writes_sent_at_once_over_http_are_held_two_at_a_time() {
    let env = Env::new();
    let server = Server::start(command(&env, &["serve", "--listen", "127.0.0.1:0"]), env.data());
    let session = server.mcp();
    let headers = session.headers("", None);
    let written = &|id: u64| {
        let message = server.post("/mcp", &headers, &write(id)).message(id);
        drop(ToolReply::of(reply_of(message).unwrap()).ok());
    };
    written(100);
    let of_one = peak(server.pid());
    thread::scope(|scope| {
        for id in 101..=100 + SENT {
            scope.spawn(move || written(id));
        }
    });
    is_that_of_two(of_one, peak(server.pid()));
}

#[test]
fn sets_sent_at_once_over_sockets_are_held_two_at_a_time_and_leave_nothing_with_theirs() {
    let env = Env::new();
    let server = Server::start(command(&env, &["serve", "--listen", "127.0.0.1:0"]), env.data());
    let value = "x".repeat(20 * 1024 * 1024);
    let proof = server.bearer();
    let sent = &|id: u64| {
        let (mut socket, _) = Socket::synced(&server, "/sync/default?v=2", &proof);
        socket.say(&format!("{{\"type\":\"set\",\"opId\":\"{id}\",\"key\":\"k{id}\",\"value\":\"{value}\"}}"));
        assert_eq!(socket.next_of("ack")["opId"], id.to_string());
        socket
    };
    let mut sockets = vec![sent(100)];
    let of_one = peak(server.pid());
    thread::scope(|scope| {
        let sending: Vec<_> = (101..=100 + SENT).map(|id| scope.spawn(move || sent(id))).collect();
        sockets.extend(sending.into_iter().map(|sending| sending.join().unwrap()));
    });
    // One after the other, each while those before are there.
    sockets.extend((201..=200 + SENT).map(sent));
    is_that_of_two(of_one, peak(server.pid()));
}

#[test]
fn answers_that_nobody_takes_are_not_made() {
    let env = Env::new();
    let server = Server::start(command(&env, &["serve", "--listen", "127.0.0.1:0"]), env.data());
    let (proof, value) = (server.bearer(), "x".repeat(3 * 1024 * 1024));
    let headers = [("Authorization", proof.as_str()), ("Content-Type", "image/png")];
    let put = server.send("PUT", "/v1/i/default/keys/k", &headers, &value);
    assert!([200, 201].contains(&put.status), "{}", put.text());
    let open = || Socket::synced(&server, "/sync/default?v=2", &proof).0;
    let read = r#"{"type":"call","op":"read_key","args":{"key":"k"},"opId":"1"}"#;
    let (mut taking, mut stalled) = (open(), open());
    let mut take = |times: u64| {
        for _ in 0..times {
            taking.say(read);
            drop(taking.next_of("result"));
        }
    };
    take(5);
    let before = peak(server.pid());
    for _ in 0..60 {
        stalled.say(read);
    }
    // In the time of these the others would have been made too.
    take(20);
    let grown = peak(server.pid()) - before;
    for _ in 0..60 {
        drop(stalled.next_of("result"));
    }
    say(&format!("60 answers of 3 MiB that nobody takes: {} MiB more at the peak", grown / MIB));
    assert!(grown < 40 * MIB, "{} MiB", grown / MIB);
}
