//! The document of the routes: it is served to everybody, and what it tells of is there.

use serde_json::{Value, json};

use crate::harness::Env;

fn published() -> Value {
    serde_json::from_str(include_str!("../../schemas/openapi.json")).unwrap()
}

#[test]
fn the_document_is_served_to_everybody_and_read_once() {
    let env = Env::new();
    let server = env.serve(&["--multi-user"]);
    let got = server.send("GET", "/openapi.json", &[], "");
    assert_eq!((got.status, got.header("content-type")), (200, Some("application/json")));
    assert_eq!(got.json(), published());
    let tag = got.header("etag").unwrap();
    assert_eq!(server.send("GET", "/openapi.json", &[("If-None-Match", tag)], "").status, 304);
    assert_eq!(server.send("GET", "/openapi.json", &[("If-None-Match", "\"other\"")], "").status, 200);
    assert_eq!(server.send("GET", "/openapi.json", &[("Host", "evil.example")], "").status, 403);
}

#[test]
fn every_route_of_the_document_is_there_and_asks_who_it_is() {
    let env = Env::new();
    let server = env.serve(&["--multi-user"]);
    let document = published();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, told) in methods.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
            let at = path.replace(['{', '}'], "");
            let status = server.send(&method.to_uppercase(), &at, &[], "").status;
            let expected = if told["security"] == serde_json::json!([]) { 200 } else { 401 };
            assert_eq!(status, expected, "{method} {path}");
            assert!(told["responses"][status.to_string()].is_object(), "{method} {path} does not tell of {status}");
        }
    }
}

#[test]
fn routes_of_rest_stand_in_the_table_that_the_document_is_made_of() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/face/rest");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let makes = text.contains(".route(") || text.contains("routing::");
        assert_eq!(makes, path.ends_with("table.rs"), "{}: put its routes into a Table", path.display());
    }
}

#[test]
fn bug_what_is_not_there_and_other_methods_were_answered_with_nothing() {
    let env = Env::new();
    let server = env.serve(&[]);
    let bearer = server.bearer();
    let headers = [("Authorization", bearer.as_str())];
    for (method, path, status) in [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/i/default/ops/undo", 405),
        ("DELETE", "/health", 405),
        ("POST", "/api/keys/x", 405),
    ] {
        let answer = server.send(method, path, &headers, "");
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (status, Some("application/problem+json")),
            "{path}"
        );
        assert_eq!(answer.json()["status"], status, "{path}");
        assert_eq!(answer.header("allow").is_some(), status == 405, "{path}");
    }
}

#[test]
fn bug_a_path_that_is_no_text_was_refused_without_a_problem() {
    let env = Env::new();
    let server = env.serve(&[]);
    let bearer = server.bearer();
    for path in [
        "/v1/i/%FF/keys/a",
        "/v1/i/default/keys/%C3",
        "/api/projects/%80",
        "/v1/i/default/keys/%zz",
        "/v1/i/default/keys/5%",
    ] {
        let refused = server.send("GET", path, &[("Authorization", &bearer)], "");
        assert_eq!((refused.status, refused.header("content-type")), (400, Some("application/problem+json")), "{path}");
    }
}

/// The answer to an operation.
fn call(server: &crate::harness::http::Server, name: &str, once: Option<&str>, args: &Value) -> (u16, Value) {
    let bearer = server.bearer();
    let mut headers = vec![("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    headers.extend(once.map(|key| ("Idempotency-Key", key)));
    let answer = server.send("POST", &format!("/v1/i/default/ops/{name}"), &headers, &args.to_string());
    (answer.status, answer.json())
}

#[test]
fn bug_a_value_that_is_not_kept_was_a_fault_of_the_server() {
    let env = Env::new();
    let server = env.serve(&[]);
    for value in ["first", "second"] {
        assert_eq!(call(&server, "write_key", None, &json!({"key": "a", "value": value})).0, 200);
    }
    assert_eq!(call(&server, "purge_key", None, &json!({"key": "a", "everywhere": null})).0, 200);
    let (status, gone) = call(&server, "restore_key", None, &json!({"key": "a", "version": 1}));
    assert_eq!((status, &gone["reason"]), (410, &json!("not_kept")), "{gone}");
}

#[test]
fn bug_the_idempotency_key_of_a_request_was_lost_in_a_forwarded_call() {
    let env = Env::new();
    let server = env.serve(&[]);
    let forwarded = json!({"name": "append_key", "args": {"key": "a", "text": "x"}});
    assert_eq!(call(&server, "op_call", Some("one"), &forwarded).1["created"], true);
    assert_eq!(call(&server, "op_call", Some("one"), &forwarded).1["replayed"], true);
    assert_eq!(call(&server, "read_key", None, &json!({"key": "a"})).1["value"], "x");
    // What may be left out may be null.
    assert_eq!(call(&server, "op_call", None, &json!({"name": "undo", "args": null})).0, 200);
}

#[test]
fn bug_the_default_instance_was_not_made_by_its_first_value() {
    for (path, body) in [("/v1/i/default/keys/a", "x"), ("/v1/i/default/stm", "{}")] {
        let env = Env::new();
        let server = env.serve(&[]);
        let bearer = server.bearer();
        let made = server.send("PUT", path, &[("Authorization", &bearer)], body);
        assert!([200, 201].contains(&made.status), "{path}: {}", made.text());
    }
}
