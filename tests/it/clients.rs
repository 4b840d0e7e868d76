//! One conversation, over each transport and in each era: what is followed is told, and nothing else.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{
    Env,
    http_client::HttpClient,
    link::Link,
    mcp::{Era, text},
};

fn uri(key: &str) -> String {
    format!("mindcache://default/{key}")
}

/// The codes of a resource that does not exist.
const OLDER: i64 = -32002;
const NEWER: i64 = -32602;

#[test]
fn an_older_client_over_stdio() {
    let env = Env::new();
    converse(&env, || Link::pipes(env.mcp(), Era::Legacy), OLDER);
}

#[test]
fn a_newer_client_over_stdio() {
    let env = Env::new();
    converse(&env, || Link::pipes(env.mcp_modern(&[]), Era::Modern), NEWER);
}

#[test]
fn a_client_over_stdio_that_asks_first_and_falls_back() {
    let env = Env::new();
    let mut client = env.mcp_modern(&[]);
    client.request("server/discover", json!({})).expect("the question is answered");
    client.fall_back();
    converse(&env, || Link::pipes(client, Era::Legacy), OLDER);
}

#[test]
fn an_older_client_over_http() {
    let env = Env::new();
    let server = env.serve(&[]);
    converse(&env, || Link::http(server.mcp(), Era::Legacy), OLDER);
}

#[test]
fn a_newer_client_over_http() {
    let env = Env::new();
    let server = env.serve(&[]);
    converse(&env, || Link::http(server.mcp_modern(), Era::Modern), NEWER);
}

#[test]
fn a_client_over_http_that_asks_first_and_falls_back() {
    let env = Env::new();
    let server = env.serve(&[]);
    server.mcp_modern().request("server/discover", &json!({})).expect("the question is answered");
    let mut client = HttpClient::new(&server, "/mcp", Era::Legacy);
    client.handshake().expect("the answer arrives");
    converse(&env, || Link::http(client, Era::Legacy), OLDER);
}

/// What every client may rely on.
fn converse<'s>(env: &Env, connect: impl FnOnce() -> Link<'s>, absent: i64) {
    // A person writes, in a process of its own: nothing is held back for others' pace.
    let write = |key: &str| drop(env.cli(&["set", key, "x"]).ok());
    for key in ["followed", "also", "not"] {
        write(key);
    }
    let mut client = connect();
    let missing = client.request("resources/read", json!({"uri": uri("absent")})).unwrap_err();
    assert_eq!(missing["code"], absent, "{missing}");
    let found = client.request("resources/read", json!({"uri": uri("not")})).unwrap();
    assert_eq!(found["contents"][0]["text"], "x", "{found}");

    client.follow(&uri("followed"));
    client.follow(&uri("also"));
    for key in ["not", "followed", "not", "also"] {
        write(key);
    }
    // Two subscriptions are two streams, of which either may be the first.
    let told = BTreeSet::from([updated(&mut client), updated(&mut client)]);
    assert_eq!(told, BTreeSet::from([uri("followed"), uri("also")]));

    client.follow_lists();
    for change in [&["set", "new", "x"][..], &["rm", "new"]] {
        env.cli(change).ok();
        assert_eq!(lists(&mut client), BTreeSet::from(["resources".into(), "tools".into()]), "{change:?}");
    }

    client.unfollow(&uri("followed"));
    write("followed");
    write("also");
    assert_eq!(updated(&mut client), uri("also"), "what is followed no more is told no more");
}

fn updated(client: &mut Link<'_>) -> String {
    loop {
        let notification = client.next_notification();
        match text(&notification["method"]).as_str() {
            "notifications/resources/updated" => return text(&notification["params"]["uri"]),
            "notifications/resources/list_changed" | "notifications/tools/list_changed" => {}
            other => panic!("{other} was not asked for: {notification}"),
        }
    }
}

/// Which lists the next two notifications are about.
fn lists(client: &mut Link<'_>) -> BTreeSet<String> {
    let mut list = || {
        let notification: Value = client.next_notification();
        let method = text(&notification["method"]);
        let list = method.strip_prefix("notifications/").and_then(|rest| rest.strip_suffix("/list_changed"));
        list.unwrap_or_else(|| panic!("a list changed, not {notification}")).to_owned()
    };
    BTreeSet::from([list(), list()])
}
