//! Requests: their ids, their lines in the log, and answers in gzip.

use std::{io::Read as _, process::Stdio};

use serde_json::json;

use crate::harness::{Env, connection::Response, http::Server};

#[test]
fn a_request_has_an_id_its_own_when_it_is_a_word() {
    let env = Env::new();
    let server = env.serve(&[]);
    let id =
        |headers: &[(&str, &str)], path: &str| server.get(path, headers).header("x-request-id").unwrap().to_owned();
    assert_eq!(id(&[("X-Request-Id", "abc-1.2_3")], "/health"), "abc-1.2_3");
    // Refused ones have one too, and so do those that are nowhere.
    for path in ["/health", "/v1/i/default/stm", "/nowhere"] {
        let made = id(&[], path);
        assert!(made.len() == 32 && made.chars().all(|c| c.is_ascii_hexdigit()), "{made}");
        for odd in ["a b", "a\"b", "", &"x".repeat(65)] {
            assert_ne!(id(&[("X-Request-Id", odd)], path), odd);
        }
    }
}

#[test]
fn the_log_tells_of_each_request_and_nothing_that_was_sent() {
    let env = Env::new();
    let log = env.path("log");
    let mut command = env.command();
    command.args(["serve", "--listen", "127.0.0.1:0"]).env("MINDCACHE_LOG", "info");
    let server = Server::start_logging(command, env.data(), Stdio::from(std::fs::File::create(&log).unwrap()));
    let bearer = server.bearer();
    let auth = [("Authorization", bearer.as_str()), ("X-Request-Id", "put-1"), ("X-Mindcache-Page", "secretpage")];
    let put = server.send("PUT", "/v1/i/default/keys/secretkey?token=secretquery", &auth, "secretvalue");
    assert_eq!(put.status, 201, "{}", put.text());
    let wrong = [("Authorization", "Bearer mc_live_secretsecretsecretsecretsecretse"), ("X-Request-Id", "wrong-1")];
    assert_eq!(server.get("/v1/i/default/keys/secretkey", &wrong).status, 401);
    assert_eq!(server.get("/secretpath", &[]).status, 404);
    drop(server);
    let told = std::fs::read_to_string(&log).unwrap();
    let line = |id: &str| told.lines().find(|line| line.contains(id)).unwrap_or_else(|| panic!("{id}: {told}"));
    for part in
        ["method=\"PUT\"", "route=\"/v1/i/{instance}/keys/{key}\"", "status=201", "duration_ms=", "principal=\"local\""]
    {
        assert!(line("put-1").contains(part), "{part}: {told}");
    }
    assert!(line("wrong-1").contains("status=401") && line("wrong-1").contains("principal=\"\""), "{told}");
    assert!(!told.contains("secret") && !told.contains(bearer.trim_start_matches("Bearer ")), "{told}");
}

fn unpacked(response: &Response) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(response.body.as_slice()).read_to_string(&mut text).unwrap();
    text
}

/// What a client gets that takes gzip.
fn ask(server: &Server, method: &str, path: &str, more: &[(&str, &str)], body: &str) -> Response {
    let bearer = server.bearer();
    let headers =
        [("Authorization", bearer.as_str()), ("Content-Type", "application/json"), ("Accept-Encoding", "gzip")];
    server.send(method, path, &[&headers[..], more].concat(), body)
}

#[test]
fn what_is_read_comes_in_gzip_to_who_takes_it() {
    let env = Env::new();
    env.cli(&["set", "long", &"abc ".repeat(2000)]).ok();
    let server = env.serve(&[]);
    let bearer = server.bearer();
    let read = json!({"key": "long"}).to_string();
    for (method, path, body) in [
        ("GET", "/v1/i/default/stm", ""),
        ("GET", "/openapi.json", ""),
        ("POST", "/v1/i/default/ops/read_key", read.as_str()),
    ] {
        let packed = ask(&server, method, path, &[], body);
        assert_eq!((packed.status, packed.header("content-encoding")), (200, Some("gzip")), "{path}");
        assert!(packed.header("vary").is_some_and(|vary| vary.to_lowercase().contains("accept-encoding")), "{path}");
        let plain = ask(&server, method, path, &[("Accept-Encoding", "identity")], body);
        let plain = if plain.header("content-encoding").is_none() {
            plain
        } else {
            server.send(method, path, &[("Authorization", &bearer), ("Content-Type", "application/json")], body)
        };
        assert_eq!(plain.header("content-encoding"), None, "{path}");
        assert!(packed.body.len() * 2 < plain.body.len(), "{path}");
        assert_eq!(unpacked(&packed), plain.text(), "{path}");
        assert_eq!(packed.header("etag"), plain.header("etag"), "{path}");
    }
}

#[test]
fn secrets_values_small_answers_and_streams_are_not_compressed() {
    let env = Env::new();
    env.cli(&["set", "long", &"abc ".repeat(2000)]).ok();
    let server = env.serve(&[]);
    let bearer = server.bearer();
    let name = "n".repeat(290);
    let key = json!({"name": name, "scopeType": "account", "permissions": vec!["read"; 400]}).to_string();
    let long = json!({"name": "batch", "args": {"mode": "all", "operations": vec![json!({"name": "read_key", "args": {"key": "long"}}); 3]}});
    for (method, path, more, body, status) in [
        // Beyond the least size, so that it is not for being small.
        ("POST", "/api/keys", &[][..], key.as_str(), 201),
        ("POST", "/v1/i/default/ops/op_call", &[], long.to_string().as_str(), 200),
        ("GET", "/v1/i/default/keys/long", &[], "", 200),
        ("GET", "/v1/i/default/keys/long", &[("Range", "bytes=0-4999")], "", 206),
        ("GET", "/api/groups", &[], "", 200),
        ("GET", "/health", &[], "", 200),
    ] {
        let answer = ask(&server, method, path, more, body);
        assert_eq!((answer.status, answer.header("content-encoding")), (status, None), "{path} {}", answer.text());
    }
    let mut stream = server.connect();
    let headers = [("Authorization", bearer.as_str()), ("Accept-Encoding", "gzip")];
    stream.send("GET", "/v1/i/default/changes", &headers, b"");
    let head = stream.head();
    assert_eq!((head.header("content-type"), head.header("content-encoding")), (Some("text/event-stream"), None));
}
