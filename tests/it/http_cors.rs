//! Pages: one of this machine may use the server with the token, any other gets nothing.

use serde_json::json;

use crate::harness::{
    Env,
    connection::Response,
    http::Server,
    mcp::{LEGACY, initialize_params},
};

const OWN: [&str; 3] = ["http://localhost:5173", "http://127.0.0.1", "http://[::1]:6274"];

/// What a browser asks before it sends a request with headers of its own, without the token.
fn preflight(server: &Server, origin: &str, path: &str, method: &str) -> Response {
    let headers = [
        ("Origin", origin),
        ("Access-Control-Request-Method", method),
        (
            "Access-Control-Request-Headers",
            "authorization,content-type,mcp-method,mcp-name,mcp-protocol-version,mcp-session-id,last-event-id",
        ),
    ];
    server.send("OPTIONS", path, &headers, "")
}

fn list(response: &Response, header: &str) -> Vec<String> {
    let value = response.header(header).unwrap_or_else(|| panic!("no {header}"));
    value.split(',').map(|word| word.trim().to_ascii_lowercase()).collect()
}

#[test]
fn bug_browsers_did_not_send_the_token_as_a_star_does_not_mean_it() {
    let env = Env::new();
    let server = env.serve(&[]);
    for origin in OWN {
        for (path, method) in [("/mcp", "POST"), ("/mcp", "GET"), ("/i/default/mcp/read", "DELETE")] {
            let allowed = preflight(&server, origin, path, method);
            assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (200, Some(origin)));
            assert!(list(&allowed, "access-control-allow-methods").contains(&method.to_ascii_lowercase()));
            let headers = list(&allowed, "access-control-allow-headers");
            for header in ["authorization", "content-type", "mcp-method", "mcp-protocol-version", "mcp-session-id"] {
                assert!(headers.iter().any(|each| each == header), "{header} is not among {headers:?}");
            }
            assert!(list(&allowed, "vary").contains(&"origin".to_owned()), "no cache gives it to another origin");
        }
    }
}

#[test]
fn a_page_of_this_machine_may_read_answers_and_refusals() {
    let env = Env::new();
    let server = env.serve(&[]);
    let (bearer, origin) = (server.bearer(), OWN[0]);
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": initialize_params(LEGACY)});
    let refused = server.post("/mcp", &[("Origin", origin)], &body.to_string());
    let taken = server.post("/mcp", &[("Origin", origin), ("Authorization", &bearer)], &body.to_string());
    for (response, status, header) in [(refused, 401, "www-authenticate"), (taken, 200, "mcp-session-id")] {
        assert_eq!((response.status, response.header("access-control-allow-origin")), (status, Some(origin)));
        assert!(response.header(header).is_some(), "{header}");
        assert!(list(&response, "access-control-expose-headers").contains(&header.to_owned()));
        assert_eq!(response.header("access-control-allow-credentials"), None, "no cookie is worth anything here");
    }
}

#[test]
fn a_foreign_page_gets_nothing() {
    let env = Env::new();
    let server = env.serve(&[]);
    for origin in ["https://evil.example", "http://localhost.evil.example", "null", "file://"] {
        for (path, method) in [("/mcp", "POST"), ("/health", "GET")] {
            let refused = preflight(&server, origin, path, method);
            assert_eq!((refused.status, refused.header("access-control-allow-origin")), (403, None), "{origin} {path}");
            assert_eq!(refused.header("access-control-allow-headers"), None);
        }
    }
}
