//! Who gets in: the code, the two halves, and how a sign-in ends.

use serde_json::json;

use super::{Halves, Stream, call, exchange, served, served_with_log};
use crate::harness::{Env, http::Server};

fn status(server: &Server, headers: &[(&str, &str)]) -> u16 {
    call(server, headers, "list_keys", &json!({})).status
}

#[test]
fn a_code_is_taken_once_and_both_halves_are_needed() {
    let env = Env::new();
    let (server, code) = served(&env, &[]);
    assert!(code.len() >= 32, "at least 128 bits in hexadecimal: {code}");
    let answer = exchange(&server, &code);
    let port = server.address.rsplit(':').next().unwrap();
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with(&format!("mc_{port}=")), "{cookie}");
    for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/", "; Max-Age=2592000"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let halves = Halves {
        cookie: cookie.split(';').next().unwrap().to_owned(),
        page_key: answer.json()["page_key"].as_str().unwrap().to_owned(),
    };
    let [in_cookie, page_key, _] = halves.headers();
    assert_eq!(status(&server, &[in_cookie, page_key]), 200);
    assert_eq!(status(&server, &[in_cookie]), 401, "a cookie alone");
    assert_eq!(status(&server, &[page_key]), 401, "a page key alone");
    assert_eq!(status(&server, &[]), 401);
    assert_eq!(status(&server, &[in_cookie, ("X-MindCache-Page", "0000")]), 401);
    let (name, value) = halves.cookie.split_once('=').unwrap();
    let other = format!("{name}={}x", value.get(..value.len() - 1).unwrap());
    assert_eq!(status(&server, &[("Cookie", &other), page_key]), 401);
    for path in ["/v1/i/default/changes", "/v1/i/default/keys/a", "/api/page"] {
        assert_eq!(server.get(path, &[in_cookie]).status, 401, "{path}");
    }
    let used = exchange(&server, &code);
    assert_eq!((used.status, used.header("set-cookie")), (401, None));
    assert!(used.text().contains("mindcache open"), "{}", used.text());
    assert_eq!(exchange(&server, "").status, 401);
}

#[test]
fn other_origins_get_nowhere() {
    let env = Env::new();
    let (server, code) = served(&env, &[]);
    let body = json!({ "code": code }).to_string();
    let kind = ("Content-Type", "application/json");
    for (origin, expected) in
        [("http://127.0.0.1:1", 403), ("http://localhost", 403), ("https://evil.example", 403), ("null", 403)]
    {
        let refused = server.send("POST", "/api/sign-in", &[("Origin", origin), kind], &body);
        assert_eq!((refused.status, refused.header("set-cookie")), (expected, None), "{origin}");
    }
    // A form sends no JSON; the code is still good afterwards.
    let form = [("Content-Type", "text/plain")];
    assert_eq!(server.send("POST", "/api/sign-in", &form, &body).status, 403);
    let halves = Halves::of(&server, &code);
    let own = format!("http://{}", server.address);
    for (origin, expected) in [(own.as_str(), 200), ("http://127.0.0.1:1", 401), ("https://evil.example", 403)] {
        assert_eq!(status(&server, &[&halves.headers()[..], &[("Origin", origin)]].concat()), expected, "{origin}");
    }
    assert_eq!(status(&server, &[&halves.headers()[..], &[("Host", "evil.example")]].concat()), 403);
    let refused = server.send(
        "POST",
        "/v1/i/default/ops/write_key",
        &[&halves.headers()[..], &form].concat(),
        &json!({"key": "a", "value": "1"}).to_string(),
    );
    assert_eq!(refused.status, 415, "what a form can send");
}

#[test]
fn a_sign_in_opens_the_page_and_not_mcp_and_makes_no_other() {
    let env = Env::new();
    let (server, code) = served(&env, &[]);
    let halves = Halves::of(&server, &code);
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}).to_string();
    assert_eq!(server.post("/mcp", &halves.headers(), &request).status, 401);
    assert_eq!(server.send("POST", "/api/sign-in/code", &halves.headers(), "").status, 403);
    let bearer = server.bearer();
    let made = server.send("POST", "/api/sign-in/code", &[("Authorization", &bearer)], "");
    let other = Halves::of(&server, made.json()["code"].as_str().unwrap());
    assert_eq!(status(&server, &other.headers()), 200);
}

