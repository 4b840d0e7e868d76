//! The page's socket: a token of a sign-in opens one, for the page alone, for as long as the sign-in lasts.

use serde_json::json;

use super::{Halves, served};
use crate::{
    harness::{Env, http::Server},
    sync::client::Client,
};

/// Asks for a token as the page does.
fn token(server: &Server, headers: &[(&str, &str)]) -> Result<String, u16> {
    let headers = [headers, &[("Content-Type", "application/json")]].concat();
    let answer = server.send("POST", "/api/ws-token", &headers, &json!({"instanceId": "default"}).to_string());
    if answer.status == 200 { Ok(answer.json()["token"].as_str().unwrap().to_owned()) } else { Err(answer.status) }
}

/// Opens a socket as a page of this origin does; the status where it is refused.
fn open(server: &Server, token: &str, origin: &str) -> Result<Client, u16> {
    let path = format!("/sync/default?v=2&changes=1&token={token}");
    let mut client = Client::try_open(&server.address, &path, &[("Origin", origin)]).map_err(|(status, _)| status)?;
    client.hello = client.next();
    Ok(client)
}

#[test]
fn a_socket_of_the_page_takes_both_halves_and_the_pages_own_origin() {
    let env = Env::new();
    let (server, code) = served(&env, &[]);
    let halves = Halves::of(&server, &code);
    let [cookie, page_key, tab] = halves.headers();
    assert_eq!(token(&server, &[cookie, tab]), Err(401), "a cookie alone");
    assert_eq!(token(&server, &[page_key, tab]), Err(401), "a page key alone");
    let own = format!("http://{}", server.address);
    // Another server of this machine, another site, and what has no origin of its own.
    for foreign in ["http://127.0.0.1:1", "http://localhost:3000", "https://evil.example", "null"] {
        let refused = token(&server, &[cookie, page_key, ("Origin", foreign)]);
        assert!(matches!(refused, Err(401 | 403)), "{foreign}: {refused:?}");
        let token = token(&server, &halves.headers()).unwrap();
        assert_eq!(open(&server, &token, foreign).err(), Some(403), "{foreign}");
    }
    let token = token(&server, &halves.headers()).unwrap();
    let mut client = open(&server, &token, &own).unwrap();
    assert_eq!((&client.hello["permission"], &client.hello["userId"]), (&json!("admin"), &json!("local")));
    env.cli(&["set", "k", "v"]).ok();
    assert_eq!(client.next_where(|told| told["changes"][0].is_object())["changes"][0]["key"], "k");
    assert_eq!(open(&server, &token, &own).err(), Some(401), "a token is used once");
    // Nor does the cookie open one by itself.
    let headers = [cookie, page_key, ("Origin", own.as_str())];
    let refused = Client::try_open(&server.address, "/sync/default?v=2&changes=1", &headers).err();
    assert_eq!(refused.map(|(status, _)| status), Some(401));
}

#[test]
fn a_socket_of_the_page_ends_with_its_sign_in() {
    let env = Env::new();
    let (server, code) = served(&env, &[]);
    let halves = Halves::of(&server, &code);
    let own = format!("http://{}", server.address);
    let mut client = open(&server, &token(&server, &halves.headers()).unwrap(), &own).unwrap();
    let late = token(&server, &halves.headers()).unwrap();
    env.cli(&["call", "sign_in_revoke", "{}"]).ok();
    assert_eq!(client.closed().0, 4001);
    assert_eq!(token(&server, &halves.headers()), Err(401));
    // A token that was asked for before opens nothing that lasts.
    if let Ok(mut client) = open(&server, &late, &own) {
        assert_eq!(client.closed().0, 4001);
    }
}

#[test]
fn without_tokens_the_page_has_its_socket_too() {
    let env = Env::new();
    let server = env.serve(&["--no-auth"]);
    let own = format!("http://{}", server.address);
    let token = token(&server, &[("X-MindCache-Tab", "tab1")]).unwrap();
    let client = open(&server, &token, &own).unwrap();
    assert_eq!(client.hello["permission"], "admin");
    let token = self::token(&server, &[("X-MindCache-Tab", "tab1")]).unwrap();
    assert_eq!(open(&server, &token, "https://evil.example").err(), Some(403));
}
