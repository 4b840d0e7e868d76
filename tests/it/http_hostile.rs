//! Hostile clients over HTTP: an answer each, and the others notice nothing.

use std::sync::mpsc;

use serde_json::{Value, json};

use crate::harness::{
    DEADLINE, Env,
    connection::Response,
    http::{JSON, Server},
    mcp::{LEGACY, MODERN, initialize_params, reply_of, text, with_meta},
};

/// Every route, and one that does not exist.
const ROUTES: [&str; 10] = [
    "/health",
    "/mcp",
    "/mcp/",
    "/mcp/read",
    "/mcp/edit/",
    "/i/default/mcp",
    "/i/default/mcp/",
    "/i/default/mcp/read",
    "/i/unknown/mcp/edit",
    "/no/such/path",
];

fn initialize() -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": initialize_params(LEGACY)}).to_string()
}

/// Every method that a route may have.
fn each_method(server: &Server, path: &str, headers: &[(&str, &str)]) -> [(&'static str, Response); 4] {
    let headers = [&JSON, headers].concat();
    let initialize = initialize();
    [("GET", ""), ("POST", initialize.as_str()), ("DELETE", ""), ("OPTIONS", "")]
        .map(|(method, body)| (method, server.send(method, path, &headers, body)))
}

#[test]
fn defect_1_a_foreign_host_or_origin_is_refused_on_every_route() {
    let env = Env::new();
    let server = env.serve(&[]);
    let bearer = server.bearer();
    let port = server.address.rsplit(':').next().unwrap();
    let host = |name: &str| ("Host", format!("{name}:{port}"));
    let origin = |name: &str| ("Origin", name.to_owned());
    let foreign = [
        ("Host", "evil.example".to_owned()),
        host("evil.example"),
        host("127.0.0.1.evil.example"),
        origin("https://evil.example"),
        origin("http://127.0.0.1.evil.example"),
        origin("http://localhost.evil.example:1"),
        origin("null"),
    ];
    for path in ROUTES {
        for (name, value) in &foreign {
            for (method, response) in each_method(&server, path, &[("Authorization", &bearer), (name, value)]) {
                assert_eq!(response.status, 403, "{method} {path} {name}: {value}");
                assert_eq!(response.header("access-control-allow-origin"), None);
            }
        }
    }
    let own = [host("localhost"), host("127.0.0.1"), ("Origin", format!("http://localhost:{port}"))];
    for (name, value) in own.iter().map(|(name, value)| (*name, value.as_str())).chain([("X-None", "")]) {
        assert_eq!(server.get("/health", &[(name, value)]).status, 200, "{name}: {value}");
        let response = server.post("/mcp", &[("Authorization", &bearer), (name, value)], &initialize());
        assert_eq!(response.status, 200, "{name}: {value}");
    }
}

#[test]
fn every_route_but_health_asks_for_the_token() {
    let env = Env::new();
    let server = env.serve(&[]);
    let wrong = format!("{}x", server.bearer());
    for path in ROUTES.iter().filter(|path| path.contains("/mcp")) {
        for headers in [&[][..], &[("Authorization", wrong.as_str())]] {
            for (method, response) in each_method(&server, path, headers) {
                // A browser asks without the token whether it may send it.
                let expected = if method == "OPTIONS" { 200 } else { 401 };
                assert_eq!(response.status, expected, "{method} {path} {headers:?}");
                if expected == 401 {
                    assert_eq!(response.header("www-authenticate"), Some("Bearer"));
                    assert!(text(&response.json()["error"]).contains("token"), "it says what to do");
                }
            }
        }
    }
}

#[test]
fn defect_7_a_session_is_bound_to_its_owner_and_its_address() {
    let env = Env::new();
    // Without a token, whatever stands in its place still tells clients apart.
    let server = env.serve(&["--no-auth"]);
    let opened = server.post("/mcp/read", &[("Authorization", "Bearer of the owner")], &initialize());
    let session = opened.header("mcp-session-id").expect("a session").to_owned();
    let listing = json!({"jsonrpc": "2.0", "id": 9, "method": "tools/list", "params": {}}).to_string();
    let attempt = |method: &str, path: &str, who: Option<&str>, session: &str| {
        let mut headers = [&JSON[..], &[("Mcp-Session-Id", session), ("MCP-Protocol-Version", LEGACY)]].concat();
        headers.extend(who.map(|who| ("Authorization", who)));
        server.send(method, path, &headers, if method == "POST" { &listing } else { "" }).status
    };
    let owner = Some("Bearer of the owner");
    for method in ["POST", "GET", "DELETE"] {
        for who in [None, Some("Bearer of another"), Some("Basic of the owner")] {
            assert_eq!(attempt(method, "/mcp/read", who, &session), 404, "{method} by {who:?}");
        }
        for path in ["/mcp", "/mcp/edit", "/i/default/mcp/read"] {
            assert_eq!(attempt(method, path, owner, &session), 404, "{method} at {path}");
        }
        assert_eq!(attempt(method, "/mcp/read", owner, "0000"), 404, "{method} with an id made up");
    }
    assert_eq!(attempt("POST", "/mcp/read", owner, &session), 200, "the owner is served after all that");
    assert_eq!(attempt("DELETE", "/mcp/read", owner, &session), 204);
    assert_eq!(attempt("POST", "/mcp/read", owner, &session), 404, "an ended session is none");
}

#[test]
fn what_is_no_message_is_a_fault_of_the_client_and_the_server_lives() {
    let env = Env::new();
    let server = env.serve(&[]);
    let bearer = server.bearer();
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    let batch = format!("[{ping},{ping}]");
    let deep = "[".repeat(100_000);
    let bodies: [&[u8]; 10] = [
        b"",
        b"{",
        b"hello",
        b"null",
        b"{}",
        b"[]",
        b"\xff\xfe\x00",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pi\xffng\"}",
        batch.as_bytes(),
        deep.as_bytes(),
    ];
    let session = server.mcp();
    for owner in [session.headers("", None), vec![("Authorization", &*bearer)]] {
        for body in bodies {
            let mut connection = server.connect();
            connection.send("POST", "/mcp", &[&JSON, &owner[..]].concat(), body);
            is_refused(&connection.response(), body);
        }
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "", "\u{e9}"] {
            let headers = [&[("Content-Type", kind)], &owner[..]].concat();
            is_refused(&server.send("POST", "/mcp", &headers, &ping), kind.as_bytes());
        }
        is_refused(&server.send("POST", "/mcp", &owner, &ping), b"no content type");
        is_refused(&server.send("PUT", "/mcp", &[&JSON, &owner[..]].concat(), &ping), b"PUT");
    }
    for (method, path) in [("GET", "/mcp"), ("DELETE", "/mcp"), ("POST", "/health"), ("DELETE", "/health")] {
        is_refused(&server.send(method, path, &[("Authorization", &bearer)], ""), path.as_bytes());
    }
    assert_eq!(server.get("/health", &[]).status, 200);
    server.mcp().call("write_key", &json!({"key": "k", "value": "v"})).ok();
}

