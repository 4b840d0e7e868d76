//! What a request over HTTP may be: its path, its headers, its body, and how many streams are open.

use serde_json::json;

use crate::harness::{Env, http::Server};

/// A GET with this in its head.
fn health(server: &Server, path: &str, headers: &[(String, String)]) -> (u16, String) {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let response = server.get(path, &headers);
    (response.status, response.text())
}

#[test]
fn a_path_has_8_kibibytes_and_headers_have_64() {
    let env = Env::new();
    let server = env.serve(&[]);
    let path = |length: usize| format!("{:x<length$}", "/health?");
    assert_eq!(health(&server, &path(8 * 1024), &[]).0, 200);
    let (status, told) = health(&server, &path(8 * 1024 + 1), &[]);
    assert_eq!(status, 414);
    assert!(told.contains("at most 8192 bytes"), "{told}");
    let header = |length: usize| [("X".to_owned(), "x".repeat(length))];
    assert_eq!(health(&server, "/health", &header(63 * 1024)).0, 200);
    let (status, told) = health(&server, "/health", &header(64 * 1024));
    assert_eq!(status, 431);
    assert!(told.contains("at most 65536 bytes"), "{told}");
}

#[test]
fn a_request_has_a_hundred_headers() {
    let env = Env::new();
    let server = env.serve(&[]);
    // `Host` and what the client of these tests adds are among them.
    let of = |count: usize| -> Vec<_> { (0..count).map(|number| (format!("X-{number}"), String::new())).collect() };
    assert_eq!(health(&server, "/health", &of(90)).0, 200);
    assert_eq!(health(&server, "/health", &of(101)).0, 431);
    assert_eq!(health(&server, "/health", &[]).0, 200);
}

#[test]
fn streams_of_sessions_are_counted_with_subscriptions() {
    let env = Env::new();
    let server = env.serve(&[]);
    let mut client = server.mcp_modern();
    let wanted = json!({"notifications": {"resourceSubscriptions": ["mindcache://default/k"]}});
    let mut open: Vec<_> = (0..1024).map(|_| client.send("subscriptions/listen", &wanted).1).collect();
    assert!(open.iter_mut().all(|connection| connection.head().status == 200));
    let session = server.mcp();
    let stream = || {
        let headers = [&[("Accept", "text/event-stream"), ("Connection", "close")], &session.headers("", None)[..]];
        let mut connection = server.connect();
        connection.send("GET", "/mcp", &headers.concat(), b"");
        (connection.head(), connection)
    };
    let (refused, _) = stream();
    assert_eq!(refused.status, 429);
    drop(open);
    // The server learns by and by that they have gone.
    assert!((0..1000).any(|_| stream().0.status == 200), "a place comes back");
}

#[test]
fn what_is_not_large_does_not_wait_for_large_bodies_that_do_not_come() {
    let env = Env::new();
    let server = env.serve(&[]);
    let bearer = server.bearer();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer}\r\nContent-Type: application/json\r\n\
         Content-Length: 3000000\r\n\r\n"
    );
    let begun = [(); 2].map(|()| {
        let mut connection = server.connect();
        connection.send_raw(&[head.as_bytes(), &vec![b' '; 2_000_000]].concat());
        connection
    });
    let mut client = server.mcp();
    client.call("write_key", &json!({"key": "k", "value": "x".repeat(1_000_000)})).ok();
    // Those who have gone have no place any more.
    drop(begun);
    client.call("write_key", &json!({"key": "k", "value": "x".repeat(2_000_000)})).ok();
}