#[test]
fn a_sign_in_outlives_the_server_and_ends_at_once_when_it_is_revoked() {
    let env = Env::new();
    let halves = {
        let (server, code) = served(&env, &[]);
        Halves::of(&server, &code)
    };
    let (server, _) = served(&env, &[]);
    // Another port, so another name of the cookie; a browser would keep both.
    let port = server.address.rsplit(':').next().unwrap();
    let (_, value) = halves.cookie.split_once('=').unwrap();
    let halves = Halves { cookie: format!("mc_{port}={value}"), ..halves };
    assert_eq!(status(&server, &halves.headers()), 200);
    let stream = Stream::open(&server, "", &halves.headers());
    stream.next();
    // Another process ends it.
    let listed = env.cli(&["--json", "call", "sign_in_list", "{}"]).json();
    let [only] = listed["sign_ins"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    let text = listed.to_string();
    assert!(!text.contains(value.split('.').nth(1).unwrap()) && !text.contains(&halves.page_key), "{text}");
    env.cli(&["call", "sign_in_revoke", &json!({"sign_in": only["sign_in"]}).to_string()]).ok();
    assert_eq!(status(&server, &halves.headers()), 401);
    assert!(stream.is_over());
    assert_eq!(env.cli(&["--json", "call", "sign_in_revoke", "{}"]).json()["revoked"], false);
}

#[test]
fn no_code_no_cookie_and_no_key_is_in_a_log_or_in_the_store() {
    let env = Env::new();
    let log = env.path("server.log");
    let server = served_with_log(&env, log.to_str().unwrap());
    let link = server.next_line();
    let code = link.split_once("/#code=").unwrap().1.to_owned();
    let halves = Halves::of(&server, &code);
    assert_eq!(status(&server, &halves.headers()), 200);
    assert_eq!(status(&server, &[("Cookie", &halves.cookie)]), 401);
    let stream = Stream::open(&server, "", &halves.headers());
    stream.next();
    env.cli(&["set", "a", "1"]).ok();
    stream.change();
    let in_cookie = halves.cookie.rsplit('.').next().unwrap().to_owned();
    drop((stream, server));
    let mut texts = vec![std::fs::read(&log).unwrap()];
    for entry in std::fs::read_dir(env.data().join("catalog")).unwrap() {
        texts.extend(std::fs::read(entry.unwrap().path()));
    }
    for secret in [&code, &in_cookie, &halves.page_key] {
        let found = texts.iter().any(|text| text.windows(secret.len()).any(|part| part == secret.as_bytes()));
        assert!(!found, "a secret is kept");
    }
}

#[test]
fn without_tokens_the_page_needs_no_sign_in() {
    let env = Env::new();
    let (server, code) = served(&env, &["--no-auth"]);
    assert_eq!(code, "");
    let about = server.get("/api/page", &[]).json();
    assert_eq!(about["sign_in"], false);
    let tab = [("X-MindCache-Tab", "t")];
    assert_eq!(call(&server, &tab, "write_key", &json!({"key": "a", "value": "1"})).status, 200);
    let rows = call(&server, &tab, "key_browse", &json!({})).json();
    assert_eq!(rows["keys"][0]["actor"]["client"], "page");
    assert_eq!(exchange(&server, "x").status, 404);
}

#[test]
fn open_finds_the_server_or_starts_one_and_gives_no_code_away() {
    let env = Env::new();
    env.cli(&["set", "a", "1"]).ok();
    let (server, _) = served(&env, &[]);
    let link = env.cli(&["open", "--print", "-i", "default"]).ok();
    let (address, rest) = link.trim().strip_prefix("http://").unwrap().split_once("/#code=").unwrap();
    assert_eq!(address, server.address);
    let (code, instance) = rest.split_once("&i=").unwrap();
    assert_eq!(instance, "default");
    let halves = Halves::of(&server, code);
    assert_eq!(status(&server, &halves.headers()), 200);
    // A browser that writes down how it was called.
    let called = env.path("called");
    let folder = env.path("bin");
    std::fs::create_dir(&folder).unwrap();
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    env.file("bin/opener", format!("#!/bin/sh\necho \"$@\" >{}\n", called.display()).as_bytes());
    std::fs::rename(folder.join("opener"), folder.join(opener)).unwrap();
    let mut permissions = std::fs::metadata(folder.join(opener)).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    std::fs::set_permissions(folder.join(opener), permissions).unwrap();
    let mut command = env.command();
    command.arg("open").env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
    let said = crate::harness::run(command, b"").ok();
    assert!(!said.contains("code="), "{said}");
    let called = std::fs::read_to_string(called).unwrap();
    let file = called.trim();
    assert!(!called.contains("code="), "{called}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let leads = std::fs::read_to_string(file).unwrap();
    let code = leads.split_once("#code=").unwrap().1.split('&').next().unwrap();
    assert_eq!(exchange(&server, code).status, 200);
}

#[test]
fn bug_doctor_made_open_forget_the_server_that_runs() {
    let env = Env::new();
    env.cli(&["set", "a", "1"]).ok();
    let (server, _) = served(&env, &[]);
    let told = env.cli(&["doctor"]).ok();
    assert!(told.contains("HTTP"), "{told}");
    let link = env.cli(&["open", "--print"]).ok();
    assert!(link.starts_with(&format!("http://{}/", server.address)), "{link}");
}

/// The server was killed, and somebody else's program has its address now.
#[test]
fn bug_open_sent_the_token_to_whoever_listened_at_the_address_of_a_server_that_was_gone() {
    let env = Env::new();
    env.cli(&["set", "a", "1"]).ok();
    let first = env.cli(&["open", "--print"]).ok();
    let told = std::fs::read_to_string(env.data().join("server")).unwrap();
    let [address, pid] = told.lines().collect::<Vec<_>>()[..] else { panic!("{told}") };
    crate::harness::kill(pid.parse().unwrap());
    assert!(first.contains(address));
    let mut stranger = None;
    crate::harness::eventually("the address is free", || {
        stranger = std::net::TcpListener::bind(address).ok();
        stranger.is_some()
    });
    let stranger = stranger.unwrap();
    stranger.set_nonblocking(true).unwrap();
    let second = env.cli(&["open", "--print"]).ok();
    let told = std::fs::read_to_string(env.data().join("server")).unwrap();
    crate::harness::kill(told.lines().nth(1).unwrap().parse().unwrap());
    assert!(!second.contains(address), "{second}");
    assert!(stranger.accept().is_err(), "nobody came to the stranger");
}

#[test]
fn open_starts_a_server_that_stays_when_none_runs() {
    let env = Env::new();
    env.cli(&["set", "a", "1"]).ok();
    let first = env.cli(&["open", "--print"]).ok();
    let told = std::fs::read_to_string(env.data().join("server")).unwrap();
    let [address, pid] = told.lines().collect::<Vec<_>>()[..] else { panic!("{told}") };
    let second = env.cli(&["open", "--print"]).ok();
    crate::harness::kill(pid.parse().unwrap());
    for link in [&first, &second] {
        assert!(link.starts_with(&format!("http://{address}/#code=")), "{link}, not at {address}");
    }
    assert_ne!(first, second);
}

#[test]
fn bug_a_page_that_was_signed_out_ended_what_it_had_begun_to_send() {
    let env = Env::new();
    let (server, code) = served(&env, &[]);
    let halves = Halves::of(&server, &code);
    assert_eq!(status(&server, &halves.headers()), 200);
    let [in_cookie, page_key, _] = halves.headers();
    let sent: [(&str, &str, &[u8]); 2] = [
        ("PUT", "/v1/i/default/keys/up", b"new"),
        ("POST", "/v1/i/default/ops/write_key", br#"{"key":"up","value":"new"}"#),
    ];
    let begun = sent.map(|(method, path, body)| {
        let mut connection = server.connect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{}: {}\r\n{}: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
            server.address,
            in_cookie.0,
            in_cookie.1,
            page_key.0,
            page_key.1,
            body.len()
        );
        connection.send_raw(head.as_bytes());
        assert_eq!(connection.head().status, 100, "it is in, and what it sends is waited for");
        (connection, body)
    });
    env.cli(&["call", "sign_in_revoke", "{}"]).ok();
    for (mut connection, body) in begun {
        connection.send_raw(body);
        assert_eq!(connection.response().status, 401);
    }
    env.cli(&["get", "up"]).fails(3);
}
