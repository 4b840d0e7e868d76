//! Operations by their names over HTTP.

use serde_json::{Value, json};

use super::{Halves, call, served};
use crate::harness::{Env, http::Server};

#[test]
fn an_operation_takes_its_arguments_as_the_body_and_answers_with_its_result() {
    let env = Env::new();
    let (server, code) = served(&env, &[]);
    let halves = Halves::of(&server, &code);
    let call = |name: &str, args: Value| call(&server, &halves.headers(), name, &args);
    let written = call("write_key", json!({"key": "a/b", "value": "1"}));
    assert_eq!((written.status, written.header("cache-control")), (200, Some("no-store")));
    assert_eq!(written.json(), json!({"key": "a/b", "version": 1, "created": true}));
    let row = &call("key_browse", json!({})).json()["keys"][0];
    assert_eq!(
        (&row["key"], &row["actor"]["writer"], &row["preview"]),
        (&json!("a/b"), &json!("human/local"), &json!("1"))
    );
    // A person on the page: undo is that of the tab.
    assert_eq!(call("undo", json!({})).status, 200);
    assert_eq!(call("key_facets", json!({})).json()["total"], 0);
    assert_eq!(call("key_tool", json!({"key": "a/b"})).status, 404);
    call("write_key", json!({"key": "a/b", "value": "1"})).json();
    assert_eq!(call("key_tool", json!({"key": "a/b"})).json(), json!({"write": "write_a_b", "read": "read_a_b"}));
    for (name, args, status, code) in [
        ("no_such", json!({}), 404, "not_found"),
        ("read_key", json!({"key": "x"}), 404, "not_found"),
        ("read_key", json!({"name": "x"}), 400, "invalid_argument"),
        ("write_key", json!({"key": "a/b", "value": "2", "if_version": 99}), 412, "version_mismatch"),
        ("expire_due", json!({}), 404, "not_found"),
    ] {
        let refused = call(name, args);
        assert_eq!((refused.status, refused.header("content-type")), (status, Some("application/problem+json")));
        assert_eq!(refused.json()["code"], code, "{name}");
    }
}

fn raw(server: &Server, headers: &[(&str, &str)], body: &str) -> u16 {
    let bearer = server.bearer();
    let headers = [&[("Authorization", bearer.as_str())], headers].concat();
    server.send("POST", "/v1/i/default/ops/write_key", &headers, body).status
}

#[test]
fn bodies_are_json_objects_and_a_key_has_them_done_once() {
    let env = Env::new();
    let (server, _) = served(&env, &[]);
    let json = ("Content-Type", "application/json");
    for body in ["", "[]", "{", "\"x\""] {
        assert_eq!(raw(&server, &[json], body), 400, "{body}");
    }
    assert_eq!(raw(&server, &[], "{}"), 415);
    let body = r#"{"key": "a", "value": "1", "if_version": 0}"#;
    assert_eq!(raw(&server, &[json], &format!("{body}{}", " ".repeat(3_000_000))), 200);
    let body = r#"{"key": "b", "value": "1", "if_version": 0}"#;
    for _ in 0..3 {
        assert_eq!(raw(&server, &[json, ("Idempotency-Key", "k1")], body), 200);
    }
    assert_eq!(raw(&server, &[json], body), 412);
    assert_eq!(raw(&server, &[json, ("Idempotency-Key", "k1")], r#"{"key": "b", "value": "2"}"#), 422);
    assert_eq!(raw(&server, &[json, ("Idempotency-Key", "é")], body), 400);
}

#[test]
fn a_raw_value_never_runs_as_a_page_of_this_server() {
    let env = Env::new();
    let (server, code) = served(&env, &[]);
    let halves = Halves::of(&server, &code);
    call(&server, &halves.headers(), "list_keys", &json!({})).json();
    let put = [&halves.headers()[..], &[("Content-Type", "text/html")]].concat();
    assert_eq!(server.send("PUT", "/v1/i/default/keys/x", &put, "<script>1</script>").status, 201);
    let got = server.get("/v1/i/default/keys/x", &halves.headers());
    assert_eq!(got.header("content-disposition"), Some("attachment"));
    let csp = got.header("content-security-policy").unwrap();
    assert!(csp.contains("sandbox") && csp.contains("default-src 'none'"), "{csp}");
    assert_eq!(got.header("cross-origin-resource-policy"), Some("same-origin"));
}

#[test]
fn bug_a_waiting_call_of_a_page_went_on_after_the_sign_out() {
    let env = Env::new();
    let (server, code) = served(&env, &[]);
    let halves = Halves::of(&server, &code);
    let headers = halves.headers();
    call(&server, &headers, "write_key", &json!({"key": "a", "value": "1"})).json();
    let wait = json!({"key": "a", "wait_ms": 45_000}).to_string();
    let mut connection = server.connect();
    let all = [&headers[..], &[("Content-Type", "application/json")]].concat();
    connection.send("POST", "/v1/i/default/ops/wait_for_change", &all, wait.as_bytes());
    env.cli(&["call", "sign_in_revoke", "{}"]).ok();
    let answer = connection.response();
    assert_eq!((answer.status, &answer.json()["code"]), (401, &json!("unauthenticated")));
}