#[test]
fn headers_that_contradict_the_message_are_refused() {
    let env = Env::new();
    let server = env.serve(&[]);
    let client = server.mcp_modern();
    let params = with_meta(json!({"notifications": {"toolsListChanged": true}}));
    let listen = json!({"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params}).to_string();
    // The number of subscriptions is counted by their header.
    for method in ["tools/list", "Subscriptions/listen", ""] {
        is_refused(&server.post("/mcp", &client.headers(method, None), &listen), method.as_bytes());
    }
    let bearer = server.bearer();
    let version = |version| [("Authorization", bearer.as_str()), ("MCP-Protocol-Version", version)];
    for headers in [&version(MODERN)[..], &version(MODERN)[..1], &version(LEGACY), &version("1999-01-01")] {
        is_refused(&server.post("/mcp", headers, &listen), b"no header of the method");
    }
}

/// A fault of the client, said in words.
fn is_refused(response: &Response, what: &[u8]) {
    let what = String::from_utf8_lossy(what.get(..40).unwrap_or(what)).into_owned();
    assert!((400..500).contains(&response.status), "{what}: {} {}", response.status, response.text());
    assert!(response.status == 405 || !response.text().is_empty(), "{what}: {} without a word", response.status);
}

#[test]
fn bug_a_body_over_the_limit_was_refused_before_it_was_sent_and_its_connection_died() {
    let env = Env::new();
    let server = env.serve(&[]);
    let bearer = server.bearer();
    let headers = [&JSON[..], &[("Authorization", bearer.as_str())]].concat();
    let body = format!("{{\"x\":\"{}\"}}", "x".repeat(40 * 1024 * 1024));
    let mut connection = server.connect();
    connection.send("POST", "/mcp", &headers, body.as_bytes());
    let refused = connection.response();
    assert_eq!(refused.status, 413);
    assert!(refused.text().contains("37748736 bytes"), "it says what the limit is: {}", refused.text());
    connection.send("POST", "/mcp", &headers, initialize().as_bytes());
    assert_eq!(connection.response().status, 200, "the same connection goes on");
    server.mcp().call("write_key", &json!({"key": "k", "value": "v"})).ok();
}

#[test]
fn a_large_body_without_the_token_is_refused_unread() {
    let env = Env::new();
    let server = env.serve(&[]);
    let mut connection = server.connect();
    connection.send_raw(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n{");
    assert_eq!(connection.response().status, 401);
}

#[test]
fn a_subscription_to_ten_thousand_resources_honours_a_thousand_and_says_which() {
    let env = Env::new();
    let server = env.serve(&[]);
    let mut client = server.mcp_modern();
    let uris: Vec<_> = (0..10_000).map(|number| format!("mindcache://default/k{number}")).collect();
    let (_, acknowledged) = client.listen(&json!({"resourceSubscriptions": uris}));
    let honoured: Vec<_> = acknowledged["resourceSubscriptions"].as_array().unwrap().iter().map(text).collect();
    assert!(honoured == uris[..1_000], "{} are honoured", honoured.len());
    for number in [9_999, 1_000, 999, 0] {
        env.cli(&["set", &format!("k{number}"), "x"]).ok();
    }
    let mut told = [(); 2].map(|()| text(&client.next_where(|_| true)["params"]["uri"]));
    told.sort();
    assert_eq!(told, [uris[0].clone(), uris[999].clone()]);
}

#[test]
fn a_session_follows_a_thousand_resources_and_says_so_to_each_more() {
    let env = Env::new();
    let server = env.serve(&[]);
    let mut client = server.mcp();
    let mut connection = server.connect();
    let mut subscribe = |id: u64, uri: &str| {
        let request = json!({"jsonrpc": "2.0", "id": id, "method": "resources/subscribe", "params": {"uri": uri}});
        connection.send(
            "POST",
            "/mcp",
            &[&JSON, &client.headers("", None)[..]].concat(),
            request.to_string().as_bytes(),
        );
        reply_of(connection.response().message(id))
    };
    let uri = |number: u64| format!("mindcache://default/k{number}");
    for number in 0..1_100 {
        let reply = subscribe(number, &uri(number));
        assert_eq!(reply.is_ok(), number < 1_000, "{number}: {reply:?}");
        if let Err(error) = reply {
            assert_eq!(error["code"], -32602, "{error}");
            assert!(text(&error["message"]).contains("1000 resources"), "{error}");
        }
    }
    subscribe(10_000, &uri(0)).expect("what is followed can be asked for again");
    client.request("resources/unsubscribe", &json!({"uri": uri(7)})).unwrap();
    client.open_session_stream();
    for number in [1_099, 7, 999] {
        env.cli(&["set", &format!("k{number}"), "x"]).ok();
    }
    let told = client.next_where(|message| message["method"] == "notifications/resources/updated");
    assert_eq!(told["params"]["uri"], json!(uri(999)));
}

#[test]
fn bug_uris_of_any_length_were_kept_to_be_told_of() {
    let env = Env::new();
    let server = env.serve(&[]);
    let of = |length: usize| format!("{:x<length$}", "mindcache://default/k?");
    let (longest, longer) = (of(8 * 1024), of(8 * 1024 + 1));
    let mut session = server.mcp();
    session.request("resources/subscribe", &json!({"uri": longest})).expect("it is taken");
    let refused = session.request("resources/subscribe", &json!({"uri": longer})).unwrap_err();
    assert_eq!(refused["code"], -32602);
    assert!(text(&refused["message"]).contains("8192 bytes"), "{refused}");
    let (_, acknowledged) = server.mcp_modern().listen(&json!({"resourceSubscriptions": [longer, longest]}));
    assert!(acknowledged["resourceSubscriptions"] == json!([longest]), "only the shorter is honoured");
}

/// The most subscriptions that a server serves.
const LISTENS: usize = 1024;

/// Each end of a connection is an open file, here too.
#[cfg(unix)]
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

#[cfg(not(unix))]
fn raise_open_files() {}

#[test]
fn bug_there_was_no_limit_on_subscriptions_and_defect_2_one_ends_when_its_client_has_gone() {
    raise_open_files();
    let env = Env::new();
    let server = env.serve(&[]);
    let mut client = server.mcp_modern();
    let wanted = json!({"resourceSubscriptions": ["mindcache://default/k"]});
    let mut listen = || {
        let (_, mut connection) = client.send("subscriptions/listen", &json!({"notifications": wanted}));
        let head = connection.head();
        (head, connection)
    };
    let mut open: Vec<_> = (0..LISTENS).map(|_| listen()).collect();
    assert!(open.iter().all(|(head, _)| head.status == 200));
    let (head, _) = listen();
    assert_eq!(head.status, 429);
    // What is open goes on, and calls are served.
    let (_, last) = open.pop().unwrap();
    let (sender, told) = mpsc::channel();
    let last = last.events_to(sender);
    server.mcp().call("write_key", &json!({"key": "k", "value": "v"})).ok();
    let is_update = |message: &Value| message["method"] == "notifications/resources/updated";
    assert!(std::iter::from_fn(|| told.recv_timeout(DEADLINE).ok()).any(|message| is_update(&message)));
    drop((open, last));
    // The server learns by and by that they have gone; then there are as many places as before.
    let mut again = Vec::new();
    for _ in 0..100 * LISTENS {
        let (head, connection) = listen();
        if head.status == 200 {
            again.push(connection);
        }
        if again.len() == LISTENS {
            return;
        }
    }
    panic!("{} places of {LISTENS} came back", again.len());
}

#[test]
fn clients_that_do_not_read_do_not_slow_others() {
    let env = Env::new();
    let server = env.serve(&[]);
    // Each write of this key is megabytes of notifications to who follows it so often.
    let uris: Vec<_> = (0..400).map(|number| format!("mindcache://default/k?{number}-{}", "x".repeat(8_000))).collect();
    let wanted = json!({"resourceSubscriptions": uris});
    let mut session = server.mcp();
    for uri in &uris {
        session.request("resources/subscribe", &json!({"uri": uri})).unwrap();
    }
    let mut stalled_session = server.connect();
    stalled_session.send(
        "GET",
        "/mcp",
        &[&[("Accept", "text/event-stream")], &session.headers("", None)[..]].concat(),
        b"",
    );
    let mut client = server.mcp_modern();
    let (_, stalled_listener) = client.send("subscriptions/listen", &json!({"notifications": wanted}));
    client.listen(&wanted);
    let mut quiet = server.mcp_modern();
    quiet.listen(&json!({"resourceSubscriptions": ["mindcache://default/quiet"]}));
    for round in 0..6 {
        server.mcp().call("write_key", &json!({"key": "k", "value": round.to_string()})).ok();
        // Who reads has all of it: more each round than a connection holds for who does not.
        for _ in &uris {
            client.next_where(|message| message["method"] == "notifications/resources/updated");
        }
    }
    env.cli(&["set", "quiet", "x"]).ok();
    quiet.next_where(|message| message["method"] == "notifications/resources/updated");
    assert_eq!(server.mcp().call("read_key", &json!({"key": "k"})).ok()["value"], "5");
    drop((stalled_session, stalled_listener));
}
