//! `mindcache serve`: who gets in, and that what is written there is the same store.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use serde_json::json;

use crate::harness::{
    Env,
    connection::Connection,
    mcp::{LEGACY, MODERN, ToolReply, initialize_params, reply_of, with_meta},
    normal::normal,
};

/// The first request of a client.
fn initialize() -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": initialize_params(LEGACY)}).to_string()
}

#[test]
fn the_first_line_says_where_it_listens_and_a_config_follows() {
    let env = Env::new();
    let server = env.serve(&[]);
    assert_eq!(normal(&env, &server.first_line), "mindcache <version> listening on http://127.0.0.1:<port>");
    while !server.next_line().contains("/mcp") {}
}

#[test]
fn health_needs_no_token() {
    let env = Env::new();
    let server = env.serve(&[]);
    let response = server.get("/health", &[]);
    assert_eq!(response.status, 200);
    let health = response.json();
    assert_eq!((&health["status"], &health["version"]), (&json!("ok"), &json!(env!("CARGO_PKG_VERSION"))));
    assert!(health["environment"].is_string(), "{health}");
}

#[test]
fn without_the_token_nobody_gets_in() {
    let env = Env::new();
    let server = env.serve(&[]);
    let token = server.token();
    let (wrong, cut, basic) = (format!("Bearer {token}x"), format!("Bearer {}", &token[1..]), format!("Basic {token}"));
    for header in [None, Some("Bearer "), Some(&*wrong), Some(&*cut), Some(&*basic), Some(&*token)] {
        let headers: Vec<_> = header.map(|value| ("Authorization", value)).into_iter().collect();
        let response = server.post("/mcp", &headers, &initialize());
        assert_eq!(response.status, 401, "{header:?}: {}", response.text());
    }
    assert_eq!(server.get("/mcp", &[]).status, 401);
    let in_the_url = server.post(&format!("/mcp?token={token}"), &[], &initialize());
    assert_eq!(in_the_url.status, 401, "a token in a URL ends up in logs");
}

#[test]
fn with_the_token_a_client_is_served() {
    let env = Env::new();
    let server = env.serve(&[]);
    let response = server.post("/mcp", &[("Authorization", &server.bearer())], &initialize());
    assert_eq!(response.status, 200, "{}", response.text());
    let hello = reply_of(response.message(1)).expect("initialize succeeds");
    assert_eq!((&hello["serverInfo"]["name"], &hello["protocolVersion"]), (&json!("mindcache"), &json!(LEGACY)));
}

