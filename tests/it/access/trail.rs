//! The audit trail: what was changed, by whom, from where; and who was refused what.

use serde_json::{Value, json};

use super::{at, call, key, local, user};
use crate::{
    harness::{Env, mcp::text},
    page::served_with_log,
    sync::client::Client,
};

#[test]
fn who_changed_which_rights_from_where_is_shown_newest_first() {
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let instance = local(&env, "instance_create", &json!({"name": "i"}))["id"].clone();
    local(&env, "share_create", &json!({"instance": instance, "with": "ann@example.com", "permission": "write"}));
    let server = env.serve(&[]);
    let headers = [("Authorization", ann.as_str()), ("Content-Type", "application/json"), ("User-Agent", "tool/1")];
    let made = server.send("POST", "/v1/i/default/ops/api_key_create", &headers, r#"{"name": "ci"}"#).json();
    let secret = text(&made["secret"]);
    call(&server, "/mcp/edit", &ann, "api_key_revoke", &json!({"id": made["id"]})).unwrap();
    // A write of a key is no change of a right, and its log does not say from where it came.
    call(&server, &at(&instance).replace("/edit", ""), &ann, "write_key", &json!({"key": "k", "value": "v"})).unwrap();
    let log = local(&env, "access_log", &json!({}));
    let rows = log["changes"].as_array().unwrap();
    let row = |operation: &str, change: &str| {
        let found = rows.iter().find(|row| row["operation"] == operation && row["change"] == change);
        found.unwrap_or_else(|| panic!("{operation} {change} in {log}")).clone()
    };
    let made = row("api_key_create", "created");
    assert_eq!((text(&made["from"]), text(&made["client"])), ("rest 127.0.0.1".into(), "tool".into()));
    assert_eq!(made["by"], "key \"a key\" of ann@example.com");
    assert!(
        text(&made["what"]).starts_with("key \"ci\" of ") && text(&made["what"]).ends_with("read, write on account")
    );
    let revoked = row("api_key_revoke", "deleted");
    assert_eq!((text(&revoked["from"]), &revoked["what"]), ("mcp 127.0.0.1".into(), &made["what"]));
    let shared = row("share_create", "created");
    assert_eq!((&shared["from"], &shared["client"], &shared["by"]), (&Value::Null, &json!("cli"), &json!("local")));
    assert!(text(&shared["what"]).ends_with(&format!(" may write instance:{}", text(&instance))), "{shared}");
    assert!(!log.to_string().contains(&secret[12..]) && !log.to_string().contains("sha256"), "{log}");
    // Page by page it is the same.
    let (mut paged, mut before) = (Vec::new(), Value::Null);
    loop {
        let page = local(
            &env,
            "access_log",
            &if before.is_null() { json!({"limit": 2}) } else { json!({"limit": 2, "before": before}) },
        );
        paged.extend(page["changes"].as_array().unwrap().clone());
        before = page["next_before"].clone();
        if before.is_null() {
            break;
        }
    }
    assert_eq!(paged, *rows);
    let lines = env.cli(&["access", "log", "--limit", "3"]).ok();
    assert_eq!(lines.lines().count(), 3, "{lines}");
    assert!(lines.contains("\tmcp 127.0.0.1\tapi_key_revoke\tdeleted: key \"ci\""), "{lines}");
    // Whose the server is sees it, nobody else.
    assert_eq!(call(&server, "/mcp/edit", &ann, "access_log", &json!({})), Err("permission_denied".into()));
    let raw = env.cli(&["-i", &text(&instance), "sql", "SELECT actor FROM main.log"]).ok();
    assert!(!raw.contains("127.0.0.1"), "{raw}");
}

#[test]
fn who_is_refused_is_told_in_the_log_with_from_where_and_without_what_they_showed() {
    const WRONG: &str = "mc_live_00000000000000000000000000000000";
    let env = Env::new();
    let (id, ann) = user(&env, "ann@example.com");
    let (_, reader) = key(&env, &json!({"user": "ann@example.com", "permissions": ["read"]}));
    let hidden = local(&env, "instance_create", &json!({"name": "hidden"}))["id"].clone();
    let shown = local(&env, "instance_create", &json!({"name": "shown"}))["id"].clone();
    local(&env, "share_create", &json!({"instance": shown, "with": "ann@example.com", "permission": "read"}));
    let path = env.path("server.log");
    let server = served_with_log(&env, path.to_str().unwrap());
    let told = || {
        let log = std::fs::read_to_string(&path).unwrap();
        log.lines().filter(|line| line.contains(" audit: ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let last = |parts: &[&str]| {
        let lines = told();
        let line = lines.iter().find(|line| parts.iter().all(|part| line.contains(part)));
        assert!(line.is_some_and(|line| line.contains("127.0.0.1")), "{parts:?} in {lines:#?}");
    };
    let agent = [("Authorization", &*format!("Bearer {WRONG}")), ("User-Agent", "curl/8")];
    assert_eq!(server.get("/v1/i/default/keys/k", &agent).status, 401);
    last(&["authenticate", "unauthenticated", "curl/8", "rest"]);
    // Also the one who runs the server, as anybody may say they are.
    let guessed = [("X-Admin-Token", WRONG), ("User-Agent", "guesser")];
    assert_eq!(server.get(&format!("/admin/do/{}", text(&hidden)), &guessed).status, 401);
    last(&["authenticate", "unauthenticated", "guesser", "rest"]);
    assert_eq!(call(&server, &at(&hidden), &ann, "list_keys", &json!({})), Err("not_found".into()));
    last(&[&text(&hidden), "not_found", "mcp"]);
    let write = json!({"key": "a name", "value": "a value"});
    assert_eq!(call(&server, &at(&shown), &reader, "write_key", &write), Err("permission_denied".into()));
    last(&[&text(&shown), "write_key", "permission_denied", "key:"]);
    let put = server.send("PUT", &format!("/v1/i/{}/keys/k", text(&shown)), &[("Authorization", &ann)], "v");
    assert_eq!(put.status, 403);
    last(&[&text(&shown), "write_key", "permission_denied", "rest"]);
    drop(id);
    // Not one for each attempt, however many there are.
    let before = told().len();
    for number in 0..100 {
        let agent = format!("robot{number}");
        let refused = server.get("/v1/i/default/keys/k", &[("Authorization", "Bearer x"), ("User-Agent", &agent)]);
        assert_eq!(refused.status, 401);
    }
    let lines = told();
    assert!(lines.len() <= 20 && lines.len() > before, "{} lines", lines.len());
    let all = lines.join("\n");
    for secret in [WRONG, "a value", "a name", &ann[20..]] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}

#[test]
fn bug_who_was_refused_a_socket_came_from_nowhere_or_was_not_told_of() {
    const WRONG: &str = "mc_live_00000000000000000000000000000000";
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let make = |name: &str| text(&local(&env, "instance_create", &json!({"name": name}))["id"]);
    let [hidden, shown, other] = ["hidden", "shown", "other"].map(make);
    for instance in [&shown, &other] {
        local(&env, "share_create", &json!({"instance": instance, "with": "ann@example.com", "permission": "read"}));
    }
    let path = env.path("server.log");
    let server = served_with_log(&env, path.to_str().unwrap());
    let token = || {
        let asked = json!({ "instanceId": shown }).to_string();
        text(&server.post("/api/ws-token", &[("Authorization", &ann)], &asked).json()["token"])
    };
    let [used, elsewhere] = [token(), token()];
    drop(Client::open(&server, &format!("/sync/{shown}?token={used}"), ""));
    let key = ann.trim_start_matches("Bearer ");
    for (client, address, status, parts) in [
        ("a", format!("{shown}?v=2"), 401, ["authenticate", "unauthenticated", "nobody"]),
        ("b", format!("{shown}?apiKey={WRONG}"), 401, ["authenticate", "unauthenticated", "nobody"]),
        ("c", format!("{shown}?token={used}"), 401, ["authenticate", "unauthenticated", "nobody"]),
        ("d", format!("{shown}?token=nothing"), 401, ["authenticate", "unauthenticated", "nobody"]),
        ("e", format!("{other}?token={elsewhere}"), 403, ["connect", "permission_denied", &other]),
        ("f", format!("{hidden}?apiKey={key}"), 403, ["instance_read", "not_found", &hidden]),
    ] {
        let begin = if address.contains('?') { '&' } else { '?' };
        let refused = Client::try_open(&server.address, &format!("/sync/{address}{begin}client=odd-{client}"), &[]);
        assert_eq!(refused.err().unwrap().0, status, "{address}");
        let log = std::fs::read_to_string(&path).unwrap();
        let mut lines = log.lines().filter(|line| line.contains(" audit: ") && line.contains("sync 127.0.0.1"));
        let is_told =
            |line: &str| line.contains(&format!("odd-{client}")) && parts.iter().all(|part| line.contains(part));
        assert!(lines.any(is_told), "{client} {parts:?} in {log}");
    }
    // Also one who shows something wrong on an open socket.
    let (mut client, _) = Client::synced(&server, &format!("/sync/{shown}?client=odd-g"), &ann);
    client.send(&json!({"type": "auth", "apiKey": WRONG}));
    assert_eq!(client.next_of("error")["error"], "Invalid API key");
    let log = std::fs::read_to_string(&path).unwrap();
    let told = |line: &str| line.contains("odd-g") && line.contains("authenticate") && line.contains("sync 127.0.0.1");
    assert!(log.lines().any(told), "{log}");
    for number in 0..100 {
        let refused = Client::try_open(&server.address, &format!("/sync/{shown}?client=robot{number}"), &[]);
        assert_eq!(refused.err().unwrap().0, 401);
    }
    let log = std::fs::read_to_string(&path).unwrap();
    let told = log.lines().filter(|line| line.contains(" audit: ")).count();
    assert!(told <= 20, "not one for each of them: {told}");
    for secret in [WRONG, key, &used, &elsewhere] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
