//! A server of many users: its first start, and what proves who somebody is.

use serde_json::json;

use super::{call, user};
use crate::harness::{Env, http::Server, http_client::HttpClient, mcp::Era};

fn start(env: &Env) -> Server {
    env.serve(&["--multi-user", "--owner", "owner@example.com"])
}

#[test]
fn the_first_start_makes_the_owner_and_prints_a_key_once() {
    let env = Env::new();
    env.cli(&["set", "k", "from before"]).ok();
    let mut server = start(&env);
    let mut lines = std::iter::from_fn(|| Some(server.next_line()));
    let key = lines.find_map(|line| line.strip_prefix("admin key, shown this once: ").map(str::to_owned)).unwrap();
    let proof = format!("Bearer {key}");
    let read = call(&server, "/mcp", &proof, "read_key", &json!({"key": "k"})).unwrap();
    assert_eq!(read["value"], "from before", "what was in the project default is the owner's");
    assert!(call(&server, "/mcp/edit", &proof, "user_create", &json!({"email": "ann@example.com"})).is_ok());
    assert!(!env.data().join("token").exists(), "nobody acts as the user of the machine over HTTP");
    let health = server.get("/health", &[]).text();
    assert!(health.contains("\"environment\":\"server\""), "{health}");
    for proof in ["", "Bearer x", "Basic eDp5"] {
        assert_eq!(call(&server, "/mcp", proof, "list_keys", &json!({})), Err("unauthenticated".into()));
    }
    server.terminate();
    let again = start(&env);
    let line = std::iter::from_fn(|| Some(again.next_line())).find(|line| line.contains("Authorization")).unwrap();
    assert!(line.contains("YOUR_API_KEY"), "{line}");
    assert!(call(&again, "/mcp", &proof, "read_key", &json!({"key": "k"})).is_ok());
    let users = env.cli(&["user", "list", "--json"]).json();
    assert_eq!(users["users"].as_array().unwrap().iter().filter(|user| user["is_owner"] == true).count(), 1);
}

#[test]
fn a_session_is_its_principals_alone() {
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let (_, bob) = user(&env, "bob@example.com");
    let server = env.serve(&[]);
    let mut client = HttpClient::with_proof(&server, "/mcp", &ann, Era::Legacy);
    client.handshake().unwrap();
    assert!(!client.call("list_keys", &json!({})).is_error);
    let session = client.session.clone().unwrap();
    let mut thief = HttpClient::with_proof(&server, "/mcp", &bob, Era::Legacy);
    thief.session = Some(session);
    assert_eq!(thief.post_call("list_keys", &json!({})).status, 404);
    assert_eq!(thief.post_call("list_keys", &json!({})).status, 404);
    assert!(!client.call("list_keys", &json!({})).is_error);
}

#[test]
fn development_is_for_the_loopback_alone() {
    let env = Env::new();
    let development = |listen: &str| {
        let mut command = env.command();
        command.args(["serve", "--listen", listen]).env("ENVIRONMENT", "development");
        command
    };
    assert_eq!(crate::harness::run(development("0.0.0.0:0"), b"").code, 2);
    env.cli(&["serve", "--multi-user", "--no-auth"]).fails(2);
    env.cli(&["serve", "--owner", "a@b"]).fails(2);
    let mut issued = development("127.0.0.1:0");
    issued.args(["--issuer", "https://id.example.com aud=me"]);
    assert!(crate::harness::run(issued, b"").fails(2).contains("--issuer"), "tokens would count for nothing");
    let server = Server::start(development("127.0.0.1:0"), env.data());
    let warned = std::iter::from_fn(|| Some(server.next_line())).find(|line| line.starts_with("WARNING"));
    assert!(warned.is_some());
    assert!(server.get("/health", &[]).text().contains("\"environment\":\"development\""));
    assert!(call(&server, "/mcp", "", "list_keys", &json!({})).is_ok());
}

#[test]
fn a_name_of_a_proxy_is_taken_when_it_was_given() {
    let env = Env::new();
    let server = env.serve(&["--host", "mind.example.com"]);
    assert_eq!(server.get("/health", &[("Host", "mind.example.com")]).status, 200);
    assert_eq!(server.get("/health", &[("Host", "evil.example.com")]).status, 403);
}