#[cfg(unix)]
#[test]
fn the_token_is_for_its_owner_alone_and_stays() {
    use std::os::unix::fs::PermissionsExt;

    let env = Env::new();
    let token = env.serve(&[]).token();
    assert!(token.len() >= 32, "a token cannot be guessed");
    let mode = std::fs::metadata(env.data().join("token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(env.serve(&[]).token(), token, "client configs keep working after a restart");
    assert_ne!(Env::new().serve(&[]).first_line, "", "another store starts too");
}

#[test]
fn what_is_written_over_http_is_in_the_store() {
    let env = Env::new();
    let server = env.serve(&[]);
    let mut client = server.mcp();
    client.call("write_key", &json!({"key": "k", "value": "over http"})).ok();
    assert_eq!(env.cli(&["get", "k"]).ok(), "over http");
    env.cli(&["set", "k", "from a person"]).ok();
    assert_eq!(client.call("read_key", &json!({"key": "k"})).ok()["value"], "from a person");
    let error = client.call("read_key", &json!({"key": "absent"})).error("not_found");
    assert!(error["message"].as_str().unwrap_or_default().contains("absent"));
}

#[test]
fn the_mode_over_http_is_use() {
    let env = Env::new();
    let server = env.serve(&[]);
    let mut client = server.mcp();
    let listed = client.request("tools/list", &json!({})).expect("tools/list succeeds");
    let names: Vec<_> = listed["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    assert!(names.contains(&json!("write_key")) && !names.contains(&json!("clear_keys")), "{names:?}");
}

#[test]
fn the_address_chooses_instance_and_mode() {
    let env = Env::new();
    let created = env.cli(&["call", "instance_create", r#"{"name":"team notes"}"#]).json();
    let server = env.serve(&[]);
    let mut team = server.mcp_at("/i/team%20notes/mcp");
    team.call("write_key", &json!({"key": "k", "value": "of the team"})).ok();
    let by_id = format!("/i/{}/mcp/read", created["id"].as_str().unwrap());
    let mut reader = server.mcp_at(&by_id);
    assert_eq!(reader.call("read_key", &json!({"key": "k"})).ok()["value"], "of the team");
    reader.call("write_key", &json!({"key": "k", "value": "x"})).error("permission_denied");
    let mut editor = server.mcp_at("/i/team%20notes/mcp/edit");
    editor.call("rename_key", &json!({"key": "k", "new_key": "l"})).ok();
    server.mcp().call("read_key", &json!({"key": "l"})).error("not_found");
    server.mcp_at("/i/unknown/mcp").call("list_keys", &json!({})).error("not_found");
    let token = server.bearer();
    for (bad, status) in [("/i/_hidden/mcp", 400), ("/i/../mcp", 400), ("/i/a%2Fb/mcp", 400), ("/i//mcp", 400)] {
        let response = server.post(bad, &[("Authorization", &token)], &initialize());
        assert_eq!(response.status, status, "{bad}: {}", response.text());
    }
}

#[test]
fn defect_8_any_accept_header_is_served() {
    let env = Env::new();
    let server = env.serve(&[]);
    let token = server.bearer();
    for accept in ["*/*", "application/json"] {
        let response = server.post("/mcp", &[("Authorization", &*token), ("Accept", accept)], &initialize());
        assert_eq!(response.status, 200, "{accept}: {}", response.text());
    }
}

#[test]
fn a_client_without_a_handshake_is_served() {
    let env = Env::new();
    let server = env.serve(&[]);
    let token = server.bearer();
    let call = |id: u64, tool: &str, args: serde_json::Value| {
        let params = with_meta(json!({"name": tool, "arguments": args}));
        let body = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string();
        let headers = [
            ("Authorization", token.as_str()),
            ("MCP-Protocol-Version", MODERN),
            ("Mcp-Method", "tools/call"),
            ("Mcp-Name", tool),
        ];
        let response = server.post("/mcp", &headers, &body);
        assert_eq!(response.status, 200, "{}", response.text());
        ToolReply::of(reply_of(response.message(id)).expect("the call is taken")).ok()
    };
    call(1, "write_key", json!({"key": "k", "value": "v"}));
    assert_eq!(call(2, "read_key", json!({"key": "k"}))["value"], "v");
}

#[test]
fn the_token_can_be_switched_off_on_the_loopback_and_nowhere_else() {
    let env = Env::new();
    let server = env.serve(&["--no-auth"]);
    assert_eq!(server.post("/mcp", &[], &initialize()).status, 200);
    assert_eq!(server.get("/health", &[("Host", "evil.example")]).status, 403, "Host is checked all the same");
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        env.cli(&["serve", "--listen", address, "--no-auth"]).fails(2);
    }
}

#[test]
fn an_address_in_use_is_said() {
    let env = Env::new();
    let server = env.serve(&[]);
    let message = env.cli(&["serve", "--listen", &server.address]).stderr;
    assert!(message.contains(&server.address), "{message}");
}

#[test]
fn a_path_that_does_not_exist_is_not_found() {
    let env = Env::new();
    let server = env.serve(&[]);
    let token = server.bearer();
    assert_eq!(server.get("/no/such/path", &[("Authorization", &token)]).status, 404);
}

#[test]
fn bug_a_server_ended_when_only_its_first_line_was_read() {
    let env = Env::new();
    let mut command = env.command();
    command.args(["serve", "--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    // Dropped with the rest unread: the pipe is closed.
    BufReader::with_capacity(1, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let (_, address) = line.trim().split_once("http://").unwrap();
    let mut connection = Connection::open(address);
    connection.send("GET", "/health", &[], b"");
    assert_eq!(connection.response().status, 200);
    child.kill().unwrap();
    child.wait().unwrap();
}
