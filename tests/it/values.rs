//! Values as they are: over HTTP without JSON around them, and through the CLI, large ones a piece at a time.

use std::{
    io::{Read as _, Write as _},
    process::Stdio,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::harness::{Env, http::Server};

const MIB: usize = 1024 * 1024;
/// What a process may take beyond what it has: a few pieces, far from a value.
const ROOM_KIB: u64 = 6 * 1024;

/// Bytes that differ everywhere.
fn varied(length: usize) -> Vec<u8> {
    (0_u32..).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).take(length).collect()
}

/// The most memory that a process has had, in KiB.
#[cfg(target_os = "linux")]
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn send(
    server: &Server,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> crate::harness::connection::Response {
    let bearer = server.bearer();
    let mut all = vec![("Authorization", bearer.as_str())];
    all.extend(headers);
    let mut connection = server.connect();
    connection.send(method, &format!("/v1/i/default/keys/{path}"), &all, body);
    connection.response()
}

#[test]
fn a_value_is_put_got_and_deleted_as_it_is() {
    let env = Env::new();
    env.cli(&["set", "seen", "x"]).ok();
    let server = env.serve(&[]);
    let put = send(&server, "PUT", "a%2Fb%20%C3%A9", &[("Content-Type", "text/markdown")], b"# one");
    assert_eq!((put.status, put.json()["created"].clone()), (201, json!(true)), "{}", put.text());
    let got = send(&server, "GET", "a%2Fb%20%C3%A9", &[], b"");
    assert_eq!((got.status, got.text()), (200, "# one".to_owned()));
    assert_eq!(got.header("content-type"), Some("text/markdown"));
    assert_eq!(got.header("etag"), put.header("etag"));
    assert_eq!(env.cli(&["get", "a/b é"]).ok(), "# one");
    let again = send(&server, "PUT", "a%2Fb%20%C3%A9", &[], b"# two");
    assert_eq!((again.status, again.json()["created"].clone()), (200, json!(false)));
    assert_eq!(send(&server, "DELETE", "a%2Fb%20%C3%A9", &[], b"").status, 200);
    let gone = send(&server, "GET", "a%2Fb%20%C3%A9", &[], b"");
    assert_eq!((gone.status, gone.header("content-type")), (404, Some("application/problem+json")));
    assert_eq!(gone.json()["code"], "not_found");
    assert_eq!(send(&server, "DELETE", "a%2Fb%20%C3%A9", &[], b"").status, 404);
    let mut other = server.connect();
    other.send("GET", "/v1/i/default/keys/seen", &[], b"");
    assert_eq!(other.response().status, 401, "the token is asked for here too");
}

#[test]
fn bug_the_last_piece_of_an_image_was_shown_as_a_picture() {
    let env = Env::new();
    env.cli_with_stdin(&["set", "logo", "--type", "image", "--content-type", "image/png"], &[7; 300]).ok();
    let mut client = env.mcp();
    let piece = client.call("read_key", json!({"key": "logo", "offset": 200}));
    assert!(!piece.content.iter().any(|block| block["type"] == "image"), "{piece:?}");
    assert!(piece.text().contains(&STANDARD.encode([7; 100])), "{piece:?}");
    let whole = client.call("read_key", json!({"key": "logo"}));
    assert!(whole.content.iter().any(|block| block["type"] == "image"), "{whole:?}");
}

#[test]
fn preconditions_keep_two_writers_apart() {
    let env = Env::new();
    env.cli(&["set", "seen", "x"]).ok();
    let server = env.serve(&[]);
    let put = |headers: &[(&str, &str)]| send(&server, "PUT", "k", headers, b"v");
    let first = put(&[("If-None-Match", "*")]);
    assert_eq!(first.status, 201);
    assert_eq!(put(&[("If-None-Match", "*")]).status, 412);
    let tag = first.header("etag").unwrap().to_owned();
    assert_eq!(put(&[("If-Match", &tag)]).status, 200);
    let stale = put(&[("If-Match", &tag)]);
    assert_eq!((stale.status, stale.json()["code"].clone()), (412, json!("version_mismatch")));
    assert_eq!(put(&[("If-Match", "nonsense")]).status, 400);
    assert_eq!(put(&[("If-None-Match", &tag)]).status, 400, "a tag here would be ignored");
    let got = send(&server, "GET", "k", &[], b"");
    let now = got.header("etag").unwrap().to_owned();
    assert_eq!(send(&server, "GET", "k", &[("If-None-Match", &now)], b"").status, 304);
}

#[test]
fn ranges_of_small_and_large_values() {
    let env = Env::new();
    env.cli(&["set", "seen", "x"]).ok();
    let server = env.serve(&[]);
    for length in [1000, 3 * MIB] {
        let value = varied(length);
        let put = send(&server, "PUT", "k", &[("Content-Type", "application/octet-stream")], &value);
        assert!([200, 201].contains(&put.status), "{}", put.text());
        let got = send(&server, "GET", "k", &[("Range", "bytes=10-19")], b"");
        assert_eq!((got.status, got.body.as_slice()), (206, &value[10..20]));
        assert_eq!(got.header("content-range"), Some(format!("bytes 10-19/{length}").as_str()));
        let got = send(&server, "GET", "k", &[("Range", "bytes=-5")], b"");
        assert_eq!(got.body, value[length - 5..]);
        assert_eq!(send(&server, "GET", "k", &[("Range", "bytes=99999999-")], b"").status, 416);
        assert_eq!(send(&server, "GET", "k", &[], b"").body, value);
    }
}

#[test]
fn bug_a_large_value_was_taken_in_before_a_closed_instance_refused_it() {
    let env = Env::new();
    env.cli(&["set", "k", "before"]).ok();
    env.cli(&["instance", "read-only", "default"]).ok();
    let server = env.serve(&[]);
    // The answer comes through although the client goes on sending.
    let refused = send(&server, "PUT", "k", &[("Content-Type", "text/plain")], &vec![b'x'; 20 * MIB]);
    assert_eq!((refused.status, refused.json()["code"].clone()), (403, json!("permission_denied")));
    assert!(walk(&env.data()).iter().all(|name| !name.contains(".new-")), "nothing of it was kept");
}

#[test]
fn what_cannot_be_a_value_changes_nothing() {
    let env = Env::new();
    env.cli(&["set", "k", "before"]).ok();
    let server = env.serve(&[]);
    let json = [("Content-Type", "application/json")];
    let mut large = b"[1,".repeat(50_000);
    assert_eq!(send(&server, "PUT", "k", &json, &large).status, 400, "no JSON, and large");
    assert_eq!(send(&server, "PUT", "k", &json, b"{").status, 400);
    large[7] = 0xff;
    assert_eq!(send(&server, "PUT", "k", &[("Content-Type", "text/plain")], &large).status, 400, "no text, and large");
    assert_eq!(send(&server, "PUT", "k", &[], &vec![b'x'; 26 * MIB]).status, 413);
    assert_eq!(env.cli(&["get", "k"]).ok(), "before");
    let instance = env.data().join("instances");
    let left = walk(&instance).into_iter().filter(|name| name.contains(".new-")).count();
    assert_eq!(left, 0, "no file of an unfinished value stays");
}

fn walk(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries
        .flat_map(|entry| {
            let path = entry.path();
            if path.is_dir() { walk(&path) } else { vec![path.display().to_string()] }
        })
        .collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_large_value_is_never_whole_in_the_servers_memory() {
    let env = Env::new();
    env.cli(&["set", "seen", "x"]).ok();
    let server = env.serve(&[]);
    let value = varied(24 * MIB);
    let kind = [("Content-Type", "application/octet-stream")];
    assert_eq!(send(&server, "PUT", "small", &kind, &value[..MIB]).status, 201);
    let before = peak_kib(server.pid());
    assert_eq!(send(&server, "PUT", "k", &kind, &value).status, 201);
    assert!(send(&server, "GET", "k", &[], b"").body == value);
    let grown = peak_kib(server.pid()) - before;
    assert!(grown < ROOM_KIB, "{grown} KiB");
}

#[cfg(target_os = "linux")]
#[test]
fn a_large_value_goes_through_the_cli_a_piece_at_a_time() {
    let env = Env::new();
    let value = varied(24 * MIB);
    env.cli(&["set", "seen", "x"]).ok();
    let mut set = env.command().args(["set", "k", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut input = set.stdin.take().unwrap();
    input.write_all(&value[..MIB]).unwrap();
    let before = peak_kib(set.id());
    input.write_all(&value[MIB..]).unwrap();
    let grown = peak_kib(set.id()) - before;
    drop(input);
    assert!(set.wait().unwrap().success());
    assert!(grown < ROOM_KIB, "set: {grown} KiB");
    let mut get = env.command().args(["get", "k"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = get.stdout.take().unwrap();
    let mut got = vec![0; MIB];
    output.read_exact(&mut got).unwrap();
    let before = peak_kib(get.id());
    // All but what the pipe holds: the program is still there.
    let mut more = vec![0; 22 * MIB];
    output.read_exact(&mut more).unwrap();
    let grown = peak_kib(get.id()) - before;
    got.extend(more);
    output.read_to_end(&mut got).unwrap();
    assert!(get.wait().unwrap().success());
    assert!(got == value && grown < ROOM_KIB, "get: {grown} KiB");
}

#[test]
fn any_name_of_a_key_goes_into_an_address_and_comes_out_again() {
    let env = Env::new();
    let server = env.serve(&[]);
    let mut chance = crate::harness::chance::Chance::of("names in addresses");
    let parts = [
        "a", "%", "%2F", "/", "..", ".", "?", "#", "+", " ", "&", "=", "\\", "\"", "é", "日本", "😀", ":", ";", "%00",
        "~",
    ];
    for _ in 0..40 {
        let name: String = (0..=chance.below(8)).map(|_| *chance.pick(&parts)).collect();
        let encoded = name.bytes().fold(String::new(), |path, byte| path + &format!("%{byte:02X}"));
        let put = send(&server, "PUT", &encoded, &[("Content-Type", "text/plain")], name.as_bytes());
        assert!([200, 201].contains(&put.status), "{name:?}: {}", put.text());
        assert_eq!(put.json()["key"], name.as_str());
        let got = send(&server, "GET", &encoded, &[], b"");
        assert_eq!((got.status, got.text()), (200, name.clone()), "{name:?}");
        // As little of it encoded as an address needs, and in small letters.
        let shorter: String = name
            .bytes()
            .map(
                |byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02x}") },
            )
            .collect();
        assert_eq!(send(&server, "GET", &shorter, &[], b"").status, 200, "{name:?}");
    }
    for near in ["", "%", "%4", "%zz", "%FF", "%00", "%0A", &"%61".repeat(257)] {
        let status = send(&server, "PUT", near, &[], b"x").status;
        assert!((400..500).contains(&status), "{near}: {status}");
    }
}
